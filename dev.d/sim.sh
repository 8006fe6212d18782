# Runs whole servers in one thread from a seed (tests/simulation/).

# simulate PRESET FIRST COUNT
simulate() { "build/$1/tests/simulate" "$2" "$3"; }

dev_sim() {
  local first=${1:-1} count=${2:-1}
  [[ $first =~ ^[0-9]+$ && $count =~ ^[0-9]+$ ]] || fail "./dev sim takes a seed and how many from there on, two numbers"
  need_packages build
  build clang simulate || fail "the simulation could not be built"
  simulate clang "$first" "$count"
}
