"""kithd under load: killed twenty times, stopped, stopped twice, told to read its configuration again. cycle.py says how."""
import signal
import threading
import time
import unittest

from books import Fault
from cycle import CrashTest

CYCLES = 20
# On a slow machine less is acknowledged between two crashes: there it takes more of them, up to so many.
MOST_CYCLES = 150
SEED = 4217
# A load that is none would lose nothing, either: of each of these there must be more than CYCLES.
ACKNOWLEDGED = "message", "visit", "roster", "push", "private", "vcard", "subscription", "account", "kithctl", "talk", "resumption"


class Crashes(unittest.TestCase):
    def test_twenty_crashes_lose_nothing_that_was_acknowledged(self):
        with CrashTest(SEED) as test:
            cycles = 0
            while cycles < CYCLES or (cycles < MOST_CYCLES and self.rare(test)):
                test.cycle()
                cycles += 1
            self.assertEqual(self.rare(test), {}, f"acknowledgements in {cycles} cycles")

    def rare(self, test):
        counts = {kind: test.totals.get(kind, 0) for kind in ACKNOWLEDGED}
        return {kind: count for kind, count in counts.items() if count <= CYCLES}


class Signals(unittest.TestCase):
    def setUp(self):
        self.test = CrashTest(SEED)
        self.test.__enter__()
        self.addCleanup(self.test.kith.remove)
        self.kith = self.test.kith

    def balance(self):
        try:
            self.test.balance()
        except Fault:
            self.test.keep()
            raise

    def stop_under_load(self, stop):
        self.test.moment = "message", 60
        started = []

        def end():
            started.append(time.monotonic())
            stop()

        self.test.load(end)
        self.assertEqual(self.kith._wait(20), 0)
        self.assertLess(time.monotonic() - started[0], 10)
        # A talker cuts its own connection now and then, and may have none at that moment.
        told = {name: wire.told for name, wire in self.test.stage.stayed.items()
                if hasattr(wire, "jid") and not (name.startswith("talker") and wire.told is None)}
        self.assertGreater(len(told), 5, "too few had logged in")
        self.assertEqual(told, dict.fromkeys(told, "system-shutdown"))
        self.balance()

    def test_sigterm_under_load_says_goodbye_to_all_and_loses_nothing(self):
        self.stop_under_load(self.kith.process.terminate)

    def test_a_second_sigterm_does_not_cut_the_first_one_short(self):
        def twice():
            since = len(self.kith.log)
            self.kith.process.terminate()
            self.kith.wait_for_log(r"\bstopping\b", since=since)
            self.kith.process.send_signal(signal.SIGTERM)

        self.stop_under_load(twice)

    def test_reloads_under_load_end_no_stream(self):
        self.test.moment = "never", 1
        said = []

        def reload_often():
            for _ in range(8):
                self.kith.authority.issue(self.kith.live, "example.org")
                said.append(self.kith.reload())
            self.test.stage.finish()

        reloading = threading.Thread(target=reload_often)
        self.test.load(self.kith.process.kill, beside=reloading)
        reloading.join(30)
        self.assertEqual(len(said), 8)
        for line in said:
            self.assertIn("reloaded", line)
        self.kith.kill()
        self.test.books.killed = True
        self.balance()


if __name__ == "__main__":
    unittest.main()
