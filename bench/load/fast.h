// The client's side of a login by token: SASL2 (XEP-0388) with Bind 2 (XEP-0386) and FAST (XEP-0484), HT-SHA-256-EXPR,
// over a resumed TLS session. The first login, which brings the token, is by PLAIN.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <openssl/ssl.h>

namespace kith::bench {

/// What a client keeps from one login to the next.
struct Returning {
  std::string token;
  std::shared_ptr<SSL_SESSION> tls;
};

/// <authenticate/>, which goes together with the stream header. `binding`: tls-exporter (RFC 9266).
std::string authenticate_request(const std::string& user, const std::string& password, const Returning& returning,
                                 const std::string& binding);

/// Keeps the token in it, if there is one. The full JID, or empty if it is no success.
std::string take_success(std::string_view success, Returning& returning);

}  // namespace kith::bench
