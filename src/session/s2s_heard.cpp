#include "session/s2s_heard.h"

#include <utility>

#include "session/s2s.h"

namespace kith::session {

namespace {
constexpr Duration again_after = std::chrono::milliseconds(200);
}  // namespace

S2sHeard::S2sHeard(S2sService& service, Told told)
    : service_(service),
      tell_(std::move(told)),
      again_([this] {
        fencing_ = false;
        acknowledge();
      }),
      self_(std::make_shared<S2sHeard*>(this)) {}

S2sHeard::~S2sHeard() { *self_ = nullptr; }

void S2sHeard::count() {
  if (!enabled_) return;
  ++handled_;
  shards_ |= service_.deps_.router.shards_addressed();
}

void S2sHeard::acknowledge() {
  if (fencing_) {
    asked_again_ = true;
    return;
  }
  fencing_ = true;
  asked_again_ = false;
  const std::uint64_t shards = std::exchange(shards_, 0);
  const bool asked = service_.deps_.router.fence(shards, [self = self_, handled = handled_] {
    if (*self != nullptr) (*self)->settled(handled);
  });
  if (asked) return;
  shards_ |= shards;
  service_.deps_.timers.schedule(again_, again_after);
}

void S2sHeard::settled(std::uint32_t handled) {
  fencing_ = false;
  told_ = handled;
  const bool again = std::exchange(asked_again_, false);
  tell_(handled);
  if (again) acknowledge();
}

void S2sHeard::stop() {
  again_.cancel();
  *self_ = nullptr;
}

}  // namespace kith::session
