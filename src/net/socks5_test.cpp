#include "net/socks5.h"

#include <optional>

#include <gtest/gtest.h>

namespace kith::net {
namespace {

using namespace std::string_literals;

class Socks5 : public testing::Test {
 protected:
  /// What is said, "through" with what is left, or why there is no way.
  std::string hear(const std::string& bytes) {
    const auto step = call->hear(bytes);
    if (!step) return "no way: " + step.error();
    return step->through ? "through " + step->rest : step->say;
  }
  std::optional<Socks5Call> call{std::in_place, "abc.onion", 5269};
  const std::string request = "\x05\x01\x00\x03\x09"s + "abc.onion\x14\x95";
  const std::string by_ipv4 = "\x05\x00\x00\x01"s + "\x7f\x00\x00\x01\x00\x00"s;
};

TEST_F(Socks5, asks_for_the_host_by_its_name) {
  EXPECT_EQ(call->hello(), "\x05\x01\x00"s);
  EXPECT_EQ(hear("\x05\x00"s), request);
  EXPECT_EQ(hear(by_ipv4 + "<stream"), "through <stream");
}

TEST_F(Socks5, whatever_kind_of_address_the_answer_has) {
  for (const std::string& answer :
       {by_ipv4, "\x05\x00\x00\x04"s + std::string(18, 'x'), "\x05\x00\x00\x03\x02"s + "ab\x01\x02"}) {
    call.emplace("abc.onion", 5269);
    hear("\x05\x00"s);
    for (std::size_t i = 0; i + 1 < answer.size(); ++i) EXPECT_EQ(hear(answer.substr(i, 1)), "") << i;
    EXPECT_EQ(hear(answer.substr(answer.size() - 1) + "rest"), "through rest");
  }
}

TEST_F(Socks5, both_answers_may_come_at_once) { EXPECT_EQ(hear("\x05\x00"s + by_ipv4), "through "); }

TEST_F(Socks5, says_why_there_is_no_way) {
  for (const auto& [answer, why] : std::initializer_list<std::pair<std::string, std::string>>{
           {"\x05\xff", "the proxy wants a password"},
           {"HTTP/1.1 400", "what answers there is no SOCKS5 proxy"},
           {"\x05\x00\x05\x04"s, "the proxy finds the host unreachable"},
           {"\x05\x00\x05\xf0"s, "the proxy answers 240"},
           {"\x05\x00\x04"s, "what answers there is no SOCKS5 proxy"},
           {"\x05\x00\x05\x00\x00\x09xxx"s, "what answers there is no SOCKS5 proxy"}}) {
    Socks5Call fresh{"abc.onion", 5269};
    const auto step = fresh.hear(answer);
    ASSERT_FALSE(step);
    EXPECT_EQ(step.error(), why);
  }
}

}  // namespace
}  // namespace kith::net
