// A session under stream management (XEP-0198 v1.6.3): what was sent and is not acknowledged, both counters, and the
// time in which a client that lost its connection may resume it. Stands between a module::Session and its connection
// and outlives the latter. Lives on the account's shard; owned by C2sService. Limits: sm_queue_stanzas (while nobody
// reads), sm_queue_bytes, sm_resume_time, sm_hibernating_per_account; past those of the queue the session ends.
//
// When it ends, the messages that were not acknowledged look for another way through the account, requests are answered
// with an error, and presence is dropped. What a client sent is acknowledged when all that it led to is on disk
// (Router::fence). Private to this room.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "session/c2s.h"
#include "session/saved_session.h"
#include "stream/management.h"

namespace kith::session {

class ManagedSession final : public module::SessionOutput {
 public:
  ManagedSession(C2sService& service, std::uint64_t number, module::Session& session, C2sConnection& connection,
                 std::chrono::seconds resume_time, std::string id_digest);

  /// One that was saved before the server started; attach() follows.
  ManagedSession(C2sService& service, std::uint64_t number, xmpp::FullJid jid, SavedState& state);

  std::uint64_t number() const { return number_; }
  module::Session* session() const { return session_; }
  C2sConnection* connection() const { return connection_; }
  /// SHA-256 of the id that resumes it; empty if nothing does.
  const std::string& id_digest() const { return id_digest_; }
  bool resumable() const { return !id_digest_.empty(); }

  // --- what the client sends
  void handled_one(std::uint64_t shards) {
    ++handled_;
    shards_ |= shards;
  }
  std::uint32_t handled() const { return handled_; }
  /// What the client is told: never less than it was told before.
  std::uint32_t told(std::uint32_t h) {
    if (static_cast<std::int32_t>(h - told_) > 0) told_ = h;
    return told_;
  }
  /// The client has answered an iq request of `to` with this id: should the session end before it is acknowledged,
  /// nobody else answers it.
  void answered(std::string_view to, std::string_view id);
  /// The shards to put a fence on, for all that handled() counts: those too whose fence is still open, since a later
  /// one may be passed before it.
  struct Asked {
    std::uint64_t number;
    std::uint64_t shards;
  };
  Asked ask_shards() {
    asked_shards_ |= std::exchange(shards_, 0);
    return {++asked_, asked_shards_};
  }
  /// That fence was passed.
  void shards_passed(std::uint64_t number) {
    if (number == asked_) asked_shards_ = 0;
  }
  void asked_for_acknowledgement();
  /// False if more is acknowledged than was sent; nothing is changed then.
  bool acknowledge(std::uint32_t h);
  bool may_acknowledge(std::uint32_t h) const { return h - acknowledged_ <= written_; }
  std::uint32_t sent() const { return acknowledged_ + static_cast<std::uint32_t>(written_); }

  // --- the connection comes and goes
  /// What the connection had queued goes before everything else, and is not counted.
  void put_before(std::string bytes, std::string bytes_if_failed, storage::Ticket gate);
  /// Behind what waits already.
  void put_uncounted(const xml::Element& element);
  /// The connection is lost.
  void hibernate();
  /// A new connection takes the session over; nothing is written before replay().
  void take_over(C2sConnection& connection, module::ConnectionFacts facts);
  void replay();
  /// What is sent waits until go_on().
  void hold() { live_ = false; }
  void go_on();
  /// The router has the session again.
  void attach(module::Session& session, const SavedState& state);
  /// The last write that something in the queue waits for.
  storage::Ticket last_gate() const;
  /// All that must be known after the next start; nothing is taken or written any more. When last_gate() is decided.
  SavedState save();
  /// The session ends by its client's wish or fault. The connection stays; what is no message is left to it.
  void finish();
  /// The client wants to be waited for no longer than this.
  void ask_for(std::chrono::seconds time) { asked_time_ = time; }

  // module::SessionOutput
  void send(const xmpp::Stanza& stanza, storage::Ticket gate, const xmpp::Stanza* if_failed) override;
  std::size_t queued_bytes() const override;
  std::uint64_t taken_bytes() const override { return taken_; }
  std::uint64_t left_bytes() const override { return left_; }
  void close(const xmpp::StreamError& error) override;
  void ended(const xmpp::StreamError& error) override;

 private:
  ManagedSession(C2sService& service, std::uint64_t number, xmpp::FullJid jid, std::chrono::seconds resume_time,
                 std::string id_digest);
  /// How long its client is waited for from now on.
  std::chrono::seconds waiting_time() const;

  struct Item {
    std::string bytes;
    std::string bytes_if_failed;
    storage::Ticket gate;
    WallTime when{};
    bool counted = true;
    std::size_t request = 0;  ///< for an iq request that waits for its answer: a hash of its sender and its id
  };
  /// The gate is decided: what is left of the item is what is sent. False if that is nothing.
  bool settle(Item& item);
  void flush();
  void write(const std::string& bytes);
  void ask();
  void on_timer();
  void give_back();
  /// False if it is left to the connection, if there is one.
  bool give_back(Item& item, bool to_connection);
  void begin_fence();
  void fence_passed(std::uint64_t asked, std::uint32_t h);
  void check_limits();

  C2sService& service_;
  const std::uint64_t number_;
  module::Session* session_ = nullptr;
  xmpp::FullJid jid_;
  C2sConnection* connection_ = nullptr;
  bool live_ = false;  ///< what is sent may be written
  const std::chrono::seconds resume_time_;
  std::optional<std::chrono::seconds> asked_time_;
  const std::string id_digest_;
  std::deque<Item> queue_;   ///< written and not acknowledged, then what waits
  std::size_t written_ = 0;  ///< of queue_, all of them counted
  std::size_t bytes_ = 0;    ///< of queue_
  std::uint64_t taken_ = 0;
  std::uint64_t left_ = 0;
  std::uint32_t acknowledged_ = 0;  ///< by the client
  std::uint32_t handled_ = 0;       ///< of the client
  std::uint32_t told_ = 0;          ///< of it, to the client
  std::uint64_t shards_ = 0;        ///< that the client's stanzas went to since the last fence …
  std::uint64_t asked_shards_ = 0;  ///< … and before, with fences that may be open
  std::uint64_t asked_ = 0;
  bool fencing_ = false;
  bool asked_again_ = false;
  bool waiting_for_commit_ = false;
  bool asking_ = false;      ///< an <r/> was sent and not answered yet
  std::size_t unasked_ = 0;  ///< stanzas sent since the last <r/>
  bool ending_ = false;      ///< a limit was passed: the end is on its way
  bool saved_ = false;
  MonotonicTime asked_at_{};
  Timer timer_;
  Timer fence_again_;  ///< the way to a shard was full
};

}  // namespace kith::session
