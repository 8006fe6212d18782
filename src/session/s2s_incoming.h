// One stream from another server; see s2s.h. Private to this room.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "base/token_bucket.h"
#include "session/s2s.h"
#include "session/s2s_heard.h"
#include "xml/stream_parser.h"

namespace kith::session {

class S2sIncoming final : public net::TransportHandler {
 public:
  S2sIncoming(S2sService& service, std::uint64_t id, std::unique_ptr<net::Transport> transport,
              std::unique_ptr<Admission> admission);
  ~S2sIncoming() override;

  void on_bytes(std::string_view bytes) override;
  void on_secure() override;
  void on_closed(net::CloseReason reason) override;

  void verified(const stream::DomainPair& pair, router::RemoteServers::KeyAnswer valid);
  void fail(const xmpp::StreamError& error);
  /// Proven ones.
  const std::set<std::string>& domains() const { return domains_; }
  /// Hears nothing more, acknowledges what it has heard, then fails.
  void end_after_acknowledging(xmpp::StreamError error);

 private:
  void apply(stream::S2sInActions actions);
  void verify(stream::VerifyKey question);
  void take(xml::Element element);
  void write(const xml::Element& element);
  void on_timer();
  void manage(const xml::Element& element);
  void tell(std::uint32_t handled);
  void close();
  void say_farewell();

  S2sService& service_;
  const std::uint64_t id_;
  std::unique_ptr<net::Transport> transport_;
  std::unique_ptr<Admission> admission_;
  stream::S2sIn machine_;
  xml::StreamParser parser_;
  TokenBucket bytes_;
  Timer timer_;
  Timer pause_;
  std::set<std::string> domains_;  ///< proven, and counted by the service
  MonotonicTime last_bytes_{};
  S2sHeard heard_;
  bool parting_ = false;  ///< what is to be acknowledged still is, and nothing more is heard
  std::optional<xmpp::StreamError> parting_with_{};
  bool closed_ = false;
};

}  // namespace kith::session
