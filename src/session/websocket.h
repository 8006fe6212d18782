// XMPP over WebSocket (RFC 7395): a connection of frames that looks to a client's stream like one of bytes. Each
// message of the client is a whole element: <open/> becomes the stream's header, <close/> its closing tag, everything
// else goes through as it is; and what the stream writes leaves as one message for each element, with the declarations
// that a stream's header had made for all. Stream management, moving between shards and all limits are the stream's
// own. Lives on its connection's shard.
//
// Limits: bytes and frames of a message (base/limits.h), as many bytes as an element may have, before and after login;
// pings.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/limits.h"
#include "base/token_bucket.h"
#include "http/service.h"
#include "http/websocket_frames.h"
#include "net/transport.h"
#include "session/c2s.h"

namespace kith::session {

class WebSocket final : public net::Transport, private net::TransportHandler {
 public:
  /// `clock` is asked on whatever shard the connection is.
  WebSocket(Executor& shard, const Clock& clock, const Limits& limits, http::Upgraded upgraded);
  ~WebSocket() override;

  // net::Transport
  void set_handler(net::TransportHandler* handler) override;
  void write(std::string_view bytes) override;
  std::size_t unsent() const override { return inner_->unsent(); }
  std::size_t unacknowledged() const override { return inner_->unacknowledged(); }
  void pause_reading() override;
  void resume_reading() override;
  void start_tls(std::string_view domain) override { static_cast<void>(domain); }
  void close() override;
  void abort() override;
  const std::string& peer_address() const override { return state_.peer_address; }
  const net::TlsFacts* tls() const override { return inner_->tls(); }
  void forget_facts() override { inner_->forget_facts(); }
  std::string_view failure() const override { return inner_->failure(); }
  std::unique_ptr<net::DetachedTransport> detach() override;
  bool whole_messages() const override { return true; }
  void set_message_bytes(std::size_t most) override { state_.reader.set_message_bytes(most); }

 private:
  /// All that moves, beside the connection below.
  struct State {
    http::FrameReader reader;
    TokenBucket pings;
    const Clock* clock;
    std::string peer_address;
    std::string in;        ///< bytes that came and were not read
    bool secured = false;  ///< on_secure() was said, or there is nothing to say
    bool paused = false;
    bool closing = false;
    bool lost = false;  ///< the client broke the rules: nothing more is read
  };
  class Detached;
  WebSocket(Executor& shard, std::unique_ptr<net::Transport> inner, State state);

  void on_bytes(std::string_view bytes) override;
  void on_secure() override {}
  void on_drained() override;
  void on_closed(net::CloseReason reason) override;
  void pump_soon();
  void pump();
  /// False if this object is gone, or does not read any more.
  bool take(http::WebSocketEvent event);
  void end(http::CloseCode code);

  Executor& shard_;
  std::unique_ptr<net::Transport> inner_;
  State state_;
  net::TransportHandler* handler_ = nullptr;
  bool pumping_ = false;
  std::shared_ptr<bool> here_ = std::make_shared<bool>(true);  ///< false to who called when it is gone
};

/// A client's message as bytes of a stream. Pure.
std::string to_stream(std::string_view message);
/// Bytes that our stream wrote as messages, each appended to `out` as a frame. Pure.
void to_messages(std::string& out, std::string_view bytes);

/// The WebSockets of one shard: where they come from and where they go.
class WebSocketStreams final : public http::WebSockets {
 public:
  using Admit = std::function<std::unique_ptr<Admission>(const std::string& peer_address)>;
  WebSocketStreams(Executor& shard, const Clock& clock, const Limits& limits, const module::Hosts& hosts,
                   C2sService& clients, Admit admit, std::vector<std::string> origins)
      : shard_(shard),
        clock_(clock),
        limits_(limits),
        hosts_(hosts),
        clients_(clients),
        admit_(std::move(admit)),
        origins_(std::move(origins)) {}

  bool welcomes(std::string_view origin) const override;
  std::move_only_function<void(http::Upgraded)> admit(const std::string& peer_address) override;
  void reload(std::vector<std::string> origins) { origins_ = std::move(origins); }

 private:
  Executor& shard_;
  const Clock& clock_;
  const Limits& limits_;
  const module::Hosts& hosts_;
  C2sService& clients_;
  Admit admit_;
  std::vector<std::string> origins_;
};

}  // namespace kith::session
