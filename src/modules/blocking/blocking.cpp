#include "modules/blocking/blocking.h"

#include <optional>
#include <string>
#include <utility>

#include "module/presence.h"
#include "xmpp/namespaces.h"

namespace kith::modules {

namespace {

using module::Access;
using module::Account;
using module::BlockList;
using module::Done;
using module::Next;
using module::Outcome;
using module::Session;
using module::Target;
using xmpp::Condition;
using xmpp::ErrorType;
using xmpp::StanzaError;
using xmpp::StanzaType;

constexpr std::size_t document_bytes = 256 * 1024;  // the list leaves in one stanza
constexpr std::size_t reported_messages = 20;
constexpr std::size_t reported_id_bytes = 256;
constexpr std::size_t reported_text_bytes = 2000;

/// On a session: it has asked for the list, and gets pushes (§3.2).
struct WantsPushes {
  bool on = false;
};

/// On an account: the last write of its list.
struct LastWrite {
  storage::Ticket ticket;
};

/// Not the account itself and its server: nobody would be left to answer the client.
bool blocks(const Account& account, const std::optional<xmpp::Jid>& other) {
  return other && !account.block_list().empty() && other->bare_text() != account.jid().text() &&
         other->text() != account.jid().domainpart() && account.block_list().blocks(*other);
}

using Jids = std::vector<xmpp::Jid>;

std::expected<Jids, StanzaError> items_of(const xml::Element& command) {
  Jids jids;
  std::optional<StanzaError> wrong;
  command.for_each_child([&](const xml::Element& item) {
    if (!item.is("item", Blocking::ns_blocking)) return;
    const auto text = item.attribute("jid");
    const auto jid = text ? xmpp::Jid::parse(*text) : std::nullopt;
    if (!text) {
      wrong = StanzaError::of(Condition::bad_request, "An item without jid.");
    } else if (!jid) {
      wrong = StanzaError::of(Condition::jid_malformed);
    } else {
      jids.push_back(*jid);
    }
    const xml::Element* report = item.child("report", Blocking::ns_reporting);
    if (report != nullptr && report->attribute("reason").value_or("").empty())
      wrong = StanzaError::of(Condition::bad_request, "A report without reason.");
  });
  if (wrong) return std::unexpected(*wrong);
  return jids;
}

xml::Element command_of(std::string_view name, const Jids& jids) {
  xml::Element command(name, Blocking::ns_blocking);
  for (const xmpp::Jid& jid : jids) {
    xml::Element item("item", Blocking::ns_blocking);
    item.set("jid", jid.text());
    command.add(std::move(item));
  }
  return command;
}

void push(const Account& account, const xml::Element& command, storage::Ticket ticket) {
  for (const auto& session : account.sessions()) {
    const auto* state = session->attachments().find<WantsPushes>();
    if (state == nullptr || !state->on) continue;
    xml::Element iq("iq", xmpp::ns::client);
    iq.set("type", "set").set("id", "blocking-" + std::to_string(ticket.number));
    iq.set("from", account.jid().text()).set("to", session->jid().text());
    iq.add(command);
    session->send(xmpp::Stanza::make(std::move(iq)), ticket);
  }
}

/// §3.3: what the account's own client hears that writes to somebody it has blocked.
void refuse(Session& session, const xmpp::Stanza& stanza) {
  auto reply = xmpp::error_reply(stanza, StanzaError{ErrorType::cancel, Condition::not_acceptable});
  if (!reply) return;
  xml::Element error = StanzaError{ErrorType::cancel, Condition::not_acceptable}.to_element();
  error.add(xml::Element("blocked", Blocking::ns_errors));
  xml::Element& answer = reply->edit();
  answer.remove_children([](const xml::Element& child) { return child.is("error", xmpp::ns::client); });
  answer.add(std::move(error));
  session.send(*reply);
}

}  // namespace

Blocking::Blocking(const module::ModuleDeps& deps)
    : documents_(deps.stores.documents),
      accounts_(deps.accounts),
      delivery_(deps.delivery),
      events_(deps.events),
      limits_(deps.limits),
      rates_(deps.rates),
      hosts_(deps.hosts) {}

void Blocking::attach(module::Hooks& hooks) {
  using module::Phase;
  hooks.on_iq(Target::account, Access::owner, StanzaType::get, "blocklist", ns_blocking, this, &Blocking::list);
  hooks.on_iq(Target::account, Access::owner, StanzaType::set, "block", ns_blocking, this, &Blocking::block);
  hooks.on_iq(Target::account, Access::owner, StanzaType::set, "unblock", ns_blocking, this, &Blocking::unblock);
  hooks.on<module::MessageFromClient>(Phase::block, this, &Blocking::message_out);
  hooks.on<module::PresenceFromClient>(Phase::block, this, &Blocking::presence_out);
  hooks.on<module::IqFromClient>(Phase::block, this, &Blocking::iq_out);
  hooks.on<module::MessageToAccount>(Phase::block, this, &Blocking::message_in);
  hooks.on<module::PresenceToAccount>(Phase::block, this, &Blocking::presence_in);
  hooks.on<module::IqToSession>(Phase::block, this, &Blocking::iq_in);
  hooks.on<module::SessionSaved>(this, &Blocking::save);
  hooks.on<module::SessionRestored>(this, &Blocking::restore);
}

// --- what passes
// -------------------------------------------------------------------------------------------------------------

Outcome Blocking::message_out(module::MessageFromClient& event) {
  if (!blocks(event.session.account(), event.stanza.to())) return Next{};
  refuse(event.session, event.stanza);
  return Done{};
}

Outcome Blocking::presence_out(module::PresenceFromClient& event) {
  if (!blocks(event.session.account(), event.stanza.to())) return Next{};
  refuse(event.session, event.stanza);
  return Done{};
}

Outcome Blocking::iq_out(module::IqFromClient& event) {
  if (!blocks(event.session.account(), event.stanza.to())) return Next{};
  refuse(event.session, event.stanza);
  return Done{};
}

Outcome Blocking::message_in(module::MessageToAccount& event) {
  if (!blocks(event.account, event.stanza.from())) return Next{};
  // A headline would go nowhere unanswered if nobody were there, and an error in answer to what a room sends to all
  // would have the room remove the account.
  const StanzaType type = event.stanza.type();
  if (type != StanzaType::chat && type != StanzaType::normal) return Done{};
  return StanzaError::of(Condition::service_unavailable);
}

Outcome Blocking::presence_in(module::PresenceToAccount& event) {
  if (!blocks(event.account, event.stanza.from())) return Next{};
  return Done{};
}

Outcome Blocking::iq_in(module::IqToSession& event) {
  if (!blocks(event.session.account(), event.stanza.from())) return Next{};
  if (!event.stanza.is_iq_request()) return Done{};
  return StanzaError::of(Condition::service_unavailable);
}

// --- the list
// ----------------------------------------------------------------------------------------------------------------

void Blocking::save(module::SessionSaved& event) {
  const auto* state = event.session.attachments().find<WantsPushes>();
  if (state != nullptr && state->on) event.states.emplace_back("blocklist", ns_blocking);
}

void Blocking::restore(module::SessionRestored& event) {
  if (event.state("blocklist", ns_blocking) != nullptr) event.session.attachments().get<WantsPushes>().on = true;
}

void Blocking::list(module::IqRequest request) {
  if (request.session() != nullptr) request.session()->attachments().get<WantsPushes>().on = true;
  xml::Element list("blocklist", ns_blocking);
  for (const std::string& jid : request.account()->block_list().jids()) {
    xml::Element item("item", ns_blocking);
    item.set("jid", jid);
    list.add(std::move(item));
  }
  request.reply(std::move(list));
}

void Blocking::block(module::IqRequest request) {
  Account& account = *request.account();
  const auto jids = items_of(request.payload());
  if (!jids) return request.fail(jids.error());
  if (jids->empty()) return request.fail(StanzaError::of(Condition::bad_request, "Whom to block?"));
  const BlockList before = account.block_list();
  BlockList after = before;
  for (const xmpp::Jid& jid : *jids) {
    if (jid.bare_text() == account.jid().text())
      return request.fail(StanzaError::of(Condition::not_allowed, "An account cannot block itself."));
    after.add(jid);
  }
  if (after.size() > limits_.blocked_addresses || after.to_document().size() > document_bytes) {
    events_.limit_hit("blocked_addresses");
    return request.fail({ErrorType::cancel, Condition::policy_violation, "Too many addresses are blocked."});
  }
  account.block_list() = std::move(after);
  const storage::Ticket ticket = write(account);
  push(account, command_of("block", *jids), ticket);
  hide_from_blocked(account, before, ticket);
  request.payload().for_each_child([&](const xml::Element& item) { report(account, item, ticket); });
  request.reply({}, ticket);
}

void Blocking::unblock(module::IqRequest request) {
  Account& account = *request.account();
  const auto jids = items_of(request.payload());
  if (!jids) return request.fail(jids.error());
  const BlockList before = account.block_list();
  if (jids->empty()) {
    account.block_list().clear();
  } else {
    for (const xmpp::Jid& jid : *jids) account.block_list().remove(jid.text());
  }
  const storage::Ticket ticket = write(account);
  push(account, command_of("unblock", *jids), ticket);
  show_to_unblocked(account, before, ticket);
  request.reply({}, ticket);
}

storage::Ticket Blocking::write(Account& account) {
  const std::string kind(BlockList::kind);
  const storage::Ticket ticket =
      account.wrote(documents_.put(account.jid(), kind, "", account.block_list().to_document()));
  account.attachments().get<LastWrite>().ticket = ticket;
  delivery_.when_decided(ticket, [this, owner = account.jid()](bool committed) {
    if (!committed) reload(owner);
  });
  return ticket;
}

void Blocking::reload(const xmpp::BareJid& owner) {
  Account* account = accounts_.loaded(owner);
  if (account == nullptr) return;
  const storage::Ticket asked_at = account->attachments().get<LastWrite>().ticket;
  documents_.get(owner, std::string(BlockList::kind), "",
                 [this, owner, asked_at](storage::Result<std::optional<std::string>> found) {
                   Account* there = accounts_.loaded(owner);
                   if (there == nullptr || !found) return;
                   // It was written to while it was being read: what was read is too old.
                   if (there->attachments().get<LastWrite>().ticket != asked_at) return reload(owner);
                   there->block_list() = *found ? BlockList::from_document(**found) : BlockList();
                 });
}

// --- presence
// ----------------------------------------------------------------------------------------------------------------

void Blocking::hide_from_blocked(Account& account, const BlockList& before, storage::Ticket gate) {
  const BlockList& now = account.block_list();
  const auto newly = [&](const xmpp::Jid& jid) { return now.blocks(jid) && !before.blocks(jid); };
  for (const auto& [contact, item] : account.roster().items()) {
    if (item.state.seen_by_contact() && newly(contact)) module::send_unavailable(account, contact, delivery_, gate);
  }
  for (const std::string& text : now.jids()) {
    if (before.contains(text)) continue;
    const auto jid = xmpp::Jid::parse(text);
    if (!jid || !jid->is_full() || !jid->has_localpart() || before.blocks(*jid)) continue;
    const xmpp::BareJid contact = xmpp::BareJid::of(*jid);
    if (account.roster().lets_see(contact) && !now.blocks(contact))
      module::send_unavailable(account, *jid, delivery_, gate);
  }
  for (const auto& session : account.sessions()) {
    std::erase_if(session->directed(), [&](const xmpp::Jid& to) {
      if (!newly(to)) return false;
      delivery_.route(module::make_presence(StanzaType::unavailable, session->jid(), to), gate);
      return true;
    });
  }
}

void Blocking::show_to_unblocked(const Account& account, const BlockList& before, storage::Ticket gate) {
  const BlockList& now = account.block_list();
  const auto newly = [&](const xmpp::Jid& jid) { return before.blocks(jid) && !now.blocks(jid); };
  for (const auto& [contact, item] : account.roster().items()) {
    if (!newly(contact)) continue;
    if (item.state.seen_by_contact()) module::send_current_presence(account, contact, delivery_, gate);
    if (!item.state.sees_contact()) continue;
    // What the contact said while it was blocked was not heard.
    for (const auto& session : account.sessions()) {
      if (session->available())
        delivery_.route(module::make_presence(StanzaType::probe, session->jid(), contact), gate);
    }
  }
  for (const std::string& text : before.jids()) {
    if (now.contains(text)) continue;
    const auto jid = xmpp::Jid::parse(text);
    if (!jid || !jid->is_full() || !jid->has_localpart() || !newly(*jid)) continue;
    const xmpp::BareJid contact = xmpp::BareJid::of(*jid);
    if (account.roster().lets_see(contact) && !before.blocks(contact))
      module::send_current_presence(account, *jid, delivery_, gate);
  }
}

// --- reports
// -----------------------------------------------------------------------------------------------------------------

void Blocking::report(const Account& account, const xml::Element& item, storage::Ticket gate) {
  const xml::Element* report = item.child("report", ns_reporting);
  if (report == nullptr || !item.is("item", ns_blocking)) return;
  if (!rates_.take("abuse_report " + account.jid().text(), limits_.abuse_reports)) {
    events_.limit_hit("abuse_reports");
    return;
  }
  const std::string_view said = report->attribute("reason").value_or("");
  const std::string reason = said == "urn:xmpp:reporting:spam"    ? "spam"
                             : said == "urn:xmpp:reporting:abuse" ? "abuse"
                                                                  : "something else";
  const std::string offender = xmpp::Jid::parse(item.attribute("jid").value_or("")).value().text();
  events_.record(LogLevel::info, "abuse_report", {{"reason", reason}});
  events_.record(LogLevel::debug, "abuse_report_of",
                 {{"reporter", account.jid().text()}, {"offender", offender}, {"reason", reason}});
  std::string text = account.jid().text() + " reports " + offender + " for " + reason + ".";
  std::size_t messages = 0;
  report->for_each_child([&](const xml::Element& child) {
    if (!child.is("stanza-id", xmpp::ns::stanza_ids)) return;
    const std::string_view id = child.attribute("id").value_or("");
    const std::string_view by = child.attribute("by").value_or("");
    if (id.size() > reported_id_bytes || by.size() > reported_id_bytes || ++messages > reported_messages) return;
    text.append("\nMessage ").append(id).append(" by ").append(by);
  });
  if (const xml::Element* words = report->child("text", ns_reporting)) {
    if (const std::string own = words->text(); own.size() <= reported_text_bytes) text.append("\n\n").append(own);
  }
  for (const xmpp::BareJid& admin : hosts_.admins()) {
    if (!hosts_.is_local(admin.domainpart())) continue;
    xml::Element message("message", xmpp::ns::client);
    message.set("from", std::string(account.jid().domainpart())).set("to", admin.text());
    message.add_text_child("body", text);
    delivery_.route(xmpp::Stanza::make(std::move(message)), gate);
  }
}

}  // namespace kith::modules
