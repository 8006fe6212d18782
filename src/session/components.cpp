#include "session/components.h"

#include <utility>

#include "session/component_stream.h"
#include "xmpp/namespaces.h"

namespace kith::session {

using xmpp::Condition;
using xmpp::StanzaError;
using xmpp::StreamCondition;

ComponentPlaces::ComponentPlaces(const std::map<std::string, Secret>& secrets) {
  for (const auto& [domain, secret] : secrets) places_.try_emplace(domain, secret);
}

const Secret* ComponentPlaces::secret_of(std::string_view domain) const {
  const auto found = places_.find(domain);
  return found == places_.end() ? nullptr : &found->second.secret;
}

std::vector<std::string> ComponentPlaces::domains() const {
  std::vector<std::string> all;
  for (const auto& [domain, place] : places_) all.push_back(domain);
  return all;
}

int ComponentPlaces::shard_of(std::string_view domain) const {
  const auto found = places_.find(domain);
  return found == places_.end() ? -1 : found->second.shard.load(std::memory_order_acquire);
}

int ComponentPlaces::move_to(const std::string& domain, int shard) {
  return places_.find(domain)->second.shard.exchange(shard, std::memory_order_acq_rel);
}

void ComponentPlaces::leave(const std::string& domain, int shard) {
  places_.find(domain)->second.shard.compare_exchange_strong(shard, -1, std::memory_order_acq_rel);
}

void ComponentPlaces::serve(unsigned shard, Components* service) {
  if (services_.size() <= shard) services_.resize(shard + 1);
  services_[shard] = service;
}

Components::Components(const ComponentDeps& deps)
    : deps_(deps), open_(deps.events.gauge("kith_components", "Components that are connected.")) {
  deps_.places.serve(deps_.router.shard(), this);
  deps_.router.hooks().serve(*this);
  deps_.router.hooks().on<module::DiscoItems>(module::Phase::validate, this, &Components::add_item);
}

Components::~Components() = default;

void Components::accept(std::unique_ptr<net::Transport> transport) {
  if (stopping_) return;
  if (streams_.size() - ready_.size() >= deps_.limits.s2s_streams) {
    deps_.events.limit_hit("component_streams");
    return;
  }
  const std::uint64_t number = ++numbers_;
  net::Transport& connection = *transport;
  auto stream = std::make_unique<ComponentStream>(*this, number, std::move(transport));
  ComponentStream& handler = *stream;
  streams_.emplace(number, std::move(stream));
  connection.set_handler(&handler);
}

module::Outcome Components::add_item(module::DiscoItems& event) {
  if (event.target != module::Target::server || !event.node.empty()) return module::Next{};
  for (const std::string& domain : deps_.places.domains()) {
    // Of several domains of this server, each shows what lies below it.
    if (!domain.ends_with("." + std::string(event.domain))) continue;
    event.query.add(xml::Element("item", xmpp::ns::disco_items).set("jid", domain));
  }
  return module::Next{};
}

void Components::receive(xmpp::Stanza stanza, storage::Ticket gate, Settled settled) {
  // What it rests on is on the disk before it leaves; if that failed, its sender hears of it from elsewhere.
  deps_.router.when_decided(
      gate, [this, stanza = std::move(stanza), settled = std::move(settled)](bool committed) mutable {
        settled({});
        if (!committed) return;
        const int shard = deps_.places.shard_of(stanza.to()->domainpart());
        if (shard < 0) return refuse(stanza, Condition::remote_server_timeout);
        if (static_cast<unsigned>(shard) == deps_.router.shard()) return deliver(std::move(stanza));
        deps_.crossroads.at(static_cast<unsigned>(shard),
                            [&places = deps_.places, shard, stanza = std::move(stanza)](router::Router&) mutable {
                              places.service(static_cast<unsigned>(shard))->deliver(std::move(stanza));
                            });
      });
}

void Components::deliver(xmpp::Stanza stanza) {
  const auto found = ready_.find(stanza.to()->domainpart());
  if (found == ready_.end()) return refuse(stanza, Condition::remote_server_timeout);
  if (!found->second->send(stanza)) {
    deps_.events.limit_hit("component_queue");
    refuse(stanza, Condition::resource_constraint);
  }
}

void Components::refuse(const xmpp::Stanza& stanza, Condition condition) {
  deps_.router.unreachable(stanza, StanzaError::of(condition));
}

void Components::proven(ComponentStream& stream) {
  const std::string& domain = stream.domain();
  deps_.events.record(LogLevel::info, "component_connected", {{"domain", domain}});
  open_.add(1);
  const auto older = ready_.find(domain);
  ComponentStream* const replaced = older == ready_.end() ? nullptr : older->second;
  ready_.insert_or_assign(domain, &stream);
  const int here = static_cast<int>(deps_.router.shard());
  const int before = deps_.places.move_to(domain, here);
  if (replaced != nullptr) replaced->fail({StreamCondition::conflict, "Another connection has taken this domain."});
  if (before < 0 || before == here) return;
  deps_.crossroads.at(static_cast<unsigned>(before), [&places = deps_.places, before, domain](router::Router&) {
    places.service(static_cast<unsigned>(before))->end(domain);
  });
}

void Components::end(const std::string& domain) {
  const auto found = ready_.find(domain);
  if (found == ready_.end() || deps_.places.shard_of(domain) == static_cast<int>(deps_.router.shard())) return;
  found->second->fail({StreamCondition::conflict, "Another connection has taken this domain."});
}

void Components::gone(std::uint64_t number) {
  const auto found = streams_.find(number);
  if (found == streams_.end()) return;
  ComponentStream& stream = *found->second;
  if (const auto ready = ready_.find(stream.domain()); ready != ready_.end() && ready->second == &stream) {
    ready_.erase(ready);
    deps_.places.leave(stream.domain(), static_cast<int>(deps_.router.shard()));
  }
  if (stream.was_proven()) open_.add(-1);
  // Whoever asks is still inside one of its functions.
  deps_.shard.post([this, number] { streams_.erase(number); });
}

void Components::shut_down() {
  stopping_ = true;
  for (const auto& [number, stream] : streams_) stream->fail({StreamCondition::system_shutdown});
}

}  // namespace kith::session
