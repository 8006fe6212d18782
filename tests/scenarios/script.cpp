#include "script.h"

#include <charconv>

#include "xmpp/jid.h"

namespace kith::scenario {

namespace {

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

struct Verb {
  std::string_view ending;
  Step::Kind kind;
  bool has_stanza;
};
constexpr Verb verbs[] = {
    {" connects", Step::Kind::connects, false},        {" sends:", Step::Kind::sends, true},
    {" receives:", Step::Kind::receives, true},        {" receives nothing", Step::Kind::receives_nothing, false},
    {" ignores the rest", Step::Kind::ignores, false}, {" receives: nothing", Step::Kind::receives_nothing, false},
    {" disconnects", Step::Kind::disconnects, false},  {" vanishes", Step::Kind::vanishes, false},
};

std::expected<long, std::string> seconds_of(std::string_view text) {
  const auto space = text.find(' ');
  if (space == std::string_view::npos) return std::unexpected("a time needs a unit, as in 'wait 5 minutes'");
  long number = 0;
  const std::string_view digits = text.substr(0, space);
  if (std::from_chars(digits.data(), digits.data() + digits.size(), number).ec != std::errc()) {
    return std::unexpected("'" + std::string(digits) + "' is no number");
  }
  std::string_view unit = trimmed(text.substr(space));
  if (unit.ends_with('s')) unit.remove_suffix(1);
  if (unit == "second") return number;
  if (unit == "minute") return number * 60;
  if (unit == "hour") return number * 3600;
  if (unit == "day") return number * 86400;
  return std::unexpected("'" + std::string(unit) + "' is no unit of time");
}

}  // namespace

std::expected<Script, std::string> parse_script(std::string_view text) {
  Script script;
  bool in_header = true;
  int number = 0;
  std::string* stanza = nullptr;
  const auto wrong = [&](std::string_view what) {
    return std::unexpected("line " + std::to_string(number) + ": " + std::string(what));
  };

  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    ++number;
    const std::string_view content = trimmed(line);
    const bool indented = !line.empty() && (line.front() == ' ' || line.front() == '\t');
    if (content.empty()) continue;
    if (!indented && content.front() == '#') {
      if (content.starts_with("##")) {
        script.strict = script.strict || trimmed(content.substr(2)) == "strict";
      } else if (script.title.empty()) {
        script.title = trimmed(content.substr(1));
      }
      stanza = nullptr;
      continue;
    }
    if (indented) {
      if (in_header) {
        const auto colon = content.find(':');
        if (script.clients.empty() || colon == std::string_view::npos)
          return wrong("expected 'key: value' under a [Client]");
        const std::string_view key = trimmed(content.substr(0, colon));
        const std::string value(trimmed(content.substr(colon + 1)));
        ClientEntry& client = script.clients.back();
        if (key == "jid")
          client.jid = value;
        else if (key == "password")
          client.password = value;
        else if (key == "resource")
          client.resource = value;
        // Other keys tell a client how to connect over the network; in process there is nothing to connect to.
        continue;
      }
      if (stanza == nullptr) return wrong("an indented line that belongs to nothing");
      *stanza += content;
      *stanza += '\n';
      continue;
    }
    stanza = nullptr;
    if (content.starts_with("[Client]")) {
      script.clients.push_back({.name = std::string(trimmed(content.substr(8))), .jid = {}});
      in_header = true;
      continue;
    }
    if (content.find_first_not_of('-') == std::string_view::npos) {
      in_header = false;
      continue;
    }
    in_header = false;
    if (content.starts_with("wait ")) {
      const auto seconds = seconds_of(content.substr(5));
      if (!seconds) return wrong(seconds.error());
      script.steps.push_back({.kind = Step::Kind::wait, .seconds = *seconds, .line = number});
      continue;
    }
    if (content == "restart server" || content == "the disk is full" || content == "the disk works") {
      const Step::Kind kind = content == "restart server"     ? Step::Kind::restart
                              : content == "the disk is full" ? Step::Kind::disk_full
                                                              : Step::Kind::disk_works;
      script.steps.push_back({.kind = kind, .line = number});
      continue;
    }
    bool known = false;
    for (const Verb& verb : verbs) {
      if (!content.ends_with(verb.ending)) continue;
      const std::string client(content.substr(0, content.size() - verb.ending.size()));
      bool listed = false;
      for (const ClientEntry& entry : script.clients) listed = listed || entry.name == client;
      if (!listed) return wrong("there is no [Client] " + client);
      script.steps.push_back({.kind = verb.kind, .client = client, .line = number});
      if (verb.has_stanza) stanza = &script.steps.back().stanza;
      known = true;
      break;
    }
    if (!known) return wrong("not understood: " + std::string(content));
  }
  for (const ClientEntry& client : script.clients) {
    if (client.jid.empty()) return std::unexpected("[Client] " + client.name + " has no jid");
    const auto jid = xmpp::Jid::parse(client.jid);
    if (!jid || !jid->has_localpart()) return std::unexpected(client.jid + " is no address of an account");
  }
  return script;
}

}  // namespace kith::scenario
