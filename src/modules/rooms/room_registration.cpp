// Nicks that belong to somebody, and how one comes to belong to a room without being invited (XEP-0045 §7.10, §7.12,
// §9.9). In an open room whoever registers is a member at once; where that would bring rights (to enter, to speak), the
// room's admins are asked. Who registers is stored in one document of the room: beside the people, who are many, these
// are few.
#include <algorithm>
#include <utility>

#include "modules/rooms/room.h"
#include "xml/stream_parser.h"
#include "xml/writer.h"
#include "xmpp/namespaces.h"

namespace kith::modules::muc {

using storage::Ticket;
using xmpp::Condition;
using xmpp::DataForm;
using xmpp::StanzaError;
using xmpp::StanzaType;

namespace {

constexpr std::string_view client_ns = xmpp::ns::client;
constexpr std::string_view stored_ns = "kith:rooms:nicks";
constexpr std::string_view nick_field = "muc#register_roomnick";
/// COMPAT(Siskin, Snikket for iOS; since 2020; drop when a XEP says how)
constexpr std::string_view notices_field = "{http://tigase.org/protocol/muc}offline";

}  // namespace

// --- what is kept
// ----------------------------------------------------------------------------------------------------------------

bool Room::is_reserved(const std::string& key, const xmpp::BareJid& account) const {
  const auto found = reserved_.find(key);
  return found != reserved_.end() && found->second != account;
}

std::optional<StanzaError> Room::refusal_of_nick(std::string_view nick, const xmpp::BareJid& account) const {
  const auto address = xmpp::Jid::from_parts(jid_.localpart(), jid_.domainpart(), nick);
  // As it would be if it were taken: prepared.
  if (!address || !address->is_full() || address->resourcepart().size() > out_.limits.room_nick_bytes)
    return StanzaError::of(Condition::not_acceptable, "That can't be a nick.");
  const std::string key = nick_key(address->resourcepart());
  if (key.empty()) return StanzaError::of(Condition::not_acceptable, "A nick must be seen.");
  const auto there = occupants_.find(key);
  const bool asked_for = std::ranges::any_of(
      applicants_, [&](const Applicant& other) { return other.jid != account && nick_key(other.nick) == key; });
  if (asked_for || is_reserved(key, account) || (there != occupants_.end() && there->second->account != account))
    return StanzaError::of(Condition::conflict, "Somebody else has this nick.");
  const auto person = people_.find(account);
  const bool one_more = person == people_.end() || person->second.nick.empty();
  if (one_more && reserved_.size() >= most_nicks) {
    out_.events.limit_hit("room_nicks");
    return StanzaError::of(Condition::resource_constraint, "The room keeps too many nicks.");
  }
  return std::nullopt;
}

void Room::reserve(const xmpp::BareJid& account, std::string nick, bool notices) {
  Person& person = people_.at(account);
  if (person.nick == nick && person.notices == notices) return;
  if (is_reserved(nick_key(nick), account)) return;
  if (!person.nick.empty()) reserved_.erase(nick_key(person.nick));
  if (!nick.empty()) reserved_.insert_or_assign(nick_key(nick), account);
  person.nick = std::move(nick);
  person.notices = notices;
  store_nicks();
}

void Room::take_nicks(std::string_view stored) {
  reserved_.clear();
  if (stored.empty()) return;
  const auto all = xml::parse_stored_element(stored, client_ns);
  if (!all) return out_.events.record(LogLevel::error, "room_nicks_unreadable", {{"room", jid_.text()}});
  all->for_each_child([&](const xml::Element& one) {
    const auto jid = xmpp::BareJid::parse(one.attribute("jid").value_or(""));
    const auto person = jid ? people_.find(*jid) : people_.end();
    // SECURITY: of an account that is gone nothing is left to who gets its name next.
    if (person == people_.end() || person->second.affiliation < Affiliation::member) return;
    std::string nick(one.attribute("name").value_or(""));
    if (!reserved_.try_emplace(nick_key(nick), *jid).second) return;
    person->second.nick = std::move(nick);
    person->second.notices = one.attribute("notices") == "1";
  });
}

Ticket Room::store_nicks() {
  if (locked_ || finished_) return {};
  xml::Element all("nicks", stored_ns);
  for (const auto& [key, jid] : reserved_) {
    const Person& person = people_.at(jid);
    xml::Element one("nick", stored_ns);
    one.set("jid", jid.text()).set("name", person.nick);
    if (person.notices) one.set("notices", "1");
    all.add(std::move(one));
  }
  return wrote(out_.documents.put(jid_, std::string(nicks_kind), "",
                                  reserved_.empty() ? std::string() : xml::to_string(all, client_ns)));
}

// --- by those who want it
// --------------------------------------------------------------------------------------------------------

void Room::registration(const xmpp::Stanza& request) {
  if (locked_) return refuse(request, Condition::not_allowed, "Configure the room first.");
  const Affiliation affiliation = affiliation_of(*request.from());
  if (affiliation == Affiliation::outcast) return refuse(request, Condition::not_allowed);
  // SECURITY: a password is shown by entering.
  if (affiliation == Affiliation::none && !config_.password.empty() && occupant_of(*request.from()) == nullptr)
    return refuse(request, Condition::not_allowed, "Enter the room first.");
  if (request.type() == StanzaType::get) return tell_registration(request);
  // SECURITY: what reaches admins must not be a way to flood them.
  if (!out_.rates.take("room_registrations " + std::string(request.from()->bare_text()), registration_rate)) {
    out_.events.limit_hit("room_registrations");
    return refuse(request, too_fast());
  }
  const xml::Element& query = *request.payload();
  if (query.child("remove", ns::registration) != nullptr) return unregister(request);
  const xml::Element* x = query.child("x", xmpp::ns::data_forms);
  if (x == nullptr) return refuse(request, Condition::bad_request, "A filled form was expected.");
  const auto form = DataForm::parse(*x);
  if (!form) return refuse(request, form.error());
  if (form->type == "cancel") return reply(request);
  if (form->type != "submit" || form->value("FORM_TYPE") != ns::register_form)
    return refuse(request, Condition::bad_request);
  registers(request, *form);
}

void Room::tell_registration(const xmpp::Stanza& request) {
  const auto person = people_.find(xmpp::BareJid::of(*request.from()));
  const Occupant* occupant = occupant_of(*request.from());
  std::string nick = occupant == nullptr ? std::string() : occupant->nick;
  bool notices = false;
  xml::Element query("query", ns::registration);
  if (person != people_.end() && !person->second.nick.empty()) {
    nick = person->second.nick;
    notices = person->second.notices;
    query.add(xml::Element("registered", ns::registration));
    query.add_text_child("username", nick);
  }
  // Also to who is registered, who may want another nick.
  DataForm form{.type = "form",
                .title = "Registration with the room",
                .instructions = "The nick will be kept for you.",
                .fields = {}};
  form.fields.push_back({.var = "FORM_TYPE", .type = "hidden", .values = {std::string(ns::register_form)}});
  xmpp::FormField wish{.var = std::string(nick_field), .type = "text-single", .label = "Nick", .required = true};
  if (!nick.empty()) wish.values = {nick};
  form.fields.push_back(std::move(wish));
  form.fields.push_back({.var = std::string(notices_field),
                         .type = "boolean",
                         .label = "Tell me of messages while I am not in the room",
                         .values = {notices ? "1" : "0"}});
  query.add(form.to_element());
  reply(request, std::move(query));
}

// XEP-0077 §3.2
void Room::unregister(const xmpp::Stanza& request) {
  const xmpp::BareJid account = xmpp::BareJid::of(*request.from());
  const auto waiting = std::erase_if(applicants_, [&](const Applicant& one) { return one.jid == account; });
  const auto person = people_.find(account);
  if (person == people_.end() || person->second.nick.empty()) {
    if (waiting != 0) return reply(request);
    return refuse(request, Condition::registration_required, "You are not registered.");
  }
  // Who was more than a member stays what he was.
  if (person->second.affiliation == Affiliation::member) {
    set_affiliation(account, Affiliation::none, {}, {});
  } else {
    reserve(account, {}, false);
  }
  reply(request, {}, last_write_);
}

void Room::registers(const xmpp::Stanza& request, const DataForm& form) {
  const xmpp::BareJid account = xmpp::BareJid::of(*request.from());
  const std::string_view wish = form.value(nick_field).value_or("");
  if (wish.empty()) return refuse(request, Condition::not_acceptable, "Which nick?");
  if (auto refusal = refusal_of_nick(wish, account)) return refuse(request, *refusal);
  const auto notices = form.value(notices_field);
  const Applicant applicant{
      .jid = account,
      .nick = std::string(xmpp::Jid::from_parts(jid_.localpart(), jid_.domainpart(), wish)->resourcepart()),
      .notices = notices == "1" || notices == "true"};
  if (people_.contains(account)) {
    reserve(account, applicant.nick, applicant.notices);
    return reply(request, {}, last_write_);
  }
  if (people_.size() >= out_.limits.room_people) {
    out_.events.limit_hit("room_people");
    return refuse(request, Condition::resource_constraint, "The room has too many people.");
  }
  if (config_.members_only || config_.moderated) {
    std::erase_if(applicants_, [&](const Applicant& one) { return one.jid == account; });
    if (applicants_.size() >= most_registrations) {
      out_.events.limit_hit("room_registrations");
      return refuse(request,
                    {xmpp::ErrorType::wait, Condition::resource_constraint, "Too many wait. Try again later."});
    }
    applicants_.push_back(applicant);
    ask_admins(applicant);
    return reply(request);
  }
  admit(applicant);
  reply(request, {}, last_write_);
}

void Room::admit(const Applicant& applicant) {
  set_affiliation(applicant.jid, Affiliation::member, {}, {});
  reserve(applicant.jid, applicant.nick, applicant.notices);
}

// --- by those who are asked
// ------------------------------------------------------------------------------------------------------

// §9.9
void Room::ask_admins(const Applicant& applicant) {
  DataForm question{.type = "form",
                    .title = "Request for registration",
                    .instructions = "Somebody wants to belong to the room.",
                    .fields = {}};
  question.fields.push_back({.var = "FORM_TYPE", .type = "hidden", .values = {std::string(ns::register_form)}});
  question.fields.push_back(
      {.var = "muc#jid", .type = "jid-single", .label = "Address", .values = {applicant.jid.text()}});
  question.fields.push_back(
      {.var = std::string(nick_field), .type = "text-single", .label = "Nick", .values = {applicant.nick}});
  question.fields.push_back({.var = "muc#register_allow",
                             .type = "boolean",
                             .label = "Allow this person to register with the room?",
                             .values = {"0"}});
  xml::Element element("message", client_ns);
  element.set("from", jid_.text());
  element.add(question.to_element());
  const xmpp::Stanza asked = xmpp::Stanza::make(std::move(element));
  for (const auto& [jid, person] : people_) {
    // Also those who are away: it waits for them.
    if (person.affiliation >= Affiliation::admin) send(asked, jid);
  }
}

void Room::judge_registration(const xmpp::Stanza& stanza, const DataForm& form) {
  if (affiliation_of(*stanza.from()) < Affiliation::admin) return refuse(stanza, Condition::forbidden);
  if (form.type == "cancel") return;
  const auto nick = form.value(nick_field);
  const auto found = std::ranges::find_if(
      applicants_, [&](const Applicant& one) { return nick && nick_key(one.nick) == nick_key(*nick); });
  if (found == applicants_.end()) return refuse(stanza, Condition::item_not_found, "Nobody waits with this nick.");
  const Applicant applicant = std::move(*found);
  applicants_.erase(found);
  const auto allowed = form.value("muc#register_allow");
  // Much may have happened since.
  if ((allowed != "1" && allowed != "true") || affiliation_of(applicant.jid) != Affiliation::none) return;
  if (auto refusal = refusal_of_nick(applicant.nick, applicant.jid)) return refuse(stanza, *refusal);
  if (people_.size() >= out_.limits.room_people) {
    out_.events.limit_hit("room_people");
    return refuse(stanza, Condition::resource_constraint, "The room has too many people.");
  }
  admit(applicant);
  if (!config_.members_only) return;
  // §9.3: now he may enter, and hears of it.
  xml::Element invitation("invite", ns::user);
  invitation.set("from", std::string(stanza.from()->bare_text()));
  xml::Element x("x", ns::user);
  x.add(std::move(invitation));
  xml::Element element("message", client_ns);
  element.set("from", jid_.text());
  element.add(std::move(x));
  send(xmpp::Stanza::make(std::move(element)), applicant.jid, last_write_);
}

}  // namespace kith::modules::muc
