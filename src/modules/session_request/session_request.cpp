#include "modules/session_request/session_request.h"

#include <utility>

#include "xmpp/namespaces.h"

namespace kith::modules {

void SessionRequest::attach(module::Hooks& hooks) {
  using module::Access;
  using module::Target;
  hooks.on_iq(Target::account, Access::owner, xmpp::StanzaType::set, "session", xmpp::ns::session, this,
              &SessionRequest::answer);
  // RFC 3921 §3 addresses it to the server.
  hooks.on_iq(Target::server, Access::anyone, xmpp::StanzaType::set, "session", xmpp::ns::session, this,
              &SessionRequest::answer);
}

void SessionRequest::answer(module::IqRequest request) { request.reply(); }

}  // namespace kith::modules
