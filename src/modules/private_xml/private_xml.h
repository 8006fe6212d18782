// Private XML Storage (XEP-0049 v1.2): clients keep small documents of their own on the server.
// Lives on the account's shard. Storage: DocumentStore, kind "private", one document per element name and namespace.
// Limits: private_xml_bytes for each document, private_xml_entries for each account.
// Exactly one element per request: a set of several is refused, since they could not be stored together or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "module/module.h"

namespace kith::modules {

class PrivateXml final : public module::Module {
 public:
  static constexpr std::string_view ns_private = "jabber:iq:private";
  static constexpr module::Descriptor descriptor{
      .name = "private_xml",
      .summary = "Keeps small documents of clients, such as bookmarks, for their own account",
      .specs = {{.xep = 49, .version = "1.2", .note = "one element for each request"}},
      .server_features = {ns_private},
      .account_features = {ns_private},
  };
  explicit PrivateXml(const module::ModuleDeps& deps)
      : documents_(deps.stores.documents),
        accounts_(deps.accounts),
        delivery_(deps.delivery),
        events_(deps.events),
        limits_(deps.limits) {}
  void attach(module::Hooks& hooks) override;

 private:
  /// True if another feature keeps what the request is about.
  bool taken_over(module::IqRequest& request) const;
  void get(module::IqRequest request);
  void set(module::IqRequest request);
  void set_next(module::Account& account);
  void set_new(module::IqRequest request, std::string key, std::string document);
  void put_new(module::IqRequest request, module::Account& account, std::uint64_t counted, const std::string& key,
               std::string document);
  void put(module::IqRequest request, module::Account& account, const std::string& key, std::string document);

  storage::DocumentStore& documents_;
  module::Accounts& accounts_;
  module::Delivery& delivery_;
  Events& events_;
  const Limits& limits_;
  const module::Hooks* hooks_ = nullptr;
};

}  // namespace kith::modules
