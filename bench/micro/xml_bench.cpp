// What the XML room costs: a message stanza of 285 bytes (parse, wake a parked stream, write), the same in Russian and
// in small pieces, a roster of a hundred contacts, an avatar's bytes; and to look a name up.
#include <string>

#include <benchmark/benchmark.h>

#include "xml/stream_parser.h"
#include "xml/writer.h"

namespace {

using namespace kith::xml;

constexpr std::string_view header =
    "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
    "to='example.org' version='1.0'>";
const std::string stanza = [] {
  std::string text =
      "<message to='juliet@capulet.example/balcony' from='romeo@montague.example/orchard' type='chat' id='a1b2c3d4e5'>"
      "<body>";
  const std::string tail =
      "</body><active xmlns='http://jabber.org/protocol/chatstates'/>"
      "<request xmlns='urn:xmpp:receipts'/></message>";
  text.append(285 - text.size() - tail.size(), 'x');
  return text + tail;
}();

const std::string russian = [] {
  std::string text = "<message to='juliet@capulet.example/balcony' type='chat' id='a1b2c3d4e5'><body>";
  while (text.size() < 265) text += "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82, ";
  return text + "</body></message>";
}();
/// About 13 KB.
const std::string roster = [] {
  std::string text = "<iq to='juliet@capulet.example/balcony' type='result' id='a1b2'><query xmlns='jabber:iq:roster'>";
  for (int i = 0; i < 100; ++i) {
    text += "<item jid='contact" + std::to_string(i) + "@montague.example' name='Contact " + std::to_string(i) +
            "' subscription='both'><group>Friends &amp; foes</group></item>";
  }
  return text + "</query></iq>";
}();
/// 48 KB of text, as an avatar is.
const std::string avatar =
    "<iq type='set' id='a1b2'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='urn:xmpp:avatar:data'>"
    "<item id='x'><data xmlns='urn:xmpp:avatar:data'>" +
    std::string(48UL * 1024, 'Q') + "</data></item></publish></pubsub></iq>";

void parse(benchmark::State& state, const std::string& what, std::size_t at_once, bool park, std::size_t piece) {
  StreamParser parser(kith::Limits{}.xml_after_login);
  parser.feed(header);
  benchmark::DoNotOptimize(parser.next());
  benchmark::DoNotOptimize(parser.next());
  std::string bytes;
  for (std::size_t i = 0; i < at_once; ++i) bytes += what;
  for (auto _ : state) {
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      parser.feed(std::string_view(bytes).substr(at, piece));
      for (;;) {
        const auto event = parser.next();
        if (!event) return state.SkipWithError("the stanza is refused");
        benchmark::DoNotOptimize(event);
        if (std::holds_alternative<NeedMore>(*event)) break;
      }
    }
    if (park) parser.park();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(at_once));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes.size()));
}

void write_stanza(benchmark::State& state) {
  const auto element = parse_element(stanza, "jabber:client");
  std::string out;
  for (auto _ : state) {
    out.clear();
    write(out, *element, "jabber:client");
    benchmark::DoNotOptimize(out.data());
  }
}

void parse_alone(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(parse_element(stanza, "jabber:client"));
}

void symbol(benchmark::State& state, std::string_view text) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(text);
    Symbol made(text);
    benchmark::DoNotOptimize(made);
  }
}

constexpr std::size_t whole = std::string::npos / 2;
BENCHMARK_CAPTURE(parse, one, stanza, 1, false, whole);
BENCHMARK_CAPTURE(parse, sixteen, stanza, 16, false, whole);
BENCHMARK_CAPTURE(parse, one_and_park, stanza, 1, true, whole);
BENCHMARK_CAPTURE(parse, in_pieces_of_20_bytes, stanza, 1, false, 20);
BENCHMARK_CAPTURE(parse, byte_by_byte, stanza, 1, false, 1);
BENCHMARK_CAPTURE(parse, russian, russian, 1, false, whole);
BENCHMARK_CAPTURE(parse, roster, roster, 1, false, whole);
BENCHMARK_CAPTURE(parse, avatar, avatar, 1, false, whole);
BENCHMARK(parse_alone);
BENCHMARK(write_stanza);
BENCHMARK_CAPTURE(symbol, short_name, "to");
BENCHMARK_CAPTURE(symbol, ns, "http://jabber.org/protocol/chatstates");
BENCHMARK_CAPTURE(symbol, unknown, "balcony-scene");

}  // namespace

BENCHMARK_MAIN();
