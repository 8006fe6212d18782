#include "sasl/mechanism.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/encoding.h"
#include "sasl/scram.h"
#include "sasl/test_client.h"
#include "sasl/token.h"

namespace kith::sasl {
namespace {

const std::string exporter_bytes = std::string("\x01\x00,=\xff exporter", 13);
const std::string end_point_bytes = std::string(32, '\x7e');

ChannelBindings both_bindings() {
  return {{"tls-exporter", exporter_bytes}, {"tls-server-end-point", end_point_bytes}};
}

MechanismContext context_with(ChannelBindings bindings) {
  std::vector<std::string> offered = offered_mechanisms(true, bindings);
  return {.domain = "example.org", .tls = true, .bindings = std::move(bindings), .offered = std::move(offered)};
}

/// Keys of "pencil", made once: deriving is the slow part.
const Credentials& pencil() {
  static const Credentials credentials = [] {
    SeededRandom random(42);
    return derive_all(Secret("pencil"), random, 64);
  }();
  return credentials;
}

std::string challenge_of(const Step& step) {
  const auto* challenge = std::get_if<Challenge>(&step);
  return challenge == nullptr ? "(no challenge)" : challenge->bytes;
}

std::string failure_of(const Step& step) {
  const auto* failed = std::get_if<Failed>(&step);
  return failed == nullptr ? "(no failure)" : std::string(wire_word(failed->failure));
}

std::string account_asked_for(const Step& step) {
  if (const auto* need = std::get_if<NeedCredentials>(&step)) return need->bare.text();
  if (const auto* need = std::get_if<NeedPasswordCheck>(&step)) return need->bare.text();
  return "(nobody: " + failure_of(step) + ")";
}

/// The kind of step, for comparing two exchanges as an eavesdropping client would.
std::string kind_of(const Step& step) {
  if (std::holds_alternative<Challenge>(step)) return "challenge";
  if (std::holds_alternative<NeedCredentials>(step)) return "keys";
  if (std::holds_alternative<NeedPasswordCheck>(step)) return "check";
  if (std::holds_alternative<Success>(step)) return "success";
  return failure_of(step);
}

std::unique_ptr<Mechanism> make(std::string_view name, MechanismContext context = context_with(both_bindings())) {
  SeededRandom random(7);
  std::unique_ptr<Mechanism> mechanism = make_mechanism(name, std::move(context), random);
  EXPECT_NE(mechanism, nullptr) << name;
  return mechanism;
}

struct Binding {
  std::string gs2_header;
  std::string data;
};

/// Client and server against each other to the end; the last step.
Step converse(std::string_view mechanism_name, Hash hash, const Binding& binding, const std::string& password,
              const Credentials& credentials = pencil(), bool known = true,
              MechanismContext context = context_with(both_bindings()), std::string* expected = nullptr) {
  const std::unique_ptr<Mechanism> server = make(mechanism_name, std::move(context));
  ScramClient client({.hash = hash,
                      .name = "alice",
                      .password = password,
                      .gs2_header = binding.gs2_header,
                      .binding_data = binding.data});
  Step step = server->respond(client.first());
  if (!std::holds_alternative<NeedCredentials>(step)) return step;
  step = server->credentials(credentials, known);
  const std::optional<std::string> answer = client.final(challenge_of(step));
  if (!answer) return step;
  if (expected != nullptr) *expected = client.expected_server_final();
  return server->respond(*answer);
}

TEST(Offer, strongest_first_and_bound_before_unbound) {
  const std::vector<std::string> all{"SCRAM-SHA-512-PLUS",
                                     "SCRAM-SHA-256-PLUS",
                                     "SCRAM-SHA-1-PLUS",
                                     "SCRAM-SHA-512",
                                     "SCRAM-SHA-256",
                                     "SCRAM-SHA-1",
                                     "PLAIN"};
  EXPECT_EQ(offered_mechanisms(true, both_bindings()), all);
}

TEST(Offer, no_binding_no_plus_and_no_tls_no_plain) {
  EXPECT_EQ(offered_mechanisms(true, {}),
            (std::vector<std::string>{"SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"}));
  EXPECT_EQ(offered_mechanisms(false, {}), (std::vector<std::string>{"SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1"}));
}

TEST(Offer, what_was_not_offered_is_not_made) {
  SeededRandom random(1);
  EXPECT_EQ(make_mechanism("ANONYMOUS", context_with({}), random), nullptr);
  EXPECT_EQ(make_mechanism("SCRAM-SHA-256-PLUS", context_with({}), random), nullptr);
  EXPECT_EQ(make_mechanism("scram-sha-256", context_with({}), random), nullptr);
  MechanismContext clear{.domain = "example.org", .offered = offered_mechanisms(false, {})};
  EXPECT_EQ(make_mechanism("PLAIN", clear, random), nullptr);
  clear.offered = {"OAUTHBEARER"};
  EXPECT_EQ(make_mechanism("OAUTHBEARER", clear, random), nullptr);
}

TEST(Scram, rfc5802_section_5_example) {
  Credentials credentials;
  credentials.sha1 = derive(Hash::sha1, Secret("pencil"), *base64_decode("QSXCR+Q6sek8bf92"), 4096);
  Scram server(Hash::sha1, false, {.domain = "example.org", .tls = true}, "3rfcNHYJY1ZVvWVs7j");
  EXPECT_EQ(account_asked_for(server.respond("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL")), "user@example.org");
  EXPECT_EQ(challenge_of(server.credentials(credentials, true)),
            "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096");
  const Step last =
      server.respond("c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=");
  ASSERT_TRUE(std::holds_alternative<Success>(last)) << failure_of(last);
  EXPECT_EQ(std::get<Success>(last).bytes, "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=");
  EXPECT_EQ(std::get<Success>(last).bare.text(), "user@example.org");
}

TEST(Scram, xep0474_example) {
  MechanismContext context{.domain = "example.org",
                           .tls = true,
                           .bindings = both_bindings(),
                           .offered = {"SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"}};
  context.bindings.emplace("tls-unique", "not told");
  Scram server(Hash::sha1, false, context, "a09117a6");
  server.respond("n,,n=user,r=12C4CD5C");
  EXPECT_THAT(challenge_of(server.credentials(pencil(), true)), ::testing::EndsWith(",h=G6k/rBLDqgOhRRaCuuatSDFkJ08="));
}

TEST(Scram, rfc7677_section_3_example) {
  Credentials credentials;
  credentials.sha256 = derive(Hash::sha256, Secret("pencil"), *base64_decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096);
  Scram server(Hash::sha256, false, {.domain = "example.org", .tls = true}, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
  EXPECT_EQ(account_asked_for(server.respond("n,,n=user,r=rOprNGfwEbeRWgbNEkqO")), "user@example.org");
  EXPECT_EQ(challenge_of(server.credentials(credentials, true)),
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
  const Step last = server.respond(
      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
      "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
  ASSERT_TRUE(std::holds_alternative<Success>(last)) << failure_of(last);
  EXPECT_EQ(std::get<Success>(last).bytes, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

struct Case {
  std::string name;
  Hash hash;
  Binding binding;
};

std::vector<Case> good_cases() {
  std::vector<Case> cases;
  const std::vector<std::pair<std::string, Hash>> hashes{
      {"SCRAM-SHA-1", Hash::sha1}, {"SCRAM-SHA-256", Hash::sha256}, {"SCRAM-SHA-512", Hash::sha512}};
  for (const auto& [name, hash] : hashes) {
    cases.push_back({name, hash, {"n,,", {}}});
    cases.push_back({name, hash, {"n,a=alice@example.org,", {}}});
    cases.push_back({name + "-PLUS", hash, {"p=tls-exporter,,", exporter_bytes}});
    cases.push_back({name + "-PLUS", hash, {"p=tls-server-end-point,,", end_point_bytes}});
  }
  return cases;
}

TEST(Scram, every_hash_and_binding_logs_in_with_the_password) {
  for (const Case& good : good_cases()) {
    std::string expected;
    const Step last = converse(good.name, good.hash, good.binding, "pencil", pencil(), true,
                               context_with(both_bindings()), &expected);
    ASSERT_TRUE(std::holds_alternative<Success>(last)) << good.name << good.binding.gs2_header << failure_of(last);
    EXPECT_EQ(std::get<Success>(last).bare.text(), "alice@example.org");
    EXPECT_EQ(std::get<Success>(last).bytes, expected);
  }
}

TEST(Scram, every_hash_and_binding_refuses_another_password) {
  for (const Case& good : good_cases()) {
    const Step last = converse(good.name, good.hash, good.binding, "crayon");
    EXPECT_EQ(failure_of(last), "not-authorized") << good.name;
    EXPECT_EQ(std::get<Failed>(last).bare->text(), "alice@example.org");
  }
}

TEST(Scram, a_client_that_can_bind_may_say_so_where_no_plus_was_offered) {
  EXPECT_EQ(kind_of(converse("SCRAM-SHA-256", Hash::sha256, {"y,,", {}}, "pencil", pencil(), true, context_with({}))),
            "success");
}

// RFC 5802 §6: somebody in between has taken the -PLUS mechanisms out of what was offered.
TEST(Scram, a_client_that_saw_no_plus_though_it_was_offered_is_refused) {
  for (const auto& [name, hash] :
       {std::pair{"SCRAM-SHA-1", Hash::sha1}, {"SCRAM-SHA-256", Hash::sha256}, {"SCRAM-SHA-512", Hash::sha512}}) {
    EXPECT_EQ(failure_of(converse(name, hash, {"y,,", {}}, "pencil")), "not-authorized");
  }
}

TEST(Scram, a_downgrade_flag_changed_on_the_way_breaks_the_proof) {
  const auto server = make("SCRAM-SHA-256");
  ScramClient client({.hash = Hash::sha256, .name = "alice", .password = "pencil", .gs2_header = "y,,"});
  // Somebody between turns "y" into "n"; the client's `c=` still says "y".
  std::string first = client.first();
  first[0] = 'n';
  ASSERT_EQ(account_asked_for(server->respond(first)), "alice@example.org");
  const Step challenge = server->credentials(pencil(), true);
  EXPECT_EQ(failure_of(server->respond(*client.final(challenge_of(challenge)))), "not-authorized");
}

TEST(Scram, binding_data_of_another_connection_is_refused) {
  EXPECT_EQ(failure_of(converse("SCRAM-SHA-256-PLUS", Hash::sha256, {"p=tls-exporter,,", "another"}, "pencil")),
            "not-authorized");
  EXPECT_EQ(failure_of(converse("SCRAM-SHA-256-PLUS", Hash::sha256, {"p=tls-exporter,,", end_point_bytes}, "pencil")),
            "not-authorized");
  EXPECT_EQ(failure_of(converse("SCRAM-SHA-256-PLUS", Hash::sha256, {"p=tls-exporter,,", {}}, "pencil")),
            "not-authorized");
}

TEST(Scram, a_binding_that_tls_does_not_have_is_refused) {
  const auto only_end_point = context_with({{"tls-server-end-point", end_point_bytes}});
  EXPECT_EQ(failure_of(make("SCRAM-SHA-256-PLUS", only_end_point)->respond("p=tls-exporter,,n=alice,r=abc")),
            "not-authorized");
  EXPECT_EQ(failure_of(make("SCRAM-SHA-256-PLUS")->respond("p=tls-unique,,n=alice,r=abc")), "not-authorized");
}

TEST(Scram, the_mechanism_name_and_the_binding_flag_must_agree) {
  EXPECT_EQ(failure_of(make("SCRAM-SHA-256-PLUS")->respond("n,,n=alice,r=abc")), "malformed-request");
  EXPECT_EQ(failure_of(make("SCRAM-SHA-256-PLUS")->respond("y,,n=alice,r=abc")), "malformed-request");
  EXPECT_EQ(failure_of(make("SCRAM-SHA-256")->respond("p=tls-exporter,,n=alice,r=abc")), "malformed-request");
}

TEST(Scram, without_an_initial_response_an_empty_challenge_asks_for_it) {
  const auto server = make("SCRAM-SHA-256");
  EXPECT_EQ(challenge_of(server->respond(std::nullopt)), "");
  EXPECT_EQ(account_asked_for(server->respond("n,,n=alice,r=abc")), "alice@example.org");
}

TEST(Scram, a_second_missing_response_is_refused) {
  const auto server = make("SCRAM-SHA-256");
  EXPECT_EQ(challenge_of(server->respond(std::nullopt)), "");
  EXPECT_EQ(failure_of(server->respond(std::nullopt)), "malformed-request");
}

TEST(Scram, first_messages_that_are_refused) {
  using namespace std::string_view_literals;
  for (const std::string_view message : {""sv,
                                         ","sv,
                                         ",,"sv,
                                         "n"sv,
                                         "n,"sv,
                                         "n,,"sv,
                                         "n,,n=alice"sv,
                                         "n,,n=alice,"sv,
                                         "n,,n=alice,r="sv,
                                         "n,,n=,r=abc"sv,
                                         "n,,r=abc,n=alice"sv,
                                         "n,,m=x,n=alice,r=abc"sv,
                                         "n,,n=alice,r=abc,m=x"sv,
                                         "n,,n=alice,r=abc,"sv,
                                         "n,,n=alice,r=abc,x"sv,
                                         "n,,n=alice,r=abc,1=x"sv,
                                         "n,,n=alice,r=a b"sv,
                                         "n,,n=alice,r=a\x7f"sv,
                                         "n,,n=al=ice,r=abc"sv,
                                         "n,,n=alice=2c,r=abc"sv,
                                         "n,,n=alice=,r=abc"sv,
                                         "n,,n=alice=2,r=abc"sv,
                                         "n,a=,n=alice,r=abc"sv,
                                         "n,b=alice,n=alice,r=abc"sv,
                                         "n,a=x=y,n=alice,r=abc"sv,
                                         "x,,n=alice,r=abc"sv,
                                         "N,,n=alice,r=abc"sv,
                                         "p=,,n=alice,r=abc"sv,
                                         "n,,n=ali\0ce,r=abc"sv,
                                         "n,,n=ali\xff,r=abc"sv,
                                         " n,,n=alice,r=abc"sv}) {
    EXPECT_EQ(failure_of(make("SCRAM-SHA-256")->respond(message)), "malformed-request") << message;
  }
}

TEST(Scram, optional_extensions_are_ignored) {
  EXPECT_EQ(account_asked_for(make("SCRAM-SHA-256")->respond("n,,n=alice,r=abc,x=1,Y=z=")), "alice@example.org");
}

TEST(Scram, an_extension_in_the_final_message_is_part_of_what_is_proved) {
  const auto server = make("SCRAM-SHA-256");
  ScramClient client({.hash = Hash::sha256, .name = "alice", .password = "pencil"});
  server->respond(client.first());
  const std::string challenge = challenge_of(server->credentials(pencil(), true));
  EXPECT_EQ(kind_of(server->respond(*client.final(challenge, ",x=1"))), "success");
}

TEST(Scram, the_name_is_unescaped_and_prepared) {
  EXPECT_EQ(account_asked_for(make("SCRAM-SHA-256")->respond("n,,n=ALICE,r=abc")), "alice@example.org");
  EXPECT_EQ(account_asked_for(make("SCRAM-SHA-256")->respond("n,,n=a=2Cb=3Dc,r=abc")), "a,b=c@example.org");
}

TEST(Scram, a_bare_address_of_this_domain_is_taken_for_its_localpart) {
  EXPECT_EQ(account_asked_for(make("SCRAM-SHA-256")->respond("n,,n=alice@Example.ORG,r=abc")), "alice@example.org");
  EXPECT_EQ(failure_of(make("SCRAM-SHA-256")->respond("n,,n=alice@example.net,r=abc")), "not-authorized");
  EXPECT_EQ(failure_of(make("SCRAM-SHA-256")->respond("n,,n=@example.org,r=abc")), "not-authorized");
  EXPECT_EQ(failure_of(make("SCRAM-SHA-256")->respond("n,,n=alice@example.org/x,r=abc")), "not-authorized");
}

TEST(Scram, a_name_that_no_account_can_have_is_refused_at_once) {
  EXPECT_EQ(failure_of(make("SCRAM-SHA-256")->respond("n,,n=al ice,r=abc")), "not-authorized");
  EXPECT_EQ(failure_of(make("SCRAM-SHA-256")->respond("n,,n=al/ice,r=abc")), "not-authorized");
}

TEST(Scram, nobody_acts_for_somebody_else) {
  EXPECT_EQ(failure_of(make("SCRAM-SHA-256")->respond("n,a=bob@example.org,n=alice,r=abc")), "invalid-authzid");
  EXPECT_EQ(failure_of(make("SCRAM-SHA-256")->respond("n,a=alice@example.net,n=alice,r=abc")), "invalid-authzid");
  EXPECT_EQ(failure_of(make("SCRAM-SHA-256")->respond("n,a=alice@example.org/r,n=alice,r=abc")), "invalid-authzid");
  EXPECT_EQ(failure_of(make("SCRAM-SHA-256")->respond("n,a=alice,n=alice,r=abc")), "invalid-authzid");
  EXPECT_EQ(account_asked_for(make("SCRAM-SHA-256")->respond("n,a=Alice@EXAMPLE.org,n=alice,r=abc")),
            "alice@example.org");
}

/// The server's machine up to its challenge, and the client's good answer to it.
struct Midway {
  std::unique_ptr<Mechanism> server;
  std::string challenge;
  std::string answer;
};
Midway midway() {
  Midway out{make("SCRAM-SHA-256"), {}, {}};
  ScramClient client({.hash = Hash::sha256, .name = "alice", .password = "pencil"});
  out.server->respond(client.first());
  out.challenge = challenge_of(out.server->credentials(pencil(), true));
  out.answer = *client.final(out.challenge);
  return out;
}

TEST(Scram, the_servers_nonce_is_24_characters_of_base64_and_new_each_time) {
  const auto nonce_of = [](Random& random) {
    const auto server = make_mechanism("SCRAM-SHA-256", context_with({}), random);
    server->respond("n,,n=alice,r=abc");
    const std::string challenge = challenge_of(server->credentials(pencil(), true));
    return challenge.substr(5, challenge.find(",s=") - 5);
  };
  SeededRandom random(9);
  const std::string one = nonce_of(random);
  const std::string two = nonce_of(random);
  EXPECT_EQ(one.size(), 24U);
  EXPECT_TRUE(base64_decode(one));
  EXPECT_NE(one, two);
}

TEST(Scram, a_changed_byte_anywhere_in_the_final_message_fails) {
  const std::string good = midway().answer;
  for (std::size_t i = 0; i < good.size(); ++i) {
    const Midway half = midway();
    std::string changed = half.answer;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    const std::string failure = failure_of(half.server->respond(changed));
    EXPECT_TRUE(failure == "not-authorized" || failure == "malformed-request") << changed << failure;
  }
}

TEST(Scram, final_messages_that_are_malformed) {
  const std::string good = midway().answer;
  const std::string proof = good.substr(good.rfind(",p="));
  const std::string nonce = good.substr(6, good.rfind(",p=") - 6);  // ",r=…"
  ASSERT_TRUE(nonce.starts_with(",r="));
  for (const std::string& message :
       {std::string(), std::string("c=biws"), "c=biws" + nonce, "c=biws" + proof, nonce.substr(1) + proof,
        "c=biws" + nonce + ",p=", "c=biws" + nonce + ",p=AAAA", "c=biws" + nonce + proof + "=",
        "c=biws" + nonce + proof + ",x=1", "c=bi*s" + nonce + proof, "c=biws" + nonce + ",m=1" + proof,
        "c=biws" + nonce + "," + proof, "c=" + nonce + proof}) {
    EXPECT_EQ(failure_of(midway().server->respond(message)), "malformed-request") << message;
  }
  EXPECT_EQ(failure_of(midway().server->respond(std::nullopt)), "malformed-request");
}

TEST(Scram, another_nonce_is_refused) {
  const std::string good = midway().answer;
  std::string other = good;
  other.insert(other.rfind(",p="), "x");
  EXPECT_EQ(failure_of(midway().server->respond(other)), "not-authorized");
}

TEST(Scram, a_proof_of_one_exchange_is_worth_nothing_in_another) {
  const std::string answer = midway().answer;
  SeededRandom other_random(8);
  const auto server = make_mechanism("SCRAM-SHA-256", context_with(both_bindings()), other_random);
  server->respond("n,,n=alice,r=rOprNGfwEbeRWgbNEkqO");
  server->credentials(pencil(), true);
  EXPECT_EQ(failure_of(server->respond(answer)), "not-authorized");
}

TEST(Scram, after_the_end_the_machine_is_dead) {
  const Midway good = midway();
  ASSERT_EQ(kind_of(good.server->respond(good.answer)), "success");
  EXPECT_EQ(failure_of(good.server->respond(good.answer)), "malformed-request");
  EXPECT_EQ(failure_of(good.server->credentials(pencil(), true)), "malformed-request");

  const Midway bad = midway();
  ASSERT_EQ(failure_of(bad.server->respond("c=biws")), "malformed-request");
  EXPECT_EQ(failure_of(bad.server->respond(bad.answer)), "malformed-request");
  EXPECT_EQ(failure_of(bad.server->respond("n,,n=alice,r=abc")), "malformed-request");
}

TEST(Scram, a_message_while_the_keys_are_fetched_is_refused) {
  const auto server = make("SCRAM-SHA-256");
  server->respond("n,,n=alice,r=abc");
  EXPECT_EQ(failure_of(server->respond("c=biws,r=abc,p=AAAA")), "malformed-request");
  EXPECT_EQ(failure_of(server->credentials(pencil(), true)), "malformed-request");
}

TEST(Scram, keys_that_were_not_asked_for_are_refused) {
  EXPECT_EQ(failure_of(make("SCRAM-SHA-256")->credentials(pencil(), true)), "malformed-request");
  EXPECT_EQ(failure_of(make("SCRAM-SHA-256")->password_checked(true)), "temporary-auth-failure");
}

/// The kinds of steps that a client with this password sees.
std::vector<std::string> steps_of(const Credentials& credentials, bool known, const std::string& password) {
  std::vector<std::string> kinds;
  const auto server = make("SCRAM-SHA-256");
  ScramClient client({.hash = Hash::sha256, .name = "alice", .password = password});
  kinds.push_back(kind_of(server->respond(std::nullopt)));
  kinds.push_back(kind_of(server->respond(client.first())));
  const Step challenge = server->credentials(credentials, known);
  kinds.push_back(kind_of(challenge));
  kinds.push_back(kind_of(server->respond(*client.final(challenge_of(challenge)))));
  return kinds;
}

TEST(Enumeration, an_unknown_user_and_a_wrong_password_take_the_same_steps) {
  const std::vector<std::string> wrong = steps_of(pencil(), true, "crayon");
  EXPECT_EQ(wrong, (std::vector<std::string>{"challenge", "keys", "challenge", "not-authorized"}));
  EXPECT_EQ(steps_of(decoy(Secret("s"), "alice@example.org", 64), false, "crayon"), wrong);
}

TEST(Enumeration, the_challenge_of_an_unknown_user_has_the_form_of_any_other) {
  const auto challenge = [](const Credentials& credentials, bool known) {
    const auto server = make("SCRAM-SHA-256");
    server->respond("n,,n=alice,r=abc");
    return challenge_of(server->credentials(credentials, known));
  };
  const std::string of_decoy = challenge(decoy(Secret("s"), "alice@example.org", 64), false);
  EXPECT_EQ(of_decoy.size(), challenge(pencil(), true).size());
  EXPECT_EQ(of_decoy, challenge(decoy(Secret("s"), "alice@example.org", 64), false));
}

TEST(Enumeration, right_keys_of_a_disabled_account_do_not_log_in) {
  EXPECT_EQ(steps_of(pencil(), false, "pencil").back(), "not-authorized");
}

TEST(Enumeration, an_account_without_keys_of_this_hash_behaves_as_an_unknown_one) {
  Credentials sha1_only;
  sha1_only.sha1 = pencil().sha1;
  EXPECT_EQ(steps_of(sha1_only, true, "pencil"),
            (std::vector<std::string>{"challenge", "keys", "challenge", "not-authorized"}));
  const auto salt_of = [&] {
    const auto server = make("SCRAM-SHA-256");
    server->respond("n,,n=alice,r=abc");
    return challenge_of(server->credentials(sha1_only, true));
  };
  EXPECT_EQ(salt_of(), salt_of());
  EXPECT_EQ(kind_of(converse("SCRAM-SHA-1", Hash::sha1, {"n,,", {}}, "pencil", sha1_only)), "success");
}

TEST(Enumeration, damaged_keys_behave_as_missing_ones) {
  Credentials damaged = pencil();
  damaged.sha256->iterations = 0;
  EXPECT_EQ(steps_of(damaged, true, "pencil").back(), "not-authorized");
}

std::string plain(std::string_view authzid, std::string_view authcid, std::string_view password) {
  std::string message(authzid);
  message.append(1, '\0').append(authcid).append(1, '\0').append(password);
  return message;
}

TEST(Plain, asks_for_a_check_and_succeeds_with_a_right_password) {
  for (const std::string_view authzid : {"", "alice@example.org", "ALICE@Example.org"}) {
    const auto server = make("PLAIN");
    const Step step = server->respond(plain(authzid, "Alice", "pencil"));
    ASSERT_EQ(account_asked_for(step), "alice@example.org");
    EXPECT_TRUE(verify(pencil(), std::get<NeedPasswordCheck>(step).password));
    const Step last = server->password_checked(true);
    ASSERT_TRUE(std::holds_alternative<Success>(last));
    EXPECT_EQ(std::get<Success>(last).bare.text(), "alice@example.org");
    EXPECT_EQ(std::get<Success>(last).bytes, "");
  }
}

TEST(Plain, fails_with_a_wrong_password_and_names_whom_it_was_for) {
  const auto server = make("PLAIN");
  server->respond(plain("", "alice", "crayon"));
  const Step last = server->password_checked(false);
  ASSERT_EQ(failure_of(last), "not-authorized");
  EXPECT_EQ(std::get<Failed>(last).bare->text(), "alice@example.org");
}

TEST(Plain, without_an_initial_response_an_empty_challenge_asks_for_it) {
  const auto server = make("PLAIN");
  EXPECT_EQ(challenge_of(server->respond(std::nullopt)), "");
  EXPECT_EQ(account_asked_for(server->respond(plain("", "alice", "pencil"))), "alice@example.org");
  const auto other = make("PLAIN");
  other->respond(std::nullopt);
  EXPECT_EQ(failure_of(other->respond(std::nullopt)), "malformed-request");
}

// An advisory of ejabberd's taught it: who reads more out of the message can be told two users by it.
TEST(Plain, exactly_three_fields) {
  using namespace std::string_view_literals;
  for (const std::string_view message : {""sv, "alice"sv, "\0"sv, "\0\0"sv, "\0alice"sv, "\0alice\0"sv, "\0\0pencil"sv,
                                         "\0alice\0pencil\0"sv, "\0alice\0pen\0cil"sv, "\0\0alice\0pencil"sv,
                                         "alice@example.org\0alice\0pencil\0bob"sv, "\0al\xffice\0pencil"sv}) {
    EXPECT_EQ(failure_of(make("PLAIN")->respond(message)), "malformed-request") << message;
  }
}

TEST(Plain, nobody_acts_for_somebody_else) {
  for (const std::string_view authzid :
       {"bob@example.org", "alice", "alice@example.net", "alice@example.org/phone", "example.org", "@"}) {
    EXPECT_EQ(failure_of(make("PLAIN")->respond(plain(authzid, "alice", "pencil"))), "invalid-authzid") << authzid;
  }
}

TEST(Plain, names_and_passwords_that_nobody_can_have_are_refused) {
  EXPECT_EQ(failure_of(make("PLAIN")->respond(plain("", "al ice", "pencil"))), "not-authorized");
  EXPECT_EQ(failure_of(make("PLAIN")->respond(plain("", "alice@example.net", "pencil"))), "not-authorized");
  EXPECT_EQ(failure_of(make("PLAIN")->respond(plain("", "alice", "pen\x07"))), "not-authorized");
}

TEST(Plain, is_refused_without_tls_even_if_it_was_offered) {
  MechanismContext context = context_with({});
  context.tls = false;
  EXPECT_EQ(failure_of(make("PLAIN", context)->respond(plain("", "alice", "pencil"))), "encryption-required");
}

TEST(Plain, after_the_end_the_machine_is_dead) {
  const auto server = make("PLAIN");
  server->respond(plain("", "alice", "pencil"));
  ASSERT_EQ(kind_of(server->password_checked(true)), "success");
  EXPECT_EQ(failure_of(server->respond(plain("", "alice", "pencil"))), "malformed-request");
  EXPECT_EQ(failure_of(server->password_checked(true)), "malformed-request");
}

TEST(Plain, a_message_while_the_password_is_checked_is_refused) {
  const auto server = make("PLAIN");
  server->respond(plain("", "alice", "pencil"));
  EXPECT_EQ(failure_of(server->respond(plain("", "bob", "pencil"))), "malformed-request");
  EXPECT_EQ(failure_of(server->password_checked(true)), "malformed-request");
}

TEST(Failure, words_are_those_of_rfc6120) {
  EXPECT_EQ(wire_word(Failure::aborted), "aborted");
  EXPECT_EQ(wire_word(Failure::account_disabled), "account-disabled");
  EXPECT_EQ(wire_word(Failure::credentials_expired), "credentials-expired");
  EXPECT_EQ(wire_word(Failure::encryption_required), "encryption-required");
  EXPECT_EQ(wire_word(Failure::incorrect_encoding), "incorrect-encoding");
  EXPECT_EQ(wire_word(Failure::invalid_authzid), "invalid-authzid");
  EXPECT_EQ(wire_word(Failure::invalid_mechanism), "invalid-mechanism");
  EXPECT_EQ(wire_word(Failure::malformed_request), "malformed-request");
  EXPECT_EQ(wire_word(Failure::mechanism_too_weak), "mechanism-too-weak");
  EXPECT_EQ(wire_word(Failure::not_authorized), "not-authorized");
  EXPECT_EQ(wire_word(Failure::temporary_auth_failure), "temporary-auth-failure");
}

// --- HT-SHA-256-* (XEP-0484)
// -------------------------------------------------------------------------------------------------------

TEST(HashedToken, wants_a_name_and_a_proof_in_one_message) {
  const auto respond = [](std::optional<std::string_view> message) {
    const auto machine = make_token_mechanism("HT-SHA-256-NONE", context_with({}));
    return machine->respond(message);
  };
  EXPECT_EQ(failure_of(respond(std::nullopt)), "malformed-request");
  EXPECT_EQ(failure_of(respond("alice")), "malformed-request");
  EXPECT_EQ(failure_of(respond(std::string_view("\0proof", 6))), "malformed-request");
  EXPECT_EQ(failure_of(respond(std::string_view("\xFF\0proof", 7))), "malformed-request");
  EXPECT_EQ(failure_of(respond(std::string_view("a b\0proof", 9))), "not-authorized");
  EXPECT_TRUE(std::holds_alternative<NeedTokens>(respond(std::string_view("alice\0proof", 11))));
}

TEST(HashedToken, is_not_made_without_tls_or_its_binding) {
  EXPECT_EQ(make_token_mechanism("HT-SHA-256-EXPR", context_with({})), nullptr);
  EXPECT_EQ(make_token_mechanism("SCRAM-SHA-1", context_with(both_bindings())), nullptr);
  EXPECT_EQ(make_token_mechanism("HT-SHA-256-NONE", {.domain = "example.org"}), nullptr);
  EXPECT_EQ(offered_token_mechanisms(both_bindings()),
            (std::vector<std::string>{"HT-SHA-256-EXPR", "HT-SHA-256-ENDP", "HT-SHA-256-NONE"}));
  EXPECT_EQ(offered_token_mechanisms({}), std::vector<std::string>{"HT-SHA-256-NONE"});
}

TEST(HashedToken, each_account_client_and_seed_has_its_own_text) {
  const Secret secret("s");
  std::set<std::string> texts;
  for (const char* account : {"a@example.org", "b@example.org"}) {
    for (const char* client : {"x", "y"}) {
      for (const char* seed : {"1", "2"}) texts.emplace(derive_token(secret, account, client, seed).reveal());
    }
  }
  EXPECT_EQ(texts.size(), 8U);
  EXPECT_FALSE(texts.contains(std::string(derive_token(Secret("t"), "a@example.org", "x", "1").reveal())));
}

}  // namespace
}  // namespace kith::sasl
