// The stream of one component; see components.h. Private to this room.
#pragma once

#include <string>

#include "base/token_bucket.h"
#include "session/components.h"
#include "xml/stream_parser.h"

namespace kith::session {

class ComponentStream final : public net::TransportHandler {
 public:
  ComponentStream(Components& service, std::uint64_t number, std::unique_ptr<net::Transport> transport);
  ~ComponentStream() override;

  void on_bytes(std::string_view bytes) override;
  void on_secure() override {}
  void on_closed(net::CloseReason reason) override;

  /// False if too much waits for it already.
  bool send(const xmpp::Stanza& stanza);
  void fail(const xmpp::StreamError& error);
  const std::string& domain() const { return domain_; }
  bool was_proven() const { return proven_; }

 private:
  void open(const xml::StreamOpen& header);
  void take(xml::Element element);
  void shake_hands(const xml::Element& handshake);
  void write(const xml::Element& element);
  void over();
  void on_timer();

  Components& service_;
  const std::uint64_t number_;
  std::unique_ptr<net::Transport> transport_;
  xml::StreamParser parser_;
  TokenBucket bytes_;
  Timer timer_;
  Timer pause_;
  std::string domain_;
  std::string id_;
  bool header_sent_ = false;
  bool proven_ = false;
  bool closed_ = false;
  bool over_ = false;
};

}  // namespace kith::session
