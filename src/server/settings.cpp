#include "server/settings.h"

#include <algorithm>
#include <array>
#include <stdexcept>

#include <fmt/format.h>

#include "server/units.h"

namespace kith::server {
namespace {

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
  void path(std::string key, At at, std::string fallback, std::string help) {
    add(
        std::move(key), "path", std::move(help),
        [at](Config& config, const ConfigValue& value) -> Trouble {
          const auto* text = std::get_if<std::string>(&value);
          if (text == nullptr || text->empty() || text->contains('\0'))
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
      "metrics", [](auto& c) -> auto& { return c.listen.metrics; }, true,
      "Where OpenMetrics are read over HTTP, for example at \"127.0.0.1:5280\"; loopback only.");
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

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;
constexpr std::uint64_t gib = 1024 * mib;

void add_limits(Table& table) {
  using std::chrono::hours;
  using std::chrono::seconds;
  table.section("limits");
  table.at_start().duration(
      "tls_handshake_time", [](auto& c) -> auto& { return c.limits.tls_handshake_time; }, seconds(1), hours(1),
      "How long a TLS handshake may take.");
  table.duration(
      "login_time", [](auto& c) -> auto& { return c.limits.login_time; }, seconds(1), hours(1),
      "How long a connection may stay without login.");
  table.duration(
      "bind_time", [](auto& c) -> auto& { return c.limits.bind_time; }, seconds(1), hours(1),
      "How long a client may take from login to resource binding.");
  table.duration(
      "idle_ping_time", [](auto& c) -> auto& { return c.limits.idle_ping_time; }, seconds(10), hours(24),
      "After which silence a client is asked whether it is still there.");
  table.duration(
      "idle_answer_time", [](auto& c) -> auto& { return c.limits.idle_answer_time; }, seconds(5), hours(1),
      "How long it may take to answer that.");
  table.at_start().count(
      "connections", [](auto& c) -> auto& { return c.limits.connections; }, {1, 10'000'000}, "Connections in all.");
  table.at_start().count(
      "connections_per_address", [](auto& c) -> auto& { return c.limits.connections_per_address; }, {1, 10'000'000},
      "Connections from one IPv4 address or one IPv6 /64.");
  table.at_start().count(
      "unauthenticated_per_address", [](auto& c) -> auto& { return c.limits.unauthenticated_per_address; },
      {1, 10'000'000}, "Of these, those that have not logged in.");
  table.at_start().rate(
      "connections_per_address_rate", [](auto& c) -> auto& { return c.limits.connections_per_address_rate; }, false,
      "New connections from one address.");
  table.count(
      "failed_logins_per_stream", [](auto& c) -> auto& { return c.limits.failed_logins_per_stream; }, {1, 100},
      "Failed logins after which a connection is closed.");
  table.at_start().rate(
      "failed_logins_per_address_rate", [](auto& c) -> auto& { return c.limits.failed_logins_per_address_rate; }, false,
      "Failed logins from one address; beyond it, answers are delayed, and a minute beyond it nothing is tried.");
  table.at_start().rate(
      "failed_logins_per_account_rate", [](auto& c) -> auto& { return c.limits.failed_logins_per_account_rate; }, false,
      "Failed logins to one account; beyond it, answers are delayed. The account is never locked.");
  table.at_start().count(
      "hash_jobs_waiting", [](auto& c) -> auto& { return c.limits.hash_jobs_waiting; }, {1, 100'000},
      "Passwords that wait for being hashed; beyond it, logins are asked to come again.");
  table.rate(
      "bytes_before_login", [](auto& c) -> auto& { return c.limits.bytes_before_login; }, true,
      "What a connection may send before login; beyond it, reading pauses.");
  table.rate(
      "bytes_after_login", [](auto& c) -> auto& { return c.limits.bytes_after_login; }, true,
      "What a client may send after login; beyond it, reading pauses.");
  table.rate(
      "stanzas", [](auto& c) -> auto& { return c.limits.stanzas; }, false,
      "Stanzas that a client may send; beyond it, reading pauses.");
  table.rate(
      "subscription_requests", [](auto& c) -> auto& { return c.limits.subscription_requests; }, false,
      "Requests to become somebody's contact that an account may send.");
  table.count(
      "sessions_per_account", [](auto& c) -> auto& { return c.limits.sessions_per_account; }, {1, 1000},
      "Clients that an account may have connected at a time.");
  table.size(
      "outbox_bytes_before_login", [](auto& c) -> auto& { return c.limits.outbox_bytes_before_login; },
      {4 * kib, 16 * mib}, "What may wait for a connection that reads too slowly, before login.");
  table.size(
      "outbox_bytes_after_login", [](auto& c) -> auto& { return c.limits.outbox_bytes_after_login; }, {64 * kib, gib},
      "What may wait for a client that reads too slowly; beyond it, the session is closed.");
  table.count(
      "archive_preference_addresses", [](auto& c) -> auto& { return c.limits.archive_preference_addresses; },
      {0, 100'000}, "Addresses that an account may name whose messages always or never go into its archive.");
  table.duration(
      "fast_token_time", [](auto& c) -> auto& { return c.limits.fast_token_time; }, seconds(0), hours(24 * 366),
      "How long a client may stay away and still log in with its token (XEP-0484); with 0 s, there are no tokens.");
  table.count(
      "fast_clients_per_account", [](auto& c) -> auto& { return c.limits.fast_clients_per_account; }, {1, 1000},
      "Clients of an account that may have a token; the one that was away for longest makes room.");
  table.duration(
      "sm_resume_time", [](auto& c) -> auto& { return c.limits.sm_resume_time; }, seconds(0), hours(24),
      "How long a session whose connection is lost waits for its client to resume it (XEP-0198); with 0 s, none does.");
  table.count(
      "sm_hibernating_per_account", [](auto& c) -> auto& { return c.limits.sm_hibernating_per_account; }, {1, 1000},
      "Sessions of an account that may wait so at a time; the oldest makes room.");
  table.count(
      "sm_queue_stanzas", [](auto& c) -> auto& { return c.limits.sm_queue_stanzas; }, {10, 1'000'000},
      "Stanzas that may wait for such a session; beyond that it ends, and its messages are kept as for who is away.");
  table.size(
      "sm_queue_bytes", [](auto& c) -> auto& { return c.limits.sm_queue_bytes; }, {64 * kib, gib},
      "What may be in memory for a session because its client has not acknowledged it.");
  table.count(
      "offline_messages", [](auto& c) -> auto& { return c.limits.offline_messages; }, {0, 1'000'000},
      "Messages kept for an account that is away.");
  table.size(
      "offline_bytes", [](auto& c) -> auto& { return c.limits.offline_bytes; }, {0, gib},
      "What these may take in all.");
  table.count(
      "roster_items", [](auto& c) -> auto& { return c.limits.roster_items; }, {1, 100'000}, "Contacts in a roster.");
  table.count(
      "roster_groups_per_item", [](auto& c) -> auto& { return c.limits.roster_groups_per_item; }, {0, 1000},
      "Groups that one contact may be in.");
  table.size(
      "roster_name_bytes", [](auto& c) -> auto& { return c.limits.roster_name_bytes; }, {1, 64 * kib},
      "The name of a contact or of a group.");
  table.size(
      "roster_bytes", [](auto& c) -> auto& { return c.limits.roster_bytes; }, {4 * kib, gib},
      "Names, groups and addresses of a roster together: it leaves in one stanza.");
  table.count(
      "pending_subscription_requests", [](auto& c) -> auto& { return c.limits.pending_subscription_requests; },
      {1, 100'000}, "Requests to become a contact that an account has not answered yet.");
  table.count(
      "directed_presences", [](auto& c) -> auto& { return c.limits.directed_presences; }, {0, 100'000},
      "Addresses to which a session may have sent its presence apart from its contacts.");
  table.count(
      "blocked_addresses", [](auto& c) -> auto& { return c.limits.blocked_addresses; }, {0, 100'000},
      "Addresses that an account may block.");
  table.rate(
      "abuse_reports", [](auto& c) -> auto& { return c.limits.abuse_reports; }, false,
      "Reports of abuse from one account that reach the administrators.");
  table.count(
      "held_stanzas", [](auto& c) -> auto& { return c.limits.held_stanzas; }, {0, 100'000},
      "Stanzas held back from a client that is inactive; when there are more, all of them leave.");
  table.size(
      "held_bytes", [](auto& c) -> auto& { return c.limits.held_bytes; }, {0, 16 * mib}, "What these may take in all.");
  table.size(
      "private_xml_bytes", [](auto& c) -> auto& { return c.limits.private_xml_bytes; }, {0, 16 * mib},
      "One entry of an account's private XML storage (XEP-0049).");
  table.count(
      "private_xml_entries", [](auto& c) -> auto& { return c.limits.private_xml_entries; }, {0, 100'000},
      "Entries in it.");
  table.size(
      "vcard_bytes", [](auto& c) -> auto& { return c.limits.vcard_bytes; }, {0, 16 * mib},
      "A vCard with its picture (XEP-0054).");
  table.count(
      "pubsub_nodes", [](auto& c) -> auto& { return c.limits.pubsub_nodes; }, {1, 100'000},
      "Nodes (avatar, bookmarks, keys for encryption and the like) of an account (XEP-0163).");
  table.count(
      "pubsub_items", [](auto& c) -> auto& { return c.limits.pubsub_items; }, {1, 100'000}, "Items that a node keeps.");
  table.size(
      "pubsub_item_bytes", [](auto& c) -> auto& { return c.limits.pubsub_item_bytes; }, {1024, 16 * mib}, "One item.");
  table.size(
      "avatar_bytes", [](auto& c) -> auto& { return c.limits.avatar_bytes; }, {1024, 16 * mib},
      "The item that is an avatar (XEP-0084), in base64.");
  table.size(
      "pubsub_owner_bytes", [](auto& c) -> auto& { return c.limits.pubsub_owner_bytes; }, {1024, 1024 * mib},
      "All items of an account.");
  table.count(
      "pubsub_people", [](auto& c) -> auto& { return c.limits.pubsub_people; }, {0, 100'000},
      "Addresses that a node lists as subscribers, publishers and the like.");
  table.count(
      "pep_watchers", [](auto& c) -> auto& { return c.limits.pep_watchers; }, {0, 1'000'000},
      "Clients of an account's contacts that hear of its nodes while they are online.");
  table.count(
      "pep_questions", [](auto& c) -> auto& { return c.limits.pep_questions; }, {1, 1'000'000},
      "Clients that are being asked what they want to hear of, at a time and thread.");
  table.rate(
      "registrations_per_address", [](auto& c) -> auto& { return c.limits.registrations_per_address; }, false,
      "Accounts that may be made from one address, where registration is open.");
  table.at_start().count(
      "mailbox_items", [](auto& c) -> auto& { return c.limits.mailbox_items; }, {64, 16'777'216},
      "Stanzas on their way from one thread to another; beyond it, senders are asked to wait.");
  table.count(
      "account_queue_stanzas", [](auto& c) -> auto& { return c.limits.account_queue_stanzas; }, {1, 1'000'000},
      "Stanzas that wait while an account is loaded.");
  table.duration(
      "account_idle_time", [](auto& c) -> auto& { return c.limits.account_idle_time; }, seconds(1), hours(24 * 7),
      "After which an account that nobody uses is dropped from memory.");
}

/// `xml` finds the XmlLimits in a configuration. RFC 6120 §13.12: no server may refuse stanzas of less than 10,000
/// bytes.
template <class Xml>
void add_xml_limits(Table& table, const std::string& section, Xml xml) {
  table.section(section);
  table.size(
      "element_bytes", [xml](auto& c) -> auto& { return xml(c).element_bytes; }, {10'000, 16 * mib},
      "One stanza, or one element of the stream's negotiation.");
  table.count(
      "depth", [xml](auto& c) -> auto& { return xml(c).depth; }, {4, 1000},
      "How deep elements may lie in one another.");
  table.count(
      "attributes", [xml](auto& c) -> auto& { return xml(c).attributes; }, {8, 10'000}, "Attributes of one element.");
  table.size(
      "name_bytes", [xml](auto& c) -> auto& { return xml(c).name_bytes; }, {64, 64 * kib},
      "The name of an element or attribute with its namespace.");
  table.size(
      "attribute_value_bytes", [xml](auto& c) -> auto& { return xml(c).attribute_value_bytes; }, {1 * kib, 16 * mib},
      "The value of one attribute.");
  table.count(
      "children", [xml](auto& c) -> auto& { return xml(c).children; }, {8, 10'000'000}, "Elements in one stanza.");
  table.size(
      "tree_bytes", [xml](auto& c) -> auto& { return xml(c).tree_bytes; }, {16 * kib, 1024 * mib},
      "The memory that one stanza takes, beside its texts and the values of its attributes.");
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
      if (const auto* text = std::get_if<std::string>(&value)) return *text;
      return std::unexpected("must be a text in quotation marks");
    case module::Setting::Type::text_list:
      break;
  }
  std::optional<std::vector<std::string>> texts = Table::texts_of(value);
  if (!texts) return std::unexpected("must be a list of texts, as in [\"one\", \"two\"]");
  return *std::move(texts);
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
  add_certificates(table);
  add_storage_and_log(table);
  add_limits(table);
  add_xml_limits(table, "limits.xml_before_login", [](auto& c) -> auto& { return c.limits.xml_before_login; });
  add_xml_limits(table, "limits.xml_after_login", [](auto& c) -> auto& { return c.limits.xml_after_login; });
  std::vector<ConfigSetting> all = table.take();
  for (const module::Registration& feature : features) add_feature(all, *feature.descriptor);
  return all;
}

std::vector<ConfigSection> all_sections(std::span<const module::Registration> features) {
  std::vector<ConfigSection> sections{
      {"listen", "The addresses and ports that the daemon opens. Each is a list; an empty list opens none."},
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
    }
  }
  return config;
}

}  // namespace kith::server
