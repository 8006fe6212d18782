#include "http/websocket_frames.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace kith::http {
namespace {

constexpr unsigned fin = 0x80;

/// A frame as a client sends it.
std::string frame(unsigned first, std::string payload, bool masked = true) {
  std::string out(1, static_cast<char>(first));
  const unsigned bit = masked ? 0x80 : 0;
  if (payload.size() < 126) {
    out += static_cast<char>(bit | payload.size());
  } else if (payload.size() < 65536) {
    out += static_cast<char>(bit | 126U);
    out += static_cast<char>(payload.size() >> 8U);
    out += static_cast<char>(payload.size() & 0xffU);
  } else {
    out += static_cast<char>(bit | 127U);
    for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>((payload.size() >> shift) & 0xffU);
  }
  if (masked) {
    const std::string mask = "\x01\x82\x33\xf4";
    out += mask;
    for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(payload[i] ^ mask[i % 4]);
  }
  return out + payload;
}

/// What comes out of `bytes`, in words: "text:…", "ping:…", "pong", "close", or "!1002".
std::vector<std::string> read(const std::string& bytes, std::size_t cut, std::size_t most = 100'000,
                              std::size_t fragments = 10) {
  FrameReader reader(most, fragments);
  std::vector<std::string> seen;
  for (const std::string& piece : {bytes.substr(0, cut), bytes.substr(cut)}) {
    std::string_view rest = piece;
    while (true) {
      auto event = reader.next(rest);
      if (!event) {
        seen.push_back("!" + std::to_string(static_cast<int>(event.error())));
        return seen;
      }
      if (std::holds_alternative<WebSocketNothing>(*event)) break;
      if (auto* text = std::get_if<WebSocketText>(&*event)) seen.push_back("text:" + text->text);
      if (auto* ping = std::get_if<WebSocketPing>(&*event)) seen.push_back("ping:" + ping->payload);
      if (std::holds_alternative<WebSocketPong>(*event)) seen.emplace_back("pong");
      if (std::holds_alternative<WebSocketClose>(*event)) seen.emplace_back("close");
    }
    EXPECT_TRUE(rest.empty());
  }
  if (reader.inside()) seen.emplace_back("…");
  return seen;
}

using Words = std::vector<std::string>;

TEST(FrameReader, messages_and_control_frames_come_whole_whatever_their_pieces) {
  const std::string bytes = frame(1, "hel") + frame(fin | 9, "are you there?") + frame(0, "") + frame(fin, "lo") +
                            frame(fin | 10, "") + frame(fin | 1, "") +
                            frame(fin | 8,
                                  "\x03\xe8"
                                  "bye");
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    EXPECT_EQ(read(bytes, cut), (Words{"ping:are you there?", "text:hello", "pong", "text:", "close"})) << cut;
  }
}

TEST(FrameReader, lengths_of_all_three_forms) {
  for (const std::size_t size : {125U, 126U, 65535U, 65536U, 99'999U}) {
    EXPECT_EQ(read(frame(fin | 1, std::string(size, 'x')), 3), Words{"text:" + std::string(size, 'x')}) << size;
  }
}

TEST(FrameReader, what_breaks_the_rules_ends_the_connection) {
  const auto first = [](const std::string& bytes) { return read(bytes, 0).front(); };
  EXPECT_EQ(first(frame(fin | 1, "x", false)), "!1002");  // not masked
  EXPECT_EQ(first(frame(fin | 0x40 | 1, "x")), "!1002");  // a reserved bit: nothing was agreed on
  EXPECT_EQ(first(frame(fin | 3, "x")), "!1002");         // unknown
  EXPECT_EQ(first(frame(fin | 11, "x")), "!1002");
  EXPECT_EQ(first(frame(fin | 2, "x")), "!1003");  // binary
  EXPECT_EQ(first(frame(9, "x")), "!1002");        // a ping in pieces
  EXPECT_EQ(first(frame(fin | 9, std::string(126, 'x'))), "!1002");
  EXPECT_EQ(first(frame(fin, "x")), "!1002");                      // goes on with nothing
  EXPECT_EQ(first(frame(1, "x") + frame(fin | 1, "y")), "!1002");  // a message inside a message
  EXPECT_EQ(first(frame(fin | 1, "\xff")), "!1007");
  EXPECT_EQ(first(frame(fin | 8, "x")), "!1002");
  EXPECT_EQ(first(frame(fin | 8, std::string("\x00\x01", 2))), "!1002");
  EXPECT_EQ(first(frame(fin | 8, "\x03\xed")), "!1002");  // 1005 is for no wire
  EXPECT_EQ(first(frame(fin | 8, "\x03\xe8\xff")), "!1007");
  // Lengths that are longer than they need be, and one of 2^63.
  EXPECT_EQ(first(std::string("\x81\xfe\x00\x01mask", 8)), "!1002");
  EXPECT_EQ(first(std::string("\x81\xff\x00\x00\x00\x00\x00\x00\x00\x01mask", 14)), "!1002");
  EXPECT_EQ(first(std::string("\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00mask", 14)), "!1009");
  // A character may be cut in two by frames.
  EXPECT_EQ(first(frame(1, "\xc3") + frame(fin, "\xbc")), "text:ü");
}

TEST(FrameReader, a_message_has_its_limits) {
  EXPECT_EQ(read(frame(fin | 1, "12345678"), 0, 8), Words{"text:12345678"});
  EXPECT_EQ(read(frame(fin | 1, "123456789"), 0, 8), Words{"!1009"});
  EXPECT_EQ(read(frame(1, "12345") + frame(fin, "6789"), 0, 8), Words{"!1009"});
  std::string many = frame(1, "");
  for (int i = 0; i < 8; ++i) many += frame(0, "");
  EXPECT_EQ(read(many + frame(fin, ""), 0), Words{"text:"});
  EXPECT_EQ(read(many + frame(0, "") + frame(0, ""), 0), Words{"!1009"});
}

TEST(WriteFrames, as_the_rfc_shows_them) {
  std::string out;
  write_text_frame(out, "Hello");
  EXPECT_EQ(out, "\x81\x05Hello");
  out.clear();
  write_pong_frame(out, "Hello");
  EXPECT_EQ(out, "\x8a\x05Hello");
  out.clear();
  write_text_frame(out, std::string(256, 'x'));
  EXPECT_EQ(out.substr(0, 4), std::string("\x81\x7e\x01\x00", 4));
  out.clear();
  write_text_frame(out, std::string(65536, 'x'));
  EXPECT_EQ(out.substr(0, 10), std::string("\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10));
  out.clear();
  write_close_frame(out, CloseCode::normal, "bye");
  EXPECT_EQ(out,
            "\x88\x05\x03\xe8"
            "bye");
}

}  // namespace
}  // namespace kith::http
