// What was said in a room: what of it is archived, and who may read it (XEP-0313 v1.1.3 "MUC Archives", XEP-0059).
#include <memory>
#include <utility>

#include "modules/rooms/room.h"
#include "xml/stream_parser.h"
#include "xml/writer.h"
#include "xmpp/namespaces.h"

namespace kith::modules::muc {

using storage::Ticket;
using xmpp::Condition;
using xmpp::StanzaError;
using xmpp::StanzaType;

namespace {

constexpr std::string_view client_ns = xmpp::ns::client;

bool says_who(const xml::Element& child) { return child.ns() == ns::user; }

}  // namespace

std::string author_of(const xml::Element& stored) {
  const xml::Element* x = stored.child("x", ns::user);
  const xml::Element* item = x == nullptr ? nullptr : x->child("item", ns::user);
  const auto jid = xmpp::Jid::parse(item == nullptr ? std::string_view() : item->attribute("jid").value_or(""));
  return jid ? std::string(jid->bare_text()) : std::string();
}

void hide_author(xml::Element& stored) { stored.remove_children(says_who); }

// §5.1.2: with the author's real address, for those who may see it. What he wrote of that kind himself is gone:
// clean().
std::string Room::archived_text(const xmpp::Stanza& message, const Occupant& author, const xmpp::Jid& client) const {
  xml::Element item("item", ns::user);
  item.set("affiliation", std::string(wire_word(affiliation_of(author.account))))
      .set("role", std::string(wire_word(author.role)))
      .set("jid", client.text());
  xml::Element stored = message.element();
  xml::Element x("x", ns::user);
  x.add(std::move(item));
  stored.add(std::move(x));
  return xml::to_string(stored, client_ns);
}

// SECURITY: "the right to enter it at the time of the query". Whoever neither belongs to the room nor stands in it
// can't be seen by those who talk there, and so reads nothing; a password is shown by entering.
std::optional<StanzaError> Room::refusal_of_reading(const xmpp::Jid& reader) const {
  const Affiliation affiliation = affiliation_of(reader);
  if (affiliation == Affiliation::outcast) return StanzaError::of(Condition::forbidden);
  const bool belongs =
      config_.password.empty() ? affiliation >= Affiliation::member : affiliation == Affiliation::owner;
  if (belongs || occupant_of(reader) != nullptr) return std::nullopt;
  return StanzaError::of(Condition::forbidden, "Enter the room first.");
}

bool Room::may_see_jids(const xmpp::Jid& reader) const {
  const Standing standing = standing_of(reader);
  return config_.whois == Whois::anyone || standing.role == Role::moderator ||
         standing.affiliation >= Affiliation::admin;
}

void Room::archive_iq(const xmpp::Stanza& request) {
  if (auto refusal = refusal_of_reading(*request.from())) return refuse(request, *refusal);
  const xml::Element& payload = *request.payload();
  if (payload.name() == "query" && request.type() == StanzaType::get)
    return reply(request, module::archive_fields(payload.ns()));
  std::expected<module::ArchiveRequest, StanzaError> asked;
  if (payload.name() == "query") {
    asked = module::ArchiveRequest::of(payload, out_.archive_ids, most_archive_page_bytes);
    if (!asked) return refuse(request, asked.error());
  }
  // SECURITY: one short stanza asks for a long answer.
  const std::string person(request.from()->bare_text());
  if (*reads_ >= most_reads || !out_.rates.take("room_archive_queries " + person, out_.limits.room_archive_queries)) {
    out_.events.limit_hit("room_archive_queries");
    return refuse(request, {xmpp::ErrorType::wait, Condition::resource_constraint, "Too many queries. Try again."});
  }
  ++*reads_;
  Read read{.reads = reads_,
            .delivery = out_.delivery,
            .random = out_.random,
            .events = out_.events,
            .request = request,
            .asked = std::move(*asked),
            .with_jids = may_see_jids(*request.from())};
  if (payload.name() == "metadata") {
    return out_.archive.ends(jid_, [read = std::move(read), &ids = out_.archive_ids](const auto& ends) {
      --*read.reads;
      if (!ends) return read.fail(StanzaError::storage_failed());
      read.reply(module::archive_metadata(*ends, ids));
    });
  }
  storage::ArchiveQuery query = read.asked.query;
  if (read.asked.only_count) {
    return out_.archive.count(jid_, std::move(query), [read = std::move(read)](const auto& count) {
      --*read.reads;
      if (!count) return read.fail(StanzaError::storage_failed());
      read.reply(module::archive_count(read.asked, *count));
    });
  }
  out_.archive.page(jid_, std::move(query), [read = std::move(read)](const auto& page) {
    --*read.reads;
    read.answer(page);
  });
}

void Room::Read::reply(xml::Element payload) const { delivery.route(xmpp::result_reply(request, std::move(payload))); }

void Room::Read::fail(const StanzaError& error) const {
  if (auto answer = xmpp::error_reply(request, error)) delivery.route(*std::move(answer));
}

void Room::Read::send(xml::Element child) const {
  xml::Element carrier("message", client_ns);
  carrier.set("from", request.to()->text()).set("to", request.from()->text()).set("id", random.token(8));
  carrier.add(std::move(child));
  delivery.route(xmpp::Stanza::make(std::move(carrier)));
}

void Room::Read::answer(const storage::Result<storage::ArchivePage>& page) const {
  if (!page) return fail(StanzaError::storage_failed());
  if (!page->known) return fail(module::unknown_archive_id());
  const auto tell = [&](const storage::ArchivedMessage& message) {
    auto stanza = xml::parse_stored_element(message.stanza, client_ns);
    if (!stanza) return events.record(LogLevel::error, "archived_message_unreadable");
    if (!with_jids) hide_author(*stanza);
    send(module::archive_result(asked, message.id, *std::move(stanza)));
  };
  if (asked.flipped) {
    std::for_each(page->messages.rbegin(), page->messages.rend(), tell);
  } else {
    std::ranges::for_each(page->messages, tell);
  }
  xml::Element fin = module::archive_end(asked, *page);
  if (asked.ns == module::ns::archive_0) {
    xml::Element end = fin;
    if (!asked.query_id.empty()) end.set("queryid", asked.query_id);
    send(std::move(end));
  }
  reply(std::move(fin));
}

}  // namespace kith::modules::muc
