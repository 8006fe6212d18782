"""A Kith and Debian's ejabberd as servers that talk to each other (with_ejabberd.py), in a network namespace with a DNS of its own."""
import shutil
import tempfile
import unittest

from nameserver import run_inside


class Ejabberd(unittest.TestCase):
    def inside(self, test):
        folder = tempfile.mkdtemp(prefix="kith-dns-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        run_inside(self, f"with_ejabberd.WithEjabberd.{test}", folder)

    def test_they_find_each_other_by_dns_and_believe_certificates(self):
        self.inside("test_by_certificates")

    def test_dialback_suffices_where_certificates_are_not_required(self):
        self.inside("test_by_dialback")

    def test_messages_take_its_port_of_direct_tls(self):
        self.inside("test_direct_tls")

    def test_messages_wait_for_it(self):
        self.inside("test_waiting")


if __name__ == "__main__":
    unittest.main()
