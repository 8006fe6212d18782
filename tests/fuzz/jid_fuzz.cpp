// Addresses from any bytes (RFC 7622): never a crash, parts of 1 to 1023 bytes, preparation repeated changes nothing,
// and text, parse and the parts agree with each other.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "xmpp/jid.h"

namespace {

using namespace kith::xmpp;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_part(std::optional<std::string> (*prepare)(std::string_view), std::string_view text) {
  const std::optional<std::string> once = prepare(text);
  if (!once) return;
  require(!once->empty() && once->size() <= 1023);
  require(prepare(*once) == once);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_part(prepare_localpart, text);
  check_part(prepare_domainpart, text);
  check_part(prepare_resourcepart, text);
  (void)is_identifier_localpart(text);

  const std::optional<Jid> jid = Jid::parse(text);
  if (!jid) return 0;
  require(Jid::parse(jid->text()) == jid);
  require(jid->localpart().find_first_of("\"&'/:<>@ ") == std::string_view::npos);
  require(!jid->domainpart().empty() && jid->domainpart().find_first_of("/@ ") == std::string_view::npos);
  require(Jid::from_parts(jid->localpart(), jid->domainpart(), jid->resourcepart()) == jid);
  const Jid stored = Jid::from_stored(jid->text());
  require(stored.localpart() == jid->localpart() && stored.domainpart() == jid->domainpart() &&
          stored.resourcepart() == jid->resourcepart());
  const BareJid bare = BareJid::of(*jid);
  require(bare.is_bare() && bare.text() == jid->bare_text() && BareJid::parse(bare.text()) == bare);
  require(jid->is_bare() == !FullJid::parse(jid->text()).has_value());
  return 0;
}
