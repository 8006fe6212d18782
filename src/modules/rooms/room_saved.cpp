// Who is in a room, as text, for the time in which the server is not running: clients that resume their sessions
// (XEP-0198), and those of other servers, are still in it after the next start.
#include <utility>

#include "modules/rooms/room.h"
#include "xml/stream_parser.h"
#include "xml/writer.h"
#include "xmpp/namespaces.h"

namespace kith::modules::muc {

namespace {

constexpr std::string_view client_ns = xmpp::ns::client;
constexpr std::string_view saved_ns = "kith:rooms:occupants";

}  // namespace

std::string Room::occupants_text() const {
  if (locked_ || finished_ || occupants_.empty()) return {};
  xml::Element all("occupants", saved_ns);
  for (const auto& [key, occupant] : occupants_) {
    xml::Element one("occupant", saved_ns);
    one.set("nick", occupant->nick).set("role", std::string(wire_word(occupant->role)));
    for (const Client& client : occupant->clients) {
      xml::Element there("client", saved_ns);
      there.set("jid", client.jid.text());
      there.add(client.presence);
      one.add(std::move(there));
    }
    all.add(std::move(one));
  }
  return xml::to_string(all, client_ns);
}

void Room::restore(std::string_view text) {
  const auto all = xml::parse_stored_element(text, client_ns);
  if (!all) return out_.events.record(LogLevel::error, "room_occupants_unreadable", {{"room", jid_.text()}});
  all->for_each_child([&](const xml::Element& one) {
    const std::string nick(one.attribute("nick").value_or(""));
    const auto role = role_from(one.attribute("role").value_or(""));
    if (nick.empty() || !role) return;
    std::unique_ptr<Occupant> occupant;
    one.for_each_child([&](const xml::Element& client) {
      const auto jid = xmpp::Jid::parse(client.attribute("jid").value_or(""));
      const xml::Element* presence = client.child("presence", client_ns);
      if (!jid || !jid->is_full() || presence == nullptr || by_client_.contains(*jid)) return;
      const xmpp::BareJid account = xmpp::BareJid::of(*jid);
      if (!occupant) {
        occupant = std::make_unique<Occupant>(Occupant{.nick = nick,
                                                       .key = nick_key(nick),
                                                       .account = account,
                                                       .role = *role,
                                                       .id = occupant_id(account),
                                                       .pace = TokenBucket(presence_rate, out_.clock.now())});
      }
      if (occupant->account != account) return;
      occupant->clients.push_back({.jid = *jid, .presence = *presence});
      by_client_[*jid] = occupant.get();
    });
    if (!occupant) return;
    // SECURITY: of two under one nick only one can be.
    const std::string key = occupant->key;
    if (occupants_.contains(key)) {
      for (const Client& client : occupant->clients) by_client_.erase(client.jid);
      return;
    }
    occupants_.emplace(key, std::move(occupant));
  });
}

}  // namespace kith::modules::muc
