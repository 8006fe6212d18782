// A stanza (RFC 6120 §8): its element with the addresses prepared once. A value that may cross shards: the element is
// shared and never changed after that.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "xml/element.h"
#include "xmpp/error.h"
#include "xmpp/jid.h"

namespace kith::xmpp {

enum class StanzaKind : std::uint8_t { message, presence, iq };

/// The types of all three kinds (RFC 6121 §5.2.2, §4.7.1; RFC 6120 §8.2.3). `available` is presence without a type.
enum class StanzaType : std::uint8_t {
  normal,
  chat,
  groupchat,
  headline,  // message
  available,
  unavailable,
  subscribe,
  subscribed,
  unsubscribe,
  unsubscribed,
  probe,  // presence
  get,
  set,
  result,  // iq
  error    // each
};

class Stanza {
 public:
  /// From a first-level element of namespace jabber:client or jabber:server. Errors:
  /// jid_malformed (a `to` or `from` that is no address, RFC 6120 §8.3.3.8), bad_request (a presence or iq type that
  /// does not exist, an iq without id, an iq get/set without exactly one child). An unknown message type is `normal`
  /// (RFC 6121 §5.2.2). The caller has checked that the name is message, presence or iq.
  static std::expected<Stanza, StanzaError> from_element(xml::Element element);
  /// From an element that this server has built and that is known to be right; asserts that it is.
  static Stanza make(xml::Element element);
  /// From what this server has written down (default namespace jabber:client), or nothing if it is damaged.
  static std::optional<Stanza> from_stored(std::string_view text);

  StanzaKind kind() const { return kind_; }
  StanzaType type() const { return type_; }
  const std::optional<Jid>& to() const { return to_; }
  const std::optional<Jid>& from() const { return from_; }
  /// Empty if there is none.
  std::string_view id() const { return content().attribute("id").value_or(std::string_view()); }
  /// The whole element. Of one that is shared among many receivers it makes a copy with this receiver's `to`.
  const xml::Element& element() const {
    if (common_) part();
    return *element_;
  }
  /// The element for a look at its children and at any attribute but `to`; never copies. Holds until element() is
  /// asked.
  const xml::Element& content() const { return *element_; }
  /// The first child element (an iq's payload), or null.
  const xml::Element* payload() const { return element().first_child(); }
  bool is_iq_request() const { return type_ == StanzaType::get || type_ == StanzaType::set; }

  /// Sets address and attribute. Copies the element if it is shared.
  void set_from(const Jid& from);
  void set_to(const Jid& to);
  void clear_to();
  /// The element to change (adding a delay, taking away a forged child); copied first if it is shared.
  /// Not for type, to and from: those have their own functions.
  xml::Element& edit();

  /// OPTIMIZATION: for one that goes to many. Writes what they all get, once; of each copy made from now on set_to
  /// changes what stands beside the element, which they all share. Anything else that is changed in a copy makes it one
  /// of its own again. Only of namespace jabber:client.
  void share();
  /// Appends it as it stands in a stream of jabber:client.
  void write_to(std::string& out) const;

 private:
  Stanza(StanzaKind kind, StanzaType type) : kind_(kind), type_(type) {}
  StanzaKind kind_;
  StanzaType type_;
  std::optional<Jid> to_;
  std::optional<Jid> from_;
  /// Makes a shared one an element of its own.
  void part() const;

  /// Of a shared one: without `to`. mutable: its receiver's own element is made once somebody asks for it.
  mutable std::shared_ptr<xml::Element> element_;
  /// Of a shared one: its text behind the name, without `to`.
  mutable std::shared_ptr<const std::string> common_;
};

std::string_view wire_word(StanzaKind kind);
/// Empty for `available`, whose attribute is left out.
std::string_view wire_word(StanzaType type);

/// The error answer to `stanza` with to and from exchanged, same id, and the error child (RFC 6120 §8.3.1). The payload
/// is not repeated. Nothing if `stanza` is itself an error or an iq result, which are never answered with an error.
std::optional<Stanza> error_reply(const Stanza& stanza, const StanzaError& error);
/// `<iq type='result'/>` with to and from exchanged and the payload, if any.
Stanza result_reply(const Stanza& request, std::optional<xml::Element> payload = {});

/// The <delay xmlns='urn:xmpp:delay'/> of XEP-0203, in `parent_ns` documents; `from` is who delayed it.
xml::Element delay_element(const Jid& from, std::string_view stamp);
/// The one of a message that `server` kept while the account was away (XEP-0160 §2).
xml::Element offline_delay_element(const Jid& server, std::string_view stamp);

/// What the server `domain` has written of a delay into a message. SECURITY: the forgery feature takes away what others
/// have written in its name.
enum class DelayBy : std::uint8_t { nobody, server, offline_storage };
DelayBy delay_by(const Stanza& message, std::string_view domain);

}  // namespace kith::xmpp
