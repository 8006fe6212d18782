#include "session/s2s.h"

#include <utility>

#include "session/s2s_incoming.h"
#include "session/s2s_link.h"

namespace kith::session {

namespace {
constexpr std::size_t most_failed = 10'000;
}

S2sService::S2sService(S2sDeps deps)
    : deps_(std::move(deps)),
      open_(deps_.events.gauge("kith_server_streams", "Open streams with other servers.")),
      received_(
          deps_.events.counter("kith_server_stanzas_total", "Stanzas from and to other servers.", "direction=\"in\"")),
      sent_(deps_.events.counter("kith_server_stanzas_total", "Stanzas from and to other servers.",
                                 "direction=\"out\"")) {
  surroundings_.is_local = [this](std::string_view domain) { return deps_.router.is_ours(domain); };
  surroundings_.random = &deps_.random;
  surroundings_.secret = &deps_.secret;
  surroundings_.require_certificates = deps_.require_certificates;
}

S2sService::~S2sService() = default;

S2sIncoming* S2sService::find(std::uint64_t id) const {
  const auto found = incoming_.find(id);
  return found == incoming_.end() ? nullptr : found->second.get();
}

void S2sService::accept(std::unique_ptr<net::Transport> transport, std::unique_ptr<Admission> admission) {
  if (stopping_) return;
  if (incoming_.size() >= deps_.limits.s2s_streams) {
    deps_.events.limit_hit("s2s_streams");
    return;  // The transport closes itself: an answer would cost what the limit is there to save.
  }
  const std::uint64_t id = ++ids_;
  net::Transport& connection = *transport;
  auto stream = std::make_unique<S2sIncoming>(*this, id, std::move(transport), std::move(admission));
  S2sIncoming& handler = *stream;
  incoming_.emplace(id, std::move(stream));
  open_.add(1);
  connection.set_handler(&handler);
}

void S2sService::remove_soon(std::uint64_t id) {
  // Whoever asks is still inside one of its functions.
  deps_.shard.post([this, id] {
    if (incoming_.erase(id) > 0) open_.add(-1);
  });
}

bool S2sService::add_stream_of(const std::string& domain) {
  std::size_t& count = streams_of_[domain];
  if (count >= deps_.limits.s2s_streams_per_domain) return false;
  ++count;
  return true;
}

void S2sService::drop_stream_of(const std::string& domain) {
  const auto found = streams_of_.find(domain);
  if (found != streams_of_.end() && --found->second == 0) streams_of_.erase(found);
}

S2sLink* S2sService::link(const stream::DomainPair& pair) {
  const auto found = links_.find(pair);
  if (found != links_.end()) return found->second.get();
  if (links_.size() + leaving_.size() >= deps_.limits.s2s_links) {
    deps_.events.limit_hit("s2s_links");
    return nullptr;
  }
  S2sLink& made = *links_.emplace(pair, std::make_unique<S2sLink>(*this, pair)).first->second;
  open_.add(1);
  made.begin();
  return &made;
}

void S2sService::leave(const stream::DomainPair& pair) {
  const auto found = links_.find(pair);
  if (found == links_.end()) return;
  S2sLink* const key = found->second.get();
  leaving_.emplace(key, std::move(found->second));
  links_.erase(found);
}

void S2sService::gone(S2sLink* link) {
  // Whoever asks is still inside one of its functions.
  deps_.shard.post([this, link] {
    if (leaving_.erase(link) > 0) open_.add(-1);
  });
}

void S2sService::send(router::Deliver item) {
  const stream::DomainPair pair{std::string(item.stanza.to()->domainpart()),
                                std::string(item.stanza.from() ? item.stanza.from()->domainpart() : "")};
  // SECURITY: in nobody's name but ours.
  if (pair.local.empty() || !deps_.router.is_ours(pair.local)) {
    return deps_.router.unreachable(item.stanza, xmpp::StanzaError::of(xmpp::Condition::remote_server_not_found));
  }
  if (!links_.contains(pair)) {
    const auto failed = failed_.find(pair);
    const bool too_soon = failed != failed_.end() && deps_.clock.now() - failed->second < deps_.limits.s2s_retry_time;
    if (stopping_ || too_soon) {
      return deps_.router.unreachable(item.stanza, xmpp::StanzaError::of(xmpp::Condition::remote_server_timeout),
                                      item.gate);
    }
    if (failed_.size() > most_failed) failed_.clear();
  }
  if (S2sLink* way = link(pair)) return way->send(std::move(item));
  deps_.router.unreachable(item.stanza, xmpp::StanzaError::of(xmpp::Condition::resource_constraint), item.gate);
}

void S2sService::verify(std::string remote, std::string local, std::string stream_id, std::string key,
                        std::move_only_function<void(bool valid)> then) {
  // SECURITY: whoever connects can name any domain. What is asked for such must not take the place of what people
  // write.
  const bool crowded =
      links_.size() >= deps_.limits.s2s_links / 2 && !links_.contains(stream::DomainPair{remote, local});
  if (crowded) deps_.events.limit_hit("s2s_links");
  if (stopping_ || crowded) return then(false);
  if (S2sLink* way = link({std::move(remote), std::move(local)})) {
    return way->verify(std::move(stream_id), std::move(key), std::move(then));
  }
  then(false);
}

void S2sService::shut_down() {
  stopping_ = true;
  for (const auto& [id, stream] : incoming_) stream->fail({xmpp::StreamCondition::system_shutdown});
  while (!links_.empty()) links_.begin()->second->shut_down();
}

}  // namespace kith::session
