#include "ctl/command.h"

#include <algorithm>
#include <sstream>

#include <CLI/CLI.hpp>

#include "base/version.h"

namespace kith::ctl {
namespace {

constexpr const char* footer = R"(Where kithd is looked for, the first of these:
  1. the socket given with --socket
  2. the socket named by the environment variable KITH_SOCKET
  3. ./data/kith.sock, ./run/kith.sock or ./build/run/kith.sock, if there is one (a kithd that was started here)
  4. /run/kith/kithd.sock (a kithd that was installed)

Exit codes: 0 done, 1 refused or failed, 2 the command line is wrong, 3 kithd cannot be reached.

Examples:
  kithctl user add juliet@example.org
  kithctl user password juliet@example.org --password-stdin < password.txt
  kithctl sessions juliet@example.org
  kithctl --json status
)";

/// Makes CLI11's one-line messages into sentences that say what to do.
std::string sentence(std::string message) {
  std::ranges::replace(message, '\n', ' ');
  while (!message.empty() && (message.back() == ' ' || message.back() == '.')) message.pop_back();
  return "kithctl: " + message + ". See kithctl --help.\n";
}

}  // namespace

std::expected<Command, Printed> parse_command(std::vector<std::string> arguments) {
  Command command;
  CLI::App app("Looks after a running kithd: its accounts, sessions and configuration.", "kithctl");
  app.footer(footer);
  app.require_subcommand(1);
  app.fallthrough();
  app.set_version_flag("--version", "kithctl " + std::string(kith::version), "Print the version and exit");
  app.add_option("--socket", command.socket, "The admin socket of kithd")->type_name("PATH");
  app.add_flag("--json", command.json, "Print what kithd answers, as JSON");

  const auto add = [&command](CLI::App& parent, const char* name, const char* help, Action action) {
    CLI::App* sub = parent.add_subcommand(name, help);
    sub->fallthrough();
    sub->callback([&command, action] { command.action = action; });
    return sub;
  };
  const auto take_address = [&command](CLI::App* sub, const char* help) {
    return sub->add_option("address", command.subject, help)->type_name("NAME@DOMAIN");
  };
  const auto take_password = [&command](CLI::App* sub) {
    sub->add_flag("--password-stdin", command.password_stdin,
                  "Read the password from the first line of standard input");
  };

  CLI::App* user = app.add_subcommand("user", "Accounts: add, password, remove, list, pushes, doctor");
  user->require_subcommand(1);
  user->fallthrough();

  CLI::App* user_add = add(*user, "add", "Make an account; its password is asked for twice", Action::user_add);
  take_address(user_add, "The address of the new account")->required();
  take_password(user_add);
  user_add->footer(
      "\nExamples:\n  kithctl user add juliet@example.org\n"
      "  head -c 18 /dev/urandom | base64 | tee password.txt | kithctl user add bot@example.org --password-stdin\n");

  CLI::App* user_password = add(*user, "password", "Set an account's password", Action::user_password);
  take_address(user_password, "The address of the account")->required();
  take_password(user_password);
  user_password->footer("Example:\n  kithctl user password juliet@example.org\n");

  CLI::App* user_remove = add(*user, "remove", "Remove an account with its contacts and messages", Action::user_remove);
  take_address(user_remove, "The address of the account")->required();
  user_remove->add_flag("--yes", command.yes, "Do not ask whether this is meant");
  user_remove->footer("Example:\n  kithctl user remove tybalt@example.org --yes\n");

  CLI::App* user_list = add(*user, "list", "List the accounts of a domain, or all", Action::user_list);
  user_list->add_option("domain", command.subject, "Only the accounts of this domain")->type_name("DOMAIN");

  CLI::App* user_pushes =
      add(*user, "pushes", "Show what push services were told about an account, and when", Action::user_pushes);
  take_address(user_pushes, "The address of the account")->required();

  CLI::App* user_doctor =
      add(*user, "doctor", "Say why others cannot encrypt to an account, if they cannot", Action::user_doctor);
  take_address(user_doctor, "The address of the account")->required();
  user_doctor->add_flag("--mend", command.mend, "Open the keys that are closed to those who need them");
  user_doctor->footer("Example:\n  kithctl user doctor juliet@example.org\n");

  add(app, "status", "What runs, since when, and how much of it", Action::status);

  CLI::App* sessions = add(app, "sessions", "List who is connected", Action::sessions);
  take_address(sessions, "Only the sessions of this account");

  CLI::App* session = app.add_subcommand("session", "One session: end");
  session->require_subcommand(1);
  session->fallthrough();
  CLI::App* session_end = add(*session, "end", "End a session; its client may log in again", Action::session_end);
  session_end->add_option("address", command.subject, "The full address, as kithctl sessions shows it")
      ->type_name("NAME@DOMAIN/RESOURCE")
      ->required();
  session_end->footer("Example:\n  kithctl session end juliet@example.org/phone\n");

  CLI::App* clients = add(app, "clients", "List the clients that have access to an account", Action::clients);
  take_address(clients, "The address of the account")->required();

  CLI::App* client = app.add_subcommand("client", "One client: end");
  client->require_subcommand(1);
  client->fallthrough();
  CLI::App* client_end = add(*client, "end", "Take a client's tokens and end its sessions; it needs the password again",
                             Action::client_end);
  take_address(client_end, "The address of the account")->required();
  client_end->add_option("id", command.client, "The client's id, as kithctl clients shows it")
      ->type_name("ID")
      ->required();
  client_end->footer("Example:\n  kithctl client end juliet@example.org d4565fa7-4d72-4749-b3d3-740edbf87770\n");

  CLI::App* federation = app.add_subcommand("federation", "Other servers: status, check, retry, block, unblock");
  federation->require_subcommand(1);
  federation->fallthrough();
  add(*federation, "status", "Streams with other servers, and what waits for those that can't be reached",
      Action::federation_status);
  const auto about_server = [&](const char* name, const char* help, Action action) {
    CLI::App* sub = add(*federation, name, help, action);
    sub->add_option("domain", command.subject, "The other server's domain")->type_name("DOMAIN")->required();
    sub->footer("Example:\n  kithctl federation " + std::string(name) + " example.net\n");
  };
  about_server("check", "Find out, step by step, whether a server can be reached, and if not, why",
               Action::federation_check);
  about_server("retry", "Try again now to bring the messages that wait for a server", Action::federation_retry);
  about_server("block", "Talk no longer to a server and those below its domain", Action::federation_block);
  about_server("unblock", "Talk to a blocked server again", Action::federation_unblock);

  CLI::App* room = app.add_subcommand("room", "Rooms: list, show, destroy, affiliate, config");
  room->require_subcommand(1);
  room->fallthrough();
  const auto take_room = [&command](CLI::App* sub) {
    sub->add_option("room", command.subject, "The address of the room")->type_name("ROOM@DOMAIN")->required();
  };
  add(*room, "list", "List all rooms", Action::room_list);
  take_room(add(*room, "show", "A room's settings, its people, and who is in it", Action::room_show));
  CLI::App* room_destroy = add(*room, "destroy", "Destroy a room with its archive", Action::room_destroy);
  take_room(room_destroy);
  room_destroy->add_flag("--yes", command.yes, "Do not ask whether this is meant");
  CLI::App* room_affiliate = add(*room, "affiliate", "Say how a person stands to a room", Action::room_affiliate);
  take_room(room_affiliate);
  room_affiliate->add_option("person", command.object, "The person's address")->type_name("NAME@DOMAIN")->required();
  room_affiliate->add_option("affiliation", command.value, "owner, admin, member, none or outcast")->required();
  room_affiliate->footer("Example:\n  kithctl room affiliate coven@rooms.example.org juliet@example.org owner\n");
  CLI::App* room_config = add(*room, "config", "Change one of a room's settings", Action::room_config);
  take_room(room_config);
  room_config->add_option("setting", command.object, "Its name, as kithctl room show tells")->required();
  room_config->add_option("value", command.value, "The value; 1 and 0 for yes and no")->required();
  room_config->footer("Example:\n  kithctl room config coven@rooms.example.org membersonly 1\n");

  CLI::App* upload = app.add_subcommand("upload", "Uploaded files: list, remove");
  upload->require_subcommand(1);
  upload->fallthrough();
  CLI::App* upload_list = add(*upload, "list", "List the files of an account, or all", Action::upload_list);
  take_address(upload_list, "Only the files of this account");
  CLI::App* upload_remove = add(*upload, "remove", "Delete a file for good", Action::upload_remove);
  upload_remove->add_option("file", command.file, "Its id, as kithctl upload list shows it, or its address")
      ->type_name("FILE")
      ->required();
  upload_remove->footer("Example:\n  kithctl upload remove kuuM0-P1qiMhhJVoO52p8vL5bh6BM69R\n");

  add(app, "reload", "Read configuration and certificates again, without ending a connection", Action::reload);

  try {
    std::ranges::reverse(arguments);  // CLI11 takes them from the back
    app.parse(std::move(arguments));
  } catch (const CLI::Success& success) {
    std::ostringstream out;
    app.exit(success, out, out);
    return std::unexpected(Printed{Exit::done, out.str()});
  } catch (const CLI::RequiredError& error) {
    // CLI11 tells what is missing before what it did not understand; a mistyped command is both.
    const std::vector<std::string> unknown = app.remaining(true);
    if (!unknown.empty())
      return std::unexpected(Printed{Exit::usage, sentence("There is no command " + unknown.front())});
    return std::unexpected(Printed{Exit::usage, sentence(error.what())});
  } catch (const CLI::ParseError& error) {
    return std::unexpected(Printed{Exit::usage, sentence(error.what())});
  }
  return command;
}

}  // namespace kith::ctl
