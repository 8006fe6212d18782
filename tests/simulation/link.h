// The network between a client and the server: bytes take time, arrive in pieces of any size, and are lost when the
// cable is cut. Never out of order on one link; what order different links have among each other is chance.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "house.h"
#include "net/memory_link.h"
#include "scheduler.h"

namespace kith::simulation {

struct LinkWeather {
  Duration latency = std::chrono::milliseconds(5);   ///< at most
  Duration hiccup = std::chrono::seconds(3);         ///< now and then, at most
  std::size_t hiccups = 0;                           ///< in thousandths of deliveries
  std::size_t splits = 300;                          ///< in thousandths: a delivery is a part of what is on its way
  std::size_t window_bytes = std::size_t{1} << 40U;  ///< what the network takes before the client reads
};

class ClientLink final : private Source {
 public:
  /// Both callbacks come from the scheduler, never from inside a call to the link; they must not destroy it.
  ClientLink(Scheduler& scheduler, std::unique_ptr<net::LinkClient> end, const LinkWeather& weather,
             std::function<void(std::string_view bytes)> on_bytes, std::function<void()> on_closed);
  ~ClientLink() override;
  ClientLink(const ClientLink&) = delete;
  ClientLink& operator=(const ClientLink&) = delete;

  void send(std::string_view bytes);
  /// Nothing more is sent; what comes is still read.
  void half_close();
  /// What is on its way is lost, both ways. on_closed() does not come.
  void cut();
  /// A client that does not read lets the window fill.
  void set_reading(bool reading) { reading_ = reading; }
  bool reading() const { return reading_; }
  void calm() { weather_ = {}; }
  /// Bytes on their way to the server.
  std::size_t on_the_way() const { return up_.size(); }

 private:
  MonotonicTime ready_at() override;
  void act() override;
  MonotonicTime soon();
  std::size_t piece(std::size_t all);

  Scheduler& scheduler_;
  std::unique_ptr<net::LinkClient> end_;
  LinkWeather weather_;
  std::function<void(std::string_view)> on_bytes_;
  std::function<void()> on_closed_;
  std::string up_;    ///< to the server
  std::string down_;  ///< to the client
  MonotonicTime up_at_ = never;
  MonotonicTime down_at_ = never;
  bool reading_ = true;
  bool closing_ = false;
  bool dead_ = false;
};

}  // namespace kith::simulation
