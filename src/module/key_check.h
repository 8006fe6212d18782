// Whether others can encrypt to an account's devices by OMEMO: looks at the device lists and bundles among its nodes,
// in both namespaces (XEP-0384 v0.3.0, `eu.siacs.conversations.axolotl`, and v0.8.3, `urn:xmpp:omemo:2`), and says in
// plain words what is closed, missing or stale. Values only: who calls it has read what there is.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "module/node_list.h"
#include "storage/storage.h"

namespace kith::module {

struct KeyFinding {
  enum class Problem { closed, missing, stale };
  Problem problem = Problem::missing;
  std::string node;
  std::string sentence;
  bool mended = false;
};

std::string_view wire_word(KeyFinding::Problem problem);

/// The nodes of `nodes` that hold device lists and bundles.
std::vector<std::string> key_nodes(const NodeList& nodes);

/// The items of those nodes, in the order of their publication.
using KeyItems = std::map<std::string, std::vector<storage::PubsubItem>>;

/// A bundle that was not published anew for so long belongs to a device that nobody uses any more.
inline constexpr std::chrono::days key_stale_after{180};

/// What is wrong, in the order in which one would look; nothing if nothing is, or if there are no keys at all.
std::vector<KeyFinding> check_keys(const NodeList& nodes, const KeyItems& items, WallTime now);

/// How many devices of the lists have a bundle that can be used.
std::size_t usable_devices(const NodeList& nodes, const KeyItems& items);

}  // namespace kith::module
