// Service discovery (XEP-0030 v2.5.0) of the server and of accounts, with extended forms (XEP-0128), and the server's
// entity capabilities in the stream features (XEP-0115 v1.6.0). Lives on each shard; stateless: every answer is put
// together from the descriptors of the features that are on and from what they add by the events DiscoInfo and
// DiscoItems. An account's info goes to itself and to who may see its presence, anybody else gets service-unavailable,
// or no items, as for an address that is no account. Does not optimise capabilities away from presence (XEP-0115 §8.4).
#pragma once

#include "module/module.h"
#include "xmpp/namespaces.h"

namespace kith::modules {

class Disco final : public module::Module {
 public:
  static constexpr module::Descriptor descriptor{
      .name = "disco",
      .summary = "Tells clients and other servers what this server and its accounts can do",
      .specs = {{.xep = 30, .version = "2.5.0"},
                {.xep = 115, .version = "1.6.0", .note = "the server's own capabilities; no optimisation"},
                {.xep = 128, .version = "1.0.1"}},
      .server_features = {xmpp::ns::disco_info, xmpp::ns::disco_items, xmpp::ns::caps},
      .account_features = {xmpp::ns::disco_info, xmpp::ns::disco_items},
  };
  /// The `node` of the server's capabilities.
  static constexpr std::string_view caps_node = "urn:kith:server";

  explicit Disco(const module::ModuleDeps& deps) : active_(deps.active) {}
  void attach(module::Hooks& hooks) override;

 private:
  void info(module::IqRequest request);
  void items(module::IqRequest request);
  void announce(module::StreamFeatures& event);
  /// Nothing if a feature refuses.
  std::expected<xml::Element, xmpp::StanzaError> describe(module::Target target, std::string_view domain,
                                                          module::Account* account) const;

  const std::vector<const module::Descriptor*>& active_;
  const module::Hooks* hooks_ = nullptr;
};

}  // namespace kith::modules
