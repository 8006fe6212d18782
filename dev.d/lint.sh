# How the source is written: its format by clang-format, and the house rules by tests/house/.

cpp_files() { git ls-files --cached --others --exclude-standard -- '*.h' '*.cpp'; }

check_format() {
  local wrong
  wrong=$(cpp_files | xargs -r -n 20 -P "$(nproc)" clang-format-19 --dry-run 2>&1 |
    sed -n 's/^\([^:]*\):[0-9]*:[0-9]*: .*clang-format-violations.*/\1/p' | sort -u)
  [ -z "$wrong" ] || {
    printf '%s\n' "not formatted (./dev format mends it):" "$wrong" >&2
    return 1
  }
}

dev_format() {
  need_packages lint
  cpp_files | xargs -r -n 20 -P "$(nproc)" clang-format-19 -i
  say "Formatted the C++ sources"
}

dev_lint() {
  local ok=0
  need_packages lint
  check_format && say "The format is right" || ok=1
  python tests/run_python_tests.py tests/house || ok=1
  return $ok
}
