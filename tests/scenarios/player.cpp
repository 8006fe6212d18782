#include "player.h"

#include <algorithm>
#include <stdexcept>

#include "xml/stream_parser.h"
#include "xml/writer.h"
#include "xmpp/jid.h"

namespace kith::scenario {

namespace {

void replace(std::string& text, const std::string& what, const std::string& by) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
}

std::string written(const xml::Element& element) { return on_one_line(xml::to_string(element, "jabber:client")); }

/// Whether the actual stanza stands where the expected one should, only filled differently: an answer by its id,
/// anything else by its kind.
bool stands_for(const xml::Element& expected, const xml::Element& actual) {
  if (expected.name() != actual.name()) return false;
  const auto id = expected.attribute("id");
  if (id && !id->starts_with('{')) return actual.attribute("id") == *id;
  const xml::Element* wanted = expected.first_child();
  const xml::Element* found = actual.first_child();
  const bool same_payload = wanted == nullptr || found == nullptr || wanted->name() == found->name();
  const auto from = actual.attribute("from");
  return expected.attribute("type") == actual.attribute("type") && same_payload &&
         (!from || !expected.attribute("from") || from == expected.attribute("from"));
}

}  // namespace

std::string on_one_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    const bool space = c == '\n' || c == '\t' || c == '\r' || c == ' ';
    if (!space)
      line += c;
    else if (!line.empty() && line.back() != ' ')
      line += ' ';
  }
  while (line.ends_with(' ')) line.pop_back();
  return line;
}

Outcome Player::play() {
  for (const Step& step : script_.steps) {
    if (!carry_out(step)) {
      outcome_.stopped_at = step.line;
      break;
    }
    ++outcome_.steps;
    if (!go_on_ && !outcome_.differences.empty()) break;
  }
  return outcome_;
}

const ClientEntry& Player::entry_of(const std::string& name) const {
  for (const ClientEntry& entry : script_.clients) {
    if (entry.name == name) return entry;
  }
  throw std::logic_error("the parser let an unknown client through");
}

std::string Player::filled(std::string text) const {
  for (const ClientEntry& entry : script_.clients) {
    const auto jid = xmpp::Jid::parse(entry.jid);
    replace(text, "${" + entry.name + "'s JID}", std::string(jid->bare_text()));
    // That of the last login stands when the client has gone.
    if (const auto client = clients_.find(entry.name); client != clients_.end() && !client->second.full_jid.empty()) {
      replace(text, "${" + entry.name + "'s full JID}", client->second.full_jid);
    }
  }
  for (const auto& [name, value] : captures_) replace(text, "${" + name + "}", value);
  return text;
}

void Player::differs(const Step& step, std::string what, std::string expected, std::string actual) {
  outcome_.differences.push_back({.line = step.line,
                                  .what = step.client + ": " + on_one_line(what),
                                  .expected = on_one_line(expected),
                                  .actual = std::move(actual)});
}

void Player::connect(const Step& step) {
  Client& client = clients_[step.client];
  client.arrived.clear();
  const auto full_jid = stage_.connect(entry_of(step.client));
  client.connected = full_jid.has_value();
  if (full_jid)
    client.full_jid = *full_jid;
  else
    differs(step, "could not log in: " + full_jid.error());
}

void Player::take_in(const std::string& client) {
  while (auto element = stage_.next(client, false))
    clients_[client].arrived.push_back({.element = *std::move(element)});
}

void Player::receive(const Step& step) {
  Client& client = clients_[step.client];
  if (!client.connected) return differs(step, "is not connected", step.stanza);
  const std::string text = filled(step.stanza);
  const auto parsed =
      xml::parse_element("<e xmlns='jabber:client' xmlns:scansion='" + std::string(ns_scansion) + "'>" + text + "</e>");
  const xml::Element* expected = parsed ? parsed->first_child() : nullptr;
  if (expected == nullptr) return differs(step, "the script's stanza is not well-formed", text);
  const Rules rules = script_.strict ? Rules::strict : Rules::of_the_format;

  take_in(step.client);
  auto& arrived = client.arrived;
  auto first = std::ranges::find_if(arrived, [](const Arrived& one) { return !one.told; });
  if (first == arrived.end()) {
    if (auto late = stage_.next(step.client, true)) {
      arrived.push_back({.element = *std::move(late)});
      first = std::prev(arrived.end());
    }
  }
  std::string what = "received nothing";
  if (first != arrived.end()) {
    what = difference(*expected, first->element, captures_, rules);
    if (what.empty()) {
      arrived.erase(first);
      return;
    }
  }
  if (go_on_) return receive_out_of_turn(step, *expected, text);
  differs(step, what, text, first == arrived.end() ? std::string() : written(first->element));
}

void Player::receive_out_of_turn(const Step& step, const xml::Element& expected, const std::string& text) {
  const Rules rules = script_.strict ? Rules::strict : Rules::of_the_format;
  auto& arrived = clients_[step.client].arrived;
  auto found = std::ranges::find_if(
      arrived, [&](const Arrived& one) { return difference(expected, one.element, captures_, rules).empty(); });
  const bool as_expected = found != arrived.end();
  if (!as_expected)
    found = std::ranges::find_if(arrived, [&](const Arrived& one) { return stands_for(expected, one.element); });
  if (found == arrived.end()) return differs(step, "did not come", text);
  for (auto before = arrived.begin(); before != found; ++before) {
    if (before->told) continue;
    before->told = true;
    differs(step, "received something else first", text, written(before->element));
  }
  if (!as_expected)
    differs(step, difference(expected, found->element, captures_, rules), text, written(found->element));
  arrived.erase(found);
}

void Player::receive_nothing(const Step& step) {
  Client& client = clients_[step.client];
  if (!client.connected) return differs(step, "is not connected");
  take_in(step.client);
  for (const Arrived& one : client.arrived) {
    if (!one.told) differs(step, "received something", "nothing", written(one.element));
  }
  client.arrived.clear();
}

bool Player::carry_out(const Step& step) {
  using Kind = Step::Kind;
  switch (step.kind) {
    case Kind::connects:
      connect(step);
      break;
    case Kind::sends:
      // A script may go on after a client has left; what it sends then reaches nobody.
      if (clients_[step.client].connected) stage_.send(step.client, filled(step.stanza));
      break;
    case Kind::receives:
      receive(step);
      break;
    case Kind::receives_nothing:
      receive_nothing(step);
      break;
    case Kind::ignores:
      take_in(step.client);
      clients_[step.client].arrived.clear();
      break;
    case Kind::disconnects:
    case Kind::vanishes:
      if (!clients_[step.client].connected) break;
      if (step.kind == Kind::disconnects)
        stage_.disconnect(step.client);
      else
        stage_.vanish(step.client);
      clients_[step.client].connected = false;
      break;
    case Kind::wait:
    case Kind::restart:
    case Kind::disk_full:
    case Kind::disk_works:
      if (!stage_.arrange(step)) return false;
      if (step.kind != Kind::restart) break;
      for (auto& [name, client] : clients_) client.connected = false;
      break;
  }
  const bool changes_nothing = step.kind == Kind::receives || step.kind == Kind::receives_nothing;
  if (!changes_nothing) stage_.settle();
  return true;
}

}  // namespace kith::scenario
