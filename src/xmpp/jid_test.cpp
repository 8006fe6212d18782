#include "xmpp/jid.h"

#include <unordered_set>
#include <vector>

#include <gtest/gtest.h>

namespace kith::xmpp {
namespace {

std::string parsed(std::string_view text) {
  const std::optional<Jid> jid = Jid::parse(text);
  return jid ? jid->text() : "(no address)";
}
std::string local(std::string_view text) { return prepare_localpart(text).value_or("(none)"); }
std::string domain(std::string_view text) { return prepare_domainpart(text).value_or("(none)"); }
std::string resource(std::string_view text) { return prepare_resourcepart(text).value_or("(none)"); }

TEST(Jid, is_taken_apart_at_the_first_slash_and_then_the_first_at) {
  const std::optional<Jid> jid = Jid::parse("juliet@example.com/foo@bar/baz");
  ASSERT_TRUE(jid);
  EXPECT_EQ(jid->localpart(), "juliet");
  EXPECT_EQ(jid->domainpart(), "example.com");
  EXPECT_EQ(jid->resourcepart(), "foo@bar/baz");
  EXPECT_EQ(jid->bare_text(), "juliet@example.com");
  EXPECT_TRUE(jid->is_full());
}

TEST(Jid, of_a_domain_has_no_other_part) {
  const std::optional<Jid> jid = Jid::parse("example.com");
  ASSERT_TRUE(jid);
  EXPECT_EQ(jid->localpart(), "");
  EXPECT_EQ(jid->domainpart(), "example.com");
  EXPECT_EQ(jid->resourcepart(), "");
  EXPECT_TRUE(jid->is_bare());
  EXPECT_FALSE(jid->has_localpart());
}

TEST(Jid, of_a_domain_with_resource_has_no_localpart) {
  const std::optional<Jid> jid = Jid::parse("example.com/a@b");
  ASSERT_TRUE(jid);
  EXPECT_EQ(jid->localpart(), "");
  EXPECT_EQ(jid->domainpart(), "example.com");
  EXPECT_EQ(jid->resourcepart(), "a@b");
}

// RFC 7622 §3.5, table 1.
TEST(Jid, rfc7622_table_1_valid_addresses) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"juliet@example.com", "juliet@example.com"},
      {"juliet@example.com/foo", "juliet@example.com/foo"},
      {"juliet@example.com/foo bar", "juliet@example.com/foo bar"},
      {"juliet@example.com/foo@bar", "juliet@example.com/foo@bar"},
      {"foo\\20bar@example.com", "foo\\20bar@example.com"},
      {"fussball@example.com", "fussball@example.com"},
      {"fu\u00DFball@example.com", "fussball@example.com"},  // case folding, see prepare_localpart
      {"\u03C0@example.com", "\u03C0@example.com"},
      {"\u03A3@example.com/foo", "\u03C3@example.com/foo"},
      {"\u03C3@example.com/foo", "\u03C3@example.com/foo"},
      {"\u03C2@example.com/foo", "\u03C3@example.com/foo"},
      {"king@example.com/\u265A", "king@example.com/\u265A"},
      {"example.com", "example.com"},
      {"example.com/foobar", "example.com/foobar"},
      {"a.example.com/b@example.net", "a.example.com/b@example.net"},
  };
  for (const auto& [text, expected] : rows) EXPECT_EQ(parsed(text), expected) << text;
}

// RFC 7622 §3.5, table 2, but for three rows: `henryⅣ@…` and `♚@…` (20, 21), which stringprep's servers accept (see
// prepare_localpart), and `…/ foo` (18), see resource_may_begin_with_a_space.
TEST(Jid, rfc7622_table_2_invalid_addresses) {
  for (const std::string_view text :
       {"\"juliet\"@example.com", "foo bar@example.com", "@example.com", "user@example.com/", "/foo", "", "@", "@/",
        "juliet@", "juliet@example.com@example.org", "juliet@/foo", "a b", "juliet@exam ple.com"}) {
    EXPECT_EQ(parsed(text), "(no address)") << text;
  }
}

// Row 18 of the same table calls it invalid, but the profile that RFC 7622 §3.4 prescribes allows it (OpaqueString, RFC
// 8265 §4.2, keeps spaces; only Nickname strips them), as resourceprep did; so clients may have such resources.
TEST(Jid, resource_may_begin_with_a_space) { EXPECT_EQ(parsed("juliet@example.com/ foo"), "juliet@example.com/ foo"); }

TEST(Jid, folds_localpart_and_domain_but_keeps_the_resource) {
  EXPECT_EQ(parsed("Juliet@EXAMPLE.com/Balcony"), "juliet@example.com/Balcony");
}

TEST(Jid, from_parts_leaves_out_empty_parts) {
  EXPECT_EQ(Jid::from_parts("", "Example.com")->text(), "example.com");
  EXPECT_EQ(Jid::from_parts("A", "example.com")->text(), "a@example.com");
  EXPECT_EQ(Jid::from_parts("", "example.com", "R")->text(), "example.com/R");
  EXPECT_FALSE(Jid::from_parts("a", ""));
  EXPECT_FALSE(Jid::from_parts("a@b", "example.com"));
  EXPECT_FALSE(Jid::from_parts("a", "example.com/b"));
}

TEST(Jid, from_stored_is_not_prepared_again) {
  const Jid jid = Jid::from_stored("stra\u00DFe@example.org/x");
  EXPECT_EQ(jid.localpart(), "stra\u00DFe");
  EXPECT_EQ(jid.domainpart(), "example.org");
  EXPECT_EQ(jid.resourcepart(), "x");
}

TEST(Jid, bare_and_full_are_types_that_cannot_hold_the_other) {
  EXPECT_FALSE(BareJid::parse("a@example.org/r"));
  EXPECT_FALSE(FullJid::parse("a@example.org"));
  const std::optional<FullJid> full = FullJid::parse("A@example.org/R");
  ASSERT_TRUE(full);
  EXPECT_EQ(full->bare().text(), "a@example.org");
  EXPECT_EQ(FullJid::of(full->bare(), "R"), full);
  EXPECT_FALSE(FullJid::of(full->bare(), ""));
  EXPECT_FALSE(FullJid::of(full->bare(), std::string_view("\x01", 1)));
  EXPECT_FALSE(FullJid::of(static_cast<const Jid&>(full->bare())));
}

TEST(Jid, equal_spellings_hash_alike) {
  std::unordered_set<Jid> seen;
  for (const char* text : {"a@example.org", "A@EXAMPLE.ORG", "a@example.org."}) seen.insert(*Jid::parse(text));
  EXPECT_EQ(seen.size(), 1U);
}

TEST(Jid, fits_into_40_bytes) { EXPECT_EQ(sizeof(Jid), 40U); }

TEST(Jid, parts_have_1_to_1023_bytes) {
  EXPECT_TRUE(prepare_localpart(std::string(1023, 'a')));
  EXPECT_FALSE(prepare_localpart(std::string(1024, 'a')));
  EXPECT_FALSE(prepare_localpart(""));
  EXPECT_TRUE(prepare_resourcepart(std::string(1023, 'a')));
  EXPECT_FALSE(prepare_resourcepart(std::string(1024, 'a')));
  EXPECT_FALSE(prepare_resourcepart(""));
  std::string umlauts;
  for (int i = 0; i < 512; ++i) umlauts += "\u00E4";
  EXPECT_FALSE(prepare_localpart(umlauts));
  EXPECT_FALSE(prepare_resourcepart(umlauts));
  umlauts.resize(1022);
  EXPECT_TRUE(prepare_localpart(umlauts));
  std::string labels;
  for (int i = 0; i < 512; ++i) labels += "a.";
  EXPECT_FALSE(prepare_domainpart(labels + "a"));
  EXPECT_TRUE(prepare_domainpart(labels));  // 1023 without the final dot
}

TEST(Jid, a_part_of_megabytes_is_refused_unread) {
  std::string soft_hyphens;
  for (int i = 0; i < 1'000'000; ++i) soft_hyphens += "\u00AD";
  EXPECT_FALSE(prepare_localpart("a" + soft_hyphens));
  EXPECT_FALSE(prepare_domainpart("a" + soft_hyphens));
  EXPECT_FALSE(prepare_resourcepart("a" + soft_hyphens));
}

TEST(Localpart, refuses_what_rfc7622_forbids_in_ascii) {
  for (const char c : std::string_view("\"&'/:<>@ \x01\x1f\x7f\n")) {
    EXPECT_FALSE(prepare_localpart(std::string("a") + c)) << static_cast<int>(c);
    EXPECT_FALSE(prepare_localpart(std::string("\u00E4") + c)) << static_cast<int>(c);
  }
  EXPECT_FALSE(prepare_localpart(std::string_view("a\0b", 3)));
  EXPECT_EQ(local("!#$%()*+,-.;=?[\\]^_`{|}~"), "!#$%()*+,-.;=?[\\]^_`{|}~");
}

TEST(Localpart, folds_case_as_nodeprep_does) {
  EXPECT_EQ(local("STRASSE"), "strasse");
  EXPECT_EQ(local("Stra\u00DFe"), "strasse");
  EXPECT_EQ(local("\u00C4\u00D6\u00DC"), "\u00E4\u00F6\u00FC");
  EXPECT_EQ(local("\u03A3\u0391\u03A3"), "\u03C3\u03B1\u03C3");
  EXPECT_EQ(local("\u0416\u0423\u041A"), "\u0436\u0443\u043A");
}

TEST(Localpart, maps_full_width_and_compatibility_forms) {
  EXPECT_EQ(local("\uFF21\uFF4C\uFF49\uFF43\uFF45"), "alice");
  EXPECT_EQ(local("\uFB01sh"), "fish");
  EXPECT_EQ(local("henry\u2163"), "henryiv");
  EXPECT_EQ(local("\uFF76\uFF9E"), "\u30AC");  // half-width KA and voiced mark
}

TEST(Localpart, is_composed) { EXPECT_EQ(local("a\u0308"), "\u00E4"); }

TEST(Localpart, drops_what_nobody_can_see) {
  EXPECT_EQ(local("al\u00ADice"), "alice");
  EXPECT_EQ(local("al\u200Bice\uFEFF"), "alice");
  EXPECT_EQ(local("al\uFE0Fice"), "alice");
  EXPECT_EQ(local("\u200D"), "(none)");
}

TEST(Localpart, refuses_a_forbidden_character_that_only_folding_brings_out) {
  EXPECT_EQ(local("a\uFF20b"), "(none)");  // FULLWIDTH COMMERCIAL AT
  EXPECT_EQ(local("a\uFF0Fb"), "(none)");  // FULLWIDTH SOLIDUS
  EXPECT_EQ(local("\u2100"), "(none)");    // ACCOUNT OF: a/c
  EXPECT_EQ(local("\u00A8"), "(none)");    // DIAERESIS: a space and a mark
}

TEST(Localpart, refuses_spaces_controls_private_use_and_unassigned) {
  for (const char* text : {"a\u00A0b", "a\u3000b", "a\u0085", "a\u202Eb", "a\u200Eb", "\uE000", "\U000E0061", "\u0378",
                           "\uFFFD", "\uFFFF", "\u2028", "\u2FF0", "a\u2060\u2061"}) {
    EXPECT_EQ(local(text), "(none)") << text;
  }
}

TEST(Localpart, refuses_ill_formed_utf8) {
  for (const char* text : {"\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "a\x80"}) {
    EXPECT_EQ(local(text), "(none)");
    EXPECT_EQ(resource(text), "(none)");
    EXPECT_EQ(domain(text), "(none)");
  }
}

TEST(Localpart, accepts_symbols_that_exist_elsewhere_but_no_new_account_has_them) {
  EXPECT_EQ(local("i\u2665you"), "i\u2665you");
  EXPECT_FALSE(is_identifier_localpart("i\u2665you"));
  EXPECT_TRUE(is_identifier_localpart("alice"));
  EXPECT_TRUE(is_identifier_localpart("z\u00FCrich"));
  EXPECT_TRUE(is_identifier_localpart("\u05D0\u05D1"));
  EXPECT_FALSE(is_identifier_localpart(""));
  EXPECT_FALSE(is_identifier_localpart("a b"));
  EXPECT_FALSE(is_identifier_localpart("\u2163"));  // ROMAN NUMERAL FOUR
  EXPECT_FALSE(is_identifier_localpart("\u1100"));  // HANGUL CHOSEONG KIYEOK
}

TEST(Localpart, of_a_new_account_keeps_the_context_rules) {
  EXPECT_TRUE(is_identifier_localpart("col\u00B7lapse"));
  EXPECT_FALSE(is_identifier_localpart("a\u00B7b"));
  EXPECT_TRUE(is_identifier_localpart("\u0375\u03B1"));
  EXPECT_FALSE(is_identifier_localpart("\u0375a"));
  EXPECT_TRUE(is_identifier_localpart("\u05D0\u05F3"));
  EXPECT_FALSE(is_identifier_localpart("\u05F3\u05D0"));
  EXPECT_TRUE(is_identifier_localpart("\u30A2\u30FB\u30A2"));
  EXPECT_FALSE(is_identifier_localpart("a\u30FBb"));
  EXPECT_TRUE(is_identifier_localpart("\u0627\u0661\u0662"));
  EXPECT_FALSE(is_identifier_localpart("\u0627\u0661\u06F2"));
}

TEST(Localpart, keeps_one_of_the_two_bidi_rules) {
  EXPECT_EQ(local("\u05D0\u05D1\u05D2"), "\u05D0\u05D1\u05D2");
  EXPECT_EQ(local("\u05D0\u05D11"), "\u05D0\u05D11");              // ends in a digit: RFC 5893 alone
  EXPECT_EQ(local("\u0627\u06611\u0628"), "\u0627\u06611\u0628");  // both kinds of digits: stringprep alone
  EXPECT_EQ(local("\u05D0a\u05D1"), "(none)");
  EXPECT_EQ(local("a\u05D0"), "(none)");
  EXPECT_EQ(local("1\u05D0"), "(none)");
}

TEST(Domainpart, is_lower_case_and_has_no_final_dot) {
  EXPECT_EQ(domain("Example.ORG"), "example.org");
  EXPECT_EQ(domain("example.org."), "example.org");
  EXPECT_EQ(domain("my_host.local"), "my_host.local");
  EXPECT_EQ(domain("localhost"), "localhost");
}

TEST(Domainpart, refuses_what_is_no_host_name) {
  for (const char* text : {"", ".", "..", "a..b", ".a", "a..", "-a.b", "a-.b", "a b", "a@b", "a/b", "a:1", "exa%mple",
                           "a\n", "a\u00A0b", "\u2100.org"}) {
    EXPECT_EQ(domain(text), "(none)") << text;
  }
  EXPECT_EQ(domain(std::string(64, 'a') + ".org"), "(none)");
  EXPECT_EQ(domain(std::string(63, 'a') + ".org"), std::string(63, 'a') + ".org");
}

TEST(Domainpart, is_kept_in_unicode) {
  EXPECT_EQ(domain("xn--mnchen-3ya.de"), "m\u00FCnchen.de");
  EXPECT_EQ(domain("XN--MNCHEN-3YA.de"), "m\u00FCnchen.de");
  EXPECT_EQ(domain("M\u00DCNCHEN.DE."), "m\u00FCnchen.de");
  EXPECT_EQ(domain("mu\u0308nchen\u3002de\u3002"), "m\u00FCnchen.de");
  EXPECT_EQ(domain("stra\u00DFe.de"), "stra\u00DFe.de");  // without transition
  EXPECT_EQ(domain("\uFF45xample.org"), "example.org");
}

TEST(Domainpart, refuses_broken_punycode_and_long_labels) {
  EXPECT_EQ(domain("xn--\u00FC.de"), "(none)");
  EXPECT_EQ(domain("xn--a.de"), "(none)");
  std::string label;
  for (int i = 0; i < 63; ++i) label += "\u00FC";
  EXPECT_EQ(domain(label + ".de"), "(none)");
}

TEST(Domainpart, may_be_an_ip_address) {
  EXPECT_EQ(domain("127.0.0.1"), "127.0.0.1");
  EXPECT_EQ(domain("[::1]"), "[::1]");
  EXPECT_EQ(domain("[2001:DB8:0:0::0001]"), "[2001:db8::1]");
  EXPECT_EQ(parsed("a@[::1]/r"), "a@[::1]/r");
  for (const char* text : {"[]", "[::1", "::1", "[::g]", "[fe80::1%eth0]", "[127.0.0.1]", "[v1.x]"}) {
    EXPECT_EQ(domain(text), "(none)") << text;
  }
}

TEST(Resourcepart, keeps_case_and_compatibility_forms) {
  EXPECT_EQ(resource("Balcony"), "Balcony");
  EXPECT_EQ(resource("Stra\u00DFe \u2163"), "Stra\u00DFe \u2163");
  EXPECT_EQ(resource("a\u0308"), "\u00E4");
}

TEST(Resourcepart, has_only_the_space_of_ascii) { EXPECT_EQ(resource("a\u00A0b\u3000c"), "a b c"); }

TEST(Resourcepart, takes_emoji_without_their_invisible_parts) {
  EXPECT_EQ(resource("\u2764\uFE0F"), "\u2764");
  EXPECT_EQ(resource("\U0001F469\u200D\U0001F4BB"), "\U0001F469\U0001F4BB");
  EXPECT_EQ(resource("\u0642\u0640\u0645\u0631"), "\u0642\u0640\u0645\u0631");  // tatweel
}

TEST(Resourcepart, refuses_controls_and_what_reorders_text) {
  for (const char* text :
       {"a\n", "\x7f", "a\u00E4\n", "a\u0085", "a\u202Eb", "\uE000", "\U000E0001", "\uFFFF", "\u200B"}) {
    EXPECT_EQ(resource(text), "(none)") << text;
  }
}

TEST(Jid, domains_are_written_in_ascii_for_certificates) {
  EXPECT_EQ(domain_to_ascii("example.org"), "example.org");
  EXPECT_EQ(domain_to_ascii("b\u00fccher.example"), "xn--bcher-kva.example");
}

}  // namespace
}  // namespace kith::xmpp
