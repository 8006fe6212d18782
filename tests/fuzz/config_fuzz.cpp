// kith.toml of any bytes: an error with a sentence or a configuration that holds its promises, never a crash.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "server/config.h"
#include "server/settings.h"

using namespace kith;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

constexpr module::Descriptor lamp{
    .name = "lamp",
    .summary = "Gives light.",
    .settings = {{.key = "bright", .type = module::Setting::Type::boolean, .fallback = "true"},
                 {.key = "hours",
                  .type = module::Setting::Type::integer,
                  .unit = "hours",
                  .fallback = "12",
                  .least = 1,
                  .most = 48},
                 {.key = "rooms", .type = module::Setting::Type::text_list, .fallback = "[]"}}};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<module::Registration> features{{&lamp, nullptr}};
  static const std::vector<server::ConfigSetting> settings = server::all_settings(features);
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto config = server::parse_config({{"/etc/kith.toml", text}}, features);
  if (!config) {
    require(!config.error().empty());
    for (const server::ConfigError& error : config.error()) require(!error.sentence.empty() && !error.text().empty());
    return 0;
  }
  require(!config->domains.empty());
  require(std::set(config->domains.begin(), config->domains.end()).size() == config->domains.size());
  for (const server::Endpoint& endpoint : config->listen.c2s_plaintext) require(endpoint.is_loopback());
  for (const server::Endpoint& endpoint : config->listen.metrics) require(endpoint.is_loopback());
  for (const xmpp::BareJid& admin : config->admins) {
    require(std::ranges::find(config->domains, admin.domainpart()) != config->domains.end());
  }
  require(config->limits.stanzas.per_second > 0 && config->limits.stanzas.burst > 0);
  const std::int64_t hours = config->settings_of("lamp").integer("hours");
  require(hours >= 1 && hours <= 48);

  // Written out in full and read again, it is the same configuration.
  std::string written;
  std::string section;
  for (const server::ConfigSetting& setting : settings) {
    if (setting.name() == "domain") continue;  // "domains" says it
    if (setting.section != section) written += "[" + (section = setting.section) + "]\n";
    written += setting.key + " = " + setting.show(*config) + "\n";
  }
  const auto again = server::parse_config({{"/etc/kith.toml", written}}, features);
  require(again.has_value());
  require(server::changes_between(*config, *again, features).empty());
  return 0;
}
