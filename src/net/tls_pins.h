// What DNS says about the certificates of a server (TLSA records: RFC 6698, RFC 7671). A value; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kith::net {

struct TlsaRecord {
  std::uint8_t usage;     ///< 3: the server's own key or certificate; 2: an authority's; 1, 0: likewise, and trusted
  std::uint8_t selector;  ///< 0: the certificate, 1: its key
  std::uint8_t matching;  ///< 0: as it is, 1: SHA-256, 2: SHA-512
  std::string data;
};

/// Only of records that DNSSEC vouches for.
struct TlsPins {
  std::string host;  ///< in ASCII: with usages 0 to 2, a certificate may be for this name instead of the domain's
  std::vector<TlsaRecord> records;
};

}  // namespace kith::net
