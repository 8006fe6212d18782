#include "link.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <unistd.h>

#include "failure.h"

namespace kith::bench {

namespace {

constexpr std::size_t read_bytes = 16 * 1024;  // as much as a TLS record carries

}  // namespace

std::shared_ptr<SSL_CTX> new_client_context() {
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  if (!context) throw StepFailed("starting", "OpenSSL gives no context");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION);
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(context.get(),
                                 SSL_SESS_CACHE_OFF);  // a handshake is a full one unless a load brings a session
  SSL_CTX_set_read_ahead(context.get(), 1);            // a record's head and body by one system call
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  // Without this, OpenSSL looks for the chain all the same and then ignores what it found.
  SSL_CTX_set_cert_verify_callback(context.get(), [](X509_STORE_CTX*, void*) { return 1; }, nullptr);
  return context;
}

Link::~Link() {
  SSL_free(ssl_);
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::string Link::connect(const Endpoint& endpoint) {
  descriptor_ = ::socket(endpoint.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor_ < 0) return std::string("the kernel gives no socket: ") + std::strerror(errno);
  const int on = 1;
  setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  wants_write_ = true;
  if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&endpoint.address), endpoint.size) < 0 &&
      errno != EINPROGRESS)
    return std::strerror(errno);
  return {};
}

std::string Link::connected() const {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &size);
  return error == 0 ? std::string() : std::string(std::strerror(error));
}

void Link::begin_tls(SSL_CTX* context, const std::string& server_name, SSL_SESSION* earlier) {
  ssl_ = SSL_new(context);
  SSL_set_fd(ssl_, descriptor_);
  SSL_set_tlsext_host_name(ssl_, server_name.c_str());
  SSL_set_connect_state(ssl_);
  if (earlier != nullptr) SSL_set_session(ssl_, earlier);
}

std::shared_ptr<SSL_SESSION> Link::tls_session() const {
  // A copy: OpenSSL takes a connection that ends without a word of TLS for a reason not to resume its session.
  return {SSL_SESSION_dup(SSL_get0_session(ssl_)), SSL_SESSION_free};
}

std::string Link::channel_binding() const {
  constexpr std::string_view label = "EXPORTER-Channel-Binding";
  constexpr std::size_t binding_bytes = 32;
  std::string binding(binding_bytes, '\0');
  SSL_export_keying_material(ssl_, reinterpret_cast<unsigned char*>(binding.data()), binding.size(), label.data(),
                             label.size(), nullptr, 0, 0);
  return binding;
}

Link::Progress Link::handshake() {
  ERR_clear_error();
  const int done = SSL_do_handshake(ssl_);
  wants_write_ = false;
  if (done == 1) {
    secure_ = true;
    return Progress::done;
  }
  const int why = SSL_get_error(ssl_, done);
  wants_write_ = why == SSL_ERROR_WANT_WRITE;
  return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? Progress::waiting : Progress::failed;
}

Link::Progress Link::read_tls(std::string& into) {
  std::array<char, read_bytes> buffer;
  ERR_clear_error();
  do {
    const int got = SSL_read(ssl_, buffer.data(), static_cast<int>(buffer.size()));
    if (got <= 0) {
      const int why = SSL_get_error(ssl_, got);
      return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? Progress::waiting : Progress::failed;
    }
    into.append(buffer.data(), static_cast<std::size_t>(got));
    // Only while OpenSSL holds more: to ask the kernel for nothing would cost a system call a message.
  } while (SSL_has_pending(ssl_) == 1);
  return Progress::waiting;
}

Link::Progress Link::read(std::string& into) {
  if (ssl_ != nullptr) return read_tls(into);
  std::array<char, read_bytes> buffer;
  const ssize_t got = ::read(descriptor_, buffer.data(), buffer.size());
  if (got > 0) {
    into.append(buffer.data(), static_cast<std::size_t>(got));
    return Progress::waiting;
  }
  return got < 0 && (errno == EAGAIN || errno == EINTR) ? Progress::waiting : Progress::failed;
}

Link::Progress Link::flush() {
  wants_write_ = false;
  while (!out_.empty()) {
    ssize_t sent = 0;
    bool blocked = false;
    if (ssl_ != nullptr) {
      ERR_clear_error();
      sent = SSL_write(ssl_, out_.data(), static_cast<int>(out_.size()));
      const int why = sent > 0 ? SSL_ERROR_NONE : SSL_get_error(ssl_, static_cast<int>(sent));
      blocked = why == SSL_ERROR_WANT_WRITE || why == SSL_ERROR_WANT_READ;
    } else {
      sent = ::send(descriptor_, out_.data(), out_.size(), MSG_NOSIGNAL);
      blocked = sent < 0 && (errno == EAGAIN || errno == EINTR);
    }
    if (sent <= 0) {
      wants_write_ = blocked;
      return blocked ? Progress::waiting : Progress::failed;
    }
    out_.erase(0, static_cast<std::size_t>(sent));
  }
  return Progress::done;
}

}  // namespace kith::bench
