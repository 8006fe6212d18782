// How the tests of whole servers speak: bytes as they are, and what came back as text. One thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/encoding.h"
#include "world.h"
#include "xml/writer.h"
#include "xmpp/namespaces.h"

namespace kith::scenario {

inline std::string header_to(const std::string& domain, const std::string& more = {}) {
  return "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
         "to='" +
         domain + "' version='1.0'" + more + ">";
}
inline const std::string header = header_to("localhost");
inline const std::string starttls = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
inline const std::string closing = "</stream:stream>";

inline std::string plain(const std::string& user, const std::string& password) {
  const std::string zero(1, '\0');
  return "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" +
         base64_encode(zero + user + zero + password) + "</auth>";
}
inline std::string bind_iq(const std::string& resource) {
  return "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>" +
         (resource.empty() ? std::string() : "<resource>" + resource + "</resource>") + "</bind></iq>";
}

inline std::string message(const std::string& to, const std::string& body) {
  return "<message type='chat' to='" + to + "'><body>" + body + "</body></message>";
}
inline std::string resume(const std::string& previd, unsigned h) {
  return "<resume xmlns='urn:xmpp:sm:3' previd='" + previd + "' h='" + std::to_string(h) + "'/>";
}

/// What stands after `before` and up to `after`; empty if there is no such place.
inline std::string between(const std::string& text, const std::string& before, const std::string& after) {
  const auto at = text.find(before);
  if (at == std::string::npos) return {};
  const auto from = at + before.size();
  return text.substr(from, text.find(after, from) - from);
}
inline std::size_t count_of(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

/// A connection by hand.
struct Raw {
  explicit Raw(World& the_world, net::LinkOptions link = {})
      : world(the_world), client(the_world.connect(std::move(link))) {}

  std::string say(const std::string& bytes) {
    client->send(bytes);
    world.settle();
    return client->link().take();
  }
  std::string take() {
    world.settle();
    return client->link().take();
  }
  /// What each step answered last.
  std::string to_tls() {
    say(header + starttls);
    return say(header);
  }
  std::string to_login(const std::string& user, const std::string& password) {
    to_tls();
    say(plain(user, password));
    return say(header);
  }
  bool closed() {
    world.settle();
    return client->link().closed();
  }

  World& world;
  std::unique_ptr<WorldClient> client;
};

/// All first-level elements that came, as text.
inline std::vector<std::string> got(World& world, WorldClient& client) {
  std::vector<std::string> all;
  world.settle();
  while (const auto element = client.next()) all.push_back(xml::to_string(*element, xmpp::ns::client));
  return all;
}

/// Logs in; the test ends by an exception if that fails.
inline std::unique_ptr<WorldClient> entered(World& world, const std::string& bare_jid, const std::string& resource,
                                            net::LinkOptions link = {}) {
  auto client = world.log_in(bare_jid, "secret", resource, std::move(link));
  if (!client) throw std::runtime_error(bare_jid + ": " + client.error());
  return std::move(*client);
}
/// … and has asked for the roster and sent presence.
inline std::unique_ptr<WorldClient> available(World& world, const std::string& bare_jid, const std::string& resource) {
  auto client = entered(world, bare_jid, resource);
  client->send("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq><presence/>");
  got(world, *client);
  return client;
}

}  // namespace kith::scenario
