#include "server/reference.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <vector>

#include <fmt/format.h>

#include "server/settings.h"
#include "xml/writer.h"

namespace kith::server {
namespace {

/// What the rooms below the features implement: stream, sasl, net, xmpp, router.
struct CoreSpec {
  module::Spec spec;
  std::string_view summary;
};

constexpr std::array<CoreSpec, 30> core_specs{{
    {{.version = "RFC 6120"}, "XML streams, STARTTLS, SASL, resource binding, stanzas and errors."},
    {{.version = "RFC 6121"}, "Rosters, subscriptions, presence, and where messages go."},
    {{.version = "RFC 7622"}, "Addresses; those that only the older RFC 6122 allows are understood, too."},
    {{.version = "RFC 7590"}, "How TLS is used."},
    {{.version = "RFC 1928", .note = "no passwords"}, "Onion services are called by a SOCKS5 proxy."},
    {{.version = "RFC 7686"}, "DNS is never asked about onion services."},
    {{.version = "RFC 5802"}, "SCRAM-SHA-1 and SCRAM-SHA-1-PLUS."},
    {{.version = "RFC 7677"}, "SCRAM-SHA-256 and SCRAM-SHA-256-PLUS; SHA-512 in the same way."},
    {{.version = "RFC 4616"}, "PLAIN, under TLS only."},
    {{.version = "RFC 5929", .note = "tls-server-end-point only"}, "Channel binding."},
    {{.version = "RFC 9266"}, "Channel binding by tls-exporter."},
    {{.version = "RFC 7671", .note = "SNI is the domain"}, "DANE: certificates that signed DNS names (RFC 6698)."},
    {{.version = "RFC 7673"}, "DANE for the hosts that SRV records name, between servers."},
    {{.version = "RFC 7301"}, "ALPN: xmpp-client, xmpp-server, http/1.1."},
    {{.version = "RFC 7395"}, "Clients' streams over WebSocket (RFC 6455)."},
    {{.version = "RFC 9112"}, "HTTP/1.1, for browsers, files and WebSockets."},
    {{.xep = 114, .version = "1.6", .note = "jabber:component:accept"},
     "Components: programs with domains of their own."},
    {{.xep = 178, .version = "1.2", .note = "between servers"}, "Servers prove their domains by certificates."},
    {{.xep = 185, .version = "1.0"}, "How the keys of dialback are made."},
    {{.xep = 198, .version = "1.6.3", .note = "between servers without resumption"},
     "Acknowledgements, and sessions that are resumed after a cut and after a restart of the server."},
    {{.xep = 220, .version = "1.1.1"}, "Dialback between servers, where that suffices."},
    {{.xep = 288, .version = "1.0.1", .note = "on streams that this server has made"},
     "The other server answers on the same stream."},
    {{.xep = 368, .version = "1.1.0"}, "Direct TLS, of clients and between servers."},
    {{.xep = 386, .version = "1.1.0"}, "A session bound within the login, with what it needs from the first moment."},
    {{.xep = 388, .version = "1.0.4", .note = "tasks: SASL upgrades"}, "Logging in with one request."},
    {{.xep = 440, .version = "1.0.0"}, "Which channel bindings there are."},
    {{.xep = 474, .version = "0.5.0"}, "Clients notice a shortened list of mechanisms or channel bindings."},
    {{.xep = 478, .version = "0.2.0"}, "The stream's limits, told to the peer."},
    {{.xep = 480, .version = "0.2.0", .note = "SCRAM-SHA-256, SCRAM-SHA-512"},
     "A client brings keys that an imported account lacks."},
    {{.xep = 484, .version = "0.2.0", .note = "no 0-RTT"}, "Tokens with which a client logs in again."},
}};

/// One specification with all that implements a part of it.
struct Implemented {
  std::string version;
  std::vector<std::string> notes;
  std::vector<std::string> places;  ///< "core" or the feature's name
  std::vector<std::string> summaries;
};

struct Key {
  int rfc = 0;  ///< RFCs first
  int xep = 0;
  friend auto operator<=>(const Key&, const Key&) = default;
};

Key key_of(const module::Spec& spec) {
  if (spec.xep != 0) return {.rfc = 1'000'000, .xep = spec.xep};
  int number = 0;
  const std::string_view digits = spec.version.substr(std::min(spec.version.size(), std::string_view("RFC ").size()));
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return {.rfc = number};
}

std::map<Key, Implemented> all_specs(std::span<const module::Registration> features) {
  std::map<Key, Implemented> all;
  const auto add = [&all](const module::Spec& spec, std::string_view place, std::string_view summary) {
    Implemented& entry = all[key_of(spec)];
    entry.version = spec.version;
    if (!spec.note.empty()) entry.notes.emplace_back(spec.note);
    entry.places.emplace_back(place);
    entry.summaries.push_back(std::string(summary) + (summary.ends_with('.') ? "" : "."));
  };
  for (const CoreSpec& core : core_specs) add(core.spec, "core", core.summary);
  for (const module::Registration& feature : features) {
    for (const module::Spec& spec : feature.descriptor->specs) {
      add(spec, feature.descriptor->name, feature.descriptor->summary);
    }
  }
  return all;
}

std::string joined(const std::vector<std::string>& texts, std::string_view between) {
  std::string out;
  for (const std::string& text : texts) {
    if (!out.empty()) out += between;
    out += text;
  }
  return out;
}

/// Text for a cell of a Markdown table.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

/// A default: a value as code, words as they are.
std::string shown_default(const ConfigSetting& setting) {
  const bool words = setting.fallback == "none" || setting.fallback.contains('`');
  return words ? cell(setting.fallback) : fmt::format("`{}`", cell(setting.fallback));
}

void append_settings(std::string& out, const std::vector<ConfigSetting>& all, std::string_view section) {
  out += "| key | value | default | what it does |\n|---|---|---|---|\n";
  for (const ConfigSetting& setting : all) {
    if (setting.section != section) continue;
    out += fmt::format("| `{}` | {} | {} | {}{} |\n", setting.key, setting.form, shown_default(setting),
                       cell(setting.help), setting.at_reload ? "" : " *(at the next start)*");
  }
  out += '\n';
}

std::string escaped(std::string_view text) {
  std::string out;
  xml::escape_text(out, text);
  return out;
}

constexpr std::string_view configuration_head =
    R"(# Configuration

<!-- Generated (reference "configuration"); change src/server/settings.cpp or a feature's descriptor instead. -->

`kithd` reads one file, `kith.toml`, in [TOML](https://toml.io). This is a whole configuration:

```toml
domain = "example.org"
```

Everything else has a default. Beside the file there may be a directory `conf.d`; the files in it that end in `.toml` are
read after it, in the order of their names, and what a later file says replaces what an earlier one said. Paths that do not
begin with `/` are relative to the directory of `kith.toml`.

A key that does not exist, or a value that cannot be, is refused with the file, the line, the key and the nearest valid key.
At a reload (`kithctl reload`, or SIGHUP) a wrong file changes nothing. What is marked *(at the next start)* waits until the
daemon starts again; all else takes effect at a reload.

| value | how it is written |
|---|---|
| number | `100` |
| size | `"256 KiB"`, `"20 MiB"`, `"1 GiB"`, `"512 bytes"`; without quotation marks it counts bytes |
| duration | `"30 seconds"`, `"5 minutes"`, `"1 hour 30 minutes"`, `"2 days"`, or short: `"30s"`, `"5m"`, `"1h"`, `"2d"`; without quotation marks it counts seconds |
| rate | `"10/s burst 50"`: ten a second over time, and fifty at once after a pause; also `/minute`, `/hour`, `/day`. Without a burst, it is the number before the slash |
| rate of bytes | `"32 KiB/s burst 64 KiB"` |
| endpoint | `"192.0.2.1:5222"`, `"0.0.0.0:5222"`, `"[2001:db8::1]:5222"`, `"[::]:5222"`; `[::]` is all of IPv6 and nothing of IPv4. Port 0 is any free one |
| list | `["one", "two"]`; a list of one may be written without the brackets |

)";

constexpr std::string_view specifications_head =
    R"(# Specifications

<!-- Generated (reference "xeps"); change the features' descriptors or src/server/reference.cpp instead. -->

What Kith implements, in which version, and where. "core" is what every stream and every stanza goes through; the rest are
features, each of which can be turned off in its section `[modules.NAME]`.

| specification | version | where | what | notes |
|---|---|---|---|---|
)";

constexpr std::string_view doap_head = R"(<?xml version='1.0' encoding='UTF-8'?>
<!-- Generated (reference "doap"); change the features' descriptors or src/server/reference.cpp instead. -->
<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'
         xmlns='http://usefulinc.com/ns/doap#'
         xmlns:xmpp='https://linkmauve.fr/ns/xmpp-doap#'>
  <Project xml:lang='en'>
    <name>Kith</name>
    <shortdesc xml:lang='en'>A messaging server for the people you know</shortdesc>
    <description xml:lang='en'>An XMPP server that a person hosts for the people they know: one program that works with the clients people have.</description>
    <license rdf:resource='https://www.apache.org/licenses/LICENSE-2.0'/>
    <language>en</language>
    <programming-language>C++</programming-language>
    <os>Linux</os>
    <category rdf:resource='https://linkmauve.fr/ns/xmpp-doap#category-server'/>
)";

}  // namespace

std::string configuration_reference(std::span<const module::Registration> features) {
  const std::vector<ConfigSetting> all = all_settings(features);
  std::string out(configuration_head);
  out += "## At the top of the file\n\n";
  append_settings(out, all, {});
  for (const ConfigSection& section : all_sections(features)) {
    out += fmt::format("## [{}]\n\n{}\n\n", section.name, section.help);
    append_settings(out, all, section.name);
  }
  out.pop_back();  // no empty line at the end
  return out;
}

std::string specifications_reference(std::span<const module::Registration> features) {
  std::string out(specifications_head);
  for (const auto& [key, entry] : all_specs(features)) {
    const std::string name = key.xep == 0
                                 ? fmt::format("[RFC {0}](https://www.rfc-editor.org/info/rfc{0})", key.rfc)
                                 : fmt::format("[XEP-{0:04}](https://xmpp.org/extensions/xep-{0:04}.html)", key.xep);
    out += fmt::format("| {} | {} | {} | {} | {} |\n", name, key.xep == 0 ? "" : entry.version,
                       joined(entry.places, ", "), cell(joined(entry.summaries, " ")), cell(joined(entry.notes, "; ")));
  }
  return out;
}

std::string doap(std::span<const module::Registration> features) {
  std::string out(doap_head);
  for (const auto& [key, entry] : all_specs(features)) {
    if (key.xep == 0) {
      out += fmt::format("    <implements rdf:resource='https://www.rfc-editor.org/info/rfc{}'/>\n", key.rfc);
      continue;
    }
    out += "    <implements>\n      <xmpp:SupportedXep>\n";
    out += fmt::format("        <xmpp:xep rdf:resource='https://xmpp.org/extensions/xep-{:04}.html'/>\n", key.xep);
    out += fmt::format("        <xmpp:status>{}</xmpp:status>\n", entry.notes.empty() ? "complete" : "partial");
    out += fmt::format("        <xmpp:version>{}</xmpp:version>\n", escaped(entry.version));
    if (!entry.notes.empty()) {
      out += fmt::format("        <xmpp:note xml:lang='en'>{}</xmpp:note>\n", escaped(joined(entry.notes, "; ")));
    }
    out += "      </xmpp:SupportedXep>\n    </implements>\n";
  }
  out += "  </Project>\n</rdf:RDF>\n";
  return out;
}

}  // namespace kith::server
