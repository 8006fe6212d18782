// One client on one connection: TLS, a login by one of the mechanisms, a resource; then it says what it is told to say
// and writes down what it hears. What it promises the server it keeps (it answers pings and requests, reads what it
// gets) unless it is told not to. With stream management (XEP-0198) it is one stream of the history over any number of
// connections: what it has not seen acknowledged it sends again when it resumes its session.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "history.h"
#include "house.h"
#include "link.h"
#include "sasl/test_client.h"
#include "xml/stream_parser.h"

namespace kith::simulation {

struct Login {
  std::string account;  ///< bare JID
  std::string password;
  std::string resource;  ///< empty: the server makes one up
  std::string mechanism = "PLAIN";
  bool direct_tls = false;
  bool managed = false;  ///< with stream management
};

class Client {
 public:
  Client(Scheduler& scheduler, House& house, History& history, Login login, const LinkWeather& weather);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  unsigned stream() const { return stream_; }
  bool bound() const { return state_ == State::bound && !over(); }
  bool over() const { return history_.streams()[stream_].over(); }
  /// The connection is gone, and the session may be resumed.
  bool lost() const { return state_ == State::lost && !over(); }
  /// Tries that on a new connection. Not from inside a callback.
  void come_back(std::string password);
  /// Never comes back.
  void abandon(const std::string& why);
  /// The end was asked for; nothing more is sent.
  bool leaving() const { return leaving_; }
  const std::string& jid() const { return history_.streams()[stream_].jid; }
  const std::string& account() const { return login_.account; }

  /// A stanza, written down and sent.
  void send(const std::string& stanza);
  /// Bytes that are no stanza.
  void send_raw(std::string_view bytes, const std::string& note);
  /// The next stream error of these is this client's own fault.
  void deserve(std::string condition);
  /// With stream management: asks how much has arrived.
  void ask();
  /// The ways to go: the cable is cut; the sending side is closed, with or without the stream's end before it.
  void cut();
  void half_close();
  void close(End end = End::by_client);

  ClientLink& link() { return *link_; }
  /// From now on the weather is fine.
  void calm();
  /// Each stanza that arrives, after it was written down.
  std::function<void(const Facts&)> on_stanza;
  std::function<void()> on_bound;

 private:
  enum class State : std::uint8_t {
    tls,
    proceed,
    mechanisms,
    challenge,
    success,
    bind,
    binding,
    resuming,
    bound,
    lost
  };
  struct Sent {
    std::string id;
    std::string stanza;
  };

  void connect();
  bool may_resume() const { return !session_id_.empty(); }
  void lose(const std::string& how);
  void give_up(const std::string& how);
  void management(const xml::Element& element);
  bool take_acknowledgement(const xml::Element& element);
  void tell();
  void resumed(const xml::Element& element);

  void open_stream();
  void on_bytes(std::string_view bytes);
  void on_closed();
  void on_element(xml::Element element);
  void negotiate(const xml::Element& element);
  void authenticate();
  void answer_challenge(const xml::Element& challenge);
  void stanza(const xml::Element& element);

  Scheduler& scheduler_;
  House& house_;
  History& history_;
  Login login_;
  LinkWeather weather_;
  unsigned stream_;
  std::string domain_;
  bool leaving_ = false;
  End leaving_how_ = End::by_client;
  State state_;
  XmlLimits limits_;
  std::optional<xml::StreamParser> parser_;
  std::string fed_;
  std::optional<sasl::ScramClient> scram_;
  std::unique_ptr<ClientLink> link_;
  // Stream management
  bool counting_ = false;           ///< <enable/> was sent
  std::string session_id_;          ///< for the resumption
  std::uint32_t handled_ = 0;       ///< of the server's stanzas
  std::uint32_t acknowledged_ = 0;  ///< of ours
  std::deque<Sent> unacknowledged_;
};

}  // namespace kith::simulation
