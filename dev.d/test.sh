# Builds and runs all tests, counts them, and ends with the line "N passed, N failed".
#
# A step that cannot run (a build that breaks, a program that crashes before it could count) counts as one failure: a test
# run is green only if everything in it ran. Each step's whole output lies in build/test-results/.

readonly RESULTS=build/test-results
# What runs on several threads; its tests run a second time under ThreadSanitizer.
readonly THREADED="runtime net storage session router server"

tests_passed=0
tests_failed=0
tests_skipped=0
failed_steps=()
step_times=()

count() {
  tests_passed=$((tests_passed + $1))
  tests_failed=$((tests_failed + $2))
  tests_skipped=$((tests_skipped + ${3:-0}))
}

# count_from FILE: adds what a JSON file of gtest or of run_python_tests.py counts. Fails if there is no such file.
count_from() {
  local counts
  counts=$(python tests/tally.py "$1") || return 1
  # shellcheck disable=SC2086
  count $counts
}

# step NAME COMMAND...: runs a step and remembers how long it took and whether it failed.
step() {
  local name=$1 started=$SECONDS failed_before=$tests_failed
  shift
  say "$name"
  if ! "$@" && [ "$tests_failed" -eq "$failed_before" ]; then
    count 0 1
  fi
  [ "$tests_failed" -eq "$failed_before" ] || failed_steps+=("$name")
  step_times+=("$(printf '%-46s %s' "$name" "$(minutes_and_seconds $((SECONDS - started)))")")
}

# run_gtest PRESET NAME: one test program, in an order of its own so that tests cannot come to lean on each other.
run_gtest() {
  local program=build/$1/tests/$2_tests out=$RESULTS/$1-$2 status=0 before=$tests_failed
  rm -f "$out.json"
  timeout --kill-after=10 900 "$program" --gtest_shuffle --gtest_random_seed=4217 --gtest_brief=1 \
    --gtest_output="json:$out.json" >"$out.log" 2>&1 || status=$?
  if ! count_from "$out.json"; then
    count 0 1
  elif [ $status -ne 0 ] && [ "$tests_failed" -eq "$before" ]; then
    count 0 1  # all tests passed, but the program did not: a leak, a race, a crash at the end
  fi
  if [ "$tests_failed" -ne "$before" ]; then
    note "$program failed (status $status); the end of $out.log:"
    tail -n 60 "$out.log"
  fi
}

# The test programs (NAME of NAME_tests): of all rooms that have tests, the scenarios, the simulation's own, and the bench's.
test_programs() {
  local room
  for room in $(sed -n 's/^\([a-z]*\):.*/\1/p' docs/arrows.txt); do
    [ -z "$(find "src/$room" -name '*_test.cpp' 2>/dev/null | head -n 1)" ] || echo "$room"
  done
  echo scenario
  echo bench
  echo simulation
}

# Those of them that run on several threads.
threaded_test_programs() {
  local program
  for program in $(test_programs); do
    case " $THREADED " in *" $program "*) echo "$program" ;; esac
  done
}

# unit_tests PRESET NAME...
unit_tests() {
  local preset=$1 name ran=0
  shift
  for name in "$@"; do
    run_gtest "$preset" "$name"
    ran=$((ran + 1))
  done
  note "$ran test programs of build/$preset have run"
  [ $ran -gt 0 ]
}

# python_tests FOLDER [OPTION...], against build/$KITH_TEST_PRESET (dev)
python_tests() {
  local folder=$1 preset=${KITH_TEST_PRESET:-dev} out
  out=$RESULTS/$preset-$(tr / - <<<"$folder")$([ $# -lt 2 ] || echo "-${2//[^a-z]/}")
  shift
  rm -f "$out.json"
  timeout --kill-after=20 1800 /usr/bin/env KITH_BUILD="$KITH_ROOT/build/$preset" PYTHONUNBUFFERED=1 \
    "$(command -v /usr/bin/python3 || command -v python3)" tests/run_python_tests.py "$folder" --json "$out.json" "$@" \
    2>&1 | tee "$out.log" || true
  count_from "$out.json"
}

# fuzz_briefly SECONDS: every target counts as one test. Two at a time: they use a core each.
fuzz_briefly() {
  local seconds=$1 target targets pids=() names=() i
  targets=$(fuzz_targets)
  [ -n "$targets" ] || return 1
  for target in $targets; do
    fuzz_one dev "$target" "$seconds" "$RESULTS/fuzz-$target.log" &
    pids+=($!)
    names+=("$target")
    if [ $((${#pids[@]} % 2)) -eq 0 ]; then
      wait_for_fuzzers || true
    fi
  done
  wait_for_fuzzers || true
}

# Waits for the fuzzers of pids/names (of the caller) and counts them.
wait_for_fuzzers() {
  for i in "${!pids[@]}"; do
    if wait "${pids[$i]}"; then
      count 1 0
    else
      count 0 1
      note "${names[$i]} found something; the end of $RESULTS/fuzz-${names[$i]}.log:"
      tail -n 40 "$RESULTS/fuzz-${names[$i]}.log"
    fi
  done
  pids=()
  names=()
}

# The same conversations in process, on kithd and on prosody; build/scenarios/report.md says where they differ. One test.
three_targets() {
  KITH_BUILD=$KITH_ROOT/build/dev python tests/scenarios/compare.py && count 1 0
}

# simulate_seeds PRESET COUNT: one test, whatever the count; under the sanitizers, which see what no checker does. In two
# halves at once: a seed uses one core.
simulate_seeds() {
  local half=$(($2 / 2)) first pids=() ok=1 log
  for first in 1 $((half + 1)); do
    timeout --kill-after=10 600 "build/$1/tests/simulate" "$first" "$half" >"$RESULTS/$1-simulation-from-$first.log" 2>&1 &
    pids+=($!)
  done
  for first in 1 $((half + 1)); do
    log=$RESULTS/$1-simulation-from-$first.log
    if wait "${pids[$((first > 1))]}"; then
      note "from seed $first on: $(tail -n 1 "$log")"
    else
      ok=0
      note "the beginning and the end of $log:"
      head -n 60 "$log"
      tail -n 1 "$log"
    fi
  done
  count $ok $((1 - ok))
}

# Building several targets at once shares the work between them; all of a preset's targets go to one ninja.
build_dev() { build dev all; }
build_tsan() {
  local program targets=()
  for program in $(threaded_test_programs); do targets+=("${program}_tests"); done
  build tsan "${targets[@]}" kithd kithctl
}
# What crosses shards and servers for real crosses them here, under ThreadSanitizer; sessions come back after cuts and restarts, too.
conversations_under_tsan() {
  KITH_TEST_PRESET=tsan KITH_CUTS=24 python_tests tests/interop \
    --only conversation_test resumption_test rooms_test federation_test http_test websocket_test upload_test
}

dev_test() {
  local extent=${1:-usual} fuzz_seconds=60 line
  case "$extent" in
    usual | quick) ;;
    full)
      fuzz_seconds=180
      export KITH_LONG=1  # two gigabytes are uploaded
      ;;
    *) fail "./dev test takes 'quick' or 'full', not '$extent'" ;;
  esac
  need_packages build test
  [ "$extent" != full ] || need_packages gajim scenarios
  rm -rf "$RESULTS"
  mkdir -p "$RESULTS"
  # Sanitizers: what they find ends the program, and freed memory is not kept so long that it hides a growth.
  export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1:quarantine_size_mb=16:abort_on_error=0}
  export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=0:second_deadlock_stack=1}

  # The same inputs each time, so that a failure is a change of ours; ./dev fuzz looks for new ones.
  export KITH_FUZZ_SEED=4217

  step "House rules" python_tests tests/house
  step "Build: ASan and UBSan" build_dev
  # shellcheck disable=SC2046
  step "Unit tests under ASan and UBSan" unit_tests dev $(test_programs)
  step "Simulation, 200 seeds" simulate_seeds dev 200
  step "Generated documents" python_tests tests/generated
  if [ "$extent" = quick ]; then
    step "A conversation by slixmpp" python_tests tests/interop --only conversation_test
  else
    step "Clients and attackers on a running daemon" python_tests tests/interop
    step "Crashes and signals under load" python_tests tests/crash
    step "The bench, on a small scale" python_tests tests/bench
    step "Build: TSan" build_tsan
    # shellcheck disable=SC2046
    step "Threaded rooms under TSan" unit_tests tsan $(threaded_test_programs)
    step "Conversations on a daemon under TSan" conversations_under_tsan
    step "Fuzzing, $fuzz_seconds seconds a target" fuzz_briefly "$fuzz_seconds"
  fi
  if [ "$extent" = full ]; then
    step "Gajim in a window" python_tests tests/gajim
    step "The conversations on three targets" three_targets
  fi

  say "What took how long"
  for line in "${step_times[@]}"; do note "$line"; done
  if [ ${#failed_steps[@]} -gt 0 ]; then
    say "What failed"
    for line in "${failed_steps[@]}"; do note "$line"; done
  fi
  line="$tests_passed passed, $tests_failed failed"
  [ "$tests_skipped" -eq 0 ] || line+=", $tests_skipped skipped"
  echo "$line"
  [ "$tests_failed" -eq 0 ] && [ "$tests_passed" -gt 0 ]
}
