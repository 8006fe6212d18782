// What waits on disk for other servers: messages that people of ours wrote, from the moment that they are on their way
// until the other server has acknowledged them (XEP-0198), or seems to have taken them. One per shard, for the domains
// that the shard owns. Private to this room.
//
// While a server can't be reached, it is tried again after pauses that grow from s2s_retry_time to s2s_longest_pause.
// Whoever wrote to it is told at once that the message waits, by a headline of the server. After s2s_wait_time the
// message comes back. So does one at which the other server has ended the stream several times.
//
// Limits: s2s_waiting_messages and s2s_waiting_bytes for each pair of domains; for all of them together those of
// waiting_totals.h.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "session/s2s.h"

namespace kith::session {

class S2sBacklog {
 public:
  explicit S2sBacklog(S2sService& service) : service_(service) {}

  /// Takes up what waited when the server stopped.
  void restore(Task done);
  /// True for a message that waits if it can't be brought.
  bool concerns(const router::Deliver& item) const;

  struct Kept {
    std::uint64_t id;
    storage::Ticket ticket;
    std::size_t bytes;
  };
  /// Writes it down, or says why there is no room.
  std::expected<Kept, xmpp::StanzaError> keep(const stream::DomainPair& pair, const xmpp::Stanza& message);
  /// How many messages there are between these domains.
  std::uint64_t messages(const stream::DomainPair& pair) const;
  using Page = storage::Result<std::vector<storage::OutboundMessage>>;
  /// The next ones behind `after`.
  void read(const stream::DomainPair& pair, std::uint64_t after, std::move_only_function<void(Page)> then);
  /// A message that waits no longer.
  struct Gone {
    std::string sender;  ///< a bare JID
    std::uint64_t bytes;
  };
  /// All up to and with `id` have come there, and these are they.
  void delivered(const stream::DomainPair& pair, std::uint64_t id, const std::vector<Gone>& messages);
  /// How many may be on their way unacknowledged.
  std::size_t window(const stream::DomainPair& pair) const;

  /// There is something for this server, which failed just now: it is tried again in good time.
  void rest(const stream::DomainPair& pair);
  void reached(const stream::DomainPair& pair);
  /// It can't be reached now: what waits for it is tried again later.
  void failed(const stream::DomainPair& pair, const std::string& why);
  /// There is no such server: nothing waits for it any more.
  void refuse(const stream::DomainPair& pair, const std::string& why);
  /// The other server has ended the stream when this was the oldest message that it had not acknowledged.
  void blame(const stream::DomainPair& pair, std::uint64_t id);
  /// The server of this domain has been heard: what waits for it is tried now. How many messages that are.
  std::uint64_t awake(const std::string& remote);
  std::vector<ServerLine> lines() const;
  /// Nothing is tried any more; what waits is there after the next start.
  void stop();

 private:
  struct Untold {
    xmpp::Jid from;
    xmpp::Jid to;
    std::string id;
    storage::Ticket ticket;
  };
  struct Line {
    explicit Line(Timer::Action action) : timer(std::move(action)) {}
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    std::map<std::string, std::uint64_t> bytes_of{};  ///< by the accounts that sent them
    unsigned failures = 0;
    bool away = false;  ///< the last attempt failed
    bool hopeless = false;
    bool looking = false;  ///< the oldest are being read, or given back
    std::string why{};
    std::optional<WallTime> oldest{};  ///< nothing older waits
    std::uint64_t suspect = 0;
    unsigned suspected = 0;  ///< how often the stream ended at it
    std::vector<Untold> untold{};
    std::set<std::pair<std::string, std::string>> told{};  ///< who, and about whom
    Timer timer;
  };
  Line& line(const stream::DomainPair& pair);
  Line* find(const stream::DomainPair& pair) const;
  void take_off(Line& line, const Gone& message);
  /// Nothing lies on the disk any more, whatever was counted.
  void take_off_all(Line& line);
  void drop_if_idle(const stream::DomainPair& pair);
  void schedule(Line& line, Duration pause);
  /// Gives back what has waited for too long, then tries to reach the server.
  void look(const stream::DomainPair& pair);
  void looked(const stream::DomainPair& pair, Page page);
  void give_back(const stream::DomainPair& pair, std::vector<storage::OutboundMessage> messages);
  void tell(const stream::DomainPair& pair, Line& line, const Untold& message);

  S2sService& service_;
  std::map<stream::DomainPair, std::unique_ptr<Line>> lines_;
  bool stopped_ = false;
};

}  // namespace kith::session
