// Pages of a long archive (XEP-0313). An account writes to itself until its archive has so many messages; then it asks
// for the last page and for one after the other from the first on, each when the one before is there. Every message of
// the walk carries its number: each has to come once, and in order.
#include <charconv>

#include "failure.h"
#include "load.h"
#include "samples.h"
#include "stanza.h"

namespace kith::bench {

namespace {

constexpr std::size_t body_bytes = 120;
constexpr unsigned written_at_once = 100;

class Pages {
 public:
  explicit Pages(const Run& run)
      : run_(run),
        tag_("a" + std::to_string(SteadyClock::now().time_since_epoch().count()) + "-"),
        client_(run.world, {.user = "u" + std::to_string(run.options.first), .resource = "bench", .presence = true}) {}

  nlohmann::json run() {
    client_.on_online = [this] { online_ = true; };
    client_.connect();
    Loop& loop = run_.world.loop;
    loop.run_until([&] { return online_; }, run_.world.step_limit, "logging in");
    nlohmann::json result = {{"fill", fill()}};
    client_.on_stanza = [this](std::string_view stanza) { on_stanza(stanza); };
    ask();
    client_.flush();
    loop.run_for(Seconds(run_.options.warm_up_seconds), "warming up");
    latency_.clear();
    pages_ = 0;
    const Meter meter(run_.server);
    loop.run_for(Seconds(run_.options.seconds), "reading pages");
    result.update(meter.per("page", "pages", pages_));
    if (pages_ == 0) throw StepFailed("reading pages", "not one came");
    result["latency_us"] = latency_of(latency_);
    result["stored"] = run_.options.stored;
    result["page"] = run_.options.page;
    asking_ = false;
    loop.run_until([&] { return !under_way_; }, run_.world.step_limit, "waiting for the last page");
    return result;
  }

 private:
  /// What is written comes back, which says that it is archived; so many are on their way at a time.
  nlohmann::json fill() {
    unsigned sent = 0;
    unsigned came = 0;
    const auto write = [&] {
      static const std::string body(body_bytes, 'x');
      if (sent == run_.options.stored) return;
      client_.queue("<message type='chat' to='" + client_.bare_jid() + "' id='" + tag_ + std::to_string(sent++) +
                    "'><body>" + body + "</body></message>");
    };
    client_.on_stanza = [&](std::string_view stanza) {
      if (!stanza.starts_with("<message") || !attribute(stanza, "id").starts_with(tag_)) return;
      if (attribute(stanza, "type") == "error") return client_.fail("got a message back: " + std::string(stanza));
      ++came;
      write();
    };
    const Meter meter(run_.server);
    for (unsigned i = 0; i < written_at_once; ++i) write();
    client_.flush();
    run_.world.loop.run_until([&] { return came == run_.options.stored; }, run_.world.step_limit,
                              "filling the archive");
    return meter.per("message", "messages", came);
  }

  /// Each second page is the last one of all.
  void ask() {
    const std::string place = last_of_all_     ? "<before/>"
                              : after_.empty() ? std::string()
                                               : "<after>" + after_ + "</after>";
    client_.queue(
        "<iq type='set' id='page'><query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'>"
        "<max>" +
        std::to_string(run_.options.page) + "</max>" + place + "</set></query></iq>");
    came_ = 0;
    under_way_ = true;
    asked_ = SteadyClock::now();
  }

  void on_stanza(std::string_view stanza) {
    if (stanza.starts_with("<message")) return on_message(stanza);
    if (!stanza.starts_with("<iq") || attribute(stanza, "id") != "page") return;
    if (attribute(stanza, "type") != "result") return client_.fail("got no page: " + std::string(stanza));
    const std::size_t first = stanza.find("<last>");
    const std::size_t end = stanza.find("</last>");
    // An archive of whole pages ends with an empty one on some servers.
    const bool complete = stanza.find("complete='true'") != std::string_view::npos ||
                          stanza.find("complete=\"true\"") != std::string_view::npos;
    if (!complete && (came_ != run_.options.page || first == std::string_view::npos))
      return client_.fail("got a page of " + std::to_string(came_) + " messages");
    latency_.add(std::chrono::duration<double, std::micro>(SteadyClock::now() - asked_).count());
    ++pages_;
    if (!last_of_all_) after_ = complete ? std::string() : std::string(stanza.substr(first + 6, end - first - 6));
    if (!last_of_all_ && complete) next_ = 0;
    last_of_all_ = !last_of_all_;
    under_way_ = false;
    if (asking_) ask();
  }

  void on_message(std::string_view stanza) {
    const std::size_t at = stanza.find(tag_);
    if (at == std::string_view::npos) return;
    ++came_;
    if (last_of_all_) return;
    unsigned number = 0;
    std::from_chars(stanza.data() + at + tag_.size(), stanza.data() + stanza.size(), number);
    if (number != next_)
      return client_.fail("read message " + std::to_string(number) + " where " + std::to_string(next_) + " was due");
    ++next_;
  }

  const Run& run_;
  std::string tag_;
  Client client_;
  Samples latency_;
  SteadyClock::time_point asked_;
  std::string after_;
  unsigned next_ = 0;
  unsigned came_ = 0;
  std::uint64_t pages_ = 0;
  bool last_of_all_ = false;
  bool online_ = false;
  bool asking_ = true;
  bool under_way_ = false;
};

}  // namespace

nlohmann::json run_pages(const Run& run) { return Pages(run).run(); }

}  // namespace kith::bench
