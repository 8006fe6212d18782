"""A locked database and a full disk: writes are refused with `wait`, nothing is lost silently, and it heals by itself."""
import resource
import sqlite3
import unittest

from kith import running_kith
from wire import CLIENT, Wire, error_of

ROSTER_SET = "<query xmlns='jabber:iq:roster'><item jid='{}@example.net'/></query>"


class StorageTrouble(unittest.TestCase):
    def setUp(self):
        self.kith = running_kith(self, "juliet", "romeo")
        self.juliet = Wire(self.kith.port, authority=self.kith.authority.certificate, seconds=30).login("juliet", resource="balcony")
        self.addCleanup(self.juliet.close)

    def contacts(self):
        with Wire(self.kith.port, authority=self.kith.authority.certificate) as wire:
            wire.login("juliet", available=False)
            roster = wire.iq("get", "<query xmlns='jabber:iq:roster'/>")
            return {item.get("jid").split("@")[0] for item in roster.iter("{jabber:iq:roster}item")}

    def set_contact(self, name):
        return error_of(self.juliet.iq("set", ROSTER_SET.format(name)))

    def check_trouble(self):
        """While writes fail: each is answered with `wait`, an offline message comes back, and what needs no disk goes on."""
        self.assertEqual((self.set_contact("during") or ("",))[0], "wait")
        self.juliet.send("<message to='romeo@example.org' type='chat' id='kept'><body>for later</body></message>")
        back = self.juliet.until(lambda element: element.tag == CLIENT + "message" and element.get("id") == "kept")
        self.assertEqual((error_of(back) or ("",))[0], "wait")
        self.juliet.message("juliet@example.org/balcony", "to myself")
        self.assertEqual(self.juliet.until(lambda element: element.findtext(CLIENT + "body") == "to myself").get("type"), "chat")

    def check_healed(self):
        self.assertIsNone(self.set_contact("after"))
        self.assertEqual(self.contacts(), {"before", "after"})
        self.juliet.send("<message to='romeo@example.org' type='chat' id='now'><body>now</body></message>")
        self.juliet.ping("romeo@example.org")
        with Wire(self.kith.port, authority=self.kith.authority.certificate) as romeo:
            romeo.login("romeo", available=False)
            romeo.send("<presence/>")
            self.assertEqual(romeo.next_message().findtext(CLIENT + "body"), "now")

    def test_a_locked_database(self):
        self.assertIsNone(self.set_contact("before"))
        other = sqlite3.connect(self.kith.folder / "data" / "kith.db", isolation_level=None)
        self.addCleanup(other.close)
        other.execute("BEGIN IMMEDIATE")
        self.check_trouble()
        other.execute("ROLLBACK")
        self.check_healed()

    def test_a_full_disk(self):
        self.assertIsNone(self.set_contact("before"))
        # No file of the daemon's may grow any more: to the database the same as a full disk.
        _, hard = resource.prlimit(self.kith.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.kith.process.pid, resource.RLIMIT_FSIZE, (1, hard))
        self.check_trouble()
        self.assertIsNone(self.kith.process.poll())
        resource.prlimit(self.kith.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        self.check_healed()


if __name__ == "__main__":
    unittest.main()
