"""The servers that a script can be played against over TLS, each serving the domain `localhost` on a free loopback port:

    with KithTarget() as target:
        result = play(target, script)

Both begin each script without anything of the one before. What plays is scenario_over_tls (over_tls.cpp); this file gives it a server
and the accounts, and does what it asks for: a restart, a full disk.
"""
import dataclasses
import http.client
import json
import pathlib
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "interop"))

from kith import BUILD, Authority, Broken, Kith, free_port  # noqa: E402

PLAYER = BUILD / "tests" / "scenario_over_tls"
DOMAIN = "localhost"
MOST_SECONDS = 180


def scripts():
    return sorted([*(ROOT / "src" / "modules").rglob("*.scs"), *(ROOT / "tests" / "scenarios").rglob("*.scs")])


def accounts_of(script):
    """bare JID -> password; who logs in with another password later has changed it by then."""
    lines = subprocess.run([PLAYER, "--accounts", script], check=True, capture_output=True, text=True).stdout.splitlines()
    accounts = {}
    for line in lines:
        jid, password = line.split("\t")
        accounts.setdefault(jid, password)
    return accounts


@dataclasses.dataclass
class Difference:
    line: int
    what: str
    expected: str
    actual: str


@dataclasses.dataclass
class Result:
    differences: list
    stops: int | None  # the line from which on only a server in process can play
    played: int
    steps: int


def play(target, script, *, go_on=False):
    target.prepare(accounts_of(script))
    command = [PLAYER, script, "127.0.0.1", str(target.port), target.authority.certificate, *(["--go-on"] if go_on else [])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as player:
        guard = threading.Timer(MOST_SECONDS, player.kill)
        guard.start()
        try:
            result = _follow(target, player)
            complaint = player.stderr.read().strip()
        finally:
            guard.cancel()
    if result is None or player.returncode not in (0, 1):
        raise Broken(f"{script} could not be played (status {player.returncode}): {complaint}")
    return result


def _follow(target, player):
    differences, stops = [], None
    for line in player.stdout:
        word, *fields = line.rstrip("\n").split("\t")
        if word == "please":
            target.arrange(fields[1])
            player.stdin.write("done\n")
            player.stdin.flush()
        elif word == "differs":
            differences.append(Difference(int(fields[0]), *fields[1:]))
        elif word == "stops":
            stops = int(fields[0])
        elif word == "played":
            return Result(differences, stops, int(fields[0]), int(fields[1]))
    return None


def limit_files(pid, full):
    """No file of the process may grow any more: to what writes into files, the same as a full disk."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1 if full else hard, hard))


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)


class KithTarget:
    """One daemon for all scripts: before each, the accounts of the one before go with all that is theirs."""
    LIMITS = {"stanzas": "100000/s burst 100000", "bytes_after_login": "100 MiB/s burst 100 MiB"}

    def __init__(self):
        self.kith = Kith(domains=(DOMAIN,), limits=self.LIMITS)
        self.accounts = {}

    def __enter__(self):
        self.kith.__enter__()
        return self

    def __exit__(self, *error):
        self.kith.__exit__(*error)

    @property
    def port(self):
        return self.kith.port

    @property
    def authority(self):
        return self.kith.authority

    def prepare(self, accounts):
        connection = UnixConnection(self.kith.socket_path)
        for jid in self.accounts:
            # 404: the script has removed the account itself.
            self._ask(connection, "DELETE", "/v1/users/" + urllib.parse.quote(jid), allowed=(200, 404))
        for jid, password in accounts.items():
            self._ask(connection, "POST", "/v1/users", {"jid": jid, "password": password})
        connection.close()
        self.accounts = accounts

    @staticmethod
    def _ask(connection, method, path, body=None, allowed=(200, 201)):
        connection.request(method, path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status not in allowed:
            raise Broken(f"kithd refused {method} {path}: {answer.status} {text}")

    def arrange(self, what):
        if what == "restart":
            self.kith.kill()
            self.kith.start()
        else:
            limit_files(self.kith.process.pid, what == "disk full")


class ProsodyTarget:
    """A prosody for each script: it starts in a moment, and keeps things in memory that a removed account leaves behind."""

    def __init__(self):
        if shutil.which("prosody") is None:
            raise Broken("prosody is not installed")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kith-prosody-"))
        self.port = free_port()
        self.authority = Authority(self.folder / "ca")
        self.authority.issue(self.folder / "live", DOMAIN)
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def write_configuration(self):
        # The modules that answer what Kith answers. Those of PEP are left out: they add to every presence.
        (self.folder / "prosody.cfg.lua").write_text(f"""
run_as_root = true
daemonize = false
pidfile = "{self.folder}/prosody.pid"
data_path = "{self.folder}/data"
modules_enabled = {{ "roster", "saslauth", "tls", "disco", "ping", "time", "version", "uptime", "lastactivity", "private", "vcard",
                    "pep", "bookmarks",
                    "register", "offline" }}
modules_disabled = {{ "s2s" }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {self.port} }}
c2s_direct_tls_ports = {{ }}
c2s_require_encryption = true
allow_registration = false
authentication = "internal_plain"
storage = "internal"
log = {{ info = "*console" }}
ssl = {{ certificate = "{self.folder}/live/{DOMAIN}/fullchain.pem"; key = "{self.folder}/live/{DOMAIN}/privkey.pem" }}
VirtualHost "{DOMAIN}"
Component "rooms.{DOMAIN}" "muc"
""")

    def start(self):
        self.write_configuration()
        # Python ignores SIGXFSZ and so lets prosody do: see limit_files.
        self.process = subprocess.Popen(["prosody", "-F", "--config", "prosody.cfg.lua"], cwd=self.folder, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                                        restore_signals=False)
        guard = threading.Timer(60, self.process.kill)
        guard.start()
        log = []
        for line in self.process.stdout:
            log.append(line)
            if "Activated service 'c2s' on [127.0.0.1]" in line:
                break
        else:
            raise Broken("prosody did not start:\n" + "".join(log[-20:]))
        guard.cancel()
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def prepare(self, accounts):
        self.kill()
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        users = self.folder / "data" / DOMAIN / "accounts"
        users.mkdir(parents=True)
        for jid, password in accounts.items():
            (users / f"{jid.split('@')[0]}.dat").write_text(f'return {{ ["password"] = "{password}"; }};\n')
        self.start()

    def arrange(self, what):
        if what == "restart":
            self.kill()
            self.start()
        else:
            limit_files(self.process.pid, what == "disk full")
