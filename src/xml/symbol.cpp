#include "xml/symbol.h"

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <new>
#include <type_traits>

namespace kith::xml {
namespace {

constexpr std::string_view known[] = {
#define KITH_SYMBOL(text) text,
#include "xml/known_symbols.inc"
#undef KITH_SYMBOL
};

constexpr unsigned table_bits = 11;
constexpr std::size_t table_size = std::size_t{1} << table_bits;
static_assert(std::size(known) * 3 < table_size, "a fuller table would make unknown names slow");

constexpr std::uint64_t load(const char* from, std::size_t bytes) {
  if (!std::is_constant_evaluated() && bytes == 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, from, 8);
    return std::endian::native == std::endian::little ? word : __builtin_bswap64(word);
  }
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < bytes; ++i) word |= std::uint64_t{static_cast<unsigned char>(from[i])} << (8 * i);
  return word;
}

/// Looks at the size and at no more than 24 bytes. An enemy may make names collide, but the table cannot grow.
constexpr std::size_t slot_of(std::string_view text) {
  const char* begin = text.data();
  const std::size_t size = text.size();
  std::uint64_t h = size * 0x9e3779b97f4a7c15U;
  if (size >= 8) {
    h ^= load(begin, 8) * 0xbf58476d1ce4e5b9U;
    h = std::rotl(h, 23) ^ load(begin + size - 8, 8) * 0x94d049bb133111ebU;
    h = std::rotl(h, 29) ^ load(begin + size / 2 - 4, 8) * 0xd6e8feb86659fd93U;
  } else {
    h ^= load(begin, size) * 0xbf58476d1ce4e5b9U;
  }
  h ^= h >> 32U;
  h *= 0xd6e8feb86659fd93U;
  return static_cast<std::size_t>(h >> (64 - table_bits));
}

/// Open addressing; an empty text marks a free slot.
consteval std::array<std::string_view, table_size> build_table() {
  std::array<std::string_view, table_size> table{};
  for (const std::string_view text : known) {
    std::size_t slot = slot_of(text);
    while (!table[slot].empty() && table[slot] != text) slot = (slot + 1) % table_size;
    table[slot] = text;
  }
  return table;
}

constexpr std::array<std::string_view, table_size> table = build_table();

const char* find_known(std::string_view text) {
  for (std::size_t slot = slot_of(text); !table[slot].empty(); slot = (slot + 1) % table_size) {
    const std::string_view candidate = table[slot];
    if (candidate.size() == text.size() && std::memcmp(candidate.data(), text.data(), text.size()) == 0) {
      return candidate.data();
    }
  }
  return nullptr;
}

/// An owned text: the number of symbols that share it, and the bytes after that.
using Sharers = std::atomic<std::uint32_t>;

const char* own(std::string_view text) {
  auto* block = static_cast<char*>(::operator new(sizeof(Sharers) + text.size()));
  new (block) Sharers(1);
  std::memcpy(block + sizeof(Sharers), text.data(), text.size());
  return block + sizeof(Sharers);
}

Sharers& sharers_of(const char* owned) {
  return *std::launder(reinterpret_cast<Sharers*>(const_cast<char*>(owned) - sizeof(Sharers)));
}

}  // namespace

Symbol::Symbol(std::string_view text) : size_(static_cast<std::uint32_t>(text.size())) {
  if (text.empty()) return;
  if (const char* shared = find_known(text)) {
    data_ = shared;
    return;
  }
  data_ = own(text);
  owned_ = true;
}

Symbol::Symbol(const Symbol& other) : data_(other.data_), size_(other.size_), owned_(other.owned_) {
  if (owned_) sharers_of(data_).fetch_add(1, std::memory_order_relaxed);
}

void Symbol::release() {
  Sharers& sharers = sharers_of(data_);
  if (sharers.fetch_sub(1, std::memory_order_acq_rel) == 1) ::operator delete(&sharers);
}

}  // namespace kith::xml
