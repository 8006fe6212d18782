# Starts a Kith to try out: an example domain, a certificate of its own, everything under build/run.

readonly RUN_FOLDER=build/run

port_is_free() {
  python - "$1" <<'PYTHON'
import socket, sys
with socket.socket() as probe:
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind(("0.0.0.0", int(sys.argv[1])))
    except OSError:
        sys.exit(1)
PYTHON
}

dev_run() {
  local domain=example.org port=5222 direct_port http_port https_port folder="$KITH_ROOT/$RUN_FOLDER" taken
  while [ $# -gt 0 ]; do
    case "$1" in
      --domain) domain=${2:?dev: --domain needs a name} && shift 2 ;;
      --port) port=${2:?dev: --port needs a number} && shift 2 ;;
      *) fail "./dev run takes --domain NAME and --port N, not '$1'" ;;
    esac
  done
  [[ $domain =~ ^[A-Za-z0-9.-]+$ ]] || fail "'$domain' is no domain name"
  [[ $port =~ ^[0-9]+$ ]] && [ "$port" -gt 0 ] && [ "$port" -lt 65477 ] || fail "'$port' is no port below 65477"
  direct_port=$((port + 1)) http_port=$((port + 58)) https_port=$((port + 59))  # 5280 and 5281 for 5222

  need_packages build
  build release kithd kithctl || fail "Kith could not be built"
  for taken in "$port" "$direct_port" "$http_port" "$https_port"; do
    port_is_free "$taken" ||
      fail "port $taken is taken by another program; choose free ones with: ./dev run --port 15222"
  done

  mkdir -p "$folder"
  write_example_configuration "$folder/kith.toml" "$domain" "$port" "$direct_port" "$http_port" "$https_port"
  print_what_to_do_next "$domain" "$port" "$folder"
  exec "$KITH_ROOT/build/release/bin/kithd" --config "$folder/kith.toml"
}

# The file is written anew at each start, so that --domain and --port mean what they say; the data stays.
write_example_configuration() {
  local file=$1 domain=$2 port=$3 direct_port=$4 http_port=$5 https_port=$6
  cat >"$file" <<TOML
# Written by ./dev run, anew at each start. docs/configuration.md explains every key.
domain = "$domain"
data_directory = "data"
admin_socket = "kith.sock"

[listen]  # only for this machine
c2s = ["127.0.0.1:$port"]
c2s_direct_tls = ["127.0.0.1:$direct_port"]
http = ["127.0.0.1:$http_port"]
https = ["127.0.0.1:$https_port"]
TOML
  # Clients put a file at the domain's address, and that of an example is somebody else's machine.
  case "$domain" in
    localhost | *.localhost) ;;
    *) printf '\n[modules.upload]\nenabled = false  # files would go to the real %s; try them with: ./dev run --domain localhost\n' "$domain" >>"$file" ;;
  esac
}

print_what_to_do_next() {
  local domain=$1 port=$2 folder=$3 kithctl
  kithctl="build/release/bin/kithctl --socket $RUN_FOLDER/kith.sock"
  cat <<TEXT

Kith for $domain starts on port $port (STARTTLS), $((port + 1)) (direct TLS) and $((port + 59)) (HTTPS). Stop it with Ctrl-C; its data stays in
$RUN_FOLDER, and deleting that folder starts afresh.

1. In another terminal, in this folder, add two accounts (each line asks for a password, twice):

     $kithctl user add juliet@$domain
     $kithctl user add romeo@$domain

2. Log in with any XMPP client. The domain is an example that the Internet does not know, so name the address:

     Profanity   /connect juliet@$domain server 127.0.0.1 port $port tls trust
     Gajim       Add Account > Log In > juliet@$domain, Advanced Settings > Custom Hostname 127.0.0.1, port $port

   The certificate was made by Kith itself. 'tls trust' accepts it in Profanity; in Gajim, answer the warning with
   "Add this certificate to the list of trusted certificates". (Both are Debian packages: profanity, gajim.)

3. Add each other as contacts, then write. In Profanity: /sub request romeo@$domain, which Romeo answers
   by /sub allow juliet@$domain; then /msg romeo@$domain Art thou not Romeo?

What follows is Kith's log.

TEXT
}
