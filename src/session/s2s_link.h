// A stream of ours to another server, and what waits for it; see s2s.h. Private to this room.
#pragma once

#include <deque>
#include <map>
#include <optional>

#include "base/token_bucket.h"
#include "session/s2s.h"
#include "session/s2s_backlog.h"
#include "session/s2s_heard.h"
#include "session/s2s_race.h"
#include "xml/stream_parser.h"

namespace kith::session {

class S2sLink final : public net::TransportHandler {
 public:
  /// `behind`: messages lie on the disk that go before all that it is given.
  S2sLink(S2sService& service, stream::DomainPair pair, bool behind);
  ~S2sLink() override;

  void begin();
  /// `kept`: where it lies on the disk.
  void send(router::Deliver item, std::optional<S2sBacklog::Kept> kept);
  void verify(std::string stream_id, std::string key,
              std::move_only_function<void(router::RemoteServers::KeyAnswer)> then);
  void shut_down();
  /// Nobody talks to that server any more.
  void cut_off() { give_up("it was blocked", xmpp::Condition::policy_violation); }
  bool ready() const { return machine_ && machine_->ready(); }

  void on_bytes(std::string_view bytes) override;
  void on_secure() override;
  void on_drained() override;
  void on_closed(net::CloseReason reason) override;

 private:
  struct Waiting {
    router::Deliver item;
    std::size_t bytes;
    std::uint64_t kept = 0;  ///< its number on the disk, if it lies there
    WallTime since{};
  };
  /// What was written and may not have come there.
  struct Written {
    std::uint64_t kept;
    std::size_t bytes;
    std::string sender{};                  ///< of one that lies on the disk
    std::optional<xmpp::Stanza> stanza{};  ///< to be answered, if the stream ends before it is acknowledged
    std::optional<MonotonicTime> taken{};  ///< by the other side's machine
  };
  /// Of stream management (XEP-0198) on this stream.
  enum class Management : std::uint8_t { none, asked, on };
  enum class Fault : std::uint8_t { ours, theirs };
  void targets_found(S2sDeps::Targets found);
  void heard(std::unique_ptr<net::Transport> transport, const S2sTarget& target, std::string_view said);
  void apply(stream::S2sOutActions actions);
  void flush();
  void write(const xml::Element& element);
  /// There is no way: what waits is answered, and the link goes.
  void give_up(const std::string& why, xmpp::Condition condition, Fault fault = Fault::ours);
  void end();
  void on_timer();
  void read_backlog();
  void take_page(S2sBacklog::Page page);
  bool has_room() const;
  void manage(const xml::Element& element);
  void acknowledged(std::size_t count);
  /// Without stream management: what the other side's machine has taken a while ago is believed to have come there.
  void settle();
  /// XEP-0288: what the other server says to us here.
  void take(xml::Element element);
  void tell(std::uint32_t handled);
  void say_farewell();
  void hear_last(std::string_view bytes);
  void hang_up();

  S2sService& service_;
  const stream::DomainPair pair_;
  std::unique_ptr<S2sRace> race_;
  std::unique_ptr<net::Transport> transport_;
  std::optional<stream::S2sOut> machine_;
  std::optional<xml::StreamParser> parser_;
  std::vector<std::pair<std::string, std::string>> questions_;
  std::map<std::string, std::move_only_function<void(router::RemoteServers::KeyAnswer)>> asked_;
  std::deque<Waiting> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::deque<Written> written_;
  std::size_t written_bytes_ = 0;
  std::uint64_t read_through_ = 0;  ///< the last of the messages on the disk that came here
  bool behind_;                     ///< there are more of them
  bool reading_ = false;            ///< a page of them is on its way
  Management management_ = Management::none;
  std::uint32_t acknowledged_ = 0;
  bool asking_ = false;  ///< an <r/> was sent and not answered yet
  MonotonicTime asked_at_{};
  bool served_ = false;   ///< something was acknowledged
  bool parting_ = false;  ///< closed, but its last word is heard
  TokenBucket bytes_;
  S2sHeard heard_;
  Timer timer_;
  Timer pause_;  ///< until more is read
  std::optional<MonotonicTime> ready_since_;
  MonotonicTime last_said_{};                  ///< a stanza, by either side
  std::optional<MonotonicTime> behind_since_;  ///< since when something has been written that the peer has not taken
  bool proven_by_address_ = false;
  bool closed_ = false;  ///< nothing more is sent; the link goes
  bool gate_watched_ = false;
  bool cut_ = false;  ///< the connection has gone
};

}  // namespace kith::session
