#include "module/hooks.h"

namespace kith::module {

const Hooks::IqHandler* Hooks::iq_handler(Target target, xmpp::StanzaType type, std::string_view name,
                                          std::string_view ns) const {
  const auto found = iqs_.find(std::tuple(target, type, name, ns));
  return found == iqs_.end() ? nullptr : &found->second;
}

}  // namespace kith::module
