// simulate SEED [COUNT] [--transcript]: runs COUNT seeds from SEED on and says what they break. Every tenth seed is run
// twice, and must go the same way both times.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>

#include "checkers.h"
#include "run.h"

namespace {

using namespace kith::simulation;

constexpr std::size_t transcript_records = 120;
constexpr std::size_t most_faults_told = 10;
constexpr std::size_t most_stanzas_told = 4;

void tell(const Plan& plan, const Run& run, const Faults& faults) {
  std::printf("\nFAILED %s\n", describe(plan).c_str());
  for (std::size_t i = 0; i < std::min(faults.size(), most_faults_told); ++i) {
    std::printf("  [%s] %s%s%s\n", faults[i].checker.c_str(), faults[i].why.c_str(),
                faults[i].about.empty() ? "" : ": ", faults[i].about.c_str());
  }
  if (faults.size() > most_faults_told) std::printf("  and %zu more\n", faults.size() - most_faults_told);
  std::set<std::string> about;
  for (const Fault& fault : faults) {
    if (!fault.about.empty() && about.size() < most_stanzas_told) about.insert(fault.about);
  }
  for (const std::string& what : about) std::printf("%s", records_about(run.history(), what).c_str());
  std::printf("%s", last_records(run.history(), transcript_records).c_str());
  std::printf("To see it again: ./dev sim %llu 1\n", static_cast<unsigned long long>(plan.seed));
}

bool run_seed(std::uint64_t seed, bool twice, bool whole_transcript) {
  const Plan plan = make_plan(seed);
  Run run(plan);
  run.go();
  if (whole_transcript) std::printf("%s", last_records(run.history(), run.history().records().size()).c_str());
  const Faults faults = judge(run.history());
  if (!faults.empty()) tell(plan, run, faults);
  if (!twice) return faults.empty();
  Run again(plan);
  again.go();
  if (again.fingerprint() == run.fingerprint()) return faults.empty();
  std::printf("\nFAILED seed %llu goes another way each time\n", static_cast<unsigned long long>(seed));
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t first = 1;
  std::uint64_t count = 1;
  bool whole = false;
  int position = 0;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--transcript") == 0) {
      whole = true;
      continue;
    }
    char* end = nullptr;
    const std::uint64_t number = std::strtoull(argv[i], &end, 10);
    if (*argv[i] == '\0' || *end != '\0' || position > 1) {
      std::fprintf(stderr, "usage: simulate SEED [COUNT] [--transcript]\n");
      return 2;
    }
    (position++ == 0 ? first : count) = number;
  }
  std::uint64_t failed = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    if (!run_seed(seed, seed % 10 == 0 || count == 1, whole)) ++failed;
    const std::uint64_t done = seed - first + 1;
    if (done % 50 == 0 && done < count) std::printf("%llu seeds\n", static_cast<unsigned long long>(done));
    std::fflush(stdout);
  }
  std::printf("%llu seeds, %llu failed\n", static_cast<unsigned long long>(count),
              static_cast<unsigned long long>(failed));
  return failed == 0 ? 0 : 1;
}
