// kith-load: loads for any XMPP server on this machine, and what they cost it.
//
//   kith-load --port 5222 --pid PID messages --pairs 50 --window 4 --seconds 10
//   kith-load --port 5222 --pid PID idle --sessions 1000,5000,9000
//
// Accounts are u0, u1, … with one password. Prints one line of JSON and ends with 0; if a step fails, a sentence that
// says which one and why, and ends with 1. Runs on one thread. bench/README.md tells what the loads do.
#include <cstdio>
#include <exception>

#include <CLI/CLI.hpp>
#include <signal.h>
#include <sys/resource.h>

#include "failure.h"
#include "load.h"

namespace {

using namespace kith::bench;

constexpr int exit_failed = 1;
constexpr int exit_refused = 2;

struct Target {
  std::string address = "127.0.0.1";
  std::uint16_t port = 5222;
  std::string domain = "example.org";
  std::string password = "secret";
  int pid = 0;
  bool forwarder = false;
  double step_seconds = 300;
};

void add_target(CLI::App& app, Target& target) {
  app.add_option("--address", target.address, "where the server listens: 127.0.0.1, or another loopback address")
      ->capture_default_str();
  app.add_option("--port", target.port, "its port (STARTTLS)")->capture_default_str();
  app.add_option("--domain", target.domain, "its domain")->capture_default_str();
  app.add_option("--password", target.password, "the password of all accounts")->capture_default_str();
  app.add_option("--pid", target.pid, "its process")->required();
  app.add_flag("--forwarder", target.forwarder, "it is bench/floor: TLS at once, no XMPP");
  app.add_option("--step-seconds", target.step_seconds, "the most that a step may take")
      ->check(CLI::Range(1.0, 3600.0))
      ->capture_default_str();
}

void add_options(CLI::App& app, Options& options) {
  const auto positive = CLI::Range(1U, 1'000'000U);
  const auto time = CLI::Range(0.0, 3600.0);
  app.add_option("--first", options.first, "the number of the first account that is used")->capture_default_str();
  app.add_option("--accounts", options.accounts, "idle, contacts, presence, room: how many accounts")
      ->check(positive)
      ->capture_default_str();
  app.add_option("--pairs", options.pairs, "messages, offline: how many pairs of accounts")
      ->check(positive)
      ->capture_default_str();
  app.add_option("--window", options.window, "messages: how many are on their way in each pair; room: how many speak")
      ->check(CLI::Range(1U, 10'000U))
      ->capture_default_str();
  app.add_option("--acks", options.acks,
                 "messages: with stream management, asking for an acknowledgement after each so many messages");
  app.add_option("--seconds", options.seconds, "messages, logins, presence, room, pep: how long it is measured")
      ->check(time)
      ->capture_default_str();
  app.add_option("--warm-up-seconds", options.warm_up_seconds, "and how long not, before")
      ->check(time)
      ->capture_default_str();
  app.add_option("--settle-seconds", options.settle_seconds, "idle: the time before the memory is read")
      ->check(time)
      ->capture_default_str();
  app.add_option("--at-once", options.at_once,
                 "logins, presence: how many at a time; the others while they log in, or enter a room")
      ->check(positive)
      ->capture_default_str();
  app.add_flag("--fast", options.fast, "logins: by a token, over a resumed TLS session");
  app.add_option("--sessions", options.sessions,
                 "idle: at which numbers of sessions the memory is read, as in 1000,5000")
      ->delimiter(',')
      ->check(positive);
  app.add_option("--base-sessions", options.base_sessions, "idle: the sessions whose memory is not counted")
      ->check(CLI::Range(0U, 1'000'000U))
      ->capture_default_str();
  app.add_option("--held", options.held, "logins: how many idle sessions there are beside")->capture_default_str();
  app.add_option("--held-first", options.held_first, "logins: the number of their first account")
      ->capture_default_str();
  app.add_option("--held-accounts", options.held_accounts, "logins: how many accounts they share")
      ->check(positive)
      ->capture_default_str();
  app.add_option("--contacts", options.contacts,
                 "contacts, presence: how many each account has; pep: how many the account has")
      ->check(positive)
      ->capture_default_str();
  app.add_option("--messages", options.messages, "offline: how many for each account")
      ->check(positive)
      ->capture_default_str();
  app.add_option("--stored", options.stored, "pages: how many messages the archive has")
      ->check(positive)
      ->capture_default_str();
  app.add_option("--page", options.page, "pages: how many of them are on a page")
      ->check(CLI::Range(1U, 250U))
      ->capture_default_str();
  app.add_option("--occupants", options.occupants, "room: how many clients are in it")
      ->check(positive)
      ->capture_default_str();
  app.add_option("--receivers", options.receivers, "pep: how many clients the contacts have together")
      ->check(positive)
      ->capture_default_str();
  app.add_option("--rooms-prefix", options.rooms_prefix, "room: the name that rooms are at below the domain")
      ->capture_default_str();
  app.add_option("--batch", options.batch, "offline: after how many the sender asks whether they are stored")
      ->check(positive)
      ->capture_default_str();
}

/// As many connections as the machine allows.
void raise_descriptor_limit() {
  rlimit descriptors{};
  getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  setrlimit(RLIMIT_NOFILE, &descriptors);
}

int put(const Load& load, const Target& target, const Options& options) {
  const auto endpoint = loopback_endpoint(target.address, target.port);
  if (!endpoint) {
    std::fprintf(stderr,
                 "kith-load: %s is not a loopback address (127.0.0.0/8 or ::1): a load is put only on a server on this "
                 "machine\n",
                 target.address.c_str());
    return exit_refused;
  }
  if (target.forwarder && !load.on_forwarder) {
    std::fprintf(stderr, "kith-load: %s needs an XMPP server; a forwarder has no accounts\n", load.name);
    return exit_refused;
  }
  try {
    World world;
    world.endpoint = *endpoint;
    world.domain = target.domain;
    world.password = target.password;
    world.forwarder = target.forwarder;
    world.step_limit = Seconds(target.step_seconds);
    const Process server(target.pid);
    nlohmann::json result = load.run({world, server, options});
    result["load"] = load.name;
    std::printf("%s\n", result.dump().c_str());
    return 0;
  } catch (const std::exception& failed) {
    std::fprintf(stderr, "kith-load: %s: %s\n", load.name, failed.what());
    return exit_failed;
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Loads for an XMPP server on this machine, and what they cost it"};
  Target target;
  Options options;
  add_target(app, target);
  add_options(app, options);
  for (const Load& load : loads()) app.add_subcommand(load.name, load.help)->fallthrough();
  app.require_subcommand(1);
  CLI11_PARSE(app, argc, argv);

  raise_descriptor_limit();
  signal(SIGPIPE, SIG_IGN);
  for (const Load& load : loads()) {
    if (app.got_subcommand(load.name)) return put(load, target, options);
  }
  return exit_refused;
}
