"""OMEMO between clients that others wrote: Romeo has Gajim with its plugin; Juliet has profanity, or Gajim, too. The first
message is encrypted, both ways; also after a restart of the server, with a device that comes later, and for one who is away.
"""
import os
import pathlib
import shutil
import tempfile
import unittest

from window import Gajim, GajimCase

from terminal import Terminals

QUESTION = "What satisfaction canst thou have tonight?"
ANSWER = "The exchange of thy love's faithful vow for mine."
AFTER = ("'Tis almost morning", "Sleep dwell upon thine eyes")
LATER = ("Parting is such sweet sorrow", "I would I were thy bird")


class Omemo(GajimCase):
    def nothing_is_in_clear(self, texts):
        """The server has seen the keys, and not a word."""
        self.kith.terminate()
        stored = b"".join(path.read_bytes() for path in (self.kith.folder / "data").glob("kith.db*"))
        self.assertIn(b"eu.siacs.conversations.axolotl", stored)
        for text in texts:
            self.assertNotIn(text.encode(), stored)
        self.kith.start()


class WithProfanity(Omemo):
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

    @staticmethod
    def answer(romeo, juliet, text):
        def arrived():
            try:
                juliet.expect(text.replace("'", "."), seconds=5)
            except AssertionError:
                return False
            return True
        romeo.type_until(text, "gajim-omemo", arrived)

    def test_gajim_and_profanity_encrypt_from_the_first_message_on_also_after_a_restart(self):
        self.befriend_and_leave()
        juliet = self.profanity()
        juliet.type("/omemo trustmode blind")
        juliet.type("/omemo gen")
        juliet.expect(r"OMEMO cry\S* materials generated")
        romeo = Gajim(self, self.kith, encryption="OMEMO")
        romeo.run()
        juliet.expect(r"Romeo.*online|romeo@example.org.*online|Online \(1\)", seconds=90)

        juliet.type("/omemo start romeo@example.org")
        juliet.expect(r"\[OMEMO\]")
        # Its first window says when it has Romeo's keys; before that it sends nothing.
        juliet.type("/win 1")
        juliet.expect(r"Blind trust for romeo@example.org")
        juliet.type("/win 2")
        juliet.expect(r"\[OMEMO\]")
        juliet.type(QUESTION)
        romeo.expect_encrypted(QUESTION)
        self.answer(romeo, juliet, ANSWER)

        juliet.type("/quit")
        self.kith.terminate()
        self.kith.start()
        juliet = self.profanity()
        # Gajim comes back when it thinks that it is time: later after each try that failed.
        juliet.expect(r"Online \(1\)|Romeo.*online|romeo@example.org.*online", seconds=300)
        juliet.type("/omemo start romeo@example.org")
        juliet.expect(r"\[OMEMO\]")
        juliet.type(AFTER[0])
        romeo.expect_encrypted(AFTER[0])
        self.answer(romeo, juliet, AFTER[1])
        self.nothing_is_in_clear((QUESTION, ANSWER, *AFTER))


class WithGajim(Omemo):
    def says(self, speaker, listeners, text):
        """Types until the first of the listeners could read it; the others must be able to, too."""
        speaker.type_until(text, f"{speaker.name}-omemo", lambda: bool(listeners[0].keeps(text, seconds=10)), seconds=120)
        for listener in listeners:
            listener.expect_encrypted(text)

    def test_two_gajims_encrypt_also_to_a_device_that_comes_later_and_to_who_is_away(self):
        self.befriend_and_leave()
        romeo = Gajim(self, self.kith, encryption="OMEMO")
        juliet = Gajim(self, self.kith, "juliet", "romeo", encryption="OMEMO")
        for gajim in (romeo, juliet):
            gajim.run()
        self.says(romeo, [juliet], QUESTION)
        self.says(juliet, [romeo], ANSWER)

        # A second device of hers: what is said from now on, both can read.
        laptop = Gajim(self, self.kith, "juliet", "romeo", "laptop", "OMEMO")
        laptop.run()
        self.says(laptop, [romeo], AFTER[0])
        self.says(romeo, [laptop, juliet], AFTER[1])

        # While both are away, it waits for them.
        for gajim in (juliet, laptop):
            gajim.end()
        romeo.type_until(LATER[0], "romeo-away-omemo", lambda: bool(romeo.keeps(LATER[0], seconds=10)))
        for gajim in (juliet, laptop):
            gajim.run()
            gajim.expect_encrypted(LATER[0], seconds=120)
        self.says(juliet, [romeo], LATER[1])
        self.nothing_is_in_clear((QUESTION, ANSWER, *AFTER, *LATER))


if __name__ == "__main__":
    unittest.main()
