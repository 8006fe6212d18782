// PLAIN against any bytes: success only with the right password, and the session's name is the one that was verified.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "sasl/mechanism.h"

using namespace kith;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

std::vector<std::string_view> fields_of(std::string_view message) {
  std::vector<std::string_view> fields;
  while (true) {
    const std::size_t nul = message.find('\0');
    fields.push_back(message.substr(0, nul));
    if (nul == std::string_view::npos) return fields;
    message.remove_prefix(nul + 1);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static SeededRandom random(1);
  static const sasl::Credentials keys = sasl::derive_all(Secret("pencil"), random, 1);
  const std::string_view message(reinterpret_cast<const char*>(data), size);

  sasl::MechanismContext context{.domain = "example.org", .tls = true, .offered = {"PLAIN"}};
  const auto server = sasl::make_mechanism("PLAIN", std::move(context), random);
  const sasl::Step first = server->respond(message);
  const auto* check = std::get_if<sasl::NeedPasswordCheck>(&first);
  if (check == nullptr) {
    require(std::holds_alternative<sasl::Failed>(first));
    require(std::holds_alternative<sasl::Failed>(server->password_checked(true)));
    return 0;
  }

  const std::vector<std::string_view> fields = fields_of(message);
  require(fields.size() == 3 && check->bare.domainpart() == "example.org" && check->bare.is_bare());
  const std::string_view name = fields[1].substr(0, fields[1].find('@'));
  require(xmpp::prepare_localpart(name) == check->bare.localpart());
  if (!fields[0].empty()) require(xmpp::BareJid::parse(fields[0]) == check->bare);
  require(check->password == *sasl::prepare_password(fields[2]));

  const bool right = sasl::verify(keys, check->password);
  require(right == (check->password.reveal() == "pencil"));
  const xmpp::BareJid verified = check->bare;
  const sasl::Step last = server->password_checked(right);
  const auto* success = std::get_if<sasl::Success>(&last);
  require((success != nullptr) == right);
  if (success != nullptr) require(success->bare == verified);
  require(std::holds_alternative<sasl::Failed>(server->respond(message)));
  return 0;
}
