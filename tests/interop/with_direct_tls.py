"""Two Kiths that find each other by DNS: over direct TLS where there is such a record, and side by side at several addresses.

To be run in a namespace of its own, as federation_direct_tls_test.py does it.
"""
import socket
import time

from kith import Kith, free_port, join
from nameserver import A, SRV, NameServer, bring_loopback_up
from slix import Conversation

JULIET, ROMEO = "juliet@capulet.example", "romeo@montague.example"


class WithDirectTls(Conversation):
    @classmethod
    def setUpClass(cls):
        bring_loopback_up()

    async def two_people(self, records):
        """`records`: of montague.example, for what its ports are."""
        people = []
        self.capulet, self.montague = Kith(domains=("capulet.example",)), Kith(domains=("montague.example",))
        join(self.capulet, self.montague)
        for kith in (self.capulet, self.montague):
            self.addCleanup(kith.remove)
            kith.federation["hosts"].clear()
            kith.federation["direct"] = free_port()
        names = NameServer({
            ("_xmpp-server._tcp.capulet.example", SRV): [(5, 0, self.capulet.federation["port"], "xmpp.capulet.example")],
            ("xmpp.capulet.example", A): ["127.0.0.1"], ("xmpp.montague.example", A): ["127.0.0.1"],
            **records(self.montague.federation)})
        self.addCleanup(names.close)
        for kith, jid in ((self.capulet, JULIET), (self.montague, ROMEO)):
            kith.start()
            kith.add_user(jid)
            people.append(await self.client(kith, jid).login())
        return people

    async def brings(self, juliet, romeo):
        juliet.send_message(mto=ROMEO, mbody="hi", mtype="chat")
        self.assertEqual((await romeo.message())["body"], "hi")

    async def test_direct_tls(self):
        people = await self.two_people(lambda montague: {
            ("_xmpps-server._tcp.montague.example", SRV): [(5, 0, montague["direct"], "xmpp.montague.example")]})
        await self.brings(*people)
        self.montague.wait_for_log("server_proven domain=capulet.example how=certificate")
        check = self.capulet.kithctl("federation", "check", "montague.example").stdout
        self.assertIn("(direct TLS)", check)
        self.assertIn("can be reached.", check)

    async def test_fallback(self):
        people = await self.two_people(lambda montague: {
            ("_xmpps-server._tcp.montague.example", SRV): [(5, 0, free_port(), "xmpp.montague.example")],
            ("_xmpp-server._tcp.montague.example", SRV): [(10, 0, montague["port"], "xmpp.montague.example")]})
        await self.brings(*people)

    async def test_silent_addresses(self):
        # A socket that takes connections and says nothing.
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            people = await self.two_people(lambda montague: {
                ("_xmpp-server._tcp.montague.example", SRV): [(5, 0, port, "xmpp.montague.example"),
                                                              (6, 0, port, "xmpp.montague.example"),
                                                              (10, 0, montague["port"], "xmpp.montague.example")]})
            begun = time.monotonic()
            await self.brings(*people)
            # One second for each, not the half minute after which a server is given up.
            self.assertLess(time.monotonic() - begun, 20)
