// The elements of SASL2 (XEP-0388 v1.0.4), with what a client may ask for together with its login: Bind 2 (XEP-0386
// v1.1.0), resumption (XEP-0198 §5) and tokens (XEP-0484 v0.2.0). Reading and making them. No state.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sasl/mechanism.h"
#include "xml/element.h"

namespace kith::stream {

/// <user-agent/>. Known to the account and the administrator only (§2.3).
struct UserAgent {
  static constexpr std::size_t most_bytes = 128;  ///< of each text; what is longer is cut

  std::string id{};  ///< a UUID, in lower case; empty if the client has none
  std::string software{};
  std::string device{};
};

/// Resume a session (XEP-0198 §5).
struct Resume {
  std::string previd;
  std::uint32_t h = 0;
};

/// What is to be done when the login has succeeded.
struct Wishes {
  UserAgent agent{};
  std::optional<Resume> resume{};
  std::optional<xml::Element> bind{};  ///< as the client wrote it (urn:xmpp:bind:0)
  // FAST (XEP-0484 v0.2.0)
  std::optional<std::string> token_mechanism{};  ///< a token for it is wanted
  bool fast = false;                             ///< the login is by a token …
  bool invalidate = false;                       ///< … that is to be good for nothing afterwards
  bool token_fresh = false;                      ///< … that was not used before
  bool token_due = false;                        ///< … that is due for another
  bool token_noted = false;                      ///< … whose use was written down a short while ago
  std::string salt{};                            ///< of the keys that the account had when the login began
  std::vector<sasl::Hash> upgrades{};            ///< keys that the client would bring (XEP-0480)
  bool any() const { return resume || bind || token_mechanism || fast; }
};

/// <authenticate/>
struct Authenticate {
  std::string mechanism;
  std::optional<std::string> initial_response{};  ///< base64 as it came; nothing: there is none
  Wishes wishes{};
};
/// An error is a malformed request.
std::expected<Authenticate, sasl::Failure> read_authenticate(const xml::Element& authenticate);

/// The resource that Bind 2 gives: the client's tag, if it can stand in a resource, and `suffix`.
std::string resource_of(const xml::Element& bind, std::string_view suffix);

/// The stream feature. `bind_inline`: what may be asked for within <bind/>.
xml::Element authentication_feature(const std::vector<std::string>& mechanisms,
                                    const std::vector<std::string>& token_mechanisms, xml::Element bind_inline);
/// `expiry`: a DateTime (XEP-0082).
xml::Element token_element(std::string_view token, std::string_view expiry);
/// `data`: of the mechanism, raw; empty if there is none. `inner`: what the wishes have led to.
xml::Element success_element(std::string_view data, std::string_view identifier, std::vector<xml::Element> inner);

}  // namespace kith::stream
