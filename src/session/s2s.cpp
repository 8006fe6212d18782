#include "session/s2s.h"

#include <utility>

#include "session/s2s_backlog.h"
#include "session/s2s_incoming.h"
#include "session/s2s_link.h"
#include "session/s2s_probe.h"

namespace kith::session {

namespace {
constexpr std::size_t most_failed = 10'000;
constexpr std::size_t most_probes = 8;
}  // namespace

S2sService::S2sService(S2sDeps deps)
    : deps_(std::move(deps)),
      backlog_(std::make_unique<S2sBacklog>(*this)),
      open_(deps_.events.gauge("kith_server_streams", "Open streams with other servers.")),
      received_(
          deps_.events.counter("kith_server_stanzas_total", "Stanzas from and to other servers.", "direction=\"in\"")),
      sent_(deps_.events.counter("kith_server_stanzas_total", "Stanzas from and to other servers.",
                                 "direction=\"out\"")) {
  surroundings_.is_local = [this](std::string_view domain) { return deps_.router.is_ours(domain); };
  surroundings_.is_blocked = [this](std::string_view domain) { return blocks(domain); };
  surroundings_.random = &deps_.random;
  surroundings_.secret = &deps_.secret;
  surroundings_.require_certificates = deps_.require_certificates;
  // SECURITY: our stream to a server, on which it is asked, gets no further than TLS without a proof of who that is.
  surroundings_.proves_itself_when_asked = [this](std::string_view domain) {
    return deps_.dane || (deps_.onions && domain.ends_with(".onion"));
  };
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

S2sLink* S2sService::link(const stream::DomainPair& pair, bool one_is_at_hand) {
  const auto found = links_.find(pair);
  if (found != links_.end()) return found->second.get();
  if (links_.size() + leaving_.size() >= deps_.limits.s2s_links) {
    deps_.events.limit_hit("s2s_links");
    return nullptr;
  }
  const bool behind = backlog_->messages(pair) > (one_is_at_hand ? 1U : 0U);
  S2sLink& made = *links_.emplace(pair, std::make_unique<S2sLink>(*this, pair, behind)).first->second;
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

storage::Ticket S2sService::send(router::Deliver item) {
  const stream::DomainPair pair{std::string(item.stanza.to()->domainpart()),
                                std::string(item.stanza.from() ? item.stanza.from()->domainpart() : "")};
  // SECURITY: in nobody's name but ours.
  if (pair.local.empty() || !deps_.router.is_ours(pair.local)) {
    deps_.router.unreachable(item.stanza, xmpp::StanzaError::of(xmpp::Condition::remote_server_not_found));
    return {};
  }
  const auto refuse = [&](xmpp::StanzaError error) {
    deps_.router.unreachable(item.stanza, error, item.gate);
    return storage::Ticket{};
  };
  if (blocks(pair.remote)) {
    return refuse(xmpp::StanzaError::of(xmpp::Condition::policy_violation, "This server does not talk to that one."));
  }
  std::optional<S2sBacklog::Kept> kept;
  if (backlog_->concerns(item)) {
    auto place = backlog_->keep(pair, item.stanza);
    if (!place) return refuse(place.error());
    kept = *place;
  }
  if (!links_.contains(pair)) {
    const auto failed = failed_.find(pair);
    const bool too_soon = failed != failed_.end() && deps_.clock.now() - failed->second < deps_.limits.s2s_retry_time;
    if (stopping_ || too_soon) {
      if (kept) backlog_->rest(pair);
      return kept ? kept->ticket : refuse(xmpp::StanzaError::of(xmpp::Condition::remote_server_timeout));
    }
    if (failed_.size() > most_failed) failed_.clear();
  }
  S2sLink* const way = link(pair, kept.has_value());
  if (way != nullptr) {
    way->send(std::move(item), kept ? std::optional(*kept) : std::nullopt);
  } else if (kept) {
    backlog_->failed(pair, "there are too many streams to other servers");
  } else {
    return refuse(xmpp::StanzaError::of(xmpp::Condition::resource_constraint));
  }
  return kept ? kept->ticket : storage::Ticket{};
}

// --- for the administrator
// -------------------------------------------------------------------------------------------------------

std::vector<ServerStream> S2sService::streams() const {
  std::vector<ServerStream> all;
  for (const auto& [pair, link] : links_) {
    all.push_back({.remote = pair.remote, .local = pair.local, .incoming = false, .ready = link->ready()});
  }
  for (const auto& [id, stream] : incoming_) {
    for (const std::string& domain : stream->domains()) {
      all.push_back({.remote = domain, .local = {}, .incoming = true, .ready = true});
    }
  }
  return all;
}

std::vector<ServerLine> S2sService::lines() const { return backlog_->lines(); }

bool S2sService::check(const std::string& remote, const std::string& local, Checked then) {
  if (probes_.size() >= most_probes || stopping_) return false;
  const std::uint64_t number = ++ids_;
  S2sProbe& probe = *probes_
                         .emplace(number, std::make_unique<S2sProbe>(*this, number, stream::DomainPair{remote, local},
                                                                     std::move(then)))
                         .first->second;
  probe.begin();
  return true;
}

void S2sService::probe_done(std::uint64_t number) {
  // What it wrote last leaves at the end of this turn.
  deps_.shard.post([this, number] { probes_.erase(number); });
}

std::uint64_t S2sService::retry(const std::string& remote) {
  for (auto at = failed_.lower_bound({remote, {}}); at != failed_.end() && at->first.remote == remote;) {
    at = failed_.erase(at);
  }
  return backlog_->awake(remote);
}

bool S2sService::blocks(std::string_view domain) const {
  if (blocked_.empty()) return false;
  while (true) {
    if (blocked_.contains(domain)) return true;
    const std::size_t dot = domain.find('.');
    if (dot == std::string_view::npos) return false;
    domain.remove_prefix(dot + 1);
  }
}

void S2sService::block(std::set<std::string, std::less<>> domains) {
  blocked_ = std::move(domains);
  for (const auto& [id, stream] : incoming_) {
    for (const std::string& domain : stream->domains()) {
      if (!blocks(domain)) continue;
      stream->fail({xmpp::StreamCondition::policy_violation, "This server does not talk to yours."});
      break;
    }
  }
  std::vector<S2sLink*> ending;
  for (const auto& [pair, link] : links_) {
    if (blocks(pair.remote)) ending.push_back(link.get());
  }
  for (S2sLink* link : ending) link->cut_off();
  for (const ServerLine& line : lines()) {
    if (blocks(line.remote))
      backlog_->refuse({line.remote, line.local}, "this server does not talk to that one any more");
  }
}

// --- whether servers are there
// ----------------------------------------------------------------------------------------------------

void S2sService::tell_routers(const std::string& domain, void (router::Router::*what)(std::string_view)) {
  for (unsigned shard = 0; shard < deps_.crossroads.shards(); ++shard) {
    deps_.crossroads.at(shard, [domain, what](router::Router& there) { (there.*what)(domain); });
  }
}

void S2sService::reached(const std::string& domain) {
  if (known_.size() >= most_failed) known_.clear();
  known_.insert(domain);
  if (vanished_.erase(domain) + doubted_.erase(domain) > 0) tell_routers(domain, &router::Router::server_back);
}

void S2sService::not_reached(const std::string& domain) {
  // SECURITY: whoever connects can make us call any domain in vain; only of those that were there can people be seen.
  doubted_.erase(domain);
  if (stopping_ || !known_.contains(domain) || !vanished_.insert(domain).second) return;
  tell_routers(domain, &router::Router::server_vanished);
}

void S2sService::awake(const std::string& remote) {
  if (vanished_.erase(remote) > 0) tell_routers(remote, &router::Router::server_back);
  static_cast<void>(backlog_->awake(remote));
}

void S2sService::restore(Task done) {
  deps_.stores.blocked_servers.all(
      [this, done = std::move(done)](storage::Result<std::vector<std::string>> all) mutable {
        if (all) {
          blocked_.insert(all->begin(), all->end());
        } else {
          deps_.events.record(LogLevel::error, "blocked_servers_not_read");
        }
        backlog_->restore(std::move(done));
      });
}

void S2sService::verify(std::string remote, std::string local, std::string stream_id, std::string key,
                        std::move_only_function<void(KeyAnswer valid)> then) {
  // SECURITY: whoever connects can name any domain. What is asked for such must not take the place of what people
  // write.
  const bool crowded =
      links_.size() >= deps_.limits.s2s_links / 2 && !links_.contains(stream::DomainPair{remote, local});
  if (crowded) deps_.events.limit_hit("s2s_links");
  if (stopping_ || crowded) return then(std::unexpected(xmpp::Condition::resource_constraint));
  if (S2sLink* way = link({std::move(remote), std::move(local)})) {
    return way->verify(std::move(stream_id), std::move(key), std::move(then));
  }
  then(std::unexpected(xmpp::Condition::resource_constraint));
}

void S2sService::shut_down() {
  stopping_ = true;
  backlog_->stop();
  for (const auto& [id, stream] : incoming_) stream->end_after_acknowledging({xmpp::StreamCondition::system_shutdown});
  while (!links_.empty()) links_.begin()->second->shut_down();
}

}  // namespace kith::session
