"""A Kith and Debian's prosody as servers that talk to each other (with_prosody.py), in a network namespace with a DNS of its own."""
import shutil
import tempfile
import unittest

from nameserver import run_inside


class Prosody(unittest.TestCase):
    def inside(self, test):
        folder = tempfile.mkdtemp(prefix="kith-dns-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        run_inside(self, f"with_prosody.WithProsody.{test}", folder)

    def test_they_find_each_other_by_dns_and_believe_certificates(self):
        self.inside("test_by_certificates")

    def test_dialback_suffices_where_certificates_are_not_required(self):
        self.inside("test_by_dialback")

    def test_it_is_asked_whether_a_key_is_its_own(self):
        self.inside("test_wrong_keys")

    def test_messages_wait_for_it_with_stream_management(self):
        self.inside("test_waiting_with_stream_management")

    def test_messages_wait_for_it_without_stream_management(self):
        self.inside("test_waiting_without_stream_management")

    def test_messages_wait_for_it_when_it_was_killed(self):
        self.inside("test_waiting_after_a_kill")

    def test_where_it_cannot_call_it_answers_on_our_stream(self):
        self.inside("test_answers_on_our_stream")


if __name__ == "__main__":
    unittest.main()
