// A room (XEP-0045 v1.35.5): its occupants, what it lets them do, and what it tells them. Lives on the shard that owns
// its bare JID; the rooms feature loads it, hands it its stanzas one at a time, and drops it. Storage: RoomStore for
// configuration, affiliations and subject, ArchiveStore for what is said.
//
// An occupant is an account under a nick; several of its clients can be in the room under the same one. Whoever sees
// real addresses sees that of the client that spoke last.
//
// Limits: room_occupants (clients), room_people, room_nick_bytes, room_subject_bytes, room_messages (a rate),
// room_archive_queries (a rate for each person), `most_reads` of the archive under way, `most_archive_page_bytes`,
// `most_history_bytes` of what is shown to who enters, `most_questions` iqs under way between occupants,
// `most_invitations` that can still be declined, `most_nicks` reserved, `most_registrations` that nobody has judged
// yet, `registration_rate` for each person, `notice_rate` to those who are away,
// `entry_rate` for each person, `presence_rate` for each occupant (what is too fast is told later, the last of it).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/events.h"
#include "base/limits.h"
#include "base/random.h"
#include "base/rate_table.h"
#include "base/timer_wheel.h"
#include "base/token_bucket.h"
#include "module/archive_query.h"
#include "module/delivery.h"
#include "module/hooks.h"
#include "module/module.h"
#include "modules/rooms/config.h"
#include "modules/rooms/words.h"
#include "storage/storage.h"
#include "xmpp/jid.h"
#include "xmpp/stanza.h"

namespace kith::modules::muc {

struct Surroundings {
  const Clock& clock;
  Random& random;
  Events& events;
  TimerWheel& timers;
  module::Delivery& delivery;
  storage::RoomStore& store;
  storage::ArchiveStore& archive;
  const module::ArchiveIdCipher& archive_ids;
  storage::DocumentStore& documents;
  const Limits& limits;
  RateTable& rates;
  const module::Hosts& hosts;
};

class Room {
 public:
  static constexpr std::size_t most_history_bytes = 256 * 1024;
  static constexpr std::size_t most_questions = 256;
  static constexpr std::size_t most_invitations = 256;
  static constexpr std::size_t invitations_at_once = 10;
  static constexpr std::size_t most_reads = 16;
  static constexpr std::size_t most_avatars = 4;
  static constexpr std::size_t most_nicks = 1000;
  static constexpr std::size_t most_registrations = 64;
  static constexpr Rate notice_rate{.per_second = 200, .burst = 5000};
  static constexpr Rate entry_rate{.per_second = 10, .burst = 300};
  static constexpr Rate presence_rate{.per_second = 1, .burst = 20};
  static constexpr Duration presence_pause = std::chrono::seconds(1);
  static constexpr Rate registration_rate{.per_second = 1.0 / 60, .burst = 5};
  /// Under which a room's card is stored (storage::DocumentStore).
  static constexpr std::string_view vcard_kind = "vcard";
  /// Under which the nicks are stored that belong to somebody.
  static constexpr std::string_view nicks_kind = "room_nicks";
  static constexpr std::size_t most_archive_page_bytes = 256 * 1024;

  /// A new one, locked until its owner has configured it (§10.1.1).
  Room(xmpp::BareJid jid, const Surroundings& surroundings);
  /// One that was stored. `history`: the last of its archive, oldest first. `nicks`: its document of that kind, or
  /// empty. `occupants`: what occupants_text() said before the server stopped, or empty.
  Room(xmpp::BareJid jid, const Surroundings& surroundings, const storage::RoomData& data,
       const std::vector<storage::ArchivedMessage>& history, std::string_view nicks, std::string_view occupants);
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;

  const xmpp::BareJid& jid() const { return jid_; }
  /// Takes a stanza with true `from`, whose `to` is in this room.
  void receive(xmpp::Stanza stanza, storage::Ticket gate);
  /// It was destroyed, or nobody wants it any more: it is to be forgotten.
  bool finished() const { return finished_ || (locked_ && empty()); }
  /// A write has failed: what there is in storage (nothing: no such room) holds again.
  void reread(const std::optional<storage::RoomData>& data, const std::vector<storage::ArchivedMessage>& history,
              std::string_view nicks);
  bool empty() const { return by_client_.empty(); }
  /// What an administrator of the server may: all that an owner may. The lines to show, when last_write() is committed.
  /// Errors: bad_request (an affiliation or a field that is none), jid_malformed, conflict (the last owner),
  /// not_acceptable (a value that is none).
  std::expected<module::RoomAdministration::Lines, xmpp::StanzaError> administered(
      module::RoomAdministration::Wish wish, const std::string& object, const std::string& value);
  /// The account was removed, and storage knows it no more.
  void forget(const xmpp::BareJid& account);
  /// As it is stored.
  void take_vcard(std::string_view stored);
  /// Who is here, to be written down while the server is not running; empty if nobody is, or the room is not kept.
  std::string occupants_text() const;
  storage::Ticket last_write() const { return last_write_; }

 private:
  struct Client {
    xmpp::Jid jid;
    xml::Element presence;  ///< the last one, cleaned
    bool untold = false;    ///< it came too fast to be told to the others at once
  };
  struct Occupant {
    std::string nick;
    std::string key;  ///< of the nick: who has it has all that look like it
    xmpp::BareJid account;
    Role role = Role::none;
    std::string id;  ///< XEP-0421
    TokenBucket pace;
    std::vector<Client> clients{};
  };
  struct Person {
    Affiliation affiliation = Affiliation::none;
    std::string reason{};
    std::string nick{};    ///< that is kept for him (§7.10)
    bool notices = false;  ///< he wants to be told of messages while he is away, whatever room this is
  };
  /// Somebody wants to belong to the room, and its admins have not said yet whether he may.
  struct Applicant {
    xmpp::BareJid jid;
    std::string nick;
    bool notices;
  };
  struct Kept {
    WallTime when;
    xmpp::Stanza message;
    std::size_t bytes;
    std::uint64_t id = 0;  ///< in the archive, if it is there
    std::string author{};  ///< his bare address
  };
  /// What an occupant's presence says beside what his client says (§7.1, §7.6, §8, §9).
  struct Change {
    bool gone = false;
    std::string status{};    ///< of who leaves, in his words
    std::string new_nick{};  ///< §7.6
    std::string actor{};     ///< the nick of who did it
    std::string reason{};
    std::vector<int> codes{};      ///< for everybody
    std::vector<int> own_codes{};  ///< for the occupant himself
    std::optional<xml::Element> destroyed{};
  };
  struct Question {
    std::string id;  ///< ours
    xmpp::Jid asker;
    xmpp::BareJid asked;
    std::string original_id;
  };

  /// A query of the archive on its way. The room may be gone before it is answered.
  struct Read {
    std::shared_ptr<std::size_t> reads;
    module::Delivery& delivery;
    Random& random;
    Events& events;
    xmpp::Stanza request;
    module::ArchiveRequest asked;
    bool with_jids;

    void reply(xml::Element payload) const;
    void fail(const xmpp::StanzaError& error) const;
    void send(xml::Element child) const;
    void answer(const storage::Result<storage::ArchivePage>& page) const;
  };

  // --- presence
  void presence(const xmpp::Stanza& stanza);
  void enter(const xmpp::Stanza& stanza, const xml::Element* request);
  /// False if the client's person enters rooms too fast.
  bool takes_entry(const xmpp::Jid& client);
  void welcome(Occupant& occupant, const Client& client, const xml::Element* request, std::vector<int> codes,
               bool tell_others);
  void change_nick(Occupant& occupant, const xmpp::Stanza& stanza);
  void leave(Occupant& occupant, const xmpp::Jid& client, Change change);
  /// All clients of an occupant.
  void remove(Occupant& occupant, Change change);
  /// To everybody, the occupant's own clients but `except` last.
  void announce(const Occupant& occupant, const Client& client, const Change& change, const Client* except = nullptr);
  /// Tells the others of the client's presence, now or, if it changes too fast, later.
  void show(Occupant& occupant, Client& client);
  void show_later();
  xmpp::Stanza presence_of(const Occupant& occupant, const Client& client, const Change& change, bool with_jid,
                           bool own) const;
  void send_history(const xmpp::Jid& client, const xml::Element* request);
  void send_subject(const xmpp::Jid& client);
  void left_alone();

  // --- messages
  void message(xmpp::Stanza stanza, storage::Ticket gate);
  void groupchat(const Occupant& occupant, xmpp::Stanza stanza, storage::Ticket gate);
  void set_subject(const Occupant& occupant, xmpp::Stanza stanza, storage::Ticket gate);
  void private_message(const Occupant& occupant, xmpp::Stanza stanza, storage::Ticket gate);
  void to_room(const xmpp::Stanza& stanza);
  void invite(const xmpp::Stanza& stanza, const xml::Element& request);
  void decline(const xmpp::Stanza& stanza, const xml::Element& answer);
  void voice_request(const xmpp::Stanza& stanza, const xml::Element& form);
  /// XEP-0500
  std::optional<xmpp::StanzaError> refusal_of_pace(const Occupant& occupant, const xmpp::Stanza& message);
  /// To the bare addresses of those who belong to the room and are away: their server may wake them (XEP-0357).
  void tell_absent(const xmpp::Stanza& message, storage::Ticket gate);
  void to_all(xmpp::Stanza message, storage::Ticket gate, std::optional<xmpp::Stanza> if_failed);
  // --- taking back (room_retraction.cpp)
  /// Archives a message; if it takes another back (XEP-0424), that one is a tombstone from then on.
  storage::ArchiveStore::Added archive_or_retract(const xmpp::Stanza& message, const Occupant& author,
                                                  const xmpp::Jid& client);
  void forget_retracted(const xmpp::Stanza& retraction, const std::string& author);
  void moderate(const xmpp::Stanza& request, std::string_view target, const xml::Element* reason);
  void moderate_now(const xmpp::Stanza& request, std::uint64_t target, const std::string& reason);

  /// Takes out what only a room may say.
  void clean(xmpp::Stanza& stanza) const;
  void keep(xmpp::Stanza message, std::uint64_t id, std::string author);
  /// XEP-0359
  void add_stanza_id(xmpp::Stanza& message, std::uint64_t id) const;

  // --- the archive
  /// With the real address of its author, for those who may see it.
  std::string archived_text(const xmpp::Stanza& message, const Occupant& author, const xmpp::Jid& client) const;
  /// Whether somebody may read what was said; nothing: he may.
  std::optional<xmpp::StanzaError> refusal_of_reading(const xmpp::Jid& reader) const;
  bool may_see_jids(const xmpp::Jid& reader) const;
  void archive_iq(const xmpp::Stanza& request);

  // --- iqs
  void iq(xmpp::Stanza stanza);
  void iq_to_occupant(xmpp::Stanza stanza);
  void iq_answer(xmpp::Stanza stanza);
  void info(const xmpp::Stanza& request);
  void items(const xmpp::Stanza& request);
  void list(const xmpp::Stanza& request);
  void administer(const xmpp::Stanza& request);
  void tell_config(const xmpp::Stanza& request);
  void owner_asks(const xmpp::Stanza& request);
  void configure(const xmpp::Stanza& request, const xml::Element& form);
  void take_config(const RoomConfig& wanted);
  /// Tells everybody that it is another than `before`, and shows out who may not be here any more.
  void follow_config(const RoomConfig& before);
  /// §10.2.1
  void tell_status(const std::vector<int>& codes, storage::Ticket gate);
  void tell_vcard(const xmpp::Stanza& request);
  void set_vcard(const xmpp::Stanza& request);
  void destroy(std::optional<xml::Element> destroyed);

  // --- nicks that belong to somebody (room_registration.cpp)
  void registration(const xmpp::Stanza& request);
  void tell_registration(const xmpp::Stanza& request);
  void unregister(const xmpp::Stanza& request);
  void registers(const xmpp::Stanza& request, const xmpp::DataForm& form);
  void ask_admins(const Applicant& applicant);
  /// What an admin says to ask_admins().
  void judge_registration(const xmpp::Stanza& stanza, const xmpp::DataForm& form);
  /// Makes who is none a member of the room.
  void admit(const Applicant& applicant);
  /// Whether it is somebody else's than `account`'s.
  bool is_reserved(const std::string& key, const xmpp::BareJid& account) const;
  /// Why `account` can't have this nick for good; nothing: it can. Conflict, not_acceptable, resource_constraint.
  std::optional<xmpp::StanzaError> refusal_of_nick(std::string_view nick, const xmpp::BareJid& account) const;
  /// Of somebody in people_; an empty nick: none.
  void reserve(const xmpp::BareJid& account, std::string nick, bool notices);
  void take_nicks(std::string_view stored);
  storage::Ticket store_nicks();

  // --- people
  Affiliation affiliation_of(const xmpp::Jid& jid) const;
  Standing standing_of(const xmpp::Jid& jid) const;
  Role role_for(Affiliation affiliation) const;
  std::size_t owners() const;
  void set_affiliation(const xmpp::BareJid& jid, Affiliation affiliation, const std::string& actor,
                       const std::string& reason);
  void follow_affiliation(const xmpp::BareJid& jid, const std::string& actor, const std::string& reason);
  void set_role(Occupant& occupant, Role role, const std::string& actor, const std::string& reason);
  Occupant* occupant_of(const xmpp::Jid& client) const;
  Occupant* occupant_named(std::string_view nick) const;
  std::string occupant_id(const xmpp::BareJid& account) const;
  bool sees_jids(const Occupant& occupant) const {
    return config_.whois == Whois::anyone || occupant.role == Role::moderator;
  }

  // --- out
  void send(xmpp::Stanza stanza, const xmpp::Jid& to, storage::Ticket gate = {},
            std::optional<xmpp::Stanza> if_failed = {});
  void refuse(const xmpp::Stanza& stanza, xmpp::Condition condition, std::string text = {});
  void refuse(const xmpp::Stanza& stanza, const xmpp::StanzaError& error);
  void reply(const xmpp::Stanza& request, std::optional<xml::Element> payload = {}, storage::Ticket gate = {});
  xmpp::Jid occupant_jid(std::string_view nick) const;
  storage::Ticket wrote(storage::Ticket ticket) {
    last_write_ = storage::later(last_write_, ticket);
    return ticket;
  }
  storage::Ticket store_config();
  storage::Ticket store_person(const xmpp::BareJid& jid);

  xmpp::BareJid jid_;
  Surroundings out_;
  RoomConfig config_;
  std::string key_;  ///< of occupant ids
  bool locked_ = false;
  bool finished_ = false;
  std::map<xmpp::BareJid, Person> people_;
  std::map<std::string, xmpp::BareJid> reserved_;  ///< whose nick it is, by key
  std::deque<Applicant> applicants_;
  std::map<xmpp::BareJid, MonotonicTime> last_said_;                         ///< in slow mode
  std::map<std::string, std::unique_ptr<Occupant>, std::less<>> occupants_;  ///< by key
  std::unordered_map<xmpp::Jid, Occupant*> by_client_;
  std::optional<xmpp::Stanza> subject_;
  std::vector<std::string> avatar_hashes_;
  std::deque<Kept> history_;
  std::size_t history_bytes_ = 0;
  std::deque<Question> questions_;
  std::deque<std::pair<xmpp::BareJid, xmpp::BareJid>> invitations_;  ///< inviter, invited
  void restore(std::string_view occupants);
  static std::map<xmpp::BareJid, Person> people_of(const storage::RoomData& data);
  void take_history(const std::vector<storage::ArchivedMessage>& history);

  std::shared_ptr<bool> alive_ =
      std::make_shared<bool>(true);  ///< whoever answers later asks whether there still is one
  std::shared_ptr<std::size_t> reads_ = std::make_shared<std::size_t>(0);  ///< of the archive, under way
  TokenBucket rate_;
  TokenBucket notices_left_;
  Timer later_;  ///< for presence that waits
  storage::Ticket last_write_;
};

/// What is under a nick: two that only differ in case, in compatibility forms or in the script of letters that look the
/// same have the same key.
std::string nick_key(std::string_view nick);
/// The bare address of who said what was archived; empty if it is not known (the room itself).
std::string author_of(const xml::Element& stored);
/// Takes out what tells it.
void hide_author(xml::Element& stored);
/// What who enters wants to have of what is in the archive: no subjects, and nothing that only tells of other messages.
bool worth_telling(const xmpp::Stanza& message);

}  // namespace kith::modules::muc
