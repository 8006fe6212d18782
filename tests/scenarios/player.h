// Plays a script on a stage: a whole server in process, or a server behind a socket. The same steps, the same matching;
// what differs is how one logs in, how one knows that everything has been carried out, and which steps can be had.
#pragma once

#include <deque>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "matcher.h"
#include "script.h"
#include "xml/element.h"

namespace kith::scenario {

class Stage {
 public:
  virtual ~Stage() = default;
  /// Logs in and binds; returns the full JID.
  virtual std::expected<std::string, std::string> connect(const ClientEntry& client) = 0;
  /// Does nothing if the client is gone.
  virtual void send(const std::string& client, const std::string& stanza) = 0;
  /// The next element that the client has got. With `wait`, one that is still to come counts too.
  virtual std::optional<xml::Element> next(const std::string& client, bool wait) = 0;
  virtual void disconnect(const std::string& client) = 0;
  virtual void vanish(const std::string& client) = 0;
  /// Returns when all that was sent so far has been carried out and what came of it has arrived.
  virtual void settle() = 0;
  /// The steps that a stage need not have (wait, restart, disk_full, disk_works): false if it can't.
  virtual bool arrange(const Step& step) = 0;
};

/// A place where a server does not do what the script says.
struct Difference {
  int line;
  std::string what;  ///< one line
  std::string expected{};
  std::string actual{};
};

struct Outcome {
  std::vector<Difference> differences;
  std::optional<int>
      stopped_at;  ///< the line of a step that this stage does not have: from there on nothing was played
  int steps = 0;   ///< how many steps were played
};

/// Plays until the first difference; with `go_on` to the end, so that one difference hides no other.
class Player {
 public:
  Player(const Script& script, Stage& stage, bool go_on) : script_(script), stage_(stage), go_on_(go_on) {}
  Outcome play();

 private:
  /// What a client has got and no step has expected yet. `told` once it stands in a difference.
  struct Arrived {
    xml::Element element;
    bool told = false;
  };
  struct Client {
    std::string full_jid;
    bool connected = false;
    std::deque<Arrived> arrived;
  };

  const ClientEntry& entry_of(const std::string& name) const;
  std::string filled(std::string text) const;
  /// False if the stage does not have this step.
  bool carry_out(const Step& step);
  void connect(const Step& step);
  void receive(const Step& step);
  void receive_nothing(const Step& step);
  /// When going on: looks for it behind what has come first, then for what stands for it; tells what is different.
  void receive_out_of_turn(const Step& step, const xml::Element& expected, const std::string& text);
  void take_in(const std::string& client);
  void differs(const Step& step, std::string what, std::string expected = {}, std::string actual = {});

  const Script& script_;
  Stage& stage_;
  bool go_on_;
  std::map<std::string, Client> clients_;
  Captures captures_;
  Outcome outcome_;
};

/// The stanza of a step, on one line.
std::string on_one_line(std::string_view text);

}  // namespace kith::scenario
