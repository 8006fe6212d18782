// What occupants say to a room and to one another, subjects, invitations and requests for voice (XEP-0045 §7.4 to
// §7.9, §7.13, §8.6).
#include <algorithm>
#include <set>
#include <utility>

#include "modules/rooms/room.h"
#include "xml/writer.h"
#include "xmpp/datetime.h"
#include "xmpp/namespaces.h"
#include "xmpp/retraction.h"

namespace kith::modules::muc {

using storage::Ticket;
using xmpp::Condition;
using xmpp::StanzaError;
using xmpp::StanzaType;

namespace {

constexpr std::string_view client_ns = xmpp::ns::client;

/// §7.4.1: what changes the subject says nothing beside it.
bool changes_subject(const xml::Element& message) {
  return message.child("subject", client_ns) != nullptr && message.child("body", client_ns) == nullptr &&
         message.child("thread", client_ns) == nullptr;
}

/// Only tells of other messages (XEP-0333, XEP-0184).
bool is_status(const xml::Element& child) {
  return child.ns() == "urn:xmpp:chat-markers:0" || child.ns() == "urn:xmpp:receipts";
}

/// Says nothing alone (XEP-0334, XEP-0085, XEP-0359, XEP-0421).
bool is_companion(const xml::Element& child) {
  return child.ns() == ns::hints || child.ns() == ns::chat_states || child.ns() == xmpp::ns::stanza_ids ||
         child.ns() == ns::occupant_id || child.ns() == xmpp::ns::delay || child.is("thread", client_ns);
}

/// Anything but signs that somebody is typing, and what its author wants to be forgotten.
bool worth_keeping(const xml::Element& message) {
  bool worth = false;
  bool unwanted = false;
  message.for_each_child([&](const xml::Element& child) {
    worth = worth || !is_companion(child);
    unwanted =
        unwanted || (child.ns() == ns::hints && (child.name() == "no-store" || child.name() == "no-permanent-store"));
  });
  return worth && !unwanted;
}

xmpp::Stanza with_to(xmpp::Stanza stanza, const xmpp::Jid& to) {
  stanza.set_to(to);
  return stanza;
}

/// An error that says that its sender can't be reached at all (§18.1.2), not only that he did not like what he got.
bool is_out_of_reach(const xmpp::Stanza& stanza) {
  const xml::Element* error = stanza.element().child("error", client_ns);
  const xml::Element* condition = error == nullptr ? nullptr : error->child_in(xmpp::ns::stanza_errors);
  if (condition == nullptr) return false;
  constexpr std::string_view words[] = {"gone",
                                        "item-not-found",
                                        "recipient-unavailable",
                                        "redirect",
                                        "remote-server-not-found",
                                        "remote-server-timeout",
                                        "service-unavailable",
                                        "jid-malformed"};
  return std::ranges::find(words, condition->name()) != std::end(words);
}

}  // namespace

bool worth_telling(const xmpp::Stanza& message) {
  const xml::Element& element = message.element();
  if (changes_subject(element)) return false;
  // XEP-0424: what was taken back is not told again, nor that it was.
  if (element.child("retracted", xmpp::ns::retraction) != nullptr || xmpp::retracted_id(element) ||
      element.child("apply-to", xmpp::ns::fastening) != nullptr)
    return false;
  bool worth = false;
  element.for_each_child(
      [&](const xml::Element& child) { worth = worth || !(is_companion(child) || is_status(child)); });
  return worth;
}

void Room::message(xmpp::Stanza stanza, Ticket gate) {
  const xmpp::Jid& from = *stanza.from();
  Occupant* occupant = occupant_of(from);
  if (stanza.type() == StanzaType::error) {
    // §7.5: an error about a private message is its sender's to know. A room's own message that can't be delivered
    // means that its receiver is gone.
    if (occupant != nullptr && is_out_of_reach(stanza)) leave(*occupant, from, {.gone = true, .codes = {307, 333}});
    return;
  }
  if (stanza.to()->is_bare() && stanza.type() != StanzaType::groupchat) return to_room(stanza);
  if (occupant == nullptr) {
    // §17.2: what is locked is not there yet.
    return refuse(stanza, locked_ ? Condition::item_not_found : Condition::not_acceptable, "Enter the room first.");
  }
  if (!rate_.take(1, out_.clock.now())) {
    out_.events.limit_hit("room_messages");
    return refuse(stanza, too_fast());
  }
  if (stanza.to()->is_full()) return private_message(*occupant, std::move(stanza), gate);
  if (changes_subject(stanza.element())) return set_subject(*occupant, std::move(stanza), gate);
  groupchat(*occupant, std::move(stanza), gate);
}

void Room::to_all(xmpp::Stanza message, Ticket gate, std::optional<xmpp::Stanza> if_failed) {
  message.share();
  if (if_failed) if_failed->share();
  for (const auto& [key, receiver] : occupants_) {
    for (const Client& client : receiver->clients) send(message, client.jid, gate, if_failed);
  }
}

// §7.4
void Room::groupchat(const Occupant& occupant, xmpp::Stanza stanza, Ticket gate) {
  if (occupant.role < Role::participant) return refuse(stanza, Condition::forbidden, "You have no voice here.");
  if (auto refusal = refusal_of_pace(occupant, stanza)) return refuse(stanza, *refusal);
  const xmpp::Jid client = *stanza.from();
  clean(stanza);
  stanza.set_from(occupant_jid(occupant.nick));
  stanza.edit().add(xml::Element("occupant-id", ns::occupant_id).set("id", occupant.id));
  if (!worth_keeping(stanza.element())) return to_all(stanza, gate, {});
  std::optional<xmpp::Stanza> if_failed;
  std::uint64_t id = 0;
  if (config_.archived && !locked_) {
    const auto added = archive_or_retract(stanza, occupant, client);
    id = added.id;
    gate = storage::later(gate, added.ticket);
    // What the disk refuses is said all the same, without an id that nobody could ask for.
    if_failed = stanza;
    add_stanza_id(stanza, added.id);
  }
  to_all(stanza, gate, if_failed);
  tell_absent(stanza, gate);
  forget_retracted(stanza, occupant.account.text());
  if (worth_telling(stanza)) keep(std::move(stanza), id, occupant.account.text());
}

std::optional<StanzaError> Room::refusal_of_pace(const Occupant& occupant, const xmpp::Stanza& message) {
  if (config_.slow_mode == 0 || message.content().child("body", client_ns) == nullptr ||
      affiliation_of(occupant.account) >= Affiliation::admin)
    return std::nullopt;
  const MonotonicTime now = out_.clock.now();
  const Duration pause = std::chrono::seconds(config_.slow_mode);
  // By account: neither another client nor another nick is faster.
  const auto said = last_said_.find(occupant.account);
  if (said != last_said_.end() && now - said->second < pause)
    return StanzaError{xmpp::ErrorType::wait, Condition::policy_violation,
                       "Between two messages here are at least " + std::to_string(config_.slow_mode) + " seconds."};
  if (last_said_.size() >= out_.limits.room_occupants)
    std::erase_if(last_said_, [&](const auto& one) { return now - one.second >= pause; });
  last_said_[occupant.account] = now;
  return std::nullopt;
}

// In a room for members all of them are told, elsewhere those who have asked for it when they registered. What for
// their clients is, they read from the archive: this only wakes them.
void Room::tell_absent(const xmpp::Stanza& message, Ticket gate) {
  if (locked_ || !worth_telling(message)) return;
  const auto wants = [&](const auto& one) {
    const auto& [jid, person] = one;
    if (person.affiliation < Affiliation::member) return false;
    return person.notices || (config_.members_only && out_.hosts.is_local(jid.domainpart()));
  };
  std::set<xmpp::BareJid> absent;
  for (const auto& one : people_) {
    if (wants(one)) absent.insert(one.first);
  }
  if (absent.empty()) return;
  for (const auto& [key, occupant] : occupants_) absent.erase(occupant->account);
  for (const xmpp::BareJid& person : absent) {
    if (!notices_left_.take(1, out_.clock.now())) return out_.events.limit_hit("room_notices");
    send(message, person, gate);
  }
}

// §8.1
void Room::set_subject(const Occupant& occupant, xmpp::Stanza stanza, Ticket gate) {
  const bool may = occupant.role == Role::moderator || (config_.change_subject && occupant.role == Role::participant);
  if (!may) return refuse(stanza, Condition::forbidden, "You may not change the subject.");
  if (stanza.element().child("subject", client_ns)->text().size() > out_.limits.room_subject_bytes) {
    out_.events.limit_hit("room_subject_bytes");
    return refuse(stanza, Condition::not_acceptable, "The subject is too long.");
  }
  const auto failed = xmpp::error_reply(stanza, StanzaError::storage_failed());
  const xmpp::Jid client = *stanza.from();
  clean(stanza);
  stanza.set_from(occupant_jid(occupant.nick));
  stanza.edit().add(xml::Element("occupant-id", ns::occupant_id).set("id", occupant.id));
  std::optional<std::uint64_t> id;
  if (!locked_ && config_.archived) {
    const auto added =
        out_.archive.add(jid_, out_.clock.wall(), *stanza.from(), archived_text(stanza, occupant, client));
    wrote(added.ticket);
    id = added.id;
    gate = storage::later(gate, added.ticket);
  }
  if (id) add_stanza_id(stanza, *id);
  // §7.2.15: who comes later is told since when.
  xmpp::Stanza dated = stanza;
  dated.edit().add(xmpp::delay_element(jid_, xmpp::format_datetime(out_.clock.wall())));
  if (!locked_) {
    const Ticket ticket = wrote(out_.store.put_subject(jid_, xml::to_string(dated.element(), client_ns)));
    gate = storage::later(gate, ticket);
  }
  subject_ = std::move(dated);
  stanza.share();
  for (const auto& [key, receiver] : occupants_) {
    for (const Client& other : receiver->clients) {
      if (other.jid == client) {
        out_.delivery.route(with_to(stanza, client), gate, failed);
      } else {
        send(stanza, other.jid, gate);
      }
    }
  }
}

// §7.5
void Room::private_message(const Occupant& occupant, xmpp::Stanza stanza, Ticket gate) {
  if (stanza.type() == StanzaType::groupchat) return refuse(stanza, Condition::bad_request, "That is for the room.");
  const Occupant* receiver = occupant_named(stanza.to()->resourcepart());
  if (receiver == nullptr) return refuse(stanza, Condition::item_not_found, "Nobody has this nick.");
  bool may = true;
  switch (config_.allow_pm) {
    case AllowPm::anyone:
      break;
    case AllowPm::participants:
      may = occupant.role >= Role::participant;
      break;
    case AllowPm::moderators:
      may = occupant.role == Role::moderator;
      break;
    case AllowPm::none:
      may = false;
      break;
  }
  // §8.4: whoever has no voice can still ask those who can give it.
  if (!may && receiver->role != Role::moderator)
    return refuse(stanza, Condition::forbidden, "There are no private messages here.");
  clean(stanza);
  stanza.set_from(occupant_jid(occupant.nick));
  stanza.edit().add(xml::Element("x", ns::user));
  stanza.edit().add(xml::Element("occupant-id", ns::occupant_id).set("id", occupant.id));
  for (const Client& client : receiver->clients) send(stanza, client.jid, gate);
}

// --- to the room, not into it
// ------------------------------------------------------------------------------------------------

void Room::to_room(const xmpp::Stanza& stanza) {
  if (const xml::Element* x = stanza.element().child("x", ns::user)) {
    if (const xml::Element* answer = x->child("decline", ns::user)) return decline(stanza, *answer);
    if (x->child("invite", ns::user) != nullptr) return invite(stanza, *x);
  }
  if (const xml::Element* x = stanza.element().child("x", xmpp::ns::data_forms)) {
    const auto form = xmpp::DataForm::parse(*x);
    if (form && form->value("FORM_TYPE") == ns::register_form) return judge_registration(stanza, *form);
    return voice_request(stanza, *x);
  }
  refuse(stanza, Condition::service_unavailable);
}

// §7.8.2
void Room::invite(const xmpp::Stanza& stanza, const xml::Element& request) {
  const xmpp::Jid& from = *stanza.from();
  const Occupant* inviter = occupant_of(from);
  if (inviter == nullptr) return refuse(stanza, Condition::not_acceptable, "Enter the room first.");
  const Affiliation affiliation = affiliation_of(from);
  const bool members = config_.members_only;
  const bool may =
      !members || affiliation >= Affiliation::admin || (config_.allow_invites && affiliation >= Affiliation::member);
  // §5.1.1: visitors, too.
  if (!may) return refuse(stanza, Condition::forbidden);
  if (!rate_.take(1, out_.clock.now())) {
    out_.events.limit_hit("room_messages");
    return refuse(stanza, too_fast());
  }
  std::vector<std::pair<xmpp::Jid, const xml::Element*>> invited;
  bool sound = true;
  request.for_each_child([&](const xml::Element& child) {
    if (!child.is("invite", ns::user)) return;
    auto to = xmpp::Jid::parse(child.attribute("to").value_or(""));
    sound = sound && to && invited.size() < invitations_at_once;
    if (sound) invited.emplace_back(*std::move(to), &child);
  });
  if (!sound) return refuse(stanza, Condition::jid_malformed, "Whom to invite?");
  for (const auto& [to, child] : invited) {
    const xmpp::BareJid person = xmpp::BareJid::of(to);
    const Affiliation has = affiliation_of(person);
    if (has == Affiliation::outcast) return refuse(stanza, Condition::forbidden, "That address is banned.");
    Ticket gate;
    if (members && has < Affiliation::member) {
      if (people_.size() >= out_.limits.room_people) {
        out_.events.limit_hit("room_people");
        return refuse(stanza, Condition::resource_constraint, "The room has too many members.");
      }
      people_[person] = {.affiliation = Affiliation::member};
      gate = store_person(person);
    }
    xml::Element invitation("invite", ns::user);
    invitation.set("from", inviter->account.text());
    for (const std::string_view name : {"reason", "continue"}) {
      if (const xml::Element* part = child->child(name, ns::user)) invitation.add(*part);
    }
    xml::Element x("x", ns::user);
    x.add(std::move(invitation));
    if (!config_.password.empty()) x.add_text_child("password", config_.password);
    xml::Element element("message", client_ns);
    element.set("from", jid_.text());
    if (!stanza.id().empty()) element.set("id", std::string(stanza.id()));
    element.add(std::move(x));
    invitations_.emplace_back(inviter->account, person);
    if (invitations_.size() > most_invitations) invitations_.pop_front();
    send(xmpp::Stanza::make(std::move(element)), to, gate);
  }
}

// SECURITY: only to who has invited, else a room would carry anybody's words to anybody.
void Room::decline(const xmpp::Stanza& stanza, const xml::Element& answer) {
  const auto to = xmpp::Jid::parse(answer.attribute("to").value_or(""));
  if (!to) return refuse(stanza, Condition::jid_malformed, "Whose invitation?");
  const xmpp::BareJid person = xmpp::BareJid::of(*stanza.from());
  const auto found = std::ranges::find(invitations_, std::pair(xmpp::BareJid::of(*to), person));
  if (found == invitations_.end()) return refuse(stanza, Condition::item_not_found);
  invitations_.erase(found);
  xml::Element declined("decline", ns::user);
  declined.set("from", person.text());
  if (const xml::Element* reason = answer.child("reason", ns::user)) declined.add(*reason);
  xml::Element x("x", ns::user);
  x.add(std::move(declined));
  xml::Element element("message", client_ns);
  element.set("from", jid_.text());
  element.add(std::move(x));
  send(xmpp::Stanza::make(std::move(element)), *to);
}

// §7.13, §8.6
void Room::voice_request(const xmpp::Stanza& stanza, const xml::Element& element) {
  const Occupant* occupant = occupant_of(*stanza.from());
  if (occupant == nullptr) return refuse(stanza, Condition::not_acceptable, "Enter the room first.");
  const auto form = xmpp::DataForm::parse(element);
  if (!form || form->value("FORM_TYPE") != ns::request) return refuse(stanza, Condition::bad_request);
  if (!rate_.take(1, out_.clock.now())) {
    out_.events.limit_hit("room_messages");
    return refuse(stanza, too_fast());
  }
  const auto nick = form->value("muc#roomnick");
  if (occupant->role == Role::moderator && nick) {
    Occupant* asker = occupant_named(*nick);
    const auto allowed = form->value("muc#request_allow");
    if (asker != nullptr && asker->role == Role::visitor && (allowed == "1" || allowed == "true"))
      set_role(*asker, Role::participant, occupant->nick, {});
    return;
  }
  if (occupant->role != Role::visitor) return;
  xmpp::DataForm question{.type = "form", .title = "Request for voice", .instructions = {}, .fields = {}};
  question.fields.push_back({.var = "FORM_TYPE", .type = "hidden", .values = {std::string(ns::request)}});
  question.fields.push_back(
      {.var = "muc#role", .type = "list-single", .label = "Role that is asked for", .values = {"participant"}});
  question.fields.push_back(
      {.var = "muc#jid", .type = "jid-single", .label = "Address", .values = {stanza.from()->text()}});
  question.fields.push_back(
      {.var = "muc#roomnick", .type = "text-single", .label = "Nick", .values = {occupant->nick}});
  question.fields.push_back(
      {.var = "muc#request_allow", .type = "boolean", .label = "Let this person speak?", .values = {"0"}});
  xml::Element message("message", client_ns);
  message.set("from", jid_.text());
  message.add(question.to_element());
  const xmpp::Stanza asked = xmpp::Stanza::make(std::move(message));
  for (const auto& [key, moderator] : occupants_) {
    if (moderator->role != Role::moderator) continue;
    for (const Client& client : moderator->clients) send(asked, client.jid);
  }
}

}  // namespace kith::modules::muc
