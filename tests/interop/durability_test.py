"""kill -9 in the middle of a stream of offline messages: nothing that the sender saw acknowledged is lost.

What acknowledges (docs/durability.md): an iq to the recipient's bare JID takes the same way as the messages before it, and its answer,
be it a result or an error, waits until those that had to be stored are on disk; only an error of type wait says nothing.
"""
import re
import unittest

from kith import Kith
from wire import CLIENT, Ended, Wire

ROUNDS = 5
PING_EVERY = 10
MOST_ON_THE_WAY = 200  # pings; a slow machine must not be given more than it can hand out again in time
BODY = re.compile(r"^message (\d+)$")


class Durability(unittest.TestCase):
    def setUp(self):
        self.kith = Kith(limits={"offline_messages": 100_000, "stanzas": "100000/s burst 100000",
                                 "bytes_after_login": "64 MiB/s burst 64 MiB"})
        self.addCleanup(self.kith.remove)
        self.kith.start()
        for name in ("sender", "away"):
            self.kith.add_user(name)

    def wire(self):
        return Wire(self.kith.port, authority=self.kith.authority.certificate)

    def stream_until_killed(self, first, after_pongs):
        """Sends messages and pings, and kills the daemon in the middle; (last sent, last acknowledged) numbers."""
        sender = self.wire().login("sender", available=False)
        number, acknowledged, pongs = first, first - 1, 0
        asked, self.refused = {}, set()
        try:
            while pongs < after_pongs:
                text = "".join(f"<message to='away@example.org' type='chat' id='m{number + n}'><body>message {number + n}</body>"
                               "</message>" for n in range(PING_EVERY))
                number += PING_EVERY
                asked[f"p{number}"] = number - 1
                sender.send(text + f"<iq type='get' id='p{number}' to='away@example.org'><ping xmlns='urn:xmpp:ping'/></iq>")
                while pongs < after_pongs and (sender.has_something() or len(asked) - pongs > MOST_ON_THE_WAY):
                    answer = sender.element()
                    if answer.tag == CLIENT + "message" and answer.get("type") == "error":
                        self.refused.add(int(answer.get("id")[1:]))  # the sender knows that this one was not taken
                    elif answer.tag == CLIENT + "iq" and answer.find(CLIENT + "error[@type='wait']") is not None:
                        del asked[answer.get("id")]  # refused for now, on its way there: says nothing of what went before
                    elif answer.tag == CLIENT + "iq" and answer.get("id") in asked:
                        acknowledged = max(acknowledged, asked[answer.get("id")])
                        pongs += 1
        except (Ended, OSError):
            pass
        self.kith.kill()
        sender.close()
        return number - 1, acknowledged

    def collect(self):
        """Everything that lies in the offline store, by logging in as the recipient."""
        away = self.wire().login("away", available=False)
        # What was kept goes before what is live, so a message to oneself marks the end.
        away.send("<presence/><message to='away@example.org' type='chat'><body>end</body></message>")
        numbers = []
        while (body := away.next_message().findtext(CLIENT + "body")) != "end":
            numbers.append(int(BODY.match(body)[1]))
        away.ping()  # a sign of life: what was handed to a client that shows none is kept for the next one
        away.send("</stream:stream>")
        away.stream_error()
        away.close()
        return numbers

    def test_what_was_acknowledged_survives_a_kill(self):
        for round_ in range(ROUNDS):
            first = round_ * 1_000_000
            sent, acknowledged = self.stream_until_killed(first, after_pongs=3 + 7 * round_)
            self.assertGreater(acknowledged, first)
            self.kith.start()
            numbers = self.collect()
            with self.subTest(round=round_, sent=sent - first + 1, acknowledged=acknowledged - first + 1,
                              refused=len(self.refused), stored=len(numbers)):
                self.assertEqual(numbers, sorted(numbers), "the order was lost")
                self.assertEqual(len(numbers), len(set(numbers)), "a message came twice")
                self.assertEqual(set(range(first, acknowledged + 1)) - set(numbers) - self.refused, set(),
                                 "a message that was acknowledged is missing")
                self.assertEqual(set(numbers) & self.refused, set(), "a message came that its sender was told was not taken")
                self.assertTrue(set(numbers) <= set(range(first, sent + 1)), "a message came that was never sent")
            self.assertEqual(self.collect(), [], "what had been delivered came again")

    def test_an_answered_roster_change_survives_a_kill(self):
        with self.wire() as wire:
            wire.login("sender", available=False)
            for number in range(20):
                wire.iq("set", f"<query xmlns='jabber:iq:roster'><item jid='c{number}@example.net'/></query>")
            self.kith.kill()
        self.kith.start()
        with self.wire() as wire:
            wire.login("sender", available=False)
            roster = wire.iq("get", "<query xmlns='jabber:iq:roster'/>")
            self.assertEqual(len(list(roster.iter("{jabber:iq:roster}item"))), 20)

    def test_a_user_that_kithctl_added_survives_a_kill(self):
        self.kith.add_user("late")
        self.kith.kill()
        self.kith.start()
        with self.wire() as wire:
            wire.login("late")


if __name__ == "__main__":
    unittest.main()
