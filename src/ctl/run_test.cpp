// kithctl from its arguments to its output, against a socket that a stage in this file answers.
#include "ctl/run.h"

#include <cstdlib>
#include <deque>
#include <filesystem>
#include <map>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace kith::ctl {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::local::stream_protocol;
using nlohmann::json;

class FakeTerminal final : public Terminal {
 public:
  bool somebody_there = false;
  std::deque<std::optional<std::string>> secrets;  ///< what is typed at each question
  std::deque<std::string> lines;
  std::string output;
  std::string errors;

  bool interactive() const override { return somebody_there; }
  std::optional<Secret> ask_secret(std::string_view prompt) override {
    errors += prompt;
    if (secrets.empty() || !secrets.front()) return std::nullopt;
    Secret secret(*secrets.front());
    secrets.pop_front();
    return secret;
  }
  std::optional<std::string> ask_line(std::string_view prompt) override {
    errors += prompt;
    if (lines.empty()) return std::nullopt;
    std::string line = lines.front();
    lines.pop_front();
    return line;
  }
  void out(std::string_view text) override { output += text; }
  void err(std::string_view text) override { errors += text; }
};

/// Takes one request at a socket and answers what it was told.
class FakeDaemon {
 public:
  FakeDaemon(const std::string& path, unsigned status, std::string body)
      : path_(path),
        acceptor_(io_, stream_protocol::endpoint(path)),
        thread_([this, status, body = std::move(body)] { serve(status, body); }) {}
  ~FakeDaemon() { join(); }
  void join() {
    if (!thread_.joinable()) return;
    // Should kithctl not have come, this visit ends the wait, and the test fails instead of hanging.
    stream_protocol::socket visit(visit_io_);
    boost::system::error_code ignored;
    visit.connect(stream_protocol::endpoint(path_), ignored);
    visit.close(ignored);
    thread_.join();
  }
  std::string request_line;
  std::string request_body;

 private:
  void serve(unsigned status, const std::string& body) {
    stream_protocol::socket socket(io_);
    acceptor_.accept(socket);
    boost::beast::flat_buffer buffer;
    http::request<http::string_body> request;
    boost::system::error_code ignored;
    http::read(socket, buffer, request, ignored);
    request_line = std::string(request.method_string()) + " " + std::string(request.target());
    request_body = request.body();
    if (status == 0) {
      asio::write(socket, asio::buffer(body), ignored);
      return;
    }
    http::response<http::string_body> response(static_cast<http::status>(status), 11);
    response.body() = body;
    response.prepare_payload();
    http::write(socket, response, ignored);
  }
  std::string path_;
  asio::io_context io_;
  asio::io_context visit_io_;
  stream_protocol::acceptor acceptor_;
  std::thread thread_;
};

class KithctlTest : public testing::Test {
 protected:
  KithctlTest() {
    std::string name = testing::TempDir() + "/kithctl-XXXXXX";
    directory = mkdtemp(name.data());
    path = (directory / "kith.sock").string();
  }
  ~KithctlTest() override { std::filesystem::remove_all(directory); }

  Surroundings surroundings() {
    return {.terminal = terminal,
            .clock = clock,
            .environment =
                [this](const char* name) {
                  const auto found = variables.find(name);
                  return found == variables.end() ? std::nullopt : std::optional(found->second);
                },
            .exists = [this](const std::string& file) { return existing == file; }};
  }
  /// Runs against a daemon that gives this answer; the request is kept.
  Exit run_with(std::vector<std::string> arguments, unsigned status, const std::string& body) {
    std::filesystem::remove(path);
    FakeDaemon daemon(path, status, body);
    arguments.insert(arguments.begin(), {"--socket", path});
    const Exit exit = run(std::move(arguments), surroundings());
    daemon.join();
    request_line = daemon.request_line;
    request_body = daemon.request_body;
    return exit;
  }
  Exit run_alone(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--socket", path});
    return run(std::move(arguments), surroundings());
  }

  std::filesystem::path directory;
  std::string path;
  FakeTerminal terminal;
  ManualClock clock{std::chrono::sys_days{std::chrono::year{2030} / 1 / 2}};
  std::map<std::string, std::string> variables;
  std::string existing;
  std::string request_line;
  std::string request_body;
};

TEST_F(KithctlTest, user_is_added_with_a_password_typed_twice) {
  terminal.somebody_there = true;
  terminal.secrets = {"geheim", "geheim"};
  EXPECT_EQ(run_with({"user", "add", "Juliet@example.org"}, 201, R"({"jid":"juliet@example.org"})"), Exit::done);
  EXPECT_EQ(request_line, "POST /v1/users");
  EXPECT_EQ(json::parse(request_body), (json{{"jid", "Juliet@example.org"}, {"password", "geheim"}}));
  EXPECT_EQ(terminal.output, "juliet@example.org was added.\n");
  EXPECT_EQ(terminal.errors, "Password for Juliet@example.org: The same again: ");
}

TEST_F(KithctlTest, password_may_come_from_standard_input) {
  terminal.lines = {"p\u00E4ss \"w\"\r", "second line"};
  EXPECT_EQ(
      run_with({"user", "password", "juliet@example.org", "--password-stdin"}, 200, R"({"jid":"juliet@example.org"})"),
      Exit::done);
  EXPECT_EQ(request_line, "PUT /v1/users/juliet%40example.org/password");
  EXPECT_EQ(json::parse(request_body), (json{{"password", "p\u00E4ss \"w\""}}));
  EXPECT_EQ(terminal.output, "The password of juliet@example.org was set.\n");
}

TEST_F(KithctlTest, without_terminal_says_how_to_give_the_password) {
  EXPECT_EQ(run_alone({"user", "add", "juliet@example.org"}), Exit::usage);
  EXPECT_EQ(
      terminal.errors,
      "kithctl: There is no terminal to ask for the password; give it on standard input with --password-stdin.\n");
}

TEST_F(KithctlTest, empty_standard_input_is_no_password) {
  EXPECT_EQ(run_alone({"user", "add", "juliet@example.org", "--password-stdin"}), Exit::usage);
  terminal.lines = {"\r"};
  EXPECT_EQ(run_alone({"user", "add", "juliet@example.org", "--password-stdin"}), Exit::usage);
}

TEST_F(KithctlTest, passwords_that_differ_change_nothing) {
  terminal.somebody_there = true;
  terminal.secrets = {"one", "two"};
  EXPECT_EQ(run_alone({"user", "add", "juliet@example.org"}), Exit::refused);
  EXPECT_NE(terminal.errors.find("The two passwords differ; nothing was changed."), std::string::npos);
}

TEST_F(KithctlTest, broken_off_at_the_password_changes_nothing) {
  terminal.somebody_there = true;
  terminal.secrets = {std::nullopt};
  EXPECT_EQ(run_alone({"user", "add", "juliet@example.org"}), Exit::refused);
  terminal.secrets = {"one", std::nullopt};
  EXPECT_EQ(run_alone({"user", "add", "juliet@example.org"}), Exit::refused);
  terminal.secrets = {""};
  EXPECT_EQ(run_alone({"user", "add", "juliet@example.org"}), Exit::refused);
}

TEST_F(KithctlTest, what_is_no_address_is_told_before_the_password_is_asked) {
  terminal.somebody_there = true;
  EXPECT_EQ(run_alone({"user", "add", "juliet"}), Exit::usage);
  EXPECT_EQ(terminal.errors, "kithctl: \"juliet\" is not an address; write NAME@DOMAIN.\n");
}

TEST_F(KithctlTest, other_servers_are_listed_checked_tried_and_blocked) {
  EXPECT_EQ(run_with({"federation", "status"}, 200,
                     R"({"streams":[{"domain":"far.example","own":"example.org","incoming":false,"ready":true},
                         {"domain":"far.example","incoming":true,"ready":true}],
                         "waiting":[{"domain":"away.example","own":"example.org","messages":2,"bytes":1500,
                                     "why":"the connection broke"}],"blocked":["spam.example"]})"),
            Exit::done);
  EXPECT_EQ(request_line, "GET /v1/federation");
  EXPECT_EQ(terminal.output,
            "SERVER       STREAM                   \n"
            "far.example  to it, from example.org  \n"
            "far.example  from it                  \n\n"
            "SERVER        WAITING     KIB  WHY\n"
            "away.example  2 messages  2    the connection broke\n\n"
            "Blocked: spam.example\n");
  terminal.output.clear();
  EXPECT_EQ(run_with({"federation", "check", "far.example"}, 200,
                     R"({"steps":[{"good":true,"step":"DNS","words":"192.0.2.1:5269"},
                         {"good":false,"step":"certificate","words":"it is not trusted: certificate has expired"}]})"),
            Exit::refused);
  EXPECT_EQ(request_line, "POST /v1/federation/far.example/check");
  EXPECT_EQ(terminal.output,
            "ok  DNS          192.0.2.1:5269\n"
            "--  certificate  it is not trusted: certificate has expired\n\n"
            "far.example can't be reached; look at: certificate.\n");
  terminal.output.clear();
  EXPECT_EQ(run_with({"federation", "check", "far.example"}, 200,
                     R"({"steps":[{"good":true,"step":"login","words":"fine"}]})"),
            Exit::done);
  EXPECT_EQ(run_with({"federation", "retry", "far.example"}, 200, R"({"messages":2})"), Exit::done);
  EXPECT_EQ(request_line, "POST /v1/federation/far.example/retry");
  EXPECT_EQ(run_with({"federation", "block", "far.example"}, 200, "{}"), Exit::done);
  EXPECT_EQ(request_line, "PUT /v1/federation/far.example/block");
  EXPECT_EQ(run_with({"federation", "unblock", "far.example"}, 200, "{}"), Exit::done);
  EXPECT_EQ(request_line, "DELETE /v1/federation/far.example/block");
  EXPECT_EQ(run_alone({"federation", "check"}), Exit::usage);
}

TEST_F(KithctlTest, user_is_removed_when_that_is_confirmed) {
  terminal.somebody_there = true;
  terminal.lines = {"yes"};
  EXPECT_EQ(run_with({"user", "remove", "tybalt@example.org"}, 200, R"({"jid":"tybalt@example.org"})"), Exit::done);
  EXPECT_EQ(request_line, "DELETE /v1/users/tybalt%40example.org");
  EXPECT_EQ(terminal.output, "tybalt@example.org was removed.\n");
}

TEST_F(KithctlTest, user_is_not_removed_when_it_is_not_confirmed) {
  terminal.somebody_there = true;
  for (const char* line : {"no", "", "y", "YES"}) {
    terminal.lines = {line};
    EXPECT_EQ(run_alone({"user", "remove", "tybalt@example.org"}), Exit::refused) << line;
  }
  EXPECT_EQ(run_alone({"user", "remove", "tybalt@example.org"}), Exit::refused);  // end of input
  terminal.somebody_there = false;
  EXPECT_EQ(run_alone({"user", "remove", "tybalt@example.org"}), Exit::usage);
}

TEST_F(KithctlTest, yes_removes_without_asking) {
  EXPECT_EQ(run_with({"user", "remove", "tybalt@example.org", "--yes"}, 200, "{}"), Exit::done);
  EXPECT_EQ(terminal.output, "tybalt@example.org was removed.\n");
}

TEST_F(KithctlTest, users_are_a_table) {
  const std::string body = R"({"users":[{"jid":"a@example.org","disabled":false,"last_seen":"2030-01-01T23:57:00Z"},
    {"jid":"juliet@example.org","disabled":true}]})";
  EXPECT_EQ(run_with({"user", "list", "m\u00FCnchen.de"}, 200, body), Exit::done);
  EXPECT_EQ(request_line, "GET /v1/users?domain=m%C3%BCnchen.de");
  EXPECT_EQ(terminal.output,
            "ADDRESS             LAST SEEN      \n"
            "a@example.org       3 minutes ago  \n"
            "juliet@example.org  -              disabled\n");
}

TEST_F(KithctlTest, no_users_are_a_hint) {
  EXPECT_EQ(run_with({"user", "list"}, 200, R"({"users":[]})"), Exit::done);
  EXPECT_EQ(request_line, "GET /v1/users");
  EXPECT_EQ(terminal.output, "There are no accounts yet; make one with: kithctl user add NAME@DOMAIN\n");
}

TEST_F(KithctlTest, status_says_since_when_it_runs) {
  const std::string body =
      R"({"version":"0.1.0","started":"2030-01-01T21:00:00Z","domains":["example.org","example.net"],
    "listeners":["[::]:5222 c2s"],"shards":2,"connections":4,"sessions":3,"accounts_in_memory":1})";
  EXPECT_EQ(run_with({"status"}, 200, body), Exit::done);
  EXPECT_EQ(request_line, "GET /v1/status");
  EXPECT_EQ(terminal.output,
            "Kith 0.1.0 has been running for 3 hours.\n\n"
            "domains          example.org, example.net\n"
            "listens at       [::]:5222 c2s\n"
            "connections      4\n"
            "sessions         3\n"
            "accounts in use  1\n"
            "shards           2\n");
}

TEST_F(KithctlTest, sessions_are_a_table) {
  const std::string body =
      R"({"sessions":[{"jid":"a@example.org/r","address":"::1","tls":"TLSv1.3","mechanism":"SCRAM-SHA-1",
    "since":"2030-01-02T00:00:00Z","available":true,"priority":-1},{"jid":"a@example.org/s","since":"2029-06-01T00:00:00Z"}]})";
  EXPECT_EQ(run_with({"sessions", "a@example.org"}, 200, body), Exit::done);
  EXPECT_EQ(request_line, "GET /v1/sessions?account=a%40example.org");
  EXPECT_EQ(terminal.output,
            "ADDRESS          SINCE       PRESENCE        FROM  LOGIN        TLS\n"
            "a@example.org/r  just now    available (-1)  ::1   SCRAM-SHA-1  TLSv1.3\n"
            "a@example.org/s  2029-06-01  unavailable     -     -            none\n");
}

TEST_F(KithctlTest, session_is_ended_by_its_full_address) {
  EXPECT_EQ(run_with({"session", "end", "a@example.org/my phone"}, 200, R"({"jid":"a@example.org/my phone"})"),
            Exit::done);
  EXPECT_EQ(request_line, "DELETE /v1/sessions/a%40example.org%2Fmy%20phone");
  EXPECT_EQ(terminal.output, "The session a@example.org/my phone was ended.\n");
}

TEST_F(KithctlTest, rooms_are_listed_and_shown) {
  EXPECT_EQ(run_with({"room", "list"}, 200, R"({"rooms":[{"jid":"coven@rooms.example.org","name":"Coven"}]})"),
            Exit::done);
  EXPECT_EQ(request_line, "GET /v1/rooms");
  EXPECT_EQ(terminal.output,
            "ROOM                     NAME\n"
            "coven@rooms.example.org  Coven\n");
  terminal.output.clear();
  EXPECT_EQ(run_with({"room", "list"}, 200, R"({"rooms":[]})"), Exit::done);
  EXPECT_EQ(terminal.output, "There are no rooms.\n");
  terminal.output.clear();
  EXPECT_EQ(run_with({"room", "show", "coven@rooms.example.org"}, 200,
                     R"({"room":[{"name":"owner","value":"juliet@example.org"}]})"),
            Exit::done);
  EXPECT_EQ(request_line, "GET /v1/rooms/coven%40rooms.example.org");
  EXPECT_EQ(terminal.output,
            "NAME   VALUE\n"
            "owner  juliet@example.org\n");
}

TEST_F(KithctlTest, rooms_are_changed_and_destroyed) {
  EXPECT_EQ(run_with({"room", "affiliate", "coven@rooms.example.org", "hag@example.org", "outcast"}, 200, "{}"),
            Exit::done);
  EXPECT_EQ(request_line, "PUT /v1/rooms/coven%40rooms.example.org/people/hag%40example.org");
  EXPECT_EQ(request_body, R"({"affiliation":"outcast"})");
  EXPECT_EQ(terminal.output, "hag@example.org is outcast in coven@rooms.example.org now.\n");
  terminal.output.clear();
  EXPECT_EQ(run_with({"room", "config", "coven@rooms.example.org", "roomname", "The \"Coven\""}, 200, "{}"),
            Exit::done);
  EXPECT_EQ(request_line, "PUT /v1/rooms/coven%40rooms.example.org/config/roomname");
  EXPECT_EQ(request_body, R"({"value":"The \"Coven\""})");
  EXPECT_EQ(terminal.output, "The setting roomname of coven@rooms.example.org was changed.\n");
  terminal.output.clear();
  EXPECT_EQ(run_alone({"room", "destroy", "coven@rooms.example.org"}), Exit::usage);
  EXPECT_EQ(run_with({"room", "destroy", "coven@rooms.example.org", "--yes"}, 200, "{}"), Exit::done);
  EXPECT_EQ(request_line, "DELETE /v1/rooms/coven%40rooms.example.org");
  EXPECT_EQ(terminal.output, "The room coven@rooms.example.org was destroyed.\n");
  EXPECT_EQ(run_alone({"room", "show", "coven"}), Exit::usage);
}

TEST_F(KithctlTest, uploaded_files_are_listed_and_deleted_by_id_or_address) {
  EXPECT_EQ(run_with({"upload", "list"}, 200, R"({"uploads":[],"files":0,"bytes":0})"), Exit::done);
  EXPECT_EQ(request_line, "GET /v1/uploads");
  EXPECT_EQ(terminal.output, "No files are stored.\n");
  EXPECT_EQ(run_with({"upload", "list", "a@example.org"}, 200, R"({"uploads":[]})"), Exit::done);
  EXPECT_EQ(request_line, "GET /v1/uploads?account=a%40example.org");
  EXPECT_EQ(run_alone({"upload", "list", "a"}), Exit::usage);
  terminal.output.clear();
  EXPECT_EQ(run_with({"upload", "remove", "ab_c-d"}, 200, "{}"), Exit::done);
  EXPECT_EQ(request_line, "DELETE /v1/uploads/ab_c-d");
  EXPECT_EQ(terminal.output, "The file ab_c-d was deleted.\n");
  EXPECT_EQ(run_with({"upload", "remove", "https://example.org:5281/upload/ab_c-d/a%20b.png"}, 200, "{}"), Exit::done);
  EXPECT_EQ(request_line, "DELETE /v1/uploads/ab_c-d");
  EXPECT_EQ(run_alone({"upload", "remove"}), Exit::usage);
}

TEST_F(KithctlTest, reload_tells_the_notes) {
  EXPECT_EQ(run_with({"reload"}, 200, R"({"notes":["Ports wait for a restart."]})"), Exit::done);
  EXPECT_EQ(request_line, "POST /v1/reload");
  EXPECT_EQ(terminal.output, "Configuration and certificates were read again.\nPorts wait for a restart.\n");
}

TEST_F(KithctlTest, json_is_what_kithd_answered) {
  EXPECT_EQ(run_with({"status", "--json"}, 200, R"({"x": 1})"), Exit::done);
  EXPECT_EQ(terminal.output, "{\"x\": 1}\n");
}

TEST_F(KithctlTest, refusal_is_told_in_the_words_of_kithd) {
  const std::string body = R"({"error":{"code":"no-such-user","message":"There is no account romeo@example.org."}})";
  EXPECT_EQ(run_with({"sessions", "romeo@example.org"}, 404, body), Exit::refused);
  EXPECT_EQ(terminal.output, "");
  EXPECT_EQ(terminal.errors, "kithctl: There is no account romeo@example.org.\n");
  terminal.errors.clear();
  EXPECT_EQ(run_with({"--json", "sessions", "romeo@example.org"}, 404, body), Exit::refused);
  EXPECT_EQ(terminal.output, body + "\n");
  EXPECT_EQ(terminal.errors, "kithctl: There is no account romeo@example.org.\n");
}

TEST_F(KithctlTest, answer_that_is_not_from_kithd_is_told) {
  EXPECT_EQ(run_with({"status"}, 200, "<html/>"), Exit::unreachable);
  EXPECT_EQ(run_with({"status"}, 0, "SSH-2.0-OpenSSH_9.2\r\n"), Exit::unreachable);
  EXPECT_EQ(run_with({"status"}, 0, ""), Exit::unreachable);
  EXPECT_EQ(run_with({"status"}, 500, "{}"), Exit::refused);
}

TEST_F(KithctlTest, kithd_that_does_not_run_is_told_with_its_socket) {
  EXPECT_EQ(run_alone({"status"}), Exit::unreachable);
  EXPECT_EQ(terminal.errors,
            "kithctl: There is no kithd at " + path + "; start it, or name its socket with --socket.\n");
  {
    asio::io_context io;
    const stream_protocol::acceptor left_behind(io, stream_protocol::endpoint(path));
  }
  terminal.errors.clear();
  EXPECT_EQ(run_alone({"status"}), Exit::unreachable);
  EXPECT_NE(terminal.errors.find("Nobody answers at " + path), std::string::npos);
}

TEST_F(KithctlTest, socket_is_looked_for_in_the_order_that_help_tells) {
  EXPECT_EQ(find_socket("", surroundings()), "/run/kith/kithd.sock");
  existing = "build/run/kith.sock";
  EXPECT_EQ(find_socket("", surroundings()), "build/run/kith.sock");
  existing = "run/kith.sock";
  EXPECT_EQ(find_socket("", surroundings()), "run/kith.sock");
  existing = "data/kith.sock";
  variables["KITH_SOCKET"] = "";
  EXPECT_EQ(find_socket("", surroundings()), "data/kith.sock");
  variables["KITH_SOCKET"] = "/from/environment";
  EXPECT_EQ(find_socket("", surroundings()), "/from/environment");
  EXPECT_EQ(find_socket("/given", surroundings()), "/given");
}

TEST_F(KithctlTest, wrong_line_is_one_sentence_and_exit_code_2) {
  const std::vector<std::vector<std::string>> lines = {{},
                                                       {"user"},
                                                       {"user", "add"},
                                                       {"user", "frobnicate"},
                                                       {"frobnicate"},
                                                       {"status", "extra"},
                                                       {"session", "end"},
                                                       {"--nonsense", "status"},
                                                       {"user", "add", "a@b", "c@d"},
                                                       {"status", "--password-stdin"}};
  for (const auto& line : lines) {
    terminal.errors.clear();
    EXPECT_EQ(run(line, surroundings()), Exit::usage);
    EXPECT_TRUE(terminal.errors.starts_with("kithctl: ")) << terminal.errors;
    EXPECT_TRUE(terminal.errors.ends_with(". See kithctl --help.\n")) << terminal.errors;
    EXPECT_EQ(std::ranges::count(terminal.errors, '\n'), 1) << terminal.errors;
  }
  EXPECT_EQ(terminal.output, "");
}

TEST_F(KithctlTest, help_and_version_are_printed) {
  EXPECT_EQ(run({"--version"}, surroundings()), Exit::done);
  EXPECT_TRUE(terminal.output.starts_with("kithctl "));
  terminal.output.clear();
  EXPECT_EQ(run({"--help"}, surroundings()), Exit::done);
  for (const char* word :
       {"user", "sessions", "session", "reload", "status", "KITH_SOCKET", "Exit codes", "Examples"}) {
    EXPECT_NE(terminal.output.find(word), std::string::npos) << word;
  }
  terminal.output.clear();
  EXPECT_EQ(run({"user", "add", "--help"}, surroundings()), Exit::done);
  EXPECT_NE(terminal.output.find("--password-stdin"), std::string::npos);
}

TEST_F(KithctlTest, the_doctor_only_looks_unless_he_is_to_mend) {
  const char* answer = R"({"jid":"a@b.org","devices":0,"findings":[]})";
  EXPECT_EQ(run_with({"user", "doctor", "a@b.org"}, 200, answer), Exit::done);
  EXPECT_EQ(request_line, "GET /v1/users/a%40b.org/doctor");
  EXPECT_EQ(run_with({"user", "doctor", "a@b.org", "--mend"}, 200, answer), Exit::done);
  EXPECT_EQ(request_line, "POST /v1/users/a%40b.org/doctor");
  EXPECT_EQ(run_alone({"user", "doctor", "nobody"}), Exit::usage);
}

}  // namespace
}  // namespace kith::ctl
