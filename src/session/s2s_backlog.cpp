#include "session/s2s_backlog.h"

#include <algorithm>
#include <array>
#include <utility>

#include "module/worth.h"
#include "session/s2s_link.h"
#include "xml/writer.h"
#include "xmpp/datetime.h"
#include "xmpp/namespaces.h"

namespace kith::session {

namespace ns = xmpp::ns;
using stream::DomainPair;
using xmpp::Condition;
using xmpp::StanzaError;

namespace {
constexpr std::string_view ns_waiting = "urn:kith:waiting:0";
constexpr std::string_view ns_hints = "urn:xmpp:hints";
constexpr std::size_t page_messages = 20;
constexpr std::size_t page_bytes = 1024 * 1024;
constexpr std::size_t most_unacknowledged = 500;
/// From the second time on, a message at which the other server ends the stream goes alone, so that it is known to be
/// the one; after the last, it comes back, since what is behind it would never arrive.
constexpr unsigned suspected_alone = 2;
constexpr unsigned suspected_most = 4;
constexpr std::size_t most_untold = 1000;
constexpr unsigned most_doublings = 20;
constexpr Duration again_after_trouble = std::chrono::seconds(60);
constexpr Duration soon = std::chrono::seconds(1);
}  // namespace

S2sBacklog::Line& S2sBacklog::line(const DomainPair& pair) {
  std::unique_ptr<Line>& line = lines_[pair];
  if (!line) line = std::make_unique<Line>([this, pair] { look(pair); });
  return *line;
}

S2sBacklog::Line* S2sBacklog::find(const DomainPair& pair) const {
  const auto found = lines_.find(pair);
  return found == lines_.end() ? nullptr : found->second.get();
}

void S2sBacklog::restore(Task done) {
  service_.deps_.stores.outbound.lines(
      [this, done = std::move(done)](storage::Result<std::vector<storage::OutboundLine>> all) mutable {
        if (!all) {
          service_.deps_.events.record(LogLevel::error, "waiting_messages_not_read");
        } else {
          for (const storage::OutboundLine& one : *all) {
            if (service_.deps_.router.owner_of_domain(one.remote) != service_.deps_.router.shard()) continue;
            Line& there = line({one.remote, one.local});
            there.messages += one.messages;
            there.bytes += one.bytes;
            there.bytes_of[one.sender] += one.bytes;
            service_.deps_.waiting.add(one.sender, one.bytes);
            schedule(there, soon);
          }
        }
        done();
      });
}

bool S2sBacklog::concerns(const router::Deliver& item) const {
  const xmpp::Stanza& stanza = item.stanza;
  // What an account says for itself. A room's words would be of no use hours later, and its private messages and
  // invitations could be made without end by who is nobody here.
  return service_.deps_.limits.s2s_wait_time > std::chrono::seconds(0) && stanza.kind() == xmpp::StanzaKind::message &&
         !item.gate && stanza.from() && stanza.from()->has_localpart() && stanza.from()->is_full() &&
         service_.deps_.hosts.is_local(stanza.from()->domainpart()) && module::judge(stanza) == module::Worth::keep;
}

std::expected<S2sBacklog::Kept, StanzaError> S2sBacklog::keep(const DomainPair& pair, const xmpp::Stanza& message) {
  const Limits& limits = service_.deps_.limits;
  const auto full = [&](std::string_view limit, std::string words) {
    service_.deps_.events.limit_hit(limit);
    return std::unexpected(StanzaError{xmpp::ErrorType::wait, Condition::resource_constraint, std::move(words)});
  };
  std::string text = xml::to_string(message.element(), ns::client);
  const std::size_t bytes = text.size();
  const Line* const there = find(pair);
  if ((there == nullptr ? 0 : there->messages) >= limits.s2s_waiting_messages ||
      (there == nullptr ? 0 : there->bytes) + bytes > limits.s2s_waiting_bytes) {
    return full("s2s_waiting", "Too much waits for that server.");
  }
  const std::string sender(message.from()->bare_text());
  switch (service_.deps_.waiting.take(sender, bytes, limits)) {
    case WaitingTotals::Verdict::too_much_in_all:
      return full("s2s_waiting_bytes_in_all", "Too much waits for other servers.");
    case WaitingTotals::Verdict::too_much_of_account:
      return full("s2s_waiting_bytes_per_account", "Too much of what you have written waits for other servers.");
    case WaitingTotals::Verdict::taken:
      break;
  }
  const WallTime now = service_.deps_.clock.wall();
  const auto added = service_.deps_.stores.outbound.add(pair.remote, pair.local, xmpp::BareJid::of(*message.from()),
                                                        now, std::move(text));
  Line& line = this->line(pair);
  if (line.messages == 0) line.oldest = now;
  ++line.messages;
  line.bytes += bytes;
  line.bytes_of[sender] += bytes;
  service_.deps_.router.when_decided(added.ticket, [this, pair, message, sender, bytes](bool committed) {
    if (committed) return;
    if (Line* const its = find(pair)) take_off(*its, {.sender = sender, .bytes = bytes});
    drop_if_idle(pair);
    service_.deps_.router.unreachable(message, StanzaError::storage_failed());
  });
  Untold untold{.from = *message.from(), .to = *message.to(), .id = std::string(message.id()), .ticket = added.ticket};
  if (line.away) {
    tell(pair, line, untold);
  } else if (line.untold.size() < most_untold) {
    line.untold.push_back(std::move(untold));
  }
  return Kept{.id = added.id, .ticket = added.ticket, .bytes = bytes};
}

std::uint64_t S2sBacklog::messages(const DomainPair& pair) const {
  const Line* const line = find(pair);
  return line == nullptr ? 0 : line->messages;
}

void S2sBacklog::read(const DomainPair& pair, std::uint64_t after, std::move_only_function<void(Page)> then) {
  const bool alone = window(pair) == 1;
  service_.deps_.stores.outbound.page(pair.remote, pair.local, after, alone ? 1 : page_messages, page_bytes,
                                      std::move(then));
}

void S2sBacklog::delivered(const DomainPair& pair, std::uint64_t id, const std::vector<Gone>& messages) {
  service_.deps_.stores.outbound.remove_through(pair.remote, pair.local, id);
  Line* const line = find(pair);
  if (line == nullptr) return;
  if (id >= line->suspect) line->suspect = line->suspected = 0;
  for (const Gone& message : messages) take_off(*line, message);
  drop_if_idle(pair);
}

void S2sBacklog::take_off(Line& line, const Gone& message) {
  line.messages -= std::min<std::uint64_t>(line.messages, 1);
  line.bytes -= std::min(line.bytes, message.bytes);
  const auto its = line.bytes_of.find(message.sender);
  if (its == line.bytes_of.end()) return;
  const std::uint64_t bytes = std::min(its->second, message.bytes);
  service_.deps_.waiting.give_back(message.sender, bytes);
  its->second -= bytes;
  if (its->second == 0) line.bytes_of.erase(its);
}

void S2sBacklog::take_off_all(Line& line) {
  for (const auto& [sender, bytes] : line.bytes_of) service_.deps_.waiting.give_back(sender, bytes);
  line.bytes_of.clear();
  line.messages = line.bytes = 0;
}

void S2sBacklog::drop_if_idle(const DomainPair& pair) {
  const Line* const line = find(pair);
  if (line != nullptr && line->messages == 0 && !line->looking && !line->away) lines_.erase(pair);
}

std::size_t S2sBacklog::window(const DomainPair& pair) const {
  const Line* const line = find(pair);
  return line != nullptr && line->suspected >= suspected_alone ? 1 : most_unacknowledged;
}

// --- the server is there, or not
// ------------------------------------------------------------------------------------------------

void S2sBacklog::reached(const DomainPair& pair) {
  Line* const line = find(pair);
  if (line == nullptr) return;
  line->failures = 0;
  line->away = line->hopeless = false;
  line->untold.clear();
  line->told.clear();
  line->timer.cancel();
  drop_if_idle(pair);
}

void S2sBacklog::failed(const DomainPair& pair, const std::string& why) {
  Line* const line = find(pair);
  if (line == nullptr || stopped_) return;
  if (line->messages == 0) {
    line->away = false;
    return drop_if_idle(pair);
  }
  const Limits& limits = service_.deps_.limits;
  line->why = why;
  line->away = true;
  for (const Untold& message : std::exchange(line->untold, {})) tell(pair, *line, message);
  Duration pause = std::max<Duration>(limits.s2s_retry_time, soon);
  for (unsigned i = 0; i < std::min(line->failures, most_doublings) && pause < limits.s2s_longest_pause; ++i)
    pause *= 2;
  pause = std::min<Duration>(pause, limits.s2s_longest_pause);
  ++line->failures;
  // Up to a tenth more, by chance: servers that went down together are not to come back to each other in step.
  std::array<std::byte, 1> chance{};
  service_.deps_.random.fill(chance);
  schedule(*line, pause + pause * std::to_integer<int>(chance[0]) / 2560);
}

void S2sBacklog::rest(const DomainPair& pair) {
  Line* const line = find(pair);
  if (line == nullptr || line->looking || line->timer.waiting()) return;
  schedule(*line, std::max<Duration>(service_.deps_.limits.s2s_retry_time, soon));
}

void S2sBacklog::schedule(Line& line, Duration pause) {
  if (stopped_) return;
  if (line.oldest) {
    const auto left = *line.oldest + service_.deps_.limits.s2s_wait_time - service_.deps_.clock.wall();
    pause = std::min<Duration>(pause, std::max<Duration>(left, soon));
  }
  service_.deps_.timers.schedule(line.timer, pause);
}

void S2sBacklog::refuse(const DomainPair& pair, const std::string& why) {
  Line* const line = find(pair);
  if (line == nullptr || stopped_) return;
  line->why = why;
  line->hopeless = true;
  line->untold.clear();
  look(pair);
}

void S2sBacklog::blame(const DomainPair& pair, std::uint64_t id) {
  Line* const line = find(pair);
  if (line == nullptr) return;
  line->suspected = line->suspect == id ? line->suspected + 1 : 1;
  line->suspect = id;
}

std::uint64_t S2sBacklog::awake(const std::string& remote) {
  std::uint64_t messages = 0;
  for (auto at = lines_.lower_bound({remote, {}}); at != lines_.end() && at->first.remote == remote; ++at) {
    messages += at->second->messages;
    if (at->second->timer.waiting()) service_.deps_.timers.schedule(at->second->timer, soon);
  }
  return messages;
}

std::vector<ServerLine> S2sBacklog::lines() const {
  std::vector<ServerLine> all;
  for (const auto& [pair, line] : lines_) {
    all.push_back({.remote = pair.remote,
                   .local = pair.local,
                   .messages = line->messages,
                   .bytes = line->bytes,
                   .why = line->away ? line->why : std::string()});
  }
  return all;
}

void S2sBacklog::stop() {
  stopped_ = true;
  for (const auto& [pair, line] : lines_) line->timer.cancel();
}

// --- what has waited for too long
// ---------------------------------------------------------------------------------------------

void S2sBacklog::look(const DomainPair& pair) {
  Line* const line = find(pair);
  // A stream that is there, or being made, sees to what waits.
  if (line == nullptr || line->looking || stopped_ || service_.links_.contains(pair)) return;
  line->looking = true;
  service_.deps_.stores.outbound.page(pair.remote, pair.local, 0, page_messages, page_bytes,
                                      [this, pair](Page page) { looked(pair, std::move(page)); });
}

void S2sBacklog::looked(const DomainPair& pair, Page page) {
  Line* const line = find(pair);
  if (line == nullptr) return;
  line->looking = false;
  if (!page) return schedule(*line, again_after_trouble);
  if (page->empty()) {
    line->away = false;
    take_off_all(*line);
    return drop_if_idle(pair);
  }
  // Blocked when the server stopped before all of it had gone back.
  if (service_.blocks(pair.remote)) {
    line->hopeless = true;
    line->why = "this server does not talk to that one";
  }
  const WallTime due = service_.deps_.clock.wall() - service_.deps_.limits.s2s_wait_time;
  const auto stays = [&](const storage::OutboundMessage& message) {
    const bool culprit = message.id == line->suspect && line->suspected >= suspected_most;
    return !line->hopeless && message.when > due && !culprit;
  };
  const auto first = std::ranges::find_if(*page, stays);
  if (first != page->begin()) {
    page->erase(first, page->end());
    line->looking = true;
    return give_back(pair, *std::move(page));
  }
  line->oldest = page->front().when;
  if (service_.links_.contains(pair)) return;
  if (service_.link(pair) == nullptr) failed(pair, "there are too many streams to other servers");
}

void S2sBacklog::give_back(const DomainPair& pair, std::vector<storage::OutboundMessage> messages) {
  struct Going {
    std::uint64_t id;
    std::vector<Gone> messages{};
    std::size_t open;
    bool all_told = true;
  };
  const Line& line = *find(pair);
  const auto going = std::make_shared<Going>(Going{.id = messages.back().id, .open = messages.size() + 1});
  const auto one_done = [this, pair, going](bool told) {
    going->all_told = going->all_told && told;
    if (--going->open > 0) return;
    Line* const back = find(pair);
    if (back != nullptr) back->looking = false;
    if (!going->all_told) {
      if (back != nullptr) schedule(*back, again_after_trouble);
      return;
    }
    delivered(pair, going->id, going->messages);
    look(pair);
  };
  const std::string why = line.suspect == messages.front().id && line.suspected >= suspected_most
                              ? "that server has ended the stream each time that it was given this message"
                              : line.why;
  const Condition condition = line.hopeless ? Condition::remote_server_not_found : Condition::remote_server_timeout;
  service_.deps_.events.record(LogLevel::info, "waiting_messages_returned",
                               {{"domain", pair.remote}, {"messages", std::to_string(messages.size())}, {"why", why}});
  for (const storage::OutboundMessage& message : messages) {
    std::optional<xmpp::Stanza> stanza = xmpp::Stanza::from_stored(message.stanza);
    going->messages.push_back({.sender = std::string(stanza && stanza->from() ? stanza->from()->bare_text() : ""),
                               .bytes = message.stanza.size()});
    if (!stanza || !stanza->from() || !stanza->to()) {
      service_.deps_.events.record(LogLevel::error, "storage_bad_row", {{"table", "outbound"}});
      one_done(true);
      continue;
    }
    std::string sentence = "Your message to " + stanza->to()->text() + " of " +
                           xmpp::format_datetime(message.when, false) + " could not be delivered and waits no longer" +
                           (why.empty() ? "." : ": " + why + ".");
    service_.deps_.router.give_back(*std::move(stanza), StanzaError::of(condition, sentence), sentence, one_done);
  }
  one_done(true);
}

void S2sBacklog::tell(const DomainPair& pair, Line& line, const Untold& message) {
  if (line.told.size() >= most_untold) line.told.clear();
  if (!line.told.emplace(message.from.text(), std::string(message.to.bare_text())).second) return;
  const std::string until =
      xmpp::format_datetime(service_.deps_.clock.wall() + service_.deps_.limits.s2s_wait_time, false);
  xml::Element notice("message", ns::client);
  notice.set("type", "headline").set("from", pair.local).set("to", message.from.text());
  notice.add_text_child("body", "The server " + pair.remote + " can't be reached now: " + line.why +
                                    ". Your message to " + std::string(message.to.bare_text()) +
                                    " waits here and is tried again until " + until + ".");
  xml::Element waiting("waiting", ns_waiting);
  waiting.set("to", message.to.text()).set("until", until);
  if (!message.id.empty()) waiting.set("id", message.id);
  notice.add(std::move(waiting));
  notice.add(xml::Element("no-store", ns_hints));
  service_.deps_.router.route(xmpp::Stanza::make(std::move(notice)), message.ticket);
}

}  // namespace kith::session
