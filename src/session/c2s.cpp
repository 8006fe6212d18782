#include "session/c2s.h"

#include <utility>

#include "base/secret.h"
#include "session/c2s_connection.h"
#include "session/managed_session.h"
#include "session/saved_session.h"

namespace kith::session {

namespace {
constexpr Duration sweep_every = std::chrono::seconds(1);
}

C2sService::C2sService(C2sDeps deps)
    : deps_(std::move(deps)),
      open_(deps_.events.gauge("kith_connections", "Open client connections.")),
      logins_(deps_.events.counter("kith_logins_total", "Successful logins.")),
      failed_logins_(deps_.events.counter("kith_failed_logins_total", "Failed logins.")),
      hibernating_(
          deps_.events.gauge("kith_sessions_hibernating", "Sessions that wait for their client to come back.")),
      resumptions_(deps_.events.counter("kith_sm_resumptions_total", "Sessions that were resumed.")) {
  surroundings_.is_local = [this](std::string_view domain) { return deps_.hosts.is_local(domain); };
  surroundings_.add_features = [this](std::string_view domain, bool tls, bool authenticated, xml::Element& features) {
    module::StreamFeatures event{domain, tls, authenticated, features};
    deps_.router.hooks().run(event);
  };
  surroundings_.add_bind_features = [this](xml::Element& bind_inline) {
    module::BindInlineFeatures event{bind_inline};
    deps_.router.hooks().run(event);
  };
  limits_changed();
  surroundings_.random = &deps_.random;
  sweep_.set_action([this] { park_idle_parsers(); });
}

C2sService::~C2sService() = default;

void C2sService::limits_changed() {
  surroundings_.max_bytes_before_login = deps_.limits.xml_before_login.element_bytes;
  surroundings_.max_bytes_after_login = deps_.limits.xml_after_login.element_bytes;
  surroundings_.idle_time = deps_.limits.idle_ping_time;
  surroundings_.failed_logins = deps_.limits.failed_logins_per_stream;
  surroundings_.fast = deps_.limits.fast_token_time.count() > 0;
}

C2sConnection* C2sService::find(std::uint64_t id) const {
  const auto found = connections_.find(id);
  return found == connections_.end() ? nullptr : found->second.get();
}

void C2sService::accept(std::unique_ptr<net::Transport> transport, stream::Negotiation::Security security,
                        std::unique_ptr<Admission> admission) {
  const std::uint64_t id = ++ids_;
  const MonotonicTime now = deps_.clock.now();
  net::Transport& link = *transport;
  auto connection = std::make_unique<C2sConnection>(
      *this, id, std::move(transport), std::make_unique<stream::Negotiation>(surroundings_, security),
      xml::StreamParser(deps_.limits.xml_before_login), std::move(admission),
      TokenBucket(deps_.limits.bytes_before_login, now), TokenBucket(deps_.limits.stanzas, now));
  C2sConnection& self = *connection;
  connections_.emplace(id, std::move(connection));
  open_.add(1);
  self.start(security == stream::Negotiation::Security::direct_tls ? Duration(deps_.limits.tls_handshake_time)
                                                                   : Duration(deps_.limits.login_time));
  link.set_handler(&self);
  if (stopping_) self.fail({xmpp::StreamCondition::system_shutdown, "The server is stopping."});
}

void C2sService::depart(std::uint64_t id, unsigned shard) {
  C2sConnection* connection = find(id);
  if (connection == nullptr || connection->closed_) return;
  std::unique_ptr<Parcel> parcel = connection->pack();
  if (!parcel) {
    connection->fail({xmpp::StreamCondition::internal_server_error});
    return;
  }
  connections_.erase(id);
  open_.add(-1);
  deps_.send_off(shard, std::move(parcel));
}

void C2sService::arrive(std::unique_ptr<Parcel> parcel) {
  const std::uint64_t id = ++ids_;
  std::unique_ptr<net::Transport> transport = parcel->transport->attach(deps_.shard);
  net::Transport& link = *transport;
  parcel->negotiation->move_to(surroundings_);
  auto connection = std::make_unique<C2sConnection>(*this, id, std::move(transport), std::move(parcel->negotiation),
                                                    std::move(parcel->parser), std::move(parcel->admission),
                                                    parcel->bytes, parcel->stanzas);
  C2sConnection& self = *connection;
  connections_.emplace(id, std::move(connection));
  open_.add(1);
  link.set_handler(&self);
  if (stopping_) {
    self.fail({xmpp::StreamCondition::system_shutdown, "The server is stopping."});
    return;
  }
  self.arrived(std::move(parcel->wanted), std::move(parcel->held), std::move(parcel->facts));
}

void C2sService::remove_soon(std::uint64_t id) {
  // Never inside a call from the transport or to the connection.
  deps_.shard.post([this, id] {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    const std::unique_ptr<C2sConnection> gone = std::move(found->second);
    connections_.erase(found);
    open_.add(-1);
  });
}

ManagedSession* C2sService::managed(std::uint64_t number) const {
  const auto found = managed_.find(number);
  return found == managed_.end() ? nullptr : found->second.get();
}

ManagedSession* C2sService::resumable(const xmpp::BareJid& account, const std::string& id_digest) const {
  // SECURITY: only among the sessions of the account that has logged in.
  const module::Account* owner = deps_.router.accounts().loaded(account);
  if (owner == nullptr) return nullptr;
  for (const auto& session : owner->sessions()) {
    auto* managed = dynamic_cast<ManagedSession*>(&session->output());
    if (managed != nullptr && managed->resumable() && equal_in_constant_time(managed->id_digest(), id_digest))
      return managed;
  }
  return nullptr;
}

std::chrono::seconds C2sService::waiting_time(module::Session& session, std::chrono::seconds time) const {
  if (time.count() == 0) return time;
  module::SessionWaits event{session, time};
  deps_.router.hooks().run(event);
  return event.time;
}

void C2sService::remember_end(const xmpp::BareJid& account, const std::string& id_digest, std::uint32_t handled) {
  ended_.push_back({account, id_digest, handled});
  if (ended_.size() > most_ended) ended_.pop_front();
}

std::optional<std::uint32_t> C2sService::handled_before_end(const xmpp::BareJid& account,
                                                            const std::string& id_digest) const {
  // SECURITY: as for resumable().
  for (const Ended& one : ended_) {
    if (one.account == account && equal_in_constant_time(one.id_digest, id_digest)) return one.handled;
  }
  return std::nullopt;
}

void C2sService::drop_managed(std::uint64_t number) {
  // Never inside a call to it.
  deps_.shard.post([this, number] { managed_.erase(number); });
}

void C2sService::shut_down() {
  stopping_ = true;
  const xmpp::StreamError stopping{xmpp::StreamCondition::system_shutdown, "The server is stopping."};
  for (auto& [id, connection] : connections_) {
    if (connection->managed_ != nullptr && connection->managed_->resumable()) {
      connection->lose(stopping);
    } else {
      connection->end(stopping);
    }
  }
}

// --- sessions over a restart
// -----------------------------------------------------------------------------------------------------

void C2sService::save_sessions(std::move_only_function<void()> then) {
  // What is counted as handled must be: answers that wait for the disk come first.
  constexpr std::uint64_t all_shards = ~std::uint64_t{0};
  const auto after = std::make_shared<std::move_only_function<void()>>(std::move(then));
  if (!deps_.router.fence(all_shards, [this, after] { save_settled(std::move(*after)); }))
    save_settled(std::move(*after));
}

void C2sService::save_settled(std::move_only_function<void()> then) {
  storage::Ticket last;
  for (const auto& [number, managed] : managed_) last = storage::later(last, managed->last_gate());
  deps_.router.commits().when_decided(last, [this, then = std::move(then)](bool) mutable {
    module::ServerStops event;
    deps_.router.hooks().run(event);
    storage::Ticket saved = event.last;
    for (const auto& [number, managed] : managed_) {
      module::Session* const session = managed->session();
      if (session == nullptr || !managed->resumable()) continue;
      saved = deps_.stores.sessions.put(session->account().jid(), to_text(managed->save()));
    }
    deps_.router.commits().when_decided(saved, [this, saved, then = std::move(then)](bool) mutable {
      if (saved && deps_.router.commits().log().failed(saved))
        deps_.events.record(LogLevel::error, "sessions_not_saved");
      then();
    });
  });
}

struct C2sService::Restoring {
  std::move_only_function<void()> then;
  std::vector<std::uint64_t> numbers;  ///< of what was read, for this shard
  std::size_t open = 1;                ///< those that the router has not answered yet, and one for the reading
};

void C2sService::restore_sessions(std::move_only_function<void()> then) {
  auto restoring = std::make_shared<Restoring>();
  restoring->then = std::move(then);
  restore_page(std::move(restoring), 0);
}

void C2sService::restore_page(std::shared_ptr<Restoring> restoring, std::uint64_t after) {
  constexpr std::size_t page_sessions = 20;  // each may be some megabytes
  deps_.stores.sessions.page(
      after, page_sessions,
      [this, restoring = std::move(restoring)](storage::Result<std::vector<storage::SavedSession>> page) mutable {
        if (!page) {
          deps_.events.record(LogLevel::error, "sessions_not_restored");
        } else {
          for (storage::SavedSession& saved : *page) {
            if (deps_.router.owner(saved.account) == deps_.router.shard()) restore_one(restoring, saved);
          }
          if (page->size() == page_sessions) return restore_page(std::move(restoring), page->back().number);
        }
        restored(*restoring);
      });
}

void C2sService::restore_one(const std::shared_ptr<Restoring>& restoring, storage::SavedSession& saved) {
  restoring->numbers.push_back(saved.number);
  auto state = std::make_shared<std::optional<SavedState>>(from_text(saved.state));
  auto jid = *state ? xmpp::FullJid::of(saved.account, (*state)->resource) : std::nullopt;
  if (!jid) {
    deps_.events.record(LogLevel::error, "saved_session_unreadable", {{"number", std::to_string(saved.number)}});
    return;
  }
  const std::uint64_t number = ++ids_;
  const auto made = managed_.emplace(number, std::make_unique<ManagedSession>(*this, number, *jid, **state)).first;
  ++restoring->open;
  deps_.router.restore(*jid, *made->second, (*state)->facts, (*state)->presence, (*state)->priority,
                       (*state)->receives_since, [this, restoring, number, state](module::Session* session) {
                         if (session == nullptr) {
                           managed_.erase(number);
                         } else {
                           managed_.at(number)->attach(*session, **state);
                         }
                         restored(*restoring);
                       });
}

void C2sService::restored(Restoring& restoring) {
  if (--restoring.open != 0) return;
  storage::Ticket removed;
  for (const std::uint64_t number : restoring.numbers) removed = deps_.stores.sessions.remove(number);
  deps_.router.commits().when_decided(removed, [then = std::move(restoring.then)](bool) mutable { then(); });
}

void C2sService::close_streams_of_lost_domains() {
  for (auto& [id, connection] : connections_) {
    const std::string_view domain = connection->domain();
    if (!domain.empty() && !deps_.hosts.is_local(domain)) connection->end({xmpp::StreamCondition::host_gone});
  }
}

void C2sService::add_hot(std::uint64_t id) {
  hot_.push_back(id);
  if (!sweep_.waiting()) deps_.timers.schedule(sweep_, sweep_every);
}

void C2sService::park_idle_parsers() {
  const MonotonicTime now = deps_.clock.now();
  std::erase_if(hot_, [&](std::uint64_t id) {
    C2sConnection* connection = find(id);
    return connection == nullptr || connection->park_if_idle(now);
  });
  if (!hot_.empty()) deps_.timers.schedule(sweep_, sweep_every);
}

}  // namespace kith::session
