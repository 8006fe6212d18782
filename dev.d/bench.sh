# Measures Kith beside Debian's prosody and ejabberd; bench/README.md says what and how.

# dev_bench [quick|full] [OPTION of bench/run...]
dev_bench() {
  local extent=full options=()
  case "${1:-}" in
    quick | full)
      extent=$1
      shift
      ;;
  esac
  need_packages build
  if [ "$extent" = quick ]; then
    options=(--quick)
  else
    need_packages bench
  fi
  build release kithd kith-load kith-floor || fail "the release build failed, so there is nothing to measure"
  KITH_BUILD=$KITH_ROOT/build/release python bench/run "${options[@]}" "$@"
}
