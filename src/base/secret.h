// Secrets: compared in constant time, wiped when they go, and never printable by accident.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace kith {

/// True if both are equal; takes the same time wherever they differ. Lengths are not hidden.
bool equal_in_constant_time(std::string_view a, std::string_view b);
/// Overwrites the bytes in a way that the compiler may not leave out.
void wipe(std::string& bytes);

/// Bytes that must not be leaked: a password, a key, a proof.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string bytes) : bytes_(std::move(bytes)) {}
  Secret(const Secret&) = default;
  Secret(Secret&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  Secret& operator=(Secret other) noexcept {
    bytes_.swap(other.bytes_);
    return *this;
  }
  ~Secret() { wipe(bytes_); }

  std::string_view reveal() const { return bytes_; }
  bool empty() const { return bytes_.empty(); }
  friend bool operator==(const Secret& a, const Secret& b) { return equal_in_constant_time(a.bytes_, b.bytes_); }

 private:
  std::string bytes_;
};

}  // namespace kith
