#include "run.h"

#include <algorithm>
#include <set>
#include <utility>

namespace kith::simulation {

namespace {

constexpr std::size_t look_every = 32;  // steps
/// What may be written beyond the limit before the end of the stream takes effect: one stanza, a roster at most.
constexpr std::size_t queue_slack_bytes = 48 * 1024;

}  // namespace

Run::Run(const Plan& plan)
    : plan_(plan),
      scheduler_(plan.seed),
      history_(scheduler_.clock()),
      house_(scheduler_, plan.house, plan.seed),
      town_{.plan = plan_,
            .scheduler = scheduler_,
            .house = house_,
            .history = history_,
            .acts_left = plan.acts,
            .passwords = {}} {
  history_.domain = house_.domain();
  history_.narrow_links = plan.links.window_bytes < std::size_t{64} * 1024;
  const Limits& limits = plan.house.limits;
  const Limits usual;
  history_.small_outbox = limits.outbox_bytes_after_login < std::size_t{1024} * 1024;
  history_.small_offline_store =
      limits.offline_messages < usual.offline_messages || limits.offline_bytes < usual.offline_bytes;
  history_.small_sessions = limits.sm_hibernating_per_account < usual.sm_hibernating_per_account ||
                            limits.sm_queue_stanzas < usual.sm_queue_stanzas ||
                            limits.sm_queue_bytes < usual.sm_queue_bytes || history_.small_outbox;
  history_.failing_reads = plan.house.disk.failing_reads != 0;
  history_.resume_time = limits.sm_resume_time;
  for (const std::string& account : plan.accounts) {
    house_.add_account(account, "secret");
    town_.passwords[account] = {"secret"};
  }
  Dice& dice = scheduler_.dice();
  for (std::size_t i = 0; i < plan.people; ++i) {
    // The first of them have an account each.
    const std::string& account = i < plan.accounts.size() ? plan.accounts[i] : dice.pick(plan.accounts);
    people_.push_back(std::make_unique<Person>(town_, account, "r" + std::to_string(dice.below(plan.resources))));
  }
}

void Run::go() {
  live();
  settle();
  collect();
  close_books();
}

void Run::pass(Duration time) {
  const MonotonicTime end = scheduler_.now() + time;
  while (scheduler_.step(end)) {
    if (scheduler_.steps() % look_every == 0) look();
  }
  look();
}

void Run::live() {
  // Nobody acts any more when the acts are used up; a plan of long thoughts is cut short.
  const MonotonicTime end = scheduler_.now() + std::chrono::hours(3);
  while (town_.acts_left > 0 && scheduler_.now() < end) {
    const bool stopping = house_.stopping();
    pass(std::chrono::seconds(1));
    if (stopping && house_.stopping()) start_again();
  }
  if (house_.stopping()) start_again();
  town_.acts_left = 0;
}

void Run::start_again() {
  house_.save_sessions();
  // As long as the daemon would wait.
  for (int i = 0; i < 60 && !house_.saved(); ++i) pass(std::chrono::milliseconds(500));
  house_.restart();
  history_.add(What::restarted, 0, "the server has stopped and starts again");
  wait_for_start();
}

void Run::wait_for_start() {
  for (int i = 0; i < 120 && house_.starting(); ++i) pass(std::chrono::milliseconds(500));
  if (house_.starting()) history_.fault("resumption", "the sessions of before do not come back");
}

// --- what is looked at while it goes on
// ------------------------------------------------------------------------------------------------------------------

void Run::look() {
  if (house_.disk_failed_once() && !disk_failed_) {
    disk_failed_ = true;
    history_.add(What::failed, 0, "the disk fails for the first time");
  }
  for (const std::string& line : house_.take_error_lines()) {
    // The disk's troubles are ours.
    const bool of_disk =
        line.find("storage_") != std::string::npos || line.find("roster_write_failed") != std::string::npos ||
        line.find("sessions_not_saved") != std::string::npos || line.find("sessions_not_restored") != std::string::npos;
    if (!of_disk) {
      history_.fault("no bugs of the server's own", "the log says: " + line);
    }
  }
  look_at_queues();
}

void Run::look_at_queues() {
  // What a managed session has written may be counted where it waits for the network and where it waits for its
  // acknowledgement.
  const std::size_t most =
      house_.limits().outbox_bytes_after_login + house_.limits().sm_queue_bytes + queue_slack_bytes;
  for (unsigned i = 0; i < house_.shard_count(); ++i) {
    house_.shard(i).router().accounts().for_each([&](module::Account& account) {
      for (const auto& session : account.sessions()) {
        const std::size_t bytes = session->output().queued_bytes();
        if (bytes > most) {
          history_.fault("bounded", session->jid().text() + " has " + std::to_string(bytes) + " bytes queued");
        }
      }
      if (account.sessions().size() > house_.limits().sessions_per_account) {
        history_.fault("bounded", account.jid().text() + " has too many sessions");
      }
    });
  }
}

// --- the end
// ------------------------------------------------------------------------------------------------------------------

bool Run::answered(const Client& client, const std::string& id) const {
  return std::ranges::any_of(history_.records(), [&](const Record& record) {
    return record.what == What::received && record.stream == client.stream() && record.facts.id == id;
  });
}

void Run::settle() {
  house_.calm_disk();
  wait_for_start();
  for (const auto& person : people_) person->settle_down();
  history_.add(What::note, 0, "the weather turns fine");
  pass(std::chrono::seconds(30));
  // Everybody asks everybody to whom he wrote whether all has arrived.
  std::vector<std::pair<Client*, std::string>> asked;
  for (const auto& person : people_) {
    Client* const client = person->client();
    if (client == nullptr || !client->bound() || client->leaving()) continue;
    std::set<std::string> whom{""};
    for (const Record& record : history_.records()) {
      if (record.what != What::sent || record.stream != client->stream() || record.facts.name != "message") continue;
      whom.insert(record.facts.to.substr(0, record.facts.to.find('/')));
    }
    for (const std::string& to : whom) {
      const std::string id = history_.fresh("a");
      client->send("<iq type='get' id='" + id + "'" + (to.empty() ? std::string() : " to='" + to + "'") +
                   "><ping xmlns='urn:xmpp:ping'/></iq>");
      asked.emplace_back(client, id);
    }
  }
  for (int i = 0; i < 60; ++i) {
    pass(std::chrono::seconds(5));
    const auto waits = [&](const auto& question) {
      return question.first->bound() && !answered(*question.first, question.second);
    };
    if (i > 2 && std::ranges::none_of(asked, waits)) break;
  }
  history_.add(What::calm, 0, "all answers are in");
  for (const auto& person : people_) {
    Client* const client = person->client();
    if (client == nullptr) continue;
    if (client->bound()) client->close(End::left);
    if (client->lost()) client->abandon("does not come back any more");
  }
  pass(std::chrono::seconds(30));
  for (std::size_t i = 0; i < history_.streams().size(); ++i) {
    if (!history_.streams()[i].over()) {
      history_.fault("no connection hangs", "stream s" + std::to_string(i) + " is still open", "s" + std::to_string(i));
    }
  }
  people_.clear();
}

std::unique_ptr<Client> Run::log_in(const std::string& account) {
  const std::vector<std::string>& passwords = town_.passwords[account];
  std::vector<std::string> attempts(passwords.rbegin(), passwords.rend());
  // The right one may meet a disk that fails for the last time.
  attempts.insert(attempts.end(), passwords.begin(), passwords.end());
  for (const std::string& password : attempts) {
    auto client =
        std::make_unique<Client>(scheduler_, house_, history_,
                                 Login{.account = account, .password = password, .resource = "last"}, LinkWeather{});
    for (int i = 0; i < 40 && !client->bound() && !client->over(); ++i) pass(std::chrono::milliseconds(500));
    if (client->bound()) return client;
  }
  history_.fault("logins", "nobody can log in as " + account + " any more");
  return nullptr;
}

void Run::collect() {
  // What waits for clients that do not come back looks for another way.
  pass(house_.limits().sm_resume_time + std::chrono::seconds(10));
  std::vector<std::unique_ptr<Client>> last;
  for (const std::string& account : plan_.accounts) {
    auto client = log_in(account);
    if (!client) continue;
    client->send("<presence><status>" + history_.fresh("p") + "</status></presence>");
    client->send("<iq type='get' id='" + history_.fresh("r") + "'><query xmlns='jabber:iq:roster'/></iq>");
    client->send("<iq type='get' id='" + history_.fresh("v") + "'><vCard xmlns='vcard-temp'/></iq>");
    for (const char* key : {"0", "1"}) {
      client->send("<iq type='get' id='" + history_.fresh("x") +
                   "'><query xmlns='jabber:iq:private'><kept xmlns='urn:simulation:" + key + "'/></query></iq>");
    }
    last.push_back(std::move(client));
  }
  // Kept messages come in pages; an answer shows the server that they have arrived.
  for (std::size_t before = 0; before != history_.records().size();) {
    pass(std::chrono::seconds(10));
    before = history_.records().size();
    pass(std::chrono::seconds(10));
  }
  for (const auto& client : last) client->close(End::left);
  pass(std::chrono::seconds(20));
  for (const auto& client : last) {
    if (!client->over()) history_.fault("no connection hangs", "the last client of " + client->account());
  }
}

void Run::close_books() {
  pass(std::chrono::minutes(6) + house_.limits().sm_resume_time);
  const auto must_be_none = [&](std::string_view what, std::int64_t count) {
    if (count != 0) history_.fault("the books", std::to_string(count) + " " + std::string(what) + " are left");
  };
  must_be_none("connections", static_cast<std::int64_t>(house_.connections()));
  must_be_none("open connections by the gauge", house_.events().gauge("kith_connections", "").value());
  must_be_none("sessions by the gauge", house_.events().gauge("kith_sessions", "").value());
  must_be_none("loaded accounts", static_cast<std::int64_t>(house_.loaded_accounts()));
}

}  // namespace kith::simulation
