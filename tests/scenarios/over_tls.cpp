// Plays one script against a server over TLS:
//
//   scenario_over_tls SCRIPT HOST PORT AUTHORITY.pem [--go-on]
//   scenario_over_tls --accounts SCRIPT       only tells the accounts: JID and password, a line each
//
// The accounts of the script must be there, and nothing of earlier scripts in them. What comes of it is told on
// standard output, a line each, fields set apart by tabs: `differs LINE WHAT EXPECTED ACTUAL`; `stops LINE` for a step
// that only a server in process can be brought to; at the end `played STEPS of ALL`. `restart server` and a full disk
// are asked of who started this program: `please LINE WHAT`, to be answered by `done` or `no` on standard input. Exit
// code: 0 if nothing differs.
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>

#include "player.h"
#include "wire_client.h"
#include "xmpp/jid.h"
#include "xmpp/namespaces.h"

namespace kith::scenario {
namespace {

using std::chrono::milliseconds;

class WireStage final : public Stage {
 public:
  WireStage(const Script& script, Target target, milliseconds patience)
      : target_(std::move(target)), patience_(patience) {
    addresses_.insert(target_.domain);
    for (const ClientEntry& entry : script.clients) addresses_.emplace(xmpp::Jid::parse(entry.jid)->bare_text());
  }

  std::expected<std::string, std::string> connect(const ClientEntry& entry) override {
    const auto jid = xmpp::Jid::parse(entry.jid);
    const std::string resource = entry.resource.empty() ? std::string(jid->resourcepart()) : entry.resource;
    auto client = WireClient::log_in(target_, std::string(jid->localpart()), entry.password, resource);
    if (!client) return std::unexpected(client.error());
    std::string full_jid = (*client)->full_jid();
    clients_[entry.name] = {.wire = *std::move(client)};
    return full_jid;
  }

  void send(const std::string& client, const std::string& stanza) override {
    if (const auto found = clients_.find(client); found != clients_.end()) found->second.wire->send(stanza);
  }

  std::optional<xml::Element> next(const std::string& client, bool wait) override {
    const auto found = clients_.find(client);
    if (found == clients_.end()) return std::nullopt;
    auto& [wire, kept] = found->second;
    if (kept.empty()) return wire->next(wait ? patience_ : milliseconds::zero());
    std::optional<xml::Element> first = std::move(kept.front());
    kept.pop_front();
    return first;
  }

  void disconnect(const std::string& client) override {
    if (const auto found = clients_.find(client); found != clients_.end()) found->second.wire->close();
    clients_.erase(client);
  }
  void vanish(const std::string& client) override {
    if (const auto found = clients_.find(client); found != clients_.end()) found->second.wire->vanish();
    clients_.erase(client);
  }

  /// What was sent has been carried out when everything behind it has been answered: each client pings the server and
  /// every account of the script, and asks for something that its account has stored. An answer takes the way of what
  /// was sent before it, and so comes after it:
  ///  - Kith: a stanza to an account goes through the sender's session and the addressee's account, in order
  ///    (docs/durability.md), the answer comes back the same way, and the shard's mailbox between them is one queue for
  ///    all senders. So after one round everything that was sent has been handled by its addressee, and what that
  ///    brought about lies in the mailboxes of others, before the pings of the next round. What is told in XMPP goes
  ///    over three accounts at most (a request, its answer, the news of it to the other clients): as many rounds. What
  ///    waits for the disk stands in its session's output before the answers. Reads from the disk are done in order by
  ///    one thread, so what reads (offline messages, a vCard) is done before the round's own read.
  ///  - Prosody is one thread that carries a stanza out wholly, its effects on other sessions included, before it looks
  ///    at the next; one round is enough. What is not known to hold is that a module puts nothing off by a timer; none
  ///    of those that are loaded for this does so for what it sends to clients.
  /// A sign of life of every client comes along: a script about a client that gives none can be played in process only.
  void settle() override {
    constexpr int rounds = 3;
    for (int round = 0; round < rounds; ++round) {
      for (auto& [name, client] : clients_) {
        if (!client.wire->ended()) client.wire->send(questions(++question_));
      }
      for (auto& [name, client] : clients_) take_answers(name, client);
    }
  }

  bool arrange(const Step& step) override {
    if (step.kind == Step::Kind::wait) return false;
    const bool restart = step.kind == Step::Kind::restart;
    if (restart) clients_.clear();
    std::cout << "please\t" << step.line << '\t'
              << (restart                              ? "restart"
                  : step.kind == Step::Kind::disk_full ? "disk full"
                                                       : "disk works")
              << std::endl;
    std::string answer;
    std::getline(std::cin, answer);
    return answer == "done";
  }

 private:
  struct Client {
    std::unique_ptr<WireClient> wire;
    std::deque<xml::Element> kept{};  ///< what came between the answers
  };
  static constexpr std::string_view mark = "settle-";

  std::string questions(int number) const {
    std::string text;
    const std::string id = std::string(mark) + std::to_string(number);
    for (const std::string& address : addresses_) {
      text += "<iq type='get' id='" + id + "' to='" + address + "'><ping xmlns='urn:xmpp:ping'/></iq>";
    }
    return text + "<iq type='get' id='" + id +
           "'><query xmlns='jabber:iq:private'><none xmlns='kith:settle'/></query></iq>";
  }

  void take_answers(const std::string& name, Client& client) {
    std::size_t left = addresses_.size() + 1;
    while (left > 0) {
      auto element = client.wire->next(milliseconds(20'000));
      if (!element) {
        if (client.wire->ended()) return;
        throw std::runtime_error("the server does not answer the pings of " + name);
      }
      const bool answer = element->name() == "iq" && element->attribute("id").value_or("").starts_with(mark);
      if (answer)
        --left;
      else
        client.kept.push_back(*std::move(element));
    }
  }

  Target target_;
  milliseconds patience_;
  std::set<std::string> addresses_;
  std::map<std::string, Client> clients_;
  int question_ = 0;
};

std::optional<Script> read_script(const std::string& file) {
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  auto script = parse_script(text.str());
  if (script && !script->steps.empty()) return *std::move(script);
  std::cerr << file << ": " << (script ? "says nothing" : script.error()) << '\n';
  return std::nullopt;
}

int tell_accounts(const std::string& file) {
  const auto script = read_script(file);
  if (!script) return 2;
  for (const ClientEntry& entry : script->clients) {
    std::cout << xmpp::Jid::parse(entry.jid)->bare_text() << '\t' << entry.password << '\n';
  }
  return 0;
}

int play(const std::string& file, const Target& target, bool go_on) {
  const auto script = read_script(file);
  if (!script) return 2;
  // Where differences are looked for, each one that is a missing stanza costs this time.
  WireStage stage(*script, target, go_on ? milliseconds(300) : milliseconds(20'000));
  const Outcome outcome = Player(*script, stage, go_on).play();
  for (const Difference& difference : outcome.differences) {
    std::cout << "differs\t" << difference.line << '\t' << difference.what << '\t' << difference.expected << '\t'
              << difference.actual << '\n';
  }
  if (outcome.stopped_at) std::cout << "stops\t" << *outcome.stopped_at << '\n';
  std::cout << "played\t" << outcome.steps << '\t' << script->steps.size() << '\n';
  return outcome.differences.empty() ? 0 : 1;
}

}  // namespace
}  // namespace kith::scenario

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--accounts") return kith::scenario::tell_accounts(argv[2]);
  if (argc < 5 || argc > 6 || (argc == 6 && std::string_view(argv[5]) != "--go-on")) {
    std::cerr << "usage: scenario_over_tls SCRIPT HOST PORT AUTHORITY.pem [--go-on]\n";
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  const kith::scenario::Target target{
      .host = argv[2], .port = std::atoi(argv[3]), .domain = "localhost", .authority = argv[4]};
  try {
    return kith::scenario::play(argv[1], target, argc == 6);
  } catch (const std::exception& error) {
    std::cerr << argv[1] << ": " << error.what() << '\n';
    return 2;
  }
}
