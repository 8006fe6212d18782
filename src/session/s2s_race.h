// The addresses of another server, tried side by side in the manner of RFC 8305: the next one begins when those before
// have failed or have not been heard for a while, and the first that is heard wins. One that nobody answers at does not
// stand in the way of those behind it. Private to this room. On the shard of the link.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "session/s2s.h"

namespace kith::session {

class S2sRace {
 public:
  /// Called when an address is heard: with what it has said to our stream header, or, with direct TLS, when that is
  /// established, and nothing was said yet.
  using Won = std::move_only_function<void(std::unique_ptr<net::Transport>, const S2sTarget&, std::string_view said)>;
  /// Called when all have failed, with the reason of the last.
  using Lost = std::move_only_function<void(const std::string& why)>;
  /// What became of one address, for whoever wants to know.
  using Failed = std::move_only_function<void(const S2sTarget&, const std::string& why)>;

  S2sRace(S2sService& service, const stream::DomainPair& pair, std::vector<S2sTarget> targets, Won won, Lost lost,
          Failed failed = {});
  ~S2sRace();
  S2sRace(const S2sRace&) = delete;
  S2sRace& operator=(const S2sRace&) = delete;

  void begin() { next("there is no address for " + pair_.remote); }
  /// All connections that have not won end. Whoever is being told something must not destroy the race meanwhile.
  void stop();

 private:
  class Runner;
  void next(const std::string& why_not);
  void fail(Runner& runner, const std::string& why);
  void win(Runner& runner, std::string_view said);

  S2sService& service_;
  const stream::DomainPair pair_;
  std::vector<S2sTarget> targets_;
  std::size_t begun_ = 0;
  std::size_t running_ = 0;
  bool over_ = false;
  std::vector<std::unique_ptr<Runner>> runners_;
  Won won_;
  Lost lost_;
  Failed failed_;
  Timer timer_;
};

}  // namespace kith::session
