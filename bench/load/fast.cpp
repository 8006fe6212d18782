#include "fast.h"

#include <openssl/hmac.h>

#include "base/encoding.h"
#include "stanza.h"

namespace kith::bench {

namespace {

constexpr std::size_t sha256_bytes = 32;

/// A UUID that says nothing, another one for each account.
std::string agent_of(const std::string& user) {
  std::string hex = hex_encode(user + "----------------");
  hex.resize(32);
  return hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-4" + hex.substr(13, 3) + "-8" + hex.substr(17, 3) + "-" +
         hex.substr(20);
}

std::string proof(const std::string& token, const std::string& binding) {
  const std::string text = "Initiator" + binding;
  std::string mac(sha256_bytes, '\0');
  HMAC(EVP_sha256(), token.data(), static_cast<int>(token.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), reinterpret_cast<unsigned char*>(mac.data()), nullptr);
  return mac;
}

}  // namespace

std::string authenticate_request(const std::string& user, const std::string& password, const Returning& returning,
                                 const std::string& binding) {
  const std::string zero(1, '\0');
  const bool first = returning.token.empty();
  const std::string initial = first ? zero + user + zero + password : user + zero + proof(returning.token, binding);
  return std::string("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='") + (first ? "PLAIN" : "HT-SHA-256-EXPR") +
         "'><initial-response>" + base64_encode(initial) + "</initial-response><user-agent id='" + agent_of(user) +
         "'/>" +
         (first ? "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-EXPR'/>"
                : "<fast xmlns='urn:xmpp:fast:0'/>") +
         "<bind xmlns='urn:xmpp:bind:0'><tag>load</tag></bind></authenticate>";
}

std::string take_success(std::string_view success, Returning& returning) {
  if (!success.starts_with("<success")) return {};
  if (const std::size_t at = success.find("<token "); at != std::string_view::npos)
    returning.token = attribute(success.substr(at), "token");
  return std::string(leaf_text(success, "<authorization-identifier>"));
}

}  // namespace kith::bench
