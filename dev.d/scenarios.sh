# Plays every conversation in process, against kithd and against Debian's prosody, and says where the three differ.

dev_scenarios() {
  need_packages build test scenarios
  build clang scenario_tests scenario_over_tls kithd kithctl || fail "the clang build failed, so there is nothing to play against"
  export KITH_BUILD=$KITH_ROOT/build/clang
  python tests/scenarios/compare.py "$@"
}
