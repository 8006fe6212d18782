// Which nodes' events a client wants (XEP-0163 §4.2, XEP-0060 §9.2): the features of its capabilities (XEP-0115,
// XEP-0390) that end in "+notify". What a hash stands for is asked once, of the first client that shows it, and
// believed for others only if the answer has that hash. Lives on each shard. State: known hashes, open questions.
//
// Limits: `most_known` hashes, `most_nodes` names of each; pep_questions open at a time, `most_of_one` of them to
// clients of one address, each for `answer_time`.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "module/module.h"
#include "xmpp/jid.h"
#include "xmpp/stanza.h"

namespace kith::modules {

/// The names of nodes; shared by all clients with the same capabilities.
using Wanted = std::shared_ptr<const std::set<std::string, std::less<>>>;

/// What a client's presence says of its capabilities.
struct Capabilities {
  std::string algorithm;  ///< of the hash, "sha-1"; empty for one that cannot be checked
  std::string hash;
  std::string node;     ///< what to ask for
  bool second = false;  ///< by XEP-0390
};
/// Nothing if it says nothing.
std::optional<Capabilities> capabilities_of(const xml::Element& presence);

class Interests {
 public:
  static constexpr std::size_t most_known = 2000;
  static constexpr std::size_t most_nodes = 100;
  /// Clients of one address that are reckoned with, so that nobody takes the room of all others.
  static constexpr std::size_t most_of_one = 50;
  static constexpr std::size_t most_name_bytes = 1023;
  static constexpr Duration answer_time = std::chrono::seconds(60);

  explicit Interests(const module::ModuleDeps& deps);

  /// What `client`, whose presence this is, wants of `account`: told to `on_learned`, at once if it is known, else when
  /// it has answered.
  void learn(const xmpp::BareJid& account, const xmpp::FullJid& client, const Capabilities& capabilities);
  /// True if it answers a question.
  bool answered(const xmpp::Stanza& answer);

  std::function<void(const xmpp::BareJid& account, const xmpp::FullJid& client, const Wanted& wanted)> on_learned;

 private:
  using Key = std::pair<std::string, std::string>;  // algorithm, hash
  struct Question {
    xmpp::FullJid client;
    Capabilities capabilities;
    std::vector<xmpp::BareJid> accounts;  // who asked first, and who waits, too
    MonotonicTime asked;
  };
  static Key key_of(const Capabilities& capabilities);
  bool asks_too_much_of(const xmpp::BareJid& person) const;
  void forget_old();

  Random& random_;
  Events& events_;
  TimerWheel& timers_;
  module::Delivery& delivery_;
  const Limits& limits_;
  const Clock& clock_;
  std::map<Key, Wanted> known_;
  std::map<std::string, Question> questions_;                        // by the id of the iq
  std::map<std::pair<std::string, std::string>, std::string> open_;  // client and what it is asked → id
  Timer sweep_;
};

}  // namespace kith::modules
