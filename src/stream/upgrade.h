// SASL Upgrade Tasks (XEP-0480 v0.2.0): a client that has logged in by its password may bring the keys of hashes that
// the account has none of (an imported one). The server's side as a machine: an element in, what to do out. No I/O.
//
// SECURITY: what is brought cannot be checked, so it only adds to what there is, under a salt of ours, and goes with
// all other keys when the password is changed. Limits: each hash once.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/random.h"
#include "sasl/credentials.h"
#include "sasl/mechanism.h"
#include "xml/element.h"

namespace kith::stream {

inline constexpr std::string_view ns_upgrade = "urn:xmpp:sasl:upgrade:0";
inline constexpr std::string_view ns_scram_upgrade = "urn:xmpp:scram-upgrade:0";

/// UPGR-SCRAM-SHA-256 or UPGR-SCRAM-SHA-512: those that are offered. Nothing is moved to SHA-1 any more.
std::optional<sasl::Hash> upgrade_named(std::string_view task);
std::string_view task_name(sasl::Hash hash);
/// Adds the <upgrade/> of each to the stream feature.
void offer_upgrades(xml::Element& authentication);
/// Those that <authenticate/> asks for, each once.
std::vector<sasl::Hash> read_upgrades(const xml::Element& authenticate);

class Upgrades {
 public:
  /// The tasks for `hashes` are to be done, in that order.
  explicit Upgrades(std::vector<sasl::Hash> hashes) : hashes_(std::move(hashes)) {}
  bool done() const { return hashes_.empty(); }
  /// Begins the next task. `data`: of the mechanism that has just succeeded, raw; empty if there is none.
  xml::Element next(std::string_view data);
  /// What the client sends: an element to answer with, keys that are to be stored (then call stored()), or how the
  /// login fails.
  using Step = std::variant<xml::Element, xmpp::Credentials, sasl::Failure>;
  Step received(const xml::Element& element, Random& random);
  void stored() { hashes_.erase(hashes_.begin()); }

 private:
  enum class State : std::uint8_t { offered, salted, storing };
  std::vector<sasl::Hash> hashes_;
  State state_ = State::offered;
  std::string salt_;
};

}  // namespace kith::stream
