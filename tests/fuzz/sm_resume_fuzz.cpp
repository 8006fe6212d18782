// Stream management (XEP-0198) from the client's side, with any numbers at any time, over sessions that were saved by a
// server before: as text of any shape, too. What the server says it has handled is never more than was sent nor less
// than it has said; a saved session that can be read is written as it was; a third client is answered whatever
// happens; and when all have gone, no session is left.
//
// The input: a saved session as it lies in the store, or nothing; if there is more, a byte 0, and then pairs of a
// letter and a byte, which is a small number: `c` a new connection, logged in; `b` binds and enables; `e` enables; `r`
// resumes, having got so many (over 240: 16 less than none, and so on); `o` resumes the saved session; `a` acknowledges
// so many; `q` asks; `s` sends so many stanzas; `m` gets so many messages; `x` cuts the connection; `+` a minute goes
// by; `k` the server is stopped and started; `d` the disk fails from now on, or again not.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/digest.h"
#include "base/encoding.h"
#include "session/saved_session.h"
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

constexpr std::size_t most_steps = 40;
const std::string saved_id = "an-id";

/// Alice, who may do anything.
class Alice {
 public:
  explicit Alice(World& world) : world_(world) { connect(); }

  void step(char letter, std::uint8_t number, WorldClient*& carol) {
    const auto h = static_cast<std::uint32_t>(static_cast<std::int8_t>(number > 240 ? number : number & 0x7fU));
    switch (letter) {
      case 'c':
        connect();
        break;
      case 'b':
        say(bind_iq("here"));
        [[fallthrough]];
      case 'e':
        say("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
        break;
      case 'r':
        say(resume(id_, came_ + h));
        break;
      case 'o':
        say(resume(saved_id, h));
        break;
      case 'a':
        say("<a xmlns='urn:xmpp:sm:3' h='" + std::to_string(acknowledged_ + h) + "'/>");
        break;
      case 'q':
        say("<r xmlns='urn:xmpp:sm:3'/>");
        break;
      case 's':
        for (unsigned i = 0; i < number % 8U; ++i) {
          ++sent_;
          say(i % 2 == 0 ? message("carol@localhost", "hi") : "<presence/>");
        }
        break;
      case 'm':
        if (carol != nullptr)
          for (unsigned i = 0; i < number % 8U; ++i) carol->send(message("alice@localhost", "m"));
        world_.settle();
        look();
        break;
      case 'x':
        client_->link().cut();
        world_.settle();
        break;
      default:
        break;
    }
  }

 private:
  void connect() {
    client_ = world_.connect();
    for (const std::string& step : {header, starttls, header, plain("alice", "secret"), header}) {
      client_->send(step);
      world_.settle();
    }
    client_->link().take();
  }
  void say(const std::string& bytes) {
    client_->send(bytes);
    world_.settle();
    look();
  }
  void look() {
    const std::string text = client_->link().take();
    if (const std::string id = between(text, "<enabled xmlns='urn:xmpp:sm:3' id='", "'"); !id.empty()) {
      id_ = id;
      sent_ = told_ = came_ = acknowledged_ = 0;
      known_ = true;
    }
    if (text.contains("<resumed ")) {
      // Another session than the last that this client has enabled, perhaps: its numbers are not known.
      known_ = between(text, "previd='", "'") == id_;
    }
    for (const char* before : {"<a xmlns='urn:xmpp:sm:3' h='", "' h='"}) {
      const std::string h = between(text, before, "'/>");
      if (!known_ || h.empty() || h.find_first_not_of("0123456789") != std::string::npos) continue;
      if (!text.contains("<a xmlns") && !text.contains("<resumed ")) continue;
      const unsigned long said = std::stoul(h);
      require(said <= sent_, "more was handled than was sent", text);
      require(said >= told_, "less is handled than was said", text);
      told_ = said;
    }
  }

  World& world_;
  std::unique_ptr<WorldClient> client_;
  std::string id_ = "none";
  bool known_ = false;
  unsigned long sent_ = 0;
  unsigned long told_ = 0;
  std::uint32_t came_ = 0;
  std::uint32_t acknowledged_ = 0;
};

void ping(World& world, WorldClient& client) {
  client.send("<iq type='get' to='localhost' id='p'><ping xmlns='urn:xmpp:ping'/></iq>");
  world.settle();
  bool answered = false;
  while (const auto stanza = client.next()) answered = answered || stanza->attribute("id") == "p";
  require(answered, "the third client's ping is not answered");
}

/// What was read is written as it was; what cannot be read is nothing.
void check_text(std::string_view text) {
  const auto state = session::from_text(text);
  if (!state) return;
  const std::string again = session::to_text(*state);
  const auto read = session::from_text(again);
  require(read.has_value() && session::to_text(*read) == again, "a saved session changes", again);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string_view saved = input.substr(0, input.find('\0'));
  input.remove_prefix(std::min(input.size(), saved.size() + 1));
  check_text(saved);
  if (input.empty()) return 0;  // a text alone is read a thousand times faster
  WorldOptions options{.shards = 2};
  options.limits.sm_queue_stanzas = 10;
  options.limits.sm_queue_bytes = 64 * 1024;
  World world(options);
  world.add_account("alice@localhost", "secret");
  world.add_account("carol@localhost", "secret");
  if (!saved.empty()) {
    std::string text(saved);
    // The input cannot know a digest.
    if (const auto at = text.find("ID"); at != std::string::npos) text.replace(at, 2, hex_encode(sha256(saved_id)));
    world.save_session("alice@localhost", std::move(text));
    world.stop_and_start();
  }
  auto carol = available(world, "carol@localhost", "there");
  {
    Alice alice(world);
    for (std::size_t steps = 0; steps < most_steps && input.size() >= 2; ++steps, input.remove_prefix(2)) {
      if (input[0] == '+') {
        world.advance(std::chrono::minutes(1));
        carol->poll();
      } else if (input[0] == 'k') {
        world.fail_writes(false);
        world.stop_and_start();
        carol = available(world, "carol@localhost", "there");
      } else if (input[0] == 'd') {
        world.fail_writes(input[1] % 2 == 0);
      } else {
        WorldClient* sender = carol.get();
        alice.step(input[0], static_cast<std::uint8_t>(input[1]), sender);
      }
    }
  }
  world.fail_writes(false);
  carol->poll();
  ping(world, *carol);
  carol->link().close();
  world.settle();
  world.advance(std::chrono::minutes(11));  // longer than sessions wait to be resumed
  require(world.connections() == 0, "a connection stays");
  for (const char* user : {"alice@localhost", "carol@localhost"}) require(world.sessions(user) == 0, "a session stays");
  return 0;
}
