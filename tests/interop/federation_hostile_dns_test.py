"""Name servers that lie (with_hostile_dns.py), in a network namespace with a DNS of its own."""
import shutil
import tempfile
import unittest

from nameserver import run_inside


class HostileDns(unittest.TestCase):
    def test_lies_cost_only_those_of_whom_they_are(self):
        folder = tempfile.mkdtemp(prefix="kith-dns-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        run_inside(self, "with_hostile_dns.WithHostileDns.test_lies", folder)


if __name__ == "__main__":
    unittest.main()
