#include "modules/bookmarks/bookmarks.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "xml/stream_parser.h"
#include "xml/writer.h"
#include "xmpp/data_form.h"
#include "xmpp/namespaces.h"
#include "xmpp/pubsub.h"

namespace kith::modules {

namespace ns = xmpp::ns;
using module::Account;
using module::Done;
using module::Next;
using module::Outcome;
using xmpp::Condition;
using xmpp::ErrorType;
using xmpp::StanzaError;

namespace {

constexpr std::string_view ns_private = "jabber:iq:private";
constexpr std::string_view list_name = "storage";
constexpr const char* private_kind = "private";  // as modules/private_xml names it
constexpr const char* private_key = "storage storage:bookmarks";
constexpr const char* kind = "bookmarks";
constexpr const char* key = "";
constexpr std::string_view mirror_id = "current";
/// What is read of the items for a list; what comes behind it is in no list, and no list can remove it.
constexpr std::size_t most_list_bytes = 192 * 1024;

/// XEP-0402 §4.3 for the items, XEP-0048 §4.1 for the list: for the account's own clients alone.
xmpp::NodeConfig items_config() {
  return {.access_model = xmpp::AccessModel::whitelist,
          .max_items = std::nullopt,
          .send_last_item = xmpp::SendLastItem::never};
}
xmpp::NodeConfig mirror_config() { return {.access_model = xmpp::AccessModel::whitelist, .max_items = 1}; }

std::optional<xml::Element> parsed(const std::string& text, std::string_view name, std::string_view space) {
  auto element = xml::parse_stored_element(text, {});
  if (!element || !element->is(name, space)) return std::nullopt;
  return *std::move(element);
}

std::optional<xml::Element> conference_of(const storage::PubsubItem& item) {
  return parsed(item.payload, "conference", xmpp::ns::bookmarks);
}

/// The items that stand for rooms, by their keys; of two with the same key the newer.
std::map<std::string, const storage::PubsubItem*> rooms_in(const std::vector<storage::PubsubItem>& items) {
  std::map<std::string, const storage::PubsubItem*> rooms;
  for (const storage::PubsubItem& item : items) {
    if (const auto room = bookmark_key(item.id); room && conference_of(item)) rooms.insert_or_assign(*room, &item);
  }
  return rooms;
}

std::set<std::string> rooms_in(const xml::Element& list) {
  std::set<std::string> rooms;
  list.for_each_child([&](const xml::Element& child) {
    if (auto room = bookmark_key(child)) rooms.insert(*std::move(room));
  });
  return rooms;
}

/// The list that older clients see.
xml::Element list_of(const std::vector<storage::PubsubItem>& items, const xml::Element& rest) {
  xml::Element list(list_name, ns_bookmark_list);
  const auto rooms = rooms_in(items);
  for (const storage::PubsubItem& item : items) {
    const auto room = bookmark_key(item.id);
    if (room && rooms.contains(*room) && rooms.at(*room) == &item) {
      list.add(listed_bookmark(item.id, *conference_of(item)));
    }
  }
  rest.for_each_child([&](const xml::Element& child) {
    const auto room = bookmark_key(child);
    if (!room || !rooms.contains(*room)) list.add(child);
  });
  return list;
}

/// What a client wants of the list, in private XML or at the old node.
struct ListRequest {
  bool is_private = false;
  const xml::Element* written = nullptr;  ///< null: it asks for it
  const xml::Element* options = nullptr;  ///< the publish-options
};

std::optional<ListRequest> list_request(const module::IqRequest& request) {
  const xml::Element& payload = request.payload();
  const xml::Element* child = payload.first_child();
  if (child == nullptr) return std::nullopt;
  if (payload.ns() == ns_private) {
    if (!child->is(list_name, ns_bookmark_list)) return std::nullopt;
    return ListRequest{.is_private = true, .written = request.is_set() ? child : nullptr};
  }
  if (payload.ns() != ns::pubsub || child->attribute("node") != ns_bookmark_list) return std::nullopt;
  const xml::Element* item = child->child("item", ns::pubsub);
  if (!request.is_set()) {
    const bool wanted = item == nullptr || item->attribute("id") == mirror_id;
    if (!child->is("items", ns::pubsub) || !wanted) return std::nullopt;
    return ListRequest{};
  }
  const xml::Element* list = item == nullptr ? nullptr : item->child(list_name, ns_bookmark_list);
  // Anything else that is published there is refused or kept by the engine's rules, and is no list of bookmarks.
  const bool alone = child->child_element_count() == 1 && list != nullptr && item->child_element_count() == 1;
  if (!child->is("publish", ns::pubsub) || !alone) return std::nullopt;
  return ListRequest{.written = list, .options = payload.child("publish-options", ns::pubsub)};
}

bool publishes_without_options(const module::IqRequest& request) {
  const xml::Element* publish = request.payload().child("publish", ns::pubsub);
  return request.is_set() && publish != nullptr && publish->attribute("node") == xmpp::ns::bookmarks &&
         request.payload().child("publish-options", ns::pubsub) == nullptr;
}

/// SECURITY: XEP-0411 §6: what is private in one place must not become public in another, so the list's node is closed,
/// and who wants it otherwise is told so.
bool may_stay_closed(const xml::Element* options) {
  const xml::Element* x = options == nullptr ? nullptr : options->child("x", ns::data_forms);
  if (x == nullptr) return true;
  const auto form = xmpp::DataForm::parse(*x);
  if (!form) return false;
  return std::ranges::all_of(form->fields, [](const xmpp::FormField& field) {
    return field.var != "pubsub#access_model" ||
           field.values == std::vector<std::string>{std::string(wire_word(xmpp::AccessModel::whitelist))};
  });
}

}  // namespace

/// Of an account: what is to be done with its bookmarks, one after the other, since each thing begins by reading, and
/// what one reader of the disk answers late must not be written over what came after it.
struct Bookmarks::Work {
  std::deque<Job> waiting;
  bool under_way = false;
  bool mirror_waits = false;
  bool looked = false;  // for lists from before
};

/// What is being read for one job.
class Bookmarks::Reading {
 public:
  Stored stored;
  bool failed = false;
};

void Bookmarks::attach(module::Hooks& hooks) {
  hooks_ = &hooks;
  hooks.load_with_account(kind);
  hooks.on<module::SessionBound>(this, &Bookmarks::first_session);
  hooks.on<module::StoreRequest>(module::Phase::deliver, this, &Bookmarks::request);
  hooks.on<module::ItemsPublished>(this, &Bookmarks::items_published);
  hooks.on<module::ItemsRetracted>(this, &Bookmarks::items_retracted);
}

// --- what happens
// --------------------------------------------------------------------------------------------------------

// XEP-0411 §5: lists from before are taken over by the first login, so that nobody misses them.
void Bookmarks::first_session(module::SessionBound& event) {
  Account& account = event.session.account();
  if (account.loaded_document(kind) || account.attachments().get<Work>().looked) return;
  account.attachments().get<Work>().looked = true;
  do_next(account, [](Account&, const Stored*) {});
}

Outcome Bookmarks::request(module::StoreRequest& event) {
  Account& account = *event.request.account();
  if (publishes_without_options(event.request) && account.nodes().find(xmpp::ns::bookmarks) == nullptr) {
    make_node(account);
    return Next{};
  }
  const auto wanted = list_request(event.request);
  if (!wanted) return Next{};
  if (account.attachments().get<Work>().waiting.size() >= limits_.account_queue_stanzas) {
    event.request.fail(StanzaError::of(Condition::resource_constraint));
    return Done{};
  }
  if (wanted->written == nullptr) {
    answer_list(std::move(event.request));
    return Done{};
  }
  if (!may_stay_closed(wanted->options)) {
    event.request.fail(xmpp::pubsub_error(ErrorType::cancel, Condition::conflict, "precondition-not-met"));
    return Done{};
  }
  const xml::Element list = *wanted->written;
  if (xml::to_string(list).size() > limits_.private_xml_bytes) {
    events_.limit_hit("private_xml_bytes");
    event.request.fail(xmpp::pubsub_error(ErrorType::modify, Condition::not_acceptable, "payload-too-big"));
    return Done{};
  }
  write_list(std::move(event.request), list);
  return Done{};
}

// COMPAT(clients that leave out the publish-options of XEP-0402 §4.3, since always, drop when none does): a node as
// XEP-0163 makes it would show every contact the last bookmark, and keep no other.
void Bookmarks::make_node(Account& account) {
  module::PublishItems event{
      .account = account, .node = std::string(xmpp::ns::bookmarks), .items = {}, .config = items_config()};
  hooks_->run(event);
}

void Bookmarks::items_published(module::ItemsPublished& event) {
  if (event.node == xmpp::ns::bookmarks) items_changed(event.account);
}

void Bookmarks::items_retracted(module::ItemsRetracted& event) {
  if (event.node == xmpp::ns::bookmarks) items_changed(event.account);
}

// XEP-0402 §6.3.1
void Bookmarks::items_changed(Account& account) {
  Work& work = account.attachments().get<Work>();
  if (writing_ || work.mirror_waits) return;
  work.mirror_waits = true;
  do_next(account, [this](Account& there, const Stored* stored) {
    there.attachments().get<Work>().mirror_waits = false;
    if (stored != nullptr) mirror(there, *stored);
  });
}

// --- one after the other
// --------------------------------------------------------------------------------------------------

void Bookmarks::do_next(Account& account, Job job) {
  Work& work = account.attachments().get<Work>();
  work.waiting.push_back(std::move(job));
  if (!work.under_way) start(account);
}

void Bookmarks::start(Account& account) {
  account.attachments().get<Work>().under_way = true;
  read(account.jid(), std::make_shared<Reading>());
}

void Bookmarks::read(const xmpp::BareJid& owner, const std::shared_ptr<Reading>& reading) {
  documents_.get(owner, kind, key, [this, owner, reading](storage::Result<std::optional<std::string>> found) {
    reading->failed = !found;
    reading->stored.taken_over = found && found->has_value();
    if (found && *found) {
      if (auto rest = parsed(**found, list_name, ns_bookmark_list)) reading->stored.rest = *std::move(rest);
    }
    if (reading->failed || reading->stored.taken_over) return read_items(owner, reading);
    documents_.get(owner, private_kind, private_key,
                   [this, owner, reading](storage::Result<std::optional<std::string>> list) {
                     reading->failed = !list;
                     if (list && *list) {
                       reading->stored.private_list = parsed(**list, list_name, ns_bookmark_list);
                     }
                     read_items(owner, reading);
                   });
  });
}

void Bookmarks::read_items(const xmpp::BareJid& owner, const std::shared_ptr<Reading>& reading) {
  const Account* account = accounts_.loaded(owner);
  const bool mirrored = account != nullptr && account->nodes().find(ns_bookmark_list) != nullptr;
  const bool any = account != nullptr && account->nodes().find(xmpp::ns::bookmarks) != nullptr;
  if (reading->failed || (!mirrored && !any)) return finish(owner, reading);
  const storage::PubsubQuery query{.most = limits_.pubsub_items, .most_bytes = most_list_bytes};
  items_.items(owner, std::string(xmpp::ns::bookmarks), query,
               [this, owner, reading, mirrored](storage::Result<storage::PubsubPage> found) {
                 reading->failed = !found;
                 if (found) reading->stored.items = std::move(found->items);
                 if (reading->failed || !mirrored) return finish(owner, reading);
                 items_.newest(
                     owner, {std::string(ns_bookmark_list)},
                     [this, owner, reading](storage::Result<std::map<std::string, storage::PubsubItem>> newest) {
                       reading->failed = !newest;
                       if (newest && !newest->empty()) {
                         reading->stored.mirror = parsed(newest->begin()->second.payload, list_name, ns_bookmark_list);
                       }
                       finish(owner, reading);
                     });
               });
}

void Bookmarks::finish(const xmpp::BareJid& owner, const std::shared_ptr<Reading>& reading) {
  Account* account = accounts_.loaded(owner);
  if (account == nullptr) return;  // what waited is dropped with it, and so answered
  const Stored& stored = reading->stored;
  const bool before = !stored.taken_over && (stored.private_list || stored.mirror || !stored.items.empty());
  if (!reading->failed && before) {
    take_over(*account, stored);
    return read(owner, std::make_shared<Reading>());
  }
  if (!reading->failed && !stored.taken_over) {
    // Said once, so that it need not be looked for at each login.
    Writes nobody_waits;
    put_rest(*account, stored.rest, nobody_waits);
  }
  Work& work = account->attachments().get<Work>();
  Job job = std::move(work.waiting.front());
  work.waiting.pop_front();
  if (reading->failed) work.looked = false;
  job(*account, reading->failed ? nullptr : &stored);
  work.under_way = !work.waiting.empty();
  if (work.under_way) start(*account);
}

// --- lists
// ---------------------------------------------------------------------------------------------------------------

void Bookmarks::answer_list(module::IqRequest request) {
  Account& account = *request.account();
  do_next(account, [request = std::move(request)](Account& there, const Stored* stored) mutable {
    if (stored == nullptr) return request.fail(StanzaError::storage_failed());
    xml::Element list = list_of(stored->items, stored->rest);
    if (request.payload().ns() == ns_private) {
      xml::Element query("query", ns_private);
      query.add(std::move(list));
      return request.reply(std::move(query));
    }
    if (list.child_element_count() == 0 && there.nodes().find(ns_bookmark_list) == nullptr) {
      return request.fail(*module::may_read(nullptr, {.jid = there.jid(), .owner = true}));
    }
    xml::Element pubsub("pubsub", ns::pubsub);
    xml::Element& items = pubsub.append_child(xml::Element("items", ns::pubsub));
    items.set("node", std::string(ns_bookmark_list));
    items.append_child(xml::Element("item", ns::pubsub)).set("id", std::string(mirror_id)).add(std::move(list));
    request.reply(std::move(pubsub));
  });
}

void Bookmarks::write_list(module::IqRequest request, const xml::Element& list) {
  Account& account = *request.account();
  do_next(account, [this, list, request = std::move(request)](Account& there, const Stored* stored) mutable {
    if (stored == nullptr) return request.fail(StanzaError::storage_failed());
    const bool is_private = request.payload().ns() == ns_private;
    // Who reads the node may have been sent its item and never have asked: only what was in that was seen.
    const bool sent_only = !is_private && stored->mirror;
    const xml::Element seen = sent_only ? *stored->mirror : list_of(stored->items, stored->rest);
    const Writes writes = apply(there, *stored, list, rooms_in(seen), true);
    std::optional<xml::Element> answer;
    if (!is_private) {
      answer.emplace("pubsub", ns::pubsub);
      xml::Element& publish = answer->append_child(xml::Element("publish", ns::pubsub));
      publish.set("node", std::string(ns_bookmark_list));
      publish.append_child(xml::Element("item", ns::pubsub)).set("id", std::string(mirror_id));
    }
    const auto failed = std::make_shared<bool>(false);
    for (const storage::Ticket ticket : writes.tickets) {
      delivery_.when_decided(ticket, [failed](bool committed) { *failed = *failed || !committed; });
    }
    const storage::Ticket last = writes.tickets.back();
    delivery_.when_decided(last, [failed, answer = std::move(answer), request = std::move(request)](bool) mutable {
      if (*failed) return request.fail(StanzaError::storage_failed());
      request.reply(std::move(answer));
    });
    items_changed(there);
  });
}

void Bookmarks::take_over(Account& account, const Stored& stored) {
  // What is in more than one of them: items before lists, the private list before the node's.
  xml::Element lists(list_name, ns_bookmark_list);
  for (const auto* list : {&stored.private_list, &stored.mirror}) {
    if (*list) (*list)->for_each_child([&](const xml::Element& child) { lists.add(child); });
  }
  apply(account, stored, lists, {}, false);
  items_changed(account);
}

Bookmarks::Writes Bookmarks::apply(Account& account, const Stored& stored, const xml::Element& list,
                                   const std::set<std::string>& base, bool overwrite) {
  Writes writes;
  const auto rooms = rooms_in(stored.items);
  std::set<std::string> named;
  xml::Element rest(list_name, ns_bookmark_list);
  std::size_t count = stored.items.size();
  list.for_each_child([&](const xml::Element& child) {
    const auto room = bookmark_key(child);
    if (!room) {
      rest.add(child);
      return;
    }
    // Of two that name the same room the first counts.
    if (!named.insert(*room).second) return;
    const auto there = rooms.find(*room);
    if (there != rooms.end()) {
      const xml::Element before = *conference_of(*there->second);
      xml::Element now = updated_bookmark(before, child);
      if (overwrite && now != before) publish(account, there->second->id, std::move(now), writes);
    } else if (count >= limits_.pubsub_items ||
               !publish(account, *room, updated_bookmark(xml::Element("conference", xmpp::ns::bookmarks), child),
                        writes)) {
      rest.add(child);
    } else {
      ++count;
    }
  });
  std::vector<std::string> gone;
  for (const auto& [room, item] : rooms) {
    if (base.contains(room) && !named.contains(room)) gone.push_back(item->id);
  }
  writing_ = true;
  for (std::string& id : gone) {
    // One at a time: there are clients that look at the first of several only.
    module::RetractItems event{account, std::string(xmpp::ns::bookmarks), {std::move(id)}};
    hooks_->run(event);
    writes.tickets.push_back(event.ticket);
  }
  writing_ = false;
  put_rest(account, rest, writes);
  return writes;
}

bool Bookmarks::publish(Account& account, std::string id, xml::Element conference, Writes& writes) {
  xml::Element item("item", ns::pubsub);
  item.set("id", std::move(id)).add(std::move(conference));
  module::PublishItems event{.account = account,
                             .node = std::string(xmpp::ns::bookmarks),
                             .items = {std::move(item)},
                             .config = items_config(),
                             .as_configured = true};
  writing_ = true;
  const Outcome outcome = hooks_->run(event);
  writing_ = false;
  if (!std::holds_alternative<Done>(outcome) || event.refused) return false;
  writes.tickets.push_back(event.ticket);
  return true;
}

void Bookmarks::put_rest(Account& account, const xml::Element& rest, Writes& writes) {
  writes.tickets.push_back(account.wrote(documents_.put(account.jid(), kind, key, xml::to_string(rest))));
}

void Bookmarks::mirror(Account& account, const Stored& stored) {
  xml::Element list = list_of(stored.items, stored.rest);
  if (stored.mirror == list) return;
  xml::Element item("item", ns::pubsub);
  item.set("id", std::string(mirror_id)).add(std::move(list));
  module::PublishItems event{.account = account,
                             .node = std::string(ns_bookmark_list),
                             .items = {std::move(item)},
                             .config = mirror_config(),
                             .as_configured = true};
  hooks_->run(event);
  if (!event.refused || !stored.mirror) return;
  // Better none than an old one: whoever goes by that would take back what others have changed.
  module::RetractItems gone{account, std::string(ns_bookmark_list), {std::string(mirror_id)}};
  hooks_->run(gone);
}

}  // namespace kith::modules
