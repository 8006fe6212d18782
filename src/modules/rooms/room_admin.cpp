// What an administrator of the server may do with a room, by kithctl: all that an owner may.
#include <utility>

#include "modules/rooms/room.h"
#include "xmpp/namespaces.h"

namespace kith::modules::muc {

using Lines = module::RoomAdministration::Lines;
using xmpp::Condition;
using xmpp::StanzaError;

namespace {

Lines lines_of(const RoomConfig& config) {
  Lines lines;
  for (const xmpp::FormField& field : form_of(config).fields) {
    if (field.type == "hidden") continue;
    const std::string_view prefix = "muc#roomconfig_";
    std::string name = field.var.starts_with(prefix) ? field.var.substr(prefix.size()) : field.var;
    std::string value;
    for (const std::string& line : field.values) value += (value.empty() ? "" : "\n") + line;
    // SECURITY: nobody need see it to look after a room.
    if (name == "roomsecret") continue;
    lines.emplace_back(std::move(name), std::move(value));
  }
  return lines;
}

}  // namespace

std::expected<Lines, StanzaError> Room::administered(module::RoomAdministration::Wish wish, const std::string& object,
                                                     const std::string& value) {
  using enum module::RoomAdministration::Wish;
  switch (wish) {
    case show: {
      Lines lines = lines_of(config_);
      lines.emplace_back("locked", locked_ ? "1" : "0");
      for (const auto& [jid, person] : people_) lines.emplace_back(wire_word(person.affiliation), jid.text());
      for (const auto& [key, occupant] : occupants_) {
        for (const Client& client : occupant->clients)
          lines.emplace_back("occupant", occupant->nick + " (" + client.jid.text() + ")");
      }
      return lines;
    }
    case destroy: {
      this->destroy(xml::Element("destroy", ns::user));
      return Lines{};
    }
    case affiliate: {
      const auto jid = xmpp::Jid::parse(object);
      if (!jid) return std::unexpected(StanzaError::of(Condition::jid_malformed));
      const xmpp::BareJid person = xmpp::BareJid::of(*jid);
      const auto wanted = affiliation_from(value);
      if (!wanted)
        return std::unexpected(
            StanzaError::of(Condition::bad_request, "An affiliation is owner, admin, member, none or outcast."));
      const Affiliation has = affiliation_of(person);
      if (has == Affiliation::owner && *wanted != Affiliation::owner && owners() == 1)
        return std::unexpected(StanzaError::of(Condition::conflict, "A room needs an owner."));
      if (has == Affiliation::none && *wanted != Affiliation::none && people_.size() >= out_.limits.room_people) {
        out_.events.limit_hit("room_people");
        return std::unexpected(StanzaError::of(Condition::resource_constraint, "The room has too many people."));
      }
      set_affiliation(person, *wanted, {}, {});
      return Lines{};
    }
    case configure: {
      xmpp::DataForm form{.type = "submit", .title = {}, .instructions = {}, .fields = {}};
      const std::string var = object.find('#') == std::string::npos ? "muc#roomconfig_" + object : object;
      const xmpp::DataForm known = form_of(config_);
      if (known.field(var) == nullptr || var == "FORM_TYPE")
        return std::unexpected(StanzaError::of(Condition::bad_request, "A room has no such setting: " + object));
      form.fields.push_back({.var = var, .values = {value}});
      const auto wanted = apply(config_, form);
      if (!wanted) return std::unexpected(wanted.error());
      take_config(*wanted);
      return Lines{};
    }
  }
  return std::unexpected(StanzaError::of(Condition::bad_request));
}

}  // namespace kith::modules::muc
