// A whole server, and two clients that send it any bytes in any pieces, from the first byte of the stream on; a third
// client does nothing wrong. It always gets its ping answered and never what it is not entitled to; what the server
// writes is well-formed XML whatever it is told; nobody gets more answers than requests were sent; and when all are
// gone, the books are empty.
//
// The input is what the clients send. A byte 0xff (which no XML has) and the letter behind it are a command: `a` and
// `b` change to that client, which also ends a piece; `A` and `B` log that client in up to binding; `x` cuts its
// connection and makes a new one; `+` lets a minute go by.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "talk.h"

namespace {

using namespace kith;
using namespace kith::scenario;

void require(bool holds, std::string_view what, std::string_view text = {}) {
  if (holds) return;
  std::fprintf(stderr, "broken: %.*s\n%.*s\n", static_cast<int>(what.size()), what.data(),
               static_cast<int>(text.size()), text.data());
  std::abort();
}

constexpr std::size_t most_commands = 64;

bool is_answer(const xml::Element& stanza) {
  const auto type = stanza.attribute("type");
  return stanza.name() == "iq" && (type == "result" || type == "error");
}

/// Whom the server says the stanza comes from, without resource.
std::string_view bare_from(const xml::Element& stanza) {
  const std::string_view from = stanza.attribute("from").value_or("");
  return from.substr(0, from.find('/'));
}

/// A client that says what the input says.
class Attacker {
 public:
  Attacker(World& world, std::string user) : world_(world), user_(std::move(user)) { connect(); }
  ~Attacker() { look(); }
  Attacker(const Attacker&) = delete;
  Attacker& operator=(const Attacker&) = delete;

  void send(std::string_view bytes) {
    sent_ += bytes;
    client_->send(bytes);
    world_.settle();
    written_ += client_->link().take();
  }
  void log_in() {
    for (const std::string& step : {header + starttls, header + plain(user_, "secret"), header + bind_iq("there")}) {
      send(step.substr(0, header.size()));
      send(step.substr(header.size()));
    }
    send("<presence/>");
  }
  void connect() {
    look();
    client_ = world_.connect();
  }

 private:
  /// At what the server has written on the connection so far.
  void look() {
    std::size_t answers = 0;
    std::string_view rest = written_;
    while (!rest.empty()) {
      // Each header that the client sent was answered by one; they stand behind each other on one connection.
      const std::size_t end = rest.find("<?xml ", 1);
      answers += look_at(rest.substr(0, end));
      rest = end == std::string_view::npos ? std::string_view() : rest.substr(end);
    }
    // An upper bound, as not all that looks like a request is one. Who resumes gets what was for its old connection.
    const bool resumed = written_.find("<resumed") != std::string::npos;
    require(resumed || answers <= count_of(sent_, "<iq") + count_of(sent_, ":iq"), "more answers than requests",
            written_);
    sent_ = {};
    written_ = {};
  }
  std::size_t look_at(std::string_view stream) const {
    std::size_t answers = 0;
    xml::StreamParser parser({.element_bytes = 16UL * 1024 * 1024,
                              .depth = 512,
                              .attributes = 1000,
                              .name_bytes = 1U << 20U,
                              .attribute_value_bytes = 1U << 24U,
                              .children = 1'000'000,
                              .tree_bytes = 1U << 30U});
    parser.feed(stream);
    for (;;) {
      const auto event = parser.next();
      require(event.has_value(), "the server writes what is no XML", stream);
      if (std::holds_alternative<xml::NeedMore>(*event)) return answers;
      const auto* stanza = std::get_if<xml::Element>(&*event);
      if (stanza == nullptr) continue;
      answers += is_answer(*stanza) ? 1 : 0;
      // SECURITY: nobody was let see when the third client is there.
      const auto type = stanza->attribute("type");
      const bool tells = stanza->name() == "presence" && (!type || type == "unavailable");
      require(!tells || bare_from(*stanza) != "carol@localhost", "presence leaks", stream);
    }
  }

  World& world_;
  std::string user_;
  std::unique_ptr<WorldClient> client_;
  std::string sent_;
  std::string written_;
};

/// What may come to a client that did nothing but ping: what others sent to it, under their own names.
void look_at(const xml::Element& stanza, std::string_view user) {
  const std::string text = xml::to_string(stanza);
  require(stanza.ns() == "jabber:client" || stanza.ns() == "http://etherx.jabber.org/streams", "an odd stanza", text);
  const std::string_view from = bare_from(stanza);
  require(from.empty() || from == "localhost" || from.ends_with("@localhost"), "nobody's stanza", text);
  require(from != user || stanza.name() != "message", "somebody spoke in the client's own name", text);
  require(!is_answer(stanza), "an answer to nobody's question", text);
  const auto to = stanza.attribute("to");
  // Letters as the sender wrote them: a message is handed on with its own `to`.
  const auto address = to ? kith::xmpp::Jid::parse(*to) : std::nullopt;
  require(!to || (address && kith::xmpp::BareJid::of(*address).text() == user), "somebody else's stanza", text);
}

void ping(World& world, WorldClient& client, const std::string& id) {
  client.send("<iq type='get' to='localhost' id='" + id + "'><ping xmlns='urn:xmpp:ping'/></iq>");
  world.settle();
  bool answered = false;
  while (const auto stanza = client.next()) {
    if (stanza->name() == "iq" && stanza->attribute("id") == id && stanza->attribute("type") == "result") {
      require(!answered, "a ping is answered twice");
      answered = true;
    } else {
      look_at(*stanza, "carol@localhost");
    }
  }
  require(!client.stream_closed(), "the third client is thrown out");
  require(answered, "the third client's ping is not answered");
}

void play(World& world, WorldClient& innocent, std::string_view input) {
  Attacker alice(world, "alice");
  Attacker bob(world, "bob");
  Attacker* current = &alice;
  for (std::size_t commands = 0; !input.empty() && commands < most_commands; ++commands) {
    const std::size_t end = input.find('\xff');
    if (const std::string_view piece = input.substr(0, end); !piece.empty()) current->send(piece);
    if (end == std::string_view::npos || end + 1 == input.size()) break;
    const char command = input[end + 1];
    input.remove_prefix(end + 2);
    if (command == 'a' || command == 'A') current = &alice;
    if (command == 'b' || command == 'B') current = &bob;
    if (command == 'A' || command == 'B') current->log_in();
    if (command == 'x') current->connect();
    if (command == '+') {
      world.advance(std::chrono::minutes(1));
      innocent.poll();
    }
  }
  ping(world, innocent, "after");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  World world({.shards = 2, .settings = {{"registration", {{"open", true}}}}});
  for (const char* user : {"alice@localhost", "bob@localhost"}) world.add_account(user, "secret");
  world.add_account("carol@localhost", "known to nobody");
  auto innocent = world.log_in("carol@localhost", "known to nobody", "here").value();
  innocent->send("<presence/>");
  world.settle();
  ping(world, *innocent, "before");
  play(world, *innocent, {reinterpret_cast<const char*>(data), size});

  // All go; nothing of them may stay.
  innocent->poll();
  world.settle();
  require(world.connections() == 1, "connections stay");
  innocent->link().close();
  world.settle();
  world.advance(std::chrono::minutes(11));  // longer than sessions wait to be resumed
  require(world.connections() == 0, "a connection stays");
  for (const char* user : {"alice@localhost", "bob@localhost", "carol@localhost"}) {
    require(world.sessions(user) == 0, "a session stays");
  }
  return 0;
}
