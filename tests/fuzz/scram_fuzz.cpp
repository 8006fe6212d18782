// SCRAM against any bytes and against a true client whose messages are tampered with: success only with the right
// password, the right binding and untouched messages, and the session's name is the one that was verified.
//
// Input: lines. The first picks the mechanism (first byte) and whether the account is known (second byte); then
// client-first and client-final as they are, or, if client-final is "!", the header, name, password, binding data for
// the true client and a last line `offset byte` that damages its final message.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "sasl/mechanism.h"
#include "sasl/test_client.h"

using namespace kith;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

std::string_view take_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  const std::string_view line = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  return line;
}

struct Choice {
  std::string_view name;
  sasl::Hash hash;
};
constexpr std::array<Choice, 6> choices{{{"SCRAM-SHA-512-PLUS", sasl::Hash::sha512},
                                         {"SCRAM-SHA-256-PLUS", sasl::Hash::sha256},
                                         {"SCRAM-SHA-1-PLUS", sasl::Hash::sha1},
                                         {"SCRAM-SHA-512", sasl::Hash::sha512},
                                         {"SCRAM-SHA-256", sasl::Hash::sha256},
                                         {"SCRAM-SHA-1", sasl::Hash::sha1}}};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static SeededRandom key_random(1);
  static const sasl::Credentials keys = sasl::derive_all(Secret("pencil"), key_random, 1);
  static const sasl::ChannelBindings bindings{{"tls-exporter", "exp"}, {"tls-server-end-point", "end"}};

  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const std::string_view head = take_line(rest);
  if (head.size() < 2) return 0;
  const Choice& choice = choices[static_cast<unsigned char>(head[0]) % choices.size()];
  const bool known = head[1] != '0';
  SeededRandom random(7);
  const auto server = sasl::make_mechanism(
      choice.name,
      {.domain = "example.org", .tls = true, .bindings = bindings, .offered = sasl::offered_mechanisms(true, bindings)},
      random);

  const std::string_view raw_first = take_line(rest);
  const std::string_view raw_final = take_line(rest);
  const bool true_client = raw_final == "!";
  sasl::ScramClient::Options options{.hash = choice.hash};
  if (true_client) {
    options.gs2_header = take_line(rest);
    options.name = take_line(rest);
    options.password = take_line(rest);
    options.binding_data = take_line(rest);
  }
  const std::string header = options.gs2_header;
  const std::string name = options.name;
  // HMAC fills a short key up with NULs, so "pencil" and "pencil\0" are one key; no prepared password has a NUL.
  const std::string password = options.password.substr(0, options.password.find_last_not_of('\0') + 1);
  const std::string binding_data = options.binding_data;
  sasl::ScramClient client(std::move(options));

  const std::string first = true_client ? client.first() : std::string(raw_first);
  sasl::Step step = server->respond(first);
  const auto* need = std::get_if<sasl::NeedCredentials>(&step);
  if (need == nullptr) {
    require(std::holds_alternative<sasl::Failed>(step));
    require(std::holds_alternative<sasl::Failed>(server->credentials(keys, true)));
    return 0;
  }
  const xmpp::BareJid asked = need->bare;
  require(asked.is_bare() && asked.domainpart() == "example.org" && asked.has_localpart());

  step = server->credentials(keys, known);
  const auto* challenge = std::get_if<sasl::Challenge>(&step);
  require(challenge != nullptr);
  std::string answer(raw_final);
  bool untouched = false;
  if (true_client) {
    const std::optional<std::string> good = client.final(challenge->bytes);
    if (!good) return 0;  // the name held something that only this parser of ours is confused by
    answer = *good;
    if (rest.size() >= 2) answer[static_cast<unsigned char>(rest[0]) % answer.size()] = rest[1];
    untouched = answer == *good;
  }
  const sasl::Step last = server->respond(answer);
  if (const auto* success = std::get_if<sasl::Success>(&last)) {
    require(true_client && untouched && known && password == "pencil");
    require(success->bare == asked && success->bytes == client.expected_server_final());
    const bool plus = choice.name.ends_with("-PLUS");
    require(plus == header.starts_with("p="));
    if (plus) {
      const std::string type = header.substr(2, header.find(',') - 2);
      require(bindings.contains(type) && bindings.at(type) == binding_data);
    } else {
      require(header.starts_with("n,") && binding_data.empty());
    }
    if (name.find_first_of("=@") == std::string::npos) require(xmpp::prepare_localpart(name) == asked.localpart());
  } else {
    require(std::holds_alternative<sasl::Failed>(last));
  }
  require(std::holds_alternative<sasl::Failed>(server->respond(answer)));
  return 0;
}
