// Finds out for an administrator, step by step and in words, whether another server can be reached, and if not, why:
// DNS, connection, TLS, certificate, and whether it believes us. Sends no stanza. Private to this room. On the shard
// that owns the domain.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "session/s2s.h"
#include "session/s2s_race.h"
#include "xml/stream_parser.h"

namespace kith::session {

class S2sProbe final : public net::TransportHandler {
 public:
  S2sProbe(S2sService& service, std::uint64_t number, stream::DomainPair pair, S2sService::Checked then);
  ~S2sProbe() override;

  void begin();
  void on_bytes(std::string_view bytes) override;
  void on_secure() override;
  void on_closed(net::CloseReason reason) override;

 private:
  void found(S2sDeps::Targets targets);
  void heard(std::unique_ptr<net::Transport> transport, const S2sTarget& target, std::string_view said);
  void apply(stream::S2sOutActions actions);
  void note(bool good, std::string step, std::string words);
  void finish();

  S2sService& service_;
  const std::uint64_t number_;
  const stream::DomainPair pair_;
  S2sService::Checked then_;
  std::vector<ServerCheckStep> steps_;
  std::unique_ptr<S2sRace> race_;
  std::unique_ptr<net::Transport> transport_;
  std::optional<stream::S2sOut> machine_;
  std::optional<xml::StreamParser> parser_;
  std::string step_ = "DNS";  ///< where it is
  std::string proof_ = "dialback";
  bool finished_ = false;
  bool proven_by_address_ = false;
  bool cut_ = false;
  Timer timer_;
};

}  // namespace kith::session
