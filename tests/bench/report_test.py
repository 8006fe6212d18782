"""The table and the picture, made from figures that are made up."""
import unittest
from xml.etree import ElementTree

import bench  # noqa: F401 (it knows where the bench lies)
from harness import loads, picture, report


def messages(us, per_second, p99_ms):
    return {"processor_us_per_message": us, "messages_per_second": per_second,
            "latency_us": {"p50": 100, "p99": p99_ms * 1000, "p999": 9000}}


def measured(us=6.0, per_second=150_000, p99_ms=2.0):
    return {"messages, window 4": messages(us, per_second, p99_ms)}


EJABBERD = [measured(62, 24_000, 20)]


def line(everything, label):
    return next(line for line in report.lines(everything, loads.Sizes()) if label in line.row.label)


class Bars(unittest.TestCase):
    def test_a_bar_is_a_share_of_what_ejabberd_costs_in_the_same_run(self):
        slow_machine = [measured(620, 2_400, 200)]
        self.assertAlmostEqual(line({"kith": [measured()], "ejabberd": EJABBERD}, "processor time").limit, 6)
        self.assertAlmostEqual(line({"kith": [measured()], "ejabberd": slow_machine}, "processor time").limit, 60)

    def test_at_the_bar_is_a_pass_and_above_it_is_not(self):
        for us, verdict in ((6.0, "pass"), (6.6, "falls short, by 1.10 times")):
            self.assertEqual(line({"kith": [measured(us)], "ejabberd": EJABBERD}, "processor time").verdict(), verdict)

    def test_more_messages_a_second_are_better(self):
        for per_second, verdict in ((150_000, "pass"), (100_000, "falls short, by 1.50 times")):
            everything = {"kith": [measured(per_second=per_second)], "ejabberd": EJABBERD}
            self.assertEqual(line(everything, "messages per second").verdict(), verdict)

    def test_without_ejabberd_there_is_no_verdict(self):
        alone = line({"kith": [measured()]}, "processor time")
        self.assertIsNone(alone.limit)
        self.assertEqual(alone.verdict(), "")
        self.assertIn("needs ejabberd", report.table([alone], ["kith"]))

    def test_one_message_at_a_time_is_held_against_the_floor(self):
        def window_1(us):
            return {"messages, window 1": {"processor_us_per_message": us}}
        everything = {"kith": [window_1(9.5)], "ejabberd": [window_1(89)]}
        alone = line(everything, "window 1")
        self.assertIsNone(alone.limit)
        self.assertIn("needs floor", report.table([alone], ["kith", "ejabberd"]))
        beside = line({**everything, "floor": [window_1(4.8)]}, "window 1")
        self.assertAlmostEqual(beside.limit, 9)
        self.assertTrue(beside.verdict().startswith("falls short"))

    def test_a_page_has_its_bar_beside_what_a_message_costs_ejabberd(self):
        kith = [{**measured(), "pages of the archive": {"processor_us_per_page": 500.0}}]
        page = line({"kith": kith, "ejabberd": [measured(62)]}, "a page of 50")
        self.assertAlmostEqual(page.limit, 400)
        self.assertEqual(page.verdict(), "falls short, by 1.25 times")

    def test_memory_has_its_bar_whatever_ejabberd_takes(self):
        for mib, verdict in ((12, "pass"), (15, "falls short, by 1.25 times")):
            self.assertEqual(line({"kith": [{"rest": {"resident_mib": mib}}]}, "at rest").verdict(), verdict)

    def test_a_login_beside_held_sessions_has_the_bar_of_one_without(self):
        def logins(us):
            return {"processor_us_per_login": us, "logins_per_second": 1}
        everything = {"kith": [{"logins": logins(500), "logins, held": logins(600)}],
                      "ejabberd": [{"logins": logins(2080), "logins, held": logins(9999)}]}
        held = line(everything, "sessions held")
        self.assertAlmostEqual(held.limit, 520)
        self.assertTrue(held.verdict().startswith("falls short"))

    def test_the_median_of_the_rounds_counts_and_failed_loads_do_not(self):
        rounds = [measured(1), measured(3), measured(100), {"messages, window 4": {"failed": "a reason"}}]
        self.assertEqual(line({"kith": rounds}, "processor time").values["kith"], 3)


class Table(unittest.TestCase):
    def test_it_shows_the_others_as_multiples_of_kith(self):
        text = report.table([line({"kith": [measured()], "ejabberd": EJABBERD}, "processor time")], ["kith", "ejabberd"])
        self.assertEqual(text.splitlines()[-1],
                         "| message, 50 pairs × window 4: processor time | µs | 6.00 | 62.0 | 10.3 | ≤ 6.00 | pass |")


class Picture(unittest.TestCase):
    everything = {"kith": [measured(12.0)], "ejabberd": EJABBERD, "floor": [measured(1.2, 400_000, 0.8)]}

    def draw(self, everything):
        return picture.svg(report.lines(everything, loads.Sizes()), list(everything), "Title & more", "a note")

    def test_it_is_xml_with_everything_inside_of_its_frame(self):
        drawn = ElementTree.fromstring(self.draw(self.everything))
        width, height = float(drawn.get("width")), float(drawn.get("height"))
        texts = [element for element in drawn.iter() if element.tag.endswith("text")]
        self.assertIn("Title & more", [element.text for element in texts])
        for element in drawn.iter():
            for name, most in (("x", width), ("cx", width), ("y", height), ("cy", height)):
                if element.get(name) is not None:
                    self.assertTrue(0 <= float(element.get(name)) <= most, ElementTree.tostring(element))

    def test_kith_is_red_where_it_falls_short(self):
        self.assertIn(picture.SHORT, self.draw(self.everything))
        self.assertNotIn(picture.SHORT, self.draw({**self.everything, "kith": [measured()]}))

    def test_there_is_none_of_kith_alone(self):
        self.assertIsNone(self.draw({"kith": [measured()]}))


if __name__ == "__main__":
    unittest.main()
