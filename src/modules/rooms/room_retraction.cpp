// Messages that are taken back: by their author (XEP-0424 v0.4.2), or by a moderator (XEP-0425 v0.3.0, and v0.2 for
// clients that know only urn:xmpp:message-moderate:0). What is left in the archive is a tombstone, written together
// with the message that says so.
#include <memory>
#include <utility>

#include "modules/rooms/room.h"
#include "xml/stream_parser.h"
#include "xml/writer.h"
#include "xmpp/datetime.h"
#include "xmpp/namespaces.h"
#include "xmpp/retraction.h"

namespace kith::modules::muc {

using storage::ArchiveStore;
using storage::Ticket;
using xmpp::Condition;
using xmpp::StanzaError;

namespace {

constexpr std::string_view client_ns = xmpp::ns::client;

/// SECURITY: with the author in it, nobody's retraction finds another's message.
std::string reference_of(const std::string& author, std::string_view message_id) {
  return author + '\0' + std::string(message_id);
}

/// The tombstone of a message with what tells its author, for those who may know.
xml::Element grave_of(const xml::Element& message, std::string_view retraction, WallTime when) {
  xml::Element left = xmpp::tombstone(message, retraction, when);
  if (const xml::Element* id = message.child("occupant-id", ns::occupant_id)) left.add(*id);
  if (const xml::Element* x = message.child("x", ns::user)) left.add(*x);
  return left;
}

ArchiveStore::Rewritten retract(std::string_view stanza, const std::string& author, std::string_view retraction,
                                WallTime when) {
  const auto message = xml::parse_stored_element(stanza, client_ns);
  // SECURITY: only one's own, and what is a grave already stays as it is.
  if (!message || author_of(*message) != author || !xmpp::retractable_id(*message) ||
      message->child("retracted", xmpp::ns::retraction) != nullptr)
    return {.more = true};
  return {.stanza = xml::to_string(grave_of(*message, retraction, when), client_ns), .more = true};
}

/// Who has moderated, and why, as an element of that namespace and name.
xml::Element moderated(std::string_view ns, const std::string& by, const std::string& occupant_id) {
  xml::Element element("moderated", ns);
  element.set("by", by);
  element.add(xml::Element("occupant-id", ns::occupant_id).set("id", occupant_id));
  return element;
}

struct Moderation {
  std::string id;  ///< of the message that says so
  std::string by;
  std::string occupant_id;
  std::string reason;
  WallTime when;
};

/// XEP-0425 "Tombstones"
ArchiveStore::Rewritten bury(std::string_view stanza, const Moderation& moderation) {
  const auto message = xml::parse_stored_element(stanza, client_ns);
  if (!message) return {.more = true};
  xml::Element left = grave_of(*message, moderation.id, moderation.when);
  left.remove_children([](const xml::Element& child) { return child.is("retracted", xmpp::ns::retraction); });
  const std::string stamp = xmpp::format_datetime(moderation.when);
  xml::Element retracted("retracted", xmpp::ns::retraction);
  retracted.set("id", moderation.id).set("stamp", stamp);
  retracted.add(moderated(ns::moderation, moderation.by, moderation.occupant_id));
  if (!moderation.reason.empty()) retracted.add_text_child("reason", moderation.reason);
  left.add(std::move(retracted));
  // COMPAT(clients of XEP-0425 v0.2, since 2026, drop when nobody has them)
  xml::Element older = moderated(ns::moderation_0, moderation.by, moderation.occupant_id);
  older.add(xml::Element("retracted", xmpp::ns::retraction_0).set("stamp", stamp));
  if (!moderation.reason.empty()) older.add_text_child("reason", moderation.reason);
  left.add(std::move(older));
  return {.stanza = xml::to_string(left, client_ns), .more = true};
}

}  // namespace

ArchiveStore::Added Room::archive_or_retract(const xmpp::Stanza& message, const Occupant& author,
                                             const xmpp::Jid& client) {
  const xml::Element& element = message.element();
  const std::string& who = author.account.text();
  const WallTime now = out_.clock.wall();
  std::string text = archived_text(message, author, client);
  const auto retracted = xmpp::retracted_id(element);
  ArchiveStore::Added added{};
  // A tombstone names the retraction, so one without an id leaves none.
  if (retracted && !message.id().empty() && message.id().size() <= xmpp::most_id_bytes) {
    ArchiveStore::Rewrite rewrite = [who, id = std::string(message.id()), now](std::string_view stanza) {
      return retract(stanza, who, id, now);
    };
    // "Using the correct ID": the room's own. Some clients take their own all the same.
    const auto target = out_.archive_ids.id(*retracted);
    added =
        target ? out_.archive.add_rewriting_id(jid_, now, *message.from(), std::move(text), *target, std::move(rewrite))
               : out_.archive.add_rewriting(jid_, now, *message.from(), std::move(text), reference_of(who, *retracted),
                                            std::move(rewrite));
  } else {
    const auto id = xmpp::retractable_id(element);
    added = out_.archive.add(jid_, now, *message.from(), std::move(text), id ? reference_of(who, *id) : std::string());
  }
  wrote(added.ticket);
  return added;
}

void Room::forget_retracted(const xmpp::Stanza& retraction, const std::string& author) {
  const auto retracted = xmpp::retracted_id(retraction.element());
  if (!retracted) return;
  const auto target = out_.archive_ids.id(*retracted);
  // By the message's own id, those that correct it are found with it (XEP-0308).
  std::optional<std::string> own_id = target ? std::nullopt : retracted;
  for (const Kept& kept : history_) {
    if (target && kept.id == *target && kept.author == author) own_id = xmpp::retractable_id(kept.message.element());
  }
  if (!own_id && !target) return;
  std::erase_if(history_, [&](const Kept& kept) {
    const bool meant =
        (target && kept.id == *target) || (own_id && xmpp::retractable_id(kept.message.element()) == own_id);
    if (!meant || kept.author != author) return false;
    history_bytes_ -= kept.bytes;
    return true;
  });
}

// --- by a moderator
// --------------------------------------------------------------------------------------------------------------

void Room::moderate(const xmpp::Stanza& request, std::string_view target, const xml::Element* reason) {
  if (standing_of(*request.from()).role != Role::moderator)
    return refuse(request, Condition::forbidden, "Only moderators may do that.");
  const auto id = out_.archive_ids.id(target);
  if (!id) return refuse(request, module::unknown_archive_id());
  if (!rate_.take(1, out_.clock.now())) {
    out_.events.limit_hit("room_messages");
    return refuse(request, too_fast());
  }
  std::string why = reason == nullptr ? std::string() : reason->text();
  if (why.size() > RoomConfig::most_text_bytes)
    return refuse(request, Condition::not_acceptable, "The reason is too long.");
  storage::ArchiveQuery query;
  query.ids = {*id};
  query.most = 1;
  query.most_bytes = 1;
  out_.archive.page(jid_, std::move(query),
                    [this, still = std::weak_ptr(alive_), &delivery = out_.delivery, request, id = *id,
                     why = std::move(why)](const storage::Result<storage::ArchivePage>& page) {
                      std::optional<StanzaError> error;
                      if (!page) error = StanzaError::storage_failed();
                      if (page && !page->known) error = module::unknown_archive_id();
                      // In one turn: what a room sends must not come back to it before it has done.
                      delivery.when_decided({}, [this, still, &delivery, request, id, why, error](bool) {
                        if (error) {
                          if (auto answer = xmpp::error_reply(request, *error)) delivery.route(*std::move(answer));
                        } else if (still.expired()) {
                          if (auto answer = xmpp::error_reply(request, StanzaError::of(Condition::item_not_found)))
                            delivery.route(*std::move(answer));
                        } else {
                          moderate_now(request, id, why);
                        }
                      });
                    });
}

void Room::moderate_now(const xmpp::Stanza& request, std::uint64_t target, const std::string& reason) {
  // Much may have happened meanwhile.
  const Occupant* moderator = occupant_of(*request.from());
  if (moderator == nullptr || moderator->role != Role::moderator) return refuse(request, Condition::forbidden);
  const Moderation moderation{.id = out_.random.token(),
                              .by = occupant_jid(moderator->nick).text(),
                              .occupant_id = moderator->id,
                              .reason = reason,
                              .when = out_.clock.wall()};
  const std::string id = out_.archive_ids.text(target);
  xml::Element retract("retract", xmpp::ns::retraction);
  retract.set("id", id);
  retract.add(moderated(ns::moderation, moderation.by, moderation.occupant_id));
  if (!reason.empty()) retract.add_text_child("reason", reason);
  xml::Element older = moderated(ns::moderation_0, moderation.by, moderation.occupant_id);
  older.add(xml::Element("retract", xmpp::ns::retraction_0));
  if (!reason.empty()) older.add_text_child("reason", reason);
  xml::Element fastened("apply-to", xmpp::ns::fastening);
  fastened.set("id", id);
  fastened.add(std::move(older));
  xml::Element element("message", client_ns);
  element.set("type", "groupchat").set("id", moderation.id).set("from", jid_.text());
  element.add(std::move(retract));
  element.add(std::move(fastened));
  xmpp::Stanza message = xmpp::Stanza::make(std::move(element));
  const auto added =
      out_.archive.add_rewriting_id(jid_, moderation.when, jid_, xml::to_string(message.element(), client_ns), target,
                                    [moderation](std::string_view stanza) { return bury(stanza, moderation); });
  wrote(added.ticket);
  add_stanza_id(message, added.id);
  // What the disk has refused has not happened.
  to_all(message, added.ticket, {});
  std::optional<std::string> own_id;
  std::string author;
  for (const Kept& kept : history_) {
    if (kept.id != target) continue;
    own_id = xmpp::retractable_id(kept.message.element());
    author = kept.author;
  }
  std::erase_if(history_, [&](const Kept& kept) {
    const bool corrects = own_id && kept.author == author && xmpp::retractable_id(kept.message.element()) == own_id;
    if (kept.id != target && !corrects) return false;
    history_bytes_ -= kept.bytes;
    return true;
  });
  reply(request, {}, added.ticket);
}

}  // namespace kith::modules::muc
