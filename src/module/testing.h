// A stage for tests of features: hooks, accounts and sessions without router, network or disk. Features are put on it
// with use<M>(); stanzas are sent as a client or a remote address would, with the access rules of module/hooks.h; what
// features send is recorded. Nothing happens by itself: settle() runs what waits for storage. Not part of the program.
// One thread.
#pragma once

#include <cassert>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "module/client_list.h"
#include "module/module.h"
#include "module/testing_files.h"
#include "module/testing_stores.h"
#include "xml/stream_parser.h"
#include "xml/writer.h"
#include "xmpp/namespaces.h"

namespace kith::module::testing {

/// Remembers what a session's client got.
class RecordingOutput final : public SessionOutput {
 public:
  struct Sent {
    xmpp::Stanza stanza;
    storage::Ticket gate;
    std::optional<xmpp::Stanza> if_failed;
  };
  void send(const xmpp::Stanza& stanza, storage::Ticket gate, const xmpp::Stanza* if_failed) override {
    sent.push_back({stanza, gate, if_failed == nullptr ? std::nullopt : std::optional(*if_failed)});
  }
  void close(const xmpp::StreamError& error) override { closed = error; }

  std::vector<Sent> sent;
  std::optional<xmpp::StreamError> closed;
};

class RecordingDelivery final : public Delivery {
 public:
  explicit RecordingDelivery(MemoryDisk& disk) : disk_(disk) {}
  void route(xmpp::Stanza stanza, storage::Ticket gate, std::optional<xmpp::Stanza> if_failed) override {
    routed.push_back({std::move(stanza), gate, std::move(if_failed)});
  }
  void when_decided(storage::Ticket ticket, std::move_only_function<void(bool)> then) override {
    disk_.later([this, ticket, then = std::move(then)]() mutable { then(!disk_.failed(ticket)); });
  }

  std::vector<RecordingOutput::Sent> routed;

 private:
  MemoryDisk& disk_;
};

/// Keys that show which password they came from: stored_key is "key of PASSWORD".
class FakePasswords final : public Passwords {
 public:
  explicit FakePasswords(MemoryDisk& disk) : disk_(disk) {}
  void derive(Secret password, std::move_only_function<void(std::expected<xmpp::Credentials, Trouble>)> then) override {
    ++asked;
    disk_.later([this, password = std::move(password), then = std::move(then)]() mutable {
      if (busy) return then(std::unexpected(Trouble::busy));
      if (password.empty() || password.reveal().find('\n') != std::string_view::npos) {
        return then(std::unexpected(Trouble::unacceptable));
      }
      xmpp::Credentials credentials;
      credentials.sha1 = xmpp::ScramKeys{.salt = "salt",
                                         .iterations = 1,
                                         .stored_key = Secret("key of " + std::string(password.reveal())),
                                         .server_key = Secret("key")};
      then(std::move(credentials));
    });
  }
  bool busy = false;
  int asked = 0;

 private:
  MemoryDisk& disk_;
};

class FakeHosts final : public Hosts {
 public:
  bool is_local(std::string_view domainpart) const override { return local.contains(domainpart); }
  std::vector<std::string> domains() const override { return {local.begin(), local.end()}; }
  bool is_admin(const xmpp::BareJid& jid) const override { return administrators.contains(jid); }
  std::vector<xmpp::BareJid> admins() const override { return {administrators.begin(), administrators.end()}; }
  std::string web_origin(std::string_view host) const override {
    return has_web ? "https://" + std::string(host) : std::string();
  }

  bool has_web = true;
  std::set<std::string, std::less<>> local{"capulet.lit"};
  std::set<xmpp::BareJid> administrators;
};

inline xmpp::BareJid bare(std::string_view text) { return xmpp::BareJid::parse(text).value(); }
inline xmpp::Jid jid(std::string_view text) { return xmpp::Jid::parse(text).value(); }
/// An element of namespace jabber:client unless the text says otherwise.
inline xml::Element element(std::string_view text) {
  auto parsed = xml::parse_element(text, xmpp::ns::client);
  if (!parsed) throw std::runtime_error("not XML: " + std::string(text));
  return *std::move(parsed);
}
inline xmpp::Stanza stanza(std::string_view text) {
  auto made = xmpp::Stanza::from_element(element(text));
  if (!made) throw std::runtime_error("not a stanza: " + std::string(text));
  return *std::move(made);
}
/// The wire word of a stanza's error condition, or empty if it is no error.
inline std::string error_of(const xmpp::Stanza& stanza) {
  const xml::Element* error = stanza.element().child("error", xmpp::ns::client);
  if (stanza.type() != xmpp::StanzaType::error || error == nullptr) return {};
  const xml::Element* condition = error->child_in(xmpp::ns::stanza_errors);
  return condition == nullptr ? "?" : std::string(condition->name());
}

/// The value that a setting has when the configuration does not name it.
inline Settings::Value fallback_of(const Setting& setting) {
  const std::string text(setting.fallback);
  const auto strings = [&] {
    std::vector<std::string> found;
    for (std::size_t open = text.find('"'); open != std::string::npos;) {
      const std::size_t close = text.find('"', open + 1);
      found.push_back(text.substr(open + 1, close - open - 1));
      open = close == std::string::npos ? close : text.find('"', close + 1);
    }
    return found;
  };
  switch (setting.type) {
    case Setting::Type::boolean:
      return text == "true";
    case Setting::Type::integer:
      return static_cast<std::int64_t>(std::stoll(text));
    case Setting::Type::secret_file:
      return Secret();
    case Setting::Type::text:
      return strings().empty() ? std::string() : strings().front();
    case Setting::Type::text_list:
      return strings();
  }
  throw std::logic_error("a setting without type");
}

using SettingValues = std::map<std::string, Settings::Value, std::less<>>;

inline Settings settings_of(const Descriptor& descriptor, const SettingValues& changed = {}) {
  SettingValues values;
  for (const Setting& setting : descriptor.settings) values.emplace(setting.key, fallback_of(setting));
  for (const auto& [key, value] : changed) {
    if (!values.contains(key)) throw std::logic_error("no such setting: " + key);
    values.insert_or_assign(key, value);
  }
  return Settings(std::move(values));
}

class Stage final : private Accounts {
 public:
  Stage()
      : events(clock, LogLevel::debug, [this](LogLevel, std::string_view line) { log += std::string(line) + "\n"; }),
        timers(clock.now()),
        rosters(disk),
        accounts(disk),
        offline(disk),
        documents(disk),
        archive(disk),
        saved_sessions(disk),
        tokens(disk, accounts),
        pubsub(disk),
        rooms(disk, archive),
        push_log(disk),
        outbound(disk),
        blocked_servers(disk),
        loads(disk),
        uploads(disk),
        files(disk),
        delivery(disk),
        passwords(disk),
        stores_{accounts, rosters, offline,  documents, archive,         saved_sessions, tokens,
                pubsub,   rooms,   push_log, outbound,  blocked_servers, loads,          uploads},
        deps_{clock, random, events, timers, delivery, passwords, *this,   stores_,    archive_ids,
              files, secret, limits, rates,  hosts,    active_,   "1.2.3", clock.now()} {
    hooks.on_fault = [this](std::string_view what) { faults.emplace_back(what); };
  }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  /// Puts a feature on the stage, with its default settings but `changed`.
  template <class M>
  M& use(const SettingValues& changed = {}) {
    return static_cast<M&>(use(registration<M>(), changed));
  }
  Module& use(const Registration& feature, const SettingValues& changed = {}) {
    active_.push_back(feature.descriptor);
    modules_.push_back(feature.make(deps_));
    modules_.back()->configure(settings_of(*feature.descriptor, changed));
    modules_.back()->attach(hooks);
    return *modules_.back();
  }

  /// The account, made when first asked for.
  Account& account(std::string_view address) {
    const xmpp::BareJid name = bare(address);
    auto& place = loaded_[name];
    if (place == nullptr) {
      accounts.records.try_emplace(name, storage::AccountRecord{name, {}, clock.wall(), false});
      place =
          std::make_unique<Account>(name, Roster(name, rosters, rosters.data[name]), accounts.records.at(name).created);
      std::map<std::string, std::string> its;
      for (const std::string& kind : hooks.loaded_kinds()) {
        const auto found = documents.documents.find({name, kind, ""});
        if (found != documents.documents.end()) its.emplace(kind, found->second);
      }
      place->set_loaded_documents(std::move(its));
    }
    return *place;
  }
  Account* find_account(const xmpp::BareJid& name) const {
    const auto found = loaded_.find(name);
    return found == loaded_.end() ? nullptr : found->second.get();
  }
  /// Binds a session, "juliet@capulet.lit/balcony"; runs SessionBound.
  Session& bind(std::string_view full) {
    const xmpp::FullJid name = xmpp::FullJid::parse(full).value();
    auto& output = outputs_[name.text()];
    output = std::make_unique<RecordingOutput>();
    Account& owner = account(name.bare().text());
    Session& session = owner.add_session(std::make_unique<Session>(
        owner, name, *output, ConnectionFacts{"192.0.2.7", "TLSv1.3", "SCRAM-SHA-256", clock.wall()}, clock.now()));
    SessionBound bound{session};
    hooks.run(bound);
    return session;
  }
  /// The same, with presence sent (not announced to anybody: that is a feature's work).
  Session& bind_available(std::string_view full, int priority = 0) {
    Session& session = bind(full);
    auto presence = stanza("<presence/>");
    presence.set_from(session.jid());
    session.set_presence(presence, priority, clock.wall());
    return session;
  }
  /// Ends a session: takes it from its account, then runs SessionEnded.
  void end(Session& session) {
    Account& owner = session.account();
    const std::unique_ptr<Session> taken = owner.take_session(session);
    SessionEnded ended{owner, *taken};
    hooks.run(ended);
  }
  RecordingOutput& output(std::string_view full) { return *outputs_.at(std::string(full)); }
  /// Sets how the account's roster stands to `contact`, past all rules.
  void subscribe(std::string_view account_address, std::string_view contact, xmpp::Subscription subscription) {
    account(account_address).roster().put({.contact = bare(contact), .state = {.subscription = subscription}});
  }

  /// A client sends an iq to its own account, the server or another account of this stage.
  void iq(Session& session, std::string_view text) {
    auto request = stanza(text);
    request.set_from(session.jid());
    dispatch(std::move(request), &session);
  }
  /// Somebody of elsewhere sends an iq that must have a `to`.
  void iq_from(std::string_view from, std::string_view text) {
    auto request = stanza(text);
    request.set_from(jid(from));
    dispatch(std::move(request), nullptr);
  }
  /// What the router does with an iq request for the server or a bare JID.
  void dispatch(xmpp::Stanza request, Session* session) {
    const xmpp::Jid from = *request.from();
    const bool to_own = !request.to();
    const xmpp::Jid to = to_own ? xmpp::Jid(xmpp::BareJid::of(from)) : *request.to();
    const Target target = to.has_localpart() ? Target::account : Target::server;
    Account* addressed = target == Target::account ? find_account(xmpp::BareJid::of(to)) : nullptr;
    const xml::Element& payload = *request.payload();
    const auto* handler = hooks.iq_handler(target, request.type(), payload.name(), payload.ns());
    const bool absent = target == Target::account && addressed == nullptr;
    const bool owner = addressed != nullptr && addressed->jid() == xmpp::BareJid::of(from);
    bool allowed = handler != nullptr && to.is_bare() && hosts.is_local(to.domainpart());
    if (addressed != nullptr && !owner && addressed->block_list().blocks(from)) allowed = false;
    if (allowed && target == Target::account) {
      switch (handler->access) {
        case Access::owner:
          allowed = owner;
          break;
        case Access::subscribers:
          allowed = owner || (!absent && addressed->roster().lets_see(xmpp::BareJid::of(from)));
          break;
        case Access::anyone:
          allowed = !absent;
          break;
        case Access::unguarded:
          break;
      }
    }
    Session* own = target == Target::server || owner ? session : nullptr;
    IqRequest question(std::move(request), addressed, own, delivery);
    if (!allowed) return question.fail(xmpp::StanzaError::of(xmpp::Condition::service_unavailable));
    handler->handle(std::move(question));
  }
  /// An iq before login. The answer, if a feature took it and has answered (after settle()).
  std::optional<xmpp::Stanza> before_login(std::string_view text, bool tls = true,
                                           std::string_view address = "192.0.2.7") {
    const auto request = stanza(text);
    auto reply = std::make_shared<std::optional<xmpp::Stanza>>();
    std::move_only_function<void(xmpp::Stanza)> answer = [reply](xmpp::Stanza given) {
      if (*reply) throw std::logic_error("answered twice");
      *reply = std::move(given);
    };
    IqBeforeLogin event{"capulet.lit", address, tls, request, answer};
    const Outcome outcome = hooks.run(event);
    settle();
    if (!std::holds_alternative<Done>(outcome)) return std::nullopt;
    return *reply;
  }
  xml::Element stream_features(bool authenticated, bool tls = true) {
    xml::Element features("features", xmpp::ns::streams);
    StreamFeatures event{"capulet.lit", tls, authenticated, features};
    hooks.run(event);
    return features;
  }

  /// Runs what waits for storage, hashes and commits, until nothing waits.
  void settle() { disk.run(); }
  /// What features gave to delivery and has left the server: after its commit, or what goes instead of it.
  std::vector<xmpp::Stanza> take() {
    settle();
    std::vector<xmpp::Stanza> left;
    for (auto& item : std::exchange(delivery.routed, {})) {
      if (!disk.failed(item.gate)) {
        left.push_back(std::move(item.stanza));
      } else if (item.if_failed) {
        left.push_back(*std::move(item.if_failed));
      }
    }
    return left;
  }
  /// The only thing that has left; throws if it isn't the only one.
  xmpp::Stanza answer() {
    auto left = take();
    if (left.size() != 1) throw std::runtime_error("expected one answer, there are " + std::to_string(left.size()));
    return std::move(left.front());
  }

  ManualClock clock;
  SeededRandom random{1};
  std::string log;
  Events events;
  TimerWheel timers;
  Limits limits;
  RateTable rates{clock, 100};
  MemoryDisk disk;
  MemoryRosters rosters;
  MemoryAccounts accounts;
  MemoryOffline offline;
  MemoryDocuments documents;
  MemoryArchive archive;
  MemorySessions saved_sessions;
  MemoryTokens tokens;
  MemoryPubsub pubsub;
  MemoryRooms rooms;
  MemoryPushLog push_log;
  NoOutbound outbound;
  NoBlockedServers blocked_servers;
  NoLoads loads;
  MemoryUploads uploads;
  MemoryFiles files;
  const Secret secret{"a secret of the server"};
  RecordingDelivery delivery;
  FakePasswords passwords;
  FakeHosts hosts;
  const ArchiveIdCipher archive_ids{Secret("the house's")};
  Hooks hooks;
  std::vector<std::string> faults;
  std::vector<xmpp::BareJid> removed;
  struct Closed {
    xmpp::BareJid account;
    xmpp::StreamError error;
    std::string keep;
  };
  std::vector<Closed> closed;

  const ModuleDeps& deps() const { return deps_; }

 private:
  void remove(const xmpp::BareJid& name, std::move_only_function<void(storage::Result<bool>)> then) override {
    removed.push_back(name);
    accounts.remove(name, std::move(then));
  }
  void close_sessions(const xmpp::BareJid& name, const xmpp::StreamError& error, std::string keep) override {
    closed.push_back({name, error, std::move(keep)});
  }

  void close_client(const xmpp::BareJid& name, const std::string& client, const xmpp::StreamError& error) override {
    Account* const its = find_account(name);
    if (its == nullptr) return;
    for (const auto& session : its->sessions()) {
      if (client_id(session->facts(), session->jid().resourcepart()) == client) session->close(error);
    }
  }

  Account* loaded(const xmpp::BareJid& name) override { return find_account(name); }

  std::map<xmpp::BareJid, std::unique_ptr<Account>> loaded_;
  std::map<std::string, std::unique_ptr<RecordingOutput>> outputs_;
  std::vector<const Descriptor*> active_;
  storage::Stores stores_;
  ModuleDeps deps_;
  std::vector<std::unique_ptr<Module>> modules_;
};

}  // namespace kith::module::testing
