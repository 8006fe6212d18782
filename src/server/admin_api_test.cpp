#include "server/admin_api.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace kith::server {
namespace {

using nlohmann::json;

/// Answers at once and remembers what it was asked.
class FakeActions final : public AdminActions {
 public:
  std::vector<std::string> calls;
  std::string password;
  std::optional<AdminError> failure;
  AdminAnswer<AdminStatus> waiting;  ///< the status is answered later, if `later`
  bool later = false;

  void status(AdminAnswer<AdminStatus> then) override {
    calls.emplace_back("status");
    if (later) {
      waiting = std::move(then);
      return;
    }
    answer(then, AdminStatus{.version = "1.2",
                             .started = std::chrono::sys_days{std::chrono::year{2030} / 1 / 2},
                             .domains = {"example.org"},
                             .listeners = {"[::]:5222 c2s"},
                             .shards = 2,
                             .connections = 4,
                             .sessions = 3,
                             .accounts_in_memory = 1});
  }
  void list_users(std::string domain, AdminAnswer<std::vector<AdminUser>> then) override {
    calls.push_back("list_users " + domain);
    answer(then, std::vector<AdminUser>{{.jid = *xmpp::BareJid::parse("a@example.org"),
                                         .last_seen = std::chrono::sys_days{std::chrono::year{2030} / 1 / 2}},
                                        {.jid = *xmpp::BareJid::parse("b@example.org"), .disabled = true}});
  }
  void add_user(xmpp::BareJid jid, Secret secret, AdminAnswer<AdminDone> then) override {
    calls.push_back("add_user " + jid.text());
    password = secret.reveal();
    answer(then, AdminDone{});
  }
  void set_password(xmpp::BareJid jid, Secret secret, AdminAnswer<AdminDone> then) override {
    calls.push_back("set_password " + jid.text());
    password = secret.reveal();
    answer(then, AdminDone{});
  }
  void remove_user(xmpp::BareJid jid, AdminAnswer<AdminDone> then) override {
    calls.push_back("remove_user " + jid.text());
    answer(then, AdminDone{});
  }
  void list_rooms(AdminAnswer<std::vector<AdminRoom>> then) override {
    calls.emplace_back("list_rooms");
    answer(then, std::vector<AdminRoom>{{.jid = *xmpp::BareJid::parse("coven@rooms.example.org"), .name = "Coven"}});
  }
  void room(xmpp::BareJid jid, module::RoomAdministration::Wish wish, std::string object, std::string value,
            AdminAnswer<AdminRoomLines> then) override {
    calls.push_back("room " + jid.text() + " " + std::to_string(static_cast<int>(wish)) + " " + object + "=" + value);
    answer(then, AdminRoomLines{{"roomname", "Coven"}, {"owner", "a@example.org"}});
  }
  void list_clients(xmpp::BareJid account, AdminAnswer<std::vector<module::ClientInfo>> then) override {
    calls.push_back("list_clients " + account.text());
    answer(then, std::vector<module::ClientInfo>{{.id = "d4565fa7",
                                                  .connected = true,
                                                  .by_token = true,
                                                  .first_seen = WallTime{},
                                                  .last_seen = WallTime{},
                                                  .software = "Balcony",
                                                  .device = "phone"}});
  }
  void list_uploads(std::optional<xmpp::BareJid> account, AdminAnswer<AdminUploads> then) override {
    calls.push_back("list_uploads " + (account ? account->text() : std::string()));
    answer(then, AdminUploads{.files = {{.id = "abcd",
                                         .account = "a@example.org",
                                         .name = "balcony.png",
                                         .type = "image/png",
                                         .bytes = 5,
                                         .stored = true}},
                              .usage = {.files = 2, .bytes = 7}});
  }
  void remove_upload(std::string id, AdminAnswer<AdminDone> then) override {
    calls.push_back("remove_upload " + id);
    answer(then, AdminDone{});
  }
  void list_pushes(xmpp::BareJid account, AdminAnswer<std::vector<storage::PushRecord>> then) override {
    calls.push_back("list_pushes " + account.text());
    answer(then, std::vector<storage::PushRecord>{
                     {.hour = WallTime{}, .service = "push.example", .node = "n", .sent = 3, .refused = 1}});
  }
  void end_client(xmpp::BareJid account, std::string id, AdminAnswer<AdminDone> then) override {
    calls.push_back("end_client " + account.text() + " " + id);
    answer(then, AdminDone{});
  }
  void check_keys(xmpp::BareJid account, bool mend, AdminAnswer<AdminKeys> then) override {
    calls.push_back((mend ? "mend_keys " : "check_keys ") + account.text());
    answer(then, AdminKeys{.findings = {{.problem = module::KeyFinding::Problem::closed,
                                         .node = "urn:xmpp:omemo:2:devices",
                                         .sentence = "It is closed.",
                                         .mended = mend}},
                           .devices = 2});
  }
  void list_sessions(std::optional<xmpp::BareJid> account, AdminAnswer<std::vector<AdminSession>> then) override {
    calls.push_back("list_sessions " + (account ? account->text() : "*"));
    answer(then, std::vector<AdminSession>{{.jid = *xmpp::FullJid::parse("a@example.org/r"),
                                            .address = "::1",
                                            .tls = "TLSv1.3",
                                            .mechanism = "SCRAM-SHA-256",
                                            .available = true,
                                            .priority = 5},
                                           {.jid = *xmpp::FullJid::parse("a@example.org/s")}});
  }
  void federation(AdminAnswer<AdminFederation> then) override {
    calls.emplace_back("federation");
    answer(then, AdminFederation{.streams = {{.domain = "far.example", .own = "example.org", .ready = true}},
                                 .waiting = {{.domain = "away.example",
                                              .own = "example.org",
                                              .messages = 2,
                                              .bytes = 300,
                                              .why = "it did not answer in time"}},
                                 .blocked = {"spam.example"}});
  }
  void check_server(std::string domain, AdminAnswer<AdminCheck> then) override {
    calls.push_back("check_server " + domain);
    answer(then, AdminCheck{.steps = {{.good = false, .step = "DNS", .words = "DNS knows no such domain"}}});
  }
  void retry_server(std::string domain, AdminAnswer<AdminRetry> then) override {
    calls.push_back("retry_server " + domain);
    answer(then, AdminRetry{.messages = 7});
  }
  void block_server(std::string domain, bool block, AdminAnswer<AdminDone> then) override {
    calls.push_back((block ? "block_server " : "unblock_server ") + domain);
    answer(then, AdminDone{});
  }
  void end_session(xmpp::FullJid jid, AdminAnswer<AdminDone> then) override {
    calls.push_back("end_session " + jid.text());
    answer(then, AdminDone{});
  }
  void reload(AdminAnswer<AdminReload> then) override {
    calls.emplace_back("reload");
    answer(then, AdminReload{.notes = {"Certificates were read again."}});
  }

 private:
  template <class T>
  void answer(AdminAnswer<T>& then, T value) {
    if (failure) {
      then(std::unexpected(*failure));
    } else {
      then(std::move(value));
    }
  }
};

class AdminApiTest : public testing::Test {
 protected:
  struct Result {
    int status = 0;
    json body;
    std::string text;
  };
  Result ask(std::string method, std::string target, std::string body = {}) {
    Result result;
    AdminApi api(actions);
    api.handle({std::move(method), std::move(target), std::move(body)},
               [&](AdminResponse response) { result = {response.status, json::parse(response.body), response.body}; });
    return result;
  }
  void expect_refused(const Result& result, int status, std::string_view code) {
    EXPECT_EQ(result.status, status) << result.text;
    EXPECT_EQ(result.body["error"]["code"], code);
    EXPECT_TRUE(result.body["error"]["message"].get<std::string>().ends_with('.'));
    EXPECT_TRUE(actions.calls.empty()) << actions.calls.front();
  }
  FakeActions actions;
};

TEST_F(AdminApiTest, status_is_told) {
  const Result result = ask("GET", "/v1/status");
  EXPECT_EQ(result.status, 200);
  EXPECT_EQ(result.body, json::parse(R"({"version":"1.2","started":"2030-01-02T00:00:00Z","domains":["example.org"],
    "listeners":["[::]:5222 c2s"],"shards":2,"connections":4,"sessions":3,"accounts_in_memory":1})"));
}

TEST_F(AdminApiTest, users_are_listed_for_all_domains_or_one) {
  const Result result = ask("GET", "/v1/users");
  EXPECT_EQ(result.status, 200);
  EXPECT_EQ(result.body,
            json::parse(R"({"users":[{"jid":"a@example.org","disabled":false,"last_seen":"2030-01-02T00:00:00Z"},
    {"jid":"b@example.org","disabled":true}]})"));
  ask("GET", "/v1/users?domain=M%C3%9CNCHEN.de");
  EXPECT_EQ(actions.calls, (std::vector<std::string>{"list_users ", "list_users m\u00FCnchen.de"}));
}

TEST_F(AdminApiTest, other_servers_are_told_of_checked_tried_and_blocked) {
  EXPECT_EQ(ask("GET", "/v1/federation").body,
            json::parse(R"({"streams":[{"domain":"far.example","own":"example.org","incoming":false,"ready":true}],
    "waiting":[{"domain":"away.example","own":"example.org","messages":2,"bytes":300,"why":"it did not answer in time"}],
    "blocked":["spam.example"]})"));
  EXPECT_EQ(ask("POST", "/v1/federation/Far.example/check").body,
            json::parse(R"({"steps":[{"good":false,"step":"DNS","words":"DNS knows no such domain"}]})"));
  EXPECT_EQ(ask("POST", "/v1/federation/far.example/retry").body, json::parse(R"({"messages":7})"));
  EXPECT_EQ(ask("PUT", "/v1/federation/far.example/block").status, 200);
  EXPECT_EQ(ask("DELETE", "/v1/federation/far.example/block").status, 200);
  EXPECT_EQ(actions.calls,
            (std::vector<std::string>{"federation", "check_server far.example", "retry_server far.example",
                                      "block_server far.example", "unblock_server far.example"}));
  actions.calls.clear();
  expect_refused(ask("PUT", "/v1/federation/not%20a%20domain/block"), 400, "jid-malformed");
}

TEST_F(AdminApiTest, clients_are_listed_and_ended) {
  const Result result = ask("GET", "/v1/users/a%40example.org/clients");
  EXPECT_EQ(result.status, 200);
  EXPECT_EQ(result.body, json::parse(R"({"clients":[{"id":"d4565fa7","connected":true,"token":true,"software":"Balcony",
    "device":"phone","first_seen":"1970-01-01T00:00:00Z","last_seen":"1970-01-01T00:00:00Z"}]})"));
  EXPECT_EQ(ask("DELETE", "/v1/users/a%40example.org/clients/session%2Fdesk").status, 200);
  EXPECT_EQ(actions.calls,
            (std::vector<std::string>{"list_clients a@example.org", "end_client a@example.org session/desk"}));
  actions.calls.clear();
  expect_refused(ask("GET", "/v1/users/a%20b/clients"), 400, "jid-malformed");
  expect_refused(ask("DELETE", "/v1/users/a%20b/clients/x"), 400, "jid-malformed");
}

TEST_F(AdminApiTest, what_push_services_were_told_is_listed) {
  const Result result = ask("GET", "/v1/users/a%40example.org/pushes");
  EXPECT_EQ(result.status, 200);
  EXPECT_EQ(result.body, json::parse(R"({"pushes":[{"hour":"1970-01-01T00:00:00Z","service":"push.example","node":"n",
                                                  "sent":3,"refused":1}]})"));
  EXPECT_EQ(actions.calls, std::vector<std::string>{"list_pushes a@example.org"});
  actions.calls.clear();
  expect_refused(ask("GET", "/v1/users/a%20b/pushes"), 400, "jid-malformed");
}

TEST_F(AdminApiTest, uploaded_files_are_listed_and_removed) {
  const Result result = ask("GET", "/v1/uploads");
  EXPECT_EQ(result.status, 200);
  EXPECT_EQ(result.body, json::parse(R"({"files":2,"bytes":7,"uploads":[{"id":"abcd","account":"a@example.org",
    "name":"balcony.png","type":"image/png","bytes":5,"since":"1970-01-01T00:00:00Z","until":"1970-01-01T00:00:00Z"}]})"));
  EXPECT_EQ(ask("GET", "/v1/uploads?account=a%40example.org").status, 200);
  EXPECT_EQ(ask("DELETE", "/v1/uploads/abcd").status, 200);
  EXPECT_EQ(actions.calls,
            (std::vector<std::string>{"list_uploads ", "list_uploads a@example.org", "remove_upload abcd"}));
  actions.calls.clear();
  expect_refused(ask("GET", "/v1/uploads?account=a%20b"), 400, "jid-malformed");
}

TEST_F(AdminApiTest, keys_for_encryption_are_looked_at_and_mended) {
  const Result result = ask("GET", "/v1/users/a%40example.org/doctor");
  EXPECT_EQ(result.status, 200);
  EXPECT_EQ(result.body, json::parse(R"({"jid":"a@example.org","devices":2,"findings":[{"problem":"closed",
    "node":"urn:xmpp:omemo:2:devices","sentence":"It is closed.","mended":false}]})"));
  EXPECT_EQ(ask("POST", "/v1/users/a%40example.org/doctor").body["findings"][0]["mended"], true);
  EXPECT_EQ(actions.calls, (std::vector<std::string>{"check_keys a@example.org", "mend_keys a@example.org"}));
  actions.calls.clear();
  expect_refused(ask("GET", "/v1/users/a%20b/doctor"), 400, "jid-malformed");
}

TEST_F(AdminApiTest, rooms_are_listed_shown_and_changed) {
  EXPECT_EQ(ask("GET", "/v1/rooms").body,
            json::parse(R"({"rooms":[{"jid":"coven@rooms.example.org","name":"Coven"}]})"));
  const std::string room = "/v1/rooms/coven%40rooms.example.org";
  EXPECT_EQ(ask("GET", room).body, json::parse(R"({"jid":"coven@rooms.example.org","room":[
    {"name":"roomname","value":"Coven"},{"name":"owner","value":"a@example.org"}]})"));
  EXPECT_EQ(ask("DELETE", room).status, 200);
  EXPECT_EQ(ask("PUT", room + "/people/a%40example.org", R"({"affiliation":"owner"})").status, 200);
  EXPECT_EQ(ask("PUT", room + "/config/membersonly", R"({"value":"1"})").status, 200);
  EXPECT_EQ(actions.calls,
            (std::vector<std::string>{
                "list_rooms", "room coven@rooms.example.org 0 =", "room coven@rooms.example.org 1 =",
                "room coven@rooms.example.org 2 a@example.org=owner", "room coven@rooms.example.org 3 membersonly=1"}));
  actions.calls.clear();
  expect_refused(ask("GET", "/v1/rooms/a%20b"), 400, "jid-malformed");
  expect_refused(ask("PUT", room + "/people/a%40example.org", R"({"value":"owner"})"), 400, "bad-request");
  expect_refused(ask("PUT", room + "/config/membersonly", R"({"value":1})"), 400, "bad-request");
}

TEST_F(AdminApiTest, users_of_what_is_no_domain_are_refused) {
  expect_refused(ask("GET", "/v1/users?domain=a%20b"), 400, "jid-malformed");
}

TEST_F(AdminApiTest, user_is_added_under_the_prepared_address) {
  const Result result = ask("POST", "/v1/users", R"({"jid":"Alice@Example.org","password":"p\u00E4ss \"word\""})");
  EXPECT_EQ(result.status, 201);
  EXPECT_EQ(result.body, json::parse(R"({"jid":"alice@example.org"})"));
  EXPECT_EQ(actions.calls, std::vector<std::string>{"add_user alice@example.org"});
  EXPECT_EQ(actions.password, "p\u00E4ss \"word\"");
}

TEST_F(AdminApiTest, user_with_a_name_that_new_accounts_may_not_have_is_refused) {
  expect_refused(ask("POST", "/v1/users", R"({"jid":"i\u2665you@example.org","password":"x"})"), 400,
                 "name-not-allowed");
}

TEST_F(AdminApiTest, user_that_is_no_account_is_refused) {
  for (const char* jid : {"example.org", "a@example.org/r", "a b@example.org", ""}) {
    expect_refused(ask("POST", "/v1/users", json{{"jid", jid}, {"password", "x"}}.dump()), 400, "jid-malformed");
  }
}

TEST_F(AdminApiTest, body_that_is_not_what_is_asked_for_is_refused) {
  for (const char* body :
       {"", "{", "[]", "\"x\"", "{}", R"({"jid":"a@example.org"})", R"({"password":"x"})",
        R"({"jid":1,"password":"x"})", R"({"jid":"a@example.org","password":["x"]})",
        R"({"jid":"a@example.org","password":"x","more":"y"})", R"({"jid":"a@example.org","password":""})",
        "{\"jid\":\"a@example.org\",\"password\":\"\xff\"}"}) {
    expect_refused(ask("POST", "/v1/users", body), 400, "bad-request");
  }
  expect_refused(ask("POST", "/v1/users", json{{"jid", "a@example.org"}, {"password", std::string(1025, 'x')}}.dump()),
                 400, "bad-request");
}

TEST_F(AdminApiTest, body_nested_without_end_is_refused) {
  expect_refused(ask("POST", "/v1/users", std::string(60'000, '[')), 400, "bad-request");
  expect_refused(ask("POST", "/v1/users", std::string(30'000, '[') + std::string(30'000, ']')), 400, "bad-request");
}

TEST_F(AdminApiTest, no_answer_repeats_the_password) {
  const std::string secret = "correcthorse";
  for (const std::string& body : {json{{"jid", "no address"}, {"password", secret}}.dump(),
                                  json{{"jid", "a@example.org"}, {"password", secret}}.dump(),
                                  json{{"jid", "a@example.org"}, {"password", secret}, {"x", secret}}.dump(), secret,
                                  "{\"password\":" + secret}) {
    EXPECT_EQ(ask("POST", "/v1/users", body).text.find(secret), std::string::npos);
  }
}

TEST_F(AdminApiTest, password_is_set) {
  const Result result = ask("PUT", "/v1/users/alice%40example.org/password", R"({"password":"new"})");
  EXPECT_EQ(result.status, 200);
  EXPECT_EQ(result.body["jid"], "alice@example.org");
  EXPECT_EQ(actions.calls, std::vector<std::string>{"set_password alice@example.org"});
  EXPECT_EQ(actions.password, "new");
}

TEST_F(AdminApiTest, user_is_removed) {
  EXPECT_EQ(ask("DELETE", "/v1/users/i%E2%99%A5you@example.org").status, 200);
  EXPECT_EQ(actions.calls, std::vector<std::string>{"remove_user i\u2665you@example.org"});
}

TEST_F(AdminApiTest, sessions_are_listed) {
  const Result result = ask("GET", "/v1/sessions");
  EXPECT_EQ(result.body, json::parse(R"({"sessions":[
    {"jid":"a@example.org/r","address":"::1","tls":"TLSv1.3","mechanism":"SCRAM-SHA-256","since":"1970-01-01T00:00:00Z","available":true,"priority":5},
    {"jid":"a@example.org/s","address":"","tls":"","mechanism":"","since":"1970-01-01T00:00:00Z","available":false}]})"));
  ask("GET", "/v1/sessions?account=A@example.org");
  EXPECT_EQ(actions.calls, (std::vector<std::string>{"list_sessions *", "list_sessions a@example.org"}));
}

TEST_F(AdminApiTest, session_is_ended_by_its_encoded_address) {
  EXPECT_EQ(ask("DELETE", "/v1/sessions/a%40example.org%2Fmy%20phone").status, 200);
  EXPECT_EQ(actions.calls, std::vector<std::string>{"end_session a@example.org/my phone"});
}

TEST_F(AdminApiTest, session_without_resource_is_refused) {
  expect_refused(ask("DELETE", "/v1/sessions/a@example.org"), 400, "jid-malformed");
}

TEST_F(AdminApiTest, configuration_is_reloaded) {
  EXPECT_EQ(ask("POST", "/v1/reload").body, json::parse(R"({"notes":["Certificates were read again."]})"));
}

TEST_F(AdminApiTest, segment_is_decoded_once) {
  ask("DELETE", "/v1/sessions/a@example.org%2F%2541");
  EXPECT_EQ(actions.calls, std::vector<std::string>{"end_session a@example.org/%41"});
}

TEST_F(AdminApiTest, encoded_slash_makes_no_segment) {
  expect_refused(ask("GET", "/v1%2Fstatus"), 404, "no-such-path");
}

TEST_F(AdminApiTest, path_that_is_not_well_formed_is_refused) {
  for (const char* target : {"", "v1/status", "/v1/users/%", "/v1/users/%4", "/v1/users/%zz", "/v1/users/%00",
                             "/v1/users/%ff", "/v1/users?domain=%f"}) {
    expect_refused(ask("GET", target), 400, "bad-request");
  }
}

TEST_F(AdminApiTest, path_that_does_not_exist_is_refused) {
  for (const char* target :
       {"/", "/v1", "/v1/", "/v1/status/", "//v1/status", "/v2/status", "/v1/../v1/status", "/v1/users/a@b/c"}) {
    expect_refused(ask("GET", target), 404, "no-such-path");
  }
}

TEST_F(AdminApiTest, other_method_is_refused) {
  expect_refused(ask("POST", "/v1/status"), 405, "method-not-allowed");
  expect_refused(ask("get", "/v1/status"), 405, "method-not-allowed");
  expect_refused(ask("GET", "/v1/users/a@example.org"), 405, "method-not-allowed");
}

TEST_F(AdminApiTest, failure_of_an_action_is_told_with_its_status) {
  actions.failure = AdminError{409, "user-exists", "There is such a user."};
  const Result result = ask("POST", "/v1/users", R"({"jid":"a@example.org","password":"x"})");
  EXPECT_EQ(result.status, 409);
  EXPECT_EQ(result.body, json::parse(R"({"error":{"code":"user-exists","message":"There is such a user."}})"));
}

TEST_F(AdminApiTest, action_may_answer_after_the_call) {
  actions.later = true;
  AdminApi api(actions);
  int status = 0;
  api.handle({"GET", "/v1/status"}, [&](AdminResponse response) { status = response.status; });
  EXPECT_EQ(status, 0);
  actions.waiting(std::unexpected(AdminError{503, "storage-failed", "Later."}));
  EXPECT_EQ(status, 503);
}

}  // namespace
}  // namespace kith::server
