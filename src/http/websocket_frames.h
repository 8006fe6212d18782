// Frames of a WebSocket (RFC 6455 §5), the server's side: bytes in, whole messages out. No I/O; one per connection, and
// moves with it.
// SECURITY: a frame that is not masked, reserved bits, control frames that are long or in pieces, lengths that are not
// the shortest, texts that are no UTF-8 end the connection. A message takes no memory before its bytes are here.
// Limits: bytes and frames of a message.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <variant>

namespace kith::http {

/// §7.4.1
enum class CloseCode : std::uint16_t {
  normal = 1000,
  going_away = 1001,
  protocol_error = 1002,
  unsupported_data = 1003,
  invalid_payload = 1007,
  policy_violation = 1008,
  message_too_big = 1009,
};

struct WebSocketText {
  std::string text;
};
struct WebSocketPing {
  std::string payload;
};
struct WebSocketPong {};
struct WebSocketClose {
  std::string payload;  ///< code and reason as they came, sound
};
struct WebSocketNothing {};
using WebSocketEvent = std::variant<WebSocketNothing, WebSocketText, WebSocketPing, WebSocketPong, WebSocketClose>;

class FrameReader {
 public:
  FrameReader(std::size_t message_bytes, std::size_t fragments)
      : message_bytes_(message_bytes), most_fragments_(fragments) {}

  void set_message_bytes(std::size_t most) { message_bytes_ = most; }
  /// Reads on and takes what it used away from the front. `WebSocketNothing`: all is used, and nothing is complete. An
  /// error is what the connection is to be closed with; nothing may be read after it.
  std::expected<WebSocketEvent, CloseCode> next(std::string_view& bytes);
  /// True in the middle of a message or a frame.
  bool inside() const { return header_bytes_ > 0 || left_ > 0 || fragments_ > 0; }

 private:
  enum class Opcode : std::uint8_t { more = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };
  std::size_t header_size() const;
  std::expected<void, CloseCode> begin_frame();
  std::expected<WebSocketEvent, CloseCode> end_frame();
  bool control() const { return opcode_ >= Opcode::close; }

  std::size_t message_bytes_;
  std::size_t most_fragments_;
  std::array<unsigned char, 14> header_{};
  std::size_t header_bytes_ = 0;
  bool in_payload_ = false;
  Opcode opcode_ = Opcode::text;
  bool last_ = false;  ///< FIN
  std::uint64_t left_ = 0;
  std::array<unsigned char, 4> mask_{};
  std::size_t masked_ = 0;
  std::size_t fragments_ = 0;  ///< of the message that is not complete
  std::string message_;
  std::string control_;
};

/// Appends a frame to the client (not masked, §5.1).
void write_text_frame(std::string& out, std::string_view text);
void write_pong_frame(std::string& out, std::string_view payload);
void write_close_frame(std::string& out, CloseCode code, std::string_view reason = {});
/// The answer to a close frame: what it said.
void write_close_answer(std::string& out, std::string_view payload);

}  // namespace kith::http
