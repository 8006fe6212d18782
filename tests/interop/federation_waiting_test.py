"""Messages for a server that is away wait, over restarts and crashes of either side, and arrive once and in order; and what the
administrator is told of it."""
import asyncio
import unittest

from kith import Kith, join
from slix import Conversation

JULIET, ROMEO = "juliet@capulet.example", "romeo@montague.example"
QUICK = {"s2s_retry_time": "1 seconds", "s2s_longest_pause": "2 seconds"}


class Waiting(Conversation):
    def setUp(self):
        self.capulet = Kith(domains=("capulet.example",), limits=QUICK)
        self.montague = Kith(domains=("montague.example",), limits=QUICK)
        for kith in (self.capulet, self.montague):
            self.addCleanup(kith.remove)
        join(self.capulet, self.montague)
        for kith, jid in ((self.capulet, JULIET), (self.montague, ROMEO)):
            kith.start()
            kith.add_user(jid)

    async def juliet(self):
        return await self.client(self.capulet, JULIET, plugins=["xep_0198", "xep_0199"]).login()

    async def romeo(self):
        return await self.client(self.montague, ROMEO, plugins=["xep_0203"]).login()

    def say(self, juliet, *bodies):
        for body in bodies:
            juliet.send_message(mto=ROMEO, mbody=body, mtype="chat")

    async def hear(self, romeo, last):
        """The bodies up to `last`."""
        bodies = []
        while not bodies or bodies[-1] != last:
            bodies.append((await romeo.message())["body"])
        return bodies

    async def test_they_wait_while_the_other_server_is_down_and_this_one_crashes(self):
        self.montague.terminate()
        juliet = await self.juliet()
        told = asyncio.Queue()
        juliet.add_event_handler("message", told.put_nowait)
        self.say(juliet, *map(str, range(1, 11)))
        notice = await juliet.next(told)
        self.assertEqual((notice["type"], notice["from"].full), ("headline", "capulet.example"))
        self.assertIn("montague.example", notice["body"])
        # All are on the disk when a later request is answered.
        await juliet["xep_0199"].send_ping(JULIET, timeout=30)
        status = self.capulet.kithctl("federation", "status").stdout
        self.assertRegex(status, r"montague.example +10 messages")
        self.capulet.kill()
        self.capulet.start()
        juliet = await self.juliet()
        self.say(juliet, "11")
        self.montague.start()
        romeo = await self.romeo()
        first = await romeo.message()
        self.assertEqual(first["body"], "1")
        self.assertEqual(await self.hear(romeo, "11"), [str(n) for n in range(2, 12)])
        await romeo.settled()
        self.assertTrue(romeo.messages.empty())

    async def test_nothing_is_lost_and_order_is_kept_when_the_other_server_is_killed_again_and_again(self):
        juliet = await self.juliet()
        sent = [str(n) for n in range(1, 301)]
        for start in range(0, 300, 100):
            self.say(juliet, *sent[start:start + 50])
            await juliet["xep_0199"].send_ping(JULIET, timeout=30)
            self.montague.kill()
            self.say(juliet, *sent[start + 50:start + 100])
            self.montague.start()
        self.say(juliet, "the end")
        romeo = await self.romeo()
        heard = await self.hear(romeo, "the end")
        # What was handled, but not acknowledged when it was killed, may come twice.
        firsts = list(dict.fromkeys(heard))
        self.assertEqual(firsts, [*sent, "the end"])

    async def test_nothing_comes_twice_over_orderly_restarts(self):
        juliet = await self.juliet()
        romeo = await self.romeo()
        sent = [str(n) for n in range(1, 101)]
        heard = []
        for number, body in enumerate(sent):
            self.say(juliet, body)
            if number == 30:
                heard += await self.hear(romeo, body)
                await romeo.logout()
                self.say(juliet, "between")
                self.montague.terminate()
                self.montague.start()
            elif number == 60:
                await juliet["xep_0199"].send_ping(JULIET, timeout=30)
                self.capulet.terminate()
                self.capulet.start()
                juliet = await self.juliet()
        romeo = await self.romeo()
        heard += await self.hear(romeo, sent[-1])
        self.assertEqual(heard, [*sent[:31], "between", *sent[31:]])

    async def test_the_administrator_is_told_why_and_can_do_something_about_it(self):
        good = self.capulet.kithctl("federation", "check", "montague.example").stdout
        for words in ("ok  DNS", "ok  connection", "ok  TLS", "ok  certificate", "ok  login", "montague.example can be reached."):
            self.assertIn(words, good)
        self.montague.terminate()
        bad = self.capulet.kithctl("federation", "check", "montague.example", check=False)
        self.assertEqual(bad.returncode, 1)
        self.assertRegex(bad.stdout, "--  connection  127.0.0.1:[0-9]+: Connection refused")
        self.assertIn("can't be reached; look at: connection.", bad.stdout)
        nobody = self.capulet.kithctl("federation", "check", "capulet.example", check=False)
        self.assertIn("is a domain of this server", nobody.stderr)
        self.assertIn("Nothing waits", self.capulet.kithctl("federation", "retry", "montague.example").stdout)

        juliet = await self.juliet()
        self.say(juliet, "wait")
        self.assertEqual((await juliet.message())["type"], "headline")
        self.assertIn("1 message for montague.example is tried again", self.capulet.kithctl("federation", "retry", "montague.example").stdout)
        refusals = asyncio.Queue()
        juliet.add_event_handler("message_error", refusals.put_nowait)
        self.capulet.kithctl("federation", "block", "montague.example")
        returned = await juliet.next(refusals)
        self.assertEqual(returned["from"].bare, ROMEO)
        self.say(juliet, "never")
        self.assertIn("policy-violation", str(await juliet.next(refusals)))
        self.montague.start()
        romeo = await self.client(self.montague, ROMEO, plugins=["xep_0199"]).login()
        out = self.montague.kithctl("federation", "check", "capulet.example", check=False)
        self.assertEqual(out.returncode, 1)
        self.assertIn("policy-violation", out.stdout)
        # It is remembered.
        self.capulet.terminate()
        self.capulet.start()
        self.assertIn("Blocked: montague.example", self.capulet.kithctl("federation", "status").stdout)
        self.capulet.kithctl("federation", "unblock", "montague.example")
        juliet = await self.juliet()
        self.say(juliet, "at last")
        self.assertEqual((await romeo.message())["body"], "at last")


if __name__ == "__main__":
    unittest.main()
