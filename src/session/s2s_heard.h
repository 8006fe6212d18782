// Stream management (XEP-0198) of what another server says on a stream: counts its stanzas, and tells when they are in
// good hands: every write that they led to is decided, and what comes back because one failed is on its way. One per
// stream, on its shard. Private to this room.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/timer_wheel.h"

namespace kith::session {

class S2sService;

class S2sHeard {
 public:
  /// `told` is called for each acknowledgement that is due: so many of its stanzas are in good hands.
  using Told = std::function<void(std::uint32_t handled)>;
  S2sHeard(S2sService& service, Told told);
  ~S2sHeard();
  S2sHeard(const S2sHeard&) = delete;
  S2sHeard& operator=(const S2sHeard&) = delete;

  /// From now on stanzas are counted.
  void enable() { enabled_ = true; }
  bool enabled() const { return enabled_; }
  /// A stanza that the router has just been given.
  void count();
  /// The other server asks; or wants to know before the stream ends.
  void acknowledge();
  /// Something was counted that it was not told of.
  bool owes() const { return enabled_ && told_ != handled_; }
  /// The connection has gone.
  void stop();

 private:
  void settled(std::uint32_t handled);

  S2sService& service_;
  const Told tell_;
  bool enabled_ = false;
  std::uint32_t handled_ = 0;
  std::uint32_t told_ = 0;
  std::uint64_t shards_ = 0;  ///< that stanzas went to since the last fence
  bool fencing_ = false;
  bool asked_again_ = false;
  Timer again_;  ///< the way to a shard was full
  /// Points here until this goes: an answer of the router finds it so.
  const std::shared_ptr<S2sHeard*> self_;
};

}  // namespace kith::session
