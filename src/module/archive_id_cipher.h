// The ids of archived messages as the world sees them. Inside they are numbers that grow with time, so that a page is a
// walk along an index; outside nobody may guess one or read anything from one (XEP-0313 §2.1, XEP-0359 §5), so they are
// 32 hexadecimal digits that only the server's key leads back to the number. Of one shard.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/block_cipher.h"

namespace kith::module {

class ArchiveIdCipher {
 public:
  /// The same ids as long as the server has the same `secret`; of any length.
  explicit ArchiveIdCipher(const Secret& secret);

  /// One spelling for each id.
  std::string text(std::uint64_t id) const;
  /// Nothing if no id is written so.
  std::optional<std::uint64_t> id(std::string_view text) const;

 private:
  BlockCipher cipher_;
};

}  // namespace kith::module
