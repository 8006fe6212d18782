#include "session/s2s_race.h"

#include <optional>
#include <utility>

#include "net/socks5.h"
#include "xml/writer.h"
#include "xmpp/jid.h"
#include "xmpp/namespaces.h"

namespace kith::session {

namespace {
/// RFC 8305 §5 has a quarter of a second for a connection alone; here the other side must have spoken, too.
constexpr Duration next_after = std::chrono::seconds(1);
}  // namespace

class S2sRace::Runner final : public net::TransportHandler {
 public:
  Runner(S2sRace& race, S2sTarget target) : race_(race), target_(std::move(target)) {}

  /// False if it fails at once.
  bool begin() {
    transport_ = race_.service_.deps_.dial(target_);
    if (transport_ == nullptr) return false;
    transport_->set_handler(this);
    if (target_.host.empty()) {
      talk();
    } else {
      proxy_.emplace(target_.host, target_.port);
      transport_->write(proxy_->hello());
    }
    return true;
  }
  void on_bytes(std::string_view bytes) override {
    if (!proxy_) return race_.win(*this, bytes);
    const auto step = proxy_->hear(bytes);
    if (!step) {
      stop();
      return race_.fail(*this, step.error());
    }
    transport_->write(step->say);
    if (!step->through) return;
    proxy_.reset();
    talk();
    if (!step->rest.empty()) race_.win(*this, step->rest);
  }
  void talk() {
    if (target_.direct_tls) {
      transport_->start_tls_to(xmpp::domain_to_ascii(race_.pair_.remote), xmpp::domain_to_ascii(race_.pair_.local));
    } else {
      std::string out;
      xml::write_stream_open(out, xmpp::ns::server, stream::header_to(race_.pair_).attributes);
      transport_->write(out);
    }
  }
  void on_secure() override { race_.win(*this, {}); }
  void on_closed(net::CloseReason reason) override {
    std::string why(transport_->failure());
    if (why.empty()) why = "the connection broke";
    if (reason == net::CloseReason::tls_failed) why = "TLS failed: " + why;
    over_ = true;
    race_.fail(*this, why);
  }
  void stop() {
    if (transport_ && !std::exchange(over_, true)) transport_->abort();
  }
  bool over() const { return over_; }
  const S2sTarget& target() const { return target_; }
  std::unique_ptr<net::Transport> take() {
    over_ = true;
    return std::move(transport_);
  }

 private:
  S2sRace& race_;
  const S2sTarget target_;
  std::unique_ptr<net::Transport> transport_;
  std::optional<net::Socks5Call> proxy_;  ///< until it has put us through
  bool over_ = false;
};

S2sRace::S2sRace(S2sService& service, const stream::DomainPair& pair, std::vector<S2sTarget> targets, Won won,
                 Lost lost, Failed failed)
    : service_(service),
      pair_(pair),
      targets_(std::move(targets)),
      won_(std::move(won)),
      lost_(std::move(lost)),
      failed_(std::move(failed)),
      timer_([this] {
        if (begun_ < targets_.size()) next({});
      }) {}

S2sRace::~S2sRace() = default;

void S2sRace::next(const std::string& why_not) {
  std::string why = why_not;
  while (!over_ && begun_ < targets_.size()) {
    Runner& runner = *runners_.emplace_back(std::make_unique<Runner>(*this, targets_[begun_++]));
    if (runner.begin()) {
      ++running_;
      if (begun_ < targets_.size()) service_.deps_.timers.schedule(timer_, next_after);
      return;
    }
    why = "it can't be connected to";
    if (failed_) failed_(runner.target(), why);
  }
  if (over_ || running_ > 0) return;
  over_ = true;
  lost_(why);
}

void S2sRace::fail(Runner& runner, const std::string& why) {
  if (over_) return;
  --running_;
  if (failed_) failed_(runner.target(), why);
  next(why);
}

void S2sRace::win(Runner& runner, std::string_view said) {
  if (over_) return;
  over_ = true;
  timer_.cancel();
  std::unique_ptr<net::Transport> transport = runner.take();
  for (const auto& other : runners_) other->stop();
  won_(std::move(transport), runner.target(), said);
}

void S2sRace::stop() {
  over_ = true;
  timer_.cancel();
  for (const auto& runner : runners_) runner->stop();
}

}  // namespace kith::session
