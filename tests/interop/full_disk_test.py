"""A disk that is really full: kithd's data lies on a small tmpfs of its own. storage_trouble_test.py has the quick way to it, a limit on files.

What is refused comes back, what was taken stays, the daemon goes on and heals, also when it is killed and started on the full disk.
"""
import pathlib
import re
import subprocess
import unittest

from kith import Kith
from wire import CLIENT, Wire, error_of

SIZE_MIB, BALLAST_MIB = 12, 6
MOUNTING = "mount -t tmpfs -o size={}m,mode=0700 kith-test '{}' && echo mounted && exec cat"
BODY = re.compile(r"^(\d+) ")


class FullDisk(unittest.TestCase):
    def setUp(self):
        self.kith = Kith(limits={"offline_messages": 100_000, "stanzas": "100000/s burst 100000",
                                 "bytes_after_login": "64 MiB/s burst 64 MiB"})
        self.addCleanup(self.kith.remove)
        data = self.kith.folder / "data"
        data.mkdir(mode=0o700)
        # A mount namespace, so that nothing is left on the machine whatever happens; it lives as long as its holder.
        self.holder = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c", MOUNTING.format(SIZE_MIB, data)],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(self.let_go)
        said = self.holder.stdout.readline().strip()
        if said != "mounted":
            self.fail(f"This test mounts a tmpfs in a mount namespace of its own, and so needs to run as root (CAP_SYS_ADMIN): {said}")
        # Seen from outside the namespace.
        self.data = pathlib.Path(f"/proc/{self.holder.pid}/root{data}")
        self.ballast = self.data / "ballast"
        self.ballast.write_bytes(bytes(BALLAST_MIB * 1024 * 1024))
        self.kith.wrapper = ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", "--"]
        self.kith.start()
        for name in ("juliet", "romeo"):
            self.kith.add_user(name)
        self.sent, self.acknowledged, self.refused = 0, 0, set()

    def let_go(self):
        if self.kith.process is not None and self.kith.process.poll() is None:
            self.kith.kill()
        self.holder.stdin.close()
        self.holder.stdout.close()
        self.holder.wait(20)

    def wire(self):
        wire = Wire(self.kith.port, authority=self.kith.authority.certificate, seconds=30)
        self.addCleanup(wire.close)
        return wire

    def send(self, juliet, count):
        """So many messages to romeo, who is away; books those that come back."""
        for _ in range(count):
            self.sent += 1
            juliet.send(f"<message to='romeo@example.org' type='chat' id='m{self.sent}'><body>{self.sent} {'x' * 4000}</body></message>")
        juliet.send("<iq type='get' id='asked' to='romeo@example.org'><ping xmlns='urn:xmpp:ping'/></iq>")
        while (answer := juliet.element()).get("id") != "asked":
            if answer.tag == CLIENT + "message":
                self.assertEqual(error_of(answer)[0], "wait")
                self.refused.add(int(answer.get("id")[1:]))
        if (error_of(answer) or ("",))[0] != "wait":
            self.acknowledged = self.sent

    def fill(self, juliet):
        while len(self.refused) < 50:
            self.assertLess(self.sent, 5000, f"{SIZE_MIB} MiB took {self.sent} messages of 4 KiB")
            self.send(juliet, 50)

    def set_contact(self, wire, name):
        return error_of(wire.iq("set", f"<query xmlns='jabber:iq:roster'><item jid='{name}@example.net'/></query>"))

    def check_full(self, juliet):
        """Large writes are refused, and what needs no disk goes on."""
        self.assertEqual(error_of(juliet.iq("set", f"<vCard xmlns='vcard-temp'><NOTE>{'x' * 60_000}</NOTE></vCard>"))[0], "wait")
        juliet.message(juliet.jid, "to myself")
        self.assertEqual(juliet.until(lambda element: element.findtext(CLIENT + "body") == "to myself").get("type"), "chat")

    def check_healed(self, juliet):
        self.assertIsNone(self.set_contact(juliet, "after"))
        refused = len(self.refused)
        self.send(juliet, 10)
        self.assertEqual(len(self.refused), refused)
        romeo = self.wire().login("romeo", available=False)
        romeo.send("<presence/><message to='romeo@example.org' type='chat'><body>end</body></message>")
        numbers = []
        while (body := romeo.next_message().findtext(CLIENT + "body")) != "end":
            numbers.append(int(BODY.match(body)[1]))
        self.assertEqual(numbers, [number for number in range(1, self.sent + 1) if number not in self.refused])

    def test_what_fits_is_kept_and_what_does_not_comes_back(self):
        juliet = self.wire().login("juliet", resource="balcony")
        self.fill(juliet)
        self.check_full(juliet)
        self.ballast.unlink()
        self.check_healed(juliet)
        self.kith.wait_for_log(r"\bstorage_writes_succeed_again\b")

    def test_killed_and_started_on_the_full_disk(self):
        juliet = self.wire().login("juliet", resource="balcony")
        self.fill(juliet)
        # To the last byte: not even the smallest of files could grow.
        with open(self.data / "more", "wb", buffering=0) as more:
            with self.assertRaises(OSError):
                while True:
                    more.write(bytes(4096))
        self.kith.kill()
        self.kith.start()
        juliet = self.wire().login("juliet", resource="balcony")
        self.check_full(juliet)
        self.ballast.unlink()
        self.check_healed(juliet)


if __name__ == "__main__":
    unittest.main()
