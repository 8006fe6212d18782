# What the subcommands share: how they talk, and how they find out about the machine.

say() { printf '==> %s\n' "$*"; }
note() { printf '    %s\n' "$*"; }
fail() {
  printf 'dev: %s\n' "$*" >&2
  exit 1
}

# Debian's own python3: the one that python3-slixmpp is installed for, whatever else is first on the PATH.
python() {
  if [ -x /usr/bin/python3 ]; then /usr/bin/python3 "$@"; else python3 "$@"; fi
}

# How many compilers may run at once: a core each, and 1.5 GiB of memory each.
jobs_for_building() {
  local cores memory_kib by_memory
  cores=$(nproc)
  memory_kib=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)
  by_memory=$((memory_kib / (1536 * 1024)))
  [ "$by_memory" -ge 1 ] || by_memory=1
  echo $((cores < by_memory ? cores : by_memory))
}

minutes_and_seconds() { printf '%d min %02d s' $(($1 / 60)) $(($1 % 60)); }
