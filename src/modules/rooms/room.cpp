#include "modules/rooms/room.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <utility>

#include "base/digest.h"
#include "base/encoding.h"
#include "xml/stream_parser.h"
#include "xml/writer.h"
#include "xmpp/datetime.h"
#include "xmpp/look.h"
#include "xmpp/namespaces.h"

namespace kith::modules::muc {

using storage::Ticket;
using xmpp::Condition;
using xmpp::StanzaError;
using xmpp::StanzaKind;
using xmpp::StanzaType;

namespace {

constexpr std::string_view client_ns = xmpp::ns::client;

std::optional<std::uint64_t> number(std::optional<std::string_view> text) {
  if (!text) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return value;
}

void add_code(xml::Element& x, int code) { x.add(xml::Element("status", ns::user).set("code", std::to_string(code))); }

}  // namespace

std::string nick_key(std::string_view nick) {
  // The folding of localparts is the one that nearly everybody has for names. What localparts may not have stays as it
  // is, and what is between is folded; spaces at the ends, and several for one, are not seen. What nobody can see at
  // all is not in a nick: preparing its address has taken it out.
  constexpr std::string_view apart = " \"&'/:<>@";
  std::string key;
  std::size_t start = 0;
  while (start < nick.size()) {
    if (apart.find(nick[start]) != std::string_view::npos) {
      if (nick[start] != ' ' || (!key.empty() && key.back() != ' ')) key += nick[start];
      ++start;
      continue;
    }
    const std::size_t end = std::min(nick.find_first_of(apart, start), nick.size());
    const std::string_view word = nick.substr(start, end - start);
    const std::optional<std::string> folded = xmpp::prepare_localpart(word);
    key += folded ? *folded : std::string(word);
    start = end;
  }
  // SECURITY: and letters of other scripts look like these.
  key = xmpp::look(key);
  while (key.ends_with(' ')) key.pop_back();
  key.erase(0, key.find_first_not_of(' '));
  return key;
}

Room::Room(xmpp::BareJid jid, const Surroundings& surroundings)
    : jid_(std::move(jid)),
      out_(surroundings),
      key_(surroundings.random.token()),
      locked_(true),
      rate_(surroundings.limits.room_messages, surroundings.clock.now()),
      notices_left_(notice_rate, surroundings.clock.now()),
      later_([this] { show_later(); }) {}

Room::Room(xmpp::BareJid jid, const Surroundings& surroundings, const storage::RoomData& data,
           const std::vector<storage::ArchivedMessage>& history, std::string_view nicks, std::string_view occupants)
    : jid_(std::move(jid)),
      out_(surroundings),
      rate_(surroundings.limits.room_messages, surroundings.clock.now()),
      notices_left_(notice_rate, surroundings.clock.now()),
      later_([this] { show_later(); }) {
  if (auto stored = config_from_stored(data.config)) {
    config_ = std::move(stored->config);
    key_ = std::move(stored->key);
  } else {
    // SECURITY: who may enter is not known any more, so only its people may.
    out_.events.record(LogLevel::error, "room_config_damaged", {{"room", jid_.text()}});
    config_.members_only = true;
    config_.persistent = true;
    key_ = out_.random.token();
  }
  people_ = people_of(data);
  take_nicks(nicks);
  if (!data.subject.empty()) subject_ = xmpp::Stanza::from_stored(data.subject);
  take_history(history);
  if (!occupants.empty()) restore(occupants);
}

std::map<xmpp::BareJid, Room::Person> Room::people_of(const storage::RoomData& data) {
  std::map<xmpp::BareJid, Person> people;
  for (const storage::RoomPerson& person : data.people) {
    if (const auto affiliation = affiliation_from(person.affiliation))
      people[person.jid] = {.affiliation = *affiliation, .reason = person.reason};
  }
  return people;
}

void Room::take_history(const std::vector<storage::ArchivedMessage>& history) {
  history_.clear();
  history_bytes_ = 0;
  for (const storage::ArchivedMessage& kept : history) {
    auto message = xmpp::Stanza::from_stored(kept.stanza);
    if (!message) continue;
    const std::string author = author_of(message->element());
    hide_author(message->edit());
    if (!worth_telling(*message)) continue;
    add_stanza_id(*message, kept.id);
    const WallTime when(std::chrono::microseconds(static_cast<std::int64_t>(kept.id)));
    // What was said before the room was dropped from memory counts in slow mode, too.
    if (!author.empty()) last_said_[xmpp::BareJid::from_stored(author)] = out_.clock.now() - (out_.clock.wall() - when);
    history_.push_back(
        {.when = when, .message = *std::move(message), .bytes = kept.stanza.size(), .id = kept.id, .author = author});
    history_bytes_ += kept.stanza.size();
  }
}

void Room::reread(const std::optional<storage::RoomData>& data, const std::vector<storage::ArchivedMessage>& history,
                  std::string_view nicks) {
  if (finished_ || locked_) return;
  // It could not be made: its owner, who was told, may try again.
  if (!data) {
    locked_ = true;
    return;
  }
  take_history(history);
  subject_ = data->subject.empty() ? std::nullopt : xmpp::Stanza::from_stored(data->subject);
  const std::map<xmpp::BareJid, Person> before = std::exchange(people_, people_of(*data));
  take_nicks(nicks);
  if (const auto stored = config_from_stored(data->config)) follow_config(std::exchange(config_, stored->config));
  std::set<xmpp::BareJid> changed;
  for (const auto& [key, occupant] : occupants_) {
    const auto had = before.find(occupant->account);
    const Affiliation was = had == before.end() ? Affiliation::none : had->second.affiliation;
    if (was != affiliation_of(occupant->account)) changed.insert(occupant->account);
  }
  for (const xmpp::BareJid& person : changed) follow_affiliation(person, {}, {});
}

void Room::receive(xmpp::Stanza stanza, Ticket gate) {
  switch (stanza.kind()) {
    case StanzaKind::presence:
      presence(stanza);
      break;
    case StanzaKind::message:
      message(std::move(stanza), gate);
      break;
    case StanzaKind::iq:
      iq(std::move(stanza));
      break;
  }
}

// --- who is there
// ------------------------------------------------------------------------------------------------------------

Room::Occupant* Room::occupant_of(const xmpp::Jid& client) const {
  const auto found = by_client_.find(client);
  return found == by_client_.end() ? nullptr : found->second;
}

Room::Occupant* Room::occupant_named(std::string_view nick) const {
  const auto found = occupants_.find(nick_key(nick));
  return found == occupants_.end() ? nullptr : found->second.get();
}

Affiliation Room::affiliation_of(const xmpp::Jid& jid) const {
  const auto found = people_.find(xmpp::BareJid::of(jid));
  return found == people_.end() ? Affiliation::none : found->second.affiliation;
}

Standing Room::standing_of(const xmpp::Jid& jid) const {
  const Occupant* occupant = occupant_of(jid);
  return {.affiliation = affiliation_of(jid), .role = occupant == nullptr ? Role::none : occupant->role};
}

// §5.1.2
Role Room::role_for(Affiliation affiliation) const {
  switch (affiliation) {
    case Affiliation::owner:
    case Affiliation::admin:
      return Role::moderator;
    case Affiliation::member:
      return Role::participant;
    case Affiliation::none:
      return config_.moderated ? Role::visitor : Role::participant;
    case Affiliation::outcast:
      break;
  }
  return Role::none;
}

std::size_t Room::owners() const {
  return static_cast<std::size_t>(
      std::ranges::count(people_, Affiliation::owner, [](const auto& one) { return one.second.affiliation; }));
}

// XEP-0421 §4: the same for an account each time, another in each room, and no way back to it.
std::string Room::occupant_id(const xmpp::BareJid& account) const {
  return base64url_encode(sha256(key_ + '\0' + jid_.text() + '\0' + account.text())).substr(0, 32);
}

xmpp::Jid Room::occupant_jid(std::string_view nick) const {
  return xmpp::Jid::from_stored(jid_.text() + "/" + std::string(nick));
}

// --- presence
// ----------------------------------------------------------------------------------------------------------------

void Room::presence(const xmpp::Stanza& stanza) {
  const xmpp::Jid& from = *stanza.from();
  Occupant* occupant = occupant_of(from);
  switch (stanza.type()) {
    case StanzaType::error:
      // §18.1.2 "ghosts": whoever can't be reached is not there any more.
      if (occupant != nullptr) leave(*occupant, from, {.gone = true, .codes = {307, 333}});
      return;
    case StanzaType::unavailable: {
      if (occupant == nullptr) return;
      const xml::Element* status = stanza.element().child("status", client_ns);
      leave(*occupant, from, {.gone = true, .status = status == nullptr ? std::string() : status->text()});
      return;
    }
    case StanzaType::available:
      break;
    default:
      return;  // Nobody subscribes to a room.
  }
  const xml::Element* request = stanza.element().child("x", ns::muc);
  if (occupant == nullptr) {
    if (request != nullptr) return enter(stanza, request);
    // §7.2.2: a client that believes that it is here is told that it isn't.
    if (stanza.to()->is_bare()) return refuse(stanza, Condition::jid_malformed, "Enter under a nick.");
    xml::Element kick("presence", client_ns);
    kick.set("type", "unavailable").set("from", stanza.to()->text()).set("to", from.text());
    xml::Element x("x", ns::user);
    x.add(xml::Element("item", ns::user).set("affiliation", "none").set("role", "none"));
    for (const int code : {110, 307, 333}) add_code(x, code);
    kick.add(std::move(x));
    return out_.delivery.route(xmpp::Stanza::make(std::move(kick)));
  }
  if (stanza.to()->is_bare()) return;
  if (stanza.to()->resourcepart() != occupant->nick) return change_nick(*occupant, stanza);
  const auto client = std::ranges::find(occupant->clients, from, &Client::jid);
  xmpp::Stanza cleaned = stanza;
  clean(cleaned);
  const bool same = xml::to_string(client->presence, client_ns) == xml::to_string(cleaned.element(), client_ns);
  client->presence = cleaned.element();
  if (request == nullptr) return show(*occupant, *client);
  // §17.3: it has lost what it knew, and asks for all of it again, which is no news for the others.
  if (!takes_entry(from)) return refuse(stanza, too_fast());
  welcome(*occupant, *client, request, {}, false);
  if (!same) show(*occupant, *client);
}

bool Room::takes_entry(const xmpp::Jid& client) {
  // SECURITY: one short stanza brings many.
  if (out_.rates.take("room_entries " + std::string(client.bare_text()), entry_rate)) return true;
  out_.events.limit_hit("room_entries");
  return false;
}

void Room::show(Occupant& occupant, Client& client) {
  client.untold = !occupant.pace.take(1, out_.clock.now());
  if (!client.untold) return announce(occupant, client, {});
  out_.events.limit_hit("room_presences");
  if (!later_.waiting()) out_.timers.schedule(later_, presence_pause);
}

void Room::show_later() {
  bool more = false;
  for (const auto& [key, occupant] : occupants_) {
    for (Client& client : occupant->clients) {
      if (!client.untold) continue;
      client.untold = !occupant->pace.take(1, out_.clock.now());
      if (!client.untold) announce(*occupant, client, {});
      more = more || client.untold;
    }
  }
  if (more) out_.timers.schedule(later_, presence_pause);
}

// §7.2
void Room::enter(const xmpp::Stanza& stanza, const xml::Element* request) {
  const xmpp::Jid& from = *stanza.from();
  const std::string nick(stanza.to()->resourcepart());
  if (nick.empty()) return refuse(stanza, Condition::jid_malformed, "Enter under a nick.");
  if (nick.size() > out_.limits.room_nick_bytes) {
    out_.events.limit_hit("room_nick_bytes");
    return refuse(stanza, Condition::not_acceptable, "The nick is too long.");
  }
  if (nick_key(nick).empty()) return refuse(stanza, Condition::not_acceptable, "A nick must be seen.");
  if (!takes_entry(from)) return refuse(stanza, too_fast());
  const bool created = locked_ && occupants_.empty();
  if (created) people_[xmpp::BareJid::of(from)] = {.affiliation = Affiliation::owner};
  const Affiliation affiliation = affiliation_of(from);
  if (affiliation == Affiliation::outcast) return refuse(stanza, Condition::forbidden);
  // §10.1.1: until it is configured it is as if there were none.
  if (locked_ && affiliation != Affiliation::owner) return refuse(stanza, Condition::item_not_found);
  if (config_.members_only && affiliation < Affiliation::member)
    return refuse(stanza, Condition::registration_required);
  if (!config_.password.empty() && affiliation != Affiliation::owner) {
    const xml::Element* password = request->child("password", ns::muc);
    const std::string given = password == nullptr ? std::string() : sha256(password->text());
    // SECURITY: hashes are compared, so that the time taken tells nothing of the password.
    if (given != sha256(config_.password)) return refuse(stanza, Condition::not_authorized);
  }
  const std::string key = nick_key(nick);
  const auto there = occupants_.find(key);
  if (there != occupants_.end() && (there->second->account != xmpp::BareJid::of(from) || there->second->nick != nick))
    return refuse(stanza, Condition::conflict, "Somebody else has this nick.");
  if (is_reserved(key, xmpp::BareJid::of(from)))
    return refuse(stanza, Condition::conflict, "This nick is kept for somebody else.");
  // §7.2.9: those who keep the room in order always find a place.
  if (by_client_.size() >= out_.limits.room_occupants && affiliation < Affiliation::admin) {
    out_.events.limit_hit("room_occupants");
    return refuse(stanza, {xmpp::ErrorType::wait, Condition::service_unavailable, "The room is full."});
  }

  auto& place = occupants_[key];
  if (!place) {
    place = std::make_unique<Occupant>(Occupant{.nick = nick,
                                                .key = key,
                                                .account = xmpp::BareJid::of(from),
                                                .role = role_for(affiliation),
                                                .id = occupant_id(xmpp::BareJid::of(from)),
                                                .pace = TokenBucket(presence_rate, out_.clock.now())});
  }
  Occupant& occupant = *place;
  by_client_[from] = &occupant;
  xmpp::Stanza cleaned = stanza;
  clean(cleaned);
  occupant.clients.push_back({.jid = from, .presence = cleaned.element()});
  std::vector<int> codes;
  if (created) codes.push_back(201);
  welcome(occupant, occupant.clients.back(), request, std::move(codes), true);
}

// §7.2.2, §7.2.14: who is there, then oneself, then what was said, then the subject.
void Room::welcome(Occupant& occupant, const Client& client, const xml::Element* request, std::vector<int> codes,
                   bool tell_others) {
  const bool sees = sees_jids(occupant);
  for (const auto& [key, other] : occupants_) {
    if (other.get() == &occupant) continue;
    send(presence_of(*other, other->clients.back(), {}, sees, false), client.jid);
  }
  // §7.2.3, §7.2.12
  if (config_.whois == Whois::anyone) codes.push_back(100);
  if (config_.archived) codes.push_back(170);
  const Change own{.own_codes = std::move(codes)};
  if (tell_others) {
    // His own comes last, and tells his other clients nothing of what concerns this one.
    announce(occupant, client, {}, &client);
  }
  send(presence_of(occupant, client, own, true, true), client.jid);
  send_history(client.jid, request);
  send_subject(client.jid);
}

xmpp::Stanza Room::presence_of(const Occupant& occupant, const Client& client, const Change& change, bool with_jid,
                               bool own) const {
  xml::Element element("presence", client_ns);
  if (change.gone) {
    element.set("type", "unavailable");
    if (!change.status.empty()) element.add_text_child("status", change.status);
  } else {
    element = client.presence;
  }
  element.set("from", occupant_jid(occupant.nick).text());
  xml::Element item("item", ns::user);
  const Affiliation affiliation = affiliation_of(occupant.account);
  // Of who only changes the nick the role goes on (§7.6).
  const Role role = change.gone && change.new_nick.empty() ? Role::none : occupant.role;
  item.set("affiliation", std::string(wire_word(affiliation))).set("role", std::string(wire_word(role)));
  if (with_jid) item.set("jid", client.jid.text());
  if (!change.new_nick.empty()) item.set("nick", change.new_nick);
  if (!change.actor.empty()) item.add(xml::Element("actor", ns::user).set("nick", change.actor));
  if (!change.reason.empty()) item.add_text_child("reason", change.reason);
  xml::Element x("x", ns::user);
  x.add(std::move(item));
  if (change.destroyed) x.add(*change.destroyed);
  for (const int code : change.codes) add_code(x, code);
  if (own) {
    for (const int code : change.own_codes) add_code(x, code);
    add_code(x, 110);
  }
  element.add(std::move(x));
  element.add(xml::Element("occupant-id", ns::occupant_id).set("id", occupant.id));
  return xmpp::Stanza::make(std::move(element));
}

void Room::announce(const Occupant& occupant, const Client& client, const Change& change, const Client* except) {
  // One of each form, however many get it.
  std::array<xmpp::Stanza, 2> forms{presence_of(occupant, client, change, false, false),
                                    presence_of(occupant, client, change, true, false)};
  for (xmpp::Stanza& form : forms) form.share();
  for (const auto& [key, other] : occupants_) {
    if (other.get() == &occupant) continue;
    for (const Client& receiver : other->clients) send(forms[sees_jids(*other) ? 1 : 0], receiver.jid);
  }
  const xmpp::Stanza own = presence_of(occupant, client, change, true, true);
  for (const Client& receiver : occupant.clients) {
    if (&receiver != except) send(own, receiver.jid);
  }
}

// §7.6
void Room::change_nick(Occupant& occupant, const xmpp::Stanza& stanza) {
  const std::string nick(stanza.to()->resourcepart());
  if (nick.size() > out_.limits.room_nick_bytes) {
    out_.events.limit_hit("room_nick_bytes");
    return refuse(stanza, Condition::not_acceptable, "The nick is too long.");
  }
  if (nick_key(nick).empty()) return refuse(stanza, Condition::not_acceptable, "A nick must be seen.");
  const std::string key = nick_key(nick);
  const auto there = occupants_.find(key);
  if (there != occupants_.end() && there->second.get() != &occupant)
    return refuse(stanza, Condition::conflict, "Somebody else has this nick.");
  if (is_reserved(key, occupant.account))
    return refuse(stanza, Condition::conflict, "This nick is kept for somebody else.");
  if (occupant.clients.size() > 1)
    return refuse(stanza, Condition::not_acceptable, "Another of your clients is here under the old nick.");
  if (!rate_.take(1, out_.clock.now())) {
    out_.events.limit_hit("room_messages");
    return refuse(stanza, too_fast());
  }
  announce(occupant, occupant.clients.front(), {.gone = true, .new_nick = nick, .codes = {303}});
  auto node = occupants_.extract(occupant.key);
  node.key() = key;
  occupant.key = key;
  occupant.nick = nick;
  occupants_.insert(std::move(node));
  xmpp::Stanza cleaned = stanza;
  clean(cleaned);
  occupant.clients.front().presence = cleaned.element();
  announce(occupant, occupant.clients.front(), {});
}

// §7.14
void Room::leave(Occupant& occupant, const xmpp::Jid& client, Change change) {
  const auto found = std::ranges::find(occupant.clients, client, &Client::jid);
  if (occupant.clients.size() == 1) return remove(occupant, std::move(change));
  // The others under this nick are still here: only the one that goes is told.
  const Client gone = std::move(*found);
  occupant.clients.erase(found);
  by_client_.erase(gone.jid);
  send(presence_of(occupant, gone, change, true, true), gone.jid);
}

void Room::remove(Occupant& occupant, Change change) {
  change.gone = true;
  const auto node = occupants_.extract(occupant.key);
  Occupant& gone = *node.mapped();
  for (const Client& client : gone.clients) by_client_.erase(client.jid);
  announce(gone, gone.clients.front(), change);
  if (occupants_.empty()) left_alone();
}

void Room::left_alone() {
  if (finished_ || (config_.persistent && !locked_)) return;
  // §10.1.1, §4.2: nobody has configured it, or it is temporary.
  finished_ = true;
  if (!locked_) wrote(out_.store.remove(jid_));
}

// --- what was said
// --------------------------------------------------------------------------------------------------------------

// §7.2.13
void Room::send_history(const xmpp::Jid& client, const xml::Element* request) {
  const xml::Element* asked = request == nullptr ? nullptr : request->child("history", ns::muc);
  std::uint64_t most = config_.history;
  std::uint64_t most_chars = most_history_bytes;
  WallTime since{};
  if (asked != nullptr) {
    most = std::min(most, number(asked->attribute("maxstanzas")).value_or(most));
    most_chars = std::min(most_chars, number(asked->attribute("maxchars")).value_or(most_chars));
    if (const auto seconds = number(asked->attribute("seconds")); seconds && *seconds < 1'000'000'000)
      since = out_.clock.wall() - std::chrono::seconds(*seconds);
    if (const auto stamp = asked->attribute("since"))
      since = std::max(since, xmpp::parse_datetime(*stamp).value_or(since));
  }
  auto first = history_.end();
  std::uint64_t chars = 0;
  std::uint64_t count = 0;
  while (first != history_.begin()) {
    const Kept& earlier = *std::prev(first);
    if (count == most || chars + earlier.bytes > most_chars || earlier.when < since) break;
    ++count;
    chars += earlier.bytes;
    --first;
  }
  for (; first != history_.end(); ++first) {
    xmpp::Stanza message = first->message;
    message.edit().add(xmpp::delay_element(jid_, xmpp::format_datetime(first->when)));
    send(std::move(message), client, last_write_);
  }
}

// §7.2.15: the last stanza of entering, whether there is a subject or not.
void Room::send_subject(const xmpp::Jid& client) {
  if (subject_) return send(*subject_, client);
  xml::Element element("message", client_ns);
  element.set("type", "groupchat").set("from", jid_.text());
  element.add(xml::Element("subject", client_ns));
  send(xmpp::Stanza::make(std::move(element)), client);
}

void Room::keep(xmpp::Stanza message, std::uint64_t id, std::string author) {
  const std::size_t bytes = xml::to_string(message.element(), client_ns).size();
  history_.push_back({.when = out_.clock.wall(),
                      .message = std::move(message),
                      .bytes = bytes,
                      .id = id,
                      .author = std::move(author)});
  history_bytes_ += bytes;
  while (!history_.empty() && (history_.size() > RoomConfig::most_history || history_bytes_ > most_history_bytes)) {
    history_bytes_ -= history_.front().bytes;
    history_.pop_front();
  }
}

void Room::clean(xmpp::Stanza& stanza) const {
  xml::Element& element = stanza.edit();
  element.remove_children([&](const xml::Element& child) {
    if (child.ns() == ns::user || child.ns() == ns::muc || child.ns() == ns::occupant_id) return true;
    if (!child.is("stanza-id", xmpp::ns::stanza_ids) && !child.is("delay", xmpp::ns::delay)) return false;
    const auto by = child.attribute(child.name() == "delay" ? "from" : "by");
    if (!by) return child.name() == "stanza-id";
    const auto claimed = xmpp::Jid::parse(*by);
    return claimed && claimed->bare_text() == jid_.text();
  });
  stanza.clear_to();
}

void Room::add_stanza_id(xmpp::Stanza& message, std::uint64_t id) const {
  message.edit().add(
      xml::Element("stanza-id", xmpp::ns::stanza_ids).set("by", jid_.text()).set("id", out_.archive_ids.text(id)));
}

// --- out
// --------------------------------------------------------------------------------------------------------------------

void Room::send(xmpp::Stanza stanza, const xmpp::Jid& to, Ticket gate, std::optional<xmpp::Stanza> if_failed) {
  stanza.set_to(to);
  if (if_failed) if_failed->set_to(to);
  out_.delivery.route(std::move(stanza), gate, std::move(if_failed));
}

void Room::refuse(const xmpp::Stanza& stanza, Condition condition, std::string text) {
  refuse(stanza, StanzaError::of(condition, std::move(text)));
}

void Room::refuse(const xmpp::Stanza& stanza, const StanzaError& error) {
  if (auto answer = xmpp::error_reply(stanza, error)) out_.delivery.route(*std::move(answer));
}

void Room::reply(const xmpp::Stanza& request, std::optional<xml::Element> payload, Ticket gate) {
  std::optional<xmpp::Stanza> failed;
  if (gate) failed = xmpp::error_reply(request, StanzaError::storage_failed());
  out_.delivery.route(xmpp::result_reply(request, std::move(payload)), gate, std::move(failed));
}

// --- storage
// ----------------------------------------------------------------------------------------------------------------

Ticket Room::store_config() {
  if (locked_ || finished_) return {};
  return wrote(out_.store.put(jid_, config_.name, config_.listed, stored_text(config_, key_)));
}

Ticket Room::store_person(const xmpp::BareJid& jid) {
  if (locked_ || finished_) return {};
  const auto found = people_.find(jid);
  storage::RoomPerson person{.jid = jid};
  if (found != people_.end()) {
    person.affiliation = wire_word(found->second.affiliation);
    person.reason = found->second.reason;
  }
  return wrote(out_.store.put_person(jid_, person));
}

}  // namespace kith::modules::muc
