# Configures and builds presets of CMakePresets.json.

# configure PRESET: once; afterwards ninja itself sees when it has to be done again.
configure() {
  local preset=$1 log=build/$1/configure.log more=()
  # The fuzz targets need the same sanitizers as the tests: as part of dev they cost no build of their own.
  [ "$preset" != dev ] || more=(-DKITH_FUZZ=ON)
  if [ -f "build/$preset/build.ninja" ]; then
    [ "$preset" = dev ] || return 0
    ! grep -q '^KITH_FUZZ:BOOL=ON' build/dev/CMakeCache.txt || return 0
  fi
  mkdir -p "build/$preset"
  say "Configuring build/$preset"
  if ! cmake --preset "$preset" "${more[@]}" >"$log" 2>&1; then
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
  # Where there is a ccache, what one clone has compiled serves the next, whatever folder it lies in.
  export CCACHE_BASEDIR=$KITH_ROOT CCACHE_NOHASHDIR=1
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
  [ "$preset" != gcc ] || need_packages gcc
  build "$preset" "$@" || fail "build/$preset could not be built"
}
