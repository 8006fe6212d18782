#include "server/small_http.h"

#include <algorithm>
#include <optional>
#include <unordered_set>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "base/secret.h"

namespace kith::server {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

/// What the server and its connections share; connections outlive the server by the handlers that are on their way.
struct SmallHttp::Core {
  asio::io_context& io;
  Handler handler;
  SmallHttpReply overdue;
  SmallHttpLimits limits;
  bool stopped = false;
  std::unordered_set<Connection*> connections{};  ///< those alive
  std::function<void()> close_acceptor{};
};

/// One connection: reads a request, waits for the reply, writes it, and so on. Everything in flight holds it alive.
class SmallHttp::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<Core> core, asio::generic::stream_protocol::socket socket)
      : core_(std::move(core)), socket_(std::move(socket)), timer_(core_->io) {
    core_->connections.insert(this);
    buffer_.reserve(4096);  // a password's request fits, so that the buffer does not grow and leave a copy behind
  }
  ~Connection() {
    core_->connections.erase(this);
    wipe_input();
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void read() {
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(core_->limits.header_bytes));
    parser_->body_limit(core_->limits.body_bytes);
    ++request_number_;
    phase_ = Phase::reading;
    start_timer();
    http::async_read(socket_, buffer_, *parser_,
                     [self = shared_from_this()](error_code error, std::size_t) { self->on_read(error); });
  }

  void close() {
    error_code ignored;
    timer_.cancel();
    socket_.shutdown(asio::socket_base::shutdown_both, ignored);
    socket_.close(ignored);
    phase_ = Phase::closed;
  }

 private:
  enum class Phase { reading, handling, writing, closed };

  void start_timer() {
    timer_.expires_after(core_->limits.request_time);
    // The timer holds the connection alive while it waits for its reply; close() and the next request let go.
    timer_.async_wait([self = shared_from_this(), number = request_number_](error_code error) {
      if (error || self->request_number_ != number) return;
      if (self->phase_ == Phase::handling) return self->overdue();
      self->close();
    });
  }

  /// The reply did not come in time. It gets the same time again to be written.
  void overdue() {
    keep_alive_ = false;
    start_timer();
    write(core_->overdue);
  }

  void on_read(error_code error) {
    if (phase_ == Phase::closed || core_->stopped) return;
    if (error) return refuse(error);
    auto& message = parser_->get();
    // Requests sent ahead of the reply are not served: they are wiped with the buffer.
    keep_alive_ = message.keep_alive() && buffer_.size() == 0;
    version_ = message.version();
    phase_ = Phase::handling;
    SmallHttpRequest request{.method = std::string(message.method_string()),
                             .target = std::string(message.target()),
                             .body = message.body()};
    wipe_input();
    // A reply that is dropped uncalled ends in the time-out above.
    core_->handler(std::move(request),
                   [weak = weak_from_this(), number = request_number_, &io = core_->io](SmallHttpReply reply) {
                     asio::post(io, [weak, number, reply = std::move(reply)]() mutable {
                       const auto self = weak.lock();
                       if (self != nullptr && self->request_number_ == number && self->phase_ == Phase::handling) {
                         self->write(std::move(reply));
                       }
                     });
                   });
  }

  void refuse(error_code error) {
    const bool about_http = error.category() == http::make_error_code(http::error::bad_method).category();
    if (!about_http || error == http::error::end_of_stream || error == http::error::partial_message) return close();
    int status = 400;
    if (error == http::error::body_limit) status = 413;
    if (error == http::error::header_limit || error == http::error::buffer_overflow) status = 431;
    keep_alive_ = false;
    write({status, "text/plain; charset=utf-8", "This request is not understood here.\n"});
  }

  void write(SmallHttpReply reply) {
    phase_ = Phase::writing;
    response_.emplace(static_cast<http::status>(reply.status), version_);
    response_->set(http::field::content_type, reply.content_type);
    response_->set(http::field::cache_control, "no-store");
    response_->set("X-Content-Type-Options", "nosniff");
    response_->keep_alive(keep_alive_);
    response_->body() = std::move(reply.body);
    response_->prepare_payload();
    http::async_write(socket_, *response_, [self = shared_from_this()](error_code error, std::size_t) {
      if (error || !self->keep_alive_ || self->phase_ == Phase::closed || self->core_->stopped) return self->close();
      self->read();
    });
  }

  /// SECURITY: a body may have held a password.
  void wipe_input() {
    if (parser_) wipe(parser_->get().body());
    buffer_.clear();
    const auto area = buffer_.prepare(buffer_.capacity());
    std::fill_n(static_cast<volatile char*>(area.data()), area.size(), '\0');
  }

  std::shared_ptr<Core> core_;
  asio::generic::stream_protocol::socket socket_;
  asio::steady_timer timer_;
  beast::flat_buffer buffer_{128 * 1024};
  std::optional<http::request_parser<http::string_body>> parser_;
  std::optional<http::response<http::string_body>> response_;
  std::uint64_t request_number_ = 0;
  unsigned version_ = 11;
  bool keep_alive_ = false;
  Phase phase_ = Phase::reading;
};

template <class Acceptor>
void SmallHttp::accept(std::shared_ptr<Core> core, std::shared_ptr<Acceptor> acceptor) {
  Acceptor& listening = *acceptor;
  listening.async_accept([core, acceptor](error_code error, typename Acceptor::protocol_type::socket socket) {
    if (core->stopped || error == asio::error::operation_aborted) return;
    if (!error && core->connections.size() < core->limits.connections) {
      std::make_shared<Connection>(core, asio::generic::stream_protocol::socket(std::move(socket)))->read();
    }
    if (!error) return accept(core, acceptor);
    // Out of descriptors, most likely: another try at once would only burn the processor.
    const auto pause = std::make_shared<asio::steady_timer>(core->io, std::chrono::milliseconds(200));
    pause->async_wait([core, acceptor, pause](error_code) {
      if (!core->stopped) accept(core, acceptor);
    });
  });
}

SmallHttp::SmallHttp(asio::io_context& io, Handler handler, SmallHttpReply overdue, SmallHttpLimits limits)
    : core_(std::make_shared<Core>(
          Core{.io = io, .handler = std::move(handler), .overdue = std::move(overdue), .limits = limits})) {}

SmallHttp::~SmallHttp() { stop(); }

void SmallHttp::serve(asio::local::stream_protocol::acceptor acceptor) {
  auto shared = std::make_shared<asio::local::stream_protocol::acceptor>(std::move(acceptor));
  core_->close_acceptor = [shared] {
    error_code ignored;
    shared->close(ignored);
  };
  accept(core_, std::move(shared));
}

void SmallHttp::serve(asio::ip::tcp::acceptor acceptor) {
  auto shared = std::make_shared<asio::ip::tcp::acceptor>(std::move(acceptor));
  core_->close_acceptor = [shared] {
    error_code ignored;
    shared->close(ignored);
  };
  accept(core_, std::move(shared));
}

void SmallHttp::stop() {
  core_->stopped = true;
  if (core_->close_acceptor) core_->close_acceptor();
  core_->close_acceptor = nullptr;
  for (Connection* connection : core_->connections) connection->close();
  core_->handler = nullptr;
}

}  // namespace kith::server
