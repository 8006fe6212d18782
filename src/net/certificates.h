// The certificates of the domains served here: found by name in directories, chosen by the client's SNI, replaced while
// running. For each domain, in each directory, in this order:
//   DOMAIN/fullchain.pem + DOMAIN/privkey.pem   (certbot's live/ layout)
//   DOMAIN.crt + DOMAIN.key
//   DOMAIN.pem                                  (certificates and key in one file)
// and then the same under the names of its parents, if that certificate covers the domain (chat.example.org is often an
// alternative name of example.org's, or covered by *.example.org). Any thread; connections keep the context that they
// began with. Limits: files of 1 MiB, chains of 16 certificates.
#pragma once

#include <expected>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/events.h"
#include "net/tls_engine.h"

namespace kith::net {

/// A certificate in use, for people who check.
struct CertificateFacts {
  std::string domain;              ///< the domain served with it
  std::filesystem::path file;      ///< where it was read
  std::vector<std::string> names;  ///< its dNSNames, lower case
  WallTime not_before{};
  WallTime not_after{};
  bool self_signed = false;
};

/// Something that an administrator should mend, in a sentence.
struct CertificateProblem {
  LogLevel level = LogLevel::warning;
  std::string sentence;
};

class CertificateStore final : public TlsContexts {
 public:
  struct Settings {
    std::vector<std::filesystem::path> directories;
    /// Every domain served, in ASCII (A-labels), lower case. The first is the default, for clients without SNI.
    std::vector<std::string> domains;
    /// Whether a key file that everybody on the machine can read is refused, or only warned of.
    bool require_private_keys = true;
  };

  /// Empty until the first reload().
  CertificateStore(Settings settings, const Clock& clock);
  ~CertificateStore() override;

  /// Reads everything again and swaps it in. A domain whose new pair cannot be used keeps what it had.
  std::vector<CertificateProblem> reload();
  /// The same with other directories or domains, after a change of the configuration.
  std::vector<CertificateProblem> reload(Settings settings);

  std::shared_ptr<ssl_ctx_st> context_for(std::string_view name) const override;
  std::shared_ptr<ssl_ctx_st> default_context() const override;
  std::vector<CertificateFacts> facts() const;
  /// True if a certificate is there for `domain` itself (not just the default one).
  bool covers(std::string_view domain) const;

 private:
  struct Set;
  std::shared_ptr<const Set> current() const;

  const Clock& clock_;
  mutable std::mutex mutex_;  // for set_ and settings_; held for a copy only
  Settings settings_;
  std::shared_ptr<const Set> set_;
  std::mutex reload_mutex_;
};

/// True if the dNSName `pattern` covers `name`: equal, or `*.` in place of the first label (RFC 6125 §6.4.3). Both
/// lower case.
bool certificate_name_covers(std::string_view pattern, std::string_view name);

/// Makes a certificate that nobody vouches for, so that a first start simply works: ECDSA P-256, ten years, DOMAIN.crt
/// and DOMAIN.key (mode 0600) in `directory`, which is made (0700) if need be. `names` are further dNSNames. The error
/// is a sentence; an existing file is never overwritten.
std::expected<std::filesystem::path, std::string> create_self_signed(const std::filesystem::path& directory,
                                                                     const std::string& domain,
                                                                     const std::vector<std::string>& names,
                                                                     const Clock& clock);

}  // namespace kith::net
