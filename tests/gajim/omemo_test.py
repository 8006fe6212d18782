"""OMEMO between two clients that others wrote: Romeo has Gajim with its plugin, Juliet has profanity. The first message is
encrypted, both ways, also after a restart of the server.
"""
import contextlib
import ctypes
import os
import pathlib
import select
import shutil
import sqlite3
import tempfile
import time
import unittest

from window import PICTURES, GajimCase

from terminal import Terminals

QUESTION = "What satisfaction canst thou have tonight?"
ANSWER = "The exchange of thy love's faithful vow for mine."
AFTER = ("'Tis almost morning", "Sleep dwell upon thine eyes")


MODIFIED, CREATED = 0x2, 0x100  # of inotify


class Omemo(GajimCase):
    encryption = "OMEMO"

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kith-profanity-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.terminals = Terminals(self.folder)
        self.addCleanup(self.terminals.remove)
        self.count = 0

    def profanity(self):
        home = self.folder / "juliet"
        config = home / "config" / "profanity"
        config.mkdir(parents=True, exist_ok=True)
        (config / "profrc").write_text("[ui]\nsplash=false\nwrap=false\n[notifications]\nmessage=off\n[connection]\nautoping=0\n")
        environment = {"HOME": home, "XDG_CONFIG_HOME": home / "config", "XDG_DATA_HOME": home / "data", "TERM": "screen",
                       "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]}
        self.count += 1
        terminal = self.terminals.run(f"juliet-{self.count}", ["profanity"], environment)
        self.addCleanup(terminal.close)
        terminal.expect(r"Profanity|/help|Type")
        terminal.type(f"/connect juliet@example.org server 127.0.0.1 port {self.kith.port} tls trust")
        terminal.expect(r"Enter password")
        terminal.type("pencil")
        terminal.expect(r"logged in successfully")
        return terminal

    def expect_in_gajim(self, text, seconds=60):
        """Gajim keeps what it could decrypt."""
        folder = self.home / "data" / "gajim"
        libc = ctypes.CDLL(None, use_errno=True)
        changes = libc.inotify_init()
        self.assertGreaterEqual(libc.inotify_add_watch(changes, os.fsencode(folder), MODIFIED | CREATED), 0)
        try:
            end = time.monotonic() + seconds
            while not (found := self.kept(folder / "logs.db", text)) and time.monotonic() < end:
                if select.select([changes], [], [], max(0, end - time.monotonic()))[0]:
                    os.read(changes, 65536)
        finally:
            os.close(changes)
        if not found:
            self.screen.picture(PICTURES / "gajim-omemo-failed.png", self.environment)
            log = (self.home / "gajim.log").read_text(encoding="utf-8")
            self.fail(f"{text!r} did not arrive in Gajim; its log ends:\n{log[-4000:]}")
        self.assertIn("OMEMO", found[0], "it came, but not encrypted")

    @staticmethod
    def kept(path, text):
        if not path.exists():
            return []
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            try:
                return [str(row[0]) for row in database.execute("SELECT additional_data FROM logs WHERE message = ?", (text,))]
            except sqlite3.OperationalError:  # it is being made or written to
                return []

    def answer_from_gajim(self, juliet, text):
        def arrived():
            try:
                juliet.expect(text.replace("'", "."), seconds=5)
            except AssertionError:
                return False
            return True
        self.type_until(text, "gajim-omemo.png", arrived)

    def test_gajim_and_profanity_encrypt_from_the_first_message_on_also_after_a_restart(self):
        wire = self.befriend()
        wire.send("</stream:stream>")
        wire.stream_error()
        juliet = self.profanity()
        juliet.type("/omemo trustmode blind")
        juliet.type("/omemo gen")
        juliet.expect(r"OMEMO cry\S* materials generated")
        self.run_gajim()
        juliet.expect(r"Romeo.*online|romeo@example.org.*online|Online \(1\)", seconds=90)

        juliet.type("/omemo start romeo@example.org")
        juliet.expect(r"\[OMEMO\]")
        juliet.type(QUESTION)
        self.expect_in_gajim(QUESTION)
        self.answer_from_gajim(juliet, ANSWER)

        juliet.type("/quit")
        self.kith.terminate()
        self.kith.start()
        juliet = self.profanity()
        # Gajim comes back when it thinks that it is time: later after each try that failed.
        juliet.expect(r"Online \(1\)|Romeo.*online|romeo@example.org.*online", seconds=300)
        juliet.type("/omemo start romeo@example.org")
        juliet.expect(r"\[OMEMO\]")
        juliet.type(AFTER[0])
        self.expect_in_gajim(AFTER[0])
        self.answer_from_gajim(juliet, AFTER[1])

        # The server has seen the keys, and not a word.
        self.kith.terminate()
        stored = b"".join(path.read_bytes() for path in (self.kith.folder / "data").glob("kith.db*"))
        self.assertIn(b"eu.siacs.conversations.axolotl", stored)
        for text in (QUESTION, ANSWER, *AFTER):
            self.assertNotIn(text.encode(), stored)
        self.kith.start()


if __name__ == "__main__":
    unittest.main()
