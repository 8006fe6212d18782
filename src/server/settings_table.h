// The table of settings while it is being filled: a function for each kind of setting. Only settings.cpp and
// limit_settings.cpp fill it.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "server/settings.h"
#include "server/units.h"

namespace kith::server {

using Trouble = std::optional<std::string>;

struct Bounds {
  std::uint64_t least;
  std::uint64_t most;
};

/// Fills the table of the daemon's own settings. Each function adds one kind of setting; `at` is a generic lambda that
/// finds the value in a configuration, for reading and for writing.
class Table {
 public:
  void section(std::string name) { section_ = std::move(name); }

  /// What follows takes effect only when the daemon starts.
  Table& at_start() {
    at_reload_ = false;
    return *this;
  }

  template <class At>
  void count(std::string key, At at, Bounds bounds, std::string help) {
    number(
        std::move(key), "number", at, bounds, std::move(help),
        [](const ConfigValue& value) -> std::optional<std::uint64_t> {
          const auto* whole = std::get_if<std::int64_t>(&value);
          if (whole == nullptr || *whole < 0) return std::nullopt;
          return static_cast<std::uint64_t>(*whole);
        },
        [](std::uint64_t n) { return fmt::format("{}", n); }, "a whole number, as in 100");
  }

  template <class At>
  void size(std::string key, At at, Bounds bounds, std::string help) {
    number(
        std::move(key), "size", at, bounds, std::move(help),
        [](const ConfigValue& value) -> std::optional<std::uint64_t> {
          if (const auto* bytes = std::get_if<std::int64_t>(&value); bytes != nullptr && *bytes >= 0) {
            return static_cast<std::uint64_t>(*bytes);
          }
          const auto* text = std::get_if<std::string>(&value);
          return text == nullptr ? std::nullopt : parse_size(*text);
        },
        [](std::uint64_t n) { return toml_text(show_size(n)); }, "a size, as in \"256 KiB\" or \"20 MiB\"");
  }

  template <class At>
  void duration(std::string key, At at, std::chrono::seconds least, std::chrono::seconds most, std::string help) {
    add(
        std::move(key), "duration", std::move(help),
        [at, least, most](Config& config, const ConfigValue& value) -> Trouble {
          std::optional<std::chrono::seconds> parsed;
          if (const auto* seconds = std::get_if<std::int64_t>(&value)) {
            parsed = std::chrono::seconds(*seconds);
          } else if (const auto* text = std::get_if<std::string>(&value)) {
            parsed = parse_duration(*text);
          }
          if (!parsed) return "must be a duration, as in \"30 seconds\" or \"5 minutes\"";
          if (*parsed < least || *parsed > most) {
            return fmt::format("must be from {} to {}", show_duration(least), show_duration(most));
          }
          at(config) = *parsed;
          return std::nullopt;
        },
        [at](const Config& config) { return toml_text(show_duration(at(config))); });
  }

  template <class At>
  void rate(std::string key, At at, bool of_bytes, std::string help) {
    const std::string example = of_bytes ? "\"32 KiB/s burst 64 KiB\"" : "\"10/s burst 50\"";
    add(
        std::move(key), of_bytes ? "rate of bytes" : "rate", std::move(help),
        [at, of_bytes, example](Config& config, const ConfigValue& value) -> Trouble {
          const auto* text = std::get_if<std::string>(&value);
          const std::optional<Rate> parsed = text == nullptr ? std::nullopt : parse_rate(*text, of_bytes);
          if (!parsed) return "must be a rate, as in " + example;
          at(config) = *parsed;
          return std::nullopt;
        },
        [at, of_bytes](const Config& config) { return toml_text(show_rate(at(config), of_bytes)); });
  }

  template <class At>
  void flag(std::string key, At at, std::string help) {
    add(
        std::move(key), "true or false", std::move(help),
        [at](Config& config, const ConfigValue& value) -> Trouble {
          const auto* parsed = std::get_if<bool>(&value);
          if (parsed == nullptr) return "must be true or false";
          at(config) = *parsed;
          return std::nullopt;
        },
        [at](const Config& config) { return std::string(at(config) ? "true" : "false"); });
  }

  template <class At>
  void endpoints(std::string key, At at, bool loopback_only, std::string help) {
    add(
        std::move(key), "list of endpoints", std::move(help),
        [at, loopback_only](Config& config, const ConfigValue& value) -> Trouble {
          const std::optional<std::vector<std::string>> texts = texts_of(value);
          if (!texts) return "must be a list of addresses with ports, as in [\"0.0.0.0:5222\", \"[::]:5222\"]";
          std::vector<Endpoint> parsed;
          for (const std::string& text : *texts) {
            const std::optional<Endpoint> endpoint = parse_endpoint(text);
            if (!endpoint)
              return toml_text(text) + " is no numeric address with a port, as in \"0.0.0.0:5222\" or \"[::]:5222\"";
            // SECURITY: what is not encrypted stays on the machine.
            if (loopback_only && !endpoint->is_loopback()) {
              return toml_text(text) +
                     " can be reached from outside, and what goes through here is not encrypted: only 127.0.0.1 and "
                     "::1 may stand here";
            }
            parsed.push_back(*endpoint);
          }
          at(config) = std::move(parsed);
          return std::nullopt;
        },
        [at](const Config& config) {
          std::vector<std::string> texts;
          for (const Endpoint& endpoint : at(config)) texts.push_back(endpoint.text());
          return show_list(texts);
        });
  }

  template <class At>
  void path(std::string key, At at, std::string fallback, std::string help, bool may_be_empty = false) {
    add(
        std::move(key), "path", std::move(help),
        [at, may_be_empty](Config& config, const ConfigValue& value) -> Trouble {
          const auto* text = std::get_if<std::string>(&value);
          if (text == nullptr || (text->empty() && !may_be_empty) || text->contains('\0'))
            return "must be a path, as in \"/var/lib/kith\"";
          at(config) = *text;
          return std::nullopt;
        },
        [at](const Config& config) { return toml_text(at(config).string()); });
    table_.back().fallback = std::move(fallback);
  }

  void add(std::string key, std::string form, std::string help, decltype(ConfigSetting::read) read,
           decltype(ConfigSetting::show) show) {
    table_.push_back({.section = section_,
                      .key = std::move(key),
                      .form = std::move(form),
                      .help = std::move(help),
                      .fallback = show(Config{}),
                      .at_reload = at_reload_,
                      .read = std::move(read),
                      .show = std::move(show)});
    at_reload_ = true;
  }

  void fallback(std::string words) { table_.back().fallback = std::move(words); }
  std::vector<ConfigSetting> take() { return std::move(table_); }

  static std::optional<std::vector<std::string>> texts_of(const ConfigValue& value) {
    if (const auto* one = std::get_if<std::string>(&value)) return std::vector{*one};
    if (const auto* many = std::get_if<std::vector<std::string>>(&value)) return *many;
    return std::nullopt;
  }

  static std::string show_list(const std::vector<std::string>& texts) {
    std::string out = "[";
    for (const std::string& text : texts) out += (out.size() > 1 ? ", " : "") + toml_text(text);
    return out + "]";
  }

 private:
  template <class At, class Parse, class Show>
  void number(std::string key, std::string form, At at, Bounds bounds, std::string help, Parse parse, Show show_one,
              std::string wanted) {
    add(
        std::move(key), std::move(form), std::move(help),
        [=, wanted = std::move(wanted)](Config& config, const ConfigValue& value) -> Trouble {
          const std::optional<std::uint64_t> parsed = parse(value);
          if (!parsed) return "must be " + wanted;
          if (*parsed < bounds.least || *parsed > bounds.most) {
            return fmt::format("must be from {} to {}", show_one(bounds.least), show_one(bounds.most));
          }
          auto& target = at(config);
          target = static_cast<std::remove_reference_t<decltype(target)>>(*parsed);
          return std::nullopt;
        },
        [=](const Config& config) { return show_one(at(config)); });
  }

  std::string section_;
  bool at_reload_ = true;
  std::vector<ConfigSetting> table_;
};

/// What a peer can make grow: [limits] and its sections.
void add_limits(Table& table);

}  // namespace kith::server
