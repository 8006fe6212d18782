// The initiating side of a stream to another server (RFC 6120 §4–§6), as a machine: an event in, actions out. No I/O,
// no clock. TLS first, always; then it proves one domain of ours by its certificate where the other side offers that
// (SASL EXTERNAL, XEP-0178 v1.2), else by dialback (XEP-0220 v1.1.1). Carries questions about keys that others showed
// us, too. Where the other side offers it, what it says to us comes on the same stream (XEP-0288 v1.0.1). One per
// connection, on one thread.
#pragma once

#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/secret.h"
#include "stream/s2s_in.h"
#include "xml/stream_parser.h"

namespace kith::stream {

/// Start the TLS handshake as the client, with our domain's certificate; then call secured().
struct StartTlsTo {
  std::string remote;  ///< in ASCII (A-labels)
};
/// The stream carries stanzas from now on.
struct Ready {};
/// An answer to verify().
struct KeyVerified {
  std::string stream_id;
  std::expected<bool, xmpp::Condition> valid;  ///< or why the other side can't say
};
/// There is no way: the reason for the log and for kithctl, in words.
struct GivenUp {
  std::string why;
  std::optional<xmpp::StreamCondition> condition{};  ///< what the other side is told
};
using S2sOutAction = std::variant<SendOpen, Send, StartTlsTo, RestartStream, Ready, KeyVerified, FromPeer, GivenUp>;
using S2sOutActions = std::vector<S2sOutAction>;

/// The header of a stream between these domains.
SendOpen header_to(const DomainPair& pair);

class S2sOut {
 public:
  struct Policy {
    const Secret* secret = nullptr;  ///< behind the keys of dialback
    bool require_certificates = false;
    bool bidi = false;  ///< lets the other side speak on this stream
  };
  S2sOut(DomainPair pair, Policy policy) : pair_(std::move(pair)), policy_(policy) {}

  /// Connected; with direct TLS, secured() comes first.
  S2sOutActions start();
  S2sOutActions opened(const xml::StreamOpen& open);
  /// `certified`: whether the other side's certificate is trusted and names its domain; or is one that its DNS names.
  /// `pinned`: DNS names some, and so another is somebody else's, whatever the policy is (RFC 7671 §4.1).
  S2sOutActions secured(bool certified, bool pinned = false);
  S2sOutActions received(xml::Element element);
  /// Asks whether `key` is one that the other side gave out for the stream with this id; at once or when it can.
  S2sOutActions verify(std::string stream_id, std::string key);
  bool ready() const { return phase_ == Phase::ready; }
  /// The other side knows stream management (XEP-0198); to be asked for when the stream is ready.
  bool offers_management() const { return offers_management_; }

 private:
  enum class Phase { header, features, tls, sasl, dialback, ready, dead };
  S2sOutActions give_up(std::string why, std::optional<xmpp::StreamCondition> condition = {});
  S2sOutActions stanza(xml::Element element);
  S2sOutActions asked(const xml::Element& question);
  S2sOutActions features(const xml::Element& features);
  S2sOutActions prove_by_dialback();
  void ask(S2sOutActions& actions);

  DomainPair pair_;
  Policy policy_;
  Phase phase_ = Phase::header;
  bool tls_ = false;
  bool external_ = false;
  bool may_ask_ = false;
  bool bidi_ = false;
  bool offers_management_ = false;
  std::string id_;
  std::vector<std::pair<std::string, std::string>> questions_;  // stream id, key
};

}  // namespace kith::stream
