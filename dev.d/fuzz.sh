# Feeds random input to the fuzz targets (tests/fuzz/*_fuzz.cpp) under ASan and UBSan.

fuzz_targets() {
  local source
  for source in tests/fuzz/*_fuzz.cpp; do
    [ ! -e "$source" ] || basename "$source" .cpp
  done
}

# fuzz_one PRESET TARGET SECONDS LOG: what was learnt stays in build/PRESET/corpus, what crashed lies in build/PRESET/crashes.
fuzz_one() {
  local place=build/$1 target=$2 seconds=$3 log=$4 name arguments=()
  mkdir -p "$place/corpus/$target" "$place/crashes"
  arguments=("$place/corpus/$target")
  # Seeds and words belong to a target, or to all that read the same language: xml.dict to xml_*_fuzz.
  for name in "$target" "${target%_fuzz}"; do
    [ ! -d "tests/fuzz/corpus/$name" ] || arguments+=("tests/fuzz/corpus/$name")
  done
  for name in "$target" "${target%%_*}"; do
    [ ! -f "tests/fuzz/$name.dict" ] || arguments+=("-dict=tests/fuzz/$name.dict")
  done
  "$place/fuzz/$target" -max_total_time="$seconds" -seed="${KITH_FUZZ_SEED:-0}" -timeout=20 -rss_limit_mb=3000 -print_final_stats=1 \
    -artifact_prefix="$place/crashes/$target-" "${arguments[@]}" >"$log" 2>&1
}

dev_fuzz() {
  local wanted=${1:-all} seconds=${2:-60} target targets ok=0
  [[ $seconds =~ ^[0-9]+$ ]] || fail "the time is a number of seconds, not '$seconds'"
  targets=$(fuzz_targets)
  if [ "$wanted" != all ]; then
    grep -qx "$wanted" <<<"$targets" || fail "there is no fuzz target '$wanted'; there are: $(tr '\n' ' ' <<<"$targets")"
    targets=$wanted
  fi
  need_packages build
  # shellcheck disable=SC2086
  build fuzz $targets || fail "the fuzz targets could not be built"
  for target in $targets; do
    say "Fuzzing $target for $seconds seconds"
    if fuzz_one fuzz "$target" "$seconds" "build/fuzz/$target.log"; then
      note "$(sed -n 's/^stat::number_of_executed_units: *\(.*\)/nothing found in \1 runs/p' "build/fuzz/$target.log")"
    else
      tail -n 40 "build/fuzz/$target.log"
      note "the input lies in build/fuzz/crashes; run it again with: build/fuzz/fuzz/$target FILE"
      ok=1
    fi
  done
  return $ok
}
