// What is asked of a room and of its occupants by iq: discovery, affiliations and roles, configuration, the way from
// one occupant's client to another's (XEP-0045 §6, §8 to §10, §17; XEP-0410).
#include <algorithm>
#include <utility>

#include "modules/rooms/room.h"
#include "xmpp/namespaces.h"
#include "xmpp/retraction.h"

namespace kith::modules::muc {

using storage::Ticket;
using xmpp::Condition;
using xmpp::StanzaError;
using xmpp::StanzaType;

void Room::iq(xmpp::Stanza stanza) {
  if (stanza.to()->is_full())
    return stanza.is_iq_request() ? iq_to_occupant(std::move(stanza)) : iq_answer(std::move(stanza));
  if (!stanza.is_iq_request()) return;
  // §10.1.1
  if (locked_ && affiliation_of(*stanza.from()) != Affiliation::owner) return refuse(stanza, Condition::item_not_found);
  const xml::Element& payload = *stanza.payload();
  const bool get = stanza.type() == StanzaType::get;
  if (get && payload.is("query", xmpp::ns::disco_info)) return info(stanza);
  if (get && payload.is("query", xmpp::ns::disco_items)) return items(stanza);
  if (get && payload.is("ping", xmpp::ns::ping)) return reply(stanza);
  if (payload.is("query", ns::admin)) return get ? list(stanza) : administer(stanza);
  if (payload.is("query", ns::owner)) return get ? tell_config(stanza) : owner_asks(stanza);
  if (!get && payload.is("moderate", ns::moderation) && payload.child("retract", xmpp::ns::retraction) != nullptr)
    return moderate(stanza, payload.attribute("id").value_or(""), payload.child("reason", ns::moderation));
  // COMPAT(clients of XEP-0425 v0.2, since 2026, drop when nobody has them)
  const xml::Element* older =
      !get && payload.is("apply-to", xmpp::ns::fastening) ? payload.child("moderate", ns::moderation_0) : nullptr;
  if (older != nullptr && older->child("retract", xmpp::ns::retraction_0) != nullptr)
    return moderate(stanza, payload.attribute("id").value_or(""), older->child("reason", ns::moderation_0));
  if (payload.is("query", ns::registration)) return registration(stanza);
  if (payload.is("vCard", ns::vcard)) return get ? tell_vcard(stanza) : set_vcard(stanza);
  if (module::is_archive_namespace(payload.ns()) &&
      (payload.name() == "query" || (get && payload.is("metadata", module::ns::archive))))
    return archive_iq(stanza);
  refuse(stanza, Condition::service_unavailable);
}

// --- between occupants
// -------------------------------------------------------------------------------------------------------

void Room::iq_to_occupant(xmpp::Stanza stanza) {
  const Occupant* asker = occupant_of(*stanza.from());
  if (asker == nullptr) {
    // §6.6 says so of discovery, XEP-0410 §3.3 the other of pings.
    const std::string_view ns = stanza.payload()->ns();
    const bool discovery = ns == xmpp::ns::disco_info || ns == xmpp::ns::disco_items;
    return refuse(stanza, discovery ? Condition::bad_request : Condition::not_acceptable, "Enter the room first.");
  }
  const Occupant* asked = occupant_named(stanza.to()->resourcepart());
  if (asked == nullptr) return refuse(stanza, Condition::item_not_found, "Nobody has this nick.");
  const xml::Element& payload = *stanza.payload();
  // XEP-0410 §3.3: the room knows the answer.
  if (asked == asker && payload.is("ping", xmpp::ns::ping)) return reply(stanza);
  if (!rate_.take(1, out_.clock.now())) {
    out_.events.limit_hit("room_messages");
    return refuse(stanza, too_fast());
  }
  const std::string id = out_.random.token();
  questions_.push_back(
      {.id = id, .asker = *stanza.from(), .asked = asked->account, .original_id = std::string(stanza.id())});
  if (questions_.size() > most_questions) questions_.pop_front();
  // §17.3.2: what the server answers for an account goes to the account.
  const bool for_account = payload.is("vCard", ns::vcard);
  const xmpp::Jid to = for_account ? xmpp::Jid(asked->account) : asked->clients.back().jid;
  stanza.edit().set("id", id);
  stanza.set_from(occupant_jid(asker->nick));
  send(std::move(stanza), to);
}

void Room::iq_answer(xmpp::Stanza stanza) {
  // SECURITY: the id can't be guessed, and the answer must be that of who was asked.
  const auto found = std::ranges::find_if(questions_, [&](const Question& question) {
    return question.id == stanza.id() && question.asked.text() == stanza.from()->bare_text();
  });
  if (found == questions_.end()) return;
  const Question question = std::move(*found);
  questions_.erase(found);
  const auto there = std::ranges::find(occupants_, question.asked, [](const auto& one) { return one.second->account; });
  if (there == occupants_.end() || occupant_of(question.asker) == nullptr) return;
  stanza.edit().set("id", question.original_id);
  stanza.set_from(occupant_jid(there->second->nick));
  send(std::move(stanza), question.asker);
}

// --- discovery
// -------------------------------------------------------------------------------------------------------------------

// §6.4
void Room::info(const xmpp::Stanza& request) {
  const std::string_view node = request.payload()->attribute("node").value_or("");
  xml::Element query("query", xmpp::ns::disco_info);
  if (!node.empty()) {
    // §7.12
    if (node != "x-roomuser-item") {
      // §17.1.1: there is none of it, since everything passes.
      return refuse(request, node == ns::traffic ? Condition::feature_not_implemented : Condition::item_not_found);
    }
    query.set("node", std::string(node));
    const auto person = people_.find(xmpp::BareJid::of(*request.from()));
    if (person != people_.end() && !person->second.nick.empty()) {
      xml::Element identity("identity", xmpp::ns::disco_info);
      identity.set("category", "conference").set("name", person->second.nick).set("type", "text");
      query.add(std::move(identity));
    }
    return reply(request, std::move(query));
  }
  xml::Element identity("identity", xmpp::ns::disco_info);
  identity.set("category", "conference").set("type", "text");
  identity.set("name", config_.name.empty() ? std::string(jid_.localpart()) : config_.name);
  query.add(std::move(identity));
  std::vector<std::string_view> features{xmpp::ns::disco_info,
                                         xmpp::ns::disco_items,
                                         ns::muc,
                                         ns::stable_id,
                                         ns::self_ping,
                                         ns::occupant_id,
                                         ns::vcard,
                                         ns::registration,
                                         ns::offline,
                                         xmpp::ns::stanza_ids,
                                         xmpp::ns::ping,
                                         config_.listed ? "muc_public" : "muc_hidden",
                                         config_.members_only ? "muc_membersonly" : "muc_open",
                                         config_.moderated ? "muc_moderated" : "muc_unmoderated",
                                         config_.whois == Whois::anyone ? "muc_nonanonymous" : "muc_semianonymous",
                                         config_.password.empty() ? "muc_unsecured" : "muc_passwordprotected",
                                         config_.persistent ? "muc_persistent" : "muc_temporary"};
  if (config_.archived && !locked_) {
    features.insert(features.end(),
                    {module::ns::archive, module::ns::archive_1, module::ns::archive_0, module::ns::archive_extended,
                     xmpp::ns::retraction, xmpp::ns::retraction_tombstone, ns::moderation, ns::moderation_0});
  }
  for (const std::string_view feature : features)
    query.add(xml::Element("feature", xmpp::ns::disco_info).set("var", std::string(feature)));
  xmpp::DataForm form{.type = "result", .title = {}, .instructions = {}, .fields = {}};
  form.fields.push_back({.var = "FORM_TYPE", .type = "hidden", .values = {std::string(ns::room_info)}});
  form.fields.push_back({.var = "muc#roominfo_description", .values = {config_.description}});
  form.fields.push_back({.var = "muc#roominfo_occupants", .values = {std::to_string(occupants_.size())}});
  form.fields.push_back({.var = "muc#maxhistoryfetch", .values = {std::to_string(config_.history)}});
  form.fields.push_back(
      {.var = "muc#roominfo_slow_mode_duration", .type = "text-single", .values = {std::to_string(config_.slow_mode)}});
  if (!avatar_hashes_.empty()) form.fields.push_back({.var = "muc#roominfo_avatarhash", .values = avatar_hashes_});
  if (!config_.language.empty()) form.fields.push_back({.var = "muc#roominfo_lang", .values = {config_.language}});
  query.add(form.to_element());
  reply(request, std::move(query));
}

// §6.5
void Room::items(const xmpp::Stanza& request) {
  xml::Element query("query", xmpp::ns::disco_items);
  const bool shown = config_.listed && !config_.members_only && config_.password.empty();
  if (occupant_of(*request.from()) != nullptr || shown) {
    for (const auto& [key, occupant] : occupants_)
      query.add(xml::Element("item", xmpp::ns::disco_items).set("jid", occupant_jid(occupant->nick).text()));
  }
  reply(request, std::move(query));
}

// --- people
// --------------------------------------------------------------------------------------------------------------------

// §8.5, §9.2, §9.5, §9.8, §10.5, §10.8
void Room::list(const xmpp::Stanza& request) {
  const xml::Element* asked = request.payload()->child("item", ns::admin);
  if (asked == nullptr) return refuse(request, Condition::bad_request);
  const Standing actor = standing_of(*request.from());
  xml::Element query("query", ns::admin);
  if (const auto word = asked->attribute("role")) {
    const auto role = role_from(*word);
    if (!role) return refuse(request, Condition::bad_request);
    // §9.8: who keeps order is the admins' affair, who may speak (§8.5) that of those who keep it.
    const bool may = *role == Role::moderator ? actor.affiliation >= Affiliation::admin : actor.role == Role::moderator;
    if (!may) return refuse(request, Condition::forbidden);
    for (const auto& [key, occupant] : occupants_) {
      if (occupant->role != *role) continue;
      xml::Element item("item", ns::admin);
      item.set("affiliation", std::string(wire_word(affiliation_of(occupant->account))))
          .set("jid", occupant->clients.back().jid.text())
          .set("nick", occupant->nick)
          .set("role", std::string(wire_word(occupant->role)));
      query.add(std::move(item));
    }
    return reply(request, std::move(query));
  }
  const auto affiliation = affiliation_from(asked->attribute("affiliation").value_or(""));
  if (!affiliation || *affiliation == Affiliation::none) return refuse(request, Condition::bad_request);
  // §9.5: whoever may see real addresses and belongs to the room may know who else does; encryption needs it.
  const bool belongs =
      config_.members_only && config_.whois == Whois::anyone && actor.affiliation >= Affiliation::member;
  // §10.5, §10.8: an owner's affair where addresses are not everybody's to see.
  const bool own = *affiliation >= Affiliation::admin && config_.whois != Whois::anyone;
  const bool may = actor.affiliation >= (own ? Affiliation::owner : Affiliation::admin);
  if (!may && !(belongs && *affiliation != Affiliation::outcast)) return refuse(request, Condition::forbidden);
  for (const auto& [jid, person] : people_) {
    if (person.affiliation != *affiliation) continue;
    xml::Element item("item", ns::admin);
    item.set("affiliation", std::string(wire_word(person.affiliation))).set("jid", jid.text());
    if (!person.nick.empty()) item.set("nick", person.nick);
    if (!person.reason.empty()) item.add_text_child("reason", person.reason);
    query.add(std::move(item));
  }
  reply(request, std::move(query));
}

// §8, §9, §10: all of what is asked, or nothing.
void Room::administer(const xmpp::Stanza& request) {
  const xmpp::Jid& from = *request.from();
  const Standing actor = standing_of(from);
  const Occupant* own = occupant_of(from);
  const std::string actor_nick = own == nullptr ? std::string() : own->nick;
  struct Wanted {
    std::optional<xmpp::BareJid> jid;
    std::string key;
    std::optional<Affiliation> affiliation;
    std::optional<Role> role;
    std::string reason;
    std::optional<std::string> nick;  ///< that is kept from now on; empty: none
  };
  std::vector<Wanted> all;
  std::optional<StanzaError> error;
  // As it will be when all is done: an owner may make another one and step down in one request.
  std::map<xmpp::BareJid, Affiliation> planned;
  std::ptrdiff_t owners_more = 0;
  std::ptrdiff_t people_more = 0;
  const auto judge = [&](const xml::Element& item) -> std::optional<StanzaError> {
    Wanted wanted;
    // §17.4
    if (item.attribute("affiliation") && item.attribute("role")) return StanzaError::of(Condition::bad_request);
    if (const xml::Element* reason = item.child("reason", ns::admin))
      wanted.reason = reason->text().substr(0, RoomConfig::most_text_bytes);
    const Occupant* subject = nullptr;
    if (const auto nick = item.attribute("nick")) subject = occupant_named(*nick);
    if (const auto jid = item.attribute("jid")) {
      const auto parsed = xmpp::Jid::parse(*jid);
      if (!parsed) return StanzaError::of(Condition::jid_malformed);
      wanted.jid = xmpp::BareJid::of(*parsed);
    } else if (subject != nullptr) {
      wanted.jid = subject->account;
    }
    if (const auto word = item.attribute("affiliation")) {
      wanted.affiliation = affiliation_from(*word);
      if (!wanted.affiliation) return StanzaError::of(Condition::bad_request);
      if (!wanted.jid) return StanzaError::of(Condition::item_not_found, "Nobody has this nick.");
      const Affiliation has = affiliation_of(*wanted.jid);
      if (auto refusal = refusal_of_affiliation(actor.affiliation, has, *wanted.affiliation)) return refusal;
      const bool himself = *wanted.jid == xmpp::BareJid::of(from);
      if (himself && *wanted.affiliation == Affiliation::outcast) return StanzaError::of(Condition::conflict);
      // §9.5: with the address beside it, the nick is the one to keep for him.
      if (const auto nick = item.attribute("nick"); nick && item.attribute("jid")) {
        if (!nick->empty() && *wanted.affiliation >= Affiliation::member) {
          if (auto refusal = refusal_of_nick(*nick, *wanted.jid)) return refusal;
        }
        wanted.nick = nick->empty() ? std::string() : xmpp::prepare_resourcepart(*nick).value_or("");
      }
      Affiliation& plan = planned.try_emplace(*wanted.jid, has).first->second;
      owners_more += (*wanted.affiliation == Affiliation::owner ? 1 : 0) - (plan == Affiliation::owner ? 1 : 0);
      people_more += (*wanted.affiliation != Affiliation::none ? 1 : 0) - (plan != Affiliation::none ? 1 : 0);
      plan = *wanted.affiliation;
      all.push_back(std::move(wanted));
      return std::nullopt;
    }
    if (const auto word = item.attribute("role")) {
      wanted.role = role_from(*word);
      if (!wanted.role) return StanzaError::of(Condition::bad_request);
      if (subject == nullptr) return StanzaError::of(Condition::item_not_found, "Nobody has this nick.");
      wanted.key = subject->key;
      const Standing has{.affiliation = affiliation_of(subject->account), .role = subject->role};
      if (auto refusal = refusal_of_role(actor, has, *wanted.role)) return refusal;
      all.push_back(std::move(wanted));
      return std::nullopt;
    }
    return StanzaError::of(Condition::bad_request);
  };
  request.payload()->for_each_child([&](const xml::Element& item) {
    if (!error && item.is("item", ns::admin)) error = judge(item);
  });
  if (!error && all.empty()) error = StanzaError::of(Condition::bad_request);
  // §10.4: a room is never without owner.
  if (!error && owners_more < 0 && std::cmp_equal(owners(), -owners_more))
    error = StanzaError::of(Condition::conflict, "A room needs an owner.");
  if (!error && people_more > 0 && people_.size() + static_cast<std::size_t>(people_more) > out_.limits.room_people) {
    out_.events.limit_hit("room_people");
    error = StanzaError::of(Condition::resource_constraint, "The room has too many people.");
  }
  if (error) return refuse(request, *error);
  for (const Wanted& wanted : all) {
    if (wanted.affiliation) {
      set_affiliation(*wanted.jid, *wanted.affiliation, actor_nick, wanted.reason);
      const auto person = people_.find(*wanted.jid);
      if (wanted.nick && person != people_.end() && *wanted.affiliation >= Affiliation::member)
        reserve(*wanted.jid, *wanted.nick, person->second.notices);
    } else if (const auto found = occupants_.find(wanted.key); found != occupants_.end()) {
      set_role(*found->second, *wanted.role, actor_nick, wanted.reason);
    }
  }
  reply(request, {}, last_write_);
}

void Room::set_affiliation(const xmpp::BareJid& jid, Affiliation affiliation, const std::string& actor,
                           const std::string& reason) {
  // §9.1: nothing is kept for who does not belong to the room any more.
  if (affiliation < Affiliation::member && people_.contains(jid)) reserve(jid, {}, false);
  if (affiliation == Affiliation::none) {
    people_.erase(jid);
  } else {
    Person& person = people_[jid];
    person.affiliation = affiliation;
    person.reason = reason;
  }
  store_person(jid);
  follow_affiliation(jid, actor, reason);
}

void Room::follow_affiliation(const xmpp::BareJid& jid, const std::string& actor, const std::string& reason) {
  const Affiliation affiliation = affiliation_of(jid);
  std::vector<std::string> keys;
  for (const auto& [key, occupant] : occupants_) {
    if (occupant->account == jid) keys.push_back(key);
  }
  for (const std::string& key : keys) {
    const auto found = occupants_.find(key);
    if (found == occupants_.end()) continue;
    Occupant& occupant = *found->second;
    if (affiliation == Affiliation::outcast) {
      remove(occupant, {.actor = actor, .reason = reason, .codes = {301}});
    } else if (config_.members_only && affiliation == Affiliation::none) {
      remove(occupant, {.actor = actor, .reason = reason, .codes = {321}});
    } else {
      occupant.role = role_for(affiliation);
      announce(occupant, occupant.clients.back(), {.actor = actor, .reason = reason});
    }
  }
}

void Room::forget(const xmpp::BareJid& account) {
  if (people_.contains(account)) reserve(account, {}, false);
  if (people_.erase(account) != 0) follow_affiliation(account, {}, {});
}

void Room::set_role(Occupant& occupant, Role role, const std::string& actor, const std::string& reason) {
  if (role == Role::none) return remove(occupant, {.actor = actor, .reason = reason, .codes = {307}});
  if (occupant.role == role) return;
  occupant.role = role;
  announce(occupant, occupant.clients.back(), {.actor = actor, .reason = reason});
}

// --- configuration
// ---------------------------------------------------------------------------------------------------------------

// §10.2
void Room::tell_config(const xmpp::Stanza& request) {
  if (affiliation_of(*request.from()) != Affiliation::owner) return refuse(request, Condition::forbidden);
  xml::Element query("query", ns::owner);
  query.add(form_element(config_));
  reply(request, std::move(query));
}

void Room::owner_asks(const xmpp::Stanza& request) {
  if (affiliation_of(*request.from()) != Affiliation::owner) return refuse(request, Condition::forbidden);
  const xml::Element& query = *request.payload();
  if (const xml::Element* asked = query.child("destroy", ns::owner)) {
    // §10.9
    xml::Element told("destroy", ns::user);
    if (const auto elsewhere = asked->attribute("jid")) {
      if (!xmpp::Jid::parse(*elsewhere)) return refuse(request, Condition::jid_malformed);
      told.set("jid", std::string(*elsewhere));
    }
    for (const std::string_view name : {"reason", "password"}) {
      if (const xml::Element* part = asked->child(name, ns::owner)) told.add_text_child(name, part->text());
    }
    destroy(std::move(told));
    return reply(request, {}, last_write_);
  }
  if (const xml::Element* form = query.child("x", xmpp::ns::data_forms)) return configure(request, *form);
  refuse(request, Condition::bad_request);
}

void Room::configure(const xmpp::Stanza& request, const xml::Element& element) {
  const auto form = xmpp::DataForm::parse(element);
  if (!form) return refuse(request, form.error());
  if (form->type == "cancel") {
    // §10.1.3: a new room that its owner does not want after all.
    if (locked_) destroy({});
    return reply(request);
  }
  if (form->type != "submit") return refuse(request, Condition::bad_request);
  const auto wanted = apply(config_, *form);
  if (!wanted) return refuse(request, wanted.error());
  take_config(*wanted);
  reply(request, {}, last_write_);
}

void Room::take_config(const RoomConfig& wanted) {
  const RoomConfig before = std::exchange(config_, wanted);
  const bool created = std::exchange(locked_, false);
  if (created || config_ != before) store_config();
  if (created) {
    for (const auto& [jid, person] : people_) store_person(jid);
  }
  if (!created) follow_config(before);
}

void Room::follow_config(const RoomConfig& before) {
  if (config_ == before) return;
  // §10.2.1
  std::vector<int> codes;
  if (config_.archived != before.archived) codes.push_back(config_.archived ? 170 : 171);
  if (config_.whois != before.whois) codes.push_back(config_.whois == Whois::anyone ? 172 : 173);
  if (codes.empty()) codes.push_back(104);
  tell_status(codes, last_write_);
  // §10.1.3: who is no member of what is members-only now has to leave.
  std::vector<std::string> keys;
  for (const auto& [key, occupant] : occupants_) keys.push_back(key);
  for (const std::string& key : keys) {
    const auto found = occupants_.find(key);
    if (found == occupants_.end()) continue;
    Occupant& occupant = *found->second;
    if (config_.members_only && !before.members_only && affiliation_of(occupant.account) < Affiliation::member)
      remove(occupant, {.codes = {322}});
  }
}

void Room::tell_status(const std::vector<int>& codes, Ticket gate) {
  xml::Element x("x", ns::user);
  for (const int code : codes) x.add(xml::Element("status", ns::user).set("code", std::to_string(code)));
  xml::Element message("message", xmpp::ns::client);
  message.set("type", "groupchat").set("from", jid_.text());
  message.add(std::move(x));
  to_all(xmpp::Stanza::make(std::move(message)), gate, {});
}

void Room::destroy(std::optional<xml::Element> destroyed) {
  if (!locked_) wrote(out_.store.remove(jid_));
  finished_ = true;
  people_.clear();
  if (!destroyed) destroyed = xml::Element("destroy", ns::user);
  std::vector<std::string> keys;
  for (const auto& [key, occupant] : occupants_) keys.push_back(key);
  for (const std::string& key : keys) {
    // Each is told of himself only: the room is gone for all.
    const auto node = occupants_.extract(key);
    Occupant& occupant = *node.mapped();
    for (const Client& client : occupant.clients) {
      by_client_.erase(client.jid);
      send(presence_of(occupant, client, {.gone = true, .destroyed = destroyed}, true, true), client.jid);
    }
  }
}

}  // namespace kith::modules::muc
