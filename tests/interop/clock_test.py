"""The wall clock is set, a year on and two years back, while kithd runs: nothing is lost, cut off, held up or put in another order.

set_clock.c sets the clock of this one process; its monotonic clock is left alone, as the kernel's is. kithd's own clock is asked for
(XEP-0202) after each jump, so that a jump that did not happen is no success.
"""
import datetime
import pathlib
import subprocess
import time
import unittest

from kith import Kith
from wire import CLIENT, Wire, error_of

DAY = 24 * 3600
DELAY = "{urn:xmpp:delay}delay"


class ClockJumps(unittest.TestCase):
    def setUp(self):
        self.kith = Kith()
        self.addCleanup(self.kith.remove)
        self.clock = self.kith.folder / "clock"
        self.set_clock(0)
        library = self.kith.folder / "set_clock.so"
        subprocess.run(["clang-19", "-shared", "-fPIC", "-O1", "-o", library, pathlib.Path(__file__).with_name("set_clock.c")], check=True)
        self.kith.environment = {"LD_PRELOAD": str(library), "KITH_TEST_CLOCK": str(self.clock)}
        self.kith.start()
        for name in ("juliet", "romeo"):
            self.kith.add_user(name)
        self.juliet = self.wire().login("juliet", resource="balcony")

    def wire(self):
        wire = Wire(self.kith.port, authority=self.kith.authority.certificate)
        self.addCleanup(wire.close)
        return wire

    def set_clock(self, days):
        """Days from the real time; in one step, so that nobody reads half a file."""
        fresh = self.clock.with_suffix(".new")
        fresh.write_text(f"{days * DAY:+d}\n")
        fresh.rename(self.clock)

    def jump(self, days):
        self.set_clock(days)
        told = self.juliet.iq("get", "<time xmlns='urn:xmpp:time'/>", to="example.org").findtext(".//{urn:xmpp:time}utc")
        away = datetime.datetime.fromisoformat(told.replace("Z", "+00:00")).timestamp() - time.time()
        self.assertAlmostEqual(away, days * DAY, delta=600)

    def keep(self, body):
        self.juliet.message("romeo@example.org", body)
        self.juliet.ping("romeo@example.org")

    def kept(self):
        romeo = self.wire().login("romeo", available=False)
        romeo.send("<presence/><message to='romeo@example.org' type='chat'><body>end</body></message>")
        found = []
        while (message := romeo.next_message()).findtext(CLIENT + "body") != "end":
            found.append((message.findtext(CLIENT + "body"), message.find(DELAY).get("stamp")))
        romeo.ping()
        romeo.send("</stream:stream>")
        romeo.stream_error()
        return found

    def test_kept_messages_stay_in_order_and_say_the_time_that_it_was(self):
        for days, body in ((0, "first"), (365, "second"), (-365, "third"), (0, "fourth")):
            self.jump(days)
            self.keep(body)
        found = self.kept()
        self.assertEqual([body for body, _ in found], ["first", "second", "third", "fourth"])
        years = [int(stamp[:4]) for _, stamp in found]
        self.assertEqual([year - years[0] for year in years], [0, 1, -1, 0])
        self.assertEqual(self.kept(), [])

    def test_nobody_is_cut_off_or_held_up(self):
        halfway = self.wire()
        halfway.starttls()  # 30 seconds are left to log in
        for days in (365, -365, 0):
            self.jump(days)
            started = time.monotonic()
            # More than the limits let through at once, were they counted on the wall.
            self.juliet.send("".join(f"<message to='{self.juliet.jid}' type='chat'><body>{number}</body></message>" for number in range(100)))
            for number in range(100):
                self.assertEqual(self.juliet.next_message().findtext(CLIENT + "body"), str(number))
            self.wire().login("romeo")
            self.assertLess(time.monotonic() - started, 10)
            self.kith.kithctl("status")
            self.kith.kithctl("sessions")
        halfway.features = halfway.open()
        halfway.scram("romeo", "pencil")

    def test_nobody_was_here_in_the_future(self):
        self.juliet.iq("set", "<query xmlns='jabber:iq:roster'><item jid='romeo@example.org'/></query>")
        romeo = self.wire().login("romeo")
        self.juliet.send("<presence to='romeo@example.org' type='subscribe'/>")
        romeo.until(lambda element: element.get("type") == "subscribe")
        romeo.send("<presence to='juliet@example.org' type='subscribed'/>")
        romeo.ping("juliet@example.org")
        self.jump(365)
        romeo.send("<presence type='unavailable'/></stream:stream>")
        romeo.stream_error()
        self.jump(0)
        answer = self.juliet.iq("get", "<query xmlns='jabber:iq:last'/>", to="romeo@example.org")
        self.assertIsNone(error_of(answer))
        self.assertEqual(answer.find("{jabber:iq:last}query").get("seconds"), "0")

    def test_a_start_on_another_day_finds_everything_in_order(self):
        # A board without a clock of its own wakes up in 1970, and its certificates are of the future.
        self.keep("first")
        for days, body in ((365, "second"), (-365 * 40, "third")):
            self.juliet.close()
            self.kith.kill()
            self.set_clock(days)
            self.kith.start()
            self.juliet = self.wire().login("juliet", resource="balcony")
            self.jump(days)
            self.keep(body)
        self.assertEqual([body for body, _ in self.kept()], ["first", "second", "third"])


if __name__ == "__main__":
    unittest.main()
