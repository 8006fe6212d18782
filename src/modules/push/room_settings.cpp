#include "modules/push/room_settings.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "xmpp/namespaces.h"

namespace kith::modules {

namespace {

constexpr std::string_view ns_settings = "urn:xmpp:notification-settings:1";
constexpr std::string_view ns_reference = "urn:xmpp:reference:0";
constexpr std::string_view ns_reply = "urn:xmpp:reply:0";
constexpr std::string_view ns_encryption = "urn:xmpp:eme:0";

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

bool is_in_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

bool has_word(std::string_view text, std::string_view word) {
  if (word.empty()) return false;
  for (std::size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    const bool begins = at == 0 || !is_in_word(text[at - 1]) || !is_in_word(word.front());
    const bool ends = end == text.size() || !is_in_word(text[end]) || !is_in_word(word.back());
    if (begins && ends) return true;
  }
  return false;
}

std::optional<Notify> notify_from(std::string_view name) {
  if (name == "always") return Notify::always;
  if (name == "on-mention") return Notify::on_mention;
  if (name == "never") return Notify::never;
  return std::nullopt;
}

/// XEP-0492 "Business Rules": how well a setting fits a phone; 0: not at all.
int fit(const xml::Element& setting) {
  const auto category = setting.attribute("identity-category");
  const auto type = setting.attribute("identity-type");
  if (!category) return type ? 0 : 1;
  if (*category != "client") return 0;
  if (!type) return 2;
  return *type == "phone" ? 3 : 0;
}

}  // namespace

RoomSettings RoomSettings::of(const xml::Element& conference) {
  RoomSettings settings;
  if (!conference.is("conference", xmpp::ns::bookmarks)) return settings;
  const auto autojoin = conference.attribute("autojoin");
  settings.autojoin = autojoin == "true" || autojoin == "1";
  if (const xml::Element* nick = conference.child("nick", xmpp::ns::bookmarks)) settings.nick = nick->text();
  const xml::Element* extensions = conference.child("extensions", xmpp::ns::bookmarks);
  const xml::Element* notify = extensions == nullptr ? nullptr : extensions->child("notify", ns_settings);
  if (notify == nullptr) return settings;
  int best = 0;
  notify->for_each_child([&](const xml::Element& setting) {
    const auto meant = setting.ns() == ns_settings ? notify_from(setting.name()) : std::nullopt;
    if (!meant || fit(setting) <= best) return;
    best = fit(setting);
    settings.notify = *meant;
  });
  return settings;
}

bool mentions(const xmpp::Stanza& message, std::string_view nick, const xmpp::BareJid& receiver) {
  const xml::Element& element = message.content();
  if (element.child("encryption", ns_encryption) != nullptr) return true;
  const xml::Element* body = element.child("body", xmpp::ns::client);
  // What has no text for us: encrypted by a client that does not say so, or something else that only clients know.
  if (body == nullptr || body->text().empty()) return true;
  if (has_word(lower(body->text()), lower(nick))) return true;
  const std::string room(message.from()->bare_text());
  const std::string as_occupant = room + "/" + std::string(nick);
  bool meant = false;
  element.for_each_child([&](const xml::Element& child) {
    if (child.is("reply", ns_reply)) meant = meant || (!nick.empty() && child.attribute("to") == as_occupant);
    if (!child.is("reference", ns_reference) || child.attribute("type") != "mention") return;
    std::string_view uri = child.attribute("uri").value_or("");
    if (!uri.starts_with("xmpp:")) return;
    const auto named = xmpp::Jid::parse(uri.substr(5));
    meant =
        meant || (named && (named->bare_text() == receiver.text() || (!nick.empty() && named->text() == as_occupant)));
  });
  return meant;
}

bool is_wanted(const RoomSettings& settings, const xmpp::Stanza& message, const xmpp::BareJid& receiver, bool absent) {
  const bool his_own = !absent && !settings.nick.empty() && message.from()->resourcepart() == settings.nick;
  if (his_own || settings.notify == Notify::never) return false;
  return settings.notify == Notify::always || mentions(message, settings.nick, receiver);
}

}  // namespace kith::modules
