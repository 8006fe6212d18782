// The table of everything that can be set. The reader of kith.toml (config.cpp) and the reference (reference.cpp) both
// work from it, so that they cannot disagree. Made on demand; any thread.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "server/config.h"

namespace kith::server {

/// What can stand right of the `=`.
using ConfigValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>>;

struct ConfigSetting {
  std::string section;  ///< "" at the top of the file, "limits", "modules.disco"
  std::string key;
  std::string form;       ///< what kind of value, for people: "size", "list of endpoints"
  std::string help;       ///< one sentence
  std::string fallback;   ///< the default as it would be written, or words where it depends on others
  bool at_reload = true;  ///< false: takes effect when the daemon starts
  /// Puts the value in; or says in a sentence why it cannot stand there.
  std::function<std::optional<std::string>(Config&, const ConfigValue&)> read;
  /// The value as it would be written in the file.
  std::function<std::string(const Config&)> show;

  std::string name() const { return section.empty() ? key : section + "." + key; }
};

/// In the order of the reference: the top, then section by section, then the features.
std::vector<ConfigSetting> all_settings(std::span<const module::Registration> features);

struct ConfigSection {
  std::string name;
  std::string help;
};
/// The sections of all_settings(), in the same order, without the top.
std::vector<ConfigSection> all_sections(std::span<const module::Registration> features);

/// A configuration with every default and no domain. Throws std::logic_error if a feature's descriptor contradicts
/// itself.
Config default_config(std::span<const module::Registration> features);

}  // namespace kith::server
