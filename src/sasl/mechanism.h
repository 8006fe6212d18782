// SASL (RFC 4422) on the server's side as pure state machines: bytes in, a step out. No I/O, no clock; what needs the
// account's keys or a slow hash is asked of the caller, who may answer later.
#pragma once

#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/random.h"
#include "base/secret.h"
#include "sasl/credentials.h"
#include "xmpp/jid.h"

namespace kith::sasl {

/// RFC 6120 §6.5.
enum class Failure {
  aborted,
  account_disabled,
  credentials_expired,
  encryption_required,
  incorrect_encoding,
  invalid_authzid,
  invalid_mechanism,
  malformed_request,
  mechanism_too_weak,
  not_authorized,
  temporary_auth_failure
};
std::string_view wire_word(Failure failure);

/// What TLS says of the connection (RFC 5929, RFC 9266); keys are `tls-exporter`, `tls-server-end-point`.
using ChannelBindings = std::map<std::string, std::string, std::less<>>;
/// False for what is accepted from clients that ask for nothing else, and told to nobody.
inline bool is_announced(std::string_view binding_type) { return binding_type != "tls-unique"; }

/// Send these bytes as a challenge and wait for a response.
struct Challenge {
  std::string bytes;
};
/// The machine wants the keys of this account; call credentials(). `bare` is prepared and of the stream's domain.
struct NeedCredentials {
  xmpp::BareJid bare;
};
/// PLAIN: the machine wants this password checked for this account by a worker; call password_checked().
struct NeedPasswordCheck {
  xmpp::BareJid bare;
  Secret password;
};
/// The machine wants the tokens that this account's client has; call tokens().
struct NeedTokens {
  xmpp::BareJid bare;
};
/// Logged in as `bare`. `bytes` goes into <success/> (may be empty).
struct Success {
  xmpp::BareJid bare;
  std::string bytes;
  // If it was by a token, what the caller said of it.
  bool token_fresh = false;
  bool token_due = false;
  bool token_noted = false;
};
/// `bare` is whom it was tried for, if that much was understood: for rate limits and the log.
struct Failed {
  Failure failure;
  std::optional<xmpp::BareJid> bare;
};
using Step = std::variant<Challenge, NeedCredentials, NeedPasswordCheck, NeedTokens, Success, Failed>;

/// A token that a client may log in with (XEP-0484).
struct Token {
  Secret text;
  std::string mechanism;  ///< the only one that it is good for
  bool expired = false;
  bool fresh = false;  ///< never used
  bool due = false;    ///< for another
  bool noted = false;  ///< its use was written down a short while ago
};

class Mechanism {
 public:
  virtual ~Mechanism() = default;
  /// The client's message, base64 already decoded. Nothing stands for "no initial response" (RFC 6120 §6.4.2).
  virtual Step respond(std::optional<std::string_view> message) = 0;
  /// The answer to NeedCredentials. `known` false means that there is no such account (or it is disabled) and
  /// `credentials` are a decoy: the exchange goes on as if and fails at its end.
  virtual Step credentials(const Credentials& credentials, bool known);
  /// The answer to NeedPasswordCheck.
  virtual Step password_checked(bool right);
  /// The answer to NeedTokens. SECURITY: always most_tokens of them, of which those that are none can match nothing.
  virtual Step tokens(const std::vector<Token>& tokens);
};

struct MechanismContext {
  std::string domain;  ///< prepared domainpart of the stream
  bool tls = false;
  ChannelBindings bindings{};          ///< empty: no -PLUS
  std::vector<std::string> offered{};  ///< the names that were offered, for SCRAM's downgrade check
};

/// The names to offer in the order of preference: SCRAM-SHA-512-PLUS … SCRAM-SHA-1, PLAIN. PLAIN only under TLS; -PLUS
/// only with bindings.
std::vector<std::string> offered_mechanisms(bool tls, const ChannelBindings& bindings);
/// Null if `name` is not one of `context.offered`.
std::unique_ptr<Mechanism> make_mechanism(std::string_view name, MechanismContext context, Random& random);

/// The names for logins by token: each binding that there is, and none. Under TLS only.
std::vector<std::string> offered_token_mechanisms(const ChannelBindings& bindings);
/// Null if `name` is not one of them.
std::unique_ptr<Mechanism> make_token_mechanism(std::string_view name, MechanismContext context);

}  // namespace kith::sasl
