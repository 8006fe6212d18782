#include "client.h"

#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/encoding.h"

namespace kith::bench {

namespace {

constexpr std::size_t sha1_bytes = 20;

std::string hmac_sha1(std::string_view key, std::string_view data) {
  std::string out(sha1_bytes, '\0');
  unsigned size = sha1_bytes;
  HMAC(EVP_sha1(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(data.data()),
       data.size(), reinterpret_cast<unsigned char*>(out.data()), &size);
  return out;
}

std::string sha1(std::string_view data) {
  std::string out(sha1_bytes, '\0');
  EVP_Digest(data.data(), data.size(), reinterpret_cast<unsigned char*>(out.data()), nullptr, EVP_sha1(), nullptr);
  return out;
}

}  // namespace

const std::string& SaltedPasswords::of(const std::string& password, const std::string& salt, unsigned iterations) {
  std::string& key = cache_[{salt, iterations}];
  if (key.empty()) {
    key.resize(sha1_bytes);
    PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()),
                      reinterpret_cast<const unsigned char*>(salt.data()), static_cast<int>(salt.size()),
                      static_cast<int>(iterations), EVP_sha1(), sha1_bytes,
                      reinterpret_cast<unsigned char*>(key.data()));
  }
  return key;
}

Client::Client(SSL_CTX* context, SaltedPasswords& passwords, Account account, bool send_presence)
    : context_(context), passwords_(passwords), account_(std::move(account)), send_presence_(send_presence) {}

Client::~Client() {
  SSL_free(ssl_);
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool Client::connect(std::uint16_t port) {
  descriptor_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor_ < 0) return false;
  const int on = 1;
  setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 && errno != EINPROGRESS)
    return false;
  open_stream();
  return true;
}

void Client::fail(std::string why) {
  if (state_ == State::failed) return;
  state_ = State::failed;
  why_ = std::move(why);
}

void Client::open_stream() {
  out_ += "<?xml version='1.0'?><stream:stream to='" + account_.domain +
          "' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
}

void Client::on_ready(std::uint32_t events) {
  if (state_ == State::failed) return;
  if (state_ == State::connecting) {
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) return fail("refused");
    state_ = State::opening;
  }
  if (state_ == State::handshake) {
    handshake();
    if (state_ == State::handshake) return;
  }
  char buffer[16 * 1024];
  while (state_ != State::failed && state_ != State::handshake) {
    if (secure_) {
      const int got = SSL_read(ssl_, buffer, sizeof buffer);
      if (got > 0) {
        read_plain({buffer, static_cast<std::size_t>(got)});
        continue;
      }
      const int why = SSL_get_error(ssl_, got);
      if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) fail("closed: " + in_.substr(0, 200));
      break;
    }
    const ssize_t got = ::read(descriptor_, buffer, sizeof buffer);
    if (got > 0) {
      read_plain({buffer, static_cast<std::size_t>(got)});
      continue;
    }
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) fail("closed: " + in_.substr(0, 200));
    break;
  }
  if (state_ == State::handshake) handshake();
  flush();
}

void Client::handshake() {
  const int done = SSL_connect(ssl_);
  if (done == 1) {
    secure_ = true;
    wants_write_ = false;
    state_ = State::features;
    open_stream();
    return;
  }
  const int why = SSL_get_error(ssl_, done);
  wants_write_ = why == SSL_ERROR_WANT_WRITE;
  if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) fail("TLS handshake failed");
}

void Client::flush() {
  if (state_ == State::failed || state_ == State::connecting || state_ == State::handshake || out_.empty()) return;
  if (secure_) {
    const int sent = SSL_write(ssl_, out_.data(), static_cast<int>(out_.size()));
    if (sent > 0) out_.erase(0, static_cast<std::size_t>(sent));
    return;
  }
  const ssize_t sent = ::write(descriptor_, out_.data(), out_.size());
  if (sent > 0) out_.erase(0, static_cast<std::size_t>(sent));
}

void Client::read_plain(std::string_view bytes) {
  in_ += bytes;
  if (state_ == State::ready) {
    stanzas();
    return;
  }
  step();
}

bool Client::take(std::string_view upto, std::string& found) {
  const auto at = in_.find(upto);
  if (at == std::string::npos) return false;
  found = in_.substr(0, at + upto.size());
  in_.erase(0, at + upto.size());
  return true;
}

void Client::step() {
  std::string got;
  if (in_.find("<stream:error") != std::string::npos || in_.find("<failure") != std::string::npos)
    return fail(in_.substr(0, 300));
  switch (state_) {
    case State::opening:
      if (!take("</stream:features>", got)) return;
      out_ += "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
      state_ = State::starttls;
      return;
    case State::starttls:
      if (in_.find("<proceed") == std::string::npos || in_.find('>') == std::string::npos) return;
      in_.clear();
      ssl_ = SSL_new(context_);
      SSL_set_fd(ssl_, descriptor_);
      SSL_set_tlsext_host_name(ssl_, account_.domain.c_str());
      state_ = State::handshake;
      return;
    case State::features:
      if (!take("</stream:features>", got)) return;
      scram_first();
      return;
    case State::scram_first:
      if (!take("</challenge>", got)) return;
      {
        const auto start = got.find('>', got.find("<challenge"));
        const auto text = got.substr(start + 1, got.size() - start - 1 - std::string_view("</challenge>").size());
        scram_final(base64_decode(text).value_or(""));
      }
      return;
    case State::scram_final:
      if (!take("</success>", got)) return;
      open_stream();
      state_ = State::reopening;
      return;
    case State::reopening:
      if (!take("</stream:features>", got)) return;
      out_ += "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>" + account_.resource +
              "</resource></bind></iq>";
      state_ = State::binding;
      return;
    case State::binding: {
      if (!take("</iq>", got)) return;
      const auto start = got.find("<jid>");
      const auto end = got.find("</jid>");
      if (start == std::string::npos || end == std::string::npos) return fail("no bind: " + got);
      full_jid_ = got.substr(start + 5, end - start - 5);
      state_ = State::ready;
      if (send_presence_) out_ += "<presence/>";
      stanzas();
      return;
    }
    default:
      return;
  }
}

void Client::scram_first() {
  unsigned char random[18];
  RAND_bytes(random, sizeof random);
  nonce_ = base64_encode({reinterpret_cast<const char*>(random), sizeof random});
  client_first_bare_ = "n=" + account_.user + ",r=" + nonce_;
  out_ += "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>" +
          base64_encode("n,," + client_first_bare_) + "</auth>";
  state_ = State::scram_first;
}

void Client::scram_final(const std::string& challenge) {
  std::string nonce;
  std::string salt;
  unsigned iterations = 0;
  std::size_t at = 0;
  while (at < challenge.size()) {
    const auto comma = std::min(challenge.find(',', at), challenge.size());
    const std::string part = challenge.substr(at, comma - at);
    if (part.starts_with("r=")) nonce = part.substr(2);
    if (part.starts_with("s=")) salt = base64_decode(part.substr(2)).value_or("");
    if (part.starts_with("i=")) iterations = static_cast<unsigned>(std::stoul(part.substr(2)));
    at = comma + 1;
  }
  if (!nonce.starts_with(nonce_) || salt.empty() || iterations == 0) return fail("odd challenge: " + challenge);
  const std::string& salted = passwords_.of(account_.password, salt, iterations);
  const std::string client_key = hmac_sha1(salted, "Client Key");
  const std::string without_proof = "c=biws,r=" + nonce;
  const std::string signature = hmac_sha1(sha1(client_key), client_first_bare_ + "," + challenge + "," + without_proof);
  std::string proof = client_key;
  for (std::size_t i = 0; i < proof.size(); ++i) proof[i] = static_cast<char>(proof[i] ^ signature[i]);
  out_ += "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" +
          base64_encode(without_proof + ",p=" + base64_encode(proof)) + "</response>";
  state_ = State::scram_final;
}

void Client::stanzas() {
  // Every message of this load ends in </message>; whatever stands before the next one (presence, pings) goes with it.
  constexpr std::string_view end = "</message>";
  std::size_t from = 0;
  for (std::size_t at = in_.find(end); at != std::string::npos; at = in_.find(end, from)) {
    at += end.size();
    if (on_stanza) on_stanza(std::string_view(in_).substr(from, at - from));
    from = at;
  }
  in_.erase(0, from);
  if (in_.find("<stream:error") != std::string::npos) return fail(in_.substr(0, 300));
  // What is not a message is not kept for ever.
  if (in_.size() > 1024 * 1024) in_.erase(0, in_.size() - 4096);
}

}  // namespace kith::bench
