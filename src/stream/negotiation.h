// The server's side of a client's stream up to resource binding (RFC 6120 §4–§7), as a machine: an event in, actions
// out. No I/O, no clock, no storage: what it needs of those it asks for by an action, and is told the answer by a call.
// One per connection, used on one thread at a time; moves between shards with its connection.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/random.h"
#include "sasl/mechanism.h"
#include "stream/authenticate.h"
#include "stream/upgrade.h"
#include "xml/stream_parser.h"
#include "xmpp/error.h"
#include "xmpp/jid.h"
#include "xmpp/stanza.h"

namespace kith::stream {

// --- actions, to be carried out in order
// ---------------------------------------------------------------------------------

/// Send the stream header with these attributes (`<?xml …?>` before it, always: clients test for it).
struct SendOpen {
  std::vector<std::pair<std::string_view, std::string>> attributes;
};
struct Send {
  xml::Element element;
};
/// Throw away what was received and not yet parsed, or refuse it, and start the TLS handshake with the certificate of
/// `domain`; then call secured().
struct StartTls {
  std::string domain;  ///< the stream's, in ASCII (A-labels), for clients that send no SNI
};
/// The client sends a new stream header next.
struct RestartStream {};
/// Look the account's keys up, then call credentials().
struct LookUpCredentials {
  xmpp::BareJid bare;
};
/// Look up the tokens that this client of the account has, then call tokens().
struct LookUpTokens {
  xmpp::BareJid bare;
  std::string client;
};
/// Check a password on a worker thread, then call password_checked().
struct CheckPassword {
  xmpp::BareJid bare;
  Secret password;
};
/// SASL has succeeded. The <success/> follows as a Send, or after an Establish.
struct LoggedIn {
  xmpp::BareJid bare;
  std::string mechanism;
  UserAgent agent{};
};
/// SASL has failed. `answer` is for the client; the caller may hold it back for a while (brute force).
struct LoginFailed {
  std::optional<xmpp::BareJid> bare;
  sasl::Failure failure;
  xml::Element answer;
};
/// An iq before login (in-band registration); answer it by a Send of your own.
struct IqBeforeLogin {
  xmpp::Stanza stanza;
};
/// Bind a resource, then call bound() or bind_refused().
struct Bind {
  std::string id;
  std::optional<std::string> resource;  ///< prepared; nothing: the server chooses
};
/// Add these keys to those of the account, then call keys_added().
struct AddKeys {
  xmpp::BareJid bare;
  xmpp::Credentials keys;
  std::string salt;  ///< of the keys that the login rests on
};
/// Do what the client asked for with its login (XEP-0388 §2.6.1), then call established(). The <success/> waits for it.
struct Establish {
  Wishes wishes;
};
/// Send this error, `</stream:stream>`, and close.
struct Close {
  xmpp::StreamError error;
};

/// Resume (authenticate.h): resume that session, then call resumed() or resume_failed().
using Action = std::variant<SendOpen, Send, StartTls, RestartStream, LookUpCredentials, LookUpTokens, CheckPassword,
                            LoggedIn, LoginFailed, IqBeforeLogin, Bind, Resume, AddKeys, Establish, Close>;
using Actions = std::vector<Action>;

// -------------------------------------------------------------------------------------------------------------------------

/// What the machine is told of its surroundings; the same object serves all connections of a shard.
struct Surroundings {
  std::function<bool(std::string_view domain)> is_local;
  /// Lets the features take part in <stream:features/>.
  std::function<void(std::string_view domain, bool tls, bool authenticated, xml::Element& features)> add_features;
  /// … in what Bind 2 offers (XEP-0386 §3.1).
  std::function<void(xml::Element& bind_inline)> add_bind_features;
  std::size_t max_bytes_before_login = 0;  ///< announced by XEP-0478
  std::size_t max_bytes_after_login = 0;
  std::chrono::seconds idle_time{0};
  std::size_t failed_logins = 5;  ///< on one stream
  bool fast = false;              ///< tokens are given out (XEP-0484)
  Random* random = nullptr;
};

class Negotiation {
 public:
  /// How the connection reached us. A listener without TLS is for loopback only: there SASL is offered in the clear
  /// (without PLAIN), because what ends TLS stands in front of us.
  enum class Security { starttls_required, direct_tls, clear_on_loopback };

  Negotiation(const Surroundings& surroundings, Security security);

  /// The connection moved to another shard.
  void move_to(const Surroundings& surroundings) { surroundings_ = &surroundings; }

  Actions opened(const xml::StreamOpen& open);
  Actions received(xml::Element element);
  /// TLS is established. `sni` is the host asked for, or empty.
  Actions secured(sasl::ChannelBindings bindings, std::string sni);
  /// Before the answers that follow, if there is such an account: its keys.
  void found_keys(const xmpp::Credentials& credentials);
  /// Answers to LookUpCredentials and CheckPassword. A storage failure ends the exchange with temporary-auth-failure.
  Actions credentials(const sasl::Credentials& credentials, bool known);
  Actions password_checked(bool right);
  Actions tokens(const std::vector<sasl::Token>& tokens);
  Actions login_unavailable();
  /// The answer to AddKeys. False: they are not stored.
  Actions keys_added(bool stored);
  /// Answers to Bind.
  Actions bound(const xmpp::FullJid& jid);
  Actions bind_refused(const xmpp::StanzaError& error);

  /// Answers to Resume. `h`: how many of the client's stanzas were handled.
  Actions resumed(std::string_view previd, std::uint32_t h);
  Actions resume_failed(xmpp::Condition condition, std::optional<std::uint32_t> h = std::nullopt);

  /// The answer to Establish. `jid`: of the session that was bound or resumed, if one was; `inner` goes into
  /// <success/>.
  Actions established(const std::optional<xmpp::FullJid>& jid, std::vector<xml::Element> inner);

  bool header_sent() const { return header_sent_; }
  /// The header that an error needs if it comes before the client's own was understood (RFC 6120 §4.9.1.2).
  SendOpen header_for_error() const;
  bool secure() const { return tls_; }
  bool authenticated() const { return account_.has_value(); }
  const xmpp::BareJid& account() const { return *account_; }
  const std::string& mechanism() const { return mechanism_name_; }
  const std::string& domain() const { return domain_; }
  bool is_bound() const { return phase_ == Phase::bound; }

 private:
  enum class Phase { header, features, sasl, waiting, upgrading, bind, binding, bound, dead };
  Actions fail(xmpp::StreamCondition condition, std::string text = {});
  void append_features(Actions& actions) const;
  Actions received_sasl(const xml::Element& element);
  Actions received_sasl2(const xml::Element& element);
  bool begin_mechanism(std::string name);
  Actions response(std::string_view base64);
  Actions succeeded(sasl::Success& success);
  Actions received_task(const xml::Element& element);
  Actions logged_in(sasl::Success& success);
  Actions received_stanza(xml::Element element);
  Actions received_management(const xml::Element& element);
  Actions step(sasl::Step step);
  Actions sasl_failed(sasl::Failure failure, std::optional<xmpp::BareJid> bare);

  const Surroundings* surroundings_;
  Security security_;
  Phase phase_ = Phase::header;
  bool tls_ = false;
  bool header_sent_ = false;
  std::string domain_;
  std::string sni_;
  std::string lang_ = "en";
  std::optional<xmpp::Jid> peer_from_;
  sasl::ChannelBindings bindings_;
  std::string mechanism_name_;
  std::unique_ptr<sasl::Mechanism> mechanism_;
  std::size_t failures_ = 0;
  std::optional<xmpp::BareJid> account_;
  std::string bind_id_;
  bool sasl2_ = false;  ///< the exchange that is under way, or was
  Wishes wishes_;
  std::string additional_data_;
  /// Between the proof of the password and <success/>: what the client has yet to bring (XEP-0480).
  struct Upgrading {
    sasl::Success success;
    Upgrades tasks;
  };
  std::unique_ptr<Upgrading> upgrading_;
};

/// The stream error that a parse error is (RFC 6120 §4.9.3).
xmpp::StreamError stream_error_of(xml::ParseError error);

}  // namespace kith::stream
