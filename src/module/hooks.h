// Everything that a feature can take part in, in one place: events with named phases, and iq handlers.
//
// The life of a message: MessageFromClient on the sender's shard (validate … copy), then the router, then
// MessageToAccount on the receiver's shard (block, annotate, archive, copy, deliver, offline, push). Within a phase,
// handlers run in the order of modules/all.cpp. A handler answers Next (go on), Done (it was dealt with; later phases
// don't see it) or a StanzaError, which ends the stanza and goes back to its sender. One that throws ends the stanza
// with internal-server-error, never the shard.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "module/account.h"
#include "module/command.h"
#include "module/http.h"
#include "module/iq.h"
#include "module/session.h"
#include "storage/storage.h"
#include "xml/element.h"
#include "xmpp/error.h"
#include "xmpp/pubsub.h"
#include "xmpp/stanza.h"

namespace kith::module {

enum class Phase : std::uint8_t { validate, block, annotate, archive, copy, deliver, offline, push };

struct Next {};
struct Done {};
using Outcome = std::variant<Next, Done, xmpp::StanzaError>;

// --- stanzas
// -----------------------------------------------------------------------------------------------------------

/// A client's message; `from` is the full JID, `to` is set (own bare JID if the client left it out).
struct MessageFromClient {
  Session& session;
  xmpp::Stanza& stanza;
  /// The id that it has in its sender's archive, once `ticket` is committed.
  struct Archived {
    std::string id;
    storage::Ticket ticket;
  };
  std::optional<Archived> archived{};
};
/// A client's presence. Broadcast presence has no `to`. What nobody ends goes to its `to`, if it has one.
struct PresenceFromClient {
  Session& session;
  xmpp::Stanza& stanza;
  bool made_here = false;  ///< a feature says it for the client, which is not known to be alive
};
/// A client's iq that is not for its own account or server (to a contact's client, say) on its way out.
struct IqFromClient {
  Session& session;
  xmpp::Stanza& stanza;
};
/// Which session has ended without acknowledging a message, and when it was handed to it (XEP-0198 §4).
struct Redelivery {
  std::string resource;
  WallTime handed{};

  /// True if the account's other sessions that were there were handed their own: it was not for this one alone.
  bool shared(const xmpp::Jid& to) const { return to.is_bare() || to.resourcepart() != resource; }
};
/// A message for an account or one of its sessions, from anybody. `gate`: what it depends on; `if_failed`: what its
/// receivers get instead if that write failed (nothing, if it is not set). `delivered`: to how many sessions it went so
/// far.
struct MessageToAccount {
  Account& account;
  xmpp::Stanza& stanza;
  storage::Ticket gate;
  std::optional<xmpp::Stanza> if_failed{};
  std::size_t delivered = 0;
  /// Set if it looks for another way: it is not archived or copied again, nor delivered to sessions that had their own.
  std::optional<Redelivery> redelivered{};
  bool archived = false;  ///< the account's clients will find it in its archive
};
/// A presence for an account or one of its sessions, from anybody.
struct PresenceToAccount {
  Account& account;
  xmpp::Stanza& stanza;
  storage::Ticket gate;
};
/// An iq (request or answer) for a session by its full JID. What nobody ends goes to the session.
struct IqToSession {
  Session& session;
  xmpp::Stanza& stanza;
  storage::Ticket gate;
};

/// An iq result or error for an account itself: the answer to what a feature has asked in the account's name. Done: it
/// knew the question. SECURITY: whoever asks compares `from` and an id that nobody could guess.
struct IqAnswerToAccount {
  Account& account;
  const xmpp::Stanza& stanza;
};

/// A bound client's element at the stream's first level that is no stanza (of another namespace than jabber:client).
/// Done: it was dealt with. What nobody deals with ends the stream with unsupported-stanza-type.
struct NonzaFromClient {
  Session& session;
  const xml::Element& element;
};

// --- what happens
// ------------------------------------------------------------------------------------------------------

/// A resource was bound; nothing was sent to it yet but the answer to the bind.
struct SessionBound {
  Session& session;
};
/// A session is about to end: what a feature holds back for its client goes into its output now.
struct SessionEnding {
  Session& session;
};
/// A session has ended, by close or by loss. It is no longer among account.sessions(); its presence is as it last was.
struct SessionEnded {
  Account& account;
  Session& session;
};
/// A session has lost its connection and waits for its client to resume it; or its client has.
struct SessionHibernates {
  Session& session;
  bool unheard = false;  ///< there are messages that somebody should look at and the client has not acknowledged
};
/// How long a session waits for its client once the connection is lost (XEP-0198 §5): `time`, which a feature lengthens
/// that knows how to fetch the client.
struct SessionWaits {
  Session& session;
  std::chrono::seconds time;
};
struct SessionResumed {
  Session& session;
};
/// The server stops, and a session that can be resumed is written down: what a feature must know of it after the next
/// start is an element of its own. What was held back must go to the session's output now.
struct SessionSaved {
  Session& session;
  std::vector<xml::Element>& states;
};
/// The server has started, and such a session is back, hibernating. It was bound (SessionBound), and has its presence.
struct SessionRestored {
  Session& session;
  const std::vector<xml::Element>& states;

  /// The element that the feature added, or null.
  const xml::Element* state(std::string_view name, std::string_view ns) const {
    const auto found = std::ranges::find_if(states, [&](const xml::Element& state) { return state.is(name, ns); });
    return found == states.end() ? nullptr : &*found;
  }
};
/// The server stops; all that was under way has arrived. What must be known after the next start is written down now.
struct ServerStops {
  storage::Ticket last{};  ///< the latest such write
};
/// An account was removed, with all that is stored of it; raised on every shard.
struct AccountGone {
  const xmpp::BareJid& account;
};
/// A session has become available or changed its presence, after the broadcast. `initial`: it was unavailable before.
struct SessionAvailable {
  Session& session;
  bool initial;
};
/// A contact may see the account's presence now, or may not any more (RFC 6121 §3). `gate`: the write that says so.
struct SightChanged {
  Account& account;
  const xmpp::BareJid& contact;
  storage::Ticket gate;
};
/// Somebody has published items at a node of the account (XEP-0060 §7.1): `<item xmlns='…pubsub' id=''>payload</item>`
/// each. It counts when `gate` is committed.
struct ItemsPublished {
  Account& account;
  const std::string& node;
  const std::vector<xml::Element>& items;
  storage::Ticket gate;
};
/// Items of a node of the account are gone (§7.2, §8.4, §8.5): these, or all if there are no `ids`.
struct ItemsRetracted {
  Account& account;
  const std::string& node;
  const std::vector<std::string>& ids;
  storage::Ticket gate;
};
/// A feature asks for items to be published in the account's name; `config` is the node's if it must be made (without
/// items that is all that happens). `ticket`
/// is what the feature that does it answers with, `refused` why it did not.
struct PublishItems {
  Account& account;
  std::string node;
  std::vector<xml::Element> items;
  xmpp::NodeConfig config;
  /// A node that there is gets the access model of `config`, and keeps as many items as that does.
  bool as_configured = false;
  storage::Ticket ticket{};
  std::optional<xmpp::StanzaError> refused{};
};
/// A feature asks for items to be deleted in the account's name, and for those to be told who want to know.
struct RetractItems {
  Account& account;
  std::string node;
  std::vector<std::string> ids;
  storage::Ticket ticket{};
};
/// Another configuration is wanted for a node that there is, in the account's name.
struct ConfigureNode {
  Account& account;
  std::string node;
  xmpp::NodeConfig config;
  storage::Ticket ticket{};
};
/// One of the account's own clients asks for what is stored for it, or changes it (XEP-0049, XEP-0060), before the
/// feature that stores it is asked. Done: another feature has taken the request over.
struct StoreRequest {
  IqRequest& request;
};
/// An available session has become unavailable by sending so (not by ending: that is SessionEnded).
struct SessionUnavailable {
  Session& session;
};
/// An administrator wants to know or to change something of a room; raised on the room's shard. Done: a feature that
/// has rooms took `answer` over, and calls it once, now or later, with lines of what there is (name, value), or with
/// why it was not done.
struct RoomAdministration {
  enum class Wish : std::uint8_t { show, destroy, affiliate, configure };
  xmpp::BareJid room;
  Wish wish = Wish::show;
  std::string object{};  ///< affiliate: an address; configure: a field of the room's form
  std::string value{};   ///< affiliate: an affiliation; configure: the field's value
  using Lines = std::vector<std::pair<std::string, std::string>>;
  std::move_only_function<void(std::expected<Lines, xmpp::StanzaError>)>& answer;
};
/// The account is about to be removed: the last moment to send something in its name. Nothing need be deleted.
struct AccountRemoved {
  Account& account;
};

// --- streams before they are bound
// -------------------------------------------------------------------------------------

/// The features that a stream offers (RFC 6120 §4.3.2) are being put together for `domain`.
struct StreamFeatures {
  std::string_view domain;
  bool tls;
  bool authenticated;
  xml::Element& features;
};
/// What a client may ask for within Bind 2 (XEP-0386 §3.1) is being put together: <feature var=''/> each.
struct BindInlineFeatures {
  xml::Element& features;
};
/// A session was bound by Bind 2. Handlers look at what the client asked for and put their answers into `bound`, which
/// is for the client when the last that holds it has let it go: who must ask the storage first keeps it until then.
struct BindInline {
  Session& session;
  const xml::Element& request;
  std::shared_ptr<xml::Element> bound;
};
/// An iq before login (XEP-0077). Handlers look at the payload; the first that answers Done has taken `answer` over and
/// calls it once, now or later, with the reply stanza (without addresses); unknown ones end with not-authorized.
struct IqBeforeLogin {
  std::string_view domain;
  std::string_view peer_address;
  bool tls;
  const xmpp::Stanza& stanza;
  std::move_only_function<void(xmpp::Stanza reply)>& answer;
};

// --- service discovery
// -------------------------------------------------------------------------------------------------

/// Whom an iq is for.
enum class Target : std::uint8_t {
  server,   ///< a local domain
  account,  ///< an account: by its bare JID, or its own client without `to`
};
/// A disco#info answer (XEP-0030, XEP-0128) is being put together: handlers add identities, features and extended forms
/// that their descriptor can't name. `node` is empty for the entity itself; a handler that knows a node fills `query`
/// and answers Done, and a node that nobody knows is item-not-found. The server's answer has a hash in the stream
/// features (XEP-0115), so it depends on nothing but `domain`. `account` is null for the server.
struct DiscoInfo {
  Target target;
  std::string_view domain;
  Account* account;
  std::string_view node;
  xml::Element& query;
  const xmpp::Jid* requester = nullptr;  ///< who asks for a node; null for the entity itself
};
/// The same for disco#items. `account` is null for the server and for an address that is no account; `entitled` is true
/// if `requester` may see the account's presence (for the server: always). Who isn't gets only what is open to
/// everybody.
struct DiscoItems {
  Target target;
  std::string_view domain;
  Account* account;
  const xmpp::Jid& requester;
  bool entitled;
  std::string_view node;
  xml::Element& query;
  IqRequest* request = nullptr;  ///< for who must ask the storage first: it is moved away, and Done answered
  bool taken = false;            ///< that was done
};

// -----------------------------------------------------------------------------------------------------------------------

/// Who may ask it of an account; checked before the handler is called, refused with service-unavailable, so that an
/// account that exists looks like one that doesn't. For Target::server use anyone. `unguarded` is anyone, too, but the
/// handler is also called for an address that is no account (account() is null then), for specifications that want
/// another answer than service-unavailable for strangers: it answers both alike.
enum class Access : std::uint8_t { owner, subscribers, anyone, unguarded };

/// A feature that answers for whole domains beside those of the accounts (rooms.example.org), and for every address in
/// them. What is for one of these addresses comes in order, on the shard that a hash of its bare JID names.
class Service {
 public:
  virtual ~Service() = default;
  /// Asked for each stanza. `domainpart` is prepared.
  virtual bool owns(std::string_view domainpart) const = 0;
  /// Takes a stanza over, with true `from` and `to`; iq requests among them are answered. `gate`: what it depends on.
  /// `settled` is called once, now or later, on this shard, with the last write that it has led to.
  using Settled = std::move_only_function<void(storage::Ticket last)>;
  virtual void receive(xmpp::Stanza stanza, storage::Ticket gate, Settled settled) = 0;
};

class Hooks {
 public:
  /// From now on the domains that `service` owns are this server's own.
  void serve(Service& service) { services_.push_back(&service); }
  /// Null if nobody owns it.
  Service* service_of(std::string_view domainpart) const {
    const auto found = std::ranges::find_if(services_, [&](const Service* one) { return one->owns(domainpart); });
    return found == services_.end() ? nullptr : *found;
  }

  template <class Event, class Self>
  void on(Phase phase, Self* self, Outcome (Self::*handler)(Event&)) {
    list<Event>().add(phase, [self, handler](Event& event) { return (self->*handler)(event); });
  }
  /// For events that tell and ask nothing: the phase does not matter, the order is that of all.cpp.
  template <class Event, class Self>
  void on(Self* self, void (Self::*handler)(Event&)) {
    list<Event>().add(Phase::validate, [self, handler](Event& event) {
      (self->*handler)(event);
      return Outcome(Next{});
    });
  }
  /// `type` is get or set. The handler takes the request over and answers it, now or later.
  template <class Self>
  void on_iq(Target target, Access access, xmpp::StanzaType type, std::string_view name, std::string_view ns,
             Self* self, void (Self::*handler)(IqRequest)) {
    iqs_[{target, type, std::string(name), std::string(ns)}] = {
        access, [self, handler](IqRequest request) { (self->*handler)(std::move(request)); }};
  }

  /// An account is loaded with its document of this kind and an empty key (storage::DocumentStore): for small ones that
  /// are looked at whenever it is used.
  void load_with_account(std::string_view kind) { loaded_kinds_.emplace_back(kind); }
  const std::vector<std::string>& loaded_kinds() const { return loaded_kinds_; }

  /// A command that the server's people can run from their client's menu, under a node of the feature's own.
  template <class Self>
  void on_command(std::string_view node, std::string_view name, Self* self, void (Self::*handler)(CommandRequest)) {
    commands_.push_back({std::string(node), std::string(name),
                         [self, handler](CommandRequest request) { (self->*handler)(std::move(request)); }});
  }
  const std::vector<Command>& commands() const { return commands_; }

  /// Requests over HTTP for a path, whatever shard they come to.
  template <class Self>
  void on_http(HttpRoute route, Self* self, void (Self::*handler)(HttpExchange)) {
    pages_.push_back(
        {std::move(route), [self, handler](HttpExchange exchange) { (self->*handler)(std::move(exchange)); }});
  }
  const std::vector<HttpHandler>& pages() const { return pages_; }

  /// Runs the handlers in order; what they answered, or Next if all let it pass.
  template <class Event>
  Outcome run(Event& event) const {
    for (const auto& entry : list<Event>().entries) {
      try {
        Outcome outcome = entry.second(event);
        if (!std::holds_alternative<Next>(outcome)) return outcome;
      } catch (const std::exception& fault) {
        if (on_fault) on_fault(fault.what());
        return xmpp::StanzaError::of(xmpp::Condition::internal_server_error);
      }
    }
    return Next{};
  }

  struct IqHandler {
    Access access;
    std::function<void(IqRequest)> handle;
  };
  /// Null if nobody handles it.
  const IqHandler* iq_handler(Target target, xmpp::StanzaType type, std::string_view name, std::string_view ns) const;
  /// Told of each exception that a handler let out, to count and log it.
  std::function<void(std::string_view what)> on_fault;

 private:
  template <class Event>
  struct List {
    std::vector<std::pair<Phase, std::function<Outcome(Event&)>>> entries;
    void add(Phase phase, std::function<Outcome(Event&)> handler) {
      auto position = entries.begin();
      while (position != entries.end() && position->first <= phase) ++position;
      entries.insert(position, {phase, std::move(handler)});
    }
  };
  template <class Event>
  List<Event>& list() {
    return std::get<List<Event>>(lists_);
  }
  template <class Event>
  const List<Event>& list() const {
    return std::get<List<Event>>(lists_);
  }

  std::tuple<List<MessageFromClient>, List<PresenceFromClient>, List<IqFromClient>, List<MessageToAccount>,
             List<PresenceToAccount>, List<IqToSession>, List<IqAnswerToAccount>, List<NonzaFromClient>,
             List<SessionBound>, List<SessionEnding>, List<SessionEnded>, List<SessionHibernates>, List<SessionWaits>,
             List<SessionResumed>, List<SessionSaved>, List<SessionRestored>, List<ServerStops>, List<AccountGone>,
             List<RoomAdministration>, List<SessionAvailable>, List<SightChanged>, List<ItemsPublished>,
             List<ItemsRetracted>, List<PublishItems>, List<RetractItems>, List<ConfigureNode>, List<StoreRequest>,
             List<SessionUnavailable>, List<AccountRemoved>, List<StreamFeatures>, List<BindInlineFeatures>,
             List<BindInline>, List<IqBeforeLogin>, List<DiscoInfo>, List<DiscoItems>>
      lists_;
  std::vector<Service*> services_;
  std::vector<Command> commands_;
  std::vector<HttpHandler> pages_;
  std::vector<std::string> loaded_kinds_;
  using IqKey = std::tuple<Target, xmpp::StanzaType, std::string, std::string>;
  std::map<IqKey, IqHandler, std::less<>> iqs_;
};

}  // namespace kith::module
