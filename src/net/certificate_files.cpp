#include "net/certificate_files.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <ctime>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"
#include "net/socket.h"

namespace kith::net {
namespace {

constexpr std::size_t most_file_bytes = 1024 * 1024;
constexpr std::size_t most_certificates = 16;

template <auto function>
struct Freed {
  template <class T>
  void operator()(T* pointer) const {
    function(pointer);
  }
};
using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>>;

/// OpenSSL would ask for a pass phrase at the terminal; a server has none.
int no_pass_phrase(char* /*out*/, int /*size*/, int /*writing*/, void* /*argument*/) { return -1; }

std::string openssl_reason() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  std::string text = reason != nullptr ? reason : "unknown error";
  ERR_clear_error();
  return text;
}

std::string reason_of(int error) { return std::generic_category().message(error); }

struct File {
  std::string text;
  mode_t mode = 0;
};

std::expected<File, std::string> read_file(const std::filesystem::path& path) {
  const Socket file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.open()) return std::unexpected(path.string() + " can't be opened: " + reason_of(errno) + ".");
  struct stat status{};
  if (fstat(file.get(), &status) != 0)
    return std::unexpected(path.string() + " can't be read: " + reason_of(errno) + ".");
  File read{.text = {}, .mode = status.st_mode};
  std::array<char, 8192> buffer{};
  while (true) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(path.string() + " can't be read: " + reason_of(errno) + ".");
    if (got == 0) break;
    read.text.append(buffer.data(), static_cast<std::size_t>(got));
    if (read.text.size() > most_file_bytes) return std::unexpected(path.string() + " is larger than 1 MiB.");
  }
  return read;
}

Bio bio_of(const std::string& text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

std::vector<Certificate> parse_chain(const std::string& text) {
  const Bio bio = bio_of(text);
  std::vector<Certificate> chain;
  while (chain.size() < most_certificates) {
    Certificate next(PEM_read_bio_X509(bio.get(), nullptr, no_pass_phrase, nullptr));
    if (!next) break;
    chain.push_back(std::move(next));
  }
  ERR_clear_error();  // the end of the file is an error to OpenSSL
  return chain;
}

WallTime wall_time(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return WallTime(std::chrono::seconds(timegm(&parts)));
}

std::vector<std::string> dns_names(X509* certificate) {
  const std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>> all(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::vector<std::string> names;
  if (!all) return names;
  for (int i = 0; i < sk_GENERAL_NAME_num(all.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(all.get(), i);
    if (name->type != GEN_DNS) continue;
    std::string text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                     static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    // SECURITY: a name with a NUL in it is cut by whoever reads it as a C string; it is no name.
    if (text.find('\0') == std::string::npos) names.push_back(std::move(text));
  }
  return names;
}

/// What keeps `chain` and `key` from being used together, or nothing.
std::string put_into(SSL_CTX* context, const std::vector<Certificate>& chain, EVP_PKEY* key) {
  if (SSL_CTX_use_certificate(context, chain.front().get()) != 1) return openssl_reason();
  for (std::size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1) return openssl_reason();
  }
  if (X509_check_private_key(chain.front().get(), key) != 1) {
    ERR_clear_error();
    return "the key doesn't belong to the certificate";
  }
  if (SSL_CTX_use_PrivateKey(context, key) != 1) return openssl_reason();
  return {};
}

}  // namespace

std::expected<LoadedPair, std::string> load_pair(const std::filesystem::path& certificate,
                                                 const std::filesystem::path& key, bool require_private_key) {
  const auto chain_file = read_file(certificate);
  if (!chain_file) return std::unexpected(chain_file.error());
  auto key_file = read_file(key);
  if (!key_file) return std::unexpected(key_file.error());

  LoadedPair pair;
  // SECURITY: a key that everybody on the machine can read is no secret. A group may be how it is handed to this
  // server.
  if ((key_file->mode & S_IRWXO) != 0) {
    if (require_private_key) {
      wipe(key_file->text);
      return std::unexpected(key.string() +
                             " can be read by everybody on this machine, so it isn't used: chmod o= it.");
    }
    pair.warning = key.string() + " can be read by everybody on this machine: chmod o= it.";
  } else if ((key_file->mode & S_IRWXG) != 0) {
    pair.warning = key.string() + " can be read by its group; if that isn't meant, chmod 600 it.";
  }

  const std::vector<Certificate> chain = parse_chain(chain_file->text);
  const Key private_key(PEM_read_bio_PrivateKey(bio_of(key_file->text).get(), nullptr, no_pass_phrase, nullptr));
  ERR_clear_error();
  wipe(key_file->text);
  if (chain.empty()) return std::unexpected(certificate.string() + " holds no certificate in PEM.");
  if (!private_key) {
    return std::unexpected(key.string() + " holds no private key in PEM, or one that needs a pass phrase.");
  }

  try {
    pair.context = new_server_context();
  } catch (const std::runtime_error& refused) {
    return std::unexpected(std::string(refused.what()) + ".");
  }
  if (const std::string wrong = put_into(pair.context.get(), chain, private_key.get()); !wrong.empty()) {
    return std::unexpected(certificate.string() + " can't be used: " + wrong + ".");
  }
  X509* leaf = chain.front().get();
  pair.facts.file = certificate;
  pair.facts.names = dns_names(leaf);
  pair.facts.not_before = wall_time(X509_get0_notBefore(leaf));
  pair.facts.not_after = wall_time(X509_get0_notAfter(leaf));
  pair.facts.self_signed = X509_NAME_cmp(X509_get_subject_name(leaf), X509_get_issuer_name(leaf)) == 0;
  return pair;
}

// --- Writing one.

namespace {

bool add_extension(X509* certificate, int nid, const std::string& value) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

Certificate self_signed(EVP_PKEY* key, const std::string& domain, const std::vector<std::string>& names, WallTime now) {
  Certificate certificate(X509_new());
  const std::unique_ptr<BIGNUM, Freed<BN_free>> serial(BN_new());
  if (!certificate || !serial) return {};
  X509* raw = certificate.get();
  const std::time_t seconds =
      std::chrono::system_clock::to_time_t(std::chrono::time_point_cast<std::chrono::seconds>(now));
  constexpr std::time_t day = 24 * 60 * 60;
  X509_NAME* subject = X509_get_subject_name(raw);
  // A common name holds 64 characters; nobody who is careful reads it.
  const std::string common_name = domain.substr(0, 64);
  bool done = X509_set_version(raw, X509_VERSION_3) == 1 &&
              BN_rand(serial.get(), 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
              BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(raw)) != nullptr &&
              ASN1_TIME_set(X509_getm_notBefore(raw), seconds - day) != nullptr &&
              ASN1_TIME_set(X509_getm_notAfter(raw), seconds + 3650 * day) != nullptr &&
              X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                         reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0) == 1 &&
              X509_set_issuer_name(raw, subject) == 1 && X509_set_pubkey(raw, key) == 1;
  std::string alternatives = "DNS:" + domain;
  for (const std::string& name : names) alternatives += ",DNS:" + name;
  done = done && add_extension(raw, NID_basic_constraints, "critical,CA:FALSE") &&
         add_extension(raw, NID_subject_alt_name, alternatives) && X509_sign(raw, key, EVP_sha256()) > 0;
  return done ? std::move(certificate) : Certificate{};
}

std::string pem_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

/// Nothing if it is written and on the disk; else the reason.
std::string write_new(const std::filesystem::path& path, const std::string& text, mode_t mode) {
  const Socket file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!file.open()) return path.string() + " can't be made: " + reason_of(errno) + ".";
  std::string_view left = text;
  while (!left.empty()) {
    const ssize_t written = ::write(file.get(), left.data(), left.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int error = errno;
      ::unlink(path.c_str());
      return path.string() + " can't be written: " + reason_of(error) + ".";
    }
    left.remove_prefix(static_cast<std::size_t>(written));
  }
  ::fsync(file.get());
  return {};
}

/// SECURITY: what is put into an extension's text must be no more than a host name there ("DNS:a,email:b").
bool is_host_name(std::string_view name) {
  return !name.empty() && name.size() <= 253 && std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_' || c == '*';
  }) && name.front() != '.';
}

}  // namespace

std::expected<std::filesystem::path, std::string> create_self_signed(const std::filesystem::path& directory,
                                                                     const std::string& domain,
                                                                     const std::vector<std::string>& names,
                                                                     const Clock& clock) {
  if (!is_host_name(domain) || !std::ranges::all_of(names, is_host_name)) {
    return std::unexpected("A certificate can be made for host names in ASCII only, not for " + domain + ".");
  }
  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate = key ? self_signed(key.get(), domain, names, clock.wall()) : Certificate{};
  const Bio key_text(BIO_new(BIO_s_mem()));
  const Bio certificate_text(BIO_new(BIO_s_mem()));
  if (!certificate || PEM_write_bio_X509(certificate_text.get(), certificate.get()) != 1 ||
      PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return std::unexpected("OpenSSL can't make a certificate for " + domain + ": " + openssl_reason() + ".");
  }
  std::error_code error;
  if (std::filesystem::create_directories(directory, error) && !error) {
    std::filesystem::permissions(directory, std::filesystem::perms::owner_all, error);
  }
  const std::filesystem::path key_path = directory / (domain + ".key");
  const std::filesystem::path certificate_path = directory / (domain + ".crt");
  if (std::filesystem::exists(certificate_path, error)) {
    return std::unexpected(certificate_path.string() + " is there already.");
  }
  std::string secret = pem_of(key_text.get());
  std::string trouble = write_new(key_path, secret, 0600);
  wipe(secret);
  if (!trouble.empty()) return std::unexpected(trouble);
  trouble = write_new(certificate_path, pem_of(certificate_text.get()), 0644);
  if (!trouble.empty()) {
    std::filesystem::remove(key_path, error);
    return std::unexpected(trouble);
  }
  return certificate_path;
}

}  // namespace kith::net
