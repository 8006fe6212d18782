// Where a server is, from what DNS says; and what is made of answers that no honest zone gives.
#include "net/server_lookup.h"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kith::net {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Verdict = DnsAnswer::Verdict;

std::string number(unsigned value) { return {static_cast<char>(value >> 8U), static_cast<char>(value)}; }

std::string wire_name(const std::string& name) {
  std::string out;
  for (std::size_t at = 0; at < name.size();) {
    const std::size_t dot = std::min(name.find('.', at), name.size());
    out += static_cast<char>(dot - at) + name.substr(at, dot - at);
    at = dot + 1;
  }
  return out + '\0';
}

std::string srv(unsigned priority, unsigned weight, unsigned port, const std::string& host) {
  return number(priority) + number(weight) + number(port) + wire_name(host);
}

std::string v4(unsigned last) { return std::string("\xC0\x00\x02", 3) + static_cast<char>(last); }
std::string v6(unsigned last) {
  return std::string("\x20\x01\x0d\xb8", 4) + std::string(11, '\0') + static_cast<char>(last);
}

/// Answers at once, out of a table; what is not in it does not exist.
class Table final : public Resolver {
 public:
  void ask(std::string name, RecordType type, Then then) override {
    asked.push_back(name);
    const auto found = answers.find({name, type});
    then(found == answers.end() ? DnsAnswer{.verdict = otherwise} : found->second);
  }
  std::map<std::pair<std::string, RecordType>, DnsAnswer> answers;
  Verdict otherwise = Verdict::insecure;
  std::vector<std::string> asked;
};

class ServerLookup : public testing::Test {
 protected:
  void put(const std::string& name, RecordType type, std::vector<std::string> records,
           Verdict verdict = Verdict::insecure) {
    table.answers[{name, type}] = {.verdict = verdict, .records = std::move(records)};
  }
  void services(std::vector<std::string> records, Verdict verdict = Verdict::insecure) {
    put("_xmpp-server._tcp.far.example", RecordType::srv, std::move(records), verdict);
  }
  ServerFound look(const std::string& domain = "far.example") {
    std::optional<ServerFound> found;
    look_up_server(table, domain, random, [&](ServerFound told) { found = std::move(told); });
    return found.value();
  }
  /// "ADDRESS:PORT", with a "!" for direct TLS, or why there are none.
  std::vector<std::string> found(const std::string& domain = "far.example") {
    const ServerFound told = look(domain);
    if (!told) return {(told.error().for_good ? "never: " : "not now: ") + told.error().why};
    std::vector<std::string> lines;
    for (const ServerAddress& one : *told) {
      lines.push_back(one.address + ":" + std::to_string(one.port) + (one.direct_tls ? "!" : ""));
    }
    return lines;
  }
  Table table;
  SeededRandom random{1};
};

TEST_F(ServerLookup, goes_by_priorities_over_both_kinds_of_records) {
  services({srv(20, 0, 5269, "b.far.example"), srv(5, 0, 5270, "a.far.example")});
  put("_xmpps-server._tcp.far.example", RecordType::srv, {srv(10, 0, 443, "b.far.example")});
  put("a.far.example", RecordType::a, {v4(1)});
  put("b.far.example", RecordType::a, {v4(2)});
  EXPECT_THAT(found(), ElementsAre("192.0.2.1:5270", "192.0.2.2:443!", "192.0.2.2:5269"));
}

TEST_F(ServerLookup, without_records_it_is_the_domain_itself) {
  put("far.example", RecordType::a, {v4(1)});
  EXPECT_THAT(found(), ElementsAre("192.0.2.1:5269"));
}

TEST_F(ServerLookup, the_two_kinds_of_addresses_take_turns) {
  put("far.example", RecordType::a, {v4(1), v4(2), v4(3)});
  put("far.example", RecordType::aaaa, {v6(1), v6(2)});
  EXPECT_THAT(found(), ElementsAre("2001:db8::1:5269", "192.0.2.1:5269", "2001:db8::2:5269", "192.0.2.2:5269",
                                   "192.0.2.3:5269"));
}

TEST_F(ServerLookup, an_address_is_its_own_name) {
  EXPECT_THAT(found("192.0.2.9"), ElementsAre("192.0.2.9:5269"));
  EXPECT_THAT(found("[2001:db8::9]"), ElementsAre("2001:db8::9:5269"));
  EXPECT_THAT(table.asked, IsEmpty());
}

TEST_F(ServerLookup, says_why_there_is_none) {
  EXPECT_THAT(found(), ElementsAre("never: DNS knows no such domain"));
  services({srv(0, 0, 0, "")});
  EXPECT_THAT(found(), ElementsAre("never: its DNS says that there is no XMPP server"));
  services({srv(0, 0, 5269, "nowhere.example")});
  EXPECT_THAT(found(), ElementsAre("not now: the hosts that its SRV records name have no address"));
  services({});
  table.otherwise = Verdict::none;
  EXPECT_THAT(found(), ElementsAre("not now: DNS does not answer"));
}

TEST_F(ServerLookup, asks_about_so_many_hosts_and_calls_so_many_addresses) {
  std::vector<std::string> many;
  for (unsigned i = 0; i < 500; ++i) {
    const std::string host = "h" + std::to_string(i) + ".far.example";
    many.push_back(srv(1, i, 5269, host));
    put(host, RecordType::a, {v4(i % 256), v4((i + 1) % 256), v4((i + 2) % 256)});
  }
  services(many);
  EXPECT_EQ(found().size(), most_addresses);
  EXPECT_LE(table.asked.size(), 2 + 2 * most_services);
}

TEST_F(ServerLookup, calls_nobody_twice) {
  services({srv(1, 0, 5269, "a.far.example"), srv(2, 0, 5269, "a.far.example"), srv(3, 0, 5269, "b.far.example"),
            srv(4, 0, 5270, "b.far.example")});
  put("a.far.example", RecordType::a, {v4(1), v4(1)});
  put("b.far.example", RecordType::a, {v4(1)});
  EXPECT_THAT(found(), ElementsAre("192.0.2.1:5269", "192.0.2.1:5270"));
}

TEST_F(ServerLookup, records_that_are_none_are_left_out) {
  const std::string good = srv(1, 0, 5269, "a.far.example");
  put("a.far.example", RecordType::a, {v4(1), "", "abc", std::string(16, 'x'), std::string(300, 'x')});
  std::vector<std::string> records{
      "",
      "abc",
      number(1) + number(0) + number(5269),
      number(1) + number(0) + number(5269) + "\x3f" + "abc",
      number(1) + number(0) + number(5269) + std::string("\xC0\x0C", 2),                // compressed
      number(1) + number(0) + number(5269) + "\x03" + "a/b" + std::string(1, '\0'),     // no host's letters
      number(1) + number(0) + number(5269) + "\x01" + "a" + std::string("\0after", 6),  // something behind its end
      good};
  std::string endless = number(1) + number(0) + number(5269);
  for (int i = 0; i < 200; ++i)
    endless +=
        "\x02"
        "ab";
  records.push_back(endless + '\0');
  // Each piece of a good one, too.
  for (std::size_t size = 0; size < good.size(); ++size) records.push_back(good.substr(0, size));
  services(records);
  EXPECT_THAT(found(), ElementsAre("192.0.2.1:5269"));
}

// --- DNSSEC and DANE

class Dane : public ServerLookup {
 protected:
  Dane() {
    services({srv(1, 0, 5269, "a.far.example")}, Verdict::secure);
    put("a.far.example", RecordType::a, {v4(1)}, Verdict::secure);
    put("a.far.example", RecordType::aaaa, {}, Verdict::secure);
    put(name, RecordType::tlsa, {record}, Verdict::secure);
  }
  std::shared_ptr<const TlsPins> pins() {
    const ServerFound told = look();
    return told ? told->front().pins : nullptr;
  }
  const std::string name = "_5269._tcp.a.far.example";
  const std::string record = std::string("\x03\x01\x01", 3) + std::string(32, 'h');
};

TEST_F(Dane, the_certificate_is_named_where_all_the_way_is_vouched_for) {
  ASSERT_NE(pins(), nullptr);
  EXPECT_EQ(pins()->host, "a.far.example");
  ASSERT_EQ(pins()->records.size(), 1U);
  EXPECT_EQ(pins()->records[0].usage, 3);
  EXPECT_EQ(pins()->records[0].selector, 1);
  EXPECT_EQ(pins()->records[0].matching, 1);
  EXPECT_EQ(pins()->records[0].data, std::string(32, 'h'));
}

TEST_F(Dane, also_without_srv_records) {
  services({}, Verdict::secure);
  put("_xmpps-server._tcp.far.example", RecordType::srv, {}, Verdict::secure);
  put("far.example", RecordType::a, {v4(1)}, Verdict::secure);
  put("far.example", RecordType::aaaa, {}, Verdict::secure);
  put("_5269._tcp.far.example", RecordType::tlsa, {record}, Verdict::secure);
  ASSERT_NE(pins(), nullptr);
  EXPECT_EQ(pins()->host, "far.example");
}

TEST_F(Dane, what_nobody_vouches_for_names_nothing) {
  services({srv(1, 0, 5269, "a.far.example")}, Verdict::insecure);
  EXPECT_EQ(pins(), nullptr);
  services({srv(1, 0, 5269, "a.far.example")}, Verdict::secure);
  put("a.far.example", RecordType::a, {v4(1)}, Verdict::insecure);
  EXPECT_EQ(pins(), nullptr);
  put("a.far.example", RecordType::a, {v4(1)}, Verdict::secure);
  put(name, RecordType::tlsa, {record}, Verdict::insecure);
  EXPECT_EQ(pins(), nullptr);
  EXPECT_THAT(found(), ElementsAre("192.0.2.1:5269"));
}

TEST_F(Dane, forged_answers_lead_nowhere) {
  const std::string why = "not now: its DNS answers are forged, or its zone is broken (DNSSEC)";
  put(name, RecordType::tlsa, {record}, Verdict::bogus);
  EXPECT_THAT(found(), ElementsAre(why));
  put(name, RecordType::tlsa, {record}, Verdict::secure);
  put("a.far.example", RecordType::a, {v4(1)}, Verdict::bogus);
  EXPECT_THAT(found(), ElementsAre(why));
  put("a.far.example", RecordType::a, {v4(1)}, Verdict::secure);
  services({srv(1, 0, 5269, "a.far.example")}, Verdict::bogus);
  EXPECT_THAT(found(), ElementsAre(why));
}

TEST_F(Dane, a_forged_host_does_not_hide_the_next) {
  services({srv(1, 0, 5269, "a.far.example"), srv(2, 0, 5269, "b.far.example")}, Verdict::secure);
  put("a.far.example", RecordType::a, {v4(1)}, Verdict::bogus);
  put("b.far.example", RecordType::a, {v4(2)}, Verdict::secure);
  EXPECT_THAT(found(), ElementsAre("192.0.2.2:5269"));
}

TEST_F(Dane, where_the_records_are_kept_from_us_the_host_is_not_called) {
  put(name, RecordType::tlsa, {}, Verdict::none);
  EXPECT_THAT(found(), ElementsAre("not now: the hosts that its SRV records name have no address"));
}

TEST_F(Dane, records_that_are_none_name_nothing_and_of_many_some_count) {
  put(name, RecordType::tlsa, {"", "\x03", std::string("\x03\x01\x01", 3), std::string(5000, 'x')}, Verdict::secure);
  EXPECT_EQ(pins(), nullptr);
  put(name, RecordType::tlsa, std::vector<std::string>(500, record), Verdict::secure);
  ASSERT_NE(pins(), nullptr);
  EXPECT_EQ(pins()->records.size(), 16U);
}

}  // namespace
}  // namespace kith::net
