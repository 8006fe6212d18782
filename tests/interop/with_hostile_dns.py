"""A Kith whose name server lies about some domains, or says nothing of them, and a good peer. To be run in a namespace of its own, as
federation_hostile_dns_test.py does it."""
import asyncio
import struct
import time

from kith import Kith, join
from nameserver import A, SRV, NameServer, bring_loopback_up
from slix import SECONDS, Conversation
from with_peer import JULIET, ROMEO


def answer(packet, question, kind, records, number=None):
    """`records`: the data of each; all of the question's name and type, whatever that is."""
    body = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data for data in records)
    return (number or packet[:2]) + struct.pack(">HHHHH", 0x8580, 1, len(records), 0, 0) + question + body


def endless_name(packet, question, kind):
    """The target's name points at itself."""
    at = 12 + len(question) + 12 + 6
    return [answer(packet, question, kind, [struct.pack(">HHH", 1, 1, 5269) + struct.pack(">H", 0xC000 | at)])]


def ring(packet, question, kind):
    """Each name is another's other name."""
    alias = b"\x01a" + question[:-4] if len(question) < 60 else b"\x04ring\x07example\x00"
    return [packet[:2] + struct.pack(">HHHHH", 0x8580, 1, 1, 0, 0) + question + b"\xc0\x0c" +
            struct.pack(">HHIH", 5, 1, 60, len(alias)) + alias]


LIARS = {
    "endless.example": endless_name,
    "ring.example": ring,
    "short.example": lambda packet, question, kind: [packet[:2] + b"\x85"],
    "empty.example": lambda packet, question, kind: [b"\0"],
    "other.example": lambda packet, question, kind: [answer(packet, question, kind, [b"\x7f\0\0\1"], bytes([packet[0] ^ 1, packet[1]]))] * 20,
    "torn.example": lambda packet, question, kind: [answer(packet, question, kind, [b"\0" * 7])[:-5]],
    "noise.example": lambda packet, question, kind: [packet[:2] + bytes(range(256)) * 4],
    "crowd.example": lambda packet, question, kind: [
        answer(packet, question, kind, [struct.pack(">HHH", 1, 1, port) + b"\x04host\x05crowd\x07example\0" for port in range(1, 250)]
               if kind == SRV else [b"\x7f\0\0" + bytes([last]) for last in range(2, 250)] if kind == A else [])],
    "silent.example": lambda packet, question, kind: [],
}


class WithHostileDns(Conversation):
    @classmethod
    def setUpClass(cls):
        bring_loopback_up()

    async def test_lies(self):
        capulet, montague = Kith(domains=("capulet.example",)), Kith(domains=("montague.example",))
        for kith in (capulet, montague):
            self.addCleanup(kith.remove)
        join(capulet, montague)
        port = montague.federation["port"]
        names = NameServer({("_xmpp-server._tcp.capulet.example", SRV): [(5, 0, capulet.federation["port"], "xmpp.capulet.example")],
                            ("_xmpp-server._tcp.montague.example", SRV): [(5, 0, port, "xmpp.montague.example")],
                            ("xmpp.capulet.example", A): ["127.0.0.1"], ("xmpp.montague.example", A): ["127.0.0.1"]}, LIARS)
        self.addCleanup(names.close)
        for kith in (capulet, montague):
            kith.federation["hosts"] = {}
            kith.start()
        capulet.add_user(JULIET)
        montague.add_user(ROMEO)
        juliet = await self.client(capulet, JULIET).login()
        romeo = await self.client(montague, ROMEO).login()
        # More than once for each, and for many names below the silent one, all at the same time.
        for number in range(40):
            for liar in LIARS:
                juliet.send_message(mto=f"x@n{number}.{liar}", mbody="lost", mtype="chat")
        # None of which costs those who are honest anything.
        began = time.monotonic()
        juliet.send_message(mto=ROMEO, mbody="hello", mtype="chat")
        self.assertEqual((await romeo.message())["body"], "hello")
        self.assertLess(time.monotonic() - began, SECONDS / 2)
        checks = await asyncio.gather(*(asyncio.to_thread(capulet.kithctl, "federation", "check", liar, check=False) for liar in LIARS))
        for liar, done in zip(LIARS, checks):
            # A crowd of addresses, at which nobody is, is called no further than to its eighth.
            refused = "--  connection" if liar == "crowd.example" else "--  DNS"
            self.assertIn(refused, done.stdout, liar)
            self.assertNotIn("ok  connection", done.stdout, liar)
        self.assertLessEqual(checks[list(LIARS).index("crowd.example")].stdout.count("--  connection"), 8)
        self.assertLess(capulet.memory_kib(), 200 * 1024)
