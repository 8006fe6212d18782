// Software Version (XEP-0092 v1.1) of the server. Stateless; lives on each shard. The operating system is never told.
#pragma once

#include <string>
#include <string_view>

#include "module/module.h"

namespace kith::modules {

class Version final : public module::Module {
 public:
  static constexpr std::string_view ns_version = "jabber:iq:version";
  static constexpr module::Descriptor descriptor{
      .name = "version",
      .summary = "Tells the name and version of the server software",
      .specs = {{.xep = 92, .version = "1.1", .note = "the operating system is never told"}},
      .server_features = {ns_version},
      .settings = {{.key = "hide_version",
                    .type = module::Setting::Type::boolean,
                    .fallback = "false",
                    .help = "Answer with the name of the software and an empty version."}},
  };
  explicit Version(const module::ModuleDeps& deps) : version_(deps.software_version) {}
  void attach(module::Hooks& hooks) override;
  void configure(const module::Settings& settings) override { hide_ = settings.boolean("hide_version"); }

 private:
  void answer(module::IqRequest request);

  std::string version_;
  bool hide_ = false;
};

}  // namespace kith::modules
