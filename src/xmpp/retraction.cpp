#include "xmpp/retraction.h"

#include "xmpp/datetime.h"
#include "xmpp/namespaces.h"

namespace kith::xmpp {

namespace {

std::optional<std::string> usable_id(std::optional<std::string_view> id) {
  if (!id || id->empty() || id->size() > most_id_bytes) return std::nullopt;
  return std::string(*id);
}

/// The element whose id says which message is meant.
const xml::Element* retraction_in(const xml::Element& child) {
  if (child.is("retract", ns::retraction)) return &child;
  // XEP-0424 v0.3 §3: it was fastened to the message.
  if (child.is("apply-to", ns::fastening) && child.child("retract", ns::retraction_0) != nullptr) return &child;
  return nullptr;
}

std::size_t retractions_in(const xml::Element& message, const xml::Element*& found) {
  std::size_t count = 0;
  message.for_each_child([&](const xml::Element& child) {
    if (const xml::Element* retraction = retraction_in(child)) {
      found = retraction;
      ++count;
    }
  });
  return count;
}

}  // namespace

std::optional<std::string> retracted_id(const xml::Element& message) {
  const xml::Element* retraction = nullptr;
  if (retractions_in(message, retraction) != 1) return std::nullopt;
  return usable_id(retraction->attribute("id"));
}

std::optional<std::string> retractable_id(const xml::Element& message) {
  const xml::Element* retraction = nullptr;
  // "The archiving service MUST store the retraction message": it is not to be retracted.
  if (retractions_in(message, retraction) != 0) return std::nullopt;
  if (const xml::Element* correction = message.child("replace", ns::correction))
    return usable_id(correction->attribute("id"));
  if (message.attribute("id")) return usable_id(message.attribute("id"));
  const xml::Element* origin = message.child("origin-id", ns::stanza_ids);
  return origin == nullptr ? std::nullopt : usable_id(origin->attribute("id"));
}

bool is_correction(const xml::Element& message) { return message.child("replace", ns::correction) != nullptr; }

xml::Element tombstone(const xml::Element& message, std::string_view retraction_id, WallTime when) {
  xml::Element left("message", message.ns_symbol());
  for (const char* const name : {"type", "from", "to", "id"}) {
    if (const auto value = message.attribute(name)) left.set(name, std::string(*value));
  }
  if (const xml::Element* origin = message.child("origin-id", ns::stanza_ids)) {
    if (const auto id = usable_id(origin->attribute("id")))
      left.add(xml::Element("origin-id", ns::stanza_ids).set("id", *id));
  }
  left.add(xml::Element("retracted", ns::retraction)
               .set("id", std::string(retraction_id))
               .set("stamp", format_datetime(when)));
  return left;
}

}  // namespace kith::xmpp
