#include "module/archive_id_cipher.h"

#include <algorithm>

#include "base/digest.h"
#include "base/encoding.h"

namespace kith::module {

namespace {

Secret key_from(const Secret& secret) {
  const Secret key = derive_key(secret, "archive ids");
  return Secret(std::string(key.reveal().substr(0, std::tuple_size_v<BlockCipher::Block>)));
}

}  // namespace

ArchiveIdCipher::ArchiveIdCipher(const Secret& secret) : cipher_(key_from(secret)) {}

// The number's eight bytes and eight zeros, by which a text that was made up is known.
std::string ArchiveIdCipher::text(std::uint64_t id) const {
  BlockCipher::Block clear{};
  for (std::size_t i = 0; i < sizeof id; ++i) clear[i] = static_cast<unsigned char>(id >> (8 * i));
  const BlockCipher::Block hidden = cipher_.encrypt(clear);
  return hex_encode({reinterpret_cast<const char*>(hidden.data()), hidden.size()});
}

std::optional<std::uint64_t> ArchiveIdCipher::id(std::string_view text) const {
  const std::optional<std::string> bytes = hex_decode(text);
  BlockCipher::Block hidden{};
  if (!bytes || bytes->size() != hidden.size()) return std::nullopt;
  std::ranges::copy(*bytes, hidden.begin());
  const BlockCipher::Block clear = cipher_.decrypt(hidden);
  std::uint64_t id = 0;
  for (std::size_t i = 0; i < sizeof id; ++i) id |= std::uint64_t{clear[i]} << (8 * i);
  // Only as it was given out: hex_decode() knows capitals, too.
  if (this->text(id) != text) return std::nullopt;
  return id;
}

}  // namespace kith::module
