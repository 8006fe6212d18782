#include "modules/archive/archive.h"

#include <algorithm>
#include <expected>
#include <optional>
#include <utility>
#include <vector>

#include "modules/archive/worth.h"
#include "xml/stream_parser.h"
#include "xml/writer.h"
#include "xmpp/namespaces.h"
#include "xmpp/retraction.h"

namespace kith::modules {

namespace {

namespace ns = xmpp::ns;
using module::Access;
using module::ArchivePreferences;
using module::ArchiveRequest;
using module::Next;
using module::Outcome;
using module::Target;
using xmpp::Condition;
using xmpp::ErrorType;
using xmpp::StanzaError;
using xmpp::StanzaType;

constexpr std::string_view ns_muc_user = "http://jabber.org/protocol/muc#user";

/// How many queries of a session are under way.
struct Queries {
  std::size_t running = 0;
  std::shared_ptr<void> mark = std::make_shared<char>();  ///< goes with the session
};

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
  ArchiveRequest what;
  std::weak_ptr<void> mark;  ///< of the session that asked: another may have its resource by now
};

Archive::Archive(const module::ModuleDeps& deps)
    : clock_(deps.clock),
      random_(deps.random),
      events_(deps.events),
      timers_(deps.timers),
      accounts_(deps.accounts),
      store_(deps.stores.archive),
      ids_(deps.archive_ids),
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
  event.archived = {.id = ids_.text(added.id), .ticket = added.ticket};
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
      xml::Element("stanza-id", ns::stanza_ids).set("by", event.account.jid().text()).set("id", ids_.text(added.id)));
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
void Archive::describe(module::IqRequest request) { request.reply(module::archive_fields(request.payload().ns())); }

module::Session* Archive::session_of(const module::IqRequest& request) {
  module::Account* const account = accounts_.loaded(xmpp::BareJid::of(request.from()));
  return account == nullptr ? nullptr : account->session(request.from().resourcepart());
}

void Archive::query(module::IqRequest request) {
  auto asked = ArchiveRequest::of(request.payload(), ids_, most_page_bytes);
  if (!asked) return request.fail(asked.error());
  if (asked->only_count) return answer_count(std::move(request), *std::move(asked));

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
  storage::ArchiveQuery query = std::move(asked->query);
  store_.page(account, std::move(query),
              [this, waiting = Asked{std::move(request), *std::move(asked), queries.mark}](const auto& found) mutable {
                answer_page(std::move(waiting), found);
              });
}

xml::Element Archive::carrier_to(const xmpp::Jid& client) {
  xml::Element carrier("message", ns::client);
  carrier.set("from", xmpp::BareJid::of(client).text()).set("to", client.text()).set("id", random_.token(8));
  return carrier;
}

void Archive::answer_page(Asked asked, const storage::Result<storage::ArchivePage>& page) {
  module::IqRequest& request = asked.request;
  module::Session* const session = asked.mark.expired() ? nullptr : session_of(request);
  if (session == nullptr) return request.fail(StanzaError::of(Condition::service_unavailable));
  Queries& queries = session->attachments().get<Queries>();
  queries.running -= std::min<std::size_t>(queries.running, 1);
  if (!page) return request.fail(StanzaError::storage_failed());
  if (!page->known) return request.fail(module::unknown_archive_id());

  const auto send = [&](const storage::ArchivedMessage& message) {
    auto stanza = xml::parse_stored_element(message.stanza, ns::client);
    if (!stanza) {
      events_.record(LogLevel::error, "archived_message_unreadable");
      return;
    }
    xml::Element carrier = carrier_to(request.from());
    carrier.add(module::archive_result(asked.what, message.id, *std::move(stanza)));
    session->send(xmpp::Stanza::make(std::move(carrier)));
  };
  const auto& messages = page->messages;
  if (asked.what.flipped) {
    std::for_each(messages.rbegin(), messages.rend(), send);
  } else {
    std::ranges::for_each(messages, send);
  }
  xml::Element fin = module::archive_end(asked.what, *page);
  if (asked.what.ns == ns_archive_0) {
    xml::Element end = fin;
    if (!asked.what.query_id.empty()) end.set("queryid", asked.what.query_id);
    xml::Element carrier = carrier_to(request.from());
    carrier.add(std::move(end));
    session->send(xmpp::Stanza::make(std::move(carrier)));
  }
  request.reply(std::move(fin));
}

// XEP-0059 §2.7
void Archive::answer_count(module::IqRequest request, ArchiveRequest asked) {
  const xmpp::BareJid account = request.account()->jid();
  storage::ArchiveQuery query = asked.query;
  store_.count(account, std::move(query),
               [request = std::move(request), asked = std::move(asked)](const auto& count) mutable {
                 if (!count) return request.fail(StanzaError::storage_failed());
                 request.reply(module::archive_count(asked, *count));
               });
}

void Archive::metadata(module::IqRequest request) {
  const xmpp::BareJid account = request.account()->jid();
  store_.ends(account, [request = std::move(request), &ids = ids_](const auto& ends) mutable {
    if (!ends) return request.fail(StanzaError::storage_failed());
    request.reply(module::archive_metadata(*ends, ids));
  });
}

// XEP-0386 §3.2: what there was when the session began.
void Archive::bound_inline(module::BindInline& event) {
  store_.ends(event.session.account().jid(), [bound = event.bound, &ids = ids_](const auto& ends) {
    if (ends) bound->add(module::archive_metadata(*ends, ids));
  });
}

}  // namespace kith::modules
