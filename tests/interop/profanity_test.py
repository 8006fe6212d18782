"""Two people with profanity, a client for the terminal, become contacts and chat, also while one is away."""
import os
import pathlib
import shutil
import tempfile
import unittest

from kith import Kith
from terminal import Terminals


class Profanity(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kith = Kith()
        cls.addClassCleanup(cls.kith.remove)
        cls.kith.start()

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kith-profanity-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.terminals = Terminals(self.folder)
        self.addCleanup(self.terminals.remove)

    def start(self, name):
        home = self.folder / name
        config = home / "config" / "profanity"
        config.mkdir(parents=True, exist_ok=True)
        # No questions, no splash, no time in front of a line that a match would have to skip.
        (config / "profrc").write_text("[ui]\nsplash=false\nwrap=false\n[notifications]\nmessage=off\n"
                                       "[connection]\nautoping=0\n")
        environment = {"HOME": home, "XDG_CONFIG_HOME": home / "config", "XDG_DATA_HOME": home / "data", "TERM": "screen",
                       "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]}
        terminal = self.terminals.run(f"{name}-{len(list(self.folder.glob('*.fifo')))}", ["profanity"], environment)
        self.addCleanup(terminal.close)
        terminal.expect(r"Profanity|/help|Type")
        return terminal

    def login(self, name, tls="trust", password="pencil"):
        terminal = self.start(name)
        port = self.kith.direct_port if tls == "legacy" else self.kith.port
        terminal.type(f"/connect {name}@example.org server 127.0.0.1 port {port} tls {tls}")
        terminal.expect(r"Enter password")
        terminal.type(password)
        return terminal

    def test_two_people_become_contacts_and_chat(self):
        for name in ("juliet", "romeo"):
            self.kith.add_user(name)
        juliet, romeo = self.login("juliet"), self.login("romeo")
        juliet.expect(r"juliet@example.org\S* logged in successfully")
        romeo.expect(r"romeo@example.org\S* logged in successfully")

        for asking, asked, who, whom in ((juliet, romeo, "juliet", "romeo"), (romeo, juliet, "romeo", "juliet")):
            asking.type(f"/sub request {whom}@example.org")
            asked.expect(rf"[Rr]eceived authori[sz]ation request from {who}@example.org")
            asked.type(f"/sub allow {who}@example.org")
            asking.expect(rf"ubscription (received from|accepted).*{whom}@example.org|{whom}@example.org.*(accepted|allowed)|"
                          rf"{whom}@example.org.*is online")

        juliet.type("/msg romeo@example.org Art thou not Romeo?")
        romeo.expect(r"juliet.*\(win 2\)|chat message: juliet")
        romeo.type("/win 2")
        romeo.expect(r"Art thou not Romeo\?")
        romeo.type("Neither, fair saint.")
        juliet.expect(r"Neither, fair saint\.")

        romeo.type("/quit")
        juliet.expect(r"romeo.*(offline|unavailable|logged out)|[Rr]omeo.*offline")
        juliet.type("It was the nightingale.")
        again = self.login("romeo")
        again.expect(r"romeo@example.org\S* logged in successfully")
        again.expect(r"juliet.*\(win 2\)|chat message: juliet|\[1\]|2:")
        again.type("/win 2")
        again.expect(r"It was the nightingale\.")

    def become_contacts(self, first, second):
        for asking, asked, who, whom in ((first, second, "susan", "potpan"), (second, first, "potpan", "susan")):
            asking.type(f"/sub request {whom}@example.org")
            asked.expect(rf"[Rr]eceived authori[sz]ation request from {who}@example.org")
            asked.type(f"/sub allow {who}@example.org")
            asking.expect(rf"{whom}@example.org.*(accepted|allowed|is online)|ubscription.*{whom}@example.org")

    def test_two_people_chat_with_omemo_also_after_a_restart(self):
        for name in ("susan", "potpan"):
            self.kith.add_user(name)
        susan, potpan = self.login("susan"), self.login("potpan")
        for terminal in (susan, potpan):
            terminal.expect(r"logged in successfully")
        self.become_contacts(susan, potpan)
        for terminal in (susan, potpan):
            terminal.type("/omemo trustmode blind")
            terminal.type("/omemo gen")
            terminal.expect(r"OMEMO crytographic materials generated|OMEMO cryptographic materials generated")

        # The first message is encrypted already.
        susan.type("/omemo start potpan@example.org")
        susan.expect(r"\[OMEMO\]")
        susan.type("/win 1")
        susan.expect(r"Blind trust for potpan@example.org")
        susan.type("/win 2")
        susan.type("Good Potpan, to hide her face.")
        potpan.expect(r"-\[2\]")
        potpan.type("/win 2")
        potpan.expect(r"Good Potpan, to hide her face\.")
        for terminal in (susan, potpan):
            terminal.type("/quit")
        self.kith.terminate()
        self.kith.start()
        susan, potpan = self.login("susan"), self.login("potpan")
        for terminal in (susan, potpan):
            terminal.expect(r"logged in successfully")
        # Profanity draws its count before the list, and not again for a contact who was there first.
        potpan.expect(r"Online \(1\)|Online \(0\).*\n.*susan@example.org|susan@example.org.*is online")
        potpan.type("/omemo start susan@example.org")
        potpan.expect(r"\[OMEMO\]")
        potpan.type("Anon, good Susan!")
        susan.expect(r"-\[2\]|win 2")
        susan.type("/win 2")
        susan.expect(r"Anon, good Susan!")
        # The server has seen the keys, and not a word.
        self.kith.terminate()
        stored = (self.kith.folder / "data" / "kith.db").read_bytes()
        self.assertNotIn(b"to hide her face", stored)
        self.assertIn(b"eu.siacs.conversations.axolotl", stored)
        self.kith.start()

    def test_a_wrong_password_is_refused(self):
        self.kith.add_user("nurse")
        terminal = self.login("nurse", password="wrong")
        terminal.expect(r"Login failed|[Aa]uthentication fail|not-authorized")

    def test_direct_tls(self):
        self.kith.add_user("paris")
        # `legacy` is profanity's word for TLS from the first byte; the certificate is not known to it, and it asks.
        terminal = self.login("paris", tls="legacy")
        terminal.expect(r"/tls (allow|always|trust)|logged in successfully")
        if "logged in successfully" not in terminal.screen():
            terminal.type("/tls trust")
            terminal.type("/tls allow")
        terminal.expect(r"paris@example.org\S* logged in successfully")


if __name__ == "__main__":
    unittest.main()
