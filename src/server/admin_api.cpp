#include "server/admin_api.h"

#include <array>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "xmpp/datetime.h"

namespace kith::server {
namespace {

using nlohmann::json;

constexpr std::size_t password_bytes = 1024;

AdminError bad_request(std::string sentence) { return {400, "bad-request", std::move(sentence)}; }

AdminResponse json_response(int status, const json& body) {
  // What cannot be UTF-8 (it all should be) is replaced, not thrown over.
  return {status, body.dump(-1, ' ', false, json::error_handler_t::replace)};
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Nothing for a broken escape, or if the result is not UTF-8 or holds a NUL. '+' is a plus: this is no form.
std::optional<std::string> percent_decode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = hex_value(text[i + 1]);
    const int low = hex_value(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    decoded.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  if (decoded.find('\0') != std::string::npos || !is_utf8(decoded)) return std::nullopt;
  return decoded;
}

struct Target {
  std::vector<std::string> segments;
  std::vector<std::pair<std::string, std::string>> query;

  /// The value of a query key, or empty.
  std::string value(std::string_view key) const {
    for (const auto& [name, value] : query) {
      if (name == key) return value;
    }
    return {};
  }
};

std::optional<Target> parse_target(std::string_view text) {
  if (!text.starts_with('/')) return std::nullopt;
  Target target;
  const std::size_t question = text.find('?');
  std::string_view path = text.substr(1, question == std::string_view::npos ? question : question - 1);
  while (true) {
    const std::size_t slash = path.find('/');
    std::optional<std::string> segment = percent_decode(path.substr(0, slash));
    if (!segment) return std::nullopt;
    target.segments.push_back(*std::move(segment));
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  std::string_view query = question == std::string_view::npos ? std::string_view() : text.substr(question + 1);
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    const std::size_t equals = pair.find('=');
    std::optional<std::string> name = percent_decode(pair.substr(0, equals));
    std::optional<std::string> value =
        percent_decode(equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1));
    if (!name || !value) return std::nullopt;
    target.query.emplace_back(*std::move(name), *std::move(value));
    if (end == std::string_view::npos) break;
    query.remove_prefix(end + 1);
  }
  return target;
}

/// The body as an object of strings, and nothing else in it than `allowed`.
std::expected<json, AdminError> read_object(const std::string& body, std::initializer_list<std::string_view> allowed) {
  json object = json::parse(body, nullptr, false);
  if (!object.is_object()) return std::unexpected(bad_request("The body must be a JSON object."));
  for (const auto& [key, value] : object.items()) {
    if (std::ranges::find(allowed, std::string_view(key)) == allowed.end()) {
      return std::unexpected(bad_request("The body has a member that this request does not know."));
    }
    if (!value.is_string()) return std::unexpected(bad_request("All members of the body must be strings."));
  }
  for (const std::string_view key : allowed) {
    if (!object.contains(key)) return std::unexpected(bad_request("The body lacks \"" + std::string(key) + "\"."));
  }
  return object;
}

/// Takes the password out of `object`, so that no copy stays.
std::expected<Secret, AdminError> take_password(json& object) {
  std::string& text = object["password"].get_ref<std::string&>();
  Secret password{std::string(text)};  // copied: moving a short string leaves its bytes behind
  wipe(text);
  if (password.empty()) return std::unexpected(bad_request("The password is empty; choose one."));
  if (password.reveal().size() > password_bytes) {
    return std::unexpected(bad_request("The password is longer than 1024 bytes; choose a shorter one."));
  }
  return password;
}

/// The address of an account. What comes in a sentence is what the administrator typed; it goes back to nobody else.
std::expected<xmpp::BareJid, AdminError> read_account(const std::string& text) {
  const std::optional<xmpp::BareJid> jid = xmpp::BareJid::parse(text);
  if (!jid || !jid->has_localpart()) {
    return std::unexpected(AdminError{400, "jid-malformed", "\"" + text + "\" is not an address; write NAME@DOMAIN."});
  }
  return *jid;
}

json to_json(const AdminDone&) { return json::object(); }

json to_json(const AdminStatus& status) {
  return {{"version", status.version},   {"started", xmpp::format_datetime(status.started, false)},
          {"domains", status.domains},   {"listeners", status.listeners},
          {"shards", status.shards},     {"connections", status.connections},
          {"sessions", status.sessions}, {"accounts_in_memory", status.accounts_in_memory}};
}

json to_json(const std::vector<AdminUser>& users) {
  json list = json::array();
  for (const AdminUser& user : users) {
    json entry{{"jid", user.jid.text()}, {"disabled", user.disabled}};
    if (user.last_seen) entry["last_seen"] = xmpp::format_datetime(*user.last_seen, false);
    list.push_back(std::move(entry));
  }
  return {{"users", std::move(list)}};
}

json to_json(const std::vector<module::ClientInfo>& clients) {
  json list = json::array();
  for (const module::ClientInfo& client : clients) {
    list.push_back({{"id", client.id},
                    {"connected", client.connected},
                    {"token", client.by_token},
                    {"first_seen", xmpp::format_datetime(client.first_seen, false)},
                    {"last_seen", xmpp::format_datetime(client.last_seen, false)},
                    {"software", client.software},
                    {"device", client.device}});
  }
  return {{"clients", std::move(list)}};
}

json to_json(const std::vector<storage::PushRecord>& records) {
  json list = json::array();
  for (const storage::PushRecord& record : records) {
    list.push_back({{"hour", xmpp::format_datetime(record.hour, false)},
                    {"service", record.service},
                    {"node", record.node},
                    {"sent", record.sent},
                    {"refused", record.refused}});
  }
  return {{"pushes", std::move(list)}};
}

json to_json(const std::vector<AdminSession>& sessions) {
  json list = json::array();
  for (const AdminSession& session : sessions) {
    json entry{{"jid", session.jid.text()},
               {"address", session.address},
               {"tls", session.tls},
               {"mechanism", session.mechanism},
               {"since", xmpp::format_datetime(session.since, false)},
               {"available", session.available}};
    if (session.available) entry["priority"] = session.priority;
    if (session.hibernating) entry["hibernating"] = true;
    list.push_back(std::move(entry));
  }
  return {{"sessions", std::move(list)}};
}

json to_json(const AdminFederation& federation) {
  json streams = json::array();
  for (const auto& stream : federation.streams) {
    json entry{{"domain", stream.domain}, {"incoming", stream.incoming}, {"ready", stream.ready}};
    if (!stream.own.empty()) entry["own"] = stream.own;
    streams.push_back(std::move(entry));
  }
  json waiting = json::array();
  for (const auto& line : federation.waiting) {
    json entry{{"domain", line.domain}, {"own", line.own}, {"messages", line.messages}, {"bytes", line.bytes}};
    if (!line.why.empty()) entry["why"] = line.why;
    waiting.push_back(std::move(entry));
  }
  return {{"streams", std::move(streams)}, {"waiting", std::move(waiting)}, {"blocked", federation.blocked}};
}

json to_json(const AdminCheck& check) {
  json steps = json::array();
  for (const auto& step : check.steps) {
    steps.push_back({{"good", step.good}, {"step", step.step}, {"words", step.words}});
  }
  return {{"steps", std::move(steps)}};
}

json to_json(const AdminRetry& retry) { return {{"messages", retry.messages}}; }

json to_json(const AdminKeys& keys) {
  json list = json::array();
  for (const module::KeyFinding& finding : keys.findings) {
    list.push_back({{"problem", std::string(wire_word(finding.problem))},
                    {"node", finding.node},
                    {"sentence", finding.sentence},
                    {"mended", finding.mended}});
  }
  return {{"findings", std::move(list)}, {"devices", keys.devices}};
}

json to_json(const std::vector<AdminRoom>& rooms) {
  json list = json::array();
  for (const AdminRoom& room : rooms) list.push_back({{"jid", room.jid.text()}, {"name", room.name}});
  return {{"rooms", std::move(list)}};
}

json to_json(const AdminRoomLines& lines) {
  json list = json::array();
  for (const auto& [name, value] : lines) list.push_back({{"name", name}, {"value", value}});
  return {{"room", std::move(list)}};
}

json to_json(const AdminUploads& uploads) {
  json list = json::array();
  for (const storage::UploadRecord& file : uploads.files) {
    list.push_back({{"id", file.id},
                    {"account", file.account},
                    {"name", file.name},
                    {"type", file.type},
                    {"bytes", file.bytes},
                    {"since", xmpp::format_datetime(file.created, false)},
                    {"until", xmpp::format_datetime(file.expires, false)}});
  }
  return {{"uploads", std::move(list)}, {"files", uploads.usage.files}, {"bytes", uploads.usage.bytes}};
}

json to_json(const AdminReload& reload) { return {{"notes", reload.notes}}; }

/// Turns an action's answer into a response; `about` is the address that the action was about, if any.
template <class T>
AdminAnswer<T> respond(AdminApi::Then then, int status = 200, std::string about = {}) {
  return [then = std::move(then), status, about = std::move(about)](std::expected<T, AdminError> answer) mutable {
    if (!answer) return then(error_response(answer.error()));
    json body = to_json(*answer);
    if (!about.empty()) body["jid"] = about;
    then(json_response(status, body));
  };
}

/// One request on its way through the routes.
struct Call {
  AdminActions& actions;
  const AdminRequest& request;
  const Target& target;
  AdminApi::Then& then;

  void refuse(const AdminError& error) { then(error_response(error)); }

  void get_status() { actions.status(respond<AdminStatus>(std::move(then))); }

  void get_users() {
    const std::string text = target.value("domain");
    std::string domain;
    if (!text.empty()) {
      std::optional<std::string> prepared = xmpp::prepare_domainpart(text);
      if (!prepared) return refuse({400, "jid-malformed", "\"" + text + "\" is not a domain."});
      domain = *std::move(prepared);
    }
    actions.list_users(std::move(domain), respond<std::vector<AdminUser>>(std::move(then)));
  }

  void post_user() {
    std::expected<json, AdminError> object = read_object(request.body, {"jid", "password"});
    if (!object) return refuse(object.error());
    std::expected<Secret, AdminError> password = take_password(*object);
    if (!password) return refuse(password.error());
    const std::expected<xmpp::BareJid, AdminError> jid = read_account((*object)["jid"].get<std::string>());
    if (!jid) return refuse(jid.error());
    if (!xmpp::is_identifier_localpart(jid->localpart())) {
      return refuse({400, "name-not-allowed",
                     "The name before the @ may have letters and digits of one direction of writing, and ASCII "
                     "punctuation; choose another."});
    }
    actions.add_user(*jid, *std::move(password), respond<AdminDone>(std::move(then), 201, jid->text()));
  }

  void put_password() {
    std::expected<json, AdminError> object = read_object(request.body, {"password"});
    if (!object) return refuse(object.error());
    std::expected<Secret, AdminError> password = take_password(*object);
    if (!password) return refuse(password.error());
    const std::expected<xmpp::BareJid, AdminError> jid = read_account(target.segments[2]);
    if (!jid) return refuse(jid.error());
    actions.set_password(*jid, *std::move(password), respond<AdminDone>(std::move(then), 200, jid->text()));
  }

  void delete_user() {
    const std::expected<xmpp::BareJid, AdminError> jid = read_account(target.segments[2]);
    if (!jid) return refuse(jid.error());
    actions.remove_user(*jid, respond<AdminDone>(std::move(then), 200, jid->text()));
  }

  void get_clients() {
    const std::expected<xmpp::BareJid, AdminError> jid = read_account(target.segments[2]);
    if (!jid) return refuse(jid.error());
    actions.list_clients(*jid, respond<std::vector<module::ClientInfo>>(std::move(then)));
  }

  void delete_client() {
    const std::expected<xmpp::BareJid, AdminError> jid = read_account(target.segments[2]);
    if (!jid) return refuse(jid.error());
    actions.end_client(*jid, target.segments[4], respond<AdminDone>(std::move(then), 200, jid->text()));
  }

  void get_pushes() {
    const std::expected<xmpp::BareJid, AdminError> jid = read_account(target.segments[2]);
    if (!jid) return refuse(jid.error());
    actions.list_pushes(*jid, respond<std::vector<storage::PushRecord>>(std::move(then)));
  }

  void get_doctor() { check_keys(false); }
  void post_doctor() { check_keys(true); }
  void check_keys(bool mend) {
    const std::expected<xmpp::BareJid, AdminError> jid = read_account(target.segments[2]);
    if (!jid) return refuse(jid.error());
    actions.check_keys(*jid, mend, respond<AdminKeys>(std::move(then), 200, jid->text()));
  }

  /// The account that is asked about: nothing for all.
  std::expected<std::optional<xmpp::BareJid>, AdminError> account_asked_for() const {
    const std::string text = target.value("account");
    if (text.empty()) return std::nullopt;
    return read_account(text);
  }

  void get_sessions() {
    auto account = account_asked_for();
    if (!account) return refuse(account.error());
    actions.list_sessions(*std::move(account), respond<std::vector<AdminSession>>(std::move(then)));
  }

  void get_uploads() {
    auto account = account_asked_for();
    if (!account) return refuse(account.error());
    actions.list_uploads(*std::move(account), respond<AdminUploads>(std::move(then)));
  }

  void delete_upload() { actions.remove_upload(target.segments[2], respond<AdminDone>(std::move(then))); }

  void delete_session() {
    const std::string& text = target.segments[2];
    const std::optional<xmpp::FullJid> jid = xmpp::FullJid::parse(text);
    if (!jid || !jid->has_localpart()) {
      return refuse({400, "jid-malformed", "\"" + text + "\" is not a session; write NAME@DOMAIN/RESOURCE."});
    }
    actions.end_session(*jid, respond<AdminDone>(std::move(then), 200, jid->text()));
  }

  void get_federation() { actions.federation(respond<AdminFederation>(std::move(then))); }

  /// The domain in the path, prepared; empty if it is none, and that was answered.
  std::string server() {
    const std::string& text = target.segments[2];
    std::optional<std::string> prepared = xmpp::prepare_domainpart(text);
    if (prepared && !prepared->empty()) return *std::move(prepared);
    refuse({400, "jid-malformed", "\"" + text + "\" is not a domain."});
    return {};
  }
  void post_check() {
    if (std::string domain = server(); !domain.empty()) {
      actions.check_server(std::move(domain), respond<AdminCheck>(std::move(then)));
    }
  }
  void post_retry() {
    if (std::string domain = server(); !domain.empty()) {
      actions.retry_server(std::move(domain), respond<AdminRetry>(std::move(then)));
    }
  }
  void put_block() {
    if (std::string domain = server(); !domain.empty()) {
      actions.block_server(std::move(domain), true, respond<AdminDone>(std::move(then)));
    }
  }
  void delete_block() {
    if (std::string domain = server(); !domain.empty()) {
      actions.block_server(std::move(domain), false, respond<AdminDone>(std::move(then)));
    }
  }

  void get_rooms() { actions.list_rooms(respond<std::vector<AdminRoom>>(std::move(then))); }

  void ask_room(module::RoomAdministration::Wish wish, std::string object, std::string value) {
    const std::expected<xmpp::BareJid, AdminError> jid = read_account(target.segments[2]);
    if (!jid) return refuse(jid.error());
    actions.room(*jid, wish, std::move(object), std::move(value),
                 respond<AdminRoomLines>(std::move(then), 200, jid->text()));
  }
  void get_room() { ask_room(module::RoomAdministration::Wish::show, {}, {}); }
  void delete_room() { ask_room(module::RoomAdministration::Wish::destroy, {}, {}); }
  void put_room_person() {
    const std::expected<json, AdminError> object = read_object(request.body, {"affiliation"});
    if (!object) return refuse(object.error());
    ask_room(module::RoomAdministration::Wish::affiliate, target.segments[4], (*object)["affiliation"]);
  }
  void put_room_config() {
    const std::expected<json, AdminError> object = read_object(request.body, {"value"});
    if (!object) return refuse(object.error());
    ask_room(module::RoomAdministration::Wish::configure, target.segments[4], (*object)["value"]);
  }

  void post_reload() { actions.reload(respond<AdminReload>(std::move(then))); }
};

/// A path of fixed words, with "*" for a segment that is a value.
struct Route {
  std::string_view method;
  std::vector<std::string_view> path;
  void (Call::*go)();
};

bool matches(const Route& route, const std::vector<std::string>& segments) {
  if (route.path.size() != segments.size()) return false;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (route.path[i] != "*" && route.path[i] != segments[i]) return false;
  }
  return true;
}

}  // namespace

AdminResponse error_response(const AdminError& error) {
  return json_response(error.http_status, {{"error", {{"code", error.code}, {"message", error.sentence}}}});
}

void AdminApi::handle(AdminRequest request, Then then) {
  static const std::array<Route, 25> routes{{
      {"GET", {"v1", "status"}, &Call::get_status},
      {"GET", {"v1", "users"}, &Call::get_users},
      {"POST", {"v1", "users"}, &Call::post_user},
      {"PUT", {"v1", "users", "*", "password"}, &Call::put_password},
      {"DELETE", {"v1", "users", "*"}, &Call::delete_user},
      {"GET", {"v1", "users", "*", "clients"}, &Call::get_clients},
      {"DELETE", {"v1", "users", "*", "clients", "*"}, &Call::delete_client},
      {"GET", {"v1", "users", "*", "pushes"}, &Call::get_pushes},
      {"GET", {"v1", "users", "*", "doctor"}, &Call::get_doctor},
      {"POST", {"v1", "users", "*", "doctor"}, &Call::post_doctor},
      {"GET", {"v1", "sessions"}, &Call::get_sessions},
      {"DELETE", {"v1", "sessions", "*"}, &Call::delete_session},
      {"GET", {"v1", "federation"}, &Call::get_federation},
      {"POST", {"v1", "federation", "*", "check"}, &Call::post_check},
      {"POST", {"v1", "federation", "*", "retry"}, &Call::post_retry},
      {"PUT", {"v1", "federation", "*", "block"}, &Call::put_block},
      {"DELETE", {"v1", "federation", "*", "block"}, &Call::delete_block},
      {"GET", {"v1", "rooms"}, &Call::get_rooms},
      {"GET", {"v1", "rooms", "*"}, &Call::get_room},
      {"DELETE", {"v1", "rooms", "*"}, &Call::delete_room},
      {"PUT", {"v1", "rooms", "*", "people", "*"}, &Call::put_room_person},
      {"PUT", {"v1", "rooms", "*", "config", "*"}, &Call::put_room_config},
      {"GET", {"v1", "uploads"}, &Call::get_uploads},
      {"DELETE", {"v1", "uploads", "*"}, &Call::delete_upload},
      {"POST", {"v1", "reload"}, &Call::post_reload},
  }};
  const std::optional<Target> target = parse_target(request.target);
  bool path_known = false;
  const Route* chosen = nullptr;
  if (target) {
    for (const Route& route : routes) {
      if (!matches(route, target->segments)) continue;
      path_known = true;
      if (route.method == request.method) chosen = &route;
    }
  }
  if (chosen != nullptr) {
    Call call{actions_, request, *target, then};
    (call.*chosen->go)();
  } else if (!target) {
    then(error_response(bad_request("The request's path is not well-formed.")));
  } else if (path_known) {
    then(error_response({405, "method-not-allowed", "This path does not know that method."}));
  } else {
    then(error_response(
        {404, "no-such-path", "There is nothing at this path; kithd and kithctl may differ in version."}));
  }
  wipe(request.body);  // it may have held a password
}

}  // namespace kith::server
