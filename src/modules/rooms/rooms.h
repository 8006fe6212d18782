// Group chat: Multi-User Chat (XEP-0045 v1.35.5) on a domain of its own beside each domain of accounts (rooms.DOMAIN),
// with occupant ids (XEP-0421 v1.0.1), self-pings that the room answers (XEP-0410 v1.1.0), and an archive of each room
// (XEP-0313 v1.1.3) by stanza ids (XEP-0359), kept for as long as those of accounts, from which authors and moderators
// take messages back (XEP-0424 v0.4.2, XEP-0425 v0.3.0), avatars of rooms (XEP-0486 v0.1.0), and slow mode (XEP-0500
// v0.1.1). Those who belong to a room and are away are told of messages, which may wake their phones (push).
// A room (room.h) lives on the shard that owns its bare JID: loaded when first addressed, dropped when idle and empty;
// while it is being loaded, what is for it waits here in order. Storage: RoomStore, ArchiveStore.
//
// Limits: those of a room (room.h); `room_creations` for each account; account_queue_stanzas for a room that is being
// loaded; a list of rooms shows `most_listed`.
#pragma once

#include <cstddef>
#include <deque>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "module/module.h"
#include "modules/rooms/room.h"

namespace kith::modules {

class Rooms final : public module::Module, private module::Service {
 public:
  static constexpr std::size_t most_listed = 100;
  static constexpr Duration sweep_every = std::chrono::seconds(30);
  /// Under which a room's occupants are written down while the server is not running (storage::DocumentStore).
  static constexpr std::string_view occupants_kind = "room_occupants";
  /// Of what was said, if the archive feature is off, which otherwise sees to all archives.
  static constexpr std::chrono::days retention{7};
  static constexpr std::size_t expired_at_once = 500;
  static constexpr Duration expire_every = std::chrono::minutes(10);

  static constexpr module::Descriptor descriptor{
      .name = "rooms",
      .summary = "Group chat on a domain of its own",
      .specs = {{.xep = 45, .version = "1.35.5"},
                {.xep = 313, .version = "1.1.3", .note = "archives of rooms"},
                {.xep = 410, .version = "1.1.0"},
                {.xep = 421, .version = "1.0.1"},
                {.xep = 424, .version = "0.4.2", .note = "tombstones in the archives of rooms"},
                {.xep = 425, .version = "0.3.0", .note = "also as urn:xmpp:message-moderate:0"},
                {.xep = 486, .version = "0.1.0"},
                {.xep = 500, .version = "0.1.1"}},
      .settings = {{.key = "prefix",
                    .type = module::Setting::Type::text,
                    .fallback = "\"rooms\"",
                    .help = "Rooms are at this name below each domain: rooms.example.org."},
                   {.key = "creation",
                    .type = module::Setting::Type::text,
                    .fallback = "\"accounts\"",
                    .help =
                        "Who may make rooms: \"anyone\", also people of other servers; \"accounts\" of this server; "
                        "or its \"admins\"."}},
  };

  explicit Rooms(const module::ModuleDeps& deps);
  void attach(module::Hooks& hooks) override;
  void configure(const module::Settings& settings) override;
  /// For tests: as if the server had been killed.
  void forget_all() { rooms_.clear(); }

 private:
  /// Takes the room, or null if there is none; or why it could not be loaded.
  using Work = std::move_only_function<void(std::expected<muc::Room*, xmpp::StanzaError>)>;
  /// A stanza, or something else that waits for the room.
  struct Visit {
    std::optional<xmpp::Stanza> stanza{};
    storage::Ticket gate{};
    Settled settled{};
    Work work{};
  };
  struct Entry {
    std::unique_ptr<muc::Room> room;  ///< null while it is being loaded
    std::deque<Visit> queue;
    MonotonicTime last_used{};
    storage::Ticket watched{};  ///< the last write that was looked after
    bool watching = false;
    std::vector<xmpp::BareJid> gone{};  ///< accounts that were removed while the room was being loaded
    bool stale = false;                 ///< a write has failed, and storage was not read again yet
  };

  bool owns(std::string_view domainpart) const override;
  void receive(xmpp::Stanza stanza, storage::Ticket gate, Settled settled) override;
  /// Now if the room is there, or in its queue until it is loaded.
  void enqueue(const xmpp::BareJid& jid, Visit visit);
  void give_up(Visit& visit, const xmpp::StanzaError& error);
  void to_service(const xmpp::Stanza& stanza);
  void list(const xmpp::Stanza& request);
  void load(const xmpp::BareJid& jid);
  /// What is in memory must not stay ahead of the disk when a write fails.
  void watch(const xmpp::BareJid& jid);
  void reread(const xmpp::BareJid& jid);
  static storage::ArchiveQuery newest();
  void loaded(const xmpp::BareJid& jid, storage::Result<std::unique_ptr<muc::Room>> room);
  void visit(const xmpp::BareJid& jid, Visit visit);
  /// There is no such room: makes it, if that is what the stanza asks for and its sender may, or answers.
  std::unique_ptr<muc::Room> make(const xmpp::BareJid& jid, const xmpp::Stanza& stanza);
  void refuse(const xmpp::Stanza& stanza, const xmpp::StanzaError& error);
  module::Outcome add_item(module::DiscoItems& event);
  muc::Surroundings surroundings() const;
  void drop_idle();
  void expire();
  void stops(module::ServerStops& event);
  void account_gone(module::AccountGone& event);
  module::Outcome administered(module::RoomAdministration& event);

  const module::ModuleDeps deps_;
  std::string prefix_;
  std::string creation_;
  std::unordered_map<xmpp::BareJid, Entry> rooms_;
  Gauge& loaded_;
  Timer sweep_;
  Timer expiry_;
};

}  // namespace kith::modules
