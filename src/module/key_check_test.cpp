#include "module/key_check.h"

#include <gtest/gtest.h>

namespace kith::module {
namespace {

using Problem = KeyFinding::Problem;
using xmpp::AccessModel;

constexpr std::string_view old_list = "eu.siacs.conversations.axolotl.devicelist";
constexpr std::string_view new_list = "urn:xmpp:omemo:2:devices";
constexpr std::string_view new_bundles = "urn:xmpp:omemo:2:bundles";

std::string old_bundle(const std::string& device) { return "eu.siacs.conversations.axolotl.bundles:" + device; }

constexpr const char* old_keys =
    "<bundle xmlns='eu.siacs.conversations.axolotl'><signedPreKeyPublic signedPreKeyId='1'>a</signedPreKeyPublic>"
    "<signedPreKeySignature>b</signedPreKeySignature><identityKey>c</identityKey><prekeys><preKeyPublic "
    "preKeyId='1'>d</preKeyPublic></prekeys></bundle>";
constexpr const char* new_keys =
    "<bundle xmlns='urn:xmpp:omemo:2'><spk id='0'>a</spk><spks>b</spks><ik>c</ik><prekeys><pk id='0'>d</pk></prekeys>"
    "</bundle>";

class KeyCheck : public testing::Test {
 protected:
  void put(std::string_view node, const std::string& id, const std::string& payload,
           AccessModel model = AccessModel::open) {
    nodes.add(std::string(node), {.access_model = model});
    if (!payload.empty()) items[std::string(node)].push_back({.id = id, .when = now, .payload = payload});
  }
  void put_old_list(const std::string& devices, AccessModel model = AccessModel::open) {
    put(old_list, "current", "<list xmlns='eu.siacs.conversations.axolotl'>" + devices + "</list>", model);
  }
  /// "closed NODE" and the like.
  std::vector<std::string> found() const {
    std::vector<std::string> lines;
    for (const KeyFinding& finding : check_keys(nodes, items, now)) {
      EXPECT_TRUE(finding.sentence.ends_with('.')) << finding.sentence;
      lines.push_back(std::string(wire_word(finding.problem)) + " " + finding.node);
    }
    return lines;
  }
  using Lines = std::vector<std::string>;

  NodeList nodes;
  KeyItems items;
  WallTime now = std::chrono::sys_days{std::chrono::year{2030} / 6 / 1};
};

TEST_F(KeyCheck, no_keys_are_no_trouble) {
  put("http://jabber.org/protocol/tune", "1", "<tune xmlns='http://jabber.org/protocol/tune'/>");
  EXPECT_EQ(found(), Lines{});
  EXPECT_TRUE(key_nodes(nodes).empty());
  EXPECT_EQ(usable_devices(nodes, items), 0U);
}

TEST_F(KeyCheck, keys_as_they_should_be_are_no_trouble) {
  put_old_list("<device id='42'/>");
  put(old_bundle("42"), "current", old_keys);
  put(new_list, "current", "<devices xmlns='urn:xmpp:omemo:2'><device id='7'/></devices>");
  put(new_bundles, "7", new_keys);
  EXPECT_EQ(found(), Lines{});
  EXPECT_EQ(key_nodes(nodes).size(), 4U);
  EXPECT_EQ(usable_devices(nodes, items), 2U);
}

TEST_F(KeyCheck, what_is_not_open_is_closed_and_why_that_matters_is_said) {
  put_old_list("<device id='42'/>", AccessModel::presence);
  put(old_bundle("42"), "current", old_keys, AccessModel::whitelist);
  put(new_list, "current", "<devices xmlns='urn:xmpp:omemo:2'><device id='7'/></devices>");
  put(new_bundles, "7", new_keys, AccessModel::roster);
  EXPECT_EQ(found(), (Lines{"closed " + std::string(old_list), "closed " + old_bundle("42"),
                            "closed " + std::string(new_bundles)}));
  EXPECT_NE(check_keys(nodes, items, now)[0].sentence.find("people in a room"), std::string::npos);
  EXPECT_NE(check_keys(nodes, items, now)[1].sentence.find("nobody but the owner"), std::string::npos);
}

TEST_F(KeyCheck, a_device_without_bundle_is_missing_one) {
  put_old_list("<device id='42'/><device id='43'/><device id='44'/><device id='45'/>");
  put(old_bundle("42"), "current", old_keys);
  put(old_bundle("43"), "", "");  // the node is there, its item is lost
  put(old_bundle("44"), "current", "<bundle xmlns='eu.siacs.conversations.axolotl'/>");
  EXPECT_EQ(found(),
            (Lines{"missing " + old_bundle("43"), "missing " + old_bundle("44"), "missing " + old_bundle("45")}));
  EXPECT_EQ(usable_devices(nodes, items), 1U);
}

TEST_F(KeyCheck, bundles_without_a_list_are_of_no_use) {
  put(new_bundles, "7", new_keys);
  EXPECT_EQ(found(), Lines{"missing " + std::string(new_list)});
  put(new_list, "current", "<list xmlns='wrong'/>");
  EXPECT_EQ(found(), Lines{"missing " + std::string(new_list)});
  EXPECT_EQ(usable_devices(nodes, items), 0U);
}

TEST_F(KeyCheck, what_nobody_uses_any_more_is_stale) {
  put_old_list("<device id='42'/>");
  put(old_bundle("42"), "current", old_keys);
  put(old_bundle("41"), "current", old_keys);
  items[old_bundle("42")].front().when = now - key_stale_after - std::chrono::days(1);
  EXPECT_EQ(found(), (Lines{"stale " + old_bundle("42"), "stale " + old_bundle("41")}));
}

}  // namespace
}  // namespace kith::module
