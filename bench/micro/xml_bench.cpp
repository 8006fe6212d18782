// What the XML room costs for one message stanza of 285 bytes: parse, wake a parked stream, write, look a name up.
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

void parse(benchmark::State& state, bool park, std::size_t at_once) {
  ExpatPool pool;
  StreamParser parser(pool, kith::Limits{}.xml_after_login);
  parser.feed(header);
  benchmark::DoNotOptimize(parser.next());
  benchmark::DoNotOptimize(parser.next());
  std::string bytes;
  for (std::size_t i = 0; i < at_once; ++i) bytes += stanza;
  for (auto _ : state) {
    parser.feed(bytes);
    for (std::size_t i = 0; i < at_once; ++i) benchmark::DoNotOptimize(parser.next());
    benchmark::DoNotOptimize(parser.next());
    if (park) parser.park();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(at_once));
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

BENCHMARK_CAPTURE(parse, one, false, 1);
BENCHMARK_CAPTURE(parse, sixteen, false, 16);
BENCHMARK_CAPTURE(parse, one_and_park, true, 1);
BENCHMARK(parse_alone);
BENCHMARK(write_stanza);
BENCHMARK_CAPTURE(symbol, short_name, "to");
BENCHMARK_CAPTURE(symbol, ns, "http://jabber.org/protocol/chatstates");
BENCHMARK_CAPTURE(symbol, unknown, "balcony-scene");

}  // namespace

BENCHMARK_MAIN();
