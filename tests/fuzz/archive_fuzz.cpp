// Queries of an archive (XEP-0313, XEP-0059) of any shape, over the real store: each gets exactly one answer; a page
// holds messages of the asker's own archive only, each once, in the order that was asked for, no more than allowed,
// and says truly which are its ends; what an error answers came with no message.
//
// The input is what stands in <query/>. A dollar sign and a letter is an id: $a the first of the archive, $b the
// second …; $A the first of another account's archive.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "talk.h"
#include "xml/stream_parser.h"

namespace {

using namespace kith;
using namespace kith::scenario;

void require(bool holds, std::string_view what, std::string_view text = {}) {
  if (holds) return;
  std::fprintf(stderr, "broken: %.*s\n%.*s\n", static_cast<int>(what.size()), what.data(),
               static_cast<int>(text.size()), text.data());
  std::abort();
}

constexpr std::size_t messages = 60;
constexpr std::string_view mam = "urn:xmpp:mam:2";

/// Two people with archives. One for all inputs: to ask changes nothing.
class Library {
 public:
  Library() {
    for (const char* user : {"alice@localhost", "bob@localhost", "carol@localhost"}) world_.add_account(user, "secret");
    alice_ = available(world_, "alice@localhost", "here");
    const auto bob = available(world_, "bob@localhost", "here");
    const auto carol = available(world_, "carol@localhost", "here");
    for (std::size_t i = 0; i < messages; ++i) {
      world_.advance(std::chrono::seconds(1));
      (i % 3 == 0 ? carol : bob)->send(message("alice@localhost", std::to_string(i)));
      world_.settle();
    }
    carol->send(message("bob@localhost", "not for alice"));
    world_.settle();
    while (const auto stanza = alice_->next()) note(*stanza, ids_);
    while (const auto stanza = bob->next()) note(*stanza, others_);
    require(ids_.size() == messages && others_.size() == 1, "the archives are not what they were made");
  }

  void ask(std::string_view input) {
    const std::string text = "<query xmlns='urn:xmpp:mam:2'>" + with_ids(input) + "</query>";
    const auto query = xml::parse_element(text);
    if (!query) return;
    xml::Element iq("iq", xmpp::ns::client);
    iq.set("type", "set").set("id", "q");
    const bool flipped = query->child("flip-page", mam) != nullptr;
    iq.add(*query);
    const std::string bytes = xml::to_string(iq, xmpp::ns::client);
    if (!xml::parse_element(bytes, xmpp::ns::client)) return;  // grew past a limit by being written anew
    alice_->send(bytes);
    world_.settle();
    std::vector<std::string> page;
    std::size_t answers = 0;
    while (const auto stanza = alice_->next()) {
      if (const xml::Element* result = stanza->child("result", mam)) {
        require(answers == 0, "a message after the answer", bytes);
        page.emplace_back(result->attribute("id").value_or(""));
      } else {
        require(stanza->name() == "iq" && stanza->attribute("id") == "q", "an answer to nobody's question", bytes);
        ++answers;
        check(*stanza, page, flipped, bytes);
      }
    }
    require(answers == 1 && !alice_->stream_closed(), "not exactly one answer", bytes);
  }

 private:
  static void note(const xml::Element& stanza, std::vector<std::string>& ids) {
    if (const xml::Element* id = stanza.child("stanza-id", xmpp::ns::stanza_ids))
      ids.emplace_back(id->attribute("id").value_or(""));
  }
  std::string with_ids(std::string_view input) const {
    std::string text;
    for (std::size_t i = 0; i < input.size(); ++i) {
      const char next = i + 1 < input.size() ? input[i + 1] : '\0';
      if (input[i] == '$' && next >= 'a' && next <= 'z') {
        text += ids_[static_cast<std::size_t>(next - 'a')];
        ++i;
      } else if (input[i] == '$' && next == 'A') {
        text += others_.front();
        ++i;
      } else {
        text += input[i];
      }
    }
    return text;
  }
  void check(const xml::Element& answer, std::vector<std::string> page, bool flipped, std::string_view bytes) const {
    if (answer.attribute("type") == "error") return require(page.empty(), "an error after messages", bytes);
    const xml::Element* fin = answer.child("fin", mam);
    require(answer.attribute("type") == "result" && fin != nullptr, "it is no answer", bytes);
    const xml::Element* set = fin->child("set", "http://jabber.org/protocol/rsm");
    require(set != nullptr && page.size() <= 250, "a page that says too little or has too much", bytes);
    if (flipped) std::ranges::reverse(page);
    const bool by_ids = bytes.contains("'ids'") || bytes.contains("&#") || bytes.contains("ids");
    auto before = ids_.end();
    for (const std::string& id : page) {
      // Ids tell no order; their places do.
      const auto place = std::ranges::find(ids_, id);
      require(place != ids_.end(), "a message of nobody's archive", bytes);
      require(by_ids || before == ids_.end() || before < place, "messages out of order", bytes);
      before = place;
    }
    const auto said = [&](std::string_view name) {
      const xml::Element* end = set->child(name, "http://jabber.org/protocol/rsm");
      return end == nullptr ? std::string() : end->text();
    };
    require(said("first") == (page.empty() ? "" : page.front()) && said("last") == (page.empty() ? "" : page.back()),
            "other ends than those of the page", bytes);
  }

  static WorldOptions options() {
    WorldOptions options{.shards = 2};
    options.limits.stanzas = {.per_second = 1e9, .burst = 1e9};
    options.limits.bytes_after_login = {.per_second = 1e12, .burst = 1e12};
    return options;
  }
  World world_{options()};
  std::unique_ptr<WorldClient> alice_;
  std::vector<std::string> ids_;
  std::vector<std::string> others_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Library library;
  library.ask({reinterpret_cast<const char*>(data), size});
  return 0;
}
