"""A kithd of a test's own: in a temporary folder, on free loopback ports, with a certificate of a test authority.

    with Kith() as kith:
        juliet = kith.add_user("juliet")

Needs the environment variable KITH_BUILD (build/dev by default): the folder with bin/kithd and bin/kithctl.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("KITH_BUILD", ROOT / "build" / "dev"))
READY = r"\bstarted\b"
RELOADED = r"\breload(ed|_refused)\b"
READY_SECONDS = 60  # an ASan build on a busy machine starts slowly


class Broken(AssertionError):
    """The daemon did not do what the harness relies on."""


GIVEN_PORTS = set()


def free_port():
    """One that nobody listens on, and that this run of tests was not given before: until it is used, the system may name it again."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in GIVEN_PORTS:
            GIVEN_PORTS.add(port)
            return port


class Authority:
    """A certificate authority for tests, and certificates of it as certbot lays them out: FOLDER/DOMAIN/fullchain.pem."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.certificate = self.folder / "ca.pem"
        self.key = self.folder / "ca.key"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                      "-subj", "/CN=Kith test authority", "-keyout", self.key, "-out", self.certificate)

    @staticmethod
    def _openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    def issue(self, live, domain, names=None, days=2):
        """A new certificate for the domain in LIVE/DOMAIN; replaces the files as certbot does. `days`: until it expires; -1: it has."""
        place = pathlib.Path(live) / domain
        place.mkdir(parents=True, exist_ok=True)
        names = ",".join(f"DNS:{name}" for name in (names or [domain]))
        key, request, leaf = (place / name for name in ("privkey.new", "request.csr", "cert.pem"))
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={domain}",
                      "-addext", f"subjectAltName={names}", "-keyout", key, "-out", request)
        self._openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-days", days,
                      "-copy_extensions", "copy", "-out", leaf)
        chain = place / "fullchain.new"
        chain.write_bytes(leaf.read_bytes() + self.certificate.read_bytes())
        key.chmod(0o600)
        key.rename(place / "privkey.pem")
        chain.rename(place / "fullchain.pem")
        request.unlink()
        return place / "fullchain.pem"


class Kith:
    # A test logs in more often from one address than anyone should; the tests of these limits set their own.
    RELAXED = {"connections_per_address_rate": "500/s burst 1000", "failed_logins_per_address_rate": "100/s burst 100",
               "failed_logins_per_account_rate": "100/s burst 100"}

    def __init__(self, *, domains=("example.org",), limits=None, top="", settings="", issue=True, host="127.0.0.1", where=None):
        """`limits`: keys of [limits], besides RELAXED; `top`: lines for the top of kith.toml; `settings`: whole sections of it;
        `where`: the directory to make its folder in."""
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kith-test-", dir=where))
        self.keep = False  # whether the folder is left for looking at
        self.wrapper, self.environment = [], {}  # what kithd is started by, and with
        self.domains = list(domains)
        self.host = host
        self.limits = {**self.RELAXED, **(limits or {})}
        self.top, self.settings = top, settings
        self.port, self.direct_port, self.metrics_port = free_port(), free_port(), free_port()
        self.http_port, self.https_port = free_port(), free_port()
        self.federation = None  # join() fills it
        self.components = None  # a port, if components may connect
        self.socket_path = self.folder / "kith.sock"
        self.live = self.folder / "live"
        self.authority = Authority(self.folder / "ca")
        if issue:
            for domain in self.domains:
                self.authority.issue(self.live, domain)
        self.process = None
        self.log = []
        self._log_grew = threading.Condition()

    # --- life ---------------------------------------------------------------------------------------------------------------

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_):
        self.remove()

    def configuration(self):
        listed = ", ".join(json.dumps(domain) for domain in self.domains)
        limits = "\n".join(f"{key} = {json.dumps(value)}" for key, value in self.limits.items())
        # More than one, whatever the machine has: what crosses from one to another is to be tested.
        return f"""domains = [{listed}]
shards = 2
data_directory = "{self.folder}/data"
admin_socket = "{self.socket_path}"
{self.top}

[listen]
c2s = ["{self.host}:{self.port}"]
c2s_direct_tls = ["{self.host}:{self.direct_port}"]
metrics = ["127.0.0.1:{self.metrics_port}"]
http = ["127.0.0.1:{self.http_port}"]
https = ["{self.host}:{self.https_port}"]
{f'components = ["127.0.0.1:{self.components}"]' if self.components else ""}
{self._federation()}
[certificates]
directories = ["{self.live}"]

[limits]
{limits}

{self.settings}
"""

    def _federation(self):
        if self.federation is None:
            return ""
        hosts = [f"{domain}={place if isinstance(place, str) else f'127.0.0.1:{place}'}"
                 for domain, place in self.federation["hosts"].items()]
        direct = self.federation.get("direct")
        direct = f's2s_direct_tls = ["{self.host}:{direct}"]' if direct else ""
        return f"""s2s = ["{self.host}:{self.federation["port"]}"]
{direct}

[federation]
hosts = {json.dumps(hosts)}
trusted_certificates = "{self.federation["trusted"]}"
require_certificates = {json.dumps(self.federation["require"])}
socks5_proxy = {json.dumps(self.federation.get("proxy", ""))}
dnssec_trust_anchors = {json.dumps(str(self.federation.get("anchors", "")))}
"""

    def write_configuration(self, text=None):
        path = self.folder / "kith.toml"
        path.write_text(self.configuration() if text is None else text)
        return path

    def start(self):
        first = len(self.log)
        self.launch()
        self.wait_for_log(READY, seconds=READY_SECONDS, since=first)

    def launch(self):
        """Starts it, without waiting for anything."""
        program = BUILD / "bin" / "kithd"
        if not program.is_file():
            raise Broken(f"{program} has not been built")
        path = self.write_configuration()
        self.process = subprocess.Popen([*self.wrapper, program, "--config", path], cwd=self.folder, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                                        env={**os.environ, **self.environment},
                                        # Python ignores SIGXFSZ and so lets the daemon do: a full disk, which a limit on file sizes
                                        # stands for in a test, sends no signal either.
                                        restore_signals=False)
        self._reader = threading.Thread(target=self._read_log, args=(self.process,), daemon=True)
        self._reader.start()

    def _read_log(self, process):
        for line in process.stdout:
            with self._log_grew:
                self.log.append(line.rstrip("\n"))
                self._log_grew.notify_all()
        process.stdout.close()
        with self._log_grew:
            self._log_grew.notify_all()

    def wait_for_log(self, pattern, *, seconds=20, since=0):
        """The first line of the log from line `since` on that matches."""
        end = time.monotonic() + seconds
        with self._log_grew:
            while True:
                for line in self.log[since:]:
                    if re.search(pattern, line):
                        return line
                since = len(self.log)
                left = end - time.monotonic()
                if left <= 0 or not self._reader.is_alive():
                    why = "in time" if self._reader.is_alive() else "before it ended"
                    raise Broken(f"kithd did not log /{pattern}/ {why}:\n" + self.log_end())
                self._log_grew.wait(min(left, 1))

    def log_end(self, lines=40):
        return "\n".join(self.log[-lines:])

    def terminate(self, seconds=20):
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self._wait(seconds)

    def kill(self):
        """SIGKILL: as a power cut, but for the disk's own cache."""
        self.process.kill()
        return self._wait(20)

    def _wait(self, seconds):
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Broken(f"kithd did not end within {seconds} s:\n" + self.log_end()) from None
        self._reader.join(10)
        return status

    def remove(self):
        """Ends the daemon, removes its folder, and complains if it ended badly or a sanitizer did."""
        status = None
        if self.process is not None and self.process.poll() is None:
            status = self.terminate()
        complaint = next((index for index, line in enumerate(self.log)
                          if re.search(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|Assertion", line)), None)
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)
        if complaint is not None:
            raise Broken("the sanitizers of kithd complained:\n" + "\n".join(self.log[complaint:complaint + 60]))
        if status not in (None, 0):
            raise Broken(f"kithd ended with status {status}:\n" + self.log_end())

    def reload(self):
        """SIGHUP; returns once it has been carried out or refused: the line of the log that says so."""
        since = len(self.log)
        self.process.send_signal(signal.SIGHUP)
        return self.wait_for_log(RELOADED, since=since)

    # --- what one does with it ------------------------------------------------------------------------------------------------

    def kithctl(self, *arguments, password=None, check=True):
        done = subprocess.run([BUILD / "bin" / "kithctl", "--socket", self.socket_path, *arguments],
                              input=None if password is None else password + "\n",
                              stdin=subprocess.DEVNULL if password is None else None,
                              capture_output=True, text=True, timeout=60)
        if check and done.returncode != 0:
            raise Broken(f"kithctl {' '.join(arguments)} failed ({done.returncode}): {done.stdout}{done.stderr}")
        return done

    def add_user(self, name, password="pencil"):
        jid = name if "@" in name else f"{name}@{self.domains[0]}"
        self.kithctl("user", "add", jid, "--password-stdin", password=password)
        return jid

    def memory_kib(self):
        """Resident memory of the daemon."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise Broken("kithd has no resident memory: it has ended")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def metrics(self):
        """name{labels} -> value, of the OpenMetrics page."""
        with socket.create_connection(("127.0.0.1", self.metrics_port), 10) as link:
            link.sendall(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            answer = b""
            while chunk := link.recv(65536):
                answer += chunk
        head, _, body = answer.partition(b"\r\n\r\n")
        if b" 200 " not in head.splitlines()[0]:
            raise Broken(f"no metrics: {head!r}")
        values = {}
        for line in body.decode().splitlines():
            match = re.match(r"^([a-z_]+(?:\{[^}]*\})?) ([0-9.eE+-]+)", line)
            if match:
                values[match[1]] = float(match[2])
        return values


def join(*kiths, require=True, strangers=()):
    """Tells servers, before they start, where the others are, and that they trust each other's authorities; those in `strangers`
    are trusted by nobody else."""
    for kith in kiths:
        kith.federation = {"port": free_port(), "hosts": {}, "trusted": kith.folder / "trusted.pem", "require": require}
    for kith in kiths:
        kith.federation["trusted"].write_bytes(b"".join(
            other.authority.certificate.read_bytes() for other in kiths if other is kith or other not in strangers))
        for other in kiths:
            if other is not kith:
                kith.federation["hosts"].update({domain: other.federation["port"] for domain in other.domains})


def running_kith(test, *users, **options):
    """A started daemon with these accounts, which is removed when the test ends; `options` as for Kith()."""
    kith = Kith(**options)
    test.addCleanup(kith.remove)
    kith.start()
    for user in users:
        kith.add_user(user)
    return kith
