"""Gajim under Xvfb, on a D-Bus of its own, with a prepared account: what its tests share."""
import contextlib
import ctypes
import json
import os
import pathlib
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "interop"))

from kith import running_kith  # noqa: E402
from wire import CLIENT, Wire  # noqa: E402

PICTURES = ROOT / "build" / "test-results"
MODIFIED, CREATED = 0x2, 0x100  # of inotify


class Screen:
    """An X server that draws into memory."""

    def __init__(self):
        reading, writing = os.pipe()
        self.process = subprocess.Popen(["Xvfb", "-displayfd", str(writing), "-screen", "0", "1000x500x24", "-nolisten", "tcp", "-noreset", "-ac"],
                                        pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(writing)
        number = b""
        while not number.endswith(b"\n"):  # it comes in pieces, and Xvfb ends if nobody takes them all
            if not select.select([reading], [], [], 30)[0]:
                raise AssertionError("Xvfb did not start")
            number += os.read(reading, 16)
        self.display = ":" + number.decode().strip()
        os.close(reading)

    def remove(self):
        self.process.terminate()
        self.process.wait(10)

    def picture(self, path, environment):
        path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["import", "-window", "root", path], check=True, env=environment, timeout=30)


def prepare(home, kith, encryption, person, contact, resource):
    """Gajim's settings as its windows would have left them, and trust in the certificate that Kith shows."""
    config, data = home / "config" / "gajim", home / "data" / "gajim"
    (data / "cert_store").mkdir(parents=True)
    config.mkdir(parents=True)
    shutil.copy(kith.live / "example.org" / "cert.pem", data / "cert_store" / "kith")
    account = {"account": {"name": person, "hostname": "example.org", "password": "pencil", "savepass": True, "autoconnect": True,
                           "active": True, "use_custom_host": True, "custom_host": "127.0.0.1", "custom_port": kith.port,
                           "custom_type": "START TLS", "account_label": f"{person}@example.org", "resource": resource},
               "contact": {f"{contact}@example.org": {"encryption": encryption}} if encryption else {}, "group_chat": {}}
    chat = {"account": person, "jid": f"{contact}@example.org", "type": "contact", "pinned": True, "position": 0}
    settings = {"app": {"use_keyring": False, "show_main_window": "always", "check_for_update": False, "is_window_visible": True,
                        "tray_icon": False},
                "soundevents": {}, "status_presets": {}, "proxies": {},
                "plugins": {encryption.lower(): {"active": True}} if encryption else {},
                "workspaces": {"one": {"name": "Verona", "chats": [chat]}}}
    database = sqlite3.connect(config / "settings.sqlite")
    with database:
        database.execute("CREATE TABLE settings (name TEXT UNIQUE, settings TEXT)")
        database.execute("CREATE TABLE account_settings (account TEXT UNIQUE, settings TEXT)")
        database.executemany("INSERT INTO settings VALUES (?, ?)", [(name, json.dumps(value)) for name, value in settings.items()])
        database.execute("INSERT INTO account_settings VALUES (?, ?)", (person, json.dumps(account)))
        database.execute("PRAGMA user_version = 5")
    database.close()


class Gajim:
    """One Gajim of a person, with one chat in its list: on a screen and in a home of its own."""

    def __init__(self, case, kith, person="romeo", contact="juliet", resource="gajim", encryption=None):
        self.case, self.name, self.process = case, f"{person}-{resource}", None
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="kith-gajim-"))
        case.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        prepare(self.home, kith, encryption, person, contact, resource)
        self.screen = Screen()
        case.addCleanup(self.screen.remove)
        self.environment = {**os.environ, "DISPLAY": self.screen.display, "HOME": str(self.home), "LANG": "C.UTF-8", "GDK_BACKEND": "x11",
                            "XDG_CONFIG_HOME": str(self.home / "config"), "XDG_DATA_HOME": str(self.home / "data"),
                            "XDG_CACHE_HOME": str(self.home / "cache"), "XDG_RUNTIME_DIR": str(self.home / "run"), "NO_AT_BRIDGE": "1",
                            "GTK_THEME": "Adwaita"}
        self.environment.pop("DBUS_SESSION_BUS_ADDRESS", None)
        (self.home / "run").mkdir(mode=0o700)
        # Gajim refuses to run as root; a container's only user may be root.
        self.as_somebody = {}
        if os.getuid() == 0:
            self.as_somebody = {"user": "nobody", "group": "nogroup", "extra_groups": []}
            for path in [self.home, *self.home.rglob("*")]:
                shutil.chown(path, "nobody", "nogroup")
        case.addCleanup(self.end)

    def run(self):
        with open(self.home / "gajim.log", "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(["dbus-run-session", "--", "gajim", "-s"], env=self.environment, stdout=log,
                                            stderr=subprocess.STDOUT, start_new_session=True, cwd=self.home, **self.as_somebody)

    def end(self):
        if self.process is None:
            return
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(20)
        self.process = None

    def end_of_log(self):
        return (self.home / "gajim.log").read_text(encoding="utf-8")[-4000:]

    def picture(self, name):
        self.screen.picture(PICTURES / f"{name}.png", self.environment)

    def do(self, *command):
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60)

    def type_once(self, text, picture):
        """Into the one chat of the list on the left, at the line at its foot."""
        for place in ((240, 187), (700, 478)):
            self.do("xdotool", "mousemove", *map(str, place), "click", "1")
        self.do("xdotool", "type", "--delay", "5", text)
        self.picture(picture)
        self.do("xdotool", "key", "Return")

    def type_until(self, text, picture, arrived, seconds=60):
        """Types into the chat until `arrived` says that somebody has it; each try is seen, or shows a picture."""
        window = self.do("xdotool", "search", "--sync", "--onlyvisible", "--class", "gajim").stdout.split()
        self.case.assertTrue(window, "Gajim has no window")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.type_once(text, picture)
            if arrived():
                return
        self.case.fail(f"nothing that {self.name} typed arrived; {PICTURES / picture}.png shows the window; its log ends:\n{self.end_of_log()}")

    def kept(self, text):
        """What Gajim knows of the messages with this text that it has sent, or got and could read."""
        path = self.home / "data" / "gajim" / "logs.db"
        if not path.exists():
            return []
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            try:
                return [str(row[0]) for row in database.execute("SELECT additional_data FROM logs WHERE message = ?", (text,))]
            except sqlite3.OperationalError:  # it is being made or written to
                return []

    def keeps(self, text, seconds=60):
        """What kept() finds within that time."""
        libc = ctypes.CDLL(None, use_errno=True)
        changes = libc.inotify_init()
        self.case.assertGreaterEqual(libc.inotify_add_watch(changes, os.fsencode(self.home / "data" / "gajim"), MODIFIED | CREATED), 0)
        try:
            end = time.monotonic() + seconds
            while not (found := self.kept(text)) and time.monotonic() < end:
                if select.select([changes], [], [], max(0, end - time.monotonic()))[0]:
                    os.read(changes, 65536)
            return found
        finally:
            os.close(changes)

    def expect_encrypted(self, text, seconds=60):
        found = self.keeps(text, seconds)
        if not found:
            self.picture(f"{self.name}-failed")
            self.case.fail(f"{text!r} did not arrive in {self.name}; its log ends:\n{self.end_of_log()}")
        self.case.assertIn("OMEMO", found[0], "it came, but not encrypted")


class GajimCase(unittest.TestCase):
    def setUp(self):
        self.kith = running_kith(self, "juliet", "romeo")

    def wire(self):
        wire = Wire(self.kith.port, authority=self.kith.authority.certificate, seconds=90)
        self.addCleanup(wire.close)
        return wire

    def befriend(self):
        """Juliet stays online; Romeo leaves again, so that Gajim finds a roster with her in it."""
        juliet, romeo = self.wire().login("juliet", resource="balcony"), self.wire().login("romeo")
        for wire in (juliet, romeo):
            wire.iq("get", "<query xmlns='jabber:iq:roster'/>")  # who never asked for it hears nothing of subscriptions
        for asking, asked, who, whom in ((juliet, romeo, "juliet", "romeo"), (romeo, juliet, "romeo", "juliet")):
            asking.iq("set", f"<query xmlns='jabber:iq:roster'><item jid='{whom}@example.org' name='{whom.title()}'/></query>")
            asking.send(f"<presence to='{whom}@example.org' type='subscribe'/>")
            asked.until(lambda element: element.get("type") == "subscribe")
            asked.send(f"<presence to='{who}@example.org' type='subscribed'/>")
            asking.until(lambda element: element.get("type") == "subscribed")
        romeo.send("</stream:stream>")
        romeo.stream_error()
        juliet.until(lambda element: element.tag == CLIENT + "presence" and element.get("type") == "unavailable")
        return juliet

    def befriend_and_leave(self):
        juliet = self.befriend()
        juliet.send("</stream:stream>")
        juliet.stream_error()
