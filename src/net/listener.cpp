#include "net/listener.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <system_error>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/encoding.h"

namespace kith::net {
namespace {

constexpr int accepts_per_turn = 64;
constexpr auto pause_without_descriptors = std::chrono::milliseconds(100);

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
  std::string host;

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

std::optional<Address> parse_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return {};
  const auto port = parse_number<std::uint16_t>(text.substr(colon + 1));
  if (!port) return {};
  std::string_view host = text.substr(0, colon);
  Address address;
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
    address.host = host;
    if (inet_pton(AF_INET6, address.host.c_str(), &v6->sin6_addr) != 1) return {};
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(*port);
    address.length = sizeof *v6;
  } else {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
    address.host = host;
    if (inet_pton(AF_INET, address.host.c_str(), &v4->sin_addr) != 1) return {};
    v4->sin_family = AF_INET;
    v4->sin_port = htons(*port);
    address.length = sizeof *v4;
  }
  return address;
}

/// "192.0.2.1" or "2001:db8::1"; empty for what is neither.
std::string host_of(const sockaddr_storage& storage) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (storage.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage);
    inet_ntop(AF_INET, &v4->sin_addr, text.data(), text.size());
  } else if (storage.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage);
    inet_ntop(AF_INET6, &v6->sin6_addr, text.data(), text.size());
  }
  return text.data();
}

std::string sentence_of(std::string_view address, int error) {
  std::string sentence = "Can't listen on " + std::string(address) + ": ";
  if (error == EADDRINUSE) return sentence + "another program listens there already; is a second Kith running?";
  if (error == EACCES) return sentence + "ports below 1024 need a permission that this user doesn't have.";
  if (error == EADDRNOTAVAIL) return sentence + "this machine has no such address.";
  return sentence + std::generic_category().message(error) + ".";
}

}  // namespace

std::expected<std::unique_ptr<Listener>, std::string> Listener::open(runtime::Shard& shard, Events& events,
                                                                     std::string_view address_and_port,
                                                                     OnAccept on_accept) {
  std::optional<Address> address = parse_address(address_and_port);
  if (!address) {
    return std::unexpected("\"" + std::string(address_and_port) +
                           "\" is no address to listen on; it looks so: 0.0.0.0:5222 or [::]:5222.");
  }
  const bool v6 = address->storage.ss_family == AF_INET6;
  Socket socket(::socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  // SO_REUSEADDR takes a port back from connections of a former run that are still ending; not SO_REUSEPORT, with which
  // two Kiths would share a port without a word.
  if (!socket.open() || setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      (v6 && setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) ||
      bind(socket.get(), address->get(), address->length) != 0 || listen(socket.get(), SOMAXCONN) != 0) {
    return std::unexpected(sentence_of(address_and_port, errno));
  }
  Address bound;
  bound.length = sizeof bound.storage;
  if (getsockname(socket.get(), bound.get(), &bound.length) != 0) {
    return std::unexpected(sentence_of(address_and_port, errno));
  }
  const std::uint16_t port = ntohs(v6 ? reinterpret_cast<const sockaddr_in6*>(&bound.storage)->sin6_port
                                      : reinterpret_cast<const sockaddr_in*>(&bound.storage)->sin_port);
  const std::string host = v6 ? "[" + address->host + "]" : address->host;
  std::unique_ptr<Listener> listener(
      new Listener(shard, events, std::move(socket), host + ":" + std::to_string(port), port, std::move(on_accept)));
  if (!shard.readiness().add(listener->socket_.get(), *listener)) {
    return std::unexpected(sentence_of(address_and_port, errno));
  }
  return listener;
}

Listener::Listener(runtime::Shard& shard, Events& events, Socket socket, std::string address, std::uint16_t port,
                   OnAccept on_accept)
    : shard_(shard),
      events_(events),
      socket_(std::move(socket)),
      address_(std::move(address)),
      port_(port),
      on_accept_(std::move(on_accept)),
      later_([this] { shard_.readiness().again(*this); }) {}

Listener::~Listener() { shard_.readiness().remove(socket_.get(), *this); }

void Listener::on_ready(std::uint32_t /*events*/) {
  if (later_.waiting()) return;
  for (int i = 0; i < accepts_per_turn; ++i) {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    Socket accepted(
        accept4(socket_.get(), reinterpret_cast<sockaddr*>(&storage), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (accepted.open()) {
      on_accept_(std::move(accepted), host_of(storage));
      continue;
    }
    switch (errno) {
      case EAGAIN:
        return;
      case EMFILE:
      case ENFILE:
      case ENOBUFS:
      case ENOMEM:
        // The connection stays in the kernel's queue; asking again at once would turn the loop for nothing.
        // By the C library: the sanitizer needs a descriptor for its first look at an object with virtual functions.
        events_.limit_hit("descriptors", {{"listener", address_}, {"error", strerrordesc_np(errno)}});
        shard_.timers().schedule(later_, pause_without_descriptors);
        return;
      case EBADF:
      case EINVAL:
      case ENOTSOCK:
        events_.record(LogLevel::error, "accept_failed",
                       {{"listener", address_}, {"error", std::generic_category().message(errno)}});
        return;
      default:
        break;  // the connection went before it was accepted: the next one
    }
  }
  shard_.readiness().again(*this);
}

bool is_loopback(std::string_view address_and_port) {
  const std::optional<Address> address = parse_address(address_and_port);
  if (!address) return false;
  if (address->storage.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address->storage);
    return (ntohl(v4->sin_addr.s_addr) >> 24U) == 127;
  }
  return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(&address->storage)->sin6_addr) != 0;
}

}  // namespace kith::net
