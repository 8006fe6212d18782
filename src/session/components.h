// Components (XEP-0114 v1.6): programs of the administrator that answer for domains of their own, gateways above all.
// Each connects over TCP, by default on loopback, and proves itself by the secret that the configuration has for its
// domain. One service per shard: it takes the stanzas that the shard's router has for such a domain, and brings them to
// the shard on which the component's connection is, and it has the connections that this shard accepted.
//
// A component that connects anew takes the place of its older connection. What is for one that is not there is answered
// with remote-server-timeout. Limits: s2s_streams connections that have not proven themselves, login_time for that,
// s2s_queue_bytes that wait for a component, bytes_from_server from it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/events.h"
#include "base/executor.h"
#include "base/limits.h"
#include "base/random.h"
#include "base/secret.h"
#include "base/timer_wheel.h"
#include "module/hooks.h"
#include "net/transport.h"
#include "router/router.h"

namespace kith::session {

class Components;

/// What all shards know of the components: their secrets, and where the connections are. Any thread, once the services
/// are made.
class ComponentPlaces {
 public:
  explicit ComponentPlaces(const std::map<std::string, Secret>& secrets);
  const Secret* secret_of(std::string_view domain) const;
  std::vector<std::string> domains() const;
  /// The shard that has the connection, or -1.
  int shard_of(std::string_view domain) const;
  /// Returns what it was before.
  int move_to(const std::string& domain, int shard);
  /// It is nowhere any more, unless it has moved from this shard meanwhile.
  void leave(const std::string& domain, int shard);
  void serve(unsigned shard, Components* service);
  Components* service(unsigned shard) const { return services_[shard]; }

 private:
  struct Place {
    explicit Place(Secret the_secret) : secret(std::move(the_secret)) {}
    const Secret secret;
    std::atomic<int> shard = -1;
  };
  std::map<std::string, Place, std::less<>> places_;
  std::vector<Components*> services_;
};

struct ComponentDeps {
  Executor& shard;
  const Clock& clock;
  Random& random;
  Events& events;
  TimerWheel& timers;
  const Limits& limits;
  router::Router& router;
  router::Crossroads& crossroads;
  ComponentPlaces& places;
};

class ComponentStream;

class Components final : public module::Service {
 public:
  explicit Components(const ComponentDeps& deps);
  ~Components() override;
  Components(const Components&) = delete;
  Components& operator=(const Components&) = delete;

  /// A connection that was just accepted.
  void accept(std::unique_ptr<net::Transport> transport);
  bool owns(std::string_view domainpart) const override { return deps_.places.secret_of(domainpart) != nullptr; }
  void receive(xmpp::Stanza stanza, storage::Ticket gate, Settled settled) override;
  void shut_down();
  std::size_t size() const { return streams_.size(); }

 private:
  friend class ComponentStream;
  module::Outcome add_item(module::DiscoItems& event);
  /// On the shard that has the connection.
  void deliver(xmpp::Stanza stanza);
  void proven(ComponentStream& stream);
  void end(const std::string& domain);
  void gone(std::uint64_t number);
  void refuse(const xmpp::Stanza& stanza, xmpp::Condition condition);

  ComponentDeps deps_;
  std::unordered_map<std::uint64_t, std::unique_ptr<ComponentStream>> streams_;
  std::map<std::string, ComponentStream*, std::less<>> ready_;
  std::uint64_t numbers_ = 0;
  bool stopping_ = false;
  Gauge& open_;
};

}  // namespace kith::session
