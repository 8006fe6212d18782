#include "xmpp/stanza.h"

#include <gtest/gtest.h>

#include "xml/stream_parser.h"
#include "xml/writer.h"
#include "xmpp/namespaces.h"

namespace kith::xmpp {
namespace {

xml::Element element(std::string_view text, std::string_view ns = ns::client) {
  std::expected<xml::Element, xml::ParseError> parsed = xml::parse_element(text, ns);
  EXPECT_TRUE(parsed) << text;
  return parsed ? *std::move(parsed) : xml::Element("broken", "");
}
std::expected<Stanza, StanzaError> read(std::string_view text) { return Stanza::from_element(element(text)); }
Stanza stanza(std::string_view text) { return Stanza::make(element(text)); }

void expect_error(std::string_view text, Condition condition) {
  const std::expected<Stanza, StanzaError> result = read(text);
  ASSERT_FALSE(result) << text;
  EXPECT_EQ(result.error().condition, condition) << text;
}

TEST(Stanza, of_each_kind_and_type_is_read) {
  const std::tuple<const char*, StanzaKind, StanzaType> rows[] = {
      {"<message/>", StanzaKind::message, StanzaType::normal},
      {"<message type='normal'/>", StanzaKind::message, StanzaType::normal},
      {"<message type='chat'/>", StanzaKind::message, StanzaType::chat},
      {"<message type='groupchat'/>", StanzaKind::message, StanzaType::groupchat},
      {"<message type='headline'/>", StanzaKind::message, StanzaType::headline},
      {"<message type='error'/>", StanzaKind::message, StanzaType::error},
      {"<message type='set'/>", StanzaKind::message, StanzaType::normal},
      {"<message type=''/>", StanzaKind::message, StanzaType::normal},
      {"<presence/>", StanzaKind::presence, StanzaType::available},
      {"<presence type='unavailable'/>", StanzaKind::presence, StanzaType::unavailable},
      {"<presence type='subscribe'/>", StanzaKind::presence, StanzaType::subscribe},
      {"<presence type='subscribed'/>", StanzaKind::presence, StanzaType::subscribed},
      {"<presence type='unsubscribe'/>", StanzaKind::presence, StanzaType::unsubscribe},
      {"<presence type='unsubscribed'/>", StanzaKind::presence, StanzaType::unsubscribed},
      {"<presence type='probe'/>", StanzaKind::presence, StanzaType::probe},
      {"<presence type='error'/>", StanzaKind::presence, StanzaType::error},
      {"<iq type='get' id='1'><a xmlns='x'/></iq>", StanzaKind::iq, StanzaType::get},
      {"<iq type='set' id='1'><a xmlns='x'/></iq>", StanzaKind::iq, StanzaType::set},
      {"<iq type='result' id='1'/>", StanzaKind::iq, StanzaType::result},
      {"<iq type='error' id='1'/>", StanzaKind::iq, StanzaType::error},
  };
  for (const auto& [text, kind, type] : rows) {
    const std::expected<Stanza, StanzaError> result = read(text);
    ASSERT_TRUE(result) << text;
    EXPECT_EQ(result->kind(), kind) << text;
    EXPECT_EQ(result->type(), type) << text;
  }
}

TEST(Stanza, with_a_type_that_does_not_exist_is_a_bad_request) {
  expect_error("<presence type='available'/>", Condition::bad_request);
  expect_error("<presence type='chat'/>", Condition::bad_request);
  expect_error("<presence type=''/>", Condition::bad_request);
  expect_error("<iq id='1'><a xmlns='x'/></iq>", Condition::bad_request);
  expect_error("<iq type='chat' id='1'><a xmlns='x'/></iq>", Condition::bad_request);
}

TEST(Stanza, iq_without_id_is_a_bad_request) {
  expect_error("<iq type='get'><a xmlns='x'/></iq>", Condition::bad_request);
  expect_error("<iq type='result'/>", Condition::bad_request);
}

TEST(Stanza, iq_request_has_exactly_one_child) {
  expect_error("<iq type='get' id='1'/>", Condition::bad_request);
  expect_error("<iq type='set' id='1'>text</iq>", Condition::bad_request);
  expect_error("<iq type='set' id='1'><a xmlns='x'/><b xmlns='x'/></iq>", Condition::bad_request);
  EXPECT_TRUE(read("<iq type='get' id='1'>\n <a xmlns='x'/>\n</iq>"));
}

TEST(Stanza, with_an_address_that_is_none_is_jid_malformed) {
  expect_error("<message to='a b@example.org'/>", Condition::jid_malformed);
  expect_error("<message to=''/>", Condition::jid_malformed);
  expect_error("<message from='@example.org'/>", Condition::jid_malformed);
}

TEST(Stanza, addresses_are_prepared_and_the_element_is_as_it_came) {
  const Stanza read =
      stanza("<message to='Bob@Example.ORG/Home' from='alice@example.org' id='7'><body>hi</body></message>");
  EXPECT_EQ(read.to()->text(), "bob@example.org/Home");
  EXPECT_EQ(read.from()->text(), "alice@example.org");
  EXPECT_EQ(read.id(), "7");
  EXPECT_EQ(read.element().attribute("to"), "Bob@Example.ORG/Home");
  EXPECT_EQ(read.payload()->name(), "body");
}

TEST(Stanza, without_addresses_and_id_has_none) {
  const Stanza read = stanza("<presence/>");
  EXPECT_FALSE(read.to());
  EXPECT_FALSE(read.from());
  EXPECT_EQ(read.id(), "");
  EXPECT_EQ(read.payload(), nullptr);
}

TEST(Stanza, stamped_with_an_address_carries_it_in_the_element) {
  Stanza stamped = stanza("<message/>");
  stamped.set_from(*Jid::parse("alice@example.org/r"));
  stamped.set_to(*Jid::parse("bob@example.org"));
  EXPECT_EQ(stamped.from()->text(), "alice@example.org/r");
  EXPECT_EQ(stamped.element().attribute("from"), "alice@example.org/r");
  EXPECT_EQ(stamped.element().attribute("to"), "bob@example.org");
  stamped.clear_to();
  EXPECT_FALSE(stamped.to());
  EXPECT_FALSE(stamped.element().attribute("to"));
}

TEST(Stanza, changed_after_it_was_shared_leaves_the_copy_as_it_was) {
  Stanza one = stanza("<message from='x@example.org'/>");
  const Stanza other = one;
  EXPECT_EQ(&one.element(), &other.element());
  one.edit().add(xml::Element("a", "x"));
  EXPECT_EQ(other.element().child_element_count(), 0U);
  EXPECT_EQ(one.element().child_element_count(), 1U);
  Stanza third = one;
  third.set_from(*Jid::parse("y@example.org"));
  EXPECT_EQ(one.element().attribute("from"), "x@example.org");
}

TEST(Stanza, changed_while_it_is_alone_is_not_copied) {
  Stanza alone = stanza("<message/>");
  const xml::Element* before = &alone.element();
  alone.set_from(*Jid::parse("a@example.org"));
  alone.edit();
  EXPECT_EQ(&alone.element(), before);
}

TEST(Stanza, stamped_with_what_it_says_already_is_not_copied) {
  Stanza one = stanza("<message from='a@example.org/r' to='b@example.org'/>");
  const Stanza other = one;
  one.set_from(*Jid::parse("a@example.org/r"));
  one.set_to(*Jid::parse("b@example.org"));
  EXPECT_EQ(&one.element(), &other.element());
}

Stanza with_to(Stanza stanza, std::string_view to) {
  stanza.set_to(*Jid::parse(to));
  return stanza;
}

std::string written(const Stanza& stanza) {
  std::string out;
  stanza.write_to(out);
  return out;
}

TEST(Stanza, that_goes_to_many_is_written_for_each_as_if_it_were_alone) {
  const std::string_view text =
      "<message to='x@example.org' from='r@example.org/n' type='groupchat' id='1'><body>a &lt; b</body></message>";
  for (const std::string_view to : {"a@example.org/1", "b@example.org/it's <me>", "example.org"}) {
    const Stanza alone = with_to(stanza(text), to);
    Stanza many = stanza(text);
    many.share();
    const Stanza copy = with_to(many, to);
    EXPECT_EQ(copy.to(), alone.to());
    EXPECT_EQ(stanza(written(copy)).element(), alone.element());
    EXPECT_EQ(copy.element(), alone.element());
    EXPECT_EQ(stanza(written(copy)).element(), alone.element()) << "after it was made an element of its own";
  }
}

TEST(Stanza, that_goes_to_many_is_one_element_for_all) {
  Stanza many = stanza("<presence from='a@example.org/r'><status>here</status></presence>");
  const xml::Element* const element = &many.element();
  many.share();
  const Stanza first = with_to(many, "b@example.org");
  const Stanza second = with_to(many, "c@example.org");
  EXPECT_EQ(&first.content(), element);
  EXPECT_EQ(&second.content(), element);
  EXPECT_FALSE(first.content().attribute("to"));
}

TEST(Stanza, that_goes_to_many_is_changed_for_one_alone) {
  Stanza many = stanza("<message from='r@example.org/n' to='x@example.org'/>");
  many.share();
  const Stanza first = with_to(many, "a@example.org");
  Stanza second = with_to(many, "b@example.org");
  second.edit().add(xml::Element("delay", ns::delay));
  second.set_to(*Jid::parse("c@example.org"));
  EXPECT_EQ(written(second),
            "<message from='r@example.org/n' to='c@example.org'><delay xmlns='urn:xmpp:delay'/></message>");
  EXPECT_EQ(written(first), "<message to='a@example.org' from='r@example.org/n'/>");
  Stanza third = first;
  third.clear_to();
  EXPECT_EQ(written(third), "<message from='r@example.org/n'/>");
  EXPECT_FALSE(third.element().attribute("to"));
  third.set_from(*Jid::parse("s@example.org"));
  EXPECT_EQ(first.element().attribute("from"), "r@example.org/n");
}

TEST(Stanza, of_another_namespace_is_not_shared) {
  Stanza server = Stanza::make(element("<message to='a@example.org'/>", ns::server));
  server.share();
  EXPECT_EQ(server.content().attribute("to"), "a@example.org");
}

TEST(ErrorReply, goes_back_with_the_same_id_and_without_the_payload) {
  const Stanza request = stanza("<iq type='get' id='x1' from='a@example.org/r' to='b@example.org'><q xmlns='x'/></iq>");
  const std::optional<Stanza> reply = error_reply(request, StanzaError::of(Condition::service_unavailable));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->kind(), StanzaKind::iq);
  EXPECT_EQ(reply->type(), StanzaType::error);
  EXPECT_EQ(reply->id(), "x1");
  EXPECT_EQ(reply->from()->text(), "b@example.org");
  EXPECT_EQ(reply->to()->text(), "a@example.org/r");
  EXPECT_EQ(reply->element().attribute("type"), "error");
  EXPECT_EQ(reply->element().child_element_count(), 1U);
  EXPECT_TRUE(reply->payload()->is("error", ns::client));
}

TEST(ErrorReply, to_a_stanza_without_id_or_addresses_has_none) {
  const std::optional<Stanza> reply = error_reply(stanza("<message/>"), StanzaError::of(Condition::bad_request));
  ASSERT_TRUE(reply);
  EXPECT_FALSE(reply->element().attribute("id"));
  EXPECT_FALSE(reply->to());
  EXPECT_FALSE(reply->from());
}

TEST(ErrorReply, stands_in_the_namespace_of_what_it_answers) {
  const Stanza request = Stanza::make(element("<message to='b@example.org'/>", ns::server));
  const std::optional<Stanza> reply = error_reply(request, StanzaError::of(Condition::gone));
  ASSERT_TRUE(reply);
  EXPECT_TRUE(reply->element().is("message", ns::server));
  EXPECT_TRUE(reply->payload()->is("error", ns::server));
  EXPECT_TRUE(reply->payload()->first_child()->is("gone", ns::stanza_errors));
}

TEST(ErrorReply, is_not_made_for_errors_and_results) {
  const StanzaError error = StanzaError::of(Condition::bad_request);
  EXPECT_FALSE(error_reply(stanza("<message type='error'/>"), error));
  EXPECT_FALSE(error_reply(stanza("<presence type='error'/>"), error));
  EXPECT_FALSE(error_reply(stanza("<iq type='error' id='1'/>"), error));
  EXPECT_FALSE(error_reply(stanza("<iq type='result' id='1'/>"), error));
}

TEST(ResultReply, goes_back_with_the_payload) {
  const Stanza request = stanza("<iq type='get' id='x1' from='a@example.org/r' to='example.org'><q xmlns='x'/></iq>");
  const Stanza empty = result_reply(request);
  EXPECT_EQ(empty.type(), StanzaType::result);
  EXPECT_EQ(empty.payload(), nullptr);
  const Stanza full = result_reply(request, xml::Element("answer", "x"));
  EXPECT_EQ(full.id(), "x1");
  EXPECT_EQ(full.to()->text(), "a@example.org/r");
  EXPECT_EQ(full.from()->text(), "example.org");
  EXPECT_TRUE(full.payload()->is("answer", "x"));
}

// XEP-0203 §2, example 1 without its text.
TEST(Delay, xep0203_example_1) {
  const xml::Element delay = delay_element(*Jid::parse("capulet.com"), "2002-09-10T23:08:25Z");
  EXPECT_TRUE(delay.is("delay", "urn:xmpp:delay"));
  EXPECT_EQ(delay.attribute("from"), "capulet.com");
  EXPECT_EQ(delay.attribute("stamp"), "2002-09-10T23:08:25Z");
}

TEST(Delay, what_the_server_has_kept_is_told_from_what_it_only_delayed) {
  const Jid server = *Jid::parse("capulet.com");
  Stanza message = *Stanza::from_stored(
      "<message from='romeo@montague.net/x'><delay xmlns='urn:xmpp:delay' "
      "from='montague.net'>Offline Storage</delay></message>");
  EXPECT_EQ(delay_by(message, "capulet.com"), DelayBy::nobody);
  message.edit().add(offline_delay_element(server, "2002-09-10T23:08:25Z"));
  EXPECT_EQ(delay_by(message, "capulet.com"), DelayBy::offline_storage);
  message.edit().add(delay_element(server, "2002-09-10T23:08:25Z"));
  EXPECT_EQ(delay_by(message, "capulet.com"), DelayBy::offline_storage);
  Stanza later = *Stanza::from_stored("<message/>");
  later.edit().add(delay_element(server, "2002-09-10T23:08:25Z"));
  EXPECT_EQ(delay_by(later, "capulet.com"), DelayBy::server);
}

TEST(Stored, what_is_damaged_is_no_stanza) {
  for (const char* const text : {"", "<message>", "<message to='@'/>", "<iq type='get' id='a'/>", "<nonsense/>"}) {
    EXPECT_FALSE(Stanza::from_stored(text)) << text;
  }
  // Longer than any stream would take.
  EXPECT_TRUE(Stanza::from_stored("<message><body>" + std::string(1024 * 1024, 'x') + "</body></message>"));
}

}  // namespace
}  // namespace kith::xmpp
