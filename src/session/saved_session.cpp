#include "session/saved_session.h"

#include <cstdint>
#include <limits>

#include "base/encoding.h"
#include "xml/stream_parser.h"
#include "xml/writer.h"
#include "xmpp/namespaces.h"

namespace kith::session {

namespace {

constexpr std::string_view ns_saved = "urn:kith:saved-session";
// SECURITY: times that no clock shows would be outside of what is reckoned with.
constexpr std::int64_t most_micros = 253'402'300'800'000'000;                           // the year 10000
constexpr std::int64_t most_asked_seconds = std::numeric_limits<std::uint32_t>::max();  // as XEP-0198 has it
constexpr std::int64_t most_resume_seconds = 366LL * 24 * 60 * 60;
constexpr std::size_t most_saved_bytes = 256 * 1024 * 1024;  // a whole queue, escaped twice

template <class T>
bool read_number(const xml::Element& element, std::string_view name, T& number) {
  const auto read = parse_number<T>(element.attribute(name).value_or(""));
  if (read) number = *read;
  return read.has_value();
}

std::string micros(WallTime when) { return std::to_string(when.time_since_epoch().count()); }

bool read_time(const xml::Element& element, std::string_view name, WallTime& when) {
  std::int64_t count = 0;
  if (!read_number(element, name, count) || count < 0 || count >= most_micros) return false;
  when = WallTime(std::chrono::microseconds(count));
  return true;
}

bool read_child(const xml::Element& child, SavedState& state) {
  if (child.is("presence", xmpp::ns::client)) {
    auto stanza = xmpp::Stanza::from_element(child);
    if (!stanza) return false;
    state.presence = *std::move(stanza);
  } else if (child.is("directed", ns_saved)) {
    auto jid = xmpp::Jid::parse(child.text());
    if (!jid) return false;
    state.directed.push_back(*std::move(jid));
  } else if (child.is("feature", ns_saved)) {
    if (const xml::Element* feature = child.first_child()) state.features.push_back(*feature);
  } else if (child.is("stanza", ns_saved)) {
    SavedState::Item item{.bytes = child.text()};
    if (!read_time(child, "when", item.when)) return false;
    item.answered = child.attribute("answered") == "1";
    state.items.push_back(std::move(item));
  }
  return true;
}

}  // namespace

std::string to_text(const SavedState& state) {
  xml::Element saved("session", ns_saved);
  saved.set("resource", state.resource).set("id", hex_encode(state.id_digest));
  saved.set("resume-time", std::to_string(state.resume_time.count()));
  if (state.asked_time) saved.set("asked-time", std::to_string(state.asked_time->count()));
  saved.set("handled", std::to_string(state.handled)).set("acknowledged", std::to_string(state.acknowledged));
  saved.set("written", std::to_string(state.written));
  saved.set("since", micros(state.facts.since));
  saved.set("mechanism", state.facts.mechanism).set("tls", state.facts.tls);
  saved.set("agent", state.facts.agent).set("software", state.facts.software).set("device", state.facts.device);
  saved.set("priority", std::to_string(state.priority)).set("interested", state.interested ? "1" : "0");
  saved.set("receives-since", micros(state.receives_since));
  if (state.presence) saved.add(state.presence->element());
  for (const xmpp::Jid& jid : state.directed) saved.add_text_child("directed", jid.text());
  for (const xml::Element& feature : state.features) saved.add(xml::Element("feature", ns_saved).add(feature));
  for (const SavedState::Item& item : state.items) {
    xml::Element stanza("stanza", ns_saved);
    stanza.set("when", micros(item.when)).set("answered", item.answered ? "1" : "0").add_text(item.bytes);
    saved.add(std::move(stanza));
  }
  return xml::to_string(saved);
}

std::optional<SavedState> from_text(std::string_view text) {
  const auto saved = xml::parse_stored_element(text, {}, most_saved_bytes);
  if (!saved || !saved->is("session", ns_saved)) return std::nullopt;
  SavedState state;
  const auto string_of = [&](std::string_view name) { return std::string(saved->attribute(name).value_or("")); };
  state.resource = string_of("resource");
  const auto digest = hex_decode(string_of("id"));
  std::int64_t seconds = 0;
  if (!digest || digest->empty() || state.resource.empty() || !read_number(*saved, "resume-time", seconds) ||
      seconds < 0 || seconds > most_resume_seconds || !read_number(*saved, "handled", state.handled) ||
      !read_number(*saved, "acknowledged", state.acknowledged) || !read_number(*saved, "written", state.written) ||
      !read_number(*saved, "priority", state.priority) || !read_time(*saved, "since", state.facts.since) ||
      !read_time(*saved, "receives-since", state.receives_since))
    return std::nullopt;
  state.id_digest = *digest;
  state.resume_time = std::chrono::seconds(seconds);
  if (saved->attribute("asked-time")) {
    if (!read_number(*saved, "asked-time", seconds) || seconds < 0 || seconds > most_asked_seconds) return std::nullopt;
    state.asked_time = std::chrono::seconds(seconds);
  }
  state.facts.mechanism = string_of("mechanism");
  state.facts.tls = string_of("tls");
  state.facts.agent = string_of("agent");
  state.facts.software = string_of("software");
  state.facts.device = string_of("device");
  state.interested = saved->attribute("interested") == "1";
  bool sound = true;
  saved->for_each_child([&](const xml::Element& child) { sound = sound && read_child(child, state); });
  if (!sound || state.written > state.items.size()) return std::nullopt;
  return state;
}

}  // namespace kith::session
