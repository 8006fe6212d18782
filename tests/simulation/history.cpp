#include "history.h"

#include <array>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "xmpp/namespaces.h"

namespace kith::simulation {

namespace {

namespace ns = xmpp::ns;

std::string attribute(const xml::Element& element, std::string_view name) {
  return std::string(element.attribute(name).value_or(""));
}

void note_error(const xml::Element& element, Facts& facts) {
  const bool of_stream = element.is("error", ns::streams);
  const xml::Element* error = of_stream ? &element : element.child("error", ns::client);
  if (error == nullptr) return;
  facts.error_type = attribute(*error, "type");
  if (const xml::Element* condition = error->child_in(of_stream ? ns::stream_errors : ns::stanza_errors)) {
    facts.error = condition->name();
  }
}

void note_payload(const xml::Element& element, Facts& facts) {
  const xml::Element* payload = element.first_child();
  if (payload == nullptr) return;
  facts.payload = payload->name();
  facts.payload_ns = payload->ns();
  payload->for_each_child([&](const xml::Element& child) {
    if (child.is("item", ns::roster)) {
      facts.items.push_back({attribute(child, "jid"), attribute(child, "name"), attribute(child, "subscription")});
    } else {
      facts.key = child.ns();
      facts.mark = child.text();
    }
  });
}

}  // namespace

Facts facts_of(const xml::Element& element) {
  Facts facts{.name = std::string(element.name()),
              .type = attribute(element, "type"),
              .id = attribute(element, "id"),
              .from = attribute(element, "from"),
              .to = attribute(element, "to"),
              .payload = {},
              .payload_ns = {},
              .mark = {},
              .error = {},
              .error_type = {},
              .key = {}};
  if (const xml::Element* body = element.child("body", ns::client)) facts.mark = body->text();
  if (const xml::Element* status = element.child("status", ns::client)) facts.mark = status->text();
  facts.has_status = element.child("status", ns::client) != nullptr;
  if (const xml::Element* priority = element.child("priority", ns::client)) {
    facts.priority = std::atoi(priority->text().c_str());
  }
  facts.delayed = element.child("delay", ns::delay) != nullptr;
  facts.for_offline = facts.name == "message" && !facts.mark.empty() && (facts.type == "chat" || facts.type.empty()) &&
                      element.child("no-store", "urn:xmpp:hints") == nullptr;
  if (facts.name == "iq" || facts.name == "error") note_payload(element, facts);
  note_error(element, facts);
  return facts;
}

unsigned History::open(std::string account) {
  const auto index = static_cast<unsigned>(streams_.size());
  streams_.push_back(
      {.account = std::move(account), .jid = {}, .opened_at = records_.size(), .error = {}, .deserves = {}});
  add(What::opened, index, streams_.back().account);
  return index;
}

std::size_t History::add(What what, unsigned stream, std::string text, Facts facts) {
  for (const char byte : text) fingerprint_ = (fingerprint_ ^ static_cast<unsigned char>(byte)) * 0x100000001b3U;
  fingerprint_ = (fingerprint_ ^ (static_cast<std::uint64_t>(what) + stream)) * 0x100000001b3U;
  records_.push_back({clock_.now() - start_, what, stream, std::move(facts), std::move(text)});
  return records_.size() - 1;
}

void History::bound(unsigned stream, std::string jid) {
  streams_[stream].jid = std::move(jid);
  streams_[stream].bound_at = add(What::bound, stream, streams_[stream].jid);
}

void History::ended(unsigned stream, End end, const std::string& how) {
  if (streams_[stream].over()) return;
  streams_[stream].end = end;
  streams_[stream].ended_at = add(What::ended, stream, how);
}

void History::fault(std::string checker, std::string why, std::string about) {
  faults_.push_back({std::move(checker), std::move(why), std::move(about)});
}

std::string line_of(const History& history, std::size_t index) {
  static constexpr std::array words{"opened",      "bound", "->",   "<-",      "ended", "STOP",  "CRASH", "RESTART",
                                    "DISK FAILED", "CALM",  "lost", "resumed", "told",  "acked", "note"};
  static constexpr std::size_t most_bytes = 400;
  const Record& record = history.records()[index];
  std::array<char, 64> head{};
  std::snprintf(head.data(), head.size(), "%6zu %11.6f s%-3u %-6s ", index,
                std::chrono::duration<double>(record.at).count(), record.stream,
                words[static_cast<std::size_t>(record.what)]);
  std::string text = record.text.substr(0, most_bytes);
  if (text.size() < record.text.size()) text += "…";
  return head.data() + text;
}

namespace {

/// True if `word` stands in `text` by itself: m1 does not stand in m12.
bool mentions(const std::string& text, const std::string& word) {
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if (end == text.size() || std::isdigit(static_cast<unsigned char>(text[end])) == 0) return true;
  }
  return false;
}

}  // namespace

std::string records_about(const History& history, const std::string& about) {
  constexpr std::size_t most = 40;
  std::string out = "what touches " + about + ":\n";
  std::size_t shown = 0;
  for (std::size_t i = 0; i < history.records().size() && shown < most; ++i) {
    const Record& record = history.records()[i];
    const bool its_stream = about == "s" + std::to_string(record.stream) && record.what != What::note;
    if (!its_stream && !mentions(record.text, about)) continue;
    out += line_of(history, i) + "\n";
    ++shown;
  }
  return out;
}

std::string last_records(const History& history, std::size_t most) {
  const std::size_t all = history.records().size();
  std::string out = "the last records:\n";
  for (std::size_t i = all > most ? all - most : 0; i < all; ++i) out += line_of(history, i) + "\n";
  return out;
}

}  // namespace kith::simulation
