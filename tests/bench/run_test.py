"""A whole run on a small scale: every load on a real daemon and on the floor, and what it leaves behind."""
import json
import unittest
from xml.etree import ElementTree

from bench import Bench
from harness import loads


class WholeRun(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bench = Bench()
        cls.addClassCleanup(cls.bench.__exit__)
        cls.status, cls.out, cls.complaints = cls.bench.run("--only", "kith", "--only", "floor", "--keep")
        cls.lines = {}
        for path in cls.bench.results.glob("2*.jsonl"):
            for line in path.read_text().splitlines():
                found = json.loads(line)
                cls.lines[found["server"]] = found

    def loads_of(self, server):
        self.assertIn(server, self.lines, self.out + self.complaints)
        return self.lines[server]["loads"]

    def test_every_load_was_measured(self):
        self.assertEqual(self.status, 0, self.out + self.complaints)
        names = {load.name for load in loads.loads_of(loads.Sizes(rooms=(3, 9)))} | {"rest"}
        self.assertEqual(set(self.loads_of("kith")), names)
        self.assertEqual(set(self.loads_of("floor")), {"rest", "idle", "messages, window 4", "messages, window 1"})

    def test_what_a_message_costs_is_in_the_figures_of_both_sides(self):
        for server in ("kith", "floor"):
            result = self.loads_of(server)["messages, window 4"]
            self.assertGreater(result["processor_us_per_message"], 0)
            self.assertGreater(result["generator_us_per_message"], 0)
            self.assertEqual(result["latency_us"]["samples"], result["messages"])
            self.assertLessEqual(result["latency_us"]["p50"], result["latency_us"]["p999"])

    def test_memory_is_read_at_each_number_of_sessions(self):
        self.assertEqual([step["sessions"] for step in self.loads_of("kith")["idle"]["steps"]], [10, 30])

    def test_each_message_to_one_who_is_away_was_stored_and_fetched(self):
        result = self.loads_of("kith")["offline"]
        self.assertEqual(result["store"]["messages"], 3 * 30)
        self.assertEqual(result["fetch"]["messages"], 3 * 30)

    def test_archived_messages_and_their_pages_were_measured_on_a_server_that_archives(self):
        self.assertGreater(self.loads_of("kith")["messages, archived"]["messages"], 0)
        result = self.loads_of("kith")["pages of the archive"]
        self.assertEqual(result["fill"]["messages"], 120)
        self.assertGreater(result["pages"], 4, "not once through the archive")
        self.assertGreater(result["processor_us_per_page"], 0)
        settings = self.bench.results / "latest.settings" / "kith"
        self.assertIn("[modules.archive]\nenabled = false", (settings / "kith.toml").read_text())
        self.assertIn("[modules.archive]\nenabled = true", (settings / "kith-archive.toml").read_text())

    def test_everybody_in_a_room_heard_what_was_said(self):
        for occupants in (3, 9):
            result = self.loads_of("kith")[f"room of {occupants}"]
            self.assertEqual(result["occupants"], occupants)
            self.assertGreater(result["deliveries"], occupants)
            self.assertGreater(result["joined_in_seconds"], 0)

    def test_every_client_that_wanted_them_heard_of_the_events(self):
        result = self.loads_of("kith")["events"]
        self.assertEqual((result["contacts"], result["receivers"]), (4, 6))
        self.assertGreater(result["deliveries"], 6)
        self.assertGreater(result["processor_us_per_delivery"], 0)

    def test_a_line_says_where_and_how_it_was_measured(self):
        for line in self.lines.values():
            self.assertTrue({"when", "commit", "machine", "version", "round", "settings"} <= set(line))
            self.assertGreater(line["machine"]["cores"], 0)

    def test_settings_table_and_picture_lie_beside_the_figures_and_are_kept(self):
        for stem in ("2*", "latest"):
            settings = list(self.bench.results.glob(stem + ".settings/kith/kith.toml"))
            self.assertEqual(len(settings), 1)
            self.assertIn("stanzas = ", settings[0].read_text())
            table = next(self.bench.results.glob(stem + ".md")).read_text()
            self.assertIn("| full login: processor time | µs |", table)
            ElementTree.parse(next(self.bench.results.glob(stem + ".svg")))

    def test_nothing_is_left_behind(self):
        self.assertEqual(self.bench.left_behind(), [])


if __name__ == "__main__":
    unittest.main()
