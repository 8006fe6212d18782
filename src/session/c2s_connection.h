// One client connection; see c2s.h. Private to this room.
#pragma once

#include "session/c2s.h"
#include "stream/management.h"

namespace kith::session {

class C2sConnection final : public net::TransportHandler, public module::SessionOutput {
 public:
  C2sConnection(C2sService& service, std::uint64_t id, std::unique_ptr<net::Transport> transport,
                std::unique_ptr<stream::Negotiation> negotiation, xml::StreamParser parser,
                std::unique_ptr<Admission> admission, TokenBucket bytes, TokenBucket stanzas);
  ~C2sConnection() override;

  void start(Duration deadline);
  using Wanted = std::variant<stream::Bind, stream::Resume, stream::Establish>;
  void arrived(Wanted wanted, std::string held, module::ConnectionFacts facts);
  std::unique_ptr<Parcel> pack();

  // net::TransportHandler
  void on_bytes(std::string_view bytes) override;
  void on_secure() override;
  void on_closed(net::CloseReason reason) override;

  // module::SessionOutput
  void send(const xmpp::Stanza& stanza, storage::Ticket gate, const xmpp::Stanza* if_failed) override;
  std::size_t queued_bytes() const override { return transport_->unsent() + waiting_bytes_; }
  std::uint64_t taken_bytes() const override { return taken_bytes_; }
  std::uint64_t left_bytes() const override;
  void close(const xmpp::StreamError& error) override;
  void ended(const xmpp::StreamError& error) override;

  /// Lets the parser free what only an element in work needs, if nothing came for a while. True if that was done.
  bool park_if_idle(MonotonicTime now);
  /// Ends the stream with this error; the session waits for its client if that may resume it.
  void lose(const xmpp::StreamError& error);
  /// Turns stream management on for the bound session; the answer to the client, <enabled/> or <failed/>, is the
  /// caller's to send before anything else.
  xml::Element enable_management(const stream::EnableRequest& request);
  /// Bytes that a managed session leaves to its connection when it ends.
  void put_waiting(std::string bytes, std::string bytes_if_failed, storage::Ticket gate);
  const stream::Negotiation* negotiation() const { return negotiation_.get(); }
  std::string_view domain() const;

 private:
  /// Output that waits for a commit, or behind such.
  struct Waiting {
    std::string bytes;
    std::string bytes_if_failed;
    storage::Ticket gate;
  };

  void pump();
  void note_answer(const xml::Element& element);
  void note_unfinished_element();
  void resume();
  void stop_reading_for_now();
  void apply(stream::Actions actions);
  bool apply_one(stream::Action& action);
  void look_up(const xmpp::BareJid& bare, std::optional<Secret> password);
  void look_up_tokens(const xmpp::BareJid& bare, const std::string& client);
  void add_keys(stream::AddKeys more);
  void login_failed(stream::LoginFailed& failed);
  void iq_before_login(xmpp::Stanza stanza);
  void move_or_stay(Wanted wanted);
  void do_wanted(Wanted wanted);
  void do_bind(stream::Bind bind);
  void do_resume(const stream::Resume& wanted);
  void resume_failed(std::optional<std::uint32_t> h);
  void resume_now(std::uint64_t number, const std::string& previd, std::uint32_t h);
  // What a client asked for with its login: c2s_establish.cpp.
  void do_establish(stream::Establish establish);
  void establish_bind(std::vector<xml::Element> inner);
  void establish_bound(module::Session& session, std::vector<xml::Element> inner);
  void establish_tokens();
  void established(std::vector<xml::Element> inner);
  std::string resource_suffix() const;
  void management(const xml::Element& element);
  void note_facts();
  void bound(module::Session* session);
  void finish_stream();
  void end(const xmpp::StreamError& error);
  void fail(const xmpp::StreamError& error);
  void unbind();
  void write_element(const xml::Element& element);
  void write_stanza(const xmpp::Stanza& stanza);
  /// What service_.scratch_ holds.
  void write_scratch();
  void flush_waiting();
  void wait_for_head();
  void check_outbox();
  void on_timer();
  void schedule(Duration after);

  C2sService& service_;
  const std::uint64_t id_;
  std::unique_ptr<net::Transport> transport_;
  std::unique_ptr<stream::Negotiation> negotiation_;  ///< gone once bound
  xml::StreamParser parser_;
  std::unique_ptr<Admission> admission_;
  module::Session* session_ = nullptr;
  std::unique_ptr<std::deque<Waiting>> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::uint64_t taken_bytes_ = 0;
  std::unique_ptr<xmpp::StreamError>
      last_word_;             ///< how the stream ends when the output queue is empty, if by an error
  stream::Actions deferred_;  ///< what follows an answer that is being held back
  std::string held_;          ///< bytes that came and are not parsed yet
  module::ConnectionFacts facts_;
  std::optional<Wanted> wanted_;
  std::unique_ptr<stream::Wishes> wishes_;  ///< while they are being carried out
  std::optional<xml::Element> token_;       ///< for the client, when token_written_ is committed
  storage::Ticket token_written_;
  storage::Ticket tokens_removed_;
  ManagedSession* managed_ = nullptr;  ///< once stream management is enabled
  TokenBucket bytes_;
  TokenBucket stanzas_;
  MonotonicTime last_bytes_{};
  std::optional<MonotonicTime> element_since_;  ///< when the element that is not complete yet began to come
  Timer timer_;
  Timer pause_;
  bool holding_ = false;    ///< the session's output waits for the <success/> that tells of it
  bool busy_ = false;       ///< an answer is awaited: nothing more is parsed until then
  bool throttled_ = false;  ///< a rate was exceeded: nothing more is parsed for a while
  bool reading_stopped_ = false;
  bool pumping_ = false;
  bool pinged_ = false;
  bool hot_ = false;
  bool overflowed_ = false;  ///< the client does not read: nothing more is queued, the end is on its way
  bool finishing_ = false;   ///< the stream ends when the output queue is empty
  bool lost_ = false;        ///< the connection is gone, and nobody knows how much of what was written it had sent
  bool closed_ = false;      ///< the closing tag was written, or the connection is gone

  friend class C2sService;
  friend class ManagedSession;
};

}  // namespace kith::session
