#include "link.h"

#include <algorithm>
#include <utility>

namespace kith::simulation {

ClientLink::ClientLink(Scheduler& scheduler, std::unique_ptr<net::LinkClient> end, const LinkWeather& weather,
                       std::function<void(std::string_view)> on_bytes, std::function<void()> on_closed)
    : scheduler_(scheduler),
      end_(std::move(end)),
      weather_(weather),
      on_bytes_(std::move(on_bytes)),
      on_closed_(std::move(on_closed)) {
  scheduler_.add(*this);
}

ClientLink::~ClientLink() { scheduler_.remove(*this); }

void ClientLink::send(std::string_view bytes) {
  if (dead_ || closing_) return;
  up_.append(bytes);
}

void ClientLink::half_close() { closing_ = true; }

void ClientLink::cut() {
  dead_ = true;
  up_.clear();
  down_.clear();
  end_->cut();
}

MonotonicTime ClientLink::soon() {
  Dice& dice = scheduler_.dice();
  return scheduler_.now() +
         dice.between(Duration(1000), dice.chance(weather_.hiccups) ? weather_.hiccup : weather_.latency);
}

MonotonicTime ClientLink::ready_at() {
  if (dead_) return never;
  const bool up = !up_.empty() || closing_;
  if (!up) up_at_ = never;
  if (up && up_at_ == never) up_at_ = soon();
  const bool down = reading_ && (!down_.empty() || !end_->arrived().empty() || end_->closed());
  if (!down) down_at_ = never;
  if (down && down_at_ == never) down_at_ = soon();
  return std::min(up_at_, down_at_);
}

std::size_t ClientLink::piece(std::size_t all) {
  Dice& dice = scheduler_.dice();
  return dice.chance(weather_.splits) ? dice.between(1, all) : all;
}

void ClientLink::act() {
  if (up_at_ <= down_at_) {
    up_at_ = never;
    if (!up_.empty()) {
      const std::size_t bytes = piece(up_.size());
      end_->send(std::string_view(up_).substr(0, bytes));
      up_.erase(0, bytes);
    } else {
      // What was sent has arrived; this end comes behind it.
      closing_ = false;
      end_->close();
    }
    return;
  }
  down_at_ = never;
  down_ += end_->take();
  if (down_.empty()) {
    dead_ = true;
    on_closed_();
    return;
  }
  const std::size_t bytes = piece(down_.size());
  const std::string arrived = down_.substr(0, bytes);
  down_.erase(0, bytes);
  on_bytes_(arrived);
}

}  // namespace kith::simulation
