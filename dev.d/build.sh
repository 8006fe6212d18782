# Configures and builds presets of CMakePresets.json.

# configure PRESET: anew each time a fresh clone or a new CMake file asks for it; quiet when there is nothing to do.
configure() {
  local preset=$1 log
  log=build/$preset/configure.log
  [ ! -f "build/$preset/build.ninja" ] || return 0
  mkdir -p "build/$preset"
  say "Configuring build/$preset"
  if ! cmake --preset "$preset" >"$log" 2>&1; then
    cat "$log" >&2
    return 1
  fi
}

# build PRESET [TARGET...]
build() {
  local preset=$1 jobs
  shift
  configure "$preset" || return 1
  jobs=$(jobs_for_building)
  say "Building build/$preset${*:+: $*} ($jobs at a time)"
  # On a terminal ninja rewrites one line; in a log it would write thousands.
  if [ -t 1 ]; then
    ninja -C "build/$preset" -j "$jobs" "$@"
  else
    ninja -C "build/$preset" -j "$jobs" --quiet "$@"
  fi
}

dev_build() {
  local preset=${1:-clang}
  [ $# -eq 0 ] || shift
  need_packages build
  build "$preset" "$@" || fail "build/$preset could not be built"
}
