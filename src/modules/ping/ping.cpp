#include "modules/ping/ping.h"

namespace kith::modules {

using module::Access;
using module::Target;
using xmpp::StanzaType;

void Ping::attach(module::Hooks& hooks) {
  hooks.on_iq(Target::server, Access::anyone, StanzaType::get, "ping", xmpp::ns::ping, this, &Ping::pong);
  hooks.on_iq(Target::account, Access::subscribers, StanzaType::get, "ping", xmpp::ns::ping, this, &Ping::pong);
}

void Ping::pong(module::IqRequest request) { request.reply(); }

}  // namespace kith::modules
