// Bookmarks of rooms in step (XEP-0402 v1.2.0 §6.3): the items of urn:xmpp:bookmarks:1 are what there is. The list that
// older clients know, in private XML (XEP-0049) and at the node storage:bookmarks (XEP-0048 v1.2), is made of them when
// it is asked for, and what such a client writes as a list becomes items, of those that changed only. What a list has
// beside rooms (web pages, what does not validate, what a limit forbids as an item) is kept as it is. An account's
// lists from before are taken over when it first logs in. Lives on the account's shard. State: the work that waits, for
// each account. Storage: DocumentStore and PubsubStore.
//
// Limits: private_xml_bytes for a list that is written; those of the pubsub engine. The item of storage:bookmarks that
// is sent to clients of their own accord is missing while it would have more than pubsub_item_bytes.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "module/module.h"
#include "modules/bookmarks/lists.h"

namespace kith::modules {

class Bookmarks final : public module::Module {
 public:
  static constexpr module::Descriptor descriptor{
      .name = "bookmarks",
      .summary = "Keeps the rooms that a person has bookmarked the same for clients of all ages",
      .specs = {{.xep = 402, .version = "1.2.0"}, {.xep = 48, .version = "1.2"}, {.xep = 411, .version = "1.1.0"}},
      .account_features = {"urn:xmpp:bookmarks:1#compat", "urn:xmpp:bookmarks:1#compat-pep",
                           "urn:xmpp:bookmarks-conversion:0"},
  };
  explicit Bookmarks(const module::ModuleDeps& deps)
      : documents_(deps.stores.documents),
        items_(deps.stores.pubsub),
        accounts_(deps.accounts),
        delivery_(deps.delivery),
        events_(deps.events),
        limits_(deps.limits) {}
  void attach(module::Hooks& hooks) override;

 private:
  /// What is stored of an account's bookmarks.
  struct Stored {
    std::vector<storage::PubsubItem> items{};
    xml::Element rest{"storage", ns_bookmark_list};  ///< what a list has beside them
    bool taken_over = true;                          ///< false: there may be lists that were never looked at
    std::optional<xml::Element> mirror{};            ///< the list that is at the node storage:bookmarks
    std::optional<xml::Element> private_list{};      ///< read only if nothing was taken over yet
  };
  /// `stored` is null if it cannot be read.
  using Job = std::move_only_function<void(module::Account&, const Stored* stored)>;
  struct Work;
  class Reading;
  /// Writes whose fate decides the answer to a request.
  struct Writes {
    std::vector<storage::Ticket> tickets;
  };

  void first_session(module::SessionBound& event);
  module::Outcome request(module::StoreRequest& event);
  void make_node(module::Account& account);
  void items_published(module::ItemsPublished& event);
  void items_retracted(module::ItemsRetracted& event);

  /// Does `job` with what is stored, after what was asked for before; not at all if the account is gone by then.
  void do_next(module::Account& account, Job job);
  void start(module::Account& account);
  void read(const xmpp::BareJid& owner, const std::shared_ptr<Reading>& reading);
  void read_items(const xmpp::BareJid& owner, const std::shared_ptr<Reading>& reading);
  void finish(const xmpp::BareJid& owner, const std::shared_ptr<Reading>& reading);

  void answer_list(module::IqRequest request);
  void write_list(module::IqRequest request, const xml::Element& list);
  void take_over(module::Account& account, const Stored& stored);
  void items_changed(module::Account& account);

  /// Makes the items say what `list` says. `base`: the rooms that whoever wrote it has seen; what is missing of them is
  /// removed. `overwrite`: what is there already becomes as the list says.
  Writes apply(module::Account& account, const Stored& stored, const xml::Element& list,
               const std::set<std::string>& base, bool overwrite);
  bool publish(module::Account& account, std::string id, xml::Element conference, Writes& writes);
  void put_rest(module::Account& account, const xml::Element& rest, Writes& writes);
  void mirror(module::Account& account, const Stored& stored);

  storage::DocumentStore& documents_;
  storage::PubsubStore& items_;
  module::Accounts& accounts_;
  module::Delivery& delivery_;
  Events& events_;
  const Limits& limits_;
  const module::Hooks* hooks_ = nullptr;
  bool writing_ = false;  ///< what is published now is published here
};

}  // namespace kith::modules
