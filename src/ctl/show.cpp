#include "ctl/show.h"

#include <array>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/encoding.h"

namespace kith::ctl {
namespace {

using nlohmann::json;

/// The member as text, or `otherwise` if it is missing, empty or of another kind.
std::string text_of(const json& object, const char* key, std::string otherwise = "-") {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string() || found->get_ref<const std::string&>().empty()) return otherwise;
  return found->get<std::string>();
}

std::int64_t number_of(const json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || !found->is_number_integer() ? 0 : found->get<std::int64_t>();
}

bool flag_of(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

std::string joined(const json& object, const char* key) {
  std::string text;
  const auto found = object.find(key);
  if (found == object.end() || !found->is_array()) return "-";
  for (const json& entry : *found) {
    if (!entry.is_string()) continue;
    if (!text.empty()) text += ", ";
    text += entry.get_ref<const std::string&>();
  }
  return text.empty() ? "-" : text;
}

const json& list_of(const json& body, const char* key) {
  static const json empty = json::array();
  const auto found = body.find(key);
  return found == body.end() || !found->is_array() ? empty : *found;
}

/// How wide a text is on a terminal, nearly: its code points.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; }));
}

/// SECURITY: nothing that steers a terminal comes out of a table.
std::string without_controls(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return text;
}

std::optional<int> digits(std::string_view text) {
  const auto value = parse_number<int>(text);
  return text.starts_with('-') ? std::nullopt : value;
}

/// The API's form only: 2026-11-23T20:00:00Z.
std::optional<WallTime> read_stamp(std::string_view text) {
  if (text.size() != 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':' ||
      text[19] != 'Z') {
    return std::nullopt;
  }
  const auto year = digits(text.substr(0, 4));
  const auto month = digits(text.substr(5, 2));
  const auto day = digits(text.substr(8, 2));
  const auto hour = digits(text.substr(11, 2));
  const auto minute = digits(text.substr(14, 2));
  const auto second = digits(text.substr(17, 2));
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second);
}

std::string counted(std::int64_t number, std::string_view unit) {
  return fmt::format("{} {}{}", number, unit, number == 1 ? "" : "s");
}

}  // namespace

std::string show_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    if (widths.size() < row.size()) widths.resize(row.size());
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += without_controls(row[i]);
      if (i + 1 < row.size()) text.append(widths[i] + 2 - width(row[i]), ' ');
    }
    text += '\n';
  }
  return text;
}

std::string show_span(Duration span) {
  const std::int64_t seconds = std::chrono::duration_cast<std::chrono::seconds>(span).count();
  if (seconds < 60) return counted(std::max<std::int64_t>(seconds, 0), "second");
  if (seconds < 60 * 60) return counted(seconds / 60, "minute");
  if (seconds < 24 * 60 * 60) return counted(seconds / (60 * 60), "hour");
  return counted(seconds / (24 * 60 * 60), "day");
}

std::string show_moment(std::string_view stamp, WallTime now) {
  const std::optional<WallTime> moment = read_stamp(stamp);
  if (!moment) return std::string(stamp);
  const auto age = now - *moment;
  if (age > std::chrono::days(56) || age < -std::chrono::minutes(1)) return std::string(stamp.substr(0, 10));
  if (age < std::chrono::seconds(5)) return "just now";
  return show_span(age) + " ago";
}

std::string show_status(const json& body, WallTime now) {
  std::string running = "is running";
  if (const auto started = read_stamp(text_of(body, "started")))
    running = "has been running for " + show_span(now - *started);
  std::string text = without_controls(fmt::format("Kith {} {}.", text_of(body, "version", ""), running)) + "\n\n";
  return text + show_table({{"domains", joined(body, "domains")},
                            {"listens at", joined(body, "listeners")},
                            {"connections", std::to_string(number_of(body, "connections"))},
                            {"sessions", std::to_string(number_of(body, "sessions"))},
                            {"accounts in use", std::to_string(number_of(body, "accounts_in_memory"))},
                            {"shards", std::to_string(number_of(body, "shards"))}});
}

std::string show_users(const json& body, WallTime now) {
  std::vector<std::vector<std::string>> rows{{"ADDRESS", "LAST SEEN", ""}};
  for (const json& user : list_of(body, "users")) {
    rows.push_back({text_of(user, "jid"), show_moment(text_of(user, "last_seen"), now),
                    flag_of(user, "disabled") ? "disabled" : ""});
  }
  if (rows.size() == 1) return "There are no accounts yet; make one with: kithctl user add NAME@DOMAIN\n";
  return show_table(rows);
}

std::string show_sessions(const json& body, WallTime now) {
  std::vector<std::vector<std::string>> rows{{"ADDRESS", "SINCE", "PRESENCE", "FROM", "LOGIN", "TLS"}};
  for (const json& session : list_of(body, "sessions")) {
    std::string presence = "unavailable";
    if (flag_of(session, "available")) presence = fmt::format("available ({})", number_of(session, "priority"));
    if (flag_of(session, "hibernating")) presence += ", connection lost";
    rows.push_back({text_of(session, "jid"), show_moment(text_of(session, "since"), now), std::move(presence),
                    text_of(session, "address"), text_of(session, "mechanism"), text_of(session, "tls", "none")});
  }
  if (rows.size() == 1) return "Nobody is connected.\n";
  return show_table(rows);
}

std::string show_clients(const json& body, WallTime now) {
  std::vector<std::vector<std::string>> rows{{"CLIENT", "DEVICE", "FIRST SEEN", "LAST SEEN", "TOKEN", "ID"}};
  for (const json& client : list_of(body, "clients")) {
    rows.push_back({text_of(client, "software", "unknown"), text_of(client, "device", ""),
                    show_moment(text_of(client, "first_seen"), now),
                    flag_of(client, "connected") ? "connected" : show_moment(text_of(client, "last_seen"), now),
                    flag_of(client, "token") ? "yes" : "no", text_of(client, "id")});
  }
  if (rows.size() == 1) return "No client is connected or has a token.\n";
  return show_table(rows);
}

std::string show_pushes(const json& body) {
  std::vector<std::vector<std::string>> rows{{"HOUR (UTC)", "SERVICE", "NODE", "NOTIFICATIONS", "REFUSED"}};
  for (const json& record : list_of(body, "pushes")) {
    const std::string hour = text_of(record, "hour");
    rows.push_back({read_stamp(hour) ? hour.substr(0, 10) + " " + hour.substr(11, 5) : hour, text_of(record, "service"),
                    text_of(record, "node"), std::to_string(number_of(record, "sent")),
                    std::to_string(number_of(record, "refused"))});
  }
  if (rows.size() == 1) return "Nothing was sent to a push service within the last seven days.\n";
  return show_table(rows) + "A notification says that there is something, not from whom or what.\n";
}

std::string show_federation(const json& body) {
  std::string text;
  std::vector<std::vector<std::string>> streams{{"SERVER", "STREAM", ""}};
  for (const json& stream : list_of(body, "streams")) {
    const bool incoming = flag_of(stream, "incoming");
    streams.push_back({text_of(stream, "domain"), incoming ? "from it" : "to it, from " + text_of(stream, "own"),
                       flag_of(stream, "ready") ? "" : "being made"});
  }
  text += streams.size() == 1 ? "No stream with another server is open.\n" : show_table(streams);
  std::vector<std::vector<std::string>> waiting{{"SERVER", "WAITING", "KIB", "WHY"}};
  for (const json& line : list_of(body, "waiting")) {
    waiting.push_back({text_of(line, "domain"), counted(number_of(line, "messages"), "message"),
                       std::to_string((number_of(line, "bytes") + 1023) / 1024), text_of(line, "why", "on their way")});
  }
  if (waiting.size() > 1) text += "\n" + show_table(waiting);
  if (!list_of(body, "blocked").empty()) text += "\n" + without_controls("Blocked: " + joined(body, "blocked")) + "\n";
  return text;
}

bool is_reached(const json& body) {
  const json& steps = list_of(body, "steps");
  return !steps.empty() && text_of(steps.back(), "step") == "login" && flag_of(steps.back(), "good");
}

std::string show_check(const json& body, const std::string& domain) {
  std::vector<std::vector<std::string>> rows;
  std::string obstacle;
  for (const json& step : list_of(body, "steps")) {
    const bool good = flag_of(step, "good");
    rows.push_back({good ? "ok" : "--", text_of(step, "step"), text_of(step, "words")});
    if (!good) obstacle = text_of(step, "step");
  }
  std::string end = domain + " can be reached.";
  if (!is_reached(body)) end = domain + " can't be reached" + (obstacle.empty() ? "." : "; look at: " + obstacle + ".");
  return show_table(rows) + "\n" + without_controls(std::move(end)) + "\n";
}

std::string show_retry(const json& body, const std::string& domain) {
  const std::int64_t messages = number_of(body, "messages");
  if (messages == 0) return "Nothing waits for " + domain + ".\n";
  return fmt::format("{} for {} {} tried again now; 'kithctl federation status' shows what comes of it.\n",
                     counted(messages, "message"), domain, messages == 1 ? "is" : "are");
}

std::string show_doctor(const json& body) {
  const std::string jid = without_controls(text_of(body, "jid", "the account"));
  const std::int64_t devices = number_of(body, "devices");
  std::string text;
  bool closed = false;
  for (const json& finding : list_of(body, "findings")) {
    const bool mended = flag_of(finding, "mended");
    closed = closed || (!mended && text_of(finding, "problem") == "closed");
    text += "- " + without_controls(text_of(finding, "sentence")) + (mended ? " It is open now." : "") + "\n";
  }
  if (closed) text += "\nOpen what is closed with: kithctl user doctor " + jid + " --mend\n";
  if (text.empty() && devices == 0) text = "No client of " + jid + " has published keys for OMEMO.\n";
  if (text.empty()) text = "Nothing is wrong with the keys of " + jid + ".\n";
  if (devices > 0) text += "Keys that can be used are there of " + counted(devices, "device") + ".\n";
  return text;
}

std::string show_rooms(const json& body) {
  std::vector<std::vector<std::string>> rows{{"ROOM", "NAME"}};
  for (const json& room : list_of(body, "rooms")) rows.push_back({text_of(room, "jid"), text_of(room, "name", "")});
  if (rows.size() == 1) return "There are no rooms.\n";
  return show_table(rows);
}

std::string show_uploads(const json& body, WallTime now) {
  std::vector<std::vector<std::string>> rows{{"ACCOUNT", "NAME", "KIB", "SINCE", "UNTIL", "ID"}};
  for (const json& file : list_of(body, "uploads")) {
    rows.push_back({text_of(file, "account"), text_of(file, "name"),
                    std::to_string((number_of(file, "bytes") + 1023) / 1024), show_moment(text_of(file, "since"), now),
                    text_of(file, "until").substr(0, 10), text_of(file, "id")});
  }
  if (rows.size() == 1) return "No files are stored.\n";
  const std::int64_t files = number_of(body, "files");
  std::string text = show_table(rows);
  if (files >= static_cast<std::int64_t>(rows.size())) text += "… and more.\n";
  return text + fmt::format("{} {}, {} MiB.\n", files, files == 1 ? "file" : "files",
                            (number_of(body, "bytes") + 1024 * 1024 - 1) / (1024 * 1024));
}

std::string show_room(const json& body) {
  std::vector<std::vector<std::string>> rows{{"NAME", "VALUE"}};
  for (const json& line : list_of(body, "room")) rows.push_back({text_of(line, "name"), text_of(line, "value", "")});
  return show_table(rows);
}

std::string show_reload(const json& body) {
  std::string text = "Configuration and certificates were read again.\n";
  for (const json& note : list_of(body, "notes")) {
    if (note.is_string()) text += without_controls(note.get<std::string>()) + "\n";
  }
  return text;
}

}  // namespace kith::ctl
