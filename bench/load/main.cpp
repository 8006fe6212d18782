// kith-load: loads for any XMPP server on this machine, and what they cost it.
//
//   kith-load messages --port 5222 --domain D --pid PID --pairs 50 --window 4 --seconds 10
//   kith-load idle     --port 5222 --domain D --pid PID --sessions 9000 --accounts 450
//
// Accounts are u0, u1, … with the password --password. Prints one line of JSON. Processor time and memory of the server
// are read from /proc/PID; the generator runs on one thread.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>
#include <unordered_map>
#include <vector>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "client.h"

namespace {

using kith::bench::Client;
using SteadyClock = std::chrono::steady_clock;

struct Options {
  std::uint16_t port = 5222;
  std::string domain = "example.org";
  std::string password = "secret";
  int pid = 0;
  unsigned pairs = 50;
  unsigned window = 4;
  double seconds = 10;
  unsigned sessions = 1000;
  unsigned accounts = 50;
};

/// User and system time of a process, in seconds.
double processor_seconds(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(file, line);
  std::istringstream fields(line.substr(line.rfind(')') + 2));
  std::string field;
  double ticks = 0;
  for (int i = 3; i <= 15 && fields >> field; ++i) {
    if (i == 14 || i == 15) ticks += std::stod(field);
  }
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

/// A value of /proc/PID/status in KiB.
long status_kib(int pid, std::string_view key) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with(key)) return std::stol(line.substr(key.size() + 1));
  }
  return 0;
}

class Loop {
 public:
  Loop() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {}
  ~Loop() { ::close(epoll_); }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void add(Client& client) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.ptr = &client;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, client.descriptor(), &event);
  }
  void turn(int wait_ms) {
    epoll_event events[256];
    const int count = epoll_wait(epoll_, events, 256, wait_ms);
    for (int i = 0; i < count; ++i) static_cast<Client*>(events[i].data.ptr)->on_ready(events[i].events);
  }

 private:
  int epoll_;
};

/// Logs the clients in, so many at a time; false if one fails.
bool log_in(Loop& loop, std::vector<std::unique_ptr<Client>>& clients, std::uint16_t port, std::size_t at_once) {
  std::size_t started = 0;
  const auto give_up = SteadyClock::now() + std::chrono::seconds(300);
  std::size_t ready = 0;
  while (ready < clients.size()) {
    std::size_t pending = started - ready;
    while (started < clients.size() && pending < at_once) {
      if (!clients[started]->connect(port)) {
        std::fprintf(stderr, "cannot connect to port %u\n", port);
        return false;
      }
      loop.add(*clients[started]);
      ++started;
      ++pending;
    }
    loop.turn(100);
    ready = 0;
    for (std::size_t i = 0; i < started; ++i) {
      if (clients[i]->state() == Client::State::failed) {
        std::fprintf(stderr, "login %zu failed: %s\n", i, clients[i]->why().c_str());
        return false;
      }
      if (clients[i]->state() == Client::State::ready) ++ready;
    }
    if (SteadyClock::now() > give_up) {
      std::fprintf(stderr, "only %zu of %zu logins in 300 s\n", ready, clients.size());
      return false;
    }
  }
  return true;
}

int messages(const Options& options, SSL_CTX* context) {
  kith::bench::SaltedPasswords passwords;
  Loop loop;
  std::vector<std::unique_ptr<Client>> clients;
  for (unsigned i = 0; i < options.pairs * 2; ++i) {
    clients.push_back(std::make_unique<Client>(
        context, passwords, Client::Account{"u" + std::to_string(i), options.domain, options.password, "bench"}, true));
  }
  if (!log_in(loop, clients, options.port, 16)) return 1;

  // A closed loop: whoever receives a message answers it, so that each pair has `window` messages on their way.
  std::uint64_t received = 0;
  bool answering = true;
  std::vector<float> round_us;
  const std::string body(120, 'x');
  std::unordered_map<const Client*, std::string> forms;
  const auto message = [&](const Client& from, const Client& to) {
    return "<message type='chat' id='m" + from.full_jid() + "' to='" + to.full_jid() + "'><body>" + body +
           "</body></message>";
  };
  std::vector<std::vector<SteadyClock::time_point>> sent_at(clients.size());
  for (std::size_t i = 0; i < clients.size(); ++i) {
    Client& client = *clients[i];
    Client& other = *clients[i ^ 1U];
    forms[&client] = message(client, other);
    client.on_stanza = [&, i](std::string_view) {
      ++received;
      const auto now = SteadyClock::now();
      auto& mine = sent_at[i];
      if (!mine.empty()) {
        round_us.push_back(std::chrono::duration<float, std::micro>(now - mine.front()).count());
        mine.erase(mine.begin());
      }
      if (!answering) return;
      mine.push_back(now);
      clients[i]->queue(forms[clients[i].get()]);
    };
  }
  for (std::size_t i = 0; i < clients.size(); i += 2) {
    for (unsigned w = 0; w < options.window; ++w) {
      sent_at[i].push_back(SteadyClock::now());
      clients[i]->queue(forms[clients[i].get()]);
    }
    clients[i]->flush();
  }
  const auto run = [&](double seconds) {
    const auto end =
        SteadyClock::now() + std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(seconds));
    while (SteadyClock::now() < end) loop.turn(10);
  };
  run(1.0);  // warm-up
  received = 0;
  round_us.clear();
  const double cpu_before = processor_seconds(options.pid);
  const auto start = SteadyClock::now();
  run(options.seconds);
  const double elapsed = std::chrono::duration<double>(SteadyClock::now() - start).count();
  const double cpu = processor_seconds(options.pid) - cpu_before;
  const std::uint64_t count = received;
  answering = false;
  for (const auto& client : clients) {
    if (client->state() == Client::State::failed) {
      std::fprintf(stderr, "a client failed: %s\n", client->why().c_str());
      return 1;
    }
  }
  if (count == 0) {
    std::fprintf(stderr, "no message arrived\n");
    return 1;
  }
  std::sort(round_us.begin(), round_us.end());
  const auto percentile = [&](double p) {
    return round_us.empty()
               ? 0.0
               : static_cast<double>(round_us[static_cast<std::size_t>(p * static_cast<double>(round_us.size() - 1))]) /
                     2;
  };
  const nlohmann::json result = {
      {"load", "messages"},
      {"pairs", options.pairs},
      {"window", options.window},
      {"seconds", elapsed},
      {"messages", count},
      {"messages_per_second", static_cast<double>(count) / elapsed},
      {"processor_us_per_message", cpu * 1e6 / static_cast<double>(count)},
      {"latency_us", {{"p50", percentile(0.5)}, {"p99", percentile(0.99)}, {"p999", percentile(0.999)}}}};
  std::printf("%s\n", result.dump().c_str());
  return 0;
}

int idle(const Options& options, SSL_CTX* context) {
  kith::bench::SaltedPasswords passwords;
  Loop loop;
  std::vector<std::unique_ptr<Client>> clients;
  for (unsigned i = 0; i < options.sessions; ++i) {
    clients.push_back(
        std::make_unique<Client>(context, passwords,
                                 Client::Account{"u" + std::to_string(i % options.accounts), options.domain,
                                                 options.password, "idle" + std::to_string(i / options.accounts)},
                                 false));
  }
  const long before = status_kib(options.pid, "RssAnon:");
  const double cpu_before = processor_seconds(options.pid);
  const auto start = SteadyClock::now();
  if (!log_in(loop, clients, options.port, 32)) return 1;
  const double seconds = std::chrono::duration<double>(SteadyClock::now() - start).count();
  const double cpu = processor_seconds(options.pid) - cpu_before;
  const auto settle = SteadyClock::now() + std::chrono::seconds(4);  // parsers go back to their pool
  while (SteadyClock::now() < settle) loop.turn(100);
  const long after = status_kib(options.pid, "RssAnon:");
  const nlohmann::json result = {{"load", "idle"},
                                 {"sessions", options.sessions},
                                 {"accounts", options.accounts},
                                 {"kib_per_session", static_cast<double>(after - before) / options.sessions},
                                 {"rss_anon_kib_before", before},
                                 {"rss_anon_kib_after", after},
                                 {"logins_per_second", options.sessions / seconds},
                                 {"processor_us_per_login", cpu * 1e6 / options.sessions}};
  std::printf("%s\n", result.dump().c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Loads for an XMPP server on this machine, and what they cost it"};
  Options options;
  app.add_option("--port", options.port, "c2s port on 127.0.0.1 (STARTTLS)");
  app.add_option("--domain", options.domain, "the server's domain");
  app.add_option("--password", options.password, "the password of all accounts u0, u1, …");
  app.add_option("--pid", options.pid, "the server's process")->required();
  auto* message_load = app.add_subcommand("messages", "pairs of clients exchange messages in a closed loop");
  message_load->add_option("--pairs", options.pairs);
  message_load->add_option("--window", options.window, "messages on their way in each pair");
  message_load->add_option("--seconds", options.seconds);
  auto* idle_load = app.add_subcommand("idle", "sessions that do nothing");
  idle_load->add_option("--sessions", options.sessions);
  idle_load->add_option("--accounts", options.accounts);
  app.require_subcommand(1);
  app.fallthrough();
  CLI11_PARSE(app, argc, argv);

  rlimit descriptors{};
  getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  setrlimit(RLIMIT_NOFILE, &descriptors);
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_mode(context,
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);  // a load, not a client: the certificate is the test's own
  const int result = message_load->parsed() ? messages(options, context) : idle(options, context);
  SSL_CTX_free(context);
  return result;
}
