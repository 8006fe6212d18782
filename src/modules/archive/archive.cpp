#include "modules/archive/archive.h"

#include <algorithm>
#include <charconv>
#include <expected>
#include <optional>
#include <utility>
#include <vector>

#include "modules/archive/worth.h"
#include "xml/stream_parser.h"
#include "xml/writer.h"
#include "xmpp/data_form.h"
#include "xmpp/datetime.h"
#include "xmpp/namespaces.h"
#include "xmpp/retraction.h"
#include "xmpp/rsm.h"

namespace kith::modules {

namespace {

namespace ns = xmpp::ns;
using module::Access;
using module::ArchivePreferences;
using module::Next;
using module::Outcome;
using module::Target;
using storage::ArchiveQuery;
using xmpp::Condition;
using xmpp::ErrorType;
using xmpp::StanzaError;
using xmpp::StanzaType;

constexpr std::string_view ns_forward = "urn:xmpp:forward:0";
constexpr std::string_view ns_muc_user = "http://jabber.org/protocol/muc#user";
constexpr std::string_view ns_validate = "http://jabber.org/protocol/xdata-validate";

/// How many queries of a session are under way.
struct Queries {
  std::size_t running = 0;
};

std::string id_text(std::uint64_t id) {
  std::string text(16, '0');
  for (auto digit = text.rbegin(); digit != text.rend(); ++digit, id >>= 4U) *digit = "0123456789abcdef"[id & 15U];
  return text;
}

std::optional<std::uint64_t> id_from(std::string_view text) {
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id, 16);
  // Only as it was given out: one spelling for each id.
  if (error != std::errc() || end != text.data() + text.size() || id_text(id) != text) return std::nullopt;
  return id;
}

std::string stamp_of(std::uint64_t id) {
  return xmpp::format_datetime(WallTime(std::chrono::microseconds(static_cast<std::int64_t>(id))));
}

std::optional<std::uint64_t> microseconds_from(std::string_view text) {
  const std::optional<WallTime> time = xmpp::parse_datetime(text);
  if (!time) return std::nullopt;
  const std::int64_t count = time->time_since_epoch().count();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(count, 0));
}

StanzaError bad(std::string text) { return {ErrorType::modify, Condition::bad_request, std::move(text)}; }
StanzaError unknown_id() {
  return StanzaError::of(Condition::item_not_found, "There is no such message in the archive.");
}

/// One field of the query's form (§4.1), whose FORM_TYPE must be `kind`.
std::optional<StanzaError> apply_field(const xmpp::FormField& field, std::string_view kind, ArchiveQuery& query) {
  if (field.var == "FORM_TYPE") {
    if (field.values.size() == 1 && field.values.front() == kind) return std::nullopt;
    return bad("The form is of another kind.");
  }
  if (field.var == "ids") {
    if (field.values.empty() || field.values.size() > Archive::most_on_page) return bad("Name 1 to 250 ids.");
    for (const std::string& value : field.values) {
      const auto id = id_from(value);
      if (!id) return unknown_id();
      query.ids.push_back(*id);
    }
    return std::nullopt;
  }
  // §4.1.1 and on: what a client leaves empty it does not ask for.
  if (field.values.size() > 1) return bad("One value for each field.");
  const std::string_view value = field.values.empty() ? std::string_view() : std::string_view(field.values.front());
  const bool known = field.var == "with" || field.var == "start" || field.var == "end" || field.var == "before-id" ||
                     field.var == "after-id" || field.var == "include-groupchat";
  if (!known) return StanzaError::of(Condition::feature_not_implemented, "There is no such field: " + field.var);
  if (value.empty() || field.var == "include-groupchat") return std::nullopt;  // There are none in these archives.
  if (field.var == "with") {
    const std::optional<xmpp::Jid> with = xmpp::Jid::parse(value);
    if (!with) return StanzaError::of(Condition::jid_malformed);
    query.with = xmpp::BareJid::of(*with);
    query.with_resource = with->resourcepart();
  } else if (field.var == "start" || field.var == "end") {
    const auto when = microseconds_from(value);
    if (!when) return bad("Times are written like 2026-11-26T12:00:00Z.");
    if (field.var == "start") {
      query.above = std::max(query.above, *when == 0 ? 0 : *when - 1);
    } else {
      query.below = std::min(query.below, *when + 1);
    }
  } else {
    const auto id = id_from(value);
    if (!id) return unknown_id();
    query.must_exist.push_back(*id);
    if (field.var == "after-id") {
      query.above = std::max(query.above, *id);
    } else {
      query.below = std::min(query.below, *id);
    }
  }
  return std::nullopt;
}

std::expected<ArchiveQuery, StanzaError> query_of(const xml::Element& payload) {
  ArchiveQuery query;
  if (const xml::Element* x = payload.child("x", ns::data_forms)) {
    const auto form = xmpp::DataForm::parse(*x);
    if (!form) return std::unexpected(form.error());
    if (form->type != "submit" || form->field("FORM_TYPE") == nullptr)
      return std::unexpected(bad("Submit a form of this kind."));
    for (const xmpp::FormField& field : form->fields) {
      if (auto error = apply_field(field, payload.ns(), query)) return std::unexpected(*std::move(error));
    }
  }
  query.most_bytes = Archive::most_page_bytes;
  return query;
}

/// §4.3: RSM's ids are archive ids.
std::optional<StanzaError> apply_page(const xmpp::PageRequest& page, ArchiveQuery& query) {
  query.most = static_cast<std::size_t>(
      std::min<std::uint64_t>(page.max.value_or(Archive::default_on_page), Archive::most_on_page));
  query.from_newest = page.before.has_value();
  for (const auto& [named, bound_above] : {std::pair(&page.after, true), std::pair(&page.before, false)}) {
    if (!*named || (*named)->empty()) continue;
    const auto id = id_from(**named);
    if (!id) return unknown_id();
    query.must_exist.push_back(*id);
    if (bound_above) {
      query.above = std::max(query.above, *id);
    } else {
      query.below = std::min(query.below, *id);
    }
  }
  return std::nullopt;
}

xml::Element metadata_of(const std::optional<storage::ArchiveStore::Ends>& ends) {
  xml::Element metadata("metadata", Archive::ns_archive);
  if (!ends) return metadata;
  for (const auto& [name, id] : {std::pair("start", ends->first), std::pair("end", ends->last)}) {
    metadata.add(xml::Element(name, Archive::ns_archive).set("id", id_text(id)).set("timestamp", stamp_of(id)));
  }
  return metadata;
}

/// What comes from a room or is for one of its occupants (XEP-0045 §7.5). Who an occupant is, only the room knows, and
/// a name may have had two owners.
bool is_room_business(const xml::Element& message) { return message.child("x", ns_muc_user) != nullptr; }

/// SECURITY: with the author in it, nobody's retraction finds another's message.
std::string reference_of(const xmpp::BareJid& author, std::string_view message_id) {
  return author.text() + '\0' + std::string(message_id);
}

/// XEP-0424, "Tombstones": of a message of `author` that one of theirs takes back, and of all that corrected it.
storage::ArchiveStore::Rewritten retract(std::string_view stanza, const xmpp::BareJid& author,
                                         std::string_view retraction, WallTime when) {
  const auto message = xml::parse_stored_element(stanza, ns::client);
  if (!message) return {.more = true};
  const auto from = xmpp::Jid::parse(message->attribute("from").value_or(""));
  if (!from || from->bare_text() != author.text()) return {.more = true};
  return {.stanza = xml::to_string(xmpp::tombstone(*message, retraction, when), ns::client),
          .more = xmpp::is_correction(*message)};
}

bool wanted(const module::Account& account, const xmpp::Jid& peer) {
  // Nobody is in one's own roster; what one writes to oneself is kept unless nothing is.
  if (peer.bare_text() == account.jid().text())
    return account.archive_preferences().otherwise != ArchivePreferences::Default::never;
  return account.archive_preferences().wants(peer, account.roster());
}

xml::Element element_of(const ArchivePreferences& preferences) {
  xml::Element prefs("prefs", Archive::ns_archive);
  prefs.set("default", preferences.otherwise == ArchivePreferences::Default::never    ? "never"
                       : preferences.otherwise == ArchivePreferences::Default::roster ? "roster"
                                                                                      : "always");
  for (const auto& [name, jids] : {std::pair("always", &preferences.always), std::pair("never", &preferences.never)}) {
    xml::Element list(name, Archive::ns_archive);
    for (const std::string& jid : *jids) list.add_text_child("jid", jid);
    prefs.add(std::move(list));
  }
  return prefs;
}

std::expected<ArchivePreferences, StanzaError> preferences_of(const xml::Element& prefs, std::size_t most_addresses) {
  ArchivePreferences preferences;
  const auto otherwise = prefs.attribute("default");
  if (otherwise == "never") {
    preferences.otherwise = ArchivePreferences::Default::never;
  } else if (otherwise == "roster") {
    preferences.otherwise = ArchivePreferences::Default::roster;
  } else if (otherwise != "always") {
    return std::unexpected(StanzaError::of(Condition::bad_request, "The default is always, never or roster."));
  }
  bool sound = true;
  for (const auto& [name, jids] : {std::pair("always", &preferences.always), std::pair("never", &preferences.never)}) {
    const xml::Element* const list = prefs.child(name, Archive::ns_archive);
    if (list == nullptr) continue;
    list->for_each_child([&](const xml::Element& child) {
      const auto jid = child.is("jid", Archive::ns_archive) ? xmpp::Jid::parse(child.text()) : std::nullopt;
      sound = sound && jid;
      if (jid) jids->insert(jid->text());
    });
  }
  if (!sound) return std::unexpected(StanzaError::of(Condition::jid_malformed));
  if (preferences.always.size() + preferences.never.size() > most_addresses)
    return std::unexpected(StanzaError::of(Condition::policy_violation, "Too many addresses."));
  return preferences;
}

}  // namespace

/// A query that waits for its page.
struct Archive::Asked {
  module::IqRequest request;
  std::string query_id;
  bool flipped;
};

Archive::Archive(const module::ModuleDeps& deps)
    : clock_(deps.clock),
      random_(deps.random),
      events_(deps.events),
      timers_(deps.timers),
      accounts_(deps.accounts),
      store_(deps.stores.archive),
      documents_(deps.stores.documents),
      delivery_(deps.delivery),
      limits_(deps.limits),
      archived_(deps.events.counter("kith_archived_messages_total", "Messages put into archives.")),
      timer_([this] { expire(); }) {}

void Archive::configure(const module::Settings& settings) {
  retention_ = std::chrono::days(settings.integer("retention_days"));
}

void Archive::attach(module::Hooks& hooks) {
  hooks.on<module::MessageFromClient>(module::Phase::archive, this, &Archive::sent);
  hooks.on<module::MessageToAccount>(module::Phase::archive, this, &Archive::received);
  for (const std::string_view ns : {ns_archive, ns_archive_1, ns_archive_0}) {
    hooks.on_iq(Target::account, Access::owner, StanzaType::get, "query", ns, this, &Archive::describe);
    hooks.on_iq(Target::account, Access::owner, StanzaType::set, "query", ns, this, &Archive::query);
  }
  hooks.on_iq(Target::account, Access::owner, StanzaType::get, "metadata", ns_archive, this, &Archive::metadata);
  hooks.on<module::BindInline>(this, &Archive::bound_inline);
  hooks.on_iq(Target::account, Access::owner, StanzaType::get, "prefs", ns_archive, this, &Archive::tell_preferences);
  hooks.on_iq(Target::account, Access::owner, StanzaType::set, "prefs", ns_archive, this, &Archive::set_preferences);
  timers_.schedule(timer_, expire_every);
}

// --- keeping
// -----------------------------------------------------------------------------------------------------------------

storage::ArchiveStore::Added Archive::keep(const xmpp::BareJid& account, const xmpp::BareJid& author,
                                           const xmpp::Jid& peer, const xml::Element& message) {
  archived_.add();
  const WallTime now = clock_.wall();
  std::string text = xml::to_string(message, ns::client);
  if (!is_room_business(message)) {
    const std::optional<std::string> retracted = xmpp::retracted_id(message);
    const std::string_view own_id = message.attribute("id").value_or("");
    // The tombstone must name the retraction, so one without an id leaves none.
    if (retracted && !own_id.empty() && own_id.size() <= xmpp::most_id_bytes) {
      return store_.add_rewriting(account, now, peer, std::move(text), reference_of(author, *retracted),
                                  [author, retraction = std::string(own_id), now](std::string_view stanza) {
                                    return retract(stanza, author, retraction, now);
                                  });
    }
    if (const auto id = xmpp::retractable_id(message))
      return store_.add(account, now, peer, std::move(text), reference_of(author, *id));
  }
  return store_.add(account, now, peer, std::move(text));
}

Outcome Archive::sent(module::MessageFromClient& event) {
  const xmpp::BareJid& own = event.session.account().jid();
  const xmpp::Jid& to = *event.stanza.to();
  // §5.1.1: one copy. What an account sends to itself comes by as received.
  if (to.bare_text() == own.text() || !worth_archiving(event.stanza) || !wanted(event.session.account(), to))
    return Next{};
  const auto added = keep(own, own, to, event.stanza.element());
  event.session.account().wrote(added.ticket);
  event.archived = {.id = id_text(added.id), .ticket = added.ticket};
  return Next{};
}

Outcome Archive::received(module::MessageToAccount& event) {
  const std::optional<xmpp::Jid>& from = event.stanza.from();
  if (event.redelivered) {
    // It was archived when it came first, and carries its id.
    event.archived = event.stanza.element().child("stanza-id", ns::stanza_ids) != nullptr;
    return Next{};
  }
  if (!from || !worth_archiving(event.stanza) || !wanted(event.account, *from)) return Next{};
  const auto added = keep(event.account.jid(), xmpp::BareJid::of(*from), *from, event.stanza.element());
  event.account.wrote(added.ticket);
  // An id that names nothing must not be seen: if the row can't be written, the message goes without.
  if (!event.if_failed) event.if_failed = event.stanza;
  event.stanza.edit().add(
      xml::Element("stanza-id", ns::stanza_ids).set("by", event.account.jid().text()).set("id", id_text(added.id)));
  event.gate = storage::later(event.gate, added.ticket);
  event.archived = true;
  return Next{};
}

void Archive::expire() {
  store_.expire(clock_.wall() - retention_, expired_at_once, [this](const storage::Result<bool>& removed) {
    // Little by little, so that nobody waits behind it.
    timers_.schedule(timer_, removed && *removed ? Duration(std::chrono::seconds(1)) : expire_every);
  });
}

// --- preferences (XEP-0441)
// -------------------------------------------------------------------------------------------------------

void Archive::tell_preferences(module::IqRequest request) {
  request.reply(element_of(request.account()->archive_preferences()));
}

void Archive::set_preferences(module::IqRequest request) {
  auto read = preferences_of(request.payload(), limits_.archive_preference_addresses);
  if (!read) {
    if (read.error().condition == Condition::policy_violation) events_.limit_hit("archive_preference_addresses");
    return request.fail(read.error());
  }
  module::Account& account = *request.account();
  const storage::Ticket ticket =
      account.wrote(documents_.put(account.jid(), std::string(ArchivePreferences::kind), "", read->to_document()));
  // They hold from when they are on disk: until then a crash would bring the old ones back.
  delivery_.when_decided(ticket, [this, owner = account.jid(), preferences = *read](bool committed) {
    module::Account* const there = accounts_.loaded(owner);
    if (committed && there != nullptr) there->archive_preferences() = preferences;
  });
  request.reply(element_of(*read), ticket);
}

// --- asking
// ------------------------------------------------------------------------------------------------------------------

// §4.1.7: which fields a query may have.
void Archive::describe(module::IqRequest request) {
  xmpp::DataForm form{
      .type = "form",
      .fields = {{.var = "FORM_TYPE", .type = "hidden", .values = {std::string(request.payload().ns())}},
                 {.var = "with", .type = "jid-single"},
                 {.var = "start", .type = "text-single"},
                 {.var = "end", .type = "text-single"},
                 {.var = "before-id", .type = "text-single"},
                 {.var = "after-id", .type = "text-single"},
                 {.var = "include-groupchat", .type = "boolean"}}};
  xml::Element x = form.to_element();
  // Any ids may be named, not those of a list (XEP-0122).
  xml::Element& ids = x.append_child(xml::Element("field", ns::data_forms));
  ids.set("type", "list-multi").set("var", "ids");
  xml::Element validate("validate", ns_validate);
  validate.set("datatype", "xs:string");
  validate.add(xml::Element("open", ns_validate));
  ids.add(std::move(validate));
  xml::Element query("query", request.payload().ns());
  query.add(std::move(x));
  request.reply(std::move(query));
}

module::Session* Archive::session_of(const module::IqRequest& request) {
  module::Account* const account = accounts_.loaded(xmpp::BareJid::of(request.from()));
  return account == nullptr ? nullptr : account->session(request.from().resourcepart());
}

void Archive::query(module::IqRequest request) {
  const xml::Element& payload = request.payload();
  if (!payload.attribute("node").value_or("").empty()) return request.fail(StanzaError::of(Condition::item_not_found));
  std::expected<ArchiveQuery, StanzaError> query = query_of(payload);
  if (!query) return request.fail(query.error());
  const auto page = xmpp::PageRequest::of(payload);
  if (!page) return request.fail(page.error());
  if (auto error = apply_page(*page, *query)) return request.fail(*error);
  if (page->max == 0U) return answer_count(std::move(request), *query);

  module::Session* const session = request.session();
  if (session == nullptr) return request.fail(StanzaError::of(Condition::not_allowed));
  // SECURITY: what a client asks for and does not read must not fill the outbox, which would end its session.
  Queries& queries = session->attachments().get<Queries>();
  if (queries.running >= most_queries || session->output().queued_bytes() > most_page_bytes) {
    events_.limit_hit("archive_queries");
    return request.fail({ErrorType::wait, Condition::resource_constraint, "One query after the other."});
  }
  ++queries.running;
  const xmpp::BareJid account = request.account()->jid();
  Asked asked{.request = std::move(request),
              .query_id = std::string(payload.attribute("queryid").value_or("")),
              .flipped = payload.child("flip-page", payload.ns()) != nullptr};
  store_.page(account, *std::move(query),
              [this, asked = std::move(asked)](const auto& found) mutable { answer_page(std::move(asked), found); });
}

xml::Element Archive::carrier_to(const xmpp::Jid& client) {
  xml::Element carrier("message", ns::client);
  carrier.set("from", xmpp::BareJid::of(client).text()).set("to", client.text()).set("id", random_.token(8));
  return carrier;
}

void Archive::answer_page(Asked asked, const storage::Result<storage::ArchivePage>& page) {
  module::IqRequest& request = asked.request;
  module::Session* const session = session_of(request);
  if (session == nullptr) return request.fail(StanzaError::of(Condition::service_unavailable));
  Queries& queries = session->attachments().get<Queries>();
  queries.running -= std::min<std::size_t>(queries.running, 1);
  if (!page) return request.fail(StanzaError::storage_failed());
  if (!page->known) return request.fail(unknown_id());

  const std::string_view ns_asked = request.payload().ns();
  const auto send = [&](const storage::ArchivedMessage& message) {
    auto stanza = xml::parse_stored_element(message.stanza, ns::client);
    if (!stanza) {
      events_.record(LogLevel::error, "archived_message_unreadable");
      return;
    }
    xml::Element forwarded("forwarded", ns_forward);
    forwarded.add(xml::Element("delay", ns::delay).set("stamp", stamp_of(message.id)));
    forwarded.add(*std::move(stanza));
    xml::Element result("result", ns_asked);
    if (!asked.query_id.empty()) result.set("queryid", asked.query_id);
    result.set("id", id_text(message.id));
    result.add(std::move(forwarded));
    xml::Element carrier = carrier_to(request.from());
    carrier.add(std::move(result));
    session->send(xmpp::Stanza::make(std::move(carrier)));
  };
  const auto& messages = page->messages;
  if (asked.flipped) {
    std::for_each(messages.rbegin(), messages.rend(), send);
  } else {
    std::ranges::for_each(messages, send);
  }
  xml::Element fin("fin", ns_asked);
  if (page->complete) fin.set("complete", "true");
  fin.add(messages.empty() ? xmpp::page_element({}, {})
                           : xmpp::page_element(id_text(messages.front().id), id_text(messages.back().id)));
  if (ns_asked == ns_archive_0) {
    xml::Element end = fin;
    if (!asked.query_id.empty()) end.set("queryid", asked.query_id);
    xml::Element carrier = carrier_to(request.from());
    carrier.add(std::move(end));
    session->send(xmpp::Stanza::make(std::move(carrier)));
  }
  request.reply(std::move(fin));
}

// XEP-0059 §2.7
void Archive::answer_count(module::IqRequest request, const ArchiveQuery& query) {
  const xmpp::BareJid account = request.account()->jid();
  store_.count(account, query, [request = std::move(request)](const storage::Result<std::uint64_t>& count) mutable {
    if (!count) return request.fail(StanzaError::storage_failed());
    xml::Element fin("fin", request.payload().ns());
    fin.add(xmpp::page_element({}, {}, *count));
    request.reply(std::move(fin));
  });
}

void Archive::metadata(module::IqRequest request) {
  const xmpp::BareJid account = request.account()->jid();
  store_.ends(account, [request = std::move(request)](const auto& ends) mutable {
    if (!ends) return request.fail(StanzaError::storage_failed());
    request.reply(metadata_of(*ends));
  });
}

// XEP-0386 §3.2: what there was when the session began.
void Archive::bound_inline(module::BindInline& event) {
  store_.ends(event.session.account().jid(), [bound = event.bound](const auto& ends) {
    if (ends) bound->add(metadata_of(*ends));
  });
}

}  // namespace kith::modules
