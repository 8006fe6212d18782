"""Stream management (XEP-0198) with real connections: cuts, an orderly restart and a kill of the daemon, and slixmpp."""
import asyncio
import os
import random
import time
import unittest

from kith import Kith, running_kith
from phone import Phone
from slix import SECONDS, Conversation
from wire import CLIENT, Wire

CUTS = int(os.environ.get("KITH_CUTS", "60"))
RESTART_EACH = 12
MAM = "{urn:xmpp:mam:2}"
RSM = "{http://jabber.org/protocol/rsm}"


def archived(kith, user):
    """The bodies in the account's archive, in order, read by pages."""
    wire = Wire(kith.port, authority=kith.authority.certificate).login(user, resource="reader", available=False)
    bodies, after = [], ""
    while True:
        wire.send(f"<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><max>100</max>{after}"
                  "</set></query></iq>")
        while (element := wire.element()).tag == CLIENT + "message":
            body = element.find(f".//{CLIENT}message/{CLIENT}body")
            if body is not None:
                bodies.append(body.text)
        fin = element.find(MAM + "fin")
        if fin.get("complete") == "true":
            wire.close()
            return bodies
        after = f"<after>{fin.find(f'.//{RSM}last').text}</after>"


class Resumption(unittest.TestCase):
    def setUp(self):
        self.kith = running_kith(self, "juliet", "romeo")
        self.juliet, self.romeo = Phone(self.kith, "juliet"), Phone(self.kith, "romeo")
        self.addCleanup(self.juliet.cut)
        self.addCleanup(self.romeo.cut)

    def calm(self, seconds=60):
        """Until everything that was said is acknowledged both ways and nothing more comes."""
        end = time.monotonic() + seconds
        while not (self.juliet.quiet() and self.romeo.quiet()):
            self.assertLess(time.monotonic(), end, "the conversation does not come to rest")
            for phone in (self.juliet, self.romeo):
                phone.ask()
                phone.pump(0.05)

    def until_screen(self, phone, count, seconds=30):
        end = time.monotonic() + seconds
        while len(phone.bodies) < count:
            self.assertLess(time.monotonic(), end, f"{len(phone.bodies)} of {count} came")
            phone.pump(0.05)

    def test_cuts_and_restarts_lose_nothing_and_double_nothing(self):
        dice = random.Random(os.environ.get("KITH_SEED", "198"))
        by = {"juliet": [], "romeo": []}
        phones = {"juliet": (self.juliet, "romeo"), "romeo": (self.romeo, "juliet")}
        self.calm()
        for cut in range(CUTS):
            for name, (phone, peer) in phones.items():
                for _ in range(dice.randrange(4)):
                    by[name].append(f"{name}-{len(by[name])}")
                    phone.say(f"{peer}@example.org", by[name][-1])
            for _ in range(dice.randrange(4)):
                for phone, _ in phones.values():
                    phone.pump(dice.random() * 0.004)
            if cut % RESTART_EACH == RESTART_EACH - 1:
                self.assertEqual(self.kith.terminate(), 0)
                for phone, _ in phones.values():
                    phone.cut()
                self.kith.start()
            else:
                for phone, _ in phones.values():
                    if dice.random() < 0.6:
                        phone.cut()
        self.calm()
        self.until_screen(self.juliet, len(by["romeo"]))
        self.until_screen(self.romeo, len(by["juliet"]))
        self.assertEqual(self.juliet.bodies, by["romeo"])
        self.assertEqual(self.romeo.bodies, by["juliet"])
        self.assertEqual(self.juliet.refusals + self.romeo.refusals, [])
        self.assertGreater(self.juliet.resumed, CUTS // 4)
        for user in ("juliet", "romeo"):
            kept = archived(self.kith, user)
            for name in by:
                self.assertEqual([body for body in kept if body.startswith(name)], by[name], f"{name}'s words in {user}'s archive")

    def test_after_a_kill_the_archive_has_what_the_session_had(self):
        self.calm()
        self.romeo.cut()
        self.juliet.say("romeo@example.org", "one")
        self.calm_of(self.juliet)
        self.kith.kill()
        self.juliet.cut()
        self.kith.start()
        self.romeo.pump()
        self.assertEqual(self.romeo.refusals, ["item-not-found"])
        self.assertEqual(archived(self.kith, "romeo"), ["one"])

    def test_what_was_acknowledged_is_in_both_archives_after_a_kill(self):
        number, known = 0, set()  # of the last message; the bodies that were acknowledged
        for round_ in range(4):
            self.calm()
            said, acknowledged = [], 0
            while acknowledged < 20 + 30 * round_:
                for _ in range(5):
                    number += 1
                    said.append(f"juliet-{number}")
                    self.juliet.say("romeo@example.org", said[-1])
                self.juliet.ask()
                self.juliet.pump(0.01 if len(self.juliet.outbox) > 200 else 0)
                self.romeo.pump()
                acknowledged = len(said) - sum(stanza.startswith("<message") for stanza in self.juliet.outbox)
            self.kith.kill()
            known |= set(said[:acknowledged])
            for phone in (self.juliet, self.romeo):
                phone.cut()
                phone.outbox.clear()  # what was not acknowledged is not sent again here
                phone.id = None
            self.kith.start()
            for user in ("juliet", "romeo"):
                kept = [body for body in archived(self.kith, user) if body is not None]
                self.assertEqual(known - set(kept), set(), f"acknowledged, and not in {user}'s archive")
                self.assertEqual(len(kept), len(set(kept)), "a message is there twice")
                self.assertEqual(kept, sorted(kept, key=lambda body: int(body.split("-")[1])), "the order was lost")

    def calm_of(self, phone):
        end = time.monotonic() + 30
        while not phone.quiet():
            self.assertLess(time.monotonic(), end, "no acknowledgement comes")
            phone.ask()
            phone.pump(0.05)

    def test_kithctl_shows_whose_connection_is_lost(self):
        self.calm()
        self.romeo.cut()
        end = time.monotonic() + 30
        while "connection lost" not in (shown := self.kith.kithctl("sessions").stdout):
            self.assertLess(time.monotonic(), end, shown)
        line = next(line for line in shown.splitlines() if "connection lost" in line)
        self.assertIn("romeo@example.org/phone", line)
        self.kith.kithctl("session", "end", "romeo@example.org/phone")
        self.romeo.pump()
        self.assertEqual(self.romeo.refusals, ["item-not-found"])


class Slixmpp(Conversation):
    async def test_slixmpp_resumes_after_a_cut_and_after_a_restart(self):
        kith = Kith()
        self.addCleanup(kith.remove)
        kith.start()
        juliet, romeo = (self.client(kith, kith.add_user(name), plugins=["xep_0198"]) for name in ("juliet", "romeo"))
        resumed = asyncio.Queue()
        juliet.add_event_handler("session_resumed", resumed.put_nowait)
        await juliet.login()
        await romeo.login()
        # slixmpp leaves it to the application to come back.
        juliet.add_event_handler("disconnected", lambda _: juliet.connect(("127.0.0.1", kith.port), force_starttls=True))
        romeo.send_message(mto=juliet.boundjid.bare, mbody="one", mtype="chat")
        self.assertEqual((await juliet.message())["body"], "one")

        juliet.transport.abort()
        romeo.send_message(mto=juliet.boundjid.bare, mbody="two", mtype="chat")
        await asyncio.wait_for(resumed.get(), SECONDS)
        self.assertEqual((await juliet.message())["body"], "two")

        before = juliet.boundjid.full
        await asyncio.to_thread(kith.terminate)
        await asyncio.to_thread(kith.start)
        await asyncio.wait_for(resumed.get(), SECONDS)
        await asyncio.wait_for(romeo.gone, SECONDS)
        self.assertEqual(juliet.boundjid.full, before)
        again = await self.client(kith, romeo.boundjid.bare, plugins=["xep_0198"]).login()
        juliet.send_message(mto=romeo.boundjid.bare, mbody="three", mtype="chat")
        self.assertEqual((await again.message())["body"], "three")


if __name__ == "__main__":
    unittest.main()
