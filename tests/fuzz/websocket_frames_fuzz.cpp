// Frames of WebSockets from any bytes (RFC 6455 §5): never a crash; cut anywhere, the same messages come out; no
// message is larger than allowed, and each is UTF-8.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/encoding.h"
#include "http/websocket_frames.h"

namespace {

using namespace kith::http;

constexpr std::size_t most_bytes = 1000;

void require(bool holds) {
  if (!holds) std::abort();
}

std::vector<std::string> read(std::string_view text, std::size_t cut) {
  FrameReader reader(most_bytes, 10);
  std::vector<std::string> seen;
  for (std::string_view piece : {text.substr(0, cut), text.substr(cut)}) {
    while (true) {
      const auto event = reader.next(piece);
      if (!event) {
        seen.push_back("!" + std::to_string(static_cast<int>(event.error())));
        return seen;
      }
      if (std::holds_alternative<WebSocketNothing>(*event)) break;
      seen.push_back(std::to_string(event->index()));
      if (const auto* message = std::get_if<WebSocketText>(&*event)) {
        require(message->text.size() <= most_bytes && kith::is_utf8(message->text));
        seen.back() += message->text;
      }
      if (const auto* ping = std::get_if<WebSocketPing>(&*event)) require(ping->payload.size() <= 125);
    }
    require(piece.empty());
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  require(read(text, text.size()) == read(text, data[0] % (text.size() + 1)));
  return 0;
}
