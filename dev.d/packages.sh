# Installs the Debian packages that packaging/debian-packages.txt lists, and only those that are missing.

readonly PACKAGE_LIST=packaging/debian-packages.txt

# packages_of GROUP: one package, or alternatives joined by '|', a line.
packages_of() { awk -v group="$1" '$1 == group {print $2}' "$PACKAGE_LIST"; }

package_is_installed() {
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# missing_packages GROUP...: the lines of the groups of which no alternative is installed.
missing_packages() {
  local group line alternative found
  for group in "$@"; do
    for line in $(packages_of "$group"); do
      found=no
      for alternative in ${line//|/ }; do
        if package_is_installed "$alternative"; then found=yes; fi
      done
      [ $found = yes ] || echo "$line"
    done
  done | sort -u
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# first_available ALTERNATIVES: the first that apt can install; empty if it knows none.
first_available() {
  local alternative policy
  for alternative in ${1//|/ }; do
    # Not in a pipe to grep -q: that ends at its first match, and apt-cache by SIGPIPE, which pipefail calls a failure.
    # In the language that is looked for below: apt speaks that of the machine.
    policy=$(LC_ALL=C apt-cache policy "$alternative" 2>/dev/null) || continue
    if [[ $policy =~ Candidate:\ [^\(] ]]; then
      echo "$alternative"
      return
    fi
  done
}

# need_packages GROUP...: returns with all packages of the groups installed, or ends the script.
need_packages() {
  local group missing chosen=() line name updated=no
  [ $# -gt 0 ] || fail "say which packages: build, gcc, test, scenarios, lint, gajim or bench"
  for group in "$@"; do
    [ -n "$(packages_of "$group")" ] || fail "there is no group of packages '$group' in $PACKAGE_LIST"
  done
  [ -z "${KITH_SKIP_PACKAGES:-}" ] || return 0
  command -v dpkg-query >/dev/null ||
    fail "this is not a Debian system: install what $PACKAGE_LIST lists, then set KITH_SKIP_PACKAGES=1"
  missing=$(missing_packages "$@")
  [ -n "$missing" ] || return 0
  [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null ||
    fail "packages are missing, and installing them needs root: as root, run '$KITH_ROOT/dev packages $*' once, or install sudo"

  say "Installing $(wc -w <<<"$missing") Debian packages: $(tr '\n' ' ' <<<"$missing")"
  for line in $missing; do
    name=$(first_available "$line")
    if [ -z "$name" ] && [ $updated = no ]; then
      as_root apt-get update -q || fail "apt-get update failed, so the missing packages cannot be found"
      updated=yes
      name=$(first_available "$line")
    fi
    [ -n "$name" ] || fail "apt knows no package '$line'; Kith is built on Debian 12 or later ($PACKAGE_LIST says more)"
    chosen+=("$name")
  done
  if ! install_quietly "${chosen[@]}"; then
    # Package lists that are some days old name versions that are gone.
    [ $updated = no ] || fail "apt-get could not install: ${chosen[*]}"
    as_root apt-get update -q || fail "apt-get update failed, so the missing packages cannot be fetched"
    install_quietly "${chosen[@]}" || fail "apt-get could not install: ${chosen[*]}"
  fi
}

# No package that Kith needs is needed as a running service, so none may start one (Debian's policy-rc.d says no).
install_quietly() {
  local ok=0 policy=/usr/sbin/policy-rc.d ours=no
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\n# Put here by Kith'"'"'s ./dev while it installs packages.\nexit 101\n' |
      as_root install -m 0755 /dev/stdin $policy
    ours=yes
  fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" || ok=$?
  [ $ours = no ] || as_root rm -f $policy
  return $ok
}
