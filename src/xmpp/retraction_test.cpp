#include "xmpp/retraction.h"

#include <gtest/gtest.h>

#include "xml/stream_parser.h"
#include "xml/writer.h"
#include "xmpp/namespaces.h"

namespace kith::xmpp {
namespace {

xml::Element message(const std::string& inside, const std::string& attributes = " id='m1'") {
  return xml::parse_element("<message" + attributes + ">" + inside + "</message>", ns::client).value();
}
std::string retract(const std::string& id) { return "<retract xmlns='urn:xmpp:message-retract:1' id='" + id + "'/>"; }

TEST(Retraction, names_the_message_that_it_takes_back) {
  EXPECT_EQ(retracted_id(message(retract("a") + "<body>/me retracted</body>")), "a");
  EXPECT_EQ(retracted_id(message("<apply-to xmlns='urn:xmpp:fasten:0' id='b'>"
                                 "<retract xmlns='urn:xmpp:message-retract:0'/></apply-to>")),
            "b");
}

TEST(Retraction, that_names_nothing_or_several_takes_back_nothing) {
  for (const std::string& inside :
       {std::string("<body>a</body>"), std::string("<retract xmlns='urn:xmpp:message-retract:1'/>"), retract(""),
        retract("a") + retract("b"), retract(std::string(most_id_bytes + 1, 'a')),
        std::string("<retract xmlns='urn:other' id='a'/>"),
        std::string("<apply-to xmlns='urn:xmpp:fasten:0' id='a'><external xmlns='urn:x'/></apply-to>"),
        std::string("<forwarded xmlns='urn:xmpp:forward:0'>") + retract("a") + "</forwarded>"}) {
    EXPECT_EQ(retracted_id(message(inside)), std::nullopt) << inside;
  }
}

TEST(Retraction, means_a_message_by_its_id_or_that_of_the_one_that_it_corrects) {
  EXPECT_EQ(retractable_id(message("<body>a</body>")), "m1");
  EXPECT_EQ(retractable_id(message("<replace xmlns='urn:xmpp:message-correct:0' id='m0'/>")), "m0");
  EXPECT_EQ(retractable_id(message("<origin-id xmlns='urn:xmpp:sid:0' id='o1'/>", "")), "o1");
  EXPECT_EQ(retractable_id(message("<body>a</body>", "")), std::nullopt);
  EXPECT_EQ(retractable_id(message(retract("a"))), std::nullopt);
  EXPECT_EQ(retractable_id(message(retract("a") + retract("b"))), std::nullopt);
}

TEST(Retraction, leaves_addresses_and_ids_and_nothing_else) {
  const xml::Element left =
      tombstone(message("<body>secret</body><subject>s</subject><origin-id xmlns='urn:xmpp:sid:0' id='o'/>"
                        "<encrypted xmlns='urn:xmpp:omemo:2'/>",
                        " id='m1' from='a@b/c' to='d@e' type='chat' xml:lang='it' x='y'"),
                "r1", WallTime(std::chrono::sys_days{std::chrono::year{2019} / 9 / 20}));
  EXPECT_EQ(xml::to_string(left, ns::client),
            "<message type='chat' from='a@b/c' to='d@e' id='m1'><origin-id xmlns='urn:xmpp:sid:0' id='o'/>"
            "<retracted xmlns='urn:xmpp:message-retract:1' id='r1' stamp='2019-09-20T00:00:00Z'/></message>");
}

}  // namespace
}  // namespace kith::xmpp
