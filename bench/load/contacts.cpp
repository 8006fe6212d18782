// Makes the accounts of a ring each other's contacts, over the protocol, so that it works with every server: each asks
// those ahead of it, one after the other; who is asked agrees and asks back. What is there already is left as it is.
#include <algorithm>

#include "failure.h"
#include "load.h"
#include "ring.h"
#include "stanza.h"

namespace kith::bench {

namespace {

class Contacts {
 public:
  explicit Contacts(const Run& run)
      : run_(run), ring_(run.options.first, run.options.accounts, run.options.contacts), members_(ring_.accounts()) {
    for (unsigned i = 0; i < ring_.accounts(); ++i) {
      members_[i].mutual.resize(ring_.accounts());
      clients_.push_back(std::make_unique<Client>(
          run.world, Client::Wanted{.user = ring_.user(i), .resource = "contacts", .roster = true, .presence = true}));
      clients_[i]->on_stanza = [this, i](std::string_view stanza) { on_stanza(i, stanza); };
    }
  }

  nlohmann::json run() {
    log_in(run_.world, clients_, 0, run_.options.at_once);
    const std::uint64_t before = mutual_;
    const Meter meter(run_.server);
    all_there_ = true;
    for (unsigned i = 0; i < ring_.accounts(); ++i) {
      ask_next(i);
      clients_[i]->flush();
    }
    const std::uint64_t wanted = static_cast<std::uint64_t>(ring_.accounts()) * ring_.contacts();
    run_.world.loop.run_until([&] { return mutual_ >= wanted; }, run_.world.step_limit, "becoming contacts");
    nlohmann::json result = meter.per("contact", "contacts", mutual_ - before);
    result["accounts"] = ring_.accounts();
    return result;
  }

 private:
  struct Member {
    std::vector<bool> mutual;  // by place
    unsigned asked = 0;        // the distance of the one that is asked now
  };

  std::string bare(unsigned place) const { return ring_.user(place) + "@" + run_.world.domain; }

  void presence(unsigned from, const char* type, unsigned to) {
    clients_[from]->queue(std::string("<presence type='") + type + "' to='" + bare(to) + "'/>");
  }

  /// Asks the next one ahead that is no contact yet.
  void ask_next(unsigned i) {
    Member& member = members_[i];
    while (member.asked < ring_.ahead()) {
      const unsigned other = ring_.neighbour(i, ++member.asked);
      if (!member.mutual[other]) return presence(i, "subscribe", other);
    }
  }

  void on_stanza(unsigned i, std::string_view stanza) {
    if (stanza.starts_with("<iq")) return on_roster(i, stanza);
    const std::string_view type = attribute(stanza, "type");
    if (type == "error") return clients_[i]->fail("was answered: " + std::string(stanza));
    if (!stanza.starts_with("<presence") || type != "subscribe") return;
    const auto other = ring_.place_of(attribute(stanza, "from"));
    if (!other) return;
    presence(i, "subscribed", *other);
    if (!ring_.is_ahead(i, *other)) presence(i, "subscribe", *other);
  }

  /// The roster at login, and each change of it.
  void on_roster(unsigned i, std::string_view stanza) {
    Member& member = members_[i];
    for (std::size_t at = stanza.find("<item "); at != std::string_view::npos; at = stanza.find("<item ", at + 1)) {
      const std::string_view item = stanza.substr(at);
      const auto other = ring_.place_of(std::string(attribute(item, "jid")));
      if (!other || attribute(item, "subscription") != "both" || member.mutual[*other]) continue;
      member.mutual[*other] = true;
      ++mutual_;
      if (all_there_ && member.asked > 0 && *other == ring_.neighbour(i, member.asked)) ask_next(i);
    }
    if (attribute(stanza, "type") == "set")
      clients_[i]->queue("<iq type='result' id='" + std::string(attribute(stanza, "id")) + "'/>");
  }

  const Run& run_;
  Ring ring_;
  std::vector<Member> members_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::uint64_t mutual_ = 0;
  bool all_there_ = false;
};

}  // namespace

nlohmann::json run_contacts(const Run& run) { return Contacts(run).run(); }

}  // namespace kith::bench
