#include "net/socks5.h"

#include <array>
#include <utility>

namespace kith::net {

namespace {

constexpr char version = 5;
constexpr char no_password = 0;
constexpr char connect = 1;
constexpr char by_ipv4 = 1;
constexpr char by_name = 3;
constexpr char by_ipv6 = 4;

/// RFC 1928 §6.
std::string words_of(unsigned char reply) {
  static constexpr std::array<std::string_view, 9> words{"",
                                                         "has failed",
                                                         "does not allow it",
                                                         "finds the network unreachable",
                                                         "finds the host unreachable",
                                                         "says that the connection was refused",
                                                         "has waited in vain",
                                                         "knows no such command",
                                                         "knows no such kind of address"};
  return reply < words.size() ? std::string(words[reply]) : "answers " + std::to_string(reply);
}

}  // namespace

std::string Socks5Call::hello() const { return {version, 1, no_password}; }

std::expected<Socks5Call::Step, std::string> Socks5Call::hear(std::string_view bytes) {
  heard_.append(bytes);
  const auto odd = [] { return std::unexpected(std::string("what answers there is no SOCKS5 proxy")); };
  Step step;
  if (!greeted_) {
    if (!heard_.empty() && heard_[0] != version) return odd();
    if (heard_.size() < 2) return step;
    if (heard_[1] != no_password) return std::unexpected("the proxy wants a password");
    greeted_ = true;
    heard_.erase(0, 2);
    step.say = {version, connect, 0, by_name, static_cast<char>(host_.size())};
    step.say += host_;
    step.say += static_cast<char>(port_ >> 8U);
    step.say += static_cast<char>(port_ & 0xFFU);
  }
  if (heard_.empty()) return step;
  if (heard_[0] != version) return odd();
  if (heard_.size() < 2) return step;
  if (heard_[1] != 0) return std::unexpected("the proxy " + words_of(static_cast<unsigned char>(heard_[1])));
  constexpr std::size_t fixed = 4;
  if (heard_.size() <= fixed) return step;
  std::size_t size = fixed + 2;  // with the port
  if (heard_[3] == by_ipv4) {
    size += 4;
  } else if (heard_[3] == by_ipv6) {
    size += 16;
  } else if (heard_[3] == by_name) {
    size += 1U + static_cast<unsigned char>(heard_[fixed]);
  } else {
    return odd();
  }
  if (heard_.size() < size) return step;
  step.through = true;
  step.rest = heard_.substr(size);
  return step;
}

}  // namespace kith::net
