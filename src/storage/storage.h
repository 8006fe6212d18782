// What is stored, as interfaces by duty. Each shard has its own Stores object; all of them write through one database.
//
// Writes return at once with a Ticket: a number that only grows, in the order in which the writes were given. A thing
// that may leave the server only when a write is on disk carries that write's ticket and waits in its session's output
// queue until CommitLog says that the ticket is committed (docs/durability.md). A write that failed (full disk, locked
// database) has a ticket, too: CommitLog says `failed`, and what waited becomes an error of type wait.
//
// Reads answer by callback on the shard that asked, never from inside the call. They see every write whose ticket was
// given out before by the same Stores object.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "xmpp/credentials.h"
#include "xmpp/jid.h"
#include "xmpp/subscription.h"

namespace kith::storage {

/// The number of a write. Zero: none, always committed.
struct Ticket {
  std::uint64_t number = 0;
  explicit operator bool() const { return number != 0; }
  friend auto operator<=>(const Ticket&, const Ticket&) = default;
};

/// The later of the two: what depends on both depends on it, since commits keep the order.
inline Ticket later(Ticket a, Ticket b) { return a < b ? b : a; }

enum class StorageError { unavailable, full, corrupt };

template <class T>
using Result = std::expected<T, StorageError>;
template <class T>
using Callback = std::move_only_function<void(Result<T>)>;

struct RosterItem {
  xmpp::BareJid contact;
  std::string name{};
  std::vector<std::string> groups{};
  xmpp::SubscriptionState state{};
  /// False for what is kept only because of a pending inbound request or a pre-approval: not shown to the user's
  /// clients unless `approved` (RFC 6121 §3.1.3, §3.4.2).
  bool in_roster = true;
  /// The contact's subscribe stanza as it came, for delivery at each login (RFC 6121 §3.1.3); empty if none is pending.
  std::string pending_stanza{};
};

struct RosterData {
  std::vector<RosterItem> items;
  std::uint64_t version = 0;  ///< grows with each change
  /// Contacts removed since, with the version of the removal, oldest first; at most 200 are kept. A client whose
  /// version is older than the first gets the whole roster.
  std::vector<std::pair<std::uint64_t, xmpp::BareJid>> removed;
  std::map<xmpp::BareJid, std::uint64_t> item_versions;  ///< the version of each item's last change
};

class RosterStore {
 public:
  virtual ~RosterStore() = default;
  virtual void load(const xmpp::BareJid& account, Callback<RosterData> then) = 0;
  /// Writes one item and the roster's new version together.
  virtual Ticket put(const xmpp::BareJid& account, const RosterItem& item, std::uint64_t version) = 0;
  virtual Ticket remove(const xmpp::BareJid& account, const xmpp::BareJid& contact, std::uint64_t version) = 0;
};

struct AccountRecord {
  xmpp::BareJid jid;
  xmpp::Credentials credentials;
  WallTime created;
  bool disabled = false;
};

class AccountStore {
 public:
  virtual ~AccountStore() = default;
  /// Nothing if there is no such account.
  virtual void find(const xmpp::BareJid& jid, Callback<std::optional<AccountRecord>> then) = 0;
  /// Makes the account; `then` gets false if there is one already, after the commit.
  virtual void add(const AccountRecord& record, Callback<bool> then) = 0;
  /// `then` gets false if there is no such account, after the commit.
  virtual void set_credentials(const xmpp::BareJid& jid, const xmpp::Credentials& credentials, Callback<bool> then) = 0;
  /// Adds the keys of those hashes that the account has none of. SECURITY: `then` gets false, and nothing changes, if
  /// none of its keys has this salt any more: the password was changed, or the account is another's.
  virtual void add_keys(const xmpp::BareJid& jid, const xmpp::Credentials& keys, const std::string& salt,
                        Callback<bool> then) = 0;
  /// Removes the account and everything that belongs to it in every store, in one transaction.
  virtual void remove(const xmpp::BareJid& jid, Callback<bool> then) = 0;
  /// All accounts of a domain in the order of their names; an empty domain means all.
  virtual void list(const std::string& domain, Callback<std::vector<xmpp::BareJid>> then) = 0;
  /// When the account was last seen available and the status text it left with (XEP-0012).
  struct LastSeen {
    WallTime when;
    std::string status;
  };
  virtual Ticket set_last_seen(const xmpp::BareJid& jid, const LastSeen& last) = 0;
  virtual void last_seen(const xmpp::BareJid& jid, Callback<std::optional<LastSeen>> then) = 0;
};

struct OfflineMessage {
  std::uint64_t id = 0;  ///< given by the store, growing
  WallTime when;
  std::string stanza;  ///< the message as XML text (default namespace jabber:client)
};

class OfflineStore {
 public:
  virtual ~OfflineStore() = default;
  virtual Ticket add(const xmpp::BareJid& account, WallTime when, std::string stanza) = 0;
  /// The oldest `most` messages with an id above `after`, in order.
  virtual void page(const xmpp::BareJid& account, std::uint64_t after, std::size_t most,
                    Callback<std::vector<OfflineMessage>> then) = 0;
  /// Removes all messages of the account up to and with `id`.
  virtual Ticket remove_through(const xmpp::BareJid& account, std::uint64_t id) = 0;
  struct Size {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
  };
  virtual void size(const xmpp::BareJid& account, Callback<Size> then) = 0;
};

/// Private XML (XEP-0049) and vcard-temp (XEP-0054): one XML document per account (or room) and key.
class DocumentStore {
 public:
  virtual ~DocumentStore() = default;
  /// `kind` is a fixed word ("private", "vcard"); `key` may come from the network.
  virtual void get(const xmpp::BareJid& account, const std::string& kind, const std::string& key,
                   Callback<std::optional<std::string>> then) = 0;
  /// The documents of these kinds whose key is empty, in one read; those that there are not are left out.
  virtual void get_several(const xmpp::BareJid& account, std::vector<std::string> kinds,
                           Callback<std::map<std::string, std::string>> then) = 0;
  virtual Ticket put(const xmpp::BareJid& account, const std::string& kind, const std::string& key,
                     std::string document) = 0;
  virtual void count(const xmpp::BareJid& account, const std::string& kind, Callback<std::uint64_t> then) = 0;
};

struct ArchivedMessage {
  std::uint64_t id = 0;  ///< also when it was archived: microseconds since 1970, made to grow
  std::string stanza;    ///< the message as XML text (default namespace jabber:client)
};

/// What of an account's archive is asked for.
struct ArchiveQuery {
  static constexpr std::uint64_t newest = std::uint64_t(1) << 62U;

  std::optional<xmpp::BareJid> with{};  ///< messages to or from this address only
  std::string with_resource{};          ///< of that address, if not empty
  std::uint64_t above = 0;              ///< ids greater than this …
  std::uint64_t below = newest;         ///< … and less than this
  std::vector<std::uint64_t> ids{};     ///< just these, if there are any; the rest but `must_exist` does not count then
  std::vector<std::uint64_t> must_exist{};  ///< ids without which there is no answer
  bool from_newest = false;                 ///< the last `most` that match instead of the first
  std::size_t most = 0;                     ///< messages
  std::size_t most_bytes = 0;               ///< of stanzas; one message comes in any case
};

struct ArchivePage {
  bool known = true;                      ///< false: an id of `must_exist` or `ids` is not in this archive
  std::vector<ArchivedMessage> messages;  ///< oldest first
  bool complete = true;                   ///< nothing was left out for `most` or `most_bytes`
};

class ArchiveStore {
 public:
  virtual ~ArchiveStore() = default;
  struct Added {
    std::uint64_t id;
    Ticket ticket;
  };
  /// Archives a message that was exchanged with `peer`. Ids are unique and grow in the order of the calls, over all
  /// accounts and restarts, also when the clock is set back. `reference`: under which rewrite() finds the message among
  /// those that the account exchanged with the bare address of `peer`; empty: it does not.
  virtual Added add(const xmpp::BareJid& account, WallTime when, const xmpp::Jid& peer, std::string stanza,
                    const std::string& reference = {}) = 0;
  struct Rewritten {
    std::optional<std::string> stanza{};  ///< instead of what there was, which is never found again; nothing: it stays
    bool more = false;                    ///< an earlier one is to be seen, too
  };
  /// Has no state and runs on the database's own thread.
  using Rewrite = std::function<Rewritten(std::string_view stanza)>;
  static constexpr std::size_t most_rewritten = 100;  ///< messages that are looked at, the newest first
  /// add() of a message that changes those that were archived before it with this peer under `reference`. All of it in
  /// one transaction: if the message cannot be archived, nothing is changed.
  virtual Added add_rewriting(const xmpp::BareJid& account, WallTime when, const xmpp::Jid& peer, std::string stanza,
                              const std::string& reference, Rewrite rewrite) = 0;
  /// The same for the message with the id `target`, and for those of its peer that were archived under its reference.
  virtual Added add_rewriting_id(const xmpp::BareJid& account, WallTime when, const xmpp::Jid& peer, std::string stanza,
                                 std::uint64_t target, Rewrite rewrite) = 0;
  virtual void page(const xmpp::BareJid& account, ArchiveQuery query, Callback<ArchivePage> then) = 0;
  /// How many messages match `with`, `above` and `below`; counted up to `most_counted`.
  static constexpr std::uint64_t most_counted = 100'000;
  virtual void count(const xmpp::BareJid& account, ArchiveQuery query, Callback<std::uint64_t> then) = 0;
  /// The ids of the first and the last message, or nothing if there are none.
  struct Ends {
    std::uint64_t first;
    std::uint64_t last;
  };
  virtual void ends(const xmpp::BareJid& account, Callback<std::optional<Ends>> then) = 0;
  /// Removes the oldest `most` messages, of all accounts, that were archived before `when`. `then`: true if any was.
  virtual void expire(WallTime when, std::size_t most, Callback<bool> then) = 0;
};

/// A session that waits for its client while the server is not running (XEP-0198).
struct SavedSession {
  std::uint64_t number = 0;  ///< the store's own, growing; not for put()
  xmpp::BareJid account;
  std::string state;  ///< the session room's own text
};

/// What must not be forgotten between the end of the daemon and its next start.
class SessionStore {
 public:
  virtual ~SessionStore() = default;
  virtual Ticket put(const xmpp::BareJid& account, std::string state) = 0;
  /// The first `most` sessions, of all accounts, with a number above `after`, in order.
  virtual void page(std::uint64_t after, std::size_t most, Callback<std::vector<SavedSession>> then) = 0;
  virtual Ticket remove(std::uint64_t number) = 0;
};

/// A token that a client logs in with (XEP-0484). The token itself is not stored (sasl::derive_token).
struct TokenRecord {
  std::string client;     ///< the UUID that the client gave itself
  bool fresh = true;      ///< given to the client, and not used yet
  std::string mechanism;  ///< the only one that it is good for
  std::string seed;
  WallTime issued{};
  WallTime expires{};
  WallTime used{};         ///< when the client last logged in with it, or got it
  std::string software{};  ///< what the client says of itself
  std::string device{};
};

/// What a login rests on. It may have begun before the password was changed or the client's access was taken away.
struct LoginBasis {
  std::string salt;       ///< xmpp::salt_of() the account's keys at that time
  bool by_token = false;  ///< of this client
};

/// What a login by token needs to know.
struct LoginTokens {
  std::optional<AccountRecord> account{};  ///< nothing: there is none
  std::vector<TokenRecord> tokens{};       ///< of the client that logs in
};

/// At most two tokens for each client of an account. A change of the account's password removes all of them.
class TokenStore {
 public:
  virtual ~TokenStore() = default;
  virtual void find(const xmpp::BareJid& account, const std::string& client, Callback<LoginTokens> then) = 0;
  virtual void list(const xmpp::BareJid& account, Callback<std::vector<TokenRecord>> then) = 0;
  /// A fresh one, in the place of a fresh one that was not used. Of more than `most_clients` clients those go that have
  /// been away for longest. SECURITY: does nothing if `basis` holds no more when it is written: the account has other
  /// keys by then, or the client has lost the token that it came with.
  virtual Ticket put(const xmpp::BareJid& account, const TokenRecord& record, const LoginBasis& basis,
                     std::size_t most_clients) = 0;
  /// The client has logged in; if it was by the fresh one, there is no other any more.
  virtual Ticket used(const xmpp::BareJid& account, const std::string& client, bool fresh, WallTime when) = 0;
  /// The client has logged out: both of its tokens go.
  virtual Ticket remove(const xmpp::BareJid& account, const std::string& client) = 0;
  /// `then`: true if it had any.
  virtual void remove_client(const xmpp::BareJid& account, const std::string& client, Callback<bool> then) = 0;
};

/// How somebody stands to a node (XEP-0060 §4.1, §4.2), in the protocol's words; empty: not at all.
struct PubsubPerson {
  xmpp::Jid jid;
  std::string affiliation{};
  std::string subscription{};
};

struct PubsubNode {
  std::string name;
  std::string config;  ///< the pubsub engine's own text
  std::vector<PubsubPerson> people{};
};

struct PubsubItem {
  std::string id;
  WallTime when{};          ///< of its publication
  std::string payload;      ///< one element as XML text, or empty
  std::string publisher{};  ///< the bare JID of who published it; empty: the owner
};

/// All that there is of an owner, but for the items themselves.
struct PubsubData {
  std::vector<PubsubNode> nodes;
  std::uint64_t bytes = 0;  ///< of all items' payloads
};

/// Which items of a node are asked for.
struct PubsubQuery {
  std::vector<std::string> ids{};   ///< just these, if there are any; those that are not there are left out
  std::string after{};              ///< published later than this item, if not empty …
  std::string before{};             ///< … and earlier than this one
  bool from_newest = false;         ///< the last `most` instead of the first
  std::size_t most = 0;             ///< items
  std::size_t most_bytes = 0;       ///< of payloads; one item comes in any case
  bool payloads = true;             ///< false: they are left out, and most_bytes means nothing
  std::optional<WallTime> since{};  ///< what was published before is as good as gone
};

/// What a node keeps: the newest so many, and of these what was published at `since` or later.
struct PubsubKeep {
  std::size_t most_items;
  std::optional<WallTime> since{};
};

struct PubsubPage {
  bool known = true;                ///< false: there is no item `after` or `before`
  std::vector<PubsubItem> items{};  ///< in the order of their publication
  bool complete = true;             ///< nothing was left out for `most` or `most_bytes`
  std::uint64_t total = 0;          ///< items of the node
};

/// Publish-subscribe nodes (XEP-0060). The owner is an account (XEP-0163).
class PubsubStore {
 public:
  virtual ~PubsubStore() = default;
  virtual void load(const xmpp::BareJid& owner, Callback<PubsubData> then) = 0;
  /// Makes the node or gives it another configuration.
  virtual Ticket put_node(const xmpp::BareJid& owner, const std::string& node, std::string config) = 0;
  /// With its people and items.
  virtual Ticket remove_node(const xmpp::BareJid& owner, const std::string& node) = 0;
  virtual Ticket put_person(const xmpp::BareJid& owner, const std::string& node, const PubsubPerson& person) = 0;
  /// Items that are there already get the new payload and become the newest. What is not to be kept goes.
  virtual Ticket publish(const xmpp::BareJid& owner, const std::string& node, std::vector<PubsubItem> items,
                         const PubsubKeep& keep) = 0;
  virtual Ticket retract(const xmpp::BareJid& owner, const std::string& node, std::vector<std::string> ids) = 0;
  virtual Ticket trim(const xmpp::BareJid& owner, const std::string& node, const PubsubKeep& keep) = 0;
  virtual void items(const xmpp::BareJid& owner, const std::string& node, PubsubQuery query,
                     Callback<PubsubPage> then) = 0;
  /// The newest item of each of these nodes that has one, by the node's name.
  virtual void newest(const xmpp::BareJid& owner, std::vector<std::string> nodes,
                      Callback<std::map<std::string, PubsubItem>> then) = 0;
};

/// How an address stands to a room for good (XEP-0045 §5.2), in the protocol's words.
struct RoomPerson {
  xmpp::BareJid jid;
  std::string affiliation{};  ///< empty: none
  std::string reason{};
};

struct RoomData {
  std::string config;   ///< the rooms feature's own text
  std::string subject;  ///< likewise; empty: none was ever set
  std::vector<RoomPerson> people{};
};

/// What a room shows of itself to everybody.
struct ListedRoom {
  xmpp::BareJid jid;
  std::string name;
};

/// Rooms (XEP-0045). What is said in them is in the ArchiveStore, under the room's address.
class RoomStore {
 public:
  virtual ~RoomStore() = default;
  /// Nothing if there is no such room.
  virtual void load(const xmpp::BareJid& room, Callback<std::optional<RoomData>> then) = 0;
  /// Makes the room or gives it another configuration.
  virtual Ticket put(const xmpp::BareJid& room, const std::string& name, bool listed, std::string config) = 0;
  /// Nothing happens if there is no such room.
  virtual Ticket put_subject(const xmpp::BareJid& room, std::string subject) = 0;
  /// Likewise.
  virtual Ticket put_person(const xmpp::BareJid& room, const RoomPerson& person) = 0;
  /// With its people, its archive and its documents.
  virtual Ticket remove(const xmpp::BareJid& room) = 0;
  /// The first `most` listed rooms of a domain behind the address `after`, in the order of their addresses.
  virtual void list(const std::string& domain, const std::string& after, std::size_t most,
                    Callback<std::vector<ListedRoom>> then) = 0;
  /// The same of all rooms, listed or not, of all domains.
  virtual void list_all(const std::string& after, std::size_t most, Callback<std::vector<ListedRoom>> then) = 0;
};

/// What an account's push services were sent within an hour (XEP-0357).
struct PushRecord {
  WallTime hour{};  ///< when it began
  std::string service;
  std::string node{};
  std::uint64_t sent = 0;
  std::uint64_t refused = 0;  ///< of those, the ones that were answered with an error
};

/// Which push services learned of an account, and how often. Counts only.
class PushLogStore {
 public:
  virtual ~PushLogStore() = default;
  /// Adds the numbers of `record` to those of the hour in which `when` lies.
  virtual Ticket add(const xmpp::BareJid& account, WallTime when, const PushRecord& record) = 0;
  /// Newest first, at most `most_listed`.
  static constexpr std::size_t most_listed = 1000;
  virtual void list(const xmpp::BareJid& account, Callback<std::vector<PushRecord>> then) = 0;
  /// Removes at most `most` of the hours, of all accounts, that began before `when`. `then`: true if any was.
  virtual void expire(WallTime when, std::size_t most, Callback<bool> then) = 0;
};

/// A message that waits for another server.
struct OutboundMessage {
  std::uint64_t id = 0;
  WallTime when;       ///< when it was given to the store
  std::string stanza;  ///< as XML text (default namespace jabber:client)
};

/// What of it waits between two domains, of one account.
struct OutboundLine {
  std::string remote;
  std::string local;
  std::string sender;  ///< a bare JID
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
};

/// Messages on their way to other servers, in order for each pair of domains (the other's and ours), until that server
/// has acknowledged them.
class OutboundStore {
 public:
  virtual ~OutboundStore() = default;
  struct Added {
    std::uint64_t id;
    Ticket ticket;
  };
  /// Ids grow in the order of the calls, over all domains and restarts. `sender`: with whose account it goes.
  virtual Added add(const std::string& remote, const std::string& local, const xmpp::BareJid& sender, WallTime when,
                    std::string stanza) = 0;
  /// The oldest `most` messages with an id above `after`, in order; fewer if they take more than `most_bytes`, but one
  /// in any case.
  virtual void page(const std::string& remote, const std::string& local, std::uint64_t after, std::size_t most,
                    std::size_t most_bytes, Callback<std::vector<OutboundMessage>> then) = 0;
  /// Removes all messages between these domains up to and with `id`.
  virtual Ticket remove_through(const std::string& remote, const std::string& local, std::uint64_t id) = 0;
  /// All pairs of domains between which something waits, with those who sent it.
  virtual void lines(Callback<std::vector<OutboundLine>> then) = 0;
};

/// The domains of other servers that this one does not talk to.
class BlockedServerStore {
 public:
  virtual ~BlockedServerStore() = default;
  virtual void all(Callback<std::vector<std::string>> then) = 0;
  /// `then` is called after the commit, with false if nothing changed.
  virtual void add(const std::string& domain, WallTime when, Callback<bool> then) = 0;
  virtual void remove(const std::string& domain, Callback<bool> then) = 0;
};

/// What an account is in memory, as far as it is read before the first stanza may pass.
struct AccountData {
  WallTime created{};
  RosterData roster{};
  std::map<std::string, std::string> documents{};  ///< by their kinds, of those whose key is empty
  PubsubData pubsub{};
};

/// Several stores in one read.
class LoadStore {
 public:
  virtual ~LoadStore() = default;
  /// With the documents of these kinds. Nothing if there is no such account.
  virtual void load(const xmpp::BareJid& account, std::vector<std::string> kinds,
                    Callback<std::optional<AccountData>> then) = 0;
};

class UploadStore;  // storage/uploads.h

struct Stores {
  AccountStore& accounts;
  RosterStore& rosters;
  OfflineStore& offline;
  DocumentStore& documents;
  ArchiveStore& archive;
  SessionStore& sessions;
  TokenStore& tokens;
  PubsubStore& pubsub;
  RoomStore& rooms;
  PushLogStore& push_log;
  OutboundStore& outbound;
  BlockedServerStore& blocked_servers;
  LoadStore& loads;
  UploadStore& uploads;
};

/// Which tickets are on disk. Any thread; reading is one atomic load unless writes have failed.
class CommitLog {
 public:
  virtual ~CommitLog() = default;
  /// Every ticket up to and with this one is decided: committed, unless failed() says otherwise.
  virtual Ticket decided() const = 0;
  virtual bool failed(Ticket ticket) const = 0;
};

}  // namespace kith::storage
