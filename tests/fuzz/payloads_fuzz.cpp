// Iq payloads of any shape for every feature: from the owner of an account, a contact, a stranger on this server,
// another server, and a client that has not logged in; with storage that fails at will. Each request gets exactly one
// answer, from whom it was sent to; strangers learn nothing of an account; no feature lets an exception out.
//
// The input is text, a request in each line: a letter for the sender, one for the target, g or s for get or set, and
// the payload. Or `!` (writes fail from now on, or again not), `?` (the same for reads), `+` (a minute goes by).
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "module/testing.h"
#include "modules/all.h"

namespace {

using namespace kith;
using module::testing::Stage;

void require(bool holds, std::string_view what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

/// True if the owner has shown a node to others than contacts.
bool shows_nodes(const module::NodeList& nodes) {
  for (const auto& [name, node] : nodes.nodes()) {
    const xmpp::AccessModel model = node.config.access_model;
    if (model == xmpp::AccessModel::open || model == xmpp::AccessModel::authorize) return true;
    if (!node.affiliations.empty() || !node.subscriptions.empty()) return true;
  }
  return false;
}

/// What a stranger may be told of an account: its card, that it has no items, and nodes that it shows.
bool harmless(const xmpp::Stanza& answer, bool shows_nodes) {
  if (answer.type() == xmpp::StanzaType::error || shows_nodes) return true;
  const xml::Element* payload = answer.payload();
  if (payload == nullptr) return false;
  if (payload->is("vCard", "vcard-temp")) return true;
  return payload->is("query", xmpp::ns::disco_items) && payload->children().empty();
}

class Play {
 public:
  Play() {
    for (const module::Registration& feature : modules::all()) {
      if (feature.descriptor->name == "registration") {
        stage_.use(feature, {{"open", true}});
      } else {
        stage_.use(feature);
      }
    }
    juliet_ = &stage_.bind_available("juliet@capulet.lit/balcony");
    tybalt_ = &stage_.bind_available("tybalt@capulet.lit/street");
    stage_.subscribe("juliet@capulet.lit", "romeo@montague.lit", xmpp::Subscription::both);
    stage_.take();
  }

  void line(std::string_view text) {
    if (text == "!") stage_.disk.failing_writes = !stage_.disk.failing_writes;
    if (text == "?") stage_.disk.failing_reads = !stage_.disk.failing_reads;
    if (text == "+") stage_.clock.advance(std::chrono::minutes(1));
    if (text.size() < 4) return;
    auto payload = xml::parse_element(text.substr(3), xmpp::ns::client);
    if (!payload) return;
    xml::Element iq("iq", xmpp::ns::client);
    const std::string id = std::to_string(++asked_);
    iq.set("id", id).set("type", text[2] == 's' ? "set" : "get");
    const std::string to = target(text[1]);
    if (!to.empty()) iq.set("to", to);
    iq.add(*std::move(payload));
    if (text[0] == 'b') return before_login(iq, id);
    auto request = xmpp::Stanza::from_element(std::move(iq));
    if (!request) return;
    ask(text[0], *std::move(request));
  }

 private:
  static std::string target(char letter) {
    switch (letter) {
      case 'h':
        return "capulet.lit";
      case 'j':
        return "juliet@capulet.lit";
      case 't':
        return "tybalt@capulet.lit";
      case 'n':
        return "nobody@capulet.lit";
      default:
        return {};
    }
  }

  void before_login(const xml::Element& iq, std::string_view id) {
    const std::string text = xml::to_string(iq);
    if (!xml::parse_element(text)) return;  // grew past a limit by being written anew
    const auto answer = stage_.before_login(text);
    if (!answer) return;
    require(answer->id() == id, "the answer before login has another id");
    require(answer->type() == xmpp::StanzaType::result || answer->type() == xmpp::StanzaType::error, "it is no answer");
  }

  void ask(char sender, xmpp::Stanza request) {
    module::Session* session = sender == 'j' ? juliet_ : sender == 't' ? tybalt_ : nullptr;
    const std::string from = session != nullptr ? session->jid().text()
                             : sender == 'r'    ? "romeo@montague.lit/orchard"
                                                : "montague.lit";
    if (!request.to() && session == nullptr) return;  // the stream would not take it
    const std::string to = request.to() ? request.to()->text() : std::string(xmpp::Jid::parse(from)->bare_text());
    request.set_from(*xmpp::Jid::parse(from));
    const std::string id(request.id());
    const bool stranger = (to == "juliet@capulet.lit" && sender != 'j' && sender != 'r') ||
                          (to == "tybalt@capulet.lit" && sender != 't') || to == "nobody@capulet.lit";
    stage_.dispatch(std::move(request), session);
    int answers = 0;
    for (const xmpp::Stanza& left : stage_.take()) {
      if (left.kind() != xmpp::StanzaKind::iq || left.is_iq_request()) continue;
      ++answers;
      require(left.id() == id && left.to() && left.to()->text() == from, "an answer to nobody's question");
      require(left.from() && left.from()->text() == to, "an answer from another address");
      const bool shown = to != "nobody@capulet.lit" && shows_nodes(stage_.account(to).nodes());
      if (stranger) require(harmless(left, shown), "a stranger was told something");
    }
    require(answers == 1, "not exactly one answer");
    require(stage_.faults.empty(), "an exception");
  }

  Stage stage_;
  module::Session* juliet_;
  module::Session* tybalt_;
  int asked_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  Play play;
  for (int lines = 0; lines < 16 && !text.empty(); ++lines) {
    const std::size_t end = text.find('\n');
    play.line(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return 0;
}
