#include "stream/negotiation.h"

#include <gtest/gtest.h>

#include "base/encoding.h"
#include "xml/writer.h"
#include "xmpp/namespaces.h"

namespace kith::stream {
namespace {

using Security = Negotiation::Security;
using xmpp::StreamCondition;

class NegotiationTest : public testing::Test {
 protected:
  NegotiationTest() {
    surroundings.is_local = [](std::string_view domain) { return domain == "example.org" || domain == "example.net"; };
    surroundings.add_bind_features = [](xml::Element& bind_inline) {
      bind_inline.add(xml::Element("feature", xmpp::ns::bind2).set("var", "urn:test"));
    };
    surroundings.add_features = [](std::string_view, bool, bool authenticated, xml::Element& features) {
      if (authenticated) features.add(xml::Element("ver", "urn:xmpp:features:rosterver"));
    };
    surroundings.max_bytes_before_login = 10'240;
    surroundings.max_bytes_after_login = 262'144;
    surroundings.idle_time = std::chrono::seconds(300);
    surroundings.random = &random;
  }

  static xml::StreamOpen header(std::string to = "example.org", std::string version = "1.0",
                                std::string default_ns = "jabber:client") {
    xml::Element element("stream", xmpp::ns::streams);
    if (!to.empty()) element.set("to", std::move(to));
    if (!version.empty()) element.set("version", std::move(version));
    return {std::move(element), std::move(default_ns)};
  }
  static xml::Element parse(std::string_view text) { return *xml::parse_element(text, xmpp::ns::client); }

  /// Text of all elements that are sent, and of the condition that ends the stream, in order.
  static std::string told(const Actions& actions) {
    std::string text;
    for (const Action& action : actions) {
      if (const auto* send = std::get_if<Send>(&action)) xml::write(text, send->element, xmpp::ns::client);
      if (const auto* close = std::get_if<Close>(&action))
        text += "!" + std::string(xmpp::wire_word(close->error.condition));
      if (const auto* failed = std::get_if<LoginFailed>(&action)) xml::write(text, failed->answer, xmpp::ns::client);
      if (std::holds_alternative<SendOpen>(action)) text += "<open>";
    }
    return text;
  }
  template <class T>
  static const T* find(const Actions& actions) {
    for (const Action& action : actions) {
      if (const T* found = std::get_if<T>(&action)) return found;
    }
    return nullptr;
  }
  void to_tls(Negotiation& machine) {
    machine.opened(header());
    machine.received(parse("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"));
    machine.secured({{"tls-exporter", std::string(32, 'x')}}, "example.org");
    machine.opened(header());
  }
  void to_bind(Negotiation& machine) {
    to_tls(machine);
    machine.received(parse("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" +
                           base64_encode(std::string("\0juliet\0secret", 14)) + "</auth>"));
    machine.password_checked(true);
    machine.opened(header());
  }

  SeededRandom random{1};
  Surroundings surroundings;
};

TEST_F(NegotiationTest, starttls_names_the_domain_of_the_stream_as_certificates_do) {
  surroundings.is_local = [](std::string_view) { return true; };
  for (const auto& [to, ascii] :
       {std::pair{"example.org", "example.org"}, {"B\u00fccher.example", "xn--bcher-kva.example"}}) {
    Negotiation machine(surroundings, Security::starttls_required);
    machine.opened(header(to));
    const Actions actions = machine.received(parse("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"));
    const StartTls* start = find<StartTls>(actions);
    ASSERT_NE(start, nullptr);
    EXPECT_EQ(start->domain, ascii);
  }
}

TEST_F(NegotiationTest, offers_nothing_but_starttls_in_the_clear) {
  Negotiation machine(surroundings, Security::starttls_required);
  const std::string text = told(machine.opened(header()));
  EXPECT_NE(text.find("<required"), std::string::npos);
  EXPECT_EQ(text.find("mechanism"), std::string::npos);
  EXPECT_EQ(text.find("register"), std::string::npos);
}

TEST_F(NegotiationTest, each_wrong_header_ends_with_the_condition_of_the_rfc) {
  const struct {
    xml::StreamOpen open;
    StreamCondition condition;
  } rows[] = {
      {header("elsewhere.example"), StreamCondition::host_unknown},
      {header("juliet@example.org"), StreamCondition::improper_addressing},
      {header("example.org/resource"), StreamCondition::improper_addressing},
      {header(""), StreamCondition::improper_addressing},
      {header("@@"), StreamCondition::improper_addressing},
      {header("example.org", ""), StreamCondition::unsupported_version},
      {header("example.org", "0.9"), StreamCondition::unsupported_version},
      {header("example.org", "x"), StreamCondition::unsupported_version},
      {header("example.org", "1.0", "jabber:server"), StreamCondition::invalid_namespace},
      {header("example.org", "1.0", ""), StreamCondition::invalid_namespace},
      {{xml::Element("stream", "urn:wrong"), "jabber:client"}, StreamCondition::invalid_namespace},
      {{xml::Element("strom", xmpp::ns::streams), "jabber:client"}, StreamCondition::bad_format},
  };
  for (const auto& row : rows) {
    Negotiation machine(surroundings, Security::starttls_required);
    const Actions actions = machine.opened(row.open);
    const Close* close = find<Close>(actions);
    ASSERT_NE(close, nullptr) << xml::to_string(row.open.header);
    EXPECT_EQ(close->error.condition, row.condition) << xml::to_string(row.open.header);
    // RFC 6120 §4.9.1.2: the error comes inside a stream, so a header goes before it.
    EXPECT_NE(find<SendOpen>(actions), nullptr);
    EXPECT_TRUE(machine.received(parse("<iq type='get' id='1'><q xmlns='x'/></iq>")).empty()) << "dead after an error";
  }
}

TEST_F(NegotiationTest, a_later_minor_version_is_welcome) {
  Negotiation machine(surroundings, Security::starttls_required);
  EXPECT_EQ(find<Close>(machine.opened(header("example.org", "1.1"))), nullptr);
}

TEST_F(NegotiationTest, a_client_without_to_is_understood_by_its_sni) {
  Negotiation machine(surroundings, Security::direct_tls);
  machine.secured({}, "example.net");
  EXPECT_EQ(find<Close>(machine.opened(header(""))), nullptr);
  EXPECT_EQ(machine.domain(), "example.net");
}

TEST_F(NegotiationTest, a_stanza_before_login_ends_the_stream) {
  for (const char* text :
       {"<message to='romeo@example.org'><body>hi</body></message>", "<presence/>", "<iq type='result' id='1'/>"}) {
    Negotiation machine(surroundings, Security::starttls_required);
    to_tls(machine);
    EXPECT_EQ(told(machine.received(parse(text))), "!not-authorized") << text;
  }
}

TEST_F(NegotiationTest, an_iq_before_login_is_for_the_features_only_under_tls) {
  Negotiation clear(surroundings, Security::starttls_required);
  clear.opened(header());
  const char* iq = "<iq type='get' id='1'><query xmlns='jabber:iq:register'/></iq>";
  EXPECT_EQ(told(clear.received(parse(iq))), "!not-authorized");
  Negotiation secure(surroundings, Security::starttls_required);
  to_tls(secure);
  EXPECT_NE(find<IqBeforeLogin>(secure.received(parse(iq))), nullptr);
}

TEST_F(NegotiationTest, wrong_first_level_elements_end_the_stream) {
  const struct {
    const char* text;
    const char* told;
  } rows[] = {
      {"<foo xmlns='urn:x'/>", "!unsupported-stanza-type"},
      {"<message xmlns='jabber:server'/>", "!invalid-namespace"},
      {"<query/>", "!unsupported-stanza-type"},
      {"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", "!unsupported-stanza-type"},
      {"<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", "!unsupported-stanza-type"},
      {"<features xmlns='http://etherx.jabber.org/streams'/>", "!unsupported-stanza-type"},
  };
  for (const auto& row : rows) {
    Negotiation machine(surroundings, Security::starttls_required);
    to_tls(machine);
    EXPECT_EQ(told(machine.received(parse(row.text))), row.told) << row.text;
  }
}

TEST_F(NegotiationTest, starttls_twice_is_a_failure) {
  Negotiation machine(surroundings, Security::starttls_required);
  to_tls(machine);
  const std::string text = told(machine.received(parse("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")));
  EXPECT_NE(text.find("<failure"), std::string::npos);
  EXPECT_NE(text.find("!"), std::string::npos);
}

TEST_F(NegotiationTest, sasl_in_the_clear_needs_encryption) {
  Negotiation machine(surroundings, Security::starttls_required);
  machine.opened(header());
  const std::string text =
      told(machine.received(parse("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>")));
  EXPECT_NE(text.find("encryption-required"), std::string::npos);
}

TEST_F(NegotiationTest, a_loopback_listener_without_tls_offers_scram_but_no_plain) {
  Negotiation machine(surroundings, Security::clear_on_loopback);
  const std::string text = told(machine.opened(header()));
  EXPECT_NE(text.find("SCRAM-SHA-1"), std::string::npos);
  EXPECT_EQ(text.find("PLAIN"), std::string::npos);
  EXPECT_EQ(text.find("-PLUS"), std::string::npos);
}

TEST_F(NegotiationTest, announces_mechanisms_bindings_and_limits_under_tls) {
  Negotiation machine(surroundings, Security::direct_tls);
  machine.secured({{"tls-exporter", "x"}, {"tls-server-end-point", "y"}}, "example.org");
  const std::string text = told(machine.opened(header()));
  for (const char* part : {"SCRAM-SHA-512-PLUS", "SCRAM-SHA-1<", "PLAIN", "type='tls-exporter'",
                           "type='tls-server-end-point'", "<max-bytes>10240</max-bytes>"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
  }
}

TEST_F(NegotiationTest, plain_login_and_bind) {
  Negotiation machine(surroundings, Security::starttls_required);
  to_tls(machine);
  const Actions asked = machine.received(parse("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" +
                                               base64_encode(std::string("\0juliet\0secret", 14)) + "</auth>"));
  const CheckPassword* check = find<CheckPassword>(asked);
  ASSERT_NE(check, nullptr);
  EXPECT_EQ(check->bare.text(), "juliet@example.org");
  const Actions logged_in = machine.password_checked(true);
  EXPECT_NE(find<LoggedIn>(logged_in), nullptr);
  EXPECT_NE(find<RestartStream>(logged_in), nullptr);
  const std::string features = told(machine.opened(header()));
  for (const char* part : {"<bind", "rosterver", "<max-bytes>262144</max-bytes>", "<idle-seconds>300</idle-seconds>"}) {
    EXPECT_NE(features.find(part), std::string::npos) << part << " in " << features;
  }
  EXPECT_EQ(features.find("mechanism"), std::string::npos);
  const Actions binding = machine.received(parse(
      "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>balcony</resource></bind></iq>"));
  const Bind* bind = find<Bind>(binding);
  ASSERT_NE(bind, nullptr);
  EXPECT_EQ(bind->resource, "balcony");
  const std::string answer = told(machine.bound(*xmpp::FullJid::parse("juliet@example.org/balcony")));
  EXPECT_NE(answer.find("<jid>juliet@example.org/balcony</jid>"), std::string::npos);
  EXPECT_TRUE(machine.is_bound());
}

TEST_F(NegotiationTest, nothing_but_bind_after_login) {
  for (const char* text : {"<message to='romeo@example.org'><body>hi</body></message>", "<presence/>",
                           "<iq type='get' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
                           "<iq type='set' id='1'><query xmlns='jabber:iq:roster'/></iq>"}) {
    Negotiation machine(surroundings, Security::starttls_required);
    to_bind(machine);
    EXPECT_EQ(told(machine.received(parse(text))), "!not-authorized") << text;
  }
}

TEST_F(NegotiationTest, a_resource_that_is_none_is_a_bad_request_and_the_client_may_try_again) {
  Negotiation machine(surroundings, Security::starttls_required);
  to_bind(machine);
  const std::string long_resource(1024, 'a');
  const std::string text =
      told(machine.received(parse("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>" +
                                  long_resource + "</resource></bind></iq>")));
  EXPECT_NE(text.find("bad-request"), std::string::npos);
  EXPECT_NE(find<Bind>(
                machine.received(parse("<iq type='set' id='c'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"))),
            nullptr);
}

TEST_F(NegotiationTest, another_domain_after_login_is_refused) {
  Negotiation machine(surroundings, Security::starttls_required);
  to_tls(machine);
  machine.received(parse("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" +
                         base64_encode(std::string("\0juliet\0secret", 14)) + "</auth>"));
  machine.password_checked(true);
  EXPECT_EQ(find<Close>(machine.opened(header("example.net")))->error.condition, StreamCondition::improper_addressing);
}

TEST_F(NegotiationTest, too_many_failures_end_the_stream) {
  Negotiation machine(surroundings, Security::starttls_required);
  to_tls(machine);
  const std::string auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" +
                           base64_encode(std::string("\0juliet\0wrong", 13)) + "</auth>";
  for (std::size_t i = 1; i <= surroundings.failed_logins; ++i) {
    machine.received(parse(auth));
    const Actions actions = machine.password_checked(false);
    ASSERT_NE(find<LoginFailed>(actions), nullptr);
    EXPECT_EQ(find<LoginFailed>(actions)->failure, sasl::Failure::not_authorized);
    EXPECT_EQ(find<Close>(actions) != nullptr, i == surroundings.failed_logins) << i;
  }
}

TEST_F(NegotiationTest, odd_sasl_messages_fail_and_leave_the_stream_open) {
  const struct {
    const char* text;
    sasl::Failure failure;
  } rows[] = {
      {"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='DIGEST-MD5'/>", sasl::Failure::invalid_mechanism},
      {"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", sasl::Failure::invalid_mechanism},
      {"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>***</auth>",
       sasl::Failure::incorrect_encoding},
      {"<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", sasl::Failure::malformed_request},
      {"<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", sasl::Failure::aborted},
  };
  for (const auto& row : rows) {
    Negotiation machine(surroundings, Security::starttls_required);
    to_tls(machine);
    const Actions actions = machine.received(parse(row.text));
    const LoginFailed* failed = find<LoginFailed>(actions);
    ASSERT_NE(failed, nullptr) << row.text;
    EXPECT_EQ(failed->failure, row.failure) << row.text;
    EXPECT_EQ(find<Close>(actions), nullptr) << row.text;
  }
}

TEST_F(NegotiationTest, a_claimed_from_must_be_the_account_that_logged_in) {
  Negotiation machine(surroundings, Security::starttls_required);
  to_tls(machine);
  machine.received(parse("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" +
                         base64_encode(std::string("\0juliet\0secret", 14)) + "</auth>"));
  machine.password_checked(true);
  xml::StreamOpen open = header();
  open.header.set("from", "romeo@example.org");
  EXPECT_EQ(find<Close>(machine.opened(open))->error.condition, StreamCondition::invalid_from);
}

}  // namespace
}  // namespace kith::stream
