// A stream of ours to another server, and what waits for it; see s2s.h. Private to this room.
#pragma once

#include <deque>
#include <map>
#include <optional>

#include "base/token_bucket.h"
#include "session/s2s.h"
#include "xml/stream_parser.h"

namespace kith::session {

class S2sLink final : public net::TransportHandler {
 public:
  S2sLink(S2sService& service, stream::DomainPair pair);
  ~S2sLink() override;

  void begin();
  void send(router::Deliver item);
  void verify(std::string stream_id, std::string key, std::move_only_function<void(bool)> then);
  void shut_down();

  void on_bytes(std::string_view bytes) override;
  void on_secure() override;
  void on_drained() override;
  void on_closed(net::CloseReason reason) override;

 private:
  struct Waiting {
    router::Deliver item;
    std::size_t bytes;
  };
  void targets_found(S2sDeps::Targets found);
  void dial_next(std::string why_not);
  void apply(stream::S2sOutActions actions);
  void flush();
  void write(const xml::Element& element);
  void attempt_took_too_long();
  /// There is no way: what waits is answered, and the link goes.
  void give_up(const std::string& why, xmpp::Condition condition);
  void end();
  void on_timer();

  S2sService& service_;
  const stream::DomainPair pair_;
  std::deque<S2sTarget> targets_;
  std::unique_ptr<net::Transport> transport_;
  std::unique_ptr<net::Transport> spent_;  ///< the one before, whose call may still be under way
  std::optional<stream::S2sOut> machine_;
  std::optional<xml::StreamParser> parser_;
  std::vector<std::pair<std::string, std::string>> questions_;
  std::map<std::string, std::move_only_function<void(bool)>> asked_;
  std::deque<Waiting> waiting_;
  std::size_t waiting_bytes_ = 0;
  TokenBucket bytes_;
  Timer timer_;
  Timer attempt_;  ///< until the next address is tried
  Timer pause_;    ///< until more is read
  MonotonicTime last_sent_{};
  std::optional<MonotonicTime> behind_since_;  ///< since when something has been written that the peer has not taken
  bool heard_ = false;                         ///< the other side has said something on this connection
  bool closed_ = false;                        ///< nothing more is sent; the link goes
  bool gate_watched_ = false;
  bool cut_ = false;  ///< the connection has gone
};

}  // namespace kith::session
