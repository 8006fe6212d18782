# Measures Kith beside Debian's prosody and ejabberd; bench/README.md says what and how.

dev_bench() {
  need_packages build bench
  [ -x bench/run ] || fail "bench/run is missing from this clone"
  build release kithd kithctl kith-load || fail "the release build failed, so there is nothing to measure"
  exec bench/run "$@"
}
