#include "modules/push/push.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "base/encoding.h"
#include "base/token_bucket.h"
#include "module/urgency.h"
#include "modules/push/room_settings.h"
#include "xml/stream_parser.h"
#include "xml/writer.h"
#include "xmpp/data_form.h"
#include "xmpp/datetime.h"
#include "xmpp/namespaces.h"
#include "xmpp/pubsub.h"

namespace kith::modules {

namespace ns = xmpp::ns;
using module::Access;
using module::Account;
using module::Done;
using module::Next;
using module::Outcome;
using module::Target;
using xmpp::Condition;
using xmpp::ErrorType;
using xmpp::StanzaError;
using xmpp::StanzaType;

namespace {

constexpr std::string_view summary_form = "urn:xmpp:push:summary";
constexpr std::string_view ns_stored = "urn:kith:push";
constexpr Duration answer_time = std::chrono::minutes(5);

struct Registration {
  std::string service{};  ///< a JID
  std::string node{};
  std::string resource{};  ///< of the session that made it …
  std::string agent{};     ///< … and the client's own name, if it has one (XEP-0388)
  std::optional<xml::Element> form{};
  std::size_t errors = 0;
  std::optional<TokenBucket> budget{};
};

/// Of an account, while it is loaded.
struct Registrations {
  /// `loaded`: as the document that came with the account says; `unknown`: that is not what is stored any more.
  enum class State { loaded, unknown, asked, known } state = State::loaded;
  std::vector<Registration> list;
  std::deque<std::move_only_function<void(Account&, bool)>> waiting;
};

std::string document_of(const Registrations& registrations) {
  xml::Element all("registrations", ns_stored);
  for (const Registration& one : registrations.list) {
    xml::Element& element = all.append_child(xml::Element("enable", ns_stored));
    element.set("jid", one.service).set("node", one.node).set("resource", one.resource).set("agent", one.agent);
    if (one.errors != 0) element.set("errors", std::to_string(one.errors));
    if (one.form) element.add(*one.form);
  }
  return xml::to_string(all);
}

std::vector<Registration> registrations_in(std::string_view document) {
  std::vector<Registration> list;
  if (document.empty()) return list;
  const auto all = xml::parse_stored_element(document, {});
  if (!all) return list;
  all->for_each_child([&](const xml::Element& element) {
    const auto text = [&](std::string_view name) { return std::string(element.attribute(name).value_or("")); };
    Registration one{
        .service = text("jid"), .node = text("node"), .resource = text("resource"), .agent = text("agent")};
    one.errors = parse_number<std::size_t>(text("errors")).value_or(0);
    if (const xml::Element* form = element.child("x", ns::data_forms)) one.form = *form;
    if (!one.service.empty()) list.push_back(std::move(one));
  });
  return list;
}

/// True if that is a session of the client that made it.
bool is_of(const Registration& one, const module::Session& session) {
  return session.jid().resourcepart() == one.resource || (!one.agent.empty() && session.facts().agent == one.agent);
}

/// True if the client that made it has a connection.
bool is_there(const Account& account, const Registration& one) {
  return std::ranges::any_of(account.sessions(),
                             [&](const auto& session) { return is_of(one, *session) && !session->hibernating(); });
}

/// What came with the account is read when it is first asked for.
Registrations& registrations_of(Account& account) {
  auto& registrations = account.attachments().get<Registrations>();
  if (registrations.state == Registrations::State::loaded) {
    registrations.list = registrations_in(account.loaded_document(Push::kind).value_or(""));
    registrations.state = Registrations::State::known;
  }
  return registrations;
}

}  // namespace

void Push::attach(module::Hooks& hooks) {
  hooks_ = &hooks;
  hooks.load_with_account(kind);
  hooks.on_iq(Target::account, Access::owner, StanzaType::set, "enable", ns_push, this, &Push::enable);
  hooks.on_iq(Target::account, Access::owner, StanzaType::set, "disable", ns_push, this, &Push::disable);
  // After what is blocked was ended, and before it is refused as what no account may get.
  hooks.on<module::MessageToAccount>(module::Phase::annotate, this, &Push::notice);
  // After it was delivered to who is there, and before it is put aside for who is not: what comes then sees no more.
  hooks.on<module::MessageToAccount>(module::Phase::deliver, this, &Push::message);
  hooks.on<module::SessionHibernates>(this, &Push::hibernates);
  hooks.on<module::SessionWaits>(this, &Push::waits);
  hooks.on<module::IqAnswerToAccount>(module::Phase::deliver, this, &Push::answered);
  hooks.on_command(log_node, "Show what push services were told", this, &Push::show_log);
  deps_.timers.schedule(timer_, expire_every);
}

void Push::with_known(Account& account, std::move_only_function<void(Account&, bool)> then) {
  Registrations& registrations = registrations_of(account);
  if (registrations.state == Registrations::State::known) return then(account, true);
  if (registrations.waiting.size() >= deps_.limits.account_queue_stanzas) return then(account, false);
  registrations.waiting.push_back(std::move(then));
  if (registrations.state == Registrations::State::asked) return;
  registrations.state = Registrations::State::asked;
  deps_.stores.documents.get(account.jid(), std::string(kind), "",
                             [this, jid = account.jid()](storage::Result<std::optional<std::string>> found) {
                               Account* still = deps_.accounts.loaded(jid);
                               if (still == nullptr) return;
                               auto& asked = still->attachments().get<Registrations>();
                               if (asked.state != Registrations::State::asked) return;
                               asked.state = found ? Registrations::State::known : Registrations::State::unknown;
                               if (found) asked.list = registrations_in(found->value_or(""));
                               for (auto& waited : std::exchange(asked.waiting, {})) waited(*still, found.has_value());
                             });
}

storage::Ticket Push::write(Account& account) {
  const storage::Ticket ticket = account.wrote(deps_.stores.documents.put(
      account.jid(), std::string(kind), "", document_of(account.attachments().get<Registrations>())));
  deps_.delivery.when_decided(ticket, [this, jid = account.jid()](bool committed) {
    Account* still = committed ? nullptr : deps_.accounts.loaded(jid);
    // What is stored is asked anew.
    if (still != nullptr) still->attachments().get<Registrations>().state = Registrations::State::unknown;
  });
  return ticket;
}

// --- asked for by the client
// -----------------------------------------------------------------------------------------

void Push::enable(module::IqRequest request) {
  const xml::Element& wish = request.payload();
  const std::optional<xmpp::Jid> service = xmpp::Jid::parse(wish.attribute("jid").value_or(""));
  if (!service) return request.fail(StanzaError::of(Condition::bad_request, "Which service?"));
  // SECURITY: what is sent goes in the account's name; to itself or another account here it would be no push.
  if (deps_.hosts.is_local(service->domainpart()) && service->has_localpart()) {
    return request.fail(StanzaError::of(Condition::not_acceptable, "That is no push service."));
  }
  Registration made{.service = service->text(), .node = std::string(wish.attribute("node").value_or(""))};
  made.resource = request.from().resourcepart();
  if (request.session() != nullptr) made.agent = request.session()->facts().agent;
  if (const xml::Element* form = wish.child("x", ns::data_forms)) {
    const auto parsed = xmpp::DataForm::parse(*form);
    if (!parsed) return request.fail(parsed.error());
    if (parsed->value("FORM_TYPE") != ns::pubsub_publish_options) {
      return request.fail(StanzaError::of(Condition::bad_request, "The form must be one of publish options."));
    }
    made.form = *form;
  }
  if (made.node.size() > 1023 || (made.form && xml::to_string(*made.form).size() > most_form_bytes)) {
    return request.fail(StanzaError::of(Condition::not_acceptable, "The node or the form is too long."));
  }
  with_known(*request.account(), [this, made = std::move(made), request = std::move(request)](Account& account,
                                                                                              bool known) mutable {
    if (!known) return request.fail(StanzaError::storage_failed());
    auto& list = account.attachments().get<Registrations>().list;
    std::erase_if(list, [&](const Registration& one) { return one.service == made.service && one.node == made.node; });
    if (list.size() >= deps_.limits.push_registrations) {
      deps_.events.limit_hit("push_registrations");
      return request.fail({ErrorType::wait, Condition::policy_violation, "Too many push services are enabled."});
    }
    list.push_back(std::move(made));
    request.reply({}, write(account));
  });
}

void Push::disable(module::IqRequest request) {
  const std::optional<xmpp::Jid> service = xmpp::Jid::parse(request.payload().attribute("jid").value_or(""));
  if (!service) return request.fail(StanzaError::of(Condition::bad_request, "Which service?"));
  std::optional<std::string> node;
  if (const auto named = request.payload().attribute("node")) node.emplace(*named);
  with_known(*request.account(), [this, service = service->text(), node = std::move(node),
                                  request = std::move(request)](Account& account, bool known) mutable {
    if (!known) return request.fail(StanzaError::storage_failed());
    const std::size_t gone =
        std::erase_if(account.attachments().get<Registrations>().list,
                      [&](const Registration& one) { return one.service == service && (!node || one.node == *node); });
    if (gone == 0) return request.fail(StanzaError::of(Condition::item_not_found));
    request.reply({}, write(account));
  });
}

// --- what wakes
// -----------------------------------------------------------------------------------------------------------

Outcome Push::message(module::MessageToAccount& event) {
  // One that looks for another way has woken whom it could when it came.
  if (event.redelivered || !module::wakes(event.stanza)) return Next{};
  if (event.stanza.type() == StanzaType::groupchat) {
    wake_for_room(event.account, event.stanza, false);
  } else {
    wake(event.account);
  }
  return Next{};
}

Outcome Push::notice(module::MessageToAccount& event) {
  if (event.stanza.type() != StanzaType::groupchat || !event.stanza.to()->is_bare() || !event.stanza.from())
    return Next{};
  if (module::wakes(event.stanza)) wake_for_room(event.account, event.stanza, true);
  // Rooms of other servers get the answer of RFC 6121 §8.5.2.1.1, whether it has woken anybody or not.
  return hooks_->service_of(event.stanza.from()->domainpart()) != nullptr ? Outcome(Done{}) : Next{};
}

void Push::wake_for_room(Account& account, const xmpp::Stanza& message, bool absent) {
  with_known(account, [this, message, absent](Account& owner, bool known) {
    if (!known) return;
    const auto& list = owner.attachments().get<Registrations>().list;
    if (std::ranges::all_of(list, [&](const Registration& one) { return is_there(owner, one); })) return;
    deps_.stores.pubsub.items(
        owner.jid(), std::string(ns::bookmarks),
        {.ids = {std::string(message.from()->bare_text())}, .most = 1, .most_bytes = most_bookmark_bytes},
        [this, jid = owner.jid(), message, absent](const storage::Result<storage::PubsubPage>& page) {
          Account* still = deps_.accounts.loaded(jid);
          if (still == nullptr) return;
          const bool found = page && !page->items.empty();
          const auto bookmark =
              xml::parse_stored_element(found ? std::string_view(page->items.front().payload) : std::string_view(), {});
          const RoomSettings settings = bookmark ? RoomSettings::of(*bookmark) : RoomSettings{};
          // SECURITY: who was made a member without having asked is not woken by it.
          if (absent && !settings.autojoin) return;
          if (is_wanted(settings, message, jid, absent)) wake(*still);
        });
  });
}

void Push::hibernates(module::SessionHibernates& event) {
  if (event.unheard) wake(event.session.account());
}

void Push::waits(module::SessionWaits& event) {
  const auto& list = registrations_of(event.session.account()).list;
  if (std::ranges::any_of(list, [&](const Registration& one) { return is_of(one, event.session); }))
    event.time = std::max(event.time, sleep_);
}

void Push::wake(Account& account) {
  with_known(account, [this](Account& owner, bool known) {
    if (!known) return;
    for (Registration& one : owner.attachments().get<Registrations>().list) {
      if (is_there(owner, one)) continue;
      if (!one.budget) one.budget.emplace(deps_.limits.push_notifications, deps_.clock.now());
      if (!one.budget->take(1, deps_.clock.now())) {
        deps_.events.limit_hit("push_notifications");
        continue;
      }
      forget_old();
      if (under_way_.size() >= most_under_way) return deps_.events.limit_hit("push_under_way");

      xml::Element notification("notification", ns_push);
      if (!placeholder_.empty()) {
        xmpp::DataForm form{.type = "submit"};
        form.fields.push_back({.var = "FORM_TYPE", .type = "hidden", .values = {std::string(summary_form)}});
        form.fields.push_back({.var = "last-message-body", .values = {placeholder_}});
        notification.add(form.to_element());
      }
      xml::Element item("item", ns::pubsub);
      item.add(std::move(notification));
      xml::Element publish("publish", ns::pubsub);
      if (!one.node.empty()) publish.set("node", one.node);
      publish.add(std::move(item));
      xml::Element pubsub("pubsub", ns::pubsub);
      pubsub.add(std::move(publish));
      if (one.form) pubsub.append_child(xml::Element("publish-options", ns::pubsub)).add(*one.form);
      std::string id = deps_.random.token();
      xml::Element iq("iq", ns::client);
      iq.set("type", "set").set("id", id).set("from", owner.jid().text()).set("to", one.service);
      iq.add(std::move(pubsub));
      owner.wrote(deps_.stores.push_log.add(owner.jid(), deps_.clock.wall(),
                                            {.service = one.service, .node = one.node, .sent = 1}));
      under_way_.emplace(std::move(id), UnderWay{owner.jid(), one.service, one.node, deps_.clock.now()});
      deps_.delivery.route(xmpp::Stanza::make(std::move(iq)));
    }
  });
}

void Push::forget_old() {
  const MonotonicTime now = deps_.clock.now();
  std::erase_if(under_way_, [&](const auto& entry) { return now - entry.second.sent >= answer_time; });
}

// §8.1
Outcome Push::answered(module::IqAnswerToAccount& event) {
  const auto found = under_way_.find(std::string(event.stanza.id()));
  if (found == under_way_.end() || found->second.account != event.account.jid() || !event.stanza.from() ||
      event.stanza.from()->text() != found->second.service) {
    return Next{};
  }
  const UnderWay asked = std::move(found->second);
  under_way_.erase(found);
  const bool refused = event.stanza.type() == StanzaType::error;
  const xml::Element* error = event.stanza.content().child("error", ns::client);
  const bool no_such_node = refused && error != nullptr && error->child("item-not-found", ns::stanza_errors) != nullptr;
  // The account may have been dropped from memory and loaded again since it was asked.
  with_known(event.account, [this, asked, refused, no_such_node](Account& owner, bool known) {
    auto& list = owner.attachments().get<Registrations>().list;
    const auto one = std::ranges::find_if(list, [&](const Registration& registration) {
      return registration.service == asked.service && registration.node == asked.node;
    });
    if (!known || one == list.end()) return;
    if (!refused) {
      if (std::exchange(one->errors, 0) != 0) write(owner);
      return;
    }
    owner.wrote(deps_.stores.push_log.add(owner.jid(), deps_.clock.wall(),
                                          {.service = asked.service, .node = asked.node, .refused = 1}));
    if (++one->errors >= most_errors || no_such_node) {
      deps_.events.record(LogLevel::info, "push_disabled", {{"service", asked.service}});
      list.erase(one);
    }
    write(owner);
  });
  return Done{};
}

// --- what was sent where
// -----------------------------------------------------------------------------------------------

void Push::show_log(module::CommandRequest request) {
  const xmpp::BareJid owner = request.session().account().jid();
  deps_.stores.push_log.list(owner, [this, request = std::move(request)](const auto& records) mutable {
    if (!records) return request.fail(StanzaError::storage_failed());
    const std::vector<storage::PushRecord>& log = *records;
    if (log.empty()) {
      return request.result(
          {}, "Within the last " + std::to_string(log_days) + " days no push service was told anything about you.");
    }
    xmpp::DataForm head{.type = "result", .title = "What push services were told"};
    head.instructions = placeholder_.empty()
                            ? "Each notification said that there is something, and nothing else."
                            : "Each notification said \"" + placeholder_ + "\", and nothing of who wrote or what.";
    xml::Element form = head.to_element();
    // XEP-0004 §3.4
    struct Column {
      std::string_view var;
      std::string_view label;
    };
    static constexpr Column columns[] = {{"hour", "Hour (UTC)"},
                                         {"service", "Push service"},
                                         {"node", "Node"},
                                         {"sent", "Notifications"},
                                         {"refused", "Refused"}};
    xml::Element& reported = form.append_child(xml::Element("reported", ns::data_forms));
    for (const Column& column : columns) {
      reported.append_child(xml::Element("field", ns::data_forms))
          .set("var", std::string(column.var))
          .set("type", "text-single")
          .set("label", std::string(column.label));
    }
    for (const storage::PushRecord& record : log) {
      xml::Element& item = form.append_child(xml::Element("item", ns::data_forms));
      const std::string cells[] = {xmpp::format_datetime(record.hour, false), record.service, record.node,
                                   std::to_string(record.sent), std::to_string(record.refused)};
      for (std::size_t i = 0; i < std::size(columns); ++i) {
        item.append_child(xml::Element("field", ns::data_forms))
            .set("var", std::string(columns[i].var))
            .add_text_child("value", cells[i]);
      }
    }
    request.result(std::move(form));
  });
}

void Push::expire_log() {
  deps_.stores.push_log.expire(deps_.clock.wall() - std::chrono::days(log_days), expired_at_once,
                               [this](const storage::Result<bool>& removed) {
                                 const bool more = removed && *removed;
                                 deps_.timers.schedule(timer_, more ? Duration(std::chrono::seconds(1)) : expire_every);
                               });
}

}  // namespace kith::modules
