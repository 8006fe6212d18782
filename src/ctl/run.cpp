#include "ctl/run.h"

#include <expected>

#include <nlohmann/json.hpp>

#include "ctl/client.h"
#include "ctl/show.h"

namespace kith::ctl {
namespace {

using nlohmann::json;

/// Why there is nothing to send: a sentence and the exit code.
struct Refusal {
  Exit exit;
  std::string sentence;
};

std::expected<Secret, Refusal> read_password(const Command& command, Terminal& terminal) {
  if (command.password_stdin) {
    std::optional<std::string> line = terminal.ask_line("");
    if (line && line->ends_with('\r')) line->pop_back();
    if (!line || line->empty()) {
      return std::unexpected(Refusal{
          Exit::usage, "There is no password on standard input; its first line must hold one, of at most 1024 bytes."});
    }
    Secret password{std::string(*line)};
    wipe(*line);
    return password;
  }
  if (!terminal.interactive()) {
    return std::unexpected(Refusal{
        Exit::usage, "There is no terminal to ask for the password; give it on standard input with --password-stdin."});
  }
  std::optional<Secret> first = terminal.ask_secret("Password for " + command.subject + ": ");
  if (!first) return std::unexpected(Refusal{Exit::refused, "Broken off; nothing was changed."});
  if (first->empty())
    return std::unexpected(Refusal{Exit::refused, "The password is empty; nothing was changed. Choose one."});
  const std::optional<Secret> second = terminal.ask_secret("The same again: ");
  if (!second) return std::unexpected(Refusal{Exit::refused, "Broken off; nothing was changed."});
  if (!(*first == *second)) {
    return std::unexpected(Refusal{Exit::refused, "The two passwords differ; nothing was changed. Try again."});
  }
  return *std::move(first);
}

std::expected<void, Refusal> confirm_removal(const Command& command, Terminal& terminal, const std::string& with) {
  if (command.yes) return {};
  if (!terminal.interactive()) {
    return std::unexpected(
        Refusal{Exit::usage, "There is no terminal to ask whether this is meant; add --yes if it is."});
  }
  const auto answer = terminal.ask_line("Remove " + command.subject + " with its " + with + ", for good? Type yes: ");
  if (answer != "yes") return std::unexpected(Refusal{Exit::refused, "Not removed."});
  return {};
}

/// The body {…,"password"}; the text and JSON's copy of the password are wiped by who uses it and here.
std::string body_with(json object, const Secret& password) {
  object["password"] = std::string(password.reveal());
  std::string body = object.dump(-1, ' ', false, json::error_handler_t::replace);
  wipe(object["password"].get_ref<std::string&>());
  return body;
}

/// Addresses are judged by kithd; what is plainly none is told before a password is asked for.
bool needs_address(const Command& command) {
  const bool is_list = command.action == Action::status || command.action == Action::reload ||
                       command.action == Action::user_list || command.action == Action::room_list ||
                       command.action == Action::upload_remove;
  const bool of_one_or_all = command.action == Action::sessions || command.action == Action::upload_list;
  const bool about_servers =
      command.action >= Action::federation_status && command.action <= Action::federation_unblock;
  return !is_list && !about_servers && !(of_one_or_all && command.subject.empty());
}

/// The id in the address of a file ("https://example.org:5281/upload/ID/balcony.png"), or what else was given.
std::string file_id(const std::string& given) {
  constexpr std::string_view before = "/upload/";
  const std::size_t start = given.find(before);
  if (start == std::string::npos) return given;
  const std::string id = given.substr(start + before.size());
  return id.substr(0, id.find('/'));
}

std::expected<Request, Refusal> make_request(const Command& command, Terminal& terminal) {
  if (needs_address(command) && command.subject.find('@') == std::string::npos) {
    const char* form = command.action == Action::session_end ? "NAME@DOMAIN/RESOURCE" : "NAME@DOMAIN";
    return std::unexpected(Refusal{Exit::usage, "\"" + command.subject + "\" is not an address; write " + form + "."});
  }
  const std::string subject = percent_encode(command.subject);
  switch (command.action) {
    case Action::status:
      return Request{"GET", "/v1/status"};
    case Action::reload:
      return Request{"POST", "/v1/reload"};
    case Action::user_list:
      return Request{"GET", subject.empty() ? "/v1/users" : "/v1/users?domain=" + subject};
    case Action::user_pushes:
      return Request{"GET", "/v1/users/" + subject + "/pushes"};
    case Action::sessions:
      return Request{"GET", subject.empty() ? "/v1/sessions" : "/v1/sessions?account=" + subject};
    case Action::session_end:
      return Request{"DELETE", "/v1/sessions/" + subject};
    case Action::clients:
      return Request{"GET", "/v1/users/" + subject + "/clients"};
    case Action::client_end:
      return Request{"DELETE", "/v1/users/" + subject + "/clients/" + percent_encode(command.client)};
    case Action::federation_status:
      return Request{"GET", "/v1/federation"};
    case Action::federation_check:
      return Request{"POST", "/v1/federation/" + subject + "/check"};
    case Action::federation_retry:
      return Request{"POST", "/v1/federation/" + subject + "/retry"};
    case Action::federation_block:
      return Request{"PUT", "/v1/federation/" + subject + "/block"};
    case Action::federation_unblock:
      return Request{"DELETE", "/v1/federation/" + subject + "/block"};
    case Action::user_doctor:
      return Request{command.mend ? "POST" : "GET", "/v1/users/" + subject + "/doctor"};
    case Action::user_remove: {
      const auto confirmed = confirm_removal(command, terminal, "contacts and messages");
      if (!confirmed) return std::unexpected(confirmed.error());
      return Request{"DELETE", "/v1/users/" + subject};
    }
    case Action::room_list:
      return Request{"GET", "/v1/rooms"};
    case Action::room_show:
      return Request{"GET", "/v1/rooms/" + subject};
    case Action::room_destroy: {
      const auto confirmed = confirm_removal(command, terminal, "archive");
      if (!confirmed) return std::unexpected(confirmed.error());
      return Request{"DELETE", "/v1/rooms/" + subject};
    }
    case Action::room_affiliate:
      return Request{"PUT", "/v1/rooms/" + subject + "/people/" + percent_encode(command.object),
                     json{{"affiliation", command.value}}.dump(-1, ' ', false, json::error_handler_t::replace)};
    case Action::room_config:
      return Request{"PUT", "/v1/rooms/" + subject + "/config/" + percent_encode(command.object),
                     json{{"value", command.value}}.dump(-1, ' ', false, json::error_handler_t::replace)};
    case Action::upload_list:
      return Request{"GET", subject.empty() ? "/v1/uploads" : "/v1/uploads?account=" + subject};
    case Action::upload_remove:
      return Request{"DELETE", "/v1/uploads/" + percent_encode(file_id(command.file))};
    case Action::user_add:
    case Action::user_password:
      break;
  }
  const auto password = read_password(command, terminal);
  if (!password) return std::unexpected(password.error());
  if (command.action == Action::user_add)
    return Request{"POST", "/v1/users", body_with({{"jid", command.subject}}, *password)};
  return Request{"PUT", "/v1/users/" + subject + "/password", body_with(json::object(), *password)};
}

std::string show(const Command& command, const json& body, WallTime now) {
  const auto found = body.find("jid");
  const std::string jid = found != body.end() && found->is_string() ? found->get<std::string>() : command.subject;
  switch (command.action) {
    case Action::user_add:
      return jid + " was added.\n";
    case Action::user_password:
      return "The password of " + jid + " was set.\n";
    case Action::user_remove:
      return jid + " was removed.\n";
    case Action::user_list:
      return show_users(body, now);
    case Action::user_pushes:
      return show_pushes(body);
    case Action::status:
      return show_status(body, now);
    case Action::sessions:
      return show_sessions(body, now);
    case Action::session_end:
      return "The session " + jid + " was ended.\n";
    case Action::clients:
      return show_clients(body, now);
    case Action::client_end:
      return "The client " + command.client + " of " + jid + " has no access any more without the password.\n";
    case Action::federation_status:
      return show_federation(body);
    case Action::federation_check:
      return show_check(body, command.subject);
    case Action::federation_retry:
      return show_retry(body, command.subject);
    case Action::federation_block:
      return command.subject + " is blocked: nothing comes from it or the domains below it, and nothing goes there.\n";
    case Action::federation_unblock:
      return command.subject + " is not blocked any more.\n";
    case Action::user_doctor:
      return show_doctor(body);
    case Action::room_list:
      return show_rooms(body);
    case Action::room_show:
      return show_room(body);
    case Action::room_destroy:
      return "The room " + jid + " was destroyed.\n";
    case Action::room_affiliate:
      return command.object + " is " + (command.value == "none" ? "nobody" : command.value) + " in " + jid + " now.\n";
    case Action::room_config:
      return "The setting " + command.object + " of " + jid + " was changed.\n";
    case Action::upload_list:
      return show_uploads(body, now);
    case Action::upload_remove:
      return "The file " + file_id(command.file) + " was deleted.\n";
    case Action::reload:
      return show_reload(body);
  }
  return {};
}

/// The sentence of an error that kithd answered.
std::string sentence_of(const json& body, unsigned status) {
  const auto error = body.find("error");
  if (error != body.end() && error->is_object()) {
    const auto message = error->find("message");
    if (message != error->end() && message->is_string()) return message->get<std::string>();
  }
  return "kithd refused this with HTTP status " + std::to_string(status) + "; see its log.";
}

}  // namespace

std::string find_socket(const std::string& given, const Surroundings& surroundings) {
  if (!given.empty()) return given;
  if (const auto named = surroundings.environment("KITH_SOCKET"); named && !named->empty()) return *named;
  for (const char* path : {"data/kith.sock", "run/kith.sock", "build/run/kith.sock"}) {
    if (surroundings.exists(path)) return path;
  }
  return "/run/kith/kithd.sock";
}

Exit run(std::vector<std::string> arguments, const Surroundings& surroundings) {
  Terminal& terminal = surroundings.terminal;
  const std::expected<Command, Printed> command = parse_command(std::move(arguments));
  if (!command) {
    if (command.error().exit == Exit::done) {
      terminal.out(command.error().text);
    } else {
      terminal.err(command.error().text);
    }
    return command.error().exit;
  }
  const auto fail = [&terminal](Exit exit, const std::string& sentence) {
    terminal.err("kithctl: " + sentence + "\n");
    return exit;
  };

  std::expected<Request, Refusal> request = make_request(*command, terminal);
  if (!request) return fail(request.error().exit, request.error().sentence);
  const std::expected<Answer, std::string> answer = ask(find_socket(command->socket, surroundings), *request);
  wipe(request->body);
  if (!answer) return fail(Exit::unreachable, answer.error());

  const json body = json::parse(answer->body, nullptr, false);
  if (!body.is_object()) return fail(Exit::unreachable, "What answered is not kithd; name its socket with --socket.");
  if (command->json) terminal.out(answer->body + "\n");
  if (answer->status >= 300) return fail(Exit::refused, sentence_of(body, answer->status));
  if (!command->json) terminal.out(show(*command, body, surroundings.clock.wall()));
  return command->action == Action::federation_check && !is_reached(body) ? Exit::refused : Exit::done;
}

}  // namespace kith::ctl
