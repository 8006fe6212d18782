"""Two servers that find each other by the SRV records of direct TLS (XEP-0368), in a network namespace with a DNS of its own."""
import shutil
import tempfile
import unittest

from nameserver import run_inside


class DirectTls(unittest.TestCase):
    def inside(self, test):
        folder = tempfile.mkdtemp(prefix="kith-dns-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        run_inside(self, f"with_direct_tls.WithDirectTls.{test}", folder)

    def test_messages_take_the_port_of_direct_tls(self):
        self.inside("test_direct_tls")

    def test_where_it_does_not_answer_the_other_port_is_taken(self):
        self.inside("test_fallback")

    def test_addresses_that_do_not_answer_do_not_hold_up_those_that_do(self):
        self.inside("test_silent_addresses")


if __name__ == "__main__":
    unittest.main()
