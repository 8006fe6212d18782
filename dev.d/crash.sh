# Kills a real kithd under load again and again and balances the books after each restart; tests/crash/cycle.py says how.

dev_crash() {
  local preset=${KITH_TEST_PRESET:-clang}
  [ $# -le 2 ] || fail "./dev crash takes how many CYCLES and a SEED, not '$*'"
  [[ "$*" =~ ^[0-9\ ]*$ ]] || fail "cycles and seed are numbers, not '$*'"
  need_packages build test
  build "$preset" kithd kithctl || fail "build/$preset could not be built"
  KITH_BUILD=$KITH_ROOT/build/$preset python tests/crash/cycle.py "$@"
}
