// The receiving side of a stream from another server (RFC 6120 §4–§6), as a machine: an event in, actions out. No I/O,
// no clock. TLS first, always; then the other server proves each of its domains by its certificate (SASL EXTERNAL,
// XEP-0178 v1.2) or by dialback (XEP-0220 v1.1.1), for each of ours apart; and it may ask us to verify a key that we
// gave out. One per connection, on one thread.
//
// Limits: `most_proofs` domain pairs, proven or being proven.
#pragma once

#include <cstddef>
#include <expected>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/random.h"
#include "base/secret.h"
#include "stream/dialback.h"
#include "stream/negotiation.h"
#include "xml/stream_parser.h"
#include "xmpp/error.h"

namespace kith::stream {

/// A domain of another server that wants to send to a domain of ours.
struct DomainPair {
  std::string remote;
  std::string local;
  friend auto operator<=>(const DomainPair&, const DomainPair&) = default;
};

/// Ask the server that is responsible for `pair.remote` whether it gave out `key`, then call verified().
struct VerifyKey {
  DomainPair pair;
  std::string stream_id;
  std::string key;
};
/// The pair is proven.
struct Proven {
  DomainPair pair;
  std::string_view how;  ///< "certificate" or "dialback"
};
/// A stanza of a proven domain, still in namespace jabber:server.
struct FromPeer {
  xml::Element element;
};
/// An element of stream management (XEP-0198) from a server that has proven a domain.
struct Management {
  xml::Element element;
};
/// The other side ends the stream, with this error.
struct PeerEnded {
  std::string condition;
};
using S2sInAction =
    std::variant<SendOpen, Send, StartTls, RestartStream, VerifyKey, Proven, FromPeer, Management, PeerEnded, Close>;
using S2sInActions = std::vector<S2sInAction>;

struct S2sInSurroundings {
  /// Prepared domainparts.
  std::function<bool(std::string_view)> is_local;
  /// Domains of other servers that ours does not talk to.
  std::function<bool(std::string_view)> is_blocked = [](std::string_view) { return false; };
  Random* random = nullptr;
  const Secret* secret = nullptr;  ///< behind the keys of dialback
  /// Whether the other server must show a certificate for its domains even if it proves them by dialback.
  bool require_certificates = false;
  /// … but for those domains whose server is asked about a key only once it has proven itself, in another way than by
  /// an authority: by DNS (DANE), or as an onion service.
  std::function<bool(std::string_view)> proves_itself_when_asked = [](std::string_view) { return false; };
};

class S2sIn {
 public:
  static constexpr std::size_t most_proofs = 20;

  explicit S2sIn(const S2sInSurroundings& surroundings) : surroundings_(&surroundings) {}

  S2sInActions opened(const xml::StreamOpen& open);
  /// `certified`: whether the other side's certificate is trusted and names a domain.
  S2sInActions secured(std::function<bool(std::string_view domain)> certified);
  S2sInActions received(xml::Element element);
  /// The error says why nobody could be asked.
  S2sInActions verified(const DomainPair& pair, std::expected<bool, xmpp::Condition> valid);

  bool header_sent() const { return header_sent_; }
  SendOpen header_for_error() const;
  bool proven() const { return !proven_.empty(); }
  /// The first of the other side's domains that was named, for the log.
  const std::string& remote() const { return remote_; }

 private:
  S2sInActions fail(xmpp::StreamCondition condition, std::string text = {});
  S2sInActions external(const xml::Element& auth);
  S2sInActions dialback_result(const xml::Element& result);
  S2sInActions dialback_verify(const xml::Element& verify);
  S2sInActions stanza(xml::Element element);

  const S2sInSurroundings* surroundings_;
  bool tls_ = false;
  bool external_ = false;  ///< has authenticated by SASL
  bool open_ = false;
  bool header_sent_ = false;
  bool dead_ = false;
  std::string local_;
  std::string remote_;
  std::string id_;
  std::function<bool(std::string_view)> certified_;
  std::set<DomainPair> proven_;
  std::set<DomainPair> pending_;
  std::size_t unproven_ = 0;  ///< proofs that came to nothing
};

/// The domain in an attribute, prepared; empty if it is none.
std::string domain_in(const xml::Element& element, std::string_view attribute);

}  // namespace kith::stream
