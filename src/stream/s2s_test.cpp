// Both sides of a stream between servers, and dialback between them.

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "stream/s2s_in.h"
#include "stream/s2s_out.h"
#include "xml/stream_parser.h"
#include "xml/writer.h"
#include "xmpp/namespaces.h"

namespace kith::stream {
namespace {

using xmpp::StreamCondition;

xml::Element element(std::string_view text) { return xml::parse_element(text, xmpp::ns::server).value(); }

xml::StreamOpen header(std::string_view attributes, std::string_view default_ns = xmpp::ns::server) {
  return {element("<stream xmlns='http://etherx.jabber.org/streams' " + std::string(attributes) + "/>"),
          std::string(default_ns)};
}

TEST(Dialback, xep0185_example) {
  EXPECT_EQ(dialback_key(Secret("s3cr3tf0rd14lb4ck"), "xmpp.example.com", "example.org", "D60000229F"),
            "37c69b1cf07a3f67c04a5ef5902fa5114f2c76fe4a2686482ba5b89323075643");
}

TEST(Dialback, a_key_is_good_for_its_stream_and_its_domains_only) {
  const Secret secret("s");
  const std::string key = dialback_key(secret, "a.example", "b.example", "1");
  EXPECT_TRUE(is_dialback_key(secret, "a.example", "b.example", "1", key));
  EXPECT_FALSE(is_dialback_key(secret, "a.example", "b.example", "2", key));
  EXPECT_FALSE(is_dialback_key(secret, "b.example", "a.example", "1", key));
  EXPECT_FALSE(is_dialback_key(Secret("t"), "a.example", "b.example", "1", key));
  EXPECT_FALSE(is_dialback_key(secret, "a.example", "b.example", "1", ""));
}

TEST(Dialback, elements_have_the_prefix_that_all_servers_know_them_by) {
  std::string out;
  write_between_servers(
      out, element("<result xmlns='jabber:server:dialback' from='a.example' to='b.example'>k&amp;y</result>"));
  EXPECT_EQ(out, "<db:result from='a.example' to='b.example'>k&amp;y</db:result>");
  out.clear();
  xml::Element refusal = dialback_element("result", "a'b", "b.example", "error");
  refusal.add(xml::Element("error", xmpp::ns::server));
  write_between_servers(out, refusal);
  EXPECT_EQ(out, "<db:result from='a&apos;b' to='b.example' type='error'><error/></db:result>");
  out.clear();
  write_between_servers(out, element("<message><body>hi</body></message>"));
  EXPECT_EQ(out, "<message><body>hi</body></message>");
}

class S2sInTest : public testing::Test {
 protected:
  S2sInTest() {
    surroundings.is_local = [](std::string_view domain) { return domain == "here.example"; };
    surroundings.random = &random;
    surroundings.secret = &secret;
  }
  /// What the machine did, a line each.
  std::vector<std::string> did(const S2sInActions& actions) {
    std::vector<std::string> lines;
    for (const S2sInAction& action : actions) {
      if (const auto* open = std::get_if<SendOpen>(&action)) {
        for (const auto& [name, value] : open->attributes) {
          if (name == "id") stream_id = value;
        }
        lines.emplace_back("open");
      } else if (const auto* send = std::get_if<Send>(&action)) {
        lines.push_back(xml::to_string(send->element, xmpp::ns::server));
      } else if (std::holds_alternative<StartTls>(action)) {
        lines.emplace_back("tls");
      } else if (std::holds_alternative<RestartStream>(action)) {
        lines.emplace_back("restart");
      } else if (const auto* question = std::get_if<VerifyKey>(&action)) {
        lines.push_back("verify " + question->pair.remote + " " + question->key);
      } else if (const auto* proven = std::get_if<Proven>(&action)) {
        lines.push_back("proven " + proven->pair.remote + " " + std::string(proven->how));
      } else if (std::holds_alternative<FromPeer>(action)) {
        lines.emplace_back("stanza");
      } else if (const auto* management = std::get_if<Management>(&action)) {
        lines.push_back("management " + std::string(management->element.name()));
      } else if (const auto* ended = std::get_if<PeerEnded>(&action)) {
        lines.push_back("ended by " + ended->condition);
      } else {
        lines.push_back("close " + std::string(wire_word(std::get<Close>(action).error.condition)));
      }
    }
    return lines;
  }
  std::vector<std::string> says(std::string_view text) { return did(machine.received(element(text))); }
  /// As far as TLS; `certificate` names the domains that the other side's certificate is good for.
  void secure(const std::string& certificate = {}, std::string_view from = "there.example") {
    const std::string both = "version='1.0' to='here.example' from='" + std::string(from) + "'";
    did(machine.opened(header(both)));
    says("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    machine.secured([certificate](std::string_view domain) { return domain == certificate; });
    features = did(machine.opened(header(both))).back();
  }
  using Lines = std::vector<std::string>;

  SeededRandom random{1};
  Secret secret{"secret"};
  S2sInSurroundings surroundings;
  S2sIn machine{surroundings};
  std::string stream_id;
  std::string features;
};

TEST_F(S2sInTest, a_header_must_be_one_for_us) {
  const auto refused = [&](std::string_view attributes, std::string_view ns = xmpp::ns::server) {
    S2sIn fresh{surroundings};
    return did(fresh.opened(header(attributes, ns)));
  };
  EXPECT_EQ(refused("version='1.0' to='elsewhere.example'"), Lines{"close host-unknown"});
  EXPECT_EQ(refused("version='1.0'"), Lines{"close improper-addressing"});
  EXPECT_EQ(refused("version='1.0' to='here.example' from='here.example'"), Lines{"close invalid-from"});
  EXPECT_EQ(refused("version='1.0' to='here.example' from='x@there.example'"), Lines{"close invalid-from"});
  EXPECT_EQ(refused("to='here.example'"), Lines{"close unsupported-version"});
  EXPECT_EQ(refused("version='1.0' to='here.example'", xmpp::ns::client), Lines{"close invalid-namespace"});
}

TEST_F(S2sInTest, nothing_goes_before_tls) {
  const auto first = did(machine.opened(header("version='1.0' to='here.example' from='there.example'")));
  ASSERT_EQ(first.size(), 2U);
  EXPECT_NE(first[1].find("<required/>"), std::string::npos);
  EXPECT_EQ(says("<result xmlns='jabber:server:dialback' from='there.example' to='here.example'>k</result>"),
            Lines{"close policy-violation"});
}

TEST_F(S2sInTest, a_certificate_proves_a_domain) {
  secure("there.example");
  EXPECT_NE(features.find("EXTERNAL"), std::string::npos);
  const auto answer = says("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>");
  ASSERT_EQ(answer.size(), 3U);
  EXPECT_EQ(answer[2], "proven there.example certificate");
  did(machine.opened(header("version='1.0' to='here.example' from='there.example'")));
  EXPECT_EQ(says("<message from='a@there.example' to='b@here.example'/>"), Lines{"stanza"});
  // SECURITY: and no other one.
  EXPECT_EQ(says("<message from='a@elsewhere.example' to='b@here.example'/>"), Lines{"close invalid-from"});
}

TEST_F(S2sInTest, what_was_proven_cannot_become_another_domain) {
  secure("there.example");
  says("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'/>");
  EXPECT_EQ(did(machine.opened(header("version='1.0' to='here.example' from='elsewhere.example'"))),
            Lines{"close invalid-from"});
}

TEST_F(S2sInTest, a_certificate_of_another_proves_nothing) {
  secure("elsewhere.example");
  EXPECT_EQ(features.find("EXTERNAL"), std::string::npos);
  const auto refused = says("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>");
  ASSERT_EQ(refused.size(), 2U);
  EXPECT_EQ(refused[1], "close not-authorized");
}

TEST_F(S2sInTest, nobody_authorizes_himself_as_another) {
  secure("there.example");
  const auto refused =
      says("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>ZWxzZXdoZXJlLmV4YW1wbGU=</auth>");
  EXPECT_NE(refused[0].find("invalid-authzid"), std::string::npos);
}

TEST_F(S2sInTest, dialback_proves_a_domain) {
  secure();
  EXPECT_EQ(says("<message from='a@there.example' to='b@here.example'/>"), Lines{"close not-authorized"});
  machine = S2sIn{surroundings};
  secure();
  EXPECT_EQ(says("<result xmlns='jabber:server:dialback' from='there.example' to='here.example'>k</result>"),
            Lines{"verify there.example k"});
  // Once is enough.
  EXPECT_EQ(says("<result xmlns='jabber:server:dialback' from='there.example' to='here.example'>k</result>"), Lines{});
  const auto valid = did(machine.verified({"there.example", "here.example"}, true));
  ASSERT_EQ(valid.size(), 2U);
  EXPECT_NE(valid[0].find("type='valid'"), std::string::npos);
  EXPECT_EQ(says("<message from='a@there.example' to='b@here.example'/>"), Lines{"stanza"});
  EXPECT_EQ(says("<message from='a@there.example' to='b@elsewhere.example'/>"), Lines{"close invalid-from"});
}

TEST_F(S2sInTest, a_wrong_key_ends_the_stream) {
  secure();
  says("<result xmlns='jabber:server:dialback' from='there.example' to='here.example'>k</result>");
  const auto invalid = did(machine.verified({"there.example", "here.example"}, false));
  ASSERT_EQ(invalid.size(), 2U);
  EXPECT_EQ(invalid[1], "close not-authorized");
  EXPECT_EQ(says("<message from='a@there.example' to='b@here.example'/>"), Lines{});
  // An answer that nobody waits for says nothing.
  EXPECT_EQ(did(machine.verified({"elsewhere.example", "here.example"}, true)), Lines{});
}

TEST_F(S2sInTest, where_nobody_can_be_asked_about_a_key_the_stream_goes_on) {
  secure();
  const std::string shown = "<result xmlns='jabber:server:dialback' from='there.example' to='here.example'>k</result>";
  says(shown);
  const auto unknown = did(
      machine.verified({"there.example", "here.example"}, std::unexpected(xmpp::Condition::remote_server_not_found)));
  ASSERT_EQ(unknown.size(), 1U);
  EXPECT_NE(unknown[0].find("type='error'"), std::string::npos);
  EXPECT_NE(unknown[0].find("<remote-server-not-found"), std::string::npos);
  // It may be tried again, but not without end; and nothing is proven yet.
  for (std::size_t i = 1; i < S2sIn::most_proofs; ++i) {
    EXPECT_EQ(says(shown), Lines{"verify there.example k"}) << i;
    did(machine.verified({"there.example", "here.example"}, std::unexpected(xmpp::Condition::remote_server_timeout)));
  }
  EXPECT_NE(says(shown)[0].find("resource-constraint"), std::string::npos);
  EXPECT_EQ(says("<message from='a@there.example' to='b@here.example'/>"), Lines{"close not-authorized"});
}

TEST_F(S2sInTest, later_versions_are_this_one) {
  for (const char* version : {"1.1", "1.10", "01.0", "2.0"}) {
    S2sIn fresh{surroundings};
    EXPECT_EQ(did(fresh.opened(header("version='" + std::string(version) + "' to='here.example'")))[0], "open")
        << version;
  }
  for (const char* version : {"0.9", "1", "", "x.1"}) {
    S2sIn fresh{surroundings};
    EXPECT_EQ(did(fresh.opened(header("version='" + std::string(version) + "' to='here.example'"))),
              Lines{"close unsupported-version"})
        << version;
  }
}

TEST_F(S2sInTest, dialback_for_ourselves_or_for_nobody_is_refused) {
  secure();
  EXPECT_NE(says("<result xmlns='jabber:server:dialback' from='there.example' to='nobody.example'>k</result>")[0].find(
                "item-not-found"),
            std::string::npos);
  EXPECT_EQ(says("<result xmlns='jabber:server:dialback' from='here.example' to='here.example'>k</result>"),
            Lines{"close invalid-from"});
}

TEST_F(S2sInTest, a_stream_proves_so_many_domains_and_no_more) {
  secure();
  for (std::size_t i = 0; i < S2sIn::most_proofs; ++i) {
    says("<result xmlns='jabber:server:dialback' from='d" + std::to_string(i) +
         ".example' to='here.example'>k</result>");
  }
  EXPECT_NE(says("<result xmlns='jabber:server:dialback' from='one-more.example' to='here.example'>k</result>")[0].find(
                "resource-constraint"),
            std::string::npos);
}

TEST_F(S2sInTest, where_certificates_are_required_dialback_needs_one_too) {
  surroundings.require_certificates = true;
  secure();
  EXPECT_NE(says("<result xmlns='jabber:server:dialback' from='there.example' to='here.example'>k</result>")[0].find(
                "not-authorized"),
            std::string::npos);
  machine = S2sIn{surroundings};
  secure("there.example");
  EXPECT_EQ(says("<result xmlns='jabber:server:dialback' from='there.example' to='here.example'>k</result>"),
            Lines{"verify there.example k"});
}

TEST_F(S2sInTest, a_key_suffices_if_only_who_has_a_certificate_is_asked_about_it) {
  surroundings.require_certificates = true;
  surroundings.proves_itself_when_asked = [](std::string_view domain) { return domain == "there.example"; };
  secure();
  EXPECT_EQ(says("<result xmlns='jabber:server:dialback' from='there.example' to='here.example'>k</result>"),
            Lines{"verify there.example k"});
}

TEST_F(S2sInTest, our_own_keys_are_known_again) {
  secure();
  const auto verify = [&](const std::string& key, std::string_view id) {
    return says("<verify xmlns='jabber:server:dialback' from='there.example' to='here.example' id='" + std::string(id) +
                "'>" + key + "</verify>")[0];
  };
  const std::string key = dialback_key(secret, "there.example", "here.example", "77");
  EXPECT_NE(verify(key, "77").find("type='valid'"), std::string::npos);
  EXPECT_NE(verify(key, "78").find("type='invalid'"), std::string::npos);
  EXPECT_NE(verify("nonsense", "77").find("type='invalid'"), std::string::npos);
}

TEST_F(S2sInTest, what_is_no_stanza_or_has_no_addresses_ends_the_stream) {
  secure("there.example");
  says("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>");
  did(machine.opened(header("version='1.0' to='here.example' from='there.example'")));
  EXPECT_EQ(says("<message to='b@here.example'/>"), Lines{"close improper-addressing"});
  machine = S2sIn{surroundings};
  secure();
  EXPECT_EQ(says("<nonsense/>"), Lines{"close unsupported-stanza-type"});
}

TEST_F(S2sInTest, an_empty_key_is_not_even_asked_about) {
  secure();
  const auto answers = says("<result xmlns='jabber:server:dialback' from='there.example' to='here.example'/>");
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_NE(answers[0].find("type='invalid'"), std::string::npos);
  EXPECT_EQ(answers[1], "close not-authorized");
}

TEST_F(S2sInTest, who_is_blocked_is_told_so_and_heard_no_further) {
  surroundings.is_blocked = [](std::string_view domain) { return domain == "there.example"; };
  EXPECT_EQ(did(machine.opened(header("version='1.0' to='here.example' from='there.example'"))),
            Lines{"close policy-violation"});
}

TEST_F(S2sInTest, one_who_proves_a_blocked_domain_later_is_refused) {
  secure({}, "elsewhere.example");
  surroundings.is_blocked = [](std::string_view domain) { return domain == "there.example"; };
  const auto answers =
      says("<result xmlns='jabber:server:dialback' from='there.example' to='here.example'>key</result>");
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_NE(answers[0].find("policy-violation"), std::string::npos);
}

TEST_F(S2sInTest, stream_management_is_for_those_who_have_proven_something) {
  secure();
  EXPECT_NE(says("<enable xmlns='urn:xmpp:sm:3'/>").at(0).find("unexpected-request"), std::string::npos);
  says("<result xmlns='jabber:server:dialback' from='there.example' to='here.example'>key</result>");
  did(machine.verified({"there.example", "here.example"}, true));
  EXPECT_EQ(says("<enable xmlns='urn:xmpp:sm:3'/>"), Lines{"management enable"});
}

TEST_F(S2sInTest, an_error_of_the_other_side_ends_the_stream_without_another) {
  secure();
  EXPECT_EQ(says("<error xmlns='http://etherx.jabber.org/streams'><reset "
                 "xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></error>"),
            Lines{"ended by reset"});
}

class S2sOutTest : public testing::Test {
 protected:
  std::vector<std::string> did(const S2sOutActions& actions) {
    std::vector<std::string> lines;
    for (const S2sOutAction& action : actions) {
      if (std::holds_alternative<SendOpen>(action)) lines.emplace_back("open");
      if (const auto* send = std::get_if<Send>(&action)) lines.push_back(xml::to_string(send->element));
      if (std::holds_alternative<StartTlsTo>(action)) lines.emplace_back("tls");
      if (std::holds_alternative<RestartStream>(action)) lines.emplace_back("restart");
      if (std::holds_alternative<Ready>(action)) lines.emplace_back("ready");
      if (const auto* answer = std::get_if<KeyVerified>(&action)) {
        lines.push_back(answer->stream_id + (!answer->valid ? " unknown" : *answer->valid ? " valid" : " invalid"));
      }
      if (std::holds_alternative<FromPeer>(action)) lines.emplace_back("stanza");
      if (const auto* given_up = std::get_if<GivenUp>(&action)) lines.push_back("given up: " + given_up->why);
    }
    return lines;
  }
  std::vector<std::string> says(std::string_view text) { return did(machine.received(element(text))); }
  std::vector<std::string> features(std::string_view content) {
    return says("<features xmlns='http://etherx.jabber.org/streams'>" + std::string(content) + "</features>");
  }
  std::vector<std::string> secure(bool certified) {
    machine.start();
    did(machine.opened(header("version='1.0' id='1'")));
    features("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    says("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    auto lines = did(machine.secured(certified));
    did(machine.opened(header("version='1.0' id='77'")));
    return lines;
  }
  using Lines = std::vector<std::string>;
  static constexpr std::string_view external =
      "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL</mechanism></mechanisms>";

  Secret secret{"secret"};
  S2sOut machine{{"there.example", "here.example"}, {.secret = &secret}};
};

TEST_F(S2sOutTest, without_tls_there_is_no_way) {
  machine.start();
  did(machine.opened(header("version='1.0'")));
  EXPECT_EQ(features(""), Lines{"given up: it offers no TLS"});
}

TEST_F(S2sOutTest, a_certificate_goes_before_dialback) {
  secure(true);
  const auto auth = features(external);
  ASSERT_EQ(auth.size(), 1U);
  EXPECT_NE(auth[0].find("aGVyZS5leGFtcGxl"), std::string::npos);
  EXPECT_EQ(says("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"), (Lines{"restart", "open"}));
  did(machine.opened(header("version='1.0'")));
  EXPECT_EQ(features(""), Lines{"ready"});
}

TEST_F(S2sOutTest, dialback_shows_a_key_that_we_know_again) {
  secure(false);
  const auto result = features("");
  ASSERT_EQ(result.size(), 1U);
  EXPECT_NE(result[0].find(dialback_key(secret, "there.example", "here.example", "77")), std::string::npos);
  // Of another pair, it is not the answer.
  EXPECT_EQ(says("<result xmlns='jabber:server:dialback' from='x.example' to='here.example' type='valid'/>"), Lines{});
  EXPECT_EQ(says("<result xmlns='jabber:server:dialback' from='there.example' to='here.example' type='valid'/>"),
            Lines{"ready"});
}

TEST_F(S2sOutTest, a_refused_key_or_certificate_is_the_end) {
  secure(false);
  features("");
  EXPECT_EQ(says("<result xmlns='jabber:server:dialback' from='there.example' to='here.example' type='invalid'/>"),
            Lines{"given up: it did not accept our dialback key"});
}

TEST_F(S2sOutTest, where_certificates_are_required_another_is_not_talked_to) {
  machine = S2sOut{{"there.example", "here.example"}, {.secret = &secret, .require_certificates = true}};
  EXPECT_EQ(secure(false), Lines{"given up: its certificate is not trusted, or does not name there.example"});
}

TEST_F(S2sOutTest, where_dns_names_certificates_another_is_not_talked_to_whatever_the_policy_is) {
  const auto pinned = [&](bool certified) {
    machine = S2sOut{{"there.example", "here.example"}, {.secret = &secret}};
    machine.start();
    did(machine.opened(header("version='1.0' id='1'")));
    return did(machine.secured(certified, /*pinned=*/true));
  };
  EXPECT_EQ(pinned(false), Lines{"given up: its certificate is none of those that its DNS names (DANE)"});
  EXPECT_EQ(pinned(true), Lines{"open"});
}

TEST_F(S2sOutTest, questions_about_keys_wait_for_tls_and_their_answers_must_be_of_this_pair) {
  EXPECT_EQ(did(machine.verify("5", "k")), Lines{});
  secure(false);
  const auto sent = features("");
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_NE(sent[0].find("id='5'"), std::string::npos);
  EXPECT_EQ(says("<verify xmlns='jabber:server:dialback' from='x.example' to='here.example' id='5' type='valid'/>"),
            Lines{});
  EXPECT_EQ(says("<verify xmlns='jabber:server:dialback' from='there.example' to='here.example' id='5' type='valid'/>"),
            Lines{"5 valid"});
  EXPECT_EQ(
      says("<verify xmlns='jabber:server:dialback' from='there.example' to='here.example' id='6' type='invalid'/>"),
      Lines{"6 invalid"});
  EXPECT_EQ(says("<verify xmlns='jabber:server:dialback' from='there.example' to='here.example' id='7' type='error'/>"),
            Lines{"7 unknown"});
}

TEST_F(S2sOutTest, why_we_could_not_be_made_sure_of_is_told) {
  secure(false);
  features("");
  EXPECT_EQ(says("<result xmlns='jabber:server:dialback' from='there.example' to='here.example' type='error'>"
                 "<error xmlns='jabber:server' type='cancel'>"
                 "<remote-server-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></result>"),
            Lines{"given up: it could not make sure of us by dialback: remote-server-not-found"});
}

/// A stream on which the other side may speak, too.
class S2sOutBidi : public S2sOutTest {
 protected:
  S2sOutBidi() { machine = S2sOut{{"there.example", "here.example"}, {.secret = &secret, .bidi = true}}; }
  static constexpr std::string_view bidi = "<bidi xmlns='urn:xmpp:features:bidi'/>";
  void ready() {
    secure(true);
    features(bidi);
    EXPECT_EQ(says("<result xmlns='jabber:server:dialback' from='there.example' to='here.example' type='valid'/>"),
              Lines{"ready"});
  }
  Lines stanza(const std::string& from, const std::string& to) {
    return did(machine.received(
        element("<message xmlns='jabber:server' from='" + from + "' to='" + to + "'><body>hi</body></message>")));
  }
};

TEST_F(S2sOutBidi, is_asked_for_before_either_proof) {
  secure(true);
  Lines did = features(std::string(bidi) + std::string(external));
  ASSERT_EQ(did.size(), 2U);
  EXPECT_EQ(did[0], "<bidi xmlns='urn:xmpp:bidi'/>");
  EXPECT_NE(did[1].find("mechanism='EXTERNAL'"), std::string::npos);
  machine = S2sOut{{"there.example", "here.example"}, {.secret = &secret, .bidi = true}};
  secure(true);
  did = features(bidi);
  ASSERT_EQ(did.size(), 2U);
  EXPECT_EQ(did[0], "<bidi xmlns='urn:xmpp:bidi'/>");
  EXPECT_NE(did[1].find("<result xmlns='jabber:server:dialback'"), std::string::npos);
}

TEST_F(S2sOutBidi, is_asked_for_only_where_it_is_offered_and_wanted_and_never_in_clear) {
  machine.start();
  did(machine.opened(header("version='1.0' id='1'")));
  EXPECT_EQ(features("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>" + std::string(bidi)).size(), 1U);
  machine = S2sOut{{"there.example", "here.example"}, {.secret = &secret, .bidi = true}};
  secure(true);
  EXPECT_EQ(features("").size(), 1U);
  machine = S2sOut{{"there.example", "here.example"}, {.secret = &secret}};
  secure(true);
  EXPECT_EQ(features(bidi).size(), 1U);
  did(machine.received(
      element("<result xmlns='jabber:server:dialback' from='there.example' to='here.example' type='valid'/>")));
  EXPECT_EQ(stanza("romeo@there.example", "juliet@here.example"), Lines{});
}

TEST_F(S2sOutBidi, what_the_other_side_says_is_heard_once_it_believes_us) {
  secure(true);
  features(bidi);
  EXPECT_EQ(stanza("romeo@there.example", "juliet@here.example"), Lines{});
  says("<result xmlns='jabber:server:dialback' from='there.example' to='here.example' type='valid'/>");
  EXPECT_EQ(stanza("romeo@there.example", "juliet@here.example"), Lines{"stanza"});
}

TEST_F(S2sOutBidi, it_speaks_for_its_own_domain_and_to_the_one_that_called_it) {
  for (const auto& [from, to] :
       std::initializer_list<std::pair<std::string, std::string>>{{"romeo@else.example", "juliet@here.example"},
                                                                  {"juliet@here.example", "nurse@here.example"},
                                                                  {"romeo@there.example", "juliet@also.example"},
                                                                  {"romeo@sub.there.example", "juliet@here.example"}}) {
    machine = S2sOut{{"there.example", "here.example"}, {.secret = &secret, .bidi = true}};
    ready();
    EXPECT_EQ(stanza(from, to), Lines{"given up: it spoke for other domains than its own"});
    EXPECT_EQ(stanza("romeo@there.example", "juliet@here.example"), Lines{});
  }
  machine = S2sOut{{"there.example", "here.example"}, {.secret = &secret, .bidi = true}};
  ready();
  EXPECT_EQ(stanza("", "juliet@here.example"), Lines{"given up: it sent what is from nobody or to nobody"});
}

TEST_F(S2sOutBidi, dialback_by_the_other_side_is_answered) {
  ready();
  const std::string key = dialback_key(secret, "there.example", "here.example", "9");
  EXPECT_NE(says("<verify xmlns='jabber:server:dialback' from='there.example' to='here.example' id='9'>" + key +
                 "</verify>")[0]
                .find("type='valid'"),
            std::string::npos);
  EXPECT_NE(says("<verify xmlns='jabber:server:dialback' from='there.example' to='here.example' id='8'>" + key +
                 "</verify>")[0]
                .find("type='invalid'"),
            std::string::npos);
  const std::string refused =
      says("<result xmlns='jabber:server:dialback' from='else.example' to='here.example'>k</result>")[0];
  EXPECT_NE(refused.find("type='error'"), std::string::npos);
  EXPECT_NE(refused.find("policy-violation"), std::string::npos);
}

TEST_F(S2sOutTest, an_error_of_the_other_side_says_why) {
  machine.start();
  did(machine.opened(header("version='1.0'")));
  EXPECT_EQ(says("<error xmlns='http://etherx.jabber.org/streams'><host-unknown "
                 "xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></error>"),
            Lines{"given up: it ended the stream with host-unknown"});
}

}  // namespace
}  // namespace kith::stream
