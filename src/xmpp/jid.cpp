#include "xmpp/jid.h"

#include <algorithm>
#include <array>

#include <arpa/inet.h>

#include "xmpp/precis.h"

namespace kith::xmpp {
namespace {

constexpr std::size_t part_bytes = 1023;  // RFC 7622 §3.1
constexpr std::size_t label_bytes = 63;   // RFC 1035 §2.3.4
constexpr std::size_t raw_bytes =
    4 * part_bytes;  // longer text is refused unread: preparation does not shrink it so far

static_assert(sizeof(Jid) <= 40 && sizeof(BareJid) <= 40 && sizeof(FullJid) <= 40);

// What an ASCII character may be. One look per byte; a byte of 0x80 or more has no flag at all.
constexpr unsigned char in_local = 1;
constexpr unsigned char in_domain = 2;
constexpr unsigned char in_resource = 4;

constexpr std::array<unsigned char, 256> make_classes() {
  std::array<unsigned char, 256> classes{};
  for (unsigned c = 0x20; c < 0x7F; ++c) {
    const char character = static_cast<char>(c);
    unsigned char flags = in_resource;
    // RFC 7622 §3.3.1: no space, and none of " & ' / : < > @
    if (std::string_view(" \"&'/:<>@").find(character) == std::string_view::npos) flags |= in_local;
    const bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (alphanumeric || character == '-' || character == '_' || character == '.') flags |= in_domain;
    classes[c] = flags;
  }
  return classes;
}
constexpr std::array<unsigned char, 256> classes = make_classes();

bool has_class(char c, unsigned char wanted) { return (classes[static_cast<unsigned char>(c)] & wanted) != 0; }
char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_ascii(std::string_view text) {
  unsigned char seen = 0;
  for (const char c : text) seen |= static_cast<unsigned char>(c);
  return seen < 0x80;
}

bool fits(std::string_view part) { return !part.empty() && part.size() <= part_bytes; }

/// All ASCII characters of a prepared localpart are allowed ones.
bool has_local_ascii_only(std::string_view part) {
  return std::ranges::all_of(part,
                             [](char c) { return static_cast<unsigned char>(c) >= 0x80 || has_class(c, in_local); });
}
bool has_domain_ascii_only(std::string_view part) {
  return std::ranges::all_of(part,
                             [](char c) { return static_cast<unsigned char>(c) >= 0x80 || has_class(c, in_domain); });
}

/// An ASCII localpart, which only needs lower case to be prepared.
bool is_ascii_localpart(std::string_view part) {
  return fits(part) && std::ranges::all_of(part, [](char c) { return has_class(c, in_local); });
}

bool is_ascii_resourcepart(std::string_view part) {
  return fits(part) && std::ranges::all_of(part, [](char c) { return has_class(c, in_resource); });
}

/// A host name or IPv4 address that only needs lower case to be prepared. What has a label in Punycode (`xn--`) is
/// none.
bool is_ascii_domainpart(std::string_view part) {
  if (!fits(part)) return false;
  while (true) {
    const std::size_t dot = part.find('.');
    const std::string_view label = part.substr(0, dot);
    if (label.empty() || label.size() > label_bytes || label.front() == '-' || label.back() == '-') return false;
    if (!std::ranges::all_of(label, [](char c) { return has_class(c, in_domain); })) return false;
    if (label.size() >= 4 && to_lower(label[0]) == 'x' && to_lower(label[1]) == 'n' && label[2] == '-' &&
        label[3] == '-') {
      return false;
    }
    if (dot == std::string_view::npos) return true;
    part.remove_prefix(dot + 1);
  }
}

std::string_view without_final_dot(std::string_view domain) {
  if (domain.ends_with('.')) domain.remove_suffix(1);
  return domain;
}

std::string lowered(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), to_lower);
  return result;
}

/// `[::1]`, in the form of RFC 5952.
std::optional<std::string> prepare_ip_literal(std::string_view text) {
  if (text.size() < 4 || text.size() > INET6_ADDRSTRLEN + 2 || !text.ends_with(']')) return std::nullopt;
  const std::string inside(text.substr(1, text.size() - 2));
  in6_addr address{};
  std::array<char, INET6_ADDRSTRLEN> canonical{};
  if (inside.find('\0') != std::string::npos || inet_pton(AF_INET6, inside.c_str(), &address) != 1 ||
      inet_ntop(AF_INET6, &address, canonical.data(), canonical.size()) == nullptr) {
    return std::nullopt;
  }
  return "[" + std::string(canonical.data()) + "]";
}

/// An address taken apart at the separators, nothing prepared (RFC 7622 §3.2: the first '/', then the first '@').
struct Parts {
  std::string_view local;
  std::string_view domain;
  std::string_view resource;
  bool has_local = false;
  bool has_resource = false;
};

Parts split(std::string_view text) {
  Parts parts;
  const std::size_t slash = text.find('/');
  if (slash != std::string_view::npos) {
    parts.resource = text.substr(slash + 1);
    parts.has_resource = true;
    text = text.substr(0, slash);
  }
  const std::size_t at = text.find('@');
  if (at != std::string_view::npos) {
    parts.local = text.substr(0, at);
    parts.has_local = true;
    text.remove_prefix(at + 1);
  }
  parts.domain = text;
  return parts;
}

/// One string of parts that are prepared but for the case of their first `lower` bytes.
std::string join(const Parts& parts, std::size_t& lower) {
  std::string text;
  text.reserve(parts.local.size() + parts.domain.size() + parts.resource.size() + 2);
  if (parts.has_local) text.append(parts.local).push_back('@');
  text.append(parts.domain);
  lower = text.size();
  if (parts.has_resource) text.append(1, '/').append(parts.resource);
  return text;
}

}  // namespace

std::string domain_to_ascii(std::string_view domainpart) {
  return is_ascii(domainpart) ? std::string(domainpart) : precis::domain_to_ascii(domainpart);
}

std::optional<std::string> prepare_localpart(std::string_view text) {
  if (is_ascii_localpart(text)) return lowered(text);
  if (is_ascii(text) || text.size() > raw_bytes) return std::nullopt;
  std::optional<std::string> prepared = precis::localpart(text);
  if (!prepared || !fits(*prepared) || !has_local_ascii_only(*prepared)) return std::nullopt;
  return prepared;
}

std::optional<std::string> prepare_domainpart(std::string_view text) {
  if (is_ascii_domainpart(without_final_dot(text))) return lowered(without_final_dot(text));
  if (text.size() > raw_bytes) return std::nullopt;
  if (text.starts_with('[')) return prepare_ip_literal(text);
  if (!has_domain_ascii_only(text)) return std::nullopt;
  std::optional<std::string> prepared = precis::domainpart(text);
  if (!prepared || !fits(*prepared) || !has_domain_ascii_only(*prepared)) return std::nullopt;
  return prepared;
}

std::optional<std::string> prepare_resourcepart(std::string_view text) {
  if (is_ascii_resourcepart(text)) return std::string(text);
  if (is_ascii(text) || text.size() > raw_bytes) return std::nullopt;
  std::optional<std::string> prepared = precis::resourcepart(text);
  if (!prepared || !fits(*prepared)) return std::nullopt;
  // Controls of ASCII survive normalisation; they are refused here as in the fast path.
  const auto allowed = [](char c) { return static_cast<unsigned char>(c) >= 0x80 || has_class(c, in_resource); };
  if (!std::ranges::all_of(*prepared, allowed)) return std::nullopt;
  return prepared;
}

bool is_identifier_localpart(std::string_view prepared) {
  if (!fits(prepared) || !has_local_ascii_only(prepared)) return false;
  return is_ascii(prepared) || precis::is_identifier(prepared);
}

std::optional<Jid> Jid::parse(std::string_view text) {
  Parts parts = split(text);
  if ((parts.has_local && parts.local.empty()) || (parts.has_resource && parts.resource.empty())) return std::nullopt;
  // OPTIMIZATION: nearly every address is ASCII; it is checked where it lies and copied once.
  const std::string_view domain = without_final_dot(parts.domain);
  if ((!parts.has_local || is_ascii_localpart(parts.local)) && is_ascii_domainpart(domain) &&
      (!parts.has_resource || is_ascii_resourcepart(parts.resource))) {
    parts.domain = domain;
    std::size_t lower = 0;
    std::string joined = join(parts, lower);
    std::transform(joined.begin(), joined.begin() + static_cast<std::ptrdiff_t>(lower), joined.begin(), to_lower);
    return Jid(std::move(joined), parts.local.size(), domain.size());
  }
  return from_parts(parts.local, parts.domain, parts.resource);
}

std::optional<Jid> Jid::from_parts(std::string_view localpart, std::string_view domainpart,
                                   std::string_view resourcepart) {
  std::optional<std::string> local;
  std::optional<std::string> resource;
  if (!localpart.empty()) {
    local = prepare_localpart(localpart);
    if (!local) return std::nullopt;
  }
  const std::optional<std::string> domain = prepare_domainpart(domainpart);
  if (!domain) return std::nullopt;
  if (!resourcepart.empty()) {
    resource = prepare_resourcepart(resourcepart);
    if (!resource) return std::nullopt;
  }
  const Parts parts{.local = local ? std::string_view(*local) : std::string_view(),
                    .domain = *domain,
                    .resource = resource ? std::string_view(*resource) : std::string_view(),
                    .has_local = local.has_value(),
                    .has_resource = resource.has_value()};
  std::size_t lower = 0;
  return Jid(join(parts, lower), parts.local.size(), parts.domain.size());
}

Jid Jid::from_stored(std::string text) {
  const Parts parts = split(text);
  const std::size_t local_size = parts.local.size();
  const std::size_t domain_size = parts.domain.size();
  return Jid(std::move(text), local_size, domain_size);
}

std::optional<BareJid> BareJid::parse(std::string_view text) {
  std::optional<Jid> jid = Jid::parse(text);
  if (!jid || jid->is_full()) return std::nullopt;
  return BareJid(std::move(*jid));
}

BareJid BareJid::of(const Jid& jid) { return BareJid(Jid::from_stored(std::string(jid.bare_text()))); }

std::optional<FullJid> FullJid::parse(std::string_view text) {
  std::optional<Jid> jid = Jid::parse(text);
  if (!jid || jid->is_bare()) return std::nullopt;
  return FullJid(std::move(*jid));
}

std::optional<FullJid> FullJid::of(const Jid& jid) {
  if (jid.is_bare()) return std::nullopt;
  return FullJid(jid);
}

std::optional<FullJid> FullJid::of(const BareJid& bare, std::string_view resourcepart) {
  const std::optional<std::string> resource = prepare_resourcepart(resourcepart);
  if (!resource) return std::nullopt;
  std::string text;
  text.reserve(bare.text().size() + 1 + resource->size());
  text.append(bare.text()).append(1, '/').append(*resource);
  return FullJid(Jid::from_stored(std::move(text)));
}

}  // namespace kith::xmpp
