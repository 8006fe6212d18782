"""DNSSEC and DANE (with_dane.py), in a network namespace with a DNS of its own."""
import shutil
import tempfile
import unittest

from nameserver import run_inside


class Dane(unittest.TestCase):
    def inside(self, test):
        folder = tempfile.mkdtemp(prefix="kith-dns-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        run_inside(self, f"with_dane.WithDane.{test}", folder)

    def test_people_talk_whose_servers_certificates_only_dns_vouches_for(self):
        self.inside("test_people_talk")

    def test_a_servers_key_or_its_authority_suffices(self):
        self.inside("test_what_dns_vouches_for_is_believed")

    def test_another_certificate_than_those_is_refused(self):
        self.inside("test_another_certificate_is_refused")

    def test_records_that_are_not_signed_prove_nothing(self):
        self.inside("test_what_nobody_vouches_for_proves_nothing")

    def test_a_zone_whose_signatures_are_wrong_is_not_believed(self):
        self.inside("test_forged_answers_are_refused")


if __name__ == "__main__":
    unittest.main()
