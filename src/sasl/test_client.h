// The client's side of SCRAM (RFC 5802), for tests and fuzzing only: it is what the server's machines are tried
// against.
#pragma once

#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "base/encoding.h"
#include "sasl/hash.h"

namespace kith::sasl {

class ScramClient {
 public:
  struct Options {
    Hash hash = Hash::sha256;
    std::string name{};      ///< escaped already
    std::string password{};  ///< prepared already
    std::string gs2_header = "n,,";
    std::string binding_data{};  ///< appended to the header in `c=`
    std::string nonce = "rOprNGfwEbeRWgbNEkqO";
  };
  explicit ScramClient(Options options) : options_(std::move(options)) {}

  std::string first() const { return options_.gs2_header + first_bare(); }

  /// The answer to server-first; nothing if that is no good one. `extensions` goes before the proof: ",x=1".
  std::optional<std::string> final(std::string_view server_first, std::string_view extensions = {}) {
    const std::string_view all = server_first;
    const std::size_t salt_at = all.find(",s=");
    const std::size_t count_at = all.rfind(",i=");
    if (!all.starts_with("r=" + options_.nonce) || salt_at == all.npos || count_at == all.npos) return std::nullopt;
    const std::optional<std::string> salt = base64_decode(all.substr(salt_at + 3, count_at - salt_at - 3));
    const int count = std::atoi(std::string(all.substr(count_at + 3)).c_str());
    if (!salt || count <= 0) return std::nullopt;

    const Hash hash = options_.hash;
    const Secret salted = salted_password(hash, options_.password, *salt, static_cast<std::uint32_t>(count));
    const Secret client_key = hmac(hash, salted.reveal(), "Client Key");
    const Secret stored_key = digest(hash, client_key.reveal());
    std::string text = "c=" + base64_encode(options_.gs2_header + options_.binding_data) + "," +
                       std::string(all.substr(0, salt_at)) + std::string(extensions);
    const std::string auth_message = first_bare() + "," + std::string(all) + "," + text;
    std::string proof(hmac(hash, stored_key.reveal(), auth_message).reveal());
    for (std::size_t i = 0; i < proof.size(); ++i) proof[i] = static_cast<char>(proof[i] ^ client_key.reveal()[i]);
    const Secret server_key = hmac(hash, salted.reveal(), "Server Key");
    expected_ = "v=" + base64_encode(hmac(hash, server_key.reveal(), auth_message).reveal());
    return text + ",p=" + base64_encode(proof);
  }

  /// What the server must say at success, known after final().
  const std::string& expected_server_final() const { return expected_; }

 private:
  std::string first_bare() const { return "n=" + options_.name + ",r=" + options_.nonce; }
  Options options_;
  std::string expected_;
};

}  // namespace kith::sasl
