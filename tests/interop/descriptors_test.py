"""No descriptor left: who is here goes on, who comes waits or is let go, the log says why once, and all is well again when some are free."""
import os
import pathlib
import resource
import select
import socket
import unittest

from kith import running_kith
from wire import CLIENT, Wire, error_of

SPARE = 4


class Descriptors(unittest.TestCase):
    def setUp(self):
        self.kith = running_kith(self, "juliet", "romeo", "tybalt")
        self.juliet = self.wire().login("juliet", resource="balcony")

    def wire(self):
        wire = Wire(self.kith.port, authority=self.kith.authority.certificate)
        self.addCleanup(wire.close)
        return wire

    def limit(self, descriptors):
        _, hard = resource.prlimit(self.kith.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.kith.process.pid, resource.RLIMIT_NOFILE, (hard if descriptors is None else descriptors, hard))

    def exhaust(self):
        """Leaves the daemon SPARE descriptors, and takes them and more; the connections in the order in which they were made."""
        # Once while there are some: the sanitizer opens a pipe when it meets a type for the first time.
        self.check_juliet()
        taken = {int(name) for name in os.listdir(f"/proc/{self.kith.process.pid}/fd")}
        free, bound = 0, 0
        while free < SPARE:  # a new descriptor is the lowest that is free
            free += bound not in taken
            bound += 1
        self.limit(max(bound, 1))
        since, links = len(self.kith.log), []
        for _ in range(SPARE + 16):
            link = socket.create_connection(("127.0.0.1", self.kith.port), 20)
            self.addCleanup(link.close)
            links.append(link)
        self.assertIn("descriptors", self.kith.wait_for_log(r"\blimit_hit\b.*descriptors", since=since))
        return links

    def processor_seconds(self):
        fields = pathlib.Path(f"/proc/{self.kith.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def check_juliet(self):
        self.juliet.ping()
        self.assertIsNone(error_of(self.juliet.iq("set", "<query xmlns='jabber:iq:roster'><item jid='nurse@example.net'/></query>")))
        self.juliet.message("romeo@example.org", "to one who is away")
        self.juliet.ping("romeo@example.org")
        # An account that has not been looked at yet is read from the disk.
        self.assertEqual(error_of(self.juliet.ping("tybalt@example.org")), ("cancel", "service-unavailable"))
        self.juliet.message(self.juliet.jid, "to myself")
        self.assertEqual(self.juliet.until(lambda element: element.findtext(CLIENT + "body") == "to myself").get("type"), "chat")

    def test_who_is_here_goes_on_and_who_comes_waits(self):
        links = self.exhaust()
        self.check_juliet()
        # The next one waits: it is not answered, and the daemon does not turn in circles over it.
        before = self.processor_seconds()
        last = links.pop()
        self.assertEqual(select.select([last], [], [], 1)[0], [])
        self.assertLess(self.processor_seconds() - before, 0.5)
        # A few leave, and who waited is served.
        for link in links:
            link.close()
        last.settimeout(15)
        last.sendall(b"<?xml version='1.0'?><stream:stream to='example.org' version='1.0' xmlns='jabber:client' "
                     b"xmlns:stream='http://etherx.jabber.org/streams'>")
        self.assertIn(b"<stream:stream", last.recv(4096))
        self.limit(None)
        self.wire().login("romeo")
        self.check_juliet()

    def test_certificates_and_kithctl_survive_it(self):
        links = self.exhaust()
        self.kith.reload()  # the files cannot be opened: what runs goes on
        self.check_juliet()
        for link in links:
            link.close()
        self.limit(None)
        self.kith.kithctl("status")
        self.assertIn("reloaded", self.kith.reload())
        self.wire().login("romeo")


if __name__ == "__main__":
    unittest.main()
