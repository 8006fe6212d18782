#include "server/settings.h"

#include <algorithm>
#include <array>
#include <stdexcept>

#include <fmt/format.h>

#include "base/encoding.h"
#include "server/settings_table.h"
#include "server/units.h"

namespace kith::server {
namespace {

Trouble put_domains(Config& config, const std::vector<std::string>& texts) {
  if (texts.empty()) return "must name at least one domain";
  std::vector<std::string> prepared;
  for (const std::string& text : texts) {
    std::optional<std::string> domain = xmpp::prepare_domainpart(text);
    if (!domain) return toml_text(text) + " is no domain name";
    if (std::ranges::find(prepared, *domain) != prepared.end()) return toml_text(text) + " stands here twice";
    prepared.push_back(*std::move(domain));
  }
  config.domains = std::move(prepared);
  return std::nullopt;
}

void add_top(Table& table) {
  table.add(
      "domain", "text",
      "The domain that is served: the part behind the @ of its people's addresses. The only setting that has no "
      "default.",
      [](Config& config, const ConfigValue& value) -> Trouble {
        const auto* text = std::get_if<std::string>(&value);
        if (text == nullptr) return "must be a domain name, as in \"example.org\" (for several, use \"domains\")";
        return put_domains(config, {*text});
      },
      [](const Config& config) {
        return config.domains.size() == 1 ? toml_text(config.domains.front()) : std::string();
      });
  table.fallback("none");
  table.add(
      "domains", "list of texts", "Several domains instead of one; their accounts have nothing in common.",
      [](Config& config, const ConfigValue& value) -> Trouble {
        const auto texts = Table::texts_of(value);
        if (!texts) return "must be a list of domain names, as in [\"example.org\", \"example.net\"]";
        return put_domains(config, *texts);
      },
      [](const Config& config) { return Table::show_list(config.domains); });
  table.fallback("none");
  table.add(
      "admins", "list of texts", "The accounts that may administer the server through their client, as addresses.",
      [](Config& config, const ConfigValue& value) -> Trouble {
        const auto texts = Table::texts_of(value);
        if (!texts) return "must be a list of addresses, as in [\"alice@example.org\"]";
        std::set<xmpp::BareJid> admins;
        for (const std::string& text : *texts) {
          const std::optional<xmpp::BareJid> jid = xmpp::BareJid::parse(text);
          if (!jid || !jid->has_localpart()) return toml_text(text) + " is no address, as in \"alice@example.org\"";
          admins.insert(*jid);
        }
        config.admins = std::move(admins);
        return std::nullopt;
      },
      [](const Config& config) {
        std::vector<std::string> texts;
        for (const xmpp::BareJid& admin : config.admins) texts.push_back(admin.text());
        return Table::show_list(texts);
      });
  table.at_start().path(
      "data_directory", [](auto& c) -> auto& { return c.data_directory; },
      "`data` beside the file, or what systemd gives as state directory",
      "Where the database and everything else that must not be lost is kept.");
  table.at_start().path(
      "admin_socket", [](auto& c) -> auto& { return c.admin_socket; }, "`kith.sock` in the data directory",
      "The socket over which `kithctl` talks to the daemon; who can open it is an administrator.");
  table.at_start().count(
      "shards", [](auto& c) -> auto& { return c.shards; }, {0, 256},
      "How many threads carry the sessions; 0 means one for each core but one.");
}

void add_listen(Table& table) {
  table.section("listen");
  table.at_start().endpoints(
      "c2s", [](auto& c) -> auto& { return c.listen.c2s; }, false,
      "Where clients connect and turn to TLS by STARTTLS (RFC 6120). `[::]` means IPv6 only.");
  table.at_start().endpoints(
      "c2s_direct_tls", [](auto& c) -> auto& { return c.listen.c2s_direct_tls; }, false,
      "Where clients connect by TLS from the first byte (XEP-0368).");
  table.at_start().endpoints(
      "c2s_plaintext", [](auto& c) -> auto& { return c.listen.c2s_plaintext; }, true,
      "Where clients connect without TLS: for an onion service or a proxy on the same machine; loopback only.");
  table.at_start().endpoints(
      "s2s", [](auto& c) -> auto& { return c.listen.s2s; }, false,
      "Where other servers connect, as a rule at port 5269. An empty list means that there is no federation: nothing "
      "comes in from other servers, and nothing goes out.");
  table.at_start().endpoints(
      "s2s_direct_tls", [](auto& c) -> auto& { return c.listen.s2s_direct_tls; }, false,
      "Where other servers connect with TLS from the first byte (XEP-0368), as a rule at port 5270.");
  table.at_start().endpoints(
      "components", [](auto& c) -> auto& { return c.listen.components; }, true,
      "Where components connect (XEP-0114), as a rule at \"127.0.0.1:5347\"; loopback only.");
  table.at_start().endpoints(
      "metrics", [](auto& c) -> auto& { return c.listen.metrics; }, true,
      "Where OpenMetrics are read over HTTP, for example at \"127.0.0.1:5282\"; loopback only.");
  table.at_start().endpoints(
      "http", [](auto& c) -> auto& { return c.listen.http; }, false,
      "Where HTTP is spoken in the clear, to a reverse proxy on this machine. WebSockets from elsewhere are refused "
      "here unless a trusted proxy says that they came by https.");
  table.at_start().endpoints(
      "https", [](auto& c) -> auto& { return c.listen.https; }, false,
      "Where HTTP is spoken over TLS, with the certificates of the domains: WebSockets (RFC 7395), pages, files.");
}

void add_http(Table& table) {
  table.section("http");
  table.add(
      "trusted_proxies", "list of texts",
      "The addresses of reverse proxies: what they say of their clients (X-Forwarded-For, X-Forwarded-Proto) is "
      "believed.",
      [](Config& config, const ConfigValue& value) -> Trouble {
        const auto texts = Table::texts_of(value);
        if (!texts) return "must be a list of addresses, as in [\"127.0.0.1\", \"::1\"]";
        std::vector<std::string> addresses;
        for (const std::string& text : *texts) {
          const auto endpoint = parse_endpoint(text.contains(':') ? "[" + text + "]:1" : text + ":1");
          if (!endpoint) return toml_text(text) + " is no numeric address, as in \"127.0.0.1\"";
          addresses.push_back(endpoint->address);
        }
        config.http.trusted_proxies = std::move(addresses);
        return std::nullopt;
      },
      [](const Config& config) { return Table::show_list(config.http.trusted_proxies); });
  table.at_start().count(
      "public_port", [](auto& c) -> auto& { return c.http.public_port; }, {0, 65535},
      "The port in addresses of pages and files that others are told; 443 behind a reverse proxy, as a rule. With 0 it "
      "is that of the first address under `https`.");
  table.add(
      "origins", "list of texts",
      "The web pages that may open a WebSocket, as in [\"https://chat.example.org\"]; [\"*\"] means any. Who logs in "
      "needs a password either way.",
      [](Config& config, const ConfigValue& value) -> Trouble {
        auto texts = Table::texts_of(value);
        if (!texts) return "must be a list, as in [\"https://chat.example.org\"]";
        for (const std::string& text : *texts) {
          if (text != "*" && !text.starts_with("https://") && !text.starts_with("http://")) {
            return toml_text(text) + " is no origin, as in \"https://chat.example.org\"";
          }
        }
        config.http.origins = std::move(*texts);
        return std::nullopt;
      },
      [](const Config& config) { return Table::show_list(config.http.origins); });
}

/// "NAME.onion:5269"
std::optional<Endpoint> parse_onion(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  const std::optional<std::string> host = xmpp::prepare_domainpart(std::string_view(text).substr(0, colon));
  const auto port = parse_number<std::uint16_t>(std::string_view(text).substr(colon + 1));
  if (!host || !host->ends_with(".onion") || host->size() > 255 || !port) return std::nullopt;
  return Endpoint{*host, *port};
}

Trouble put_hosts(Config& config, const std::vector<std::string>& texts) {
  std::map<std::string, std::vector<Endpoint>, std::less<>> hosts;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    const std::optional<std::string> domain = xmpp::prepare_domainpart(std::string_view(text).substr(0, equals));
    const std::string place = equals == std::string::npos ? std::string() : text.substr(equals + 1);
    std::optional<Endpoint> endpoint = parse_endpoint(place);
    if (!endpoint) endpoint = parse_onion(place);
    if (!domain || !endpoint || endpoint->port == 0) {
      return toml_text(text) + " is no domain with an address and a port, as in \"example.net=192.0.2.7:5269\"";
    }
    hosts[*domain].push_back(*endpoint);
  }
  config.federation.hosts = std::move(hosts);
  return std::nullopt;
}

void add_federation(Table& table) {
  table.section("federation");
  table.at_start().add(
      "hosts", "list of texts",
      "Where the servers of some domains are, instead of asking DNS, as in [\"example.net=192.0.2.7:5269\"]; several "
      "for one domain are tried in this order. An onion service may stand there, too: \"example.net=NAME.onion:5269\".",
      [](Config& config, const ConfigValue& value) -> Trouble {
        const auto texts = Table::texts_of(value);
        if (!texts) return "must be a list, as in [\"example.net=192.0.2.7:5269\"]";
        return put_hosts(config, *texts);
      },
      [](const Config& config) {
        std::vector<std::string> texts;
        for (const auto& [domain, endpoints] : config.federation.hosts) {
          for (const Endpoint& endpoint : endpoints) {
            std::string text = domain;
            text.append("=").append(endpoint.text());
            texts.push_back(std::move(text));
          }
        }
        return Table::show_list(texts);
      });
  table.at_start().add(
      "socks5_proxy", "endpoint",
      "Where a SOCKS5 proxy without password listens, such as Tor's at \"127.0.0.1:9050\". Onion services are called "
      "by "
      "it, and nobody else; one whose address is its domain needs no certificate.",
      [](Config& config, const ConfigValue& value) -> Trouble {
        const auto* text = std::get_if<std::string>(&value);
        const std::optional<Endpoint> endpoint = text == nullptr ? std::nullopt : parse_endpoint(*text);
        if (text != nullptr && text->empty()) {
          config.federation.socks5_proxy.reset();
        } else if (!endpoint || endpoint->port == 0) {
          return "must be an address with a port, as in \"127.0.0.1:9050\"";
        } else {
          config.federation.socks5_proxy = endpoint;
        }
        return std::nullopt;
      },
      [](const Config& config) {
        return toml_text(config.federation.socks5_proxy ? config.federation.socks5_proxy->text() : std::string());
      });
  table.fallback("none");
  table.at_start().path(
      "trusted_certificates", [](auto& c) -> auto& { return c.federation.trusted_certificates; }, "none",
      "A file with certificates (PEM) of authorities that are trusted beside those that the system trusts.",
      /*may_be_empty=*/true);
  table.at_start().flag(
      "require_certificates", [](auto& c) -> auto& { return c.federation.require_certificates; },
      "Whether other servers must show a certificate that is trusted and names their domain. If not, dialback "
      "(XEP-0220) "
      "suffices, which whoever is master of the network between can deceive.");
  table.at_start().path(
      "dnssec_trust_anchors", [](auto& c) -> auto& { return c.federation.dnssec_trust_anchors; }, "none",
      "A file with the keys that DNSSEC begins with, as in \"/usr/share/dns/root.key\" (Debian's package "
      "dns-root-data). With it, forged answers of DNS are refused, and a certificate that a domain names in its DNS "
      "(DANE) is believed. It needs DNS servers that know DNSSEC.",
      /*may_be_empty=*/true);
}

Trouble put_components(Config& config, const std::vector<std::string>& texts) {
  std::map<std::string, std::filesystem::path, std::less<>> files;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    const std::optional<std::string> domain = xmpp::prepare_domainpart(std::string_view(text).substr(0, equals));
    const std::string file = equals == std::string::npos ? std::string() : text.substr(equals + 1);
    if (!domain || file.empty() || file.contains('\0')) {
      return toml_text(text) + " is no domain with a file, as in \"irc.example.org=/etc/kith/irc.secret\"";
    }
    files[*domain] = file;
  }
  config.components.secret_files = std::move(files);
  return std::nullopt;
}

void add_components(Table& table) {
  table.section("components");
  table.at_start().add(
      "domains", "list of texts",
      "The domains that components answer for, each with the file whose first line is the component's secret, as in "
      "[\"irc.example.org=/etc/kith/irc.secret\"].",
      [](Config& config, const ConfigValue& value) -> Trouble {
        const auto texts = Table::texts_of(value);
        if (!texts) return "must be a list, as in [\"irc.example.org=/etc/kith/irc.secret\"]";
        return put_components(config, *texts);
      },
      [](const Config& config) {
        std::vector<std::string> texts;
        for (const auto& [domain, file] : config.components.secret_files) {
          texts.push_back(domain + "=" + file.string());
        }
        return Table::show_list(texts);
      });
}

void add_certificates(Table& table) {
  table.section("certificates");
  table.add(
      "directories", "list of paths",
      "Where certificates are looked for by the name of the domain: NAME.crt with NAME.key, or NAME/fullchain.pem with "
      "NAME/privkey.pem as certbot lays them.",
      [](Config& config, const ConfigValue& value) -> Trouble {
        const auto texts = Table::texts_of(value);
        const auto bad = [](const std::string& text) { return text.empty() || text.contains('\0'); };
        if (!texts || texts->empty() || std::ranges::any_of(*texts, bad)) {
          return "must be a list of directories, as in [\"/etc/letsencrypt/live\"]";
        }
        config.certificates.directories.assign(texts->begin(), texts->end());
        return std::nullopt;
      },
      [](const Config& config) {
        std::vector<std::string> texts;
        for (const auto& directory : config.certificates.directories) texts.push_back(directory.string());
        return Table::show_list(texts);
      });
  table.fallback("`certs` in the data directory");
  table.flag(
      "self_signed", [](auto& c) -> auto& { return c.certificates.self_signed; },
      "Whether a domain without a certificate gets one that the server signs itself, kept in the first of the "
      "directories.");
  table.flag(
      "require_private_keys", [](auto& c) -> auto& { return c.certificates.require_private_keys; },
      "Whether a key file that others on the machine may read is refused.");
}

void add_storage_and_log(Table& table) {
  table.section("storage");
  table.at_start().add(
      "backend", "text", "What keeps the data: \"sqlite\".",
      [](Config& config, const ConfigValue& value) -> Trouble {
        const auto* text = std::get_if<std::string>(&value);
        if (text == nullptr || *text != "sqlite") return "must be \"sqlite\"";
        config.storage.backend = *text;
        return std::nullopt;
      },
      [](const Config& config) { return toml_text(config.storage.backend); });
  table.at_start().path(
      "file", [](auto& c) -> auto& { return c.storage.file; }, "`kith.db` in the data directory",
      "The database's file.");

  table.section("log");
  static constexpr std::array<std::pair<std::string_view, LogLevel>, 4> levels{{{"debug", LogLevel::debug},
                                                                                {"info", LogLevel::info},
                                                                                {"warning", LogLevel::warning},
                                                                                {"error", LogLevel::error}}};
  table.add(
      "level", "text",
      "The least important line that is still written: \"debug\", \"info\", \"warning\" or \"error\". Addresses of "
      "people stand at \"debug\" only.",
      [](Config& config, const ConfigValue& value) -> Trouble {
        const auto* text = std::get_if<std::string>(&value);
        for (const auto& [word, level] : levels) {
          if (text == nullptr || *text != word) continue;
          config.log_level = level;
          return std::nullopt;
        }
        return "must be \"debug\", \"info\", \"warning\" or \"error\"";
      },
      [](const Config& config) {
        const auto* const found =
            std::ranges::find(levels, config.log_level, &std::pair<std::string_view, LogLevel>::second);
        return toml_text(found->first);
      });
}
/// A descriptor's default, which is written as in the file: true, 5, "text", ["one", "two"].
module::Settings::Value fallback_of(const module::Setting& setting) {
  const std::string_view text = setting.fallback;
  const auto strings = [text] {
    std::vector<std::string> found;
    for (std::size_t open = text.find('"'); open != std::string_view::npos;) {
      const std::size_t close = text.find('"', open + 1);
      if (close == std::string_view::npos) throw std::logic_error("the default has an odd number of quotation marks");
      found.emplace_back(text.substr(open + 1, close - open - 1));
      open = text.find('"', close + 1);
    }
    return found;
  };
  switch (setting.type) {
    case module::Setting::Type::boolean:
      return text == "true";
    case module::Setting::Type::integer:
      return static_cast<std::int64_t>(std::stoll(std::string(text)));
    case module::Setting::Type::text_list:
      return strings();
    case module::Setting::Type::text:
    case module::Setting::Type::secret_file:
      break;
  }
  const std::vector<std::string> all = strings();
  return all.empty() ? std::string() : all.front();
}

/// A whole number, or a size or duration in words where the setting's unit allows it; counted in the unit.
std::optional<std::int64_t> integer_of(const module::Setting& setting, const ConfigValue& value) {
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return *whole;
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return std::nullopt;
  if (setting.unit == "bytes") {
    const std::optional<std::uint64_t> bytes = parse_size(*text);
    if (bytes) return static_cast<std::int64_t>(*bytes);
    return std::nullopt;
  }
  std::int64_t unit_seconds = 0;
  if (setting.unit == "seconds") unit_seconds = 1;
  if (setting.unit == "minutes") unit_seconds = 60;
  if (setting.unit == "hours") unit_seconds = 3600;
  if (setting.unit == "days") unit_seconds = 86'400;
  const std::optional<std::chrono::seconds> duration = parse_duration(*text);
  if (unit_seconds == 0 || !duration || duration->count() % unit_seconds != 0) return std::nullopt;
  return duration->count() / unit_seconds;
}

std::expected<module::Settings::Value, std::string> value_of(const module::Setting& setting, const ConfigValue& value) {
  switch (setting.type) {
    case module::Setting::Type::boolean:
      if (const auto* flag = std::get_if<bool>(&value)) return *flag;
      return std::unexpected("must be true or false");
    case module::Setting::Type::integer: {
      const std::optional<std::int64_t> number = integer_of(setting, value);
      if (!number) {
        return std::unexpected(setting.unit.empty() ? std::string("must be a whole number")
                                                    : fmt::format("must be a whole number of {}", setting.unit));
      }
      if (setting.least < setting.most && (*number < setting.least || *number > setting.most)) {
        return std::unexpected(fmt::format("must be from {} to {}{}{}", setting.least, setting.most,
                                           setting.unit.empty() ? "" : " ", setting.unit));
      }
      return *number;
    }
    case module::Setting::Type::text:
    case module::Setting::Type::secret_file:
      if (const auto* text = std::get_if<std::string>(&value); text != nullptr && !text->contains('\0')) return *text;
      return std::unexpected("must be a text in quotation marks");
    case module::Setting::Type::text_list:
      break;
  }
  std::optional<std::vector<std::string>> texts = Table::texts_of(value);
  if (!texts) return std::unexpected("must be a list of texts, as in [\"one\", \"two\"]");
  return *std::move(texts);
}

/// What the feature itself says to its texts.
Trouble checked(const module::Setting& setting, const module::Settings::Value& value) {
  if (setting.check == nullptr) return std::nullopt;
  if (const auto* text = std::get_if<std::string>(&value)) return setting.check(*text);
  for (const std::string& text : std::get<std::vector<std::string>>(value)) {
    if (Trouble trouble = setting.check(text)) return toml_text(text) + " " + *trouble;
  }
  return std::nullopt;
}

std::string show_value(const module::Settings::Value& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* number = std::get_if<std::int64_t>(&value)) return fmt::format("{}", *number);
  if (const auto* text = std::get_if<std::string>(&value)) return toml_text(*text);
  return Table::show_list(std::get<std::vector<std::string>>(value));
}

std::string form_of(const module::Setting& setting) {
  switch (setting.type) {
    case module::Setting::Type::boolean:
      return "true or false";
    case module::Setting::Type::text:
      return "text";
    case module::Setting::Type::text_list:
      return "list of texts";
    case module::Setting::Type::secret_file:
      return "path";
    case module::Setting::Type::integer:
      break;
  }
  if (setting.unit == "bytes") return "size";
  if (setting.unit == "seconds") return "duration";
  return setting.unit.empty() ? "number" : fmt::format("number of {}", setting.unit);
}

void add_feature(std::vector<ConfigSetting>& table, const module::Descriptor& feature) {
  const std::string name(feature.name);
  const std::string section = "modules." + name;
  table.push_back(
      {.section = section,
       .key = "enabled",
       .form = "true or false",
       .help = "Whether the feature is there at all.",
       .fallback = feature.on_by_default ? "true" : "false",
       .at_reload = false,
       .read = [name](Config& config, const ConfigValue& value) -> Trouble {
         const auto* flag = std::get_if<bool>(&value);
         if (flag == nullptr) return "must be true or false";
         config.modules[name].enabled = *flag;
         return std::nullopt;
       },
       .show = [name](const Config& config) { return std::string(config.enabled(name) ? "true" : "false"); }});
  for (const module::Setting& setting : feature.settings) {
    const std::string key(setting.key);
    table.push_back({.section = section,
                     .key = key,
                     .form = form_of(setting),
                     .help = std::string(setting.help),
                     .fallback = std::string(setting.fallback),
                     .at_reload = true,
                     .read = [name, key, setting](Config& config, const ConfigValue& value) -> Trouble {
                       std::expected<module::Settings::Value, std::string> made = value_of(setting, value);
                       if (!made) return made.error();
                       if (Trouble trouble = checked(setting, *made)) return trouble;
                       config.modules[name].settings.insert_or_assign(key, *std::move(made));
                       return std::nullopt;
                     },
                     .show =
                         [name, key](const Config& config) {
                           const auto found = config.modules.find(name);
                           if (found == config.modules.end() || !found->second.settings.contains(key))
                             return std::string();
                           return show_value(found->second.settings.find(key)->second);
                         }});
  }
}

}  // namespace

std::vector<ConfigSetting> all_settings(std::span<const module::Registration> features) {
  Table table;
  add_top(table);
  add_listen(table);
  add_http(table);
  add_federation(table);
  add_components(table);
  add_certificates(table);
  add_storage_and_log(table);
  add_limits(table);
  std::vector<ConfigSetting> all = table.take();
  for (const module::Registration& feature : features) add_feature(all, *feature.descriptor);
  return all;
}

std::vector<ConfigSection> all_sections(std::span<const module::Registration> features) {
  std::vector<ConfigSection> sections{
      {"listen", "The addresses and ports that the daemon opens. Each is a list; an empty list opens none."},
      {"http", "How web pages, files and WebSockets are served. Where, is said under [listen]."},
      {"federation", "How other servers are reached and believed. It begins when [listen] has addresses for `s2s`."},
      {"components",
       "Programs that answer for domains of their own (XEP-0114), such as gateways to other networks. They connect "
       "where "
       "[listen] has addresses for `components`."},
      {"certificates", "Where the certificates for TLS come from. They are looked at again at each reload."},
      {"storage", "Where the data is kept."},
      {"log", "What is written to standard error."},
      {"limits", "What a peer can make grow, and how far. The defaults fit a server for a few hundred people."},
      {"limits.xml_before_login", "What one piece of XML may grow to before login."},
      {"limits.xml_after_login", "The same after login."}};
  for (const module::Registration& feature : features) {
    sections.push_back({"modules." + std::string(feature.descriptor->name), std::string(feature.descriptor->summary)});
  }
  return sections;
}

Config default_config(std::span<const module::Registration> features) {
  Config config;
  for (const module::Registration& feature : features) {
    ModuleConfig& made = config.modules[std::string(feature.descriptor->name)];
    made.enabled = feature.descriptor->on_by_default;
    for (const module::Setting& setting : feature.descriptor->settings) {
      made.settings.emplace(setting.key, fallback_of(setting));
      if (setting.type == module::Setting::Type::secret_file) made.secret_files.emplace(setting.key);
    }
  }
  return config;
}

}  // namespace kith::server
