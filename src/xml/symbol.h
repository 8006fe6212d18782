// A name or a namespace: the well-known ones (xml/known_symbols.inc) are shared and cost no memory, all others are
// owned. OPTIMIZATION: nearly every element name, attribute name and namespace of a stanza is in the table, so that a
// parsed message makes no allocation for them. The table is fixed at compile time: nothing a peer sends can make it
// grow.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

namespace kith::xml {

class Symbol {
 public:
  Symbol() = default;
  Symbol(std::string_view text);  // NOLINT(google-explicit-constructor): a name is written as a string everywhere
  Symbol(const char* text) : Symbol(std::string_view(text)) {}
  Symbol(const Symbol& other);
  Symbol(Symbol&& other) noexcept
      : data_(std::exchange(other.data_, "")),
        size_(std::exchange(other.size_, 0)),
        owned_(std::exchange(other.owned_, false)) {}
  Symbol& operator=(Symbol other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(owned_, other.owned_);
    return *this;
  }
  ~Symbol() {
    if (owned_) release();
  }

  std::string_view view() const { return {data_, size_}; }
  operator std::string_view() const { return view(); }  // NOLINT(google-explicit-constructor)
  bool empty() const { return size_ == 0; }
  friend bool operator==(const Symbol& a, const Symbol& b) {
    return a.data_ == b.data_ ? a.size_ == b.size_ : a.view() == b.view();
  }
  friend bool operator==(const Symbol& a, std::string_view b) { return a.view() == b; }
  friend bool operator==(const Symbol& a, const char* b) { return a.view() == std::string_view(b); }

 private:
  void release();

  const char* data_ = "";
  std::uint32_t size_ = 0;
  bool owned_ = false;
};

}  // namespace kith::xml
