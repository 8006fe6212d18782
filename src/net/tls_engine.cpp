#include "net/tls_engine.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

namespace kith::net {
namespace {

// --- The BIO: OpenSSL's view of TlsIo. Its data is the TlsIo of the call in progress, null between calls.

int bio_read(BIO* bio, char* out, std::size_t size, std::size_t* got) {
  BIO_clear_retry_flags(bio);
  auto* io = static_cast<TlsIo*>(BIO_get_data(bio));
  if (io == nullptr || io->input.empty()) {
    BIO_set_retry_read(bio);
    *got = 0;
    return -1;
  }
  *got = std::min(size, io->input.size());
  std::memcpy(out, io->input.data(), *got);
  io->input.remove_prefix(*got);
  return 1;
}

int bio_write(BIO* bio, const char* bytes, std::size_t size, std::size_t* written) {
  BIO_clear_retry_flags(bio);
  *written = size;
  auto* io = static_cast<TlsIo*>(BIO_get_data(bio));
  if (io == nullptr) return 1;
  if (io->output.size() < size || !io->overflow->empty()) {
    io->overflow->append(bytes, size);
    return 1;
  }
  std::memcpy(io->output.data(), bytes, size);
  io->output = io->output.subspan(size);
  return 1;
}

long bio_ctrl(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

int bio_create(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

/// The table of the functions above: a constant, made when first needed.
const BIO_METHOD* bio_method() {
  static const std::unique_ptr<BIO_METHOD, decltype(&BIO_meth_free)> method = [] {
    std::unique_ptr<BIO_METHOD, decltype(&BIO_meth_free)> made(
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "kith"), &BIO_meth_free);
    BIO_meth_set_read_ex(made.get(), bio_read);
    BIO_meth_set_write_ex(made.get(), bio_write);
    BIO_meth_set_ctrl(made.get(), bio_ctrl);
    BIO_meth_set_create(made.get(), bio_create);
    return made;
  }();
  return method.get();
}

TlsIo* io_of(SSL* ssl) { return static_cast<TlsIo*>(BIO_get_data(SSL_get_rbio(ssl))); }

/// Lends `io` to the session for one call.
class Lend {
 public:
  Lend(SSL* ssl, TlsIo& io) : bio_(SSL_get_rbio(ssl)) {
    BIO_set_data(bio_, &io);
    ERR_clear_error();
  }
  Lend(const Lend&) = delete;
  Lend& operator=(const Lend&) = delete;
  ~Lend() { BIO_set_data(bio_, nullptr); }

 private:
  BIO* bio_;
};

// --- What the handshake asks.

int choose_certificate(SSL* ssl, int* /*alert*/, void* /*argument*/) {
  const TlsIo* io = io_of(ssl);
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (io == nullptr || io->contexts == nullptr || name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  const std::shared_ptr<SSL_CTX> context = io->contexts->context_for(name);
  if (!context) return SSL_TLSEXT_ERR_NOACK;
  if (context.get() != SSL_get_SSL_CTX(ssl)) SSL_set_SSL_CTX(ssl, context.get());
  return SSL_TLSEXT_ERR_OK;
}

// RFC 7301 §3.2: a client that offers protocols, and none that is spoken here, gets no_application_protocol. What it
// meant for another protocol (HTTP, say) is not ours to interpret: XEP-0368 §3, and cross-protocol attacks.
int choose_protocol(SSL* ssl, const unsigned char** chosen, unsigned char* chosen_length, const unsigned char* offered,
                    unsigned int offered_length, void* /*argument*/) {
  const TlsIo* io = io_of(ssl);
  if (io == nullptr || io->alpn.empty()) return SSL_TLSEXT_ERR_NOACK;
  std::string_view offers(reinterpret_cast<const char*>(offered), offered_length);
  while (!offers.empty()) {
    const std::size_t length = static_cast<unsigned char>(offers.front());
    if (length + 1 > offers.size()) break;
    const std::string_view offer = offers.substr(1, length);
    if (offer == io->alpn) {
      // OpenSSL copies the name before the call in progress ends.
      *chosen = reinterpret_cast<const unsigned char*>(offer.data());
      *chosen_length = static_cast<unsigned char>(length);
      return SSL_TLSEXT_ERR_OK;
    }
    offers.remove_prefix(length + 1);
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

void require(bool done, const char* what) {
  if (!done) throw std::runtime_error(std::string("OpenSSL refuses ") + what);
}

// --- Channel bindings.

/// RFC 9266: 32 bytes of exported keying material. On TLS 1.2 they are unique only with the extended master secret (RFC
/// 7627).
std::string exporter_binding(SSL* ssl) {
  if (SSL_version(ssl) < TLS1_3_VERSION && SSL_get_extms_support(ssl) != 1) return {};
  constexpr std::string_view label = "EXPORTER-Channel-Binding";
  std::string key(32, '\0');
  if (SSL_export_keying_material(ssl, reinterpret_cast<unsigned char*>(key.data()), key.size(), label.data(),
                                 label.size(), nullptr, 0, 1) != 1) {
    return {};
  }
  return key;
}

/// The first Finished message of the handshake: the client's, or in a resumed one the server's. In TLS 1.2 only with
/// the extended master secret, without which it can be forged (RFC 7627 §1).
std::string first_finished(SSL* ssl) {
  if (SSL_version(ssl) < TLS1_3_VERSION && SSL_get_extms_support(ssl) != 1) return {};
  std::array<char, EVP_MAX_MD_SIZE> message{};
  const std::size_t size = SSL_session_reused(ssl) == 1 ? SSL_get_finished(ssl, message.data(), message.size())
                                                        : SSL_get_peer_finished(ssl, message.data(), message.size());
  return {message.data(), std::min(size, message.size())};
}

/// RFC 5929 §4.1: the served certificate's hash, by the hash function of its own signature; MD5 and SHA-1 give way to
/// SHA-256.
std::string end_point_binding(SSL* ssl) {
  X509* certificate = SSL_get_certificate(ssl);
  if (certificate == nullptr) return {};
  int digest_nid = NID_undef;
  OBJ_find_sigid_algs(X509_get_signature_nid(certificate), &digest_nid, nullptr);
  // Signatures that name no single hash function (Ed25519, RSA-PSS read as such) leave the binding undefined.
  if (digest_nid == NID_undef) return {};
  if (digest_nid == NID_md5 || digest_nid == NID_sha1) digest_nid = NID_sha256;
  const EVP_MD* digest = EVP_get_digestbynid(digest_nid);
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  unsigned int length = 0;
  if (digest == nullptr || X509_digest(certificate, digest, hash.data(), &length) != 1) return {};
  return {reinterpret_cast<const char*>(hash.data()), length};
}

}  // namespace

namespace {

std::shared_ptr<SSL_CTX> new_context(const SSL_METHOD* method) {
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(method), SSL_CTX_free);
  require(context != nullptr, "a TLS context");
  SSL_CTX* raw = context.get();
  require(SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION) == 1, "TLS 1.2");
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_PRIORITIZE_CHACHA);
  require(SSL_CTX_set_cipher_list(raw,
                                  "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                                  "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                                  "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305") == 1,
          "the TLS 1.2 cipher suites");
  require(
      SSL_CTX_set_ciphersuites(raw, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256") == 1,
      "the TLS 1.3 cipher suites");
  require(SSL_CTX_set1_groups_list(raw, "X25519:P-256:P-384") == 1, "the groups");
  SSL_CTX_set_security_level(raw, 2);
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return context;
}

/// SECURITY: the handshake goes on whatever the other side's certificate is worth; who needs it asks certifies().
int judge_later(int /*preverified*/, X509_STORE_CTX* /*chain*/) { return 1; }

}  // namespace

std::shared_ptr<ssl_ctx_st> new_client_context() {
  std::shared_ptr<SSL_CTX> context = new_context(TLS_client_method());
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  require(SSL_CTX_dane_enable(context.get()) == 1, "DANE");
  return context;
}

std::shared_ptr<x509_store_st> load_trusted_certificates(const std::string& file) {
  std::shared_ptr<X509_STORE> store(X509_STORE_new(), X509_STORE_free);
  require(store != nullptr, "a store of trusted certificates");
  X509_STORE_set_default_paths(store.get());
  if (!file.empty() && X509_STORE_load_file(store.get(), file.c_str()) != 1) {
    throw std::runtime_error("Cannot read trusted certificates from " + file + "; it must hold them in PEM form.");
  }
  ERR_clear_error();
  return store;
}

std::shared_ptr<ssl_ctx_st> new_server_context() {
  std::shared_ptr<SSL_CTX> context = new_context(TLS_server_method());
  SSL_CTX* raw = context.get();
  // Sessions are resumed by tickets that the client keeps: no memory here, and none shared between shards.
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(raw, 1);
  constexpr std::string_view id = "kith";
  SSL_CTX_set_session_id_context(raw, reinterpret_cast<const unsigned char*>(id.data()), id.size());
  SSL_CTX_set_tlsext_servername_callback(raw, choose_certificate);
  SSL_CTX_set_alpn_select_cb(raw, choose_protocol, nullptr);
  return context;
}

void TlsEngine::Free::operator()(ssl_st* ssl) const { SSL_free(ssl); }

bool TlsEngine::begin(ssl_ctx_st* context, x509_store_st* trusted) {
  ssl_.reset(SSL_new(context));
  BIO* bio = BIO_new(bio_method());
  if (!ssl_ || bio == nullptr) {
    BIO_free(bio);
    ssl_.reset();
    return false;
  }
  SSL_set_bio(ssl_.get(), bio, bio);
  if (trusted != nullptr) {
    SSL_set1_verify_cert_store(ssl_.get(), trusted);
    SSL_set_verify(ssl_.get(), SSL_VERIFY_PEER, judge_later);
    // Between servers both sides show a server's certificate; authorities no longer issue others for domains.
    SSL_set_purpose(ssl_.get(), X509_PURPOSE_SSL_SERVER);
  }
  return true;
}

bool TlsEngine::accept(const TlsContexts& contexts, std::string_view name, x509_store_st* trusted) {
  std::shared_ptr<SSL_CTX> context = name.empty() ? nullptr : contexts.context_for(name);
  if (!context) context = contexts.default_context();
  if (!context || !begin(context.get(), trusted)) return false;
  // A certificate is judged in the handshake that shows it, never in one that is resumed.
  if (trusted != nullptr) SSL_set_options(ssl_.get(), SSL_OP_NO_TICKET);
  SSL_set_accept_state(ssl_.get());
  return true;
}

bool TlsEngine::connect(const std::shared_ptr<ssl_ctx_st>& context, std::string_view peer, std::string_view alpn,
                        const TlsContexts& contexts, std::string_view own, x509_store_st* trusted,
                        const TlsPins* pins) {
  if (!context || !begin(context.get(), trusted)) return false;
  SSL_set_tlsext_host_name(ssl_.get(), std::string(peer).c_str());
  if (pins != nullptr) pin(peer, *pins);
  if (!alpn.empty()) {
    std::string offer(1, static_cast<char>(alpn.size()));
    offer.append(alpn);
    SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(offer.data()),
                        static_cast<unsigned int>(offer.size()));
  }
  if (const std::shared_ptr<SSL_CTX> shown = contexts.context_for(own)) {
    STACK_OF(X509)* chain = nullptr;
    SSL_CTX_get0_chain_certs(shown.get(), &chain);
    X509* certificate = SSL_CTX_get0_certificate(shown.get());
    EVP_PKEY* key = SSL_CTX_get0_privatekey(shown.get());
    if (certificate != nullptr && key != nullptr) SSL_use_cert_and_key(ssl_.get(), certificate, key, chain, 1);
  }
  ERR_clear_error();
  SSL_set_connect_state(ssl_.get());
  return true;
}

void TlsEngine::pin(std::string_view peer, const TlsPins& pins) {
  SSL* const ssl = ssl_.get();
  if (SSL_dane_enable(ssl, pins.host.c_str()) != 1) return;
  // RFC 7673 §6: the domain itself will do as well as the host that DNS names for it. RFC 7671 §5.1: whoever has the
  // key that the domain names needs no name and no date on it.
  SSL_add1_host(ssl, std::string(peer).c_str());
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
  for (const TlsaRecord& record : pins.records) {
    // One that OpenSSL does not understand is as if it were not there (RFC 7671 §4).
    const int understood =
        SSL_dane_tlsa_add(ssl, record.usage, record.selector, record.matching,
                          reinterpret_cast<const unsigned char*>(record.data.data()), record.data.size());
    pinned_ = pinned_ || understood == 1;
  }
}

bool TlsEngine::certifies(std::string_view domain) const {
  if (!ssl_ || domain.empty()) return false;
  if (pinned_) {
    // Only of the domain that was called, for which the pins are.
    const char* const called = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
    return called != nullptr && domain == called && SSL_get_verify_result(ssl_.get()) == X509_V_OK &&
           SSL_get0_dane_authority(ssl_.get(), nullptr, nullptr) >= 0;
  }
  const std::unique_ptr<X509, decltype(&X509_free)> shown(SSL_get1_peer_certificate(ssl_.get()), &X509_free);
  if (shown == nullptr || SSL_get_verify_result(ssl_.get()) != X509_V_OK) return false;
  return X509_check_host(shown.get(), domain.data(), domain.size(),
                         X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, nullptr) == 1;
}

std::string TlsEngine::certificate_problem(std::string_view domain) const {
  if (certifies(domain)) return {};
  const std::unique_ptr<X509, decltype(&X509_free)> shown(ssl_ ? SSL_get1_peer_certificate(ssl_.get()) : nullptr,
                                                          &X509_free);
  if (shown == nullptr) return "it shows none";
  if (const long verdict = SSL_get_verify_result(ssl_.get()); verdict != X509_V_OK) {
    return std::string("it is not trusted: ") + X509_verify_cert_error_string(verdict);
  }
  if (pinned_) return "it is none of those that its DNS names (DANE)";
  std::string names;
  constexpr std::size_t most_named = 200;
  const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> all(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(shown.get(), NID_subject_alt_name, nullptr, nullptr)),
      &GENERAL_NAMES_free);
  for (int i = 0; all != nullptr && i < sk_GENERAL_NAME_num(all.get()) && names.size() < most_named; ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(all.get(), i);
    if (name->type != GEN_DNS) continue;
    const unsigned char* text = ASN1_STRING_get0_data(name->d.dNSName);
    if (!names.empty()) names += ", ";
    names.append(reinterpret_cast<const char*>(text), static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
  }
  return "it is not for " + std::string(domain) + (names.empty() ? "" : " but for " + names);
}

TlsEngine::Result TlsEngine::explain(int result, std::string& why) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_NONE:
      return Result::done;
    case SSL_ERROR_WANT_READ:
      return Result::more;
    case SSL_ERROR_ZERO_RETURN:
      return Result::closed;
    default:
      break;
  }
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  why = reason != nullptr ? reason : "unknown TLS error";
  ERR_clear_error();
  return Result::failed;
}

bool TlsEngine::speaks_first() const { return ssl_ && SSL_is_server(ssl_.get()) == 0; }

TlsEngine::Result TlsEngine::handshake(TlsIo& io, std::string& why) {
  const Lend lend(ssl_.get(), io);
  return explain(SSL_do_handshake(ssl_.get()), why);
}

TlsEngine::Result TlsEngine::read(TlsIo& io, std::span<char> plain, std::size_t& got, std::string& why) {
  const Lend lend(ssl_.get(), io);
  got = 0;
  const int result = SSL_read_ex(ssl_.get(), plain.data(), plain.size(), &got);
  return result == 1 ? Result::done : explain(result, why);
}

TlsEngine::Result TlsEngine::write(TlsIo& io, std::string_view plain, std::string& why) {
  const Lend lend(ssl_.get(), io);
  std::size_t taken = 0;
  const int result = SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &taken);
  if (result == 1 && taken == plain.size()) return Result::done;
  return result == 1 ? Result::failed : explain(result, why);
}

void TlsEngine::send_close_notify(TlsIo& io) {
  const Lend lend(ssl_.get(), io);
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

TlsFacts TlsEngine::facts() const {
  SSL* ssl = ssl_.get();
  TlsFacts facts;
  facts.version = SSL_get_version(ssl);
  facts.cipher = SSL_CIPHER_standard_name(SSL_get_current_cipher(ssl));
  if (const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)) facts.sni = name;
  const unsigned char* protocol = nullptr;
  unsigned int protocol_length = 0;
  SSL_get0_alpn_selected(ssl, &protocol, &protocol_length);
  if (protocol != nullptr) facts.alpn.assign(reinterpret_cast<const char*>(protocol), protocol_length);
  if (std::string key = exporter_binding(ssl); !key.empty())
    facts.channel_bindings.emplace("tls-exporter", std::move(key));
  if (std::string hash = end_point_binding(ssl); !hash.empty()) {
    facts.channel_bindings.emplace("tls-server-end-point", std::move(hash));
  }
  // COMPAT(slixmpp 1.8, 2022, drop when Debian 12 is gone): asks for tls-unique (RFC 5929 §3) without looking at what
  // is announced, in TLS 1.3, too, where Python gives it the same first Finished message. It is accepted, never
  // announced.
  if (std::string finished = first_finished(ssl); !finished.empty()) {
    facts.channel_bindings.emplace("tls-unique", std::move(finished));
  }
  return facts;
}

}  // namespace kith::net
