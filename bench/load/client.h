// One client of a load: a link and just enough of XMPP to be online (STARTTLS, SCRAM-SHA-1 or a token, resource
// binding, roster, presence), after which every stanza goes to the load. Beside a bare forwarder (bench/floor) it is
// online once TLS is.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "fast.h"
#include "link.h"
#include "loop.h"
#include "scram.h"

namespace kith::bench {

/// What all clients of a run share.
struct World {
  Loop loop;
  std::shared_ptr<SSL_CTX> tls = new_client_context();
  SaltedPasswords passwords;
  Endpoint endpoint;
  std::string domain;
  std::string password;
  /// True beside bench/floor: TLS from the first byte, no login, and bytes go to the connection that came next to it.
  bool forwarder = false;
  /// The most that one step of a load may take.
  Seconds step_limit{300};
};

class Client final : public Loop::Source {
 public:
  struct Wanted {
    std::string user;
    std::string resource;
    bool roster = false;             // asks for the roster before it is online
    bool presence = false;           // is available, and has seen its own presence, before it is online
    Returning* returning = nullptr;  // logs in by SASL2, with what it kept of an earlier login if there is something
  };

  Client(World& world, Wanted wanted);

  void connect();
  bool online() const { return state_ == State::online; }
  bool closed() const { return state_ == State::closed; }
  const std::string& full_jid() const { return full_jid_; }
  std::string bare_jid() const { return wanted_.user + "@" + world_.domain; }
  const std::string& user() const { return wanted_.user; }

  /// Adds to what flush() sends. Within on_stanza no flush is needed.
  void queue(std::string_view bytes) { link_.queue(bytes); }
  void flush();
  /// Takes leave; on_closed follows once the server has closed its side.
  void log_out();
  /// Ends the load: `what` goes on from "u7/bench", as in "was told …".
  void fail(const std::string& what);

  void on_ready(std::uint32_t events) override;

  std::function<void()> on_online;
  /// Each whole stanza that login has no use for.
  std::function<void(std::string_view stanza)> on_stanza;
  std::function<void()> on_closed;

 private:
  enum class State {
    connecting,
    header,  // waits for the server's stream header, and then for its features
    features,
    proceed,
    handshake,
    challenge,
    success,
    authenticated,  // waits for the one <success/> of SASL2, which binds, too
    binding,
    roster,
    presence,
    online,
    leaving,
    closed
  };

  static std::string_view step_of(State state);
  void open_stream();
  void on_connected();
  void on_handshake();
  void on_features();
  void on_challenge(std::string_view stanza);
  void on_bound(std::string_view stanza);
  void on_authenticated(std::string_view stanza);
  void ask_for_roster();
  void on_roster_or_bound();
  void become_online();
  void on_end();
  void consume();
  bool skip_header();
  void on_element(std::string_view element);
  void watch();

  World& world_;
  Wanted wanted_;
  Link link_;
  std::optional<ScramClient> scram_;
  State state_ = State::connecting;
  bool authenticated_ = false;
  std::uint32_t watched_ = 0;
  std::string in_;
  std::string full_jid_;
};

}  // namespace kith::bench
