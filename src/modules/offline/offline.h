// Messages for who is away (XEP-0160, stamped as XEP-0203 says): kept, and handed to the first session that becomes
// available with a priority that is not negative. Lives on the account's shard. State: for each loaded account how much
// is kept and to which session it is being handed. Limits: offline_messages, offline_bytes; the sender of a message
// that has no room gets service-unavailable.
//
// When a kept message is removed: not when it is put in the session's output, which a dead connection may swallow, but
// at the client's next sign of life after that (a stanza from it), once it has left that output. If the session ends
// without one, the message stays and is handed out again, with the same id and stamp: better twice than
// not at all. With stream management this will be the client's <a/>.
//
// One order for what one sender sends: while kept messages are being handed out, live ones for the same session are
// kept behind them and follow in turn; and a message to the full JID of a session that was bound a moment ago and has
// not said yet that it is available goes behind what is kept, too. A client that stays without presence for longer than
// `settling_time` does not want what is kept, and gets what is for its full JID at once.
//
// What is kept, of type chat or normal: what has a body, or a <store/> hint (XEP-0334), or any content beyond chat
// states, threads, ids and hints; never with a <no-store/> hint.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/timer_wheel.h"
#include "module/module.h"

namespace kith::modules {

class OfflineFeature final : public module::Module {
 public:
  static constexpr module::Descriptor descriptor{
      .name = "offline",
      .summary = "Keeps messages for who is away.",
      .specs = {{160, "1.0.1"}, {203, "2.0"}, {334, "1.0.0", "store and no-store"}},
      .server_features = {"msgoffline"}};

  static constexpr std::size_t page_messages = 12;
  /// Above this the session's output is left to drain before more is handed out.
  static constexpr std::size_t output_pause_bytes = 512 * 1024;
  /// More than this is not handed over between two ticks, so that a big store does not overrun the session's output
  /// limit.
  static constexpr std::size_t bytes_per_tick = 1024 * 1024;
  static constexpr Duration settling_time = std::chrono::seconds(10);
  static constexpr Duration tick = std::chrono::seconds(1);

  explicit OfflineFeature(const module::ModuleDeps& deps);
  void attach(module::Hooks& hooks) override;

 private:
  static constexpr std::size_t held_most = 100;
  static constexpr std::size_t full_most = 65'536;

  struct Held {
    xmpp::Stanza stanza;
    storage::Ticket gate;
    std::string resource;  ///< of the session that may get it at once if nothing is kept; else empty
  };
  /// Of an account.
  struct State {
    enum class Measured : std::uint8_t { no, asked, yes };
    Measured measured = Measured::no;
    std::uint64_t measurement = 0;              ///< to know an answer that is out of date
    storage::OfflineStore::Size size{};         ///< until measured: what was added since the account was loaded
    storage::OfflineStore::Size added_since{};  ///< … since the question
    std::uint64_t added = 0;
    std::vector<Held> held;  ///< waits for the measure

    std::string receiver;                  ///< the resource that messages are or were handed to; empty if none
    bool handing = false;                  ///< more is to come
    bool paused = false;                   ///< goes on at the next tick
    std::uint64_t handing_number = 0;      ///< to know a page that is out of date
    std::uint64_t handed_through = 0;      ///< the last id that was handed over
    storage::OfflineStore::Size handed{};  ///< handed over and not removed yet
    MonotonicTime handed_at{};
    std::uint64_t handed_mark = 0;      ///< when the session's output has let go of so many bytes, all of it has left
    std::size_t handed_since_tick = 0;  ///< bytes
  };
  /// Of a session.
  struct Beginning {
    MonotonicTime bound{};
    bool was_available = false;
    bool reads_archive = false;  ///< bound by Bind 2: what is in the archive is not handed to it (XEP-0386 §3.2)
  };

  // Hooks.
  void session_bound(module::SessionBound& event);
  void bound_inline(module::BindInline& event);
  void session_available(module::SessionAvailable& event);
  void session_unavailable(module::SessionUnavailable& event);
  void session_ended(module::SessionEnded& event);
  void session_saved(module::SessionSaved& event);
  void session_restored(module::SessionRestored& event);
  void account_removed(module::AccountRemoved& event);
  module::Outcome put_behind(module::MessageToAccount& event);
  module::Outcome keep_undelivered(module::MessageToAccount& event);
  module::Outcome message_alive(module::MessageFromClient& event);
  module::Outcome presence_alive(module::PresenceFromClient& event);
  module::Outcome iq_alive(module::IqFromClient& event);

  // Keeping.
  module::Outcome keep(module::Account& account, const xmpp::Stanza& message, storage::Ticket gate);
  void add(module::Account& account, const xmpp::Stanza& message, std::string text);
  bool has_room(const State& state, std::size_t bytes) const;
  module::Outcome hold(module::Account& account, State& state, Held held);
  void measure(module::Account& account);
  void measured(const xmpp::BareJid& jid, std::uint64_t measurement,
                const storage::Result<storage::OfflineStore::Size>& size);
  void release_held(module::Account& account, bool measured);
  void refuse(const xmpp::Stanza& message, const xmpp::StanzaError& error);

  // Handing out.
  void start_handing(module::Account& account);
  void next_page(module::Account& account);
  void hand_page(const xmpp::BareJid& jid, std::uint64_t number, std::uint64_t added,
                 const storage::Result<std::vector<storage::OfflineMessage>>& page);
  void stop_handing(module::Account& account);
  static bool has_taken_all(module::Session& session, const State& state);
  void alive(module::Session& session);
  void remove_handed(module::Account& account, State& state);
  void watch(const xmpp::BareJid& jid);
  void on_tick();

  const Clock& clock_;
  Events& events_;
  TimerWheel& timers_;
  module::Delivery& delivery_;
  module::Accounts& accounts_;
  storage::OfflineStore& store_;
  const Limits& limits_;
  /// Accounts whose store was full when last seen. SECURITY: kept beyond the account's time in memory, so that nobody
  /// can add unmeasured messages each time that it is loaded.
  std::unordered_set<xmpp::BareJid> full_;
  /// Accounts that are being handed messages or have not shown a sign of life since.
  std::unordered_set<xmpp::BareJid> watched_;
  Timer timer_;
};

}  // namespace kith::modules
