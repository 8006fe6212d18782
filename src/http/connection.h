// One connection of HTTP; see service.h. Private to this room.
#pragma once

#include "http/service.h"

namespace kith::http {

class HttpConnection final : public net::TransportHandler {
 public:
  HttpConnection(HttpService& service, std::uint64_t id, std::unique_ptr<net::Transport> transport,
                 std::shared_ptr<void> place);
  ~HttpConnection() override;

  void start(bool tls);
  void stop();

  // net::TransportHandler
  void on_bytes(std::string_view bytes) override;
  void on_secure() override;
  void on_drained() override;
  void on_closed(net::CloseReason reason) override;

  // What the exchange asks; `turn` says for which request, and a late word for an earlier one is not heard.
  void reply(std::uint64_t turn, module::HttpReply reply);
  void take_body(std::uint64_t turn, std::unique_ptr<module::HttpBody> body);
  void hold_body(std::uint64_t turn, bool hold);

 private:
  class Line;
  enum class State : std::uint8_t {
    idle,     // between two requests
    head,     // something of a head has come
    body,     // … of a body
    answer,   // the request is complete, the answer is awaited
    sending,  // the answer is on its way
    closed    // the end is on its way, or here
  };

  void pump();
  bool read_head();
  void read_body();
  void begin(Head head);
  void dispatch(const module::HttpHandler& handler);
  void upgrade();
  void options(const module::HttpHandler* handler);
  void body_ended();
  void refuse(const Refusal& refusal);
  void say_continue();
  template <class T>
  void drop_later(std::unique_ptr<T> thing);
  void send_more();
  void sent();
  void close();
  void set_reading();
  void schedule(Duration after);
  void on_timer();
  std::uint64_t moved() const;

  HttpService& service_;
  const std::uint64_t id_;
  std::unique_ptr<net::Transport> transport_;
  std::shared_ptr<void> place_;
  State state_ = State::idle;
  std::string in_;  ///< what came and is not used
  std::unique_ptr<RequestParser> parser_;
  Head head_;
  std::shared_ptr<module::HttpRequest> request_;
  const module::HttpRoute* route_ = nullptr;
  std::unique_ptr<module::HttpBody> sink_;
  std::unique_ptr<module::HttpSource> source_;
  std::uint64_t source_left_ = 0;
  std::uint64_t body_bytes_ = 0;
  std::uint64_t turn_ = 0;  ///< which request of this connection is in work
  std::uint64_t written_ = 0;
  std::uint64_t moved_before_ = 0;  ///< moved() when the timer was set
  bool body_complete_ = false;
  bool head_only_ = false;
  bool keep_ = false;
  bool held_ = false;  ///< the body is held back
  bool pumping_ = false;
  bool checking_ = false;  ///< a look at what has left is posted
  bool paused_ = false;
  bool fetching_ = false;  ///< the source was asked
  bool draining_ = false;  ///< what was written must leave before more is fetched
  bool stopping_ = false;
  Timer timer_;

  friend class HttpService;
};

}  // namespace kith::http
