// What kithctl was asked on its command line, as a value.
#pragma once

#include <expected>
#include <string>
#include <vector>

namespace kith::ctl {

/// The program's exit codes; they are promised in --help.
enum class Exit : int { done = 0, refused = 1, usage = 2, unreachable = 3 };

enum class Action {
  user_add,
  user_password,
  user_remove,
  user_list,
  user_pushes,
  user_doctor,
  status,
  sessions,
  session_end,
  clients,
  client_end,
  federation_status,
  federation_check,
  federation_retry,
  federation_block,
  federation_unblock,
  room_list,
  room_show,
  room_destroy,
  room_affiliate,
  room_config,
  upload_list,
  upload_remove,
  reload
};

struct Command {
  Action action = Action::status;
  std::string subject{};  ///< the address, domain or full address that the action is about; may be empty for lists
  std::string client{};   ///< a client's id
  std::string file{};     ///< the id of a file that was uploaded, or its address
  std::string object{};   ///< of a room: the person, or the setting
  std::string value{};    ///< the affiliation or the value that it gets
  std::string socket{};   ///< as given by --socket, or empty
  bool json = false;
  bool password_stdin = false;
  bool yes = false;
  bool mend = false;
};

/// Nothing to do but to print: help or the version (on standard output), or what is wrong with the line (on standard
/// error).
struct Printed {
  Exit exit = Exit::done;
  std::string text;
};

/// `arguments` are those after the program's name.
std::expected<Command, Printed> parse_command(std::vector<std::string> arguments);

}  // namespace kith::ctl
