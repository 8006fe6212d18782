// The configuration: kith.toml and conf.d/*.toml beside it, read into one value. Everything has a default but the
// domain. Read at start-up and at a reload, on whichever thread asks; the value is handed to those who need a part of
// it. Every setting stands once, in the table of settings.cpp, from which both this reader and docs/configuration.md
// are made.
#pragma once

#include <compare>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/events.h"
#include "base/limits.h"
#include "module/module.h"
#include "xmpp/jid.h"

namespace kith::server {

/// A numeric address and a port: "192.0.2.1:5222", "[::]:5222". `::` means IPv6 only; both are listed where both are
/// meant.
struct Endpoint {
  std::string address;  ///< in canonical form, without brackets
  std::uint16_t port = 0;

  bool is_ipv6() const { return address.find(':') != std::string::npos; }
  bool is_loopback() const;
  /// Not numeric, but the name of an onion service; only where that is allowed.
  bool is_onion() const { return address.ends_with(".onion"); }
  std::string text() const;
  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

/// A section [modules.NAME].
struct ModuleConfig {
  bool enabled = true;
  std::map<std::string, module::Settings::Value, std::less<>>
      settings;                        ///< complete: defaults filled in, bounds checked
  std::set<std::string> secret_files;  ///< the keys of those that are paths of files with secrets
};

struct Config {
  std::filesystem::path file;
  std::vector<std::string> domains;  ///< prepared, in the order of the file; never empty, none twice
  std::set<xmpp::BareJid> admins;    ///< accounts of these domains

  // All paths are absolute or relative to where the program runs.
  std::filesystem::path data_directory;
  std::filesystem::path admin_socket;
  unsigned shards = 0;  ///< 0: one for each core but one

  struct Listen {
    std::vector<Endpoint> c2s{{"0.0.0.0", 5222}, {"::", 5222}};
    std::vector<Endpoint> c2s_direct_tls{{"0.0.0.0", 5223}, {"::", 5223}};
    std::vector<Endpoint> c2s_plaintext;  ///< loopback only
    std::vector<Endpoint> s2s;            ///< none, here and below: no federation
    std::vector<Endpoint> s2s_direct_tls;
    std::vector<Endpoint> components;  ///< loopback only
    std::vector<Endpoint> metrics;     ///< loopback only
    std::vector<Endpoint> http{{"127.0.0.1", 5280}, {"::1", 5280}};
    std::vector<Endpoint> https{{"0.0.0.0", 5281}, {"::", 5281}};
  } listen;

  struct Certificates {
    /// Searched in this order, for NAME.crt and NAME.key, or certbot's NAME/fullchain.pem and NAME/privkey.pem.
    std::vector<std::filesystem::path> directories;
    bool self_signed = true;
    bool require_private_keys = true;
  } certificates;

  struct Federation {
    /// Where the servers of some domains (prepared) are, instead of asking DNS.
    std::map<std::string, std::vector<Endpoint>, std::less<>> hosts;
    std::filesystem::path trusted_certificates;  ///< beside those that the system trusts; empty: none
    bool require_certificates = true;
    std::optional<Endpoint> socks5_proxy;        ///< by which onion services are called
    std::filesystem::path dnssec_trust_anchors;  ///< empty: DNSSEC is not looked at
  } federation;

  struct Http {
    std::vector<std::string> trusted_proxies{"127.0.0.1", "::1"};  ///< addresses in canonical form
    std::uint16_t public_port = 0;          ///< of addresses that are told to others; 0: that of the first listener
    std::vector<std::string> origins{"*"};  ///< the pages that may open WebSockets; "*": any
  } http;

  struct Components {
    /// The files with the secrets of the components that answer for these (prepared) domains.
    std::map<std::string, std::filesystem::path, std::less<>> secret_files;
  } components;

  struct Storage {
    std::string backend = "sqlite";
    std::filesystem::path file;
  } storage;

  LogLevel log_level = LogLevel::info;
  Limits limits;
  std::map<std::string, ModuleConfig, std::less<>> modules;  ///< one entry for each feature that there is

  /// The settings of a feature, for Module::configure(). Reads its files with secrets.
  module::Settings settings_of(std::string_view feature) const;
  bool enabled(std::string_view feature) const;
  /// The port in addresses of pages; 0 if there are none.
  std::uint16_t web_port() const;
  bool federates() const { return !listen.s2s.empty() || !listen.s2s_direct_tls.empty(); }
};

struct ConfigError {
  std::filesystem::path file;
  std::size_t line = 0;  ///< from 1; 0 if it is about the file as a whole
  std::string key;       ///< "limits.offline_messages"; may be empty
  std::string sentence;  ///< what is wrong
  std::string nearest;   ///< the valid key that comes nearest, if the key is none

  /// kith.toml:3: limits.ofline_messages: there is no such setting; the nearest is "offline_messages"
  std::string text() const;
};

struct LoadOptions {
  /// Where data goes unless the file says otherwise, for example systemd's $STATE_DIRECTORY. Empty: `data` beside the
  /// file.
  std::filesystem::path data_directory{};
};

/// Reads `file` and, in the order of their names, conf.d/*.toml beside it; what a later file says replaces what an
/// earlier one said. All errors that can be found are returned, not only the first. Relative paths are relative to
/// `file`.
std::expected<Config, std::vector<ConfigError>> load_config(const std::filesystem::path& file,
                                                            std::span<const module::Registration> features,
                                                            const LoadOptions& options = {});

struct ConfigText {
  std::filesystem::path file;
  std::string text;
};
/// The same of texts in memory.
std::expected<Config, std::vector<ConfigError>> parse_config(const std::vector<ConfigText>& texts,
                                                             std::span<const module::Registration> features,
                                                             const LoadOptions& options = {});

struct ConfigChange {
  std::string key;
  bool needs_restart = false;
};
/// What a reload would change, in the order of the reference.
std::vector<ConfigChange> changes_between(const Config& before, const Config& after,
                                          std::span<const module::Registration> features);

}  // namespace kith::server
