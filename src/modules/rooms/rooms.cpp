#include "modules/rooms/rooms.h"

#include <algorithm>
#include <map>
#include <utility>

#include "xmpp/namespaces.h"
#include "xmpp/rsm.h"

namespace kith::modules {

using muc::Room;
using storage::Ticket;
using xmpp::Condition;
using xmpp::StanzaError;
using xmpp::StanzaKind;
using xmpp::StanzaType;
namespace ns = xmpp::ns;

Rooms::Rooms(const module::ModuleDeps& deps)
    : deps_(deps), loaded_(deps.events.gauge("kith_rooms", "Rooms that are in memory.")) {
  sweep_.set_action([this] { drop_idle(); });
  expiry_.set_action([this] { expire(); });
}

void Rooms::attach(module::Hooks& hooks) {
  hooks.serve(*this);
  hooks.on<module::DiscoItems>(module::Phase::validate, this, &Rooms::add_item);
  hooks.on<module::ServerStops>(this, &Rooms::stops);
  hooks.on<module::AccountGone>(this, &Rooms::account_gone);
  hooks.on<module::RoomAdministration>(module::Phase::validate, this, &Rooms::administered);
  deps_.timers.schedule(expiry_, expire_every);
}

void Rooms::configure(const module::Settings& settings) {
  // What makes no sense is refused by the tightest reading, and told.
  const std::string& prefix = settings.text("prefix");
  const std::optional<std::string> prepared = xmpp::prepare_domainpart(prefix);
  if (prepared && prepared->find('.') == std::string::npos && !prepared->starts_with('[')) {
    prefix_ = *prepared;
  } else {
    deps_.events.record(LogLevel::error, "rooms_prefix_is_no_name", {{"prefix", prefix}, {"instead", "rooms"}});
    prefix_ = "rooms";
  }
  creation_ = settings.text("creation");
  if (creation_ != "anyone" && creation_ != "accounts" && creation_ != "admins") {
    deps_.events.record(LogLevel::error, "rooms_creation_unknown", {{"creation", creation_}, {"instead", "admins"}});
    creation_ = "admins";
  }
}

bool Rooms::owns(std::string_view domainpart) const {
  if (domainpart.size() <= prefix_.size() + 1 || domainpart[prefix_.size()] != '.' || !domainpart.starts_with(prefix_))
    return false;
  return deps_.hosts.is_local(domainpart.substr(prefix_.size() + 1)) && !deps_.hosts.is_local(domainpart);
}

// XEP-0045 §6.1: the domain of the accounts leads to that of the rooms.
module::Outcome Rooms::add_item(module::DiscoItems& event) {
  if (event.target == module::Target::server && event.node.empty()) {
    event.query.add(xml::Element("item", ns::disco_items)
                        .set("jid", prefix_ + "." + std::string(event.domain))
                        .set("name", "Group chat"));
  }
  return module::Next{};
}

void Rooms::refuse(const xmpp::Stanza& stanza, const StanzaError& error) {
  if (auto answer = xmpp::error_reply(stanza, error)) deps_.delivery.route(*std::move(answer));
}

// --- the service
// -----------------------------------------------------------------------------------------------------------------

void Rooms::to_service(const xmpp::Stanza& stanza) {
  if (stanza.kind() == StanzaKind::presence) return;
  if (stanza.kind() == StanzaKind::message || stanza.to()->is_full())
    return refuse(stanza, StanzaError::of(Condition::service_unavailable));
  if (!stanza.is_iq_request()) return;
  const xml::Element& payload = *stanza.payload();
  const bool get = stanza.type() == StanzaType::get;
  const bool whole = payload.attribute("node").value_or("").empty();
  if (get && whole && payload.is("query", ns::disco_info)) {
    // §6.2
    xml::Element query("query", ns::disco_info);
    query.add(xml::Element("identity", ns::disco_info)
                  .set("category", "conference")
                  .set("type", "text")
                  .set("name", "Group chat"));
    for (const std::string_view feature : {ns::disco_info, ns::disco_items, muc::ns::muc, muc::ns::stable_id,
                                           muc::ns::occupant_id, muc::ns::vcard, ns::ping, ns::rsm})
      query.add(xml::Element("feature", ns::disco_info).set("var", std::string(feature)));
    return deps_.delivery.route(xmpp::result_reply(stanza, std::move(query)));
  }
  if (get && whole && payload.is("query", ns::disco_items)) return list(stanza);
  if (get && payload.is("ping", ns::ping)) return deps_.delivery.route(xmpp::result_reply(stanza));
  refuse(stanza, StanzaError::of(whole ? Condition::service_unavailable : Condition::item_not_found));
}

// §6.3
void Rooms::list(const xmpp::Stanza& request) {
  const auto page = xmpp::PageRequest::of(*request.payload());
  if (!page) return refuse(request, page.error());
  if (page->before) return refuse(request, StanzaError::of(Condition::feature_not_implemented));
  const std::size_t most = std::min<std::uint64_t>(page->max.value_or(most_listed), most_listed);
  deps_.stores.rooms.list(std::string(request.to()->domainpart()), page->after.value_or(""), most,
                          [this, request](storage::Result<std::vector<storage::ListedRoom>> rooms) {
                            if (!rooms) return refuse(request, StanzaError::storage_failed());
                            xml::Element query("query", ns::disco_items);
                            for (const storage::ListedRoom& room : *rooms) {
                              xml::Element item("item", ns::disco_items);
                              item.set("jid", room.jid.text());
                              item.set("name", room.name.empty() ? std::string(room.jid.localpart()) : room.name);
                              query.add(std::move(item));
                            }
                            if (!rooms->empty())
                              query.add(xmpp::page_element(rooms->front().jid.text(), rooms->back().jid.text()));
                            deps_.delivery.route(xmpp::result_reply(request, std::move(query)));
                          });
}

// --- rooms
// -----------------------------------------------------------------------------------------------------------------------

void Rooms::receive(xmpp::Stanza stanza, Ticket gate, Settled settled) {
  if (!stanza.from()) return settled({});
  if (!stanza.to()->has_localpart()) {
    to_service(stanza);
    return settled({});
  }
  const xmpp::BareJid jid = xmpp::BareJid::of(*stanza.to());
  enqueue(jid, {.stanza = std::move(stanza), .gate = gate, .settled = std::move(settled)});
}

void Rooms::enqueue(const xmpp::BareJid& jid, Visit wants) {
  auto [found, fresh] = rooms_.try_emplace(jid);
  Entry& entry = found->second;
  if (entry.room) return visit(jid, std::move(wants));
  if (entry.queue.size() >= deps_.limits.account_queue_stanzas) {
    deps_.events.limit_hit("account_queue_stanzas");
    return give_up(wants, {xmpp::ErrorType::wait, Condition::resource_constraint, "The server is busy. Try again."});
  }
  entry.queue.push_back(std::move(wants));
  if (!fresh) return;
  if (!sweep_.waiting()) deps_.timers.schedule(sweep_, sweep_every);
  load(jid);
}

void Rooms::give_up(Visit& visit, const StanzaError& error) {
  if (visit.work) return visit.work(std::unexpected(error));
  refuse(*visit.stanza, error);
  visit.settled({});
}

void Rooms::load(const xmpp::BareJid& jid) {
  deps_.stores.rooms.load(jid, [this, jid](storage::Result<std::optional<storage::RoomData>> data) {
    if (!data) return loaded(jid, std::unexpected(data.error()));
    if (!*data) return loaded(jid, nullptr);
    deps_.stores.archive.page(
        jid, newest(), [this, jid, data = std::move(**data)](storage::Result<storage::ArchivePage> page) mutable {
          if (!page) return loaded(jid, std::unexpected(page.error()));
          deps_.stores.documents.get_several(
              jid, {std::string(occupants_kind), std::string(Room::vcard_kind), std::string(Room::nicks_kind)},
              [this, jid, data = std::move(data),
               messages = std::move(page->messages)](storage::Result<std::map<std::string, std::string>> documents) {
                if (!documents) return loaded(jid, std::unexpected(documents.error()));
                const std::string occupants = (*documents)[std::string(occupants_kind)];
                // It is true once: a crash ends the sessions of those who are here.
                if (!occupants.empty()) deps_.stores.documents.put(jid, std::string(occupants_kind), "", "");
                const std::string& nicks = (*documents)[std::string(Room::nicks_kind)];
                auto room = std::make_unique<Room>(jid, surroundings(), data, messages, nicks, occupants);
                if (const std::string& card = (*documents)[std::string(Room::vcard_kind)]; !card.empty())
                  room->take_vcard(card);
                loaded(jid, std::move(room));
              });
        });
  });
}

muc::Surroundings Rooms::surroundings() const {
  return {.clock = deps_.clock,
          .random = deps_.random,
          .events = deps_.events,
          .timers = deps_.timers,
          .delivery = deps_.delivery,
          .store = deps_.stores.rooms,
          .archive = deps_.stores.archive,
          .archive_ids = deps_.archive_ids,
          .documents = deps_.stores.documents,
          .limits = deps_.limits,
          .rates = deps_.rates,
          .hosts = deps_.hosts};
}

storage::ArchiveQuery Rooms::newest() {
  storage::ArchiveQuery query;
  query.from_newest = true;
  query.most = muc::RoomConfig::most_history;
  query.most_bytes = Room::most_history_bytes;
  return query;
}

void Rooms::watch(const xmpp::BareJid& jid) {
  const auto found = rooms_.find(jid);
  if (found == rooms_.end() || !found->second.room) return;
  Entry& entry = found->second;
  const Ticket last = entry.room->last_write();
  if (entry.watching || last == entry.watched) return;
  entry.watching = true;
  entry.watched = last;
  deps_.delivery.when_decided(last, [this, jid](bool committed) {
    const auto there = rooms_.find(jid);
    if (there == rooms_.end()) return;
    there->second.watching = false;
    if (!committed) {
      there->second.stale = true;
      reread(jid);
    }
    watch(jid);
  });
}

void Rooms::reread(const xmpp::BareJid& jid) {
  deps_.stores.rooms.load(jid, [this, jid](storage::Result<std::optional<storage::RoomData>> data) {
    if (!data) return;  // The next sweep tries again.
    deps_.stores.archive.page(
        jid, newest(), [this, jid, data = *std::move(data)](storage::Result<storage::ArchivePage> page) mutable {
          if (!page) return;
          deps_.stores.documents.get(
              jid, std::string(Room::nicks_kind), "",
              [this, jid, data = std::move(data),
               messages = std::move(page->messages)](storage::Result<std::optional<std::string>> nicks) mutable {
                if (!nicks) return;
                deps_.delivery.when_decided({}, [this, jid, data = std::move(data), messages = std::move(messages),
                                                 nicks = (*nicks).value_or("")](bool) {
                  const auto found = rooms_.find(jid);
                  if (found == rooms_.end() || !found->second.room || !found->second.stale) return;
                  // What was written since is on its way; its end is watched, too.
                  if (found->second.watching) return;
                  found->second.stale = false;
                  found->second.room->reread(data, messages, nicks);
                });
              });
        });
  });
}

void Rooms::loaded(const xmpp::BareJid& jid, storage::Result<std::unique_ptr<Room>> room) {
  // In one turn: what a room sends must not come back to it before it has done with what it is at.
  deps_.delivery.when_decided({}, [this, jid, room = std::move(room)](bool) mutable {
    const auto found = rooms_.find(jid);
    if (found == rooms_.end()) return;
    std::deque<Visit> queue = std::exchange(found->second.queue, {});
    if (!room) {
      rooms_.erase(found);
      for (Visit& waiting : queue) give_up(waiting, StanzaError::storage_failed());
      return;
    }
    if (*room) loaded_.add(1);
    found->second.room = *std::move(room);
    for (const xmpp::BareJid& person : std::exchange(found->second.gone, {})) {
      if (found->second.room) found->second.room->forget(person);
    }
    for (Visit& waiting : queue) visit(jid, std::move(waiting));
    // Nobody has made it.
    const auto still = rooms_.find(jid);
    if (still != rooms_.end() && !still->second.room) rooms_.erase(still);
  });
}

void Rooms::visit(const xmpp::BareJid& jid, Visit visit) {
  Entry& entry = rooms_[jid];
  entry.last_used = deps_.clock.now();
  if (!entry.room && visit.work) return visit.work(nullptr);
  if (!entry.room) {
    entry.room = make(jid, *visit.stanza);
    if (!entry.room) return visit.settled({});
    loaded_.add(1);
  }
  if (visit.work) {
    visit.work(entry.room.get());
  } else {
    entry.room->receive(*std::move(visit.stanza), visit.gate);
  }
  const Ticket last = entry.room->last_write();
  if (entry.room->finished()) {
    // Whoever comes next finds that there is no room: what is read sees what was written.
    loaded_.add(-1);
    rooms_.erase(jid);
  }
  watch(jid);
  if (visit.settled) visit.settled(last);
}

// §10.1
std::unique_ptr<Room> Rooms::make(const xmpp::BareJid& jid, const xmpp::Stanza& stanza) {
  const bool wanted = stanza.kind() == StanzaKind::presence && stanza.type() == StanzaType::available &&
                      stanza.element().child("x", muc::ns::muc) != nullptr;
  if (!wanted) {
    // XEP-0410 §3.3: to a client that asks whether it is still there, "not found" would say that it is.
    const bool as_occupant = stanza.is_iq_request() && stanza.to()->is_full();
    if (stanza.kind() != StanzaKind::presence || stanza.type() == StanzaType::available)
      refuse(stanza, StanzaError::of(as_occupant ? Condition::not_acceptable : Condition::item_not_found));
    return nullptr;
  }
  const xmpp::BareJid maker = xmpp::BareJid::of(*stanza.from());
  const bool ours = deps_.hosts.is_local(maker.domainpart());
  const bool may = deps_.hosts.is_admin(maker) || creation_ == "anyone" || (creation_ == "accounts" && ours);
  if (!may) {
    refuse(stanza, StanzaError::of(Condition::not_allowed, "You may not make rooms here."));
    return nullptr;
  }
  if (!deps_.rates.take("room_creations " + maker.text(), deps_.limits.room_creations)) {
    deps_.events.limit_hit("room_creations");
    refuse(stanza, {xmpp::ErrorType::wait, Condition::resource_constraint, "Too many new rooms. Try again later."});
    return nullptr;
  }
  return std::make_unique<Room>(jid, surroundings());
}

// SECURITY: who gets the name next must not get what its owner before was.
void Rooms::account_gone(module::AccountGone& event) {
  for (auto& [jid, entry] : rooms_) {
    if (entry.room) {
      entry.room->forget(event.account);
    } else {
      entry.gone.push_back(event.account);
    }
  }
}

void Rooms::stops(module::ServerStops& event) {
  for (const auto& [jid, entry] : rooms_) {
    if (!entry.room) continue;
    std::string text = entry.room->occupants_text();
    if (text.empty()) continue;
    const Ticket ticket = deps_.stores.documents.put(jid, std::string(occupants_kind), "", std::move(text));
    event.last = storage::later(event.last, ticket);
  }
}

module::Outcome Rooms::administered(module::RoomAdministration& event) {
  using Lines = module::RoomAdministration::Lines;
  if (!owns(event.room.domainpart())) return module::Next{};
  Work work = [this, wish = event.wish, object = event.object, value = event.value,
               answer = std::move(event.answer)](std::expected<Room*, StanzaError> room) mutable {
    if (!room) return answer(std::unexpected(room.error()));
    if (*room == nullptr) return answer(std::unexpected(StanzaError::of(Condition::item_not_found)));
    auto done = (*room)->administered(wish, object, value);
    if (!done) return answer(std::unexpected(done.error()));
    const Ticket written = wish == module::RoomAdministration::Wish::show ? Ticket{} : (*room)->last_write();
    deps_.delivery.when_decided(written,
                                [lines = *std::move(done), answer = std::move(answer)](bool committed) mutable {
                                  if (!committed) return answer(std::unexpected(StanzaError::storage_failed()));
                                  answer(std::expected<Lines, StanzaError>(std::move(lines)));
                                });
  };
  // In one turn, like all that a room does.
  deps_.delivery.when_decided(
      {}, [this, jid = event.room, work = std::move(work)](bool) mutable { enqueue(jid, {.work = std::move(work)}); });
  return module::Done{};
}

void Rooms::expire() {
  const bool others_do = std::ranges::any_of(deps_.active, [](const auto* one) { return one->name == "archive"; });
  if (others_do) return;
  deps_.stores.archive.expire(
      deps_.clock.wall() - retention, expired_at_once, [this](const storage::Result<bool>& removed) {
        // Little by little, so that nobody waits behind it.
        deps_.timers.schedule(expiry_, removed && *removed ? Duration(std::chrono::seconds(1)) : expire_every);
      });
}

void Rooms::drop_idle() {
  const MonotonicTime now = deps_.clock.now();
  const auto gone = std::erase_if(rooms_, [&](const auto& one) {
    const Entry& entry = one.second;
    return entry.room && entry.room->empty() && entry.queue.empty() &&
           now - entry.last_used >= deps_.limits.account_idle_time;
  });
  loaded_.add(-static_cast<std::int64_t>(gone));
  std::vector<xmpp::BareJid> stale;
  for (const auto& [jid, entry] : rooms_) {
    if (entry.stale) stale.push_back(jid);
  }
  for (const xmpp::BareJid& jid : stale) reread(jid);
  if (!rooms_.empty()) deps_.timers.schedule(sweep_, sweep_every);
}

}  // namespace kith::modules
