#include "modules/displayed_sync/displayed_sync.h"

#include <string>
#include <utility>
#include <vector>

#include "xmpp/pubsub.h"

namespace kith::modules {

void DisplayedSync::attach(module::Hooks& hooks) {
  hooks_ = &hooks;
  // Before it is archived, copied and delivered: what was read is nobody else's business.
  hooks.on<module::MessageFromClient>(module::Phase::annotate, this, &DisplayedSync::take_out);
}

module::Outcome DisplayedSync::take_out(module::MessageFromClient& event) {
  const xml::Element* found = event.stanza.content().child("displayed", ns_displayed);
  if (found == nullptr) return module::Next{};
  xml::Element item("item", xmpp::ns::pubsub);
  item.set("id", event.stanza.to()->text()).add(*found);
  event.stanza.edit().remove_children([](const xml::Element& child) { return child.is("displayed", ns_displayed); });
  std::vector<xml::Element> items;
  items.push_back(std::move(item));
  // §8.2: a node that is made by this is for the account alone.
  module::PublishItems publish{.account = event.session.account(),
                               .node = std::string(ns_displayed),
                               .items = std::move(items),
                               .config = {.access_model = xmpp::AccessModel::whitelist,
                                          .max_items = std::nullopt,
                                          .send_last_item = xmpp::SendLastItem::never}};
  hooks_->run(publish);
  return module::Next{};
}

}  // namespace kith::modules
