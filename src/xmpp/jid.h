// Addresses (RFC 7622). No object of these types can hold an invalid address: they come from parse() only.
// Compatibility with stringprep (RFC 6122) is described at prepare_localpart.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace kith::xmpp {

/// Each part prepared (folded, normalised), or nothing if it cannot be a part of an address (empty, over 1023 bytes,
/// forbidden code points, not UTF-8). Preparing a prepared part gives it back unchanged.
///
/// Localpart: Unicode's NFKC_Casefold, without what nobody can see (soft hyphen, joiners, variation selectors), then
/// checked: no spaces, controls, private use, unassigned code points or "&'/:<>@, and the bidi rule of RFC 5893 or that
/// of stringprep. Why so: nearly all deployed servers and clients still prepare with nodeprep (RFC 6122), which folds
/// case
/// (`Straße` is `strasse`, `ΣΑΣ` and `σας` are `σασ`) and compatibility forms (`ﬁ` is `fi`). RFC 7622 takes its rules
/// from RFC 7613, which folds case too; only RFC 8265, later, asks for lower case instead, by which `straße` and
/// `strasse` would be two people here and one everywhere else. So
///   - whatever the profile UsernameCaseMapped of RFC 7613 accepts, we accept with the same result (but for the joiners
///     that it allows between some letters, which nodeprep drops, and so do we);
///   - whatever nodeprep accepts and PRECIS refuses (symbols: `i♥you`, ligatures), we accept with nodeprep's result, so
///   that
///     accounts and rooms that exist elsewhere, or are imported, stay reachable under every spelling that reached them;
///   - a new account must pass is_identifier_localpart besides.
std::optional<std::string> prepare_localpart(std::string_view text);
/// Domainpart: UTS-46 without transition, in Unicode (`xn--mnchen-3ya.de` becomes `münchen.de`), without final dot;
/// labels of letters, digits, '-' and '_' that fit into the DNS; or an IPv4 address, or an IPv6 address in brackets.
std::optional<std::string> prepare_domainpart(std::string_view text);
/// Resourcepart: OpaqueString of RFC 8265 (case and compatibility forms are kept, other spaces become U+0020, NFC),
/// wider and narrower by stringprep's custom: what nobody can see is dropped, not refused (emoji come with variation
/// selectors), and the context rules of RFC 5892 are not asked (`·`, tatweel). There is no bidi rule.
std::optional<std::string> prepare_resourcepart(std::string_view text);
/// True if a prepared localpart is one that RFC 7622 §3.3 allows by the letter (IdentifierClass of RFC 8264, bidi
/// rule). SECURITY: asked when an account is made; symbols and mixed directions make names that look like others'.
bool is_identifier_localpart(std::string_view prepared);

/// A prepared domainpart as DNS and certificates write it: `bücher.example` becomes `xn--bcher-kva.example`.
std::string domain_to_ascii(std::string_view domainpart);

/// Any address: domain, local@domain, domain/resource or local@domain/resource. 40 bytes and one string.
class Jid {
 public:
  /// Nothing if `text` is no address. Parts are prepared.
  static std::optional<Jid> parse(std::string_view text);
  /// From parts that may be empty (localpart, resourcepart) and are prepared here.
  static std::optional<Jid> from_parts(std::string_view localpart, std::string_view domainpart,
                                       std::string_view resourcepart = {});
  /// From text that Kith itself stored after preparation (a database key): not prepared again, because the profile of
  /// the time when it was stored counts. SECURITY: never for text from a peer.
  static Jid from_stored(std::string text);

  std::string_view localpart() const { return std::string_view(text_).substr(0, local_size_); }
  std::string_view domainpart() const { return std::string_view(text_).substr(domain_start(), domain_size_); }
  std::string_view resourcepart() const {
    const std::size_t end = domain_start() + domain_size_;
    return end == text_.size() ? std::string_view() : std::string_view(text_).substr(end + 1);
  }
  const std::string& text() const { return text_; }
  std::string_view bare_text() const { return std::string_view(text_).substr(0, domain_start() + domain_size_); }
  bool is_bare() const { return domain_start() + domain_size_ == text_.size(); }
  bool is_full() const { return !is_bare(); }
  bool has_localpart() const { return local_size_ != 0; }

  friend bool operator==(const Jid& a, const Jid& b) { return a.text_ == b.text_; }
  friend auto operator<=>(const Jid& a, const Jid& b) { return a.text_ <=> b.text_; }

 protected:
  Jid(std::string text, std::size_t local_size, std::size_t domain_size)
      : text_(std::move(text)),
        local_size_(static_cast<std::uint16_t>(local_size)),
        domain_size_(static_cast<std::uint16_t>(domain_size)) {}

 private:
  std::size_t domain_start() const { return local_size_ == 0 ? 0 : local_size_ + 1U; }
  std::string text_;
  std::uint16_t local_size_;
  std::uint16_t domain_size_;
};

/// An address without resource: an account, a room, a server.
class BareJid : public Jid {
 public:
  static std::optional<BareJid> parse(std::string_view text);
  static BareJid of(const Jid& jid);
  static BareJid from_stored(std::string text) { return BareJid(Jid::from_stored(std::move(text))); }

 private:
  explicit BareJid(Jid jid) : Jid(std::move(jid)) {}
};

/// An address with resource: one session, one occupant.
class FullJid : public Jid {
 public:
  static std::optional<FullJid> parse(std::string_view text);
  /// Nothing if `jid` has no resource.
  static std::optional<FullJid> of(const Jid& jid);
  static std::optional<FullJid> of(const BareJid& bare, std::string_view resourcepart);
  BareJid bare() const { return BareJid::of(*this); }

 private:
  explicit FullJid(Jid jid) : Jid(std::move(jid)) {}
};

}  // namespace kith::xmpp

template <>
struct std::hash<kith::xmpp::Jid> {
  std::size_t operator()(const kith::xmpp::Jid& jid) const noexcept { return std::hash<std::string>{}(jid.text()); }
};
template <>
struct std::hash<kith::xmpp::BareJid> : std::hash<kith::xmpp::Jid> {};
template <>
struct std::hash<kith::xmpp::FullJid> : std::hash<kith::xmpp::Jid> {};
