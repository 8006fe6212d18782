#include "server/config.h"

#include <algorithm>
#include <fstream>
#include <stdexcept>

#include <fmt/format.h>
#include <sys/un.h>

#include "base/encoding.h"
#include "server/nearest.h"
#include "server/settings.h"
#include "server/units.h"

namespace kith::server {
namespace {

struct TomlLibraryLost : std::logic_error {
  using std::logic_error::logic_error;
};

/// toml++ asserts what it believes of its own state. A file must never end the daemon that reads it again, so that a
/// belief that fails is an error of the file. COMPAT(toml++, 3.3, drop when it is fixed): one of them is merely wrong:
/// after `[` any letter may come, as in "[::1]", and the code behind that assertion has a good message for it.
void toml_belief_failed(std::string_view belief) {
  if (belief != "is_bare_key_character(*cp) || is_string_delimiter(*cp)") {
    throw TomlLibraryLost("is nothing that the reader of TOML understands");
  }
}

}  // namespace
}  // namespace kith::server

// With NDEBUG toml++ would tell the compiler that its beliefs hold, and a wrong one would be undefined behaviour.
#undef NDEBUG
#define TOML_ASSERT(belief) ((belief) ? void() : kith::server::toml_belief_failed(#belief))
#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

namespace kith::server {
namespace {

constexpr std::size_t most_file_bytes = 1024UL * 1024;

struct Place {
  std::filesystem::path file;
  std::size_t line = 0;
};

/// A value as the table of settings reads it; nothing if it is of a kind that no setting takes (a date, a list of
/// lists).
std::optional<ConfigValue> value_of(const toml::node& node) {
  if (const auto* flag = node.as_boolean()) return ConfigValue(flag->get());
  if (const auto* number = node.as_integer()) return ConfigValue(number->get());
  if (const auto* number = node.as_floating_point()) return ConfigValue(number->get());
  if (const auto* text = node.as_string()) return ConfigValue(text->get());
  const auto* list = node.as_array();
  if (list == nullptr) return std::nullopt;
  std::vector<std::string> texts;
  for (const toml::node& item : *list) {
    const auto* text = item.as_string();
    if (text == nullptr) return std::nullopt;
    texts.push_back(text->get());
  }
  return ConfigValue(std::move(texts));
}

struct Stray {
  std::size_t line;
  std::string_view sentence;
};

/// The code point that begins at `i`, of well-formed UTF-8; moves `i` to its last byte.
char32_t take_code_point(std::string_view text, std::size_t& i) {
  const auto byte = [&] { return static_cast<unsigned char>(text[i]); };
  const int more = byte() >= 0xF0 ? 3 : byte() >= 0xE0 ? 2 : 1;
  char32_t code = byte() & (0x3FU >> static_cast<unsigned>(more));
  for (int n = 0; n < more; ++n) {
    ++i;
    code = (code << 6U) | (byte() & 0x3FU);
  }
  return code;
}

/// The same TOML in ASCII: what lies beyond is escaped in strings and left out of comments. SECURITY: toml++ 3.3 runs
/// into undefined behaviour on such letters outside of strings (a key that begins with a sharp s is enough) and after
/// some backslashes within strings of several lines. TOML allows the first nowhere, and no setting needs the second.
std::expected<std::string, Stray> in_ascii(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // a byte order mark, which some editors leave
  if (!is_utf8(text)) return std::unexpected(Stray{0, "is not UTF-8"});
  std::string ascii;
  ascii.reserve(text.size());
  std::size_t line = 1;
  char quote = '\0';  // the delimiter of the string that we are in
  bool comment = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (static_cast<unsigned char>(c) >= 0x80) {
      const char32_t code = take_code_point(text, i);
      if (quote == '"') {
        ascii += fmt::format("\\U{:08X}", static_cast<std::uint32_t>(code));
      } else if (!comment) {
        return std::unexpected(Stray{line, "has a letter beyond ASCII outside of double quotation marks"});
      }
      continue;
    }
    ascii += c;
    if (c == '\n') {
      ++line;
      quote = '\0';  // an unfinished string, where toml++ will stop
      comment = false;
    } else if (quote != '\0') {
      const bool escapes =
          c == '\\' && quote == '"' && i + 1 < text.size() && (text[i + 1] == '"' || text[i + 1] == '\\');
      if (escapes) ascii += text[++i];
      if (c == quote) quote = '\0';
    } else if (c == '#') {
      comment = true;
    } else if (!comment && (c == '"' || c == '\'')) {
      const bool several_lines = text.substr(i, 3) == std::string(3, c);
      if (several_lines)
        return std::unexpected(Stray{line, "begins a text over several lines, which no setting takes"});
      quote = c;
    }
  }
  return ascii;
}

Secret first_line(const std::string& file) {
  std::ifstream input(file);
  std::string line;
  std::getline(input, line);
  if (line.ends_with('\r')) line.pop_back();
  return Secret(std::move(line));
}

/// Reads texts into one configuration and gathers what is wrong with them.
class Reader {
 public:
  Reader(std::span<const module::Registration> features, const LoadOptions& options)
      : features_(features), settings_(all_settings(features)), options_(options), config_(default_config(features)) {
    for (const ConfigSetting& setting : settings_) by_name_.emplace(setting.name(), &setting);
    for (const ConfigSection& section : all_sections(features)) sections_.insert(section.name);
    // `limits` is a section with keys and sections of its own; `modules` has sections only.
    sections_.insert("modules");
  }

  void fail(const Place& place, std::string key, std::string sentence, std::string nearest = {}) {
    errors_.push_back({place.file, place.line, std::move(key), std::move(sentence), std::move(nearest)});
  }

  void read(const ConfigText& text) {
    if (config_.file.empty()) config_.file = text.file;
    if (text.text.size() > most_file_bytes) return fail({text.file, 0}, {}, "is longer than 1 MiB");
    const std::expected<std::string, Stray> content = in_ascii(text.text);
    if (!content) return fail({text.file, content.error().line}, {}, std::string(content.error().sentence));
    try {
      const toml::parse_result parsed = toml::parse(*content);
      if (!parsed) {
        const toml::parse_error& error = parsed.error();
        return fail({text.file, error.source().begin.line}, {}, std::string(error.description()));
      }
      read_section(text.file, {}, parsed.table());
    } catch (const TomlLibraryLost& lost) {
      fail({text.file, 0}, {}, lost.what());
    }
  }

  std::expected<Config, std::vector<ConfigError>> finish() {
    check_domains();
    complete_paths();
    check_listeners();
    std::ranges::sort(errors_, {},
                      [](const ConfigError& error) { return std::tie(error.file, error.line, error.key); });
    if (!errors_.empty()) return std::unexpected(std::move(errors_));
    return std::move(config_);
  }

 private:
  /// Sections lie at most three deep, as unknown ones are not entered: recursion is bounded.
  void read_section(const std::filesystem::path& file, const std::string& section, const toml::table& table) {
    for (const auto& [toml_key, node] : table) {
      const std::string key(toml_key.str());
      const std::string name = section.empty() ? key : section + "." + key;
      const Place place{file, node.source().begin.line};
      if (sections_.contains(name)) {
        if (const auto* inner = node.as_table()) {
          read_section(file, name, *inner);
        } else {
          fail(place, name, fmt::format("is a section, written as [{}]", name));
        }
        continue;
      }
      const auto found = by_name_.find(name);
      if (found == by_name_.end()) {
        fail(place, name, node.is_table() ? "there is no such section" : "there is no such setting",
             nearest_name(name, section, node.is_table()));
        continue;
      }
      read_setting(*found->second, node, place);
    }
  }

  void read_setting(const ConfigSetting& setting, const toml::node& node, const Place& place) {
    seen_.insert_or_assign(setting.name(), place);
    const std::optional<ConfigValue> value = value_of(node);
    if (!value) return fail(place, setting.name(), fmt::format("cannot be that; it is a {}", setting.form));
    const std::optional<std::string> trouble = setting.read(config_, *value);
    if (trouble) fail(place, setting.name(), *trouble);
  }

  /// The key that was probably meant: of the same section first, since most mistakes are of the hand; a setting of
  /// exactly that name elsewhere is a mistake about the section.
  std::string nearest_name(const std::string& name, const std::string& section, bool is_section) const {
    if (is_section) return nearest(name, sections_);
    const std::string key = section.empty() ? name : name.substr(section.size() + 1);
    std::set<std::string> keys;
    for (const ConfigSetting& setting : settings_) {
      if (setting.key == key) return setting.name();
      if (setting.section == section) keys.insert(setting.name());
    }
    if (keys.empty()) {
      for (const ConfigSetting& setting : settings_) keys.insert(setting.name());
    }
    return nearest(name, keys);
  }

  Place place_of(std::string_view name) const {
    const auto found = seen_.find(name);
    return found == seen_.end() ? Place{config_.file, 0} : found->second;
  }

  void check_domains() {
    const bool one = seen_.contains("domain");
    const bool many = seen_.contains("domains");
    if (one && many) {
      fail(place_of("domains"), "domains",
           "cannot stand beside \"domain\"; list all domains here and leave the other out");
    } else if (!one && !many) {
      fail({config_.file, 0}, "domain", "is missing; a configuration says at least: domain = \"example.org\"");
    }
    if (config_.domains.empty()) return;  // said already
    for (const auto& [domain, file] : config_.components.secret_files) {
      if (std::ranges::find(config_.domains, domain) == config_.domains.end()) continue;
      fail(place_of("components.domains"), "components.domains",
           fmt::format("\"{}\" is a domain of accounts; a component has one of its own", domain));
    }
    for (const xmpp::BareJid& admin : config_.admins) {
      if (std::ranges::find(config_.domains, admin.domainpart()) != config_.domains.end()) continue;
      fail(place_of("admins"), "admins", fmt::format("\"{}\" is no address of a domain served here", admin.text()));
    }
  }

  void complete_paths() {
    const std::filesystem::path base = config_.file.parent_path();
    const auto complete = [](std::filesystem::path& path, const std::filesystem::path& from,
                             std::string_view fallback) {
      if (path.empty()) path = fallback;
      path = (from / path).lexically_normal();
    };
    if (config_.data_directory.empty() && !options_.data_directory.empty()) {
      config_.data_directory = options_.data_directory;
    }
    complete(config_.data_directory, base, "data");
    const std::filesystem::path& data = config_.data_directory;
    complete(config_.admin_socket, config_.admin_socket.empty() ? data : base, "kith.sock");
    for (auto& [domain, file] : config_.components.secret_files) complete(file, base, {});
    for (auto* const file : {&config_.federation.trusted_certificates, &config_.federation.dnssec_trust_anchors}) {
      if (!file->empty()) complete(*file, base, {});
    }
    complete_secret_files(base);
    complete(config_.storage.file, config_.storage.file.empty() ? data : base, "kith.db");
    if (config_.certificates.directories.empty()) {
      config_.certificates.directories = {data / "certs"};
    } else {
      for (std::filesystem::path& directory : config_.certificates.directories) complete(directory, base, {});
    }
    if (config_.admin_socket.native().size() >= sizeof(sockaddr_un::sun_path)) {
      fail(place_of("admin_socket"), "admin_socket",
           fmt::format("\"{}\" is too long: the system takes at most {} bytes", config_.admin_socket.string(),
                       sizeof(sockaddr_un::sun_path) - 1));
    }
  }

  void complete_secret_files(const std::filesystem::path& base) {
    for (const module::Registration& feature : features_) {
      ModuleConfig& its = config_.modules[std::string(feature.descriptor->name)];
      for (const module::Setting& setting : feature.descriptor->settings) {
        if (setting.type != module::Setting::Type::secret_file) continue;
        auto& path = std::get<std::string>(its.settings.find(setting.key)->second);
        if (path.empty()) continue;
        path = (base / path).lexically_normal().string();
        const std::string name = fmt::format("modules.{}.{}", feature.descriptor->name, setting.key);
        // Said at the start or at a reload, and not when somebody needs it.
        if (its.enabled && first_line(path).empty()) {
          fail(place_of(name), name, fmt::format("{} cannot be read, or its first line is empty", toml_text(path)));
        }
      }
    }
  }

  void check_listeners() {
    std::set<Endpoint> taken;
    const std::pair<std::string, const std::vector<Endpoint>*> lists[] = {
        {"listen.c2s", &config_.listen.c2s},
        {"listen.c2s_direct_tls", &config_.listen.c2s_direct_tls},
        {"listen.c2s_plaintext", &config_.listen.c2s_plaintext},
        {"listen.s2s", &config_.listen.s2s},
        {"listen.s2s_direct_tls", &config_.listen.s2s_direct_tls},
        {"listen.components", &config_.listen.components},
        {"listen.metrics", &config_.listen.metrics},
        {"listen.http", &config_.listen.http},
        {"listen.https", &config_.listen.https}};
    for (const auto& [name, list] : lists) {
      for (const Endpoint& endpoint : *list) {
        // Port 0 is any free port, which several may ask for.
        if (endpoint.port == 0 || taken.insert(endpoint).second) continue;
        fail(place_of(name), name, fmt::format("\"{}\" is taken by another listener", endpoint.text()));
      }
    }
  }

  std::span<const module::Registration> features_;
  std::vector<ConfigSetting> settings_;
  const LoadOptions& options_;
  std::map<std::string, const ConfigSetting*, std::less<>> by_name_;
  std::set<std::string> sections_;
  std::map<std::string, Place, std::less<>> seen_;
  Config config_;
  std::vector<ConfigError> errors_;
};

/// Nothing if the file cannot be read.
std::optional<std::string> content_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in || std::filesystem::is_directory(file)) return std::nullopt;
  std::string text(most_file_bytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return std::nullopt;
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

}  // namespace

std::uint16_t Config::web_port() const {
  if (http.public_port != 0) return http.public_port;
  return listen.https.empty() ? 0 : listen.https.front().port;
}

module::Settings Config::settings_of(std::string_view feature) const {
  const auto found = modules.find(feature);
  if (found == modules.end()) return {};
  auto values = found->second.settings;
  for (const std::string& key : found->second.secret_files) {
    module::Settings::Value& value = values.find(key)->second;
    const std::string path = std::get<std::string>(value);
    value = path.empty() ? Secret() : first_line(path);
  }
  return module::Settings(std::move(values));
}

bool Config::enabled(std::string_view feature) const {
  const auto found = modules.find(feature);
  return found != modules.end() && found->second.enabled;
}

std::string ConfigError::text() const {
  std::string out = file.string();
  if (line != 0) out += fmt::format(":{}", line);
  out += ": ";
  if (!key.empty()) out += fmt::format("{}: ", key);
  out += sentence;
  if (!nearest.empty()) out += fmt::format("; the nearest is \"{}\"", nearest);
  return out;
}

std::expected<Config, std::vector<ConfigError>> parse_config(const std::vector<ConfigText>& texts,
                                                             std::span<const module::Registration> features,
                                                             const LoadOptions& options) {
  Reader reader(features, options);
  for (const ConfigText& text : texts) reader.read(text);
  return reader.finish();
}

std::expected<Config, std::vector<ConfigError>> load_config(const std::filesystem::path& file,
                                                            std::span<const module::Registration> features,
                                                            const LoadOptions& options) {
  std::vector<std::filesystem::path> files{file};
  std::error_code trouble;
  std::vector<std::filesystem::path> more;
  for (std::filesystem::directory_iterator at(file.parent_path() / "conf.d", trouble), end; !trouble && at != end;
       at.increment(trouble)) {
    const std::filesystem::path& path = at->path();
    if (path.extension() == ".toml" && !path.filename().string().starts_with('.')) more.push_back(path);
  }
  std::ranges::sort(more);
  files.insert(files.end(), more.begin(), more.end());

  Reader reader(features, options);
  for (const std::filesystem::path& path : files) {
    std::optional<std::string> text = content_of(path);
    if (!text) return std::unexpected(std::vector{ConfigError{path, 0, {}, "cannot be read", {}}});
    reader.read({path, *std::move(text)});
  }
  return reader.finish();
}

std::vector<ConfigChange> changes_between(const Config& before, const Config& after,
                                          std::span<const module::Registration> features) {
  std::vector<ConfigChange> changes;
  for (const ConfigSetting& setting : all_settings(features)) {
    if (setting.show(before) != setting.show(after)) changes.push_back({setting.name(), !setting.at_reload});
  }
  return changes;
}

}  // namespace kith::server
