#include "net/memory_link.h"

#include <algorithm>
#include <utility>

namespace kith::net {

class LinkTransport;

/// What lies between the two ends. Both hold it; a detached server's side leaves it waiting.
struct detail::Wire {
  LinkOptions options;
  std::string to_server;
  std::string to_client;
  bool client_closed = false;
  bool cut = false;
  bool server_closed = false;
  bool secure = false;
  LinkTransport* server = nullptr;
};

using detail::Wire;

namespace {

struct Parts {
  std::shared_ptr<Wire> wire;
  std::string out;
  bool paused = false;
  bool starting = false;
  bool closing = false;
  bool owes_secure = false;
  bool owes_drained = false;
};

}  // namespace

class LinkTransport final : public Transport {
 public:
  LinkTransport(Executor& executor, Parts parts) : executor_(executor), parts_(std::move(parts)) {
    if (!parts_.wire) return;  // it had ended before it was detached
    peer_address_ = parts_.wire->options.peer_address;
    parts_.wire->server = this;
    schedule();
  }
  ~LinkTransport() override { die(); }
  LinkTransport(const LinkTransport&) = delete;
  LinkTransport& operator=(const LinkTransport&) = delete;

  void set_handler(TransportHandler* handler) override { handler_ = handler; }
  void write(std::string_view bytes) override {
    if (!parts_.wire || parts_.closing || bytes.empty()) return;
    parts_.out.append(bytes);
    schedule();
  }
  std::size_t unsent() const override { return parts_.out.size(); }
  void pause_reading() override { parts_.paused = true; }
  void resume_reading() override {
    parts_.paused = false;
    schedule();
  }
  void start_tls(std::string_view /*domain*/) override {
    if (!parts_.wire || parts_.wire->secure) return;
    parts_.starting = true;
    schedule();
  }
  void close() override {
    parts_.closing = true;
    schedule();
  }
  void abort() override {
    handler_ = nullptr;
    die();
  }
  const std::string& peer_address() const override { return peer_address_; }
  const TlsFacts* tls() const override {
    return parts_.wire && parts_.wire->secure ? &parts_.wire->options.tls : nullptr;
  }
  std::string_view failure() const override { return failure_; }
  std::unique_ptr<DetachedTransport> detach() override;

  /// Something may be there to be delivered: look in the loop's next turn.
  void schedule() {
    if (!parts_.wire || std::exchange(scheduled_, true)) return;
    executor_.post([wire = std::weak_ptr(parts_.wire), self = this] {
      const std::shared_ptr<Wire> alive = wire.lock();
      if (alive && alive->server == self) self->turn(*alive);
    });
  }

 private:
  /// One turn: read, then flush, as a socket's connection does. Stops as soon as a call to the handler ended this
  /// object.
  void turn(Wire& wire) {
    scheduled_ = false;
    if (wire.cut) return finish(CloseReason::error);
    if (std::exchange(parts_.owes_secure, false) && !tell(wire, [](auto& handler) { handler.on_secure(); })) return;
    if (!parts_.paused && !parts_.starting && !parts_.closing && !wire.to_server.empty()) {
      const std::string bytes = std::exchange(wire.to_server, {});
      if (!tell(wire, [&](auto& handler) { handler.on_bytes(bytes); })) return;
    }
    if (!flush(wire)) return;
    if (wire.client_closed && !parts_.paused && wire.to_server.empty()) finish(CloseReason::peer);
  }

  bool flush(Wire& wire) {
    const std::size_t room = wire.options.window_bytes - std::min(wire.options.window_bytes, wire.to_client.size());
    const std::size_t sent = std::min(room, parts_.out.size());
    wire.to_client.append(parts_.out, 0, sent);
    parts_.out.erase(0, sent);
    if (!parts_.out.empty()) {
      parts_.owes_drained = true;
      return true;
    }
    if (parts_.closing) return finish(CloseReason::local), false;
    if (std::exchange(parts_.starting, false)) {
      if (!wire.to_server.empty()) {
        failure_ = "what came in the clear is no TLS";
        return finish(CloseReason::tls_failed), false;
      }
      wire.secure = true;
      parts_.owes_secure = true;
      schedule();
    }
    if (!std::exchange(parts_.owes_drained, false)) return true;
    return tell(wire, [](auto& handler) { handler.on_drained(); });
  }

  /// False if this object is dead or gone afterwards.
  template <class Call>
  bool tell(Wire& wire, Call&& call) {
    if (handler_ != nullptr) call(*handler_);
    return wire.server == this;
  }

  void finish(CloseReason reason) {
    die();
    if (TransportHandler* handler = std::exchange(handler_, nullptr)) handler->on_closed(reason);
  }

  void die() {
    if (!parts_.wire) return;
    parts_.wire->server = nullptr;
    parts_.wire->server_closed = true;
    // The wire may end here, and with it what turn() still holds: it looks at `alive` only.
    parts_.wire.reset();
    parts_.out.clear();
  }

  Executor& executor_;
  TransportHandler* handler_ = nullptr;
  Parts parts_;
  std::string peer_address_;
  std::string failure_;
  bool scheduled_ = false;
};

namespace {

class DetachedLink final : public DetachedTransport {
 public:
  explicit DetachedLink(Parts parts) : parts_(std::move(parts)) {}
  ~DetachedLink() override {
    if (parts_.wire) parts_.wire->server_closed = true;
  }
  DetachedLink(const DetachedLink&) = delete;
  DetachedLink& operator=(const DetachedLink&) = delete;
  std::unique_ptr<Transport> attach(Executor& executor) override {
    return std::make_unique<LinkTransport>(executor, std::move(parts_));
  }

 private:
  Parts parts_;
};

}  // namespace

std::unique_ptr<DetachedTransport> LinkTransport::detach() {
  handler_ = nullptr;
  if (parts_.wire) parts_.wire->server = nullptr;
  return std::make_unique<DetachedLink>(std::move(parts_));
}

LinkClient::LinkClient(std::shared_ptr<Wire> wire) : wire_(std::move(wire)) {}

LinkClient::~LinkClient() { close(); }

void LinkClient::send(std::string_view bytes) {
  if (wire_->client_closed || wire_->cut || wire_->server_closed) return;
  wire_->to_server.append(bytes);
  if (wire_->server != nullptr) wire_->server->schedule();
}

std::string LinkClient::take() {
  if (wire_->server != nullptr) wire_->server->schedule();
  return std::exchange(wire_->to_client, {});
}

const std::string& LinkClient::arrived() const { return wire_->to_client; }

void LinkClient::set_window(std::size_t bytes) {
  wire_->options.window_bytes = bytes;
  if (wire_->server != nullptr) wire_->server->schedule();
}

void LinkClient::close() {
  wire_->client_closed = true;
  if (wire_->server != nullptr) wire_->server->schedule();
}

void LinkClient::cut() {
  wire_->cut = true;
  wire_->to_server.clear();
  if (wire_->server != nullptr) wire_->server->schedule();
}

bool LinkClient::closed() const { return wire_->server_closed; }

bool LinkClient::secure() const { return wire_->secure; }

Link make_link(Executor& executor, LinkOptions options) {
  Parts parts;
  parts.wire = std::make_shared<Wire>();
  parts.wire->options = std::move(options);
  parts.wire->secure = parts.owes_secure = parts.wire->options.direct_tls;
  auto client = std::make_unique<LinkClient>(parts.wire);
  return {.server = std::make_unique<LinkTransport>(executor, std::move(parts)), .client = std::move(client)};
}

}  // namespace kith::net
