#include "person.h"

#include <array>
#include <utility>

namespace kith::simulation {

namespace {

std::string local_of(const std::string& jid) { return jid.substr(0, jid.find('@')); }

std::string to_attribute(const std::string& to) { return to.empty() ? std::string() : " to='" + to + "'"; }

}  // namespace

Person::Person(Town& town, std::string account, std::string resource)
    : town_(town), dice_(town.scheduler.dice()), account_(std::move(account)), resource_(std::move(resource)) {
  town_.scheduler.add(*this);
  next_at_ = town_.scheduler.now() + dice_.between(Duration(0), Duration(std::chrono::seconds(2)));
}

Person::~Person() { town_.scheduler.remove(*this); }

void Person::settle_down() {
  settled_ = true;
  next_at_ = never;
  if (!client_) return;
  client_->calm();
  if (client_->lost()) client_->come_back(dice_.pick(town_.passwords[account_]));
}

Duration Person::thought() {
  using std::chrono::milliseconds;
  const std::size_t kind = dice_.below(100);
  if (kind < 60) return dice_.between(Duration(1000), Duration(milliseconds(50)));
  if (kind < 90) return dice_.between(Duration(1000), Duration(milliseconds(1500)));
  if (kind < 99) return dice_.between(Duration(1000), Duration(std::chrono::seconds(15)));
  return dice_.between(Duration(1000), town_.plan.longest_thought);
}

void Person::act() {
  const MonotonicTime now = town_.scheduler.now();
  next_at_ = now + thought();
  std::erase_if(past_, [](const auto& client) { return client->over(); });
  if (client_ && (client_->over() || client_->leaving())) past_.push_back(std::move(client_));
  if (!client_) {
    if (town_.acts_left > 0 && !town_.house.starting()) come();
    return;
  }
  if (town_.house.starting()) return;
  if (client_->lost()) {
    came_at_ = now;
    reads_again_at_ = never;
    if (dice_.chance(50)) return client_->abandon("never comes back");
    return client_->come_back(dice_.pick(town_.passwords[account_]));
  }
  if (!client_->bound()) {
    // A login that takes too long is given up.
    if (now - came_at_ > std::chrono::seconds(60)) client_->cut();
    return;
  }
  if (now >= reads_again_at_) {
    reads_again_at_ = never;
    client_->link().set_reading(true);
  }
  if (town_.acts_left == 0) return;
  --town_.acts_left;
  if (dice_.chance(town_.plan.crashes)) {
    if (dice_.chance(300) && !town_.house.stopping()) {
      town_.house.shut_down();
      town_.history.add(What::stopping, 0, "the server is told to stop");
      return;
    }
    town_.house.crash(dice_.chance(500));
    town_.history.add(What::crashed, 0, "the server is killed and starts again");
    return;
  }
  do_something();
}

void Person::come() {
  static const std::vector<std::string> mechanisms{"PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS",
                                                   "SCRAM-SHA-256-PLUS"};
  Login login{.account = account_,
              .password = dice_.pick(town_.passwords[account_]),
              .resource = dice_.chance(100) ? std::string() : resource_,
              .mechanism = dice_.pick(mechanisms),
              .direct_tls = dice_.chance(300),
              .managed = dice_.chance(town_.plan.managed)};
  if (dice_.chance(20)) login.password = "wrong";
  came_at_ = town_.scheduler.now();
  reads_again_at_ = never;
  client_ = std::make_unique<Client>(town_.scheduler, town_.house, town_.history, std::move(login), town_.plan.links);
  client_->on_bound = [this] {
    if (dice_.chance(500))
      client_->send("<iq type='get' id='" + mark("r") + "'><query xmlns='jabber:iq:roster'/></iq>");
    if (dice_.chance(850)) appear();
  };
}

void Person::do_something() {
  std::size_t all = 0;
  for (const std::size_t weight : town_.plan.weights) all += weight;
  std::size_t throw_ = dice_.below(all);
  std::size_t chosen = 0;
  while (throw_ >= town_.plan.weights[chosen]) throw_ -= town_.plan.weights[chosen++];
  switch (static_cast<Act>(chosen)) {
    case Act::say:
      return say();
    case Act::appear:
      return appear();
    case Act::disappear:
      return disappear();
    case Act::direct_presence:
      return direct_presence();
    case Act::subscribe:
      return subscribe();
    case Act::edit_roster:
      return edit_roster();
    case Act::store:
      return store();
    case Act::ask:
      return ask();
    case Act::change_password:
      return change_password();
    case Act::stop_reading:
      return stop_reading();
    case Act::keep_alive:
      return keep_alive();
    case Act::leave:
      return client_->close();
    case Act::half_close:
      return client_->half_close();
    case Act::vanish:
      return client_->cut();
    case Act::misbehave:
    case Act::count_:
      return misbehave();
  }
}

std::string Person::some_account() {
  if (dice_.chance(30)) return dice_.chance(500) ? "nobody@" + town_.house.domain() : "somebody@elsewhere.test";
  return dice_.pick(town_.plan.accounts);
}

std::string Person::some_address() {
  const auto& streams = town_.history.streams();
  if (dice_.chance(600)) return some_account();
  // A resource that is there, or was.
  for (int attempt = 0; attempt < 4; ++attempt) {
    const Stream& stream = dice_.pick(streams);
    if (!stream.bound()) continue;
    if (!stream.over() || dice_.chance(150)) return stream.jid;
  }
  return some_account();
}

void Person::say() {
  static constexpr std::array<std::string_view, 20> types{
      "chat", "chat", "chat", "chat",   "chat", "chat", "chat", "chat",     "chat",  "",
      "",     "",     "",     "normal", "chat", "chat", "chat", "headline", "error", "groupchat"};
  const std::string to = some_address();
  const std::size_t count = dice_.between(1, 5);
  for (std::size_t i = 0; i < count && client_->bound(); ++i) {
    const std::string id = mark("m");
    const std::string_view type = types[dice_.below(types.size())];
    std::string content = "<body>" + id + "</body>";
    if (dice_.chance(40)) content = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
    if (dice_.chance(40)) content += "<no-store xmlns='urn:xmpp:hints'/>";
    if (dice_.chance(town_.plan.big_messages)) {
      content += "<pad xmlns='urn:simulation:pad'>" + std::string(dice_.between(500, 8000), 'x') + "</pad>";
    }
    client_->send("<message to='" + to + "' id='" + id + "'" +
                  (type.empty() ? std::string() : " type='" + std::string(type) + "'") + ">" + content + "</message>");
  }
  if (dice_.chance(300)) client_->ask();
  if (dice_.chance(600) && client_->bound()) {
    client_->send("<iq type='get' id='" + mark("a") + "' to='" + to.substr(0, to.find('/')) +
                  "'><ping xmlns='urn:xmpp:ping'/></iq>");
  }
}

void Person::appear() {
  static constexpr std::array<std::string_view, 6> priorities{"0", "0", "5", "5", "10", "-1"};
  client_->send("<presence><status>" + mark("p") + "</status><priority>" +
                std::string(priorities[dice_.below(priorities.size())]) + "</priority></presence>");
}

void Person::disappear() {
  client_->send("<presence type='unavailable'><status>" + mark("p") + "</status></presence>");
}

void Person::direct_presence() {
  client_->send("<presence to='" + some_address() + "'" + (dice_.chance(200) ? " type='unavailable'" : "") +
                "><status>" + mark("p") + "</status></presence>");
}

void Person::subscribe() {
  static constexpr std::array<std::string_view, 8> types{"subscribe",  "subscribe",  "subscribe",   "subscribed",
                                                         "subscribed", "subscribed", "unsubscribe", "unsubscribed"};
  client_->send("<presence to='" + some_account() + "' type='" + std::string(types[dice_.below(types.size())]) +
                "' id='" + mark("s") + "'/>");
  prove();
}

// The answer shows that the server knows of all that was said to it before.
void Person::prove() {
  if (!dice_.chance(500)) return;
  client_->send("<iq type='get' id='" + mark("a") + "'><ping xmlns='urn:xmpp:ping'/></iq>");
}

void Person::edit_roster() {
  const std::string contact = some_account();
  if (dice_.chance(250)) {
    client_->send("<iq type='set' id='" + mark("r") + "'><query xmlns='jabber:iq:roster'><item jid='" + contact +
                  "' subscription='remove'/></query></iq>");
    return;
  }
  if (dice_.chance(300))
    return client_->send("<iq type='get' id='" + mark("r") + "'><query xmlns='jabber:iq:roster'/></iq>");
  client_->send("<iq type='set' id='" + mark("r") + "'><query xmlns='jabber:iq:roster'><item jid='" + contact +
                "' name='" + mark(local_of(account_) + ":") + "'/></query></iq>");
}

void Person::store() {
  const std::string value = mark(local_of(account_) + ":");
  if (dice_.chance(300)) {
    client_->send("<iq type='set' id='" + mark("v") + "'><vCard xmlns='vcard-temp'><FN>" + value +
                  "</FN></vCard></iq>");
    return;
  }
  const std::string key = "urn:simulation:" + std::to_string(dice_.below(2));
  const bool get = dice_.chance(400);
  client_->send("<iq type='" + std::string(get ? "get" : "set") + "' id='" + mark("x") +
                "'><query xmlns='jabber:iq:private'><kept xmlns='" + key + "'>" + (get ? "" : value) +
                "</kept></query></iq>");
}

void Person::ask() {
  struct Question {
    std::string_view type;
    std::string_view payload;
  };
  static constexpr std::array<Question, 18> questions{{
      {"get", "<ping xmlns='urn:xmpp:ping'/>"},
      {"get", "<ping xmlns='urn:xmpp:ping'/>"},
      {"get", "<query xmlns='http://jabber.org/protocol/disco#info'/>"},
      {"get", "<query xmlns='http://jabber.org/protocol/disco#info' node='nothing'/>"},
      {"get", "<query xmlns='http://jabber.org/protocol/disco#items'/>"},
      {"get", "<query xmlns='jabber:iq:version'/>"},
      {"get", "<query xmlns='jabber:iq:last'/>"},
      {"get", "<time xmlns='urn:xmpp:time'/>"},
      {"get", "<vCard xmlns='vcard-temp'/>"},
      {"set", "<vCard xmlns='vcard-temp'><FN>x</FN></vCard>"},
      {"get", "<query xmlns='jabber:iq:roster'/>"},
      {"get", "<query xmlns='jabber:iq:register'/>"},
      {"set", "<query xmlns='jabber:iq:register'><username>x</username></query>"},
      {"set", "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>"},
      {"get", "<query xmlns='jabber:iq:private'/>"},
      {"get", "<unheard xmlns='urn:simulation:of'/>"},
      {"set", "<query xmlns='jabber:iq:roster'/>"},
      {"get", ""},
  }};
  std::string to;
  if (const std::size_t whom = dice_.below(10); whom < 2) {
    to = town_.house.domain();
  } else if (whom > 2) {
    to = some_address();
  }
  const Question& question = questions[dice_.below(questions.size())];
  // A card of one's own is what the checkers of stored things follow.
  if (question.payload.starts_with("<vCard") && question.type == "set" && (to.empty() || to == account_))
    return store();
  client_->send("<iq type='" + std::string(question.type) + "' id='" + mark("q") + "'" + to_attribute(to) + ">" +
                std::string(question.payload) + "</iq>");
}

void Person::change_password() {
  const std::string word = mark("word");
  town_.passwords[account_].push_back(word);
  client_->send("<iq type='set' id='" + mark("w") + "' to='" + town_.house.domain() +
                "'><query xmlns='jabber:iq:register'><username>" + local_of(account_) + "</username><password>" + word +
                "</password></query></iq>");
}

void Person::stop_reading() {
  client_->link().set_reading(false);
  town_.history.stream(client_->stream()).lazy = true;
  reads_again_at_ = town_.scheduler.now() + dice_.between(Duration(1000), Duration(std::chrono::seconds(40)));
}

void Person::keep_alive() {
  if (dice_.chance(300)) return client_->send_raw(" ", "sends white space");
  client_->ask();
}

void Person::misbehave() {
  struct Sin {
    std::string_view bytes;
    std::string_view deserves;
  };
  static constexpr std::array<Sin, 7> sins{{
      {"<message from='romeo@elsewhere.test' to='juliet@kith.test'><body>forged</body></message>", "invalid-from"},
      {"<a><b></a>", "not-well-formed"},
      {"<!DOCTYPE x>", "restricted-xml"},
      {"<unknown xmlns='jabber:client'/>", "unsupported-stanza-type"},
      {"<message xmlns='jabber:server' to='x'/>", "invalid-namespace"},
      {"\xff\xfe", "not-well-formed"},
      {"<?pi?>", "restricted-xml"},
  }};
  const Sin& sin = sins[dice_.below(sins.size())];
  client_->deserve(std::string(sin.deserves));
  client_->send_raw(sin.bytes, "misbehaves, and deserves " + std::string(sin.deserves));
}

}  // namespace kith::simulation
