#include "module/key_check.h"

#include <algorithm>
#include <optional>
#include <set>

#include "xml/stream_parser.h"
#include "xmpp/datetime.h"

namespace kith::module {

namespace {

/// One of the two forms of OMEMO.
struct Form {
  std::string_view name;  ///< for people
  std::string_view ns;
  std::string_view list_node;
  std::string_view list_name;  ///< of the list's element
  std::string_view bundles;    ///< the bundles' node, or its beginning
  bool node_for_each;          ///< a device's bundle has a node of its own, not an item
  std::string_view identity;   ///< the parts of a bundle
  std::string_view signed_key;
  std::string_view signature;
};

constexpr Form forms[] = {
    {.name = "OMEMO",
     .ns = "eu.siacs.conversations.axolotl",
     .list_node = "eu.siacs.conversations.axolotl.devicelist",
     .list_name = "list",
     .bundles = "eu.siacs.conversations.axolotl.bundles:",
     .node_for_each = true,
     .identity = "identityKey",
     .signed_key = "signedPreKeyPublic",
     .signature = "signedPreKeySignature"},
    {.name = "OMEMO 2",
     .ns = "urn:xmpp:omemo:2",
     .list_node = "urn:xmpp:omemo:2:devices",
     .list_name = "devices",
     .bundles = "urn:xmpp:omemo:2:bundles",
     .node_for_each = false,
     .identity = "ik",
     .signed_key = "spk",
     .signature = "spks"},
};

using Problem = KeyFinding::Problem;

struct Bundle {
  std::string node;
  const storage::PubsubItem* item = nullptr;  ///< null: the node is empty
};

/// What there is of one form.
struct Keys {
  std::optional<std::set<std::string>> devices;  ///< nothing: there is no list that can be read
  std::map<std::string, Bundle> bundles;         ///< by device
};

const storage::PubsubItem* newest(const KeyItems& items, std::string_view node) {
  const auto found = items.find(std::string(node));
  return found == items.end() || found->second.empty() ? nullptr : &found->second.back();
}

Keys keys_of(const Form& form, const NodeList& nodes, const KeyItems& items) {
  Keys keys;
  if (const storage::PubsubItem* list = newest(items, form.list_node)) {
    const auto element = xml::parse_stored_element(list->payload, {});
    if (element && element->is(form.list_name, form.ns)) {
      keys.devices.emplace();
      element->for_each_child([&](const xml::Element& device) {
        if (device.is("device", form.ns)) keys.devices->emplace(device.attribute("id").value_or(""));
      });
    }
  }
  if (form.node_for_each) {
    for (const auto& [name, node] : nodes.nodes()) {
      if (!name.starts_with(form.bundles)) continue;
      keys.bundles[name.substr(form.bundles.size())] = {.node = name, .item = newest(items, name)};
    }
  } else if (const auto found = items.find(std::string(form.bundles)); found != items.end()) {
    for (const storage::PubsubItem& item : found->second) {
      keys.bundles[item.id] = {.node = std::string(form.bundles), .item = &item};
    }
  }
  return keys;
}

bool is_whole(const Form& form, const storage::PubsubItem& item) {
  const auto bundle = xml::parse_stored_element(item.payload, {});
  if (!bundle || !bundle->is("bundle", form.ns)) return false;
  const auto has_text = [&](std::string_view name) {
    const xml::Element* child = bundle->child(name, form.ns);
    return child != nullptr && !child->text().empty();
  };
  const xml::Element* prekeys = bundle->child("prekeys", form.ns);
  return has_text(form.identity) && has_text(form.signed_key) && has_text(form.signature) && prekeys != nullptr &&
         prekeys->child_element_count() > 0;
}

std::string who_reads(xmpp::AccessModel model) {
  switch (model) {
    case xmpp::AccessModel::presence:
      return "only contacts can read it, so that people in a room with the owner cannot encrypt";
    case xmpp::AccessModel::roster:
      return "only some groups of contacts can read it, so that nobody else can encrypt";
    case xmpp::AccessModel::authorize:
      return "only who was let in one by one can read it, so that nobody else can encrypt";
    case xmpp::AccessModel::whitelist:
      return "nobody but the owner can read it, so that nobody can encrypt";
    case xmpp::AccessModel::open:
      break;
  }
  return "everybody can read it";
}

std::string named(const Form& form, const std::string& device) {
  return "device " + device + " (" + std::string(form.name) + ")";
}

class Check {
 public:
  Check(const NodeList& nodes, const KeyItems& items, WallTime now) : nodes_(nodes), items_(items), now_(now) {}

  std::vector<KeyFinding> findings;

  void look_at(const Form& form) {
    const Keys keys = keys_of(form, nodes_, items_);
    const std::string list(form.list_node);
    if (nodes_.find(form.list_node) == nullptr && keys.bundles.empty()) return;  // not used
    if (!keys.devices) {
      add(Problem::missing, list,
          "The device list of " + std::string(form.name) +
              " is missing or cannot be read: nobody can encrypt. A client publishes it when it logs in with "
              "encryption "
              "switched on.");
    }
    closed(list, "The device list of " + std::string(form.name));
    if (!form.node_for_each)
      closed(std::string(form.bundles), "The node with the bundles of " + std::string(form.name));
    for (const std::string& device : keys.devices.value_or(std::set<std::string>())) look_at(form, keys, device);
    for (const auto& [device, bundle] : keys.bundles) {
      if (!keys.devices || keys.devices->contains(device)) continue;
      add(Problem::stale, bundle.node,
          "There is a bundle of " + named(form, device) +
              " that is not in the device list: left over from a device that was removed. It does no harm.");
    }
  }

 private:
  void look_at(const Form& form, const Keys& keys, const std::string& device) {
    const auto found = keys.bundles.find(device);
    const std::string node = form.node_for_each ? std::string(form.bundles) + device : std::string(form.bundles);
    if (form.node_for_each && found != keys.bundles.end()) closed(node, "The bundle of " + named(form, device));
    if (found == keys.bundles.end() || found->second.item == nullptr) {
      add(Problem::missing, node,
          "The bundle of " + named(form, device) +
              " is missing: nobody can begin to encrypt to it. Start its client once, or remove the device from the "
              "list in another client.");
    } else if (!is_whole(form, *found->second.item)) {
      add(Problem::missing, node,
          "The bundle of " + named(form, device) +
              " has no keys that can be used. Start its client once, so that it publishes new ones.");
    } else if (now_ - found->second.item->when > key_stale_after) {
      add(Problem::stale, node,
          "The bundle of " + named(form, device) + " was published on " +
              xmpp::format_datetime(found->second.item->when, false).substr(0, 10) +
              " and never again: its device may be in no use any more. If so, remove it from the list in another "
              "client.");
    }
  }

  void closed(const std::string& name, const std::string& what) {
    const Node* node = nodes_.find(name);
    if (node == nullptr || node->config.access_model == xmpp::AccessModel::open) return;
    add(Problem::closed, name, what + " is closed: " + who_reads(node->config.access_model) + ".");
  }
  void add(Problem problem, std::string node, std::string sentence) {
    findings.push_back({.problem = problem, .node = std::move(node), .sentence = std::move(sentence)});
  }

  const NodeList& nodes_;
  const KeyItems& items_;
  WallTime now_;
};

}  // namespace

std::string_view wire_word(KeyFinding::Problem problem) {
  switch (problem) {
    case Problem::closed:
      return "closed";
    case Problem::missing:
      return "missing";
    case Problem::stale:
      break;
  }
  return "stale";
}

std::vector<std::string> key_nodes(const NodeList& nodes) {
  std::vector<std::string> found;
  for (const auto& [name, node] : nodes.nodes()) {
    const bool holds_keys = std::ranges::any_of(
        forms, [&](const Form& form) { return name == form.list_node || name.starts_with(form.bundles); });
    if (holds_keys) found.push_back(name);
  }
  return found;
}

std::vector<KeyFinding> check_keys(const NodeList& nodes, const KeyItems& items, WallTime now) {
  Check check(nodes, items, now);
  for (const Form& form : forms) check.look_at(form);
  return std::move(check.findings);
}

std::size_t usable_devices(const NodeList& nodes, const KeyItems& items) {
  std::set<std::string> devices;
  for (const Form& form : forms) {
    const Keys keys = keys_of(form, nodes, items);
    for (const std::string& device : keys.devices.value_or(std::set<std::string>())) {
      const auto found = keys.bundles.find(device);
      if (found == keys.bundles.end() || found->second.item == nullptr) continue;
      if (is_whole(form, *found->second.item)) devices.insert(device);
    }
  }
  return devices.size();
}

}  // namespace kith::module
