#include "wire_client.h"

#include <array>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/encoding.h"
#include "base/limits.h"
#include "xml/writer.h"
#include "xmpp/namespaces.h"

namespace kith::scenario {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// How long a server may take for a step of the login: a sanitizer and a busy machine make it slow.
constexpr milliseconds patience{20'000};

XmlLimits generous_limits() {
  XmlLimits limits = Limits{}.xml_after_login;
  limits.element_bytes = std::size_t{16} * 1024 * 1024;
  return limits;
}

void bound_every_call(int socket) {
  const timeval limit{.tv_sec = patience.count() / 1000, .tv_usec = 0};
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

std::expected<std::unique_ptr<WireClient>, std::string> WireClient::log_in(const Target& target,
                                                                           const std::string& user,
                                                                           const std::string& password,
                                                                           const std::string& resource) {
  auto client = std::make_unique<WireClient>(target);
  std::string why = client->connect();
  if (why.empty()) why = client->start_tls();
  if (why.empty()) why = client->authenticate(user, password);
  if (why.empty()) why = client->bind(resource);
  if (!why.empty()) return std::unexpected(why);
  return client;
}

WireClient::~WireClient() { cut(); }

std::string WireClient::connect() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(target_.port));
  if (inet_pton(AF_INET, target_.host.c_str(), &address.sin_addr) != 1) return target_.host + " is no IPv4 address";
  socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bound_every_call(socket_);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return "cannot connect";
  return {};
}

std::string WireClient::open() {
  parser_.emplace(generous_limits());
  send(
      "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='" +
      target_.domain + "' version='1.0'>");
  const auto features = expect("features");
  return features ? std::string() : features.error();
}

std::string WireClient::start_tls() {
  if (auto why = open(); !why.empty()) return why;
  send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
  if (const auto proceed = expect("proceed"); !proceed) return proceed.error();
  context_.reset(SSL_CTX_new(TLS_client_method()));
  if (SSL_CTX_load_verify_locations(context_.get(), target_.authority.c_str(), nullptr) != 1) return "no authority";
  SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
  // A session ticket is nothing to wait behind: SSL_read then says that it has nothing.
  SSL_CTX_clear_mode(context_.get(), SSL_MODE_AUTO_RETRY);
  tls_.reset(SSL_new(context_.get()));
  SSL_set_tlsext_host_name(tls_.get(), target_.domain.c_str());
  SSL_set1_host(tls_.get(), target_.domain.c_str());
  SSL_set_fd(tls_.get(), socket_);
  return SSL_connect(tls_.get()) == 1 ? std::string() : "the TLS handshake failed";
}

std::string WireClient::authenticate(const std::string& user, const std::string& password) {
  if (auto why = open(); !why.empty()) return why;
  const std::string plain = std::string(1, '\0') + user + std::string(1, '\0') + password;
  send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + base64_encode(plain) + "</auth>");
  if (const auto success = expect("success"); !success) return success.error();
  return open();
}

std::string WireClient::bind(const std::string& resource) {
  send("<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>" +
       (resource.empty() ? std::string() : "<resource>" + resource + "</resource>") + "</bind></iq>");
  const auto answer = expect("iq");
  if (!answer) return answer.error();
  const xml::Element* bound = answer->child("bind", xmpp::ns::bind);
  const xml::Element* jid = bound == nullptr ? nullptr : bound->child("jid", xmpp::ns::bind);
  if (jid == nullptr) return "it was not bound: " + xml::to_string(*answer);
  full_jid_ = jid->text();
  return {};
}

std::expected<xml::Element, std::string> WireClient::expect(std::string_view name) {
  auto element = next(patience);
  if (!element) return std::unexpected(std::string(name) + " did not come");
  if (element->name() != name)
    return std::unexpected("instead of " + std::string(name) + ": " + xml::to_string(*element));
  return *std::move(element);
}

void WireClient::send(std::string_view text) {
  // What can't be sent any more shows in what is read.
  if (tls_)
    SSL_write(tls_.get(), text.data(), static_cast<int>(text.size()));
  else
    ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
}

bool WireClient::read(milliseconds at_most) {
  std::array<char, 16384> buffer;
  pollfd waiting{.fd = socket_, .events = POLLIN, .revents = 0};
  const bool decrypted = tls_ && SSL_pending(tls_.get()) > 0;
  if (!decrypted && poll(&waiting, 1, static_cast<int>(at_most.count())) <= 0) return false;
  ssize_t got = 0;
  if (tls_) {
    got = SSL_read(tls_.get(), buffer.data(), buffer.size());
    if (got <= 0 && SSL_get_error(tls_.get(), static_cast<int>(got)) == SSL_ERROR_WANT_READ) return true;
  } else {
    got = recv(socket_, buffer.data(), buffer.size(), 0);
  }
  if (got <= 0) {
    ended_ = true;
    return false;
  }
  fed_.assign(buffer.data(), static_cast<std::size_t>(got));
  parser_->feed(fed_);
  while (!ended_) {
    auto event = parser_->next();
    if (!event || std::holds_alternative<xml::StreamClose>(*event))
      ended_ = true;
    else if (auto* element = std::get_if<xml::Element>(&*event))
      inbox_.push_back(std::move(*element));
    else if (std::holds_alternative<xml::NeedMore>(*event))
      break;
  }
  return true;
}

std::optional<xml::Element> WireClient::next(milliseconds at_most) {
  const auto end = Clock::now() + at_most;
  while (inbox_.empty() && !ended_) {
    const auto left = std::chrono::ceil<milliseconds>(end - Clock::now());
    if (!read(std::max(left, milliseconds::zero())) || left <= milliseconds::zero()) break;
  }
  if (inbox_.empty()) return std::nullopt;
  std::optional<xml::Element> first = std::move(inbox_.front());
  inbox_.pop_front();
  return first;
}

void WireClient::read_to_the_end() {
  const auto end = Clock::now() + patience;
  while (!ended_ && Clock::now() < end) read(milliseconds(1000));
}

void WireClient::close() {
  send("</stream:stream>");
  read_to_the_end();
  cut();
}

void WireClient::vanish() {
  shutdown(socket_, SHUT_WR);
  read_to_the_end();
  cut();
}

void WireClient::cut() {
  ended_ = true;
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

}  // namespace kith::scenario
