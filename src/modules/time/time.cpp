#include "modules/time/time.h"

#include <utility>

#include "xmpp/datetime.h"

namespace kith::modules {

using module::Access;
using module::Target;
using xmpp::StanzaType;

void Time::attach(module::Hooks& hooks) {
  hooks.on_iq(Target::server, Access::anyone, StanzaType::get, "time", ns_time, this, &Time::answer);
  // An iq without `to` is for the own account, and clients mean the server by it.
  hooks.on_iq(Target::account, Access::owner, StanzaType::get, "time", ns_time, this, &Time::answer);
}

void Time::answer(module::IqRequest request) {
  xml::Element time("time", ns_time);
  time.add_text_child("tzo", "+00:00");
  time.add_text_child("utc", xmpp::format_datetime(clock_.wall()));
  request.reply(std::move(time));
}

}  // namespace kith::modules
