#include "http/websocket_frames.h"

#include <algorithm>
#include <utility>

#include "base/encoding.h"

namespace kith::http {

namespace {

constexpr std::size_t most_control_bytes = 125;

void write_frame(std::string& out, unsigned opcode, std::string_view payload) {
  out += static_cast<char>(0x80U | opcode);
  const std::uint64_t size = payload.size();
  if (size < 126) {
    out += static_cast<char>(size);
  } else {
    const int bytes = size < 65536 ? 2 : 8;
    out += static_cast<char>(bytes == 2 ? 126 : 127);
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out += static_cast<char>((size >> shift) & 0xffU);
  }
  out += payload;
}

/// §7.4: codes that may stand on the wire.
bool is_wire_code(unsigned code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

}  // namespace

std::size_t FrameReader::header_size() const {
  if (header_bytes_ < 2) return 2;
  const unsigned length = header_[1] & 0x7fU;
  return 2U + (length == 126 ? 2U : length == 127 ? 8U : 0U) + 4U;
}

std::expected<WebSocketEvent, CloseCode> FrameReader::next(std::string_view& bytes) {
  while (true) {
    while (!in_payload_) {
      if (header_bytes_ == header_size()) {
        if (const auto begun = begin_frame(); !begun) return std::unexpected(begun.error());
        break;
      }
      if (bytes.empty()) return WebSocketNothing{};
      header_.at(header_bytes_++) = static_cast<unsigned char>(bytes.front());
      bytes.remove_prefix(1);
      // What is wrong in the first two bytes need not wait for the others.
      if (header_bytes_ == 2 && (header_[1] & 0x80U) == 0) return std::unexpected(CloseCode::protocol_error);
    }
    const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
    std::string& target = control() ? control_ : message_;
    const std::size_t from = target.size();
    target.append(bytes.substr(0, piece));
    for (std::size_t i = from; i < target.size(); ++i) {
      target[i] = static_cast<char>(static_cast<unsigned char>(target[i]) ^ mask_.at(masked_++ % 4));
    }
    bytes.remove_prefix(piece);
    left_ -= piece;
    if (left_ > 0) return WebSocketNothing{};
    auto event = end_frame();
    if (!event || !std::holds_alternative<WebSocketNothing>(*event)) return event;
  }
}

std::expected<void, CloseCode> FrameReader::begin_frame() {
  const unsigned first = header_[0];
  last_ = (first & 0x80U) != 0;
  if ((first & 0x70U) != 0) return std::unexpected(CloseCode::protocol_error);
  const unsigned opcode = first & 0x0fU;
  if ((opcode > 2 && opcode < 8) || opcode > 10) return std::unexpected(CloseCode::protocol_error);
  opcode_ = static_cast<Opcode>(opcode);
  std::uint64_t length = header_[1] & 0x7fU;
  std::size_t at = 2;
  if (length >= 126) {
    const std::size_t size = length == 126 ? 2 : 8;
    length = 0;
    for (std::size_t i = 0; i < size; ++i) length = (length << 8U) | header_.at(at++);
    if (length < (size == 2 ? 126U : 65536U)) return std::unexpected(CloseCode::protocol_error);
  }
  for (unsigned char& byte : mask_) byte = header_.at(at++);
  if (control()) {
    if (!last_ || length > most_control_bytes) return std::unexpected(CloseCode::protocol_error);
  } else {
    if (opcode_ == Opcode::binary) return std::unexpected(CloseCode::unsupported_data);
    if ((opcode_ == Opcode::more) != (fragments_ > 0)) return std::unexpected(CloseCode::protocol_error);
    if (length > message_bytes_ || message_.size() + length > message_bytes_ || ++fragments_ > most_fragments_) {
      return std::unexpected(CloseCode::message_too_big);
    }
  }
  left_ = length;
  masked_ = 0;
  header_bytes_ = 0;
  in_payload_ = true;
  return {};
}

std::expected<WebSocketEvent, CloseCode> FrameReader::end_frame() {
  in_payload_ = false;
  if (!control()) {
    if (!last_) return WebSocketNothing{};
    fragments_ = 0;
    std::string text = std::exchange(message_, {});
    if (!is_utf8(text)) return std::unexpected(CloseCode::invalid_payload);
    return WebSocketText{std::move(text)};
  }
  std::string payload = std::exchange(control_, {});
  if (opcode_ == Opcode::ping) return WebSocketPing{std::move(payload)};
  if (opcode_ == Opcode::pong) return WebSocketPong{};
  if (payload.size() == 1) return std::unexpected(CloseCode::protocol_error);
  if (payload.size() >= 2) {
    const unsigned code = static_cast<unsigned char>(payload[0]) * 256U + static_cast<unsigned char>(payload[1]);
    if (!is_wire_code(code)) return std::unexpected(CloseCode::protocol_error);
    if (!is_utf8(std::string_view(payload).substr(2))) return std::unexpected(CloseCode::invalid_payload);
  }
  return WebSocketClose{std::move(payload)};
}

void write_text_frame(std::string& out, std::string_view text) { write_frame(out, 1, text); }

void write_pong_frame(std::string& out, std::string_view payload) { write_frame(out, 10, payload); }

void write_close_frame(std::string& out, CloseCode code, std::string_view reason) {
  std::string payload;
  payload += static_cast<char>(static_cast<unsigned>(code) >> 8U);
  payload += static_cast<char>(static_cast<unsigned>(code) & 0xffU);
  payload += reason.substr(0, most_control_bytes - 2);
  write_frame(out, 8, payload);
}

void write_close_answer(std::string& out, std::string_view payload) { write_frame(out, 8, payload); }

}  // namespace kith::http
