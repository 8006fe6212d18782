// A server of ours and people of it, with the servers of far.example and two.example played by hand.
#pragma once

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "talk.h"

namespace kith::scenario {

inline constexpr const char* proceed = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

inline std::string server_header(const std::string& from, const std::string& to) {
  return "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' id='i1' "
         "from='" +
         from + "' to='" + to + "'>";
}

class Federated : public testing::Test {
 protected:
  explicit Federated(Limits limits = {})
      : world({.shards = 1,
               .limits = limits,
               .servers = {{{"far.example", {"192.0.2.1"}}, {"two.example", {"192.0.2.2", "192.0.2.3"}}}}}) {
    world.add_account("juliet@localhost", "secret");
    juliet = available(world, "juliet@localhost", "balcony");
  }
  void write(const std::string& to, const std::string& body = "hi") {
    juliet->send(message(to, body));
    world.settle();
  }
  /// Plays the server of far.example up to the moment that it takes stanzas, by dialback.
  std::unique_ptr<net::LinkClient> ready(const std::string& domain = "far.example",
                                         const std::string& address = "192.0.2.1", bool managed = false,
                                         const std::string& more_features = {}) {
    auto server = world.dialled(address);
    // Those that were given up meanwhile are nobody's.
    while (server != nullptr && server->closed()) server = world.dialled(address);
    if (server == nullptr) return nullptr;
    server->send(server_header(domain, "localhost") +
                 "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>");
    world.settle();
    server->send(proceed);
    world.settle();
    server->send(server_header(domain, "localhost") + "<stream:features>" +
                 (managed ? "<sm xmlns='urn:xmpp:sm:3'/>" : "") + more_features + "</stream:features>");
    world.settle();
    server->send("<result xmlns='jabber:server:dialback' from='" + domain + "' to='localhost' type='valid'/>");
    world.settle();
    return server;
  }
  /// … which knows stream management, and has agreed to it.
  std::unique_ptr<net::LinkClient> managed(const std::string& more_features = {}) {
    auto server = ready("far.example", "192.0.2.1", true, more_features);
    if (server == nullptr) return nullptr;
    EXPECT_NE(server->take().find("<enable xmlns='urn:xmpp:sm:3'/>"), std::string::npos);
    server->send("<enabled xmlns='urn:xmpp:sm:3'/>");
    world.settle();
    return server;
  }
  /// The server refuses the connection, as one that is down.
  void refuse_call() {
    if (auto server = world.dialled("192.0.2.1")) server->cut();
    world.settle();
  }
  /// Plays far.example's own stream to us, up to the moment that it may ask for dialback.
  std::unique_ptr<net::LinkClient> calling() {
    auto server = world.connect_server();
    server->send(server_header("far.example", "localhost") + starttls);
    world.settle();
    server->send(server_header("far.example", "localhost"));
    world.settle();
    server->take();
    return server;
  }
  /// It proves its domain on that stream by dialback. What comes back is our stream to it, on which we asked.
  std::unique_ptr<net::LinkClient> proves(net::LinkClient& server) {
    server.send("<result xmlns='jabber:server:dialback' from='far.example' to='localhost'>key</result>");
    world.settle();
    auto asked = world.dialled("192.0.2.1");
    if (asked == nullptr) return nullptr;
    asked->send(server_header("far.example", "localhost") +
                "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>");
    world.settle();
    asked->send(proceed);
    world.settle();
    asked->send(server_header("far.example", "localhost") + "<stream:features/>");
    world.settle();
    const std::string id = between(taken(*asked), "<db:verify ", "</db:verify>");
    asked->send("<verify xmlns='jabber:server:dialback' from='far.example' to='localhost' type='valid' id='" +
                between(id, "id='", "'") + "'/>" +
                "<result xmlns='jabber:server:dialback' from='far.example' to='localhost' type='valid'/>");
    world.settle();
    EXPECT_NE(server.take().find("type='valid'"), std::string::npos);
    return asked;
  }
  std::string taken(net::LinkClient& server) {
    world.settle();
    return server.take();
  }
  /// What came to Juliet, as text.
  std::string heard() {
    std::string all;
    for (const std::string& one : got(world, *juliet)) all += one;
    return all;
  }

  World world;
  std::unique_ptr<WorldClient> juliet;
};

}  // namespace kith::scenario
