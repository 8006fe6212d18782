#include "net/connection.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <system_error>
#include <utility>

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace kith::net {

using runtime::BufferPool;

/// Where read() stands. The connection may be gone, or detached, when a call to the handler returns.
struct Connection::Frame {
  bool gone = false;
  TlsIo* io = nullptr;  // input that TLS has not taken
};

struct Connection::Parts {
  const ConnectionSettings& settings;
  Socket socket;
  State state;
  bool paused;
  bool closing;
  bool owes_drained;
  bool hangup;
  bool broken;
  bool shut;
  TlsEngine tls;
  std::string out;  // not yet sent
  std::string wire;
  std::string held;
  std::string peer_address;
  std::unique_ptr<TlsFacts> facts;
};

class Connection::Detached final : public DetachedTransport {
 public:
  explicit Detached(Parts parts) : parts_(std::move(parts)) {}
  std::unique_ptr<Transport> attach(Executor& shard) override {
    return std::unique_ptr<Transport>(new Connection(dynamic_cast<runtime::Shard&>(shard), std::move(parts_)));
  }

 private:
  Parts parts_;
};

Connection::Connection(runtime::Shard& shard, Socket socket, std::string peer_address,
                       const ConnectionSettings& settings, Begin begin)
    : shard_(shard),
      settings_(settings),
      socket_(std::move(socket)),
      state_(begin == Begin::tls ? State::starting : State::plain),
      peer_address_(std::move(peer_address)) {
  const int on = 1;
  setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // fails on a socket pair, where it isn't needed
  watch();
  if (state_ == State::starting) shard_.call_at_turn_end(*this);
}

Connection::Connection(runtime::Shard& shard, Parts parts)
    : shard_(shard),
      settings_(parts.settings),
      socket_(std::move(parts.socket)),
      state_(parts.state),
      paused_(parts.paused),
      closing_(parts.closing),
      owes_drained_(parts.owes_drained),
      hangup_(parts.hangup),
      broken_(parts.broken),
      shut_(parts.shut),
      tls_(std::move(parts.tls)),
      out_(std::move(parts.out)),
      peer_address_(std::move(parts.peer_address)),
      facts_(std::move(parts.facts)) {
  if (!parts.wire.empty()) extra().wire = std::move(parts.wire);
  if (!parts.held.empty()) extra().held = std::move(parts.held);
  if (state_ == State::closed) return;
  watch();
  if (state_ == State::handshaking) start_timer(settings_.handshake_time);
  if (closing_) start_timer(settings_.close_time);
  // What arrived on the way, or was held back, is told by no event.
  shard_.readiness().again(*this);
  if (unsent() > 0 || closing_ || state_ == State::starting) shard_.call_at_turn_end(*this);
}

Connection::~Connection() { forget_everything(); }

void Connection::watch() {
  watched_ = shard_.readiness().add(socket_.get(), *this);
  if (watched_) return;
  extra().failure = "epoll: " + std::generic_category().message(errno);
  shard_.readiness().again(*this);
}

void Connection::forget_everything() {
  if (frame_ != nullptr) {
    frame_->gone = true;
    frame_ = nullptr;
  }
  shard_.forget_at_turn_end(*this);
  if (socket_.open()) shard_.readiness().remove(socket_.get(), *this);
  socket_.close();
  tls_.reset();
  out_ = {};
  out_sent_ = 0;
  if (extra_) extra_->timer.cancel();
  state_ = State::closed;
}

// --- What the owner asks.

void Connection::write(std::string_view bytes) {
  if (closing_ || broken_ || state_ == State::closed || bytes.empty()) return;
  out_.append(bytes);
  // A blocked connection goes on when the kernel has room again.
  if (!blocked_) shard_.call_at_turn_end(*this);
}

std::size_t Connection::unsent() const {
  const std::size_t wire = extra_ ? extra_->wire.size() - extra_->wire_sent : 0;
  return out_.size() - out_sent_ + wire;
}

std::size_t Connection::unacknowledged() const {
  int in_kernel = 0;
  if (socket_.open() && ::ioctl(socket_.get(), SIOCOUTQ, &in_kernel) != 0) in_kernel = 0;
  return unsent() + static_cast<std::size_t>(in_kernel);
}

void Connection::ask_drained() {
  if (closing_ || state_ == State::closed) return;
  owes_drained_ = true;
  if (!blocked_) shard_.call_at_turn_end(*this);
}

void Connection::pause_reading() { paused_ = true; }

void Connection::resume_reading() {
  if (!paused_ || state_ == State::closed) return;
  paused_ = false;
  shard_.readiness().again(*this);
}

void Connection::start_tls(std::string_view domain) {
  if (state_ != State::plain || closing_) return;
  // If this fails, so does begin_handshake().
  if (settings_.contexts != nullptr) tls_.accept(*settings_.contexts, domain, settings_.trusted.get());
  state_ = State::starting;
  shard_.call_at_turn_end(*this);
}

void Connection::start_tls_to(std::string_view peer, std::string_view own) {
  if (state_ != State::plain || closing_) return;
  const bool begun =
      settings_.contexts != nullptr && tls_.connect(settings_.client_context, peer, settings_.alpn, *settings_.contexts,
                                                    own, settings_.trusted.get(), pins_.get());
  if (!begun) tls_.reset();
  state_ = State::starting;
  shard_.call_at_turn_end(*this);
}

bool Connection::certifies(std::string_view domain) const { return tls_.certifies(domain); }

void Connection::close() {
  if (closing_ || state_ == State::closed) return;
  closing_ = true;
  start_timer(settings_.close_time);
  shard_.call_at_turn_end(*this);
}

void Connection::abort() {
  handler_ = nullptr;
  forget_everything();
  extra_.reset();
}

const TlsFacts* Connection::tls() const {
  if (!facts_ && tls_ && (state_ == State::secure || state_ == State::lingering)) {
    facts_ = std::make_unique<TlsFacts>(tls_.facts());
  }
  return facts_.get();
}

std::string_view Connection::failure() const { return extra_ ? std::string_view(extra_->failure) : std::string_view(); }

std::unique_ptr<DetachedTransport> Connection::detach() {
  Parts parts{.settings = settings_,
              .socket = {},
              .state = state_,
              .paused = paused_,
              .closing = closing_,
              .owes_drained = owes_drained_,
              .hangup = hangup_,
              .broken = broken_,
              .shut = shut_,
              .tls = {},
              .out = {},
              .wire = {},
              .held = {},
              .peer_address = peer_address_,
              .facts = std::move(facts_)};
  // In the middle of reading: the bytes that TLS has not had yet go along.
  if (frame_ != nullptr && frame_->io != nullptr) parts.held = frame_->io->input;
  if (extra_) {
    parts.held += extra_->held;
    parts.wire = extra_->wire.substr(extra_->wire_sent);
  }
  parts.out = out_sent_ == 0 ? std::move(out_) : out_.substr(out_sent_);
  parts.tls = std::move(tls_);
  if (socket_.open()) shard_.readiness().remove(socket_.get(), *this);
  parts.socket = std::move(socket_);
  forget_everything();
  extra_.reset();
  handler_ = nullptr;
  return std::make_unique<Detached>(std::move(parts));
}

// --- The loop's calls.

void Connection::on_ready(std::uint32_t events) {
  if (!watched_) return finish(CloseReason::error);
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) hangup_ = true;
  if (blocked_ && (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0 && !flush()) return;
  if ((events & ~std::uint32_t{EPOLLOUT}) == 0) return;
  if (closing_) return discard();
  read();
}

void Connection::on_timer() {
  if (state_ == State::handshaking && !closing_) return fail(CloseReason::tls_failed, "the handshake took too long");
  finish(CloseReason::local);
}

/// Calls the handler; false if the connection is gone afterwards: nothing of it may be touched then.
template <class Call>
bool Connection::tell(Call&& call) {
  if (handler_ == nullptr) return true;
  Frame own;
  Frame* const outer = frame_;
  Frame& frame = outer != nullptr ? *outer : own;
  frame_ = &frame;
  try {
    call(*handler_);
  } catch (...) {
    // The handler's state is anybody's guess, and bytes may be lost: this connection ends, the shard goes on.
    if (!frame.gone) fail(CloseReason::error, "the handler failed");
    throw;
  }
  if (frame.gone) return false;
  frame_ = outer;
  return state_ != State::closed;
}

bool Connection::deliver(std::string_view bytes) {
  return bytes.empty() || tell([&](TransportHandler& handler) { handler.on_bytes(bytes); });
}

// --- Reading.

void Connection::read() {
  if (!reads()) return;
  BufferPool::Loan loan(shard_.buffers());
  std::size_t budget = settings_.read_bytes_per_turn;
  bool more = true;
  while (more && reads()) {
    if (budget == 0) return shard_.readiness().again(*this);
    if (!read_once(loan.bytes(), budget, more)) return;
  }
}

/// Reads once from the kernel, or takes what was held back, and passes it on. False if the connection is gone.
bool Connection::read_once(std::span<char> buffer, std::size_t& budget, bool& more) {
  std::string held;
  std::string_view input;
  if (extra_ && !extra_->held.empty()) {
    held = std::exchange(extra_->held, {});
    drop_idle_extra();
    input = held;
  } else {
    const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (got <= 0) return read_nothing(got == 0 ? 0 : errno, more);
    input = {buffer.data(), static_cast<std::size_t>(got)};
    // OPTIMIZATION: a short read says that the kernel has no more. But for the peer's end there is no second event.
    more = input.size() == buffer.size() || hangup_ || broken_;
  }
  budget -= std::min(budget, input.size());
  if (state_ == State::plain) return deliver(input);
  return take_tls(input);
}

/// recv() gave no bytes: `error`, or zero for the peer's end.
bool Connection::read_nothing(int error, bool& more) {
  if (error == EINTR) return true;
  more = false;
  if (error == EAGAIN || error == EWOULDBLOCK) {
    if (!broken_) return true;
    finish(CloseReason::error);
  } else if (state_ == State::handshaking) {
    fail(CloseReason::tls_failed,
         (error == 0 ? "closed" : std::generic_category().message(error)) + " in the handshake");
  } else if (broken_) {
    finish(CloseReason::error);
  } else if (error == 0) {
    finish(CloseReason::peer);
  } else {
    fail(CloseReason::error, std::generic_category().message(error));
  }
  return false;
}

bool Connection::take_tls(std::string_view input) {
  std::string answers;  // handshake messages, tickets, alerts, answers to key updates: rarely anything
  TlsIo io{.input = input, .output = {}, .overflow = &answers, .contexts = settings_.contexts, .alpn = settings_.alpn};
  Frame frame;
  frame.io = &io;
  frame_ = &frame;
  if (state_ == State::handshaking && !handshake(io)) return false;
  if (state_ == State::secure && !decrypt(io)) return false;
  frame_ = nullptr;
  if (!io.input.empty() && !closing_) extra().held.assign(io.input);
  drop_idle_extra();
  return true;
}

bool Connection::handshake(TlsIo& io) {
  std::string why;
  const TlsEngine::Result result = tls_.handshake(io, why);
  keep_wire(*io.overflow);
  if (result == TlsEngine::Result::more) return blocked_ || send_wire();
  if (result != TlsEngine::Result::done) {
    if (result == TlsEngine::Result::closed) why = "closed by the peer in the handshake";
    fail(CloseReason::tls_failed, why);
    return false;
  }
  state_ = State::secure;
  if (extra_) extra_->timer.cancel();
  shard_.call_at_turn_end(*this);  // the tickets, and what was written meanwhile
  return tell([](TransportHandler& handler) { handler.on_secure(); });
}

bool Connection::decrypt(TlsIo& io) {
  BufferPool::Loan loan(shard_.buffers());
  const std::span<char> plain = loan.bytes();
  std::size_t filled = 0;
  while (reads()) {
    std::size_t got = 0;
    std::string why;
    const TlsEngine::Result result = tls_.read(io, plain.subspan(filled), got, why);
    filled += got;
    if (!io.overflow->empty()) {
      keep_wire(*io.overflow);
      if (!blocked_) shard_.call_at_turn_end(*this);
    }
    if (result == TlsEngine::Result::done && plain.size() - filled >= TlsEngine::record_bytes) continue;
    if (!deliver({plain.data(), std::exchange(filled, 0)})) return false;
    if (result == TlsEngine::Result::done) continue;
    if (result == TlsEngine::Result::more || closing_) return true;
    if (result == TlsEngine::Result::closed) {
      finish(CloseReason::peer);
    } else {
      fail(CloseReason::error, why);
    }
    return false;
  }
  return true;
}

/// After close(): what the peer still sends is of no interest, but must be read, or the kernel answers it with a reset
/// that can overtake what we sent last.
void Connection::discard() {
  BufferPool::Loan loan(shard_.buffers());
  std::size_t budget = settings_.read_bytes_per_turn;
  while (budget > 0) {
    const ssize_t got = ::recv(socket_.get(), loan.bytes().data(), loan.bytes().size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (got < 0) return finish(CloseReason::local);
    if (got == 0) {
      // The peer is done; so are we, unless something is on its way to it.
      if (state_ == State::lingering) finish(CloseReason::local);
      return;
    }
    budget -= std::min(budget, static_cast<std::size_t>(got));
  }
  shard_.readiness().again(*this);
}

// --- Writing.

/// Sends what can be sent, then does what waited for that. False if the connection is gone.
bool Connection::flush() {
  if (state_ == State::closed || state_ == State::lingering) return true;
  blocked_ = false;
  bool here = send_wire();
  if (here && !blocked_ && !broken_ && out_sent_ < out_.size() && state_ != State::handshaking) {
    here = state_ == State::secure ? send_encrypted() : send_plain();
  }
  if (!here) return false;
  if (broken_) {
    if (!closing_ && state_ != State::starting) return true;
    finish(closing_ ? CloseReason::local : CloseReason::error);
    return false;
  }
  if (blocked_) {
    owes_drained_ = true;
    return true;
  }
  if (closing_) return say_goodbye();
  if (state_ == State::starting) return begin_handshake();
  drop_idle_extra();
  if (unsent() > 0 || !std::exchange(owes_drained_, false)) return true;
  return tell([](TransportHandler& handler) { handler.on_drained(); });
}

bool Connection::send_plain() {
  std::string_view left = std::string_view(out_).substr(out_sent_);
  if (!send_some(left)) return false;
  out_sent_ = out_.size() - left.size();
  forget_sent();
  return true;
}

bool Connection::send_encrypted() {
  BufferPool::Loan loan(shard_.buffers());
  while (out_sent_ < out_.size() && !blocked_ && !broken_) {
    std::string overflow;
    TlsIo io{.input = {}, .output = loan.bytes(), .overflow = &overflow};
    while (out_sent_ < out_.size() && io.output.size() > 2 * TlsEngine::record_overhead) {
      const std::size_t most = std::min(TlsEngine::record_bytes, io.output.size() - TlsEngine::record_overhead);
      const std::string_view piece = std::string_view(out_).substr(out_sent_, most);
      std::string why;
      if (tls_.write(io, piece, why) != TlsEngine::Result::done) {
        fail(CloseReason::error, why);
        return false;
      }
      out_sent_ += piece.size();
    }
    std::string_view made(loan.bytes().data(), loan.bytes().size() - io.output.size());
    if (!send_some(made)) return false;
    if (broken_) break;
    if (!made.empty()) extra().wire.append(made);
    keep_wire(overflow);
    if (!blocked_ && !send_wire()) return false;
  }
  forget_sent();
  return true;
}

bool Connection::send_wire() {
  if (!extra_ || extra_->wire.empty()) return true;
  std::string_view left = std::string_view(extra_->wire).substr(extra_->wire_sent);
  if (!send_some(left)) return false;
  if (left.empty() || broken_) {
    extra_->wire = {};
    extra_->wire_sent = 0;
  } else {
    extra_->wire_sent = extra_->wire.size() - left.size();
  }
  return true;
}

/// Gives the kernel what it takes of `bytes`; what is left of them is left. False if the connection is gone.
bool Connection::send_some(std::string_view& bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      blocked_ = true;
      return true;
    } else if (errno != EINTR) {
      // What the peer had sent before it went can still be read, and may matter: read() ends the connection after it.
      broken_ = true;
      extra().failure = std::generic_category().message(errno);
      shard_.readiness().again(*this);
      return true;
    }
  }
  return true;
}

void Connection::forget_sent() {
  if (broken_ || out_sent_ == out_.size()) {
    out_ = {};
    out_sent_ = 0;
  } else if (out_sent_ > out_.size() / 2) {
    out_.erase(0, std::exchange(out_sent_, 0));
  }
}

void Connection::keep_wire(std::string& bytes) {
  if (bytes.empty()) return;
  if (!broken_) extra().wire.append(bytes);
  bytes.clear();
}

// --- The stations of its life.

bool Connection::begin_handshake() {
  const bool begun =
      tls_ || (settings_.contexts != nullptr && tls_.accept(*settings_.contexts, {}, settings_.trusted.get()));
  if (!begun) {
    fail(CloseReason::tls_failed, "there is no certificate");
    return false;
  }
  state_ = State::handshaking;
  start_timer(settings_.handshake_time);
  shard_.readiness().again(*this);  // the peer may have been waiting for us
  if (!tls_.speaks_first()) return true;
  // The client's side: the first word is ours.
  std::string hello;
  TlsIo io{.input = {}, .output = {}, .overflow = &hello};
  return handshake(io);
}

/// All has left: now the close_notify, and our end of the connection.
bool Connection::say_goodbye() {
  if (state_ == State::handshaking) {
    finish(CloseReason::local);
    return false;
  }
  if (state_ == State::secure && !std::exchange(shut_, true)) {
    std::string goodbye;
    TlsIo io{.input = {}, .output = {}, .overflow = &goodbye};
    tls_.send_close_notify(io);
    keep_wire(goodbye);
    if (!send_wire()) return false;
    if (blocked_) return true;
  }
  ::shutdown(socket_.get(), SHUT_WR);
  state_ = State::lingering;
  shard_.readiness().again(*this);
  return true;
}

Connection::Extra& Connection::extra() {
  if (!extra_) extra_ = std::make_unique<Extra>();
  return *extra_;
}

void Connection::drop_idle_extra() {
  if (extra_ && extra_->wire.empty() && extra_->held.empty() && extra_->failure.empty() && !extra_->timer.waiting()) {
    extra_.reset();
  }
}

void Connection::start_timer(std::chrono::seconds after) {
  extra().timer.set_action([this] { on_timer(); });
  shard_.timers().schedule(extra_->timer, after);
}

void Connection::fail(CloseReason reason, std::string why) {
  if (reason == CloseReason::tls_failed) {
    // The alert says why; unread input would turn the end into a reset that can overtake it.
    if (send_wire()) ::shutdown(socket_.get(), SHUT_WR);
    BufferPool::Loan loan(shard_.buffers());
    if (::recv(socket_.get(), loan.bytes().data(), loan.bytes().size(), 0) < 0) errno = 0;
  }
  extra().failure = std::move(why);
  finish(reason);
}

/// The last thing that is done here: the handler may destroy this object.
void Connection::finish(CloseReason reason) {
  if (state_ == State::closed) return;
  forget_everything();
  if (TransportHandler* handler = std::exchange(handler_, nullptr)) handler->on_closed(reason);
}

}  // namespace kith::net
