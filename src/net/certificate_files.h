// Certificates and keys as files: reads a pair into a TLS context, writes a self-signed one. For certificates.cpp only.
#pragma once

#include <expected>
#include <filesystem>
#include <memory>
#include <string>

#include "net/certificates.h"

struct ssl_ctx_st;

namespace kith::net {

struct LoadedPair {
  std::shared_ptr<ssl_ctx_st> context;
  CertificateFacts facts;
  /// A sentence about what is wrong but no reason to refuse it; or empty.
  std::string warning;
};

/// Reads a chain (leaf first) and its key, which may lie in one file. The error is a sentence that names the file.
/// A key that everybody can read is an error, or only a warning unless `require_private_key`.
std::expected<LoadedPair, std::string> load_pair(const std::filesystem::path& certificate,
                                                 const std::filesystem::path& key, bool require_private_key = true);

}  // namespace kith::net
