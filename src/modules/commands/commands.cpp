#include "modules/commands/commands.h"

#include <algorithm>
#include <string>
#include <utility>

#include "xmpp/namespaces.h"

namespace kith::modules {

namespace ns = xmpp::ns;
using module::Access;
using module::Done;
using module::Next;
using module::Outcome;
using module::Target;
using xmpp::Condition;
using xmpp::StanzaError;
using xmpp::StanzaType;

namespace {

// §4.4
StanzaError refusal(std::string_view why, std::string text) {
  StanzaError error = StanzaError::of(Condition::bad_request, std::move(text));
  error.detail = xml::Element(why, ns::commands);
  return error;
}

xml::Element identity(std::string_view type, const std::string& name) {
  xml::Element made("identity", ns::disco_info);
  made.set("category", "automation").set("type", std::string(type));
  if (!name.empty()) made.set("name", name);
  return made;
}

}  // namespace

void Commands::attach(module::Hooks& hooks) {
  hooks_ = &hooks;
  hooks.on_iq(Target::server, Access::anyone, StanzaType::set, "command", ns::commands, this, &Commands::execute);
  hooks.on<module::DiscoItems>(module::Phase::validate, this, &Commands::list);
  hooks.on<module::DiscoInfo>(module::Phase::validate, this, &Commands::describe);
}

const module::Command* Commands::find(std::string_view node) const {
  const auto found = std::ranges::find(hooks_->commands(), node, &module::Command::node);
  return found == hooks_->commands().end() ? nullptr : &*found;
}

// §2.4
void Commands::execute(module::IqRequest request) {
  const std::string node(request.payload().attribute("node").value_or(""));
  if (request.session() == nullptr) return request.fail(StanzaError::of(Condition::forbidden));
  const module::Command* const command = find(node);
  if (command == nullptr) return request.fail(StanzaError::of(Condition::item_not_found));
  // All is done at the first step, so there is no session to go on with and no action but to begin.
  if (request.payload().attribute("sessionid")) {
    StanzaError error = StanzaError::of(Condition::not_allowed);
    error.detail = xml::Element("session-expired", ns::commands);
    return request.fail(error);
  }
  const std::string_view action = request.payload().attribute("action").value_or("execute");
  if (action == "next" || action == "prev" || action == "cancel")
    return request.fail(refusal("bad-action", "This command has one step."));
  if (action != "execute" && action != "complete")
    return request.fail(refusal("malformed-action", "There is no such action."));
  command->handle(module::CommandRequest(std::move(request), node, random_.token()));
}

// §2.2
Outcome Commands::list(module::DiscoItems& event) {
  if (event.target != Target::server || event.node != ns::commands) return Next{};
  if (hosts_.is_local(event.requester.domainpart())) {
    for (const module::Command& command : hooks_->commands()) {
      event.query.add(xml::Element("item", ns::disco_items)
                          .set("jid", std::string(event.domain))
                          .set("node", command.node)
                          .set("name", command.name));
    }
  }
  return Done{};
}

Outcome Commands::describe(module::DiscoInfo& event) {
  if (event.target != Target::server || event.node.empty()) return Next{};
  if (event.node == ns::commands) {
    event.query.add(identity("command-list", {}));
    return Done{};
  }
  const module::Command* const command = find(event.node);
  if (command == nullptr) return Next{};
  if (event.requester == nullptr || !hosts_.is_local(event.requester->domainpart()))
    return StanzaError::of(Condition::forbidden);
  event.query.add(identity("command-node", command->name));
  for (const std::string_view feature : {ns::commands, ns::data_forms})
    event.query.add(xml::Element("feature", ns::disco_info).set("var", std::string(feature)));
  return Done{};
}

}  // namespace kith::modules
