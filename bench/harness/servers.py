"""The servers under test, each in a folder and on a port of its own, all with rate limits off.

Each runs as a person would run it: passwords as SCRAM keys (what Debian's packages of prosody and ejabberd do by default),
TLS required, an ECDSA P-256 certificate, logs of warnings only, and no features but those that the loads use.
"""
import pathlib
import shutil
import socket
import subprocess

from . import accounts, processes

START_SECONDS = 60
LOG_LINES = 12


class CouldNotStart(Exception):
    """Says why, with the end of the server's log."""


def free_port(address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((address, 0))
        return probe.getsockname()[1]


class Server:
    name = ""
    package = None         # Debian's package that it comes from
    program = None         # what has to be installed
    features = frozenset({"tls", "login", "roster", "offline", "management", "rooms", "pep"})  # what loads may need of it
    load_options = ()      # words for kith-load beside this server

    def __init__(self, folder, build, address, domain, password):
        self.folder = pathlib.Path(folder)
        self.build, self.address, self.domain, self.password = pathlib.Path(build), address, domain, password
        self.port = free_port(address)
        self.process = None
        self.command, self.environment = [], {}
        self.files = []    # its settings, to be written beside the results

    # --- for each kind of server ------------------------------------------------------------------------------------------

    def configure(self):
        """Writes its settings; returns the command that starts it, and its environment."""
        raise NotImplementedError

    def configure_archive(self):
        """The same for a server that archives both sides of every conversation; only those have it with the feature "archive"."""
        raise NotImplementedError

    def add_accounts(self, numbers, sizes):
        """Makes u0, u1, … (`numbers.count` of them). Called once it listens."""

    # --- for all ----------------------------------------------------------------------------------------------------------

    def start(self):
        if self.program and not shutil.which(self.program):
            raise CouldNotStart(f"'{self.program}' is not installed: './dev packages bench' installs it")
        self.command, self.environment = self.configure()
        if not shutil.which(str(self.command[0])):
            raise CouldNotStart(f"there is no program {self.command[0]}")
        self._spawn()

    def restart(self):
        self.stop()
        self._spawn()

    def restart_with_archive(self):
        self.stop()
        self.command, self.environment = self.configure_archive()
        self._spawn()

    def _spawn(self):
        self.process = processes.start(self.command, self.folder, self.folder / "output.log", self.environment)
        self._wait_until_it_listens()

    def _wait_until_it_listens(self):
        for _ in range(START_SECONDS * 10):
            try:
                status = self.process.wait(0.1)
            except subprocess.TimeoutExpired:
                pass
            else:
                raise CouldNotStart(f"it ended with status {status} instead of listening; {self.log_end()}")
            with socket.socket(socket.AF_INET6 if ":" in self.address else socket.AF_INET) as probe:
                probe.settimeout(5)
                if probe.connect_ex((self.address, self.port)) == 0:
                    return
        raise CouldNotStart(f"it does not listen on port {self.port} after {START_SECONDS} s; {self.log_end()}")

    def log_end(self):
        lines = []
        for log in (self.folder / "output.log", *sorted(self.folder.glob("log/*.log"))):
            if log.is_file():
                lines += log.read_text(errors="replace").rstrip().splitlines()[-LOG_LINES:]
        return "the end of its log:\n" + "\n".join("    " + line for line in lines) if lines else "its log is empty"

    def stop(self):
        if self.process is not None:
            processes.stop(self.process)

    def write(self, name, text):
        (self.folder / name).write_text(text)
        self.files.append(name)

    def settings(self):
        """{name of a file: its text} and the command, without the folder, which is another each time."""
        texts = {name: (self.folder / name).read_text() for name in self.files}
        words = [f"{name}={value}" for name, value in self.environment.items()] + [str(word) for word in self.command]
        texts["command.txt"] = " ".join(words).replace(str(self.build), "BUILD") + "\n"
        return {name: text.replace(str(self.folder), "FOLDER") for name, text in texts.items()}

    def version(self):
        if self.package is None:
            return "this commit"
        done = processes.run(["dpkg-query", "-W", "-f=${Version}", self.package], 20) if shutil.which("dpkg-query") else None
        return done.stdout if done and done.returncode == 0 else "unknown"

    def endpoint(self):
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    def certificate(self):
        done = processes.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                              "-keyout", self.folder / "key.pem", "-out", self.folder / "cert.pem", "-subj", f"/CN={self.domain}"], 60)
        if done is None or done.returncode != 0:
            raise CouldNotStart(f"openssl made no certificate: {done.stderr.strip() if done else 'it took too long'}")
        both = (self.folder / "cert.pem").read_text() + (self.folder / "key.pem").read_text()
        (self.folder / "both.pem").write_text(both)


class Kith(Server):
    name = "kith"
    features = Server.features | {"fast", "archive"}

    def configure(self):
        return self._configure("kith.toml", archive=False)

    def configure_archive(self):
        return self._configure("kith-archive.toml", archive=True)

    def _configure(self, file, archive):
        self.write(file, f"""domain = "{self.domain}"
data_directory = "data"
admin_socket = "kith.sock"

[listen]
c2s = ["{self.endpoint()}"]
c2s_direct_tls = []
http = []
https = []

[log]
level = "warning"

[limits]
connections_per_address = 19000
unauthenticated_per_address = 2000
connections_per_address_rate = "100000/s burst 100000"
bytes_before_login = "10 MiB/s burst 10 MiB"
bytes_after_login = "1000 MiB/s burst 1000 MiB"
stanzas = "1000000/s burst 1000000"
subscription_requests = "100000/s burst 100000"
offline_messages = 100000
room_occupants = 5000
room_messages = "1000000/s burst 1000000"

[modules.archive]
enabled = {str(archive).lower()}
""")
        return [self.build / "bin" / "kithd", "--config", file], {}

    def add_accounts(self, numbers, sizes):
        accounts.add_to_kith(self.folder / "kith.sock", self.domain, self.password, numbers.count)


class Ejabberd(Server):
    name = "ejabberd"
    load_options = ("--rooms-prefix", "conference")
    package = "ejabberd"
    program = "erl"

    def configure(self):
        self.certificate()
        for folder in ("db", "log"):
            (self.folder / folder).mkdir()
        self.write("ejabberd.yml", f"""hosts: [{self.domain}]
loglevel: warning
certfiles: [{self.folder}/both.pem]
listen:
  - port: {self.port}
    ip: "{self.address}"
    module: ejabberd_c2s
    max_stanza_size: 262144
    shaper: none
    access: c2s
    starttls_required: true
    backlog: 128
auth_method: internal
auth_password_format: scram
access_rules:
  c2s: [{{allow: all}}]
  register: [{{allow: all}}]
shaper_rules:
  max_user_sessions: 1000
  max_user_offline_messages: 100000
registration_timeout: infinity
modules:
  mod_roster: {{}}
  mod_register: {{ip_access: all, access: register}}
  mod_ping: {{}}
  mod_stream_mgmt: {{}}
  mod_muc: {{host: "conference.{self.domain}", max_users: 5000, history_size: 0, default_room_options: {{max_users: 5000}}}}
  mod_caps: {{}}
  mod_pubsub: {{plugins: [flat, pep]}}
  mod_offline: {{access_max_user_messages: max_user_offline_messages}}
""")
        return (["erl", "+K", "true", "-noinput", "-mnesia", "dir", f'"{self.folder}/db"', "-s", "ejabberd"],
                {"EJABBERD_CONFIG_PATH": str(self.folder / "ejabberd.yml"), "EJABBERD_LOG_PATH": str(self.folder / "log" / "ejabberd.log"),
                 "ERL_LIBS": ":".join(map(str, pathlib.Path("/usr/lib").glob("*-linux-gnu*"))), "HOME": str(self.folder), "ERL_CRASH_DUMP_SECONDS": "0"})

    def add_accounts(self, numbers, sizes):
        accounts.register((self.address, self.port), self.domain, self.password, numbers.count)


class Prosody(Server):
    name = "prosody"
    features = Server.features - {"pep"}  # it sends some events twice to so many, which the load takes for a fault
    load_options = ("--rooms-prefix", "conference")
    package = "prosody"
    program = "prosody"

    def configure(self):
        self.certificate()
        (self.folder / "data").mkdir()
        self.write("prosody.cfg.lua", f"""run_as_root = true
daemonize = false
pidfile = "{self.folder}/prosody.pid"
data_path = "{self.folder}/data"
modules_enabled = {{ "roster", "saslauth", "tls", "disco", "ping", "offline", "smacks" }}
modules_disabled = {{ "s2s" }}
interfaces = {{ "{self.address}" }}
c2s_ports = {{ {self.port} }}
c2s_require_encryption = true
authentication = "internal_hashed"
log = {{ warn = "*console" }}
ssl = {{ certificate = "{self.folder}/cert.pem"; key = "{self.folder}/key.pem" }}
VirtualHost "{self.domain}"
Component "conference.{self.domain}" "muc"
""")
        return ["prosody", "-F", "--config", "prosody.cfg.lua"], {}

    def add_accounts(self, numbers, sizes):
        accounts.write_for_prosody(self.folder / "data", self.domain, self.password, numbers.count)
        accounts.write_contacts_for_prosody(self.folder / "data", self.domain, numbers.ring, sizes.ring_accounts, sizes.contacts)


class Floor(Server):
    name = "floor"
    features = frozenset({"tls"})
    load_options = ("--forwarder",)

    def configure(self):
        self.certificate()
        return [self.build / "bin" / "kith-floor", "--address", self.address, "--port", self.port,
                "--certificate", "cert.pem", "--key", "key.pem"], {}


ALL = (Kith, Ejabberd, Prosody, Floor)
