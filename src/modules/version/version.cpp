#include "modules/version/version.h"

#include <utility>

namespace kith::modules {

void Version::attach(module::Hooks& hooks) {
  hooks.on_iq(module::Target::server, module::Access::anyone, xmpp::StanzaType::get, "query", ns_version, this,
              &Version::answer);
}

void Version::answer(module::IqRequest request) {
  xml::Element query("query", ns_version);
  query.add_text_child("name", "Kith");
  // XEP-0092 §2: <version/> must be there; a client shows the empty one as nothing.
  query.add_text_child("version", hide_ ? std::string_view() : std::string_view(version_));
  request.reply(std::move(query));
}

}  // namespace kith::modules
