"""What the tests of federation with servers of others share: such a server's files and end, and what both sides' people do.

They run in a namespace of their own, as federation_prosody_test.py does it.
"""
import asyncio
import contextlib
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import slixmpp.exceptions

from kith import Authority, Kith, free_port, join
from nameserver import A, SRV, NameServer, bring_loopback_up
from slix import Conversation, befriend

JULIET, ROMEO = "juliet@capulet.example", "romeo@montague.example"


def wait_for_port(process, port, seconds=60):
    """Until somebody answers there; fails if the process ends before."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            with contextlib.suppress(subprocess.TimeoutExpired):
                raise AssertionError(f"it ended with status {process.wait(0.2)}") from None
    raise AssertionError("nobody answers in time")


class PeerServer:
    """Another server, which serves montague.example; as far as the clients of slix.py are concerned, it is a Kith."""
    name = ""

    def __init__(self, *, require):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"kith-{self.name}-"))
        self.authority = Authority(self.folder / "ca")
        self.port, self.s2s_port = free_port(), free_port()
        self.authority.issue(self.folder / "live", "montague.example")
        self.trusted = self.folder / "trusted.pem"
        self.require = require
        self.process = None

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(30)

    def remove(self):
        if self.process is not None and self.process.poll() is None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class WithPeer(Conversation):
    """What both servers' people do. `peer` makes the other server."""
    peer = None

    @classmethod
    def setUpClass(cls):
        bring_loopback_up()

    async def two_people(self, *, require, trusting=True, records=lambda montague: {}, **of_peer):
        capulet = Kith(domains=("capulet.example",), limits={"s2s_retry_time": "1 seconds", "s2s_longest_pause": "2 seconds"})
        self.addCleanup(capulet.remove)
        self.capulet = capulet
        self.montague = self.peer(require=require, **of_peer)
        self.addCleanup(self.montague.remove)
        join(capulet, require=require)
        if trusting:
            capulet.federation["trusted"].write_bytes(self.montague.authority.certificate.read_bytes())
        self.montague.trusted.write_bytes((capulet if trusting else self.montague).authority.certificate.read_bytes())
        names = NameServer({
            ("_xmpp-server._tcp.capulet.example", SRV): [(5, 0, capulet.federation["port"], "xmpp.capulet.example")],
            ("_xmpp-server._tcp.montague.example", SRV): [(10, 0, 1, "nowhere.montague.example"),
                                                          (20, 0, self.montague.s2s_port, "xmpp.montague.example")],
            ("nowhere.montague.example", A): ["127.0.0.1"],
            ("xmpp.capulet.example", A): ["127.0.0.1"], ("xmpp.montague.example", A): ["127.0.0.1"],
            **records(self.montague)})
        self.addCleanup(names.close)
        self.montague.start()
        capulet.start()
        capulet.add_user(JULIET)
        juliet = self.client(capulet, JULIET, plugins=["xep_0199", "xep_0030"])
        await juliet.login()
        romeo = self.client(self.montague, ROMEO, plugins=["xep_0199", "xep_0030"])
        await romeo.login()
        return juliet, romeo

    async def all_that_people_do(self, juliet, romeo):
        try:
            await befriend(romeo, juliet)
            juliet.send_message(mto=ROMEO, mbody="Art thou not Romeo, & a <Montague>?", mtype="chat")
            came = await romeo.message()
            self.assertEqual((came["body"], came["from"]), ("Art thou not Romeo, & a <Montague>?", juliet.boundjid))
            romeo.send_message(mto=came["from"], mbody="Neither, fair saint.", mtype="chat")
            came = await juliet.message()
            self.assertEqual((came["body"], came["from"]), ("Neither, fair saint.", romeo.boundjid))
            await juliet["xep_0199"].send_ping(romeo.boundjid, timeout=30)
            await romeo["xep_0199"].send_ping(juliet.boundjid, timeout=30)
            info = await romeo["xep_0030"].get_info(jid=JULIET, timeout=30)
            self.assertIn(("pubsub", "pep", None, None), info["disco_info"]["identities"])
            with self.assertRaises(slixmpp.exceptions.IqError) as refused:
                await juliet["xep_0030"].get_info(jid="nobody.example", timeout=30)
            self.assertEqual(refused.exception.condition, "remote-server-not-found")
            await romeo.logout()
            await juliet.presence("unavailable", ROMEO)
        except BaseException:
            print(self.montague.log(), self.capulet.log_end(), sep="\n")
            raise

    async def by_certificates(self):
        await self.all_that_people_do(*await self.two_people(require=True))
        self.capulet.wait_for_log("server_proven domain=montague.example how=certificate")

    async def by_dialback(self):
        await self.all_that_people_do(*await self.two_people(require=False, trusting=False))
        self.capulet.wait_for_log("server_proven domain=montague.example how=dialback")

    async def waiting(self, juliet, romeo, number):
        """The other server goes by this signal, is written to, and comes back: everything arrives in order."""
        say = lambda *bodies: [juliet.send_message(mto=ROMEO, mbody=body, mtype="chat") for body in bodies]
        try:
            say("first")
            self.assertEqual((await romeo.message())["body"], "first")
            await romeo.logout()
            say(*map(str, range(1, 21)))
            await juliet["xep_0199"].send_ping(JULIET, timeout=30)
            self.montague.stop(number)
            say(*map(str, range(21, 41)))
            await juliet["xep_0199"].send_ping(JULIET, timeout=30)
            self.assertIn("montague.example", self.capulet.kithctl("federation", "status").stdout)
            self.montague.launch()
            say("last")
            romeo = await self.client_when_up()
            heard = []
            while not heard or heard[-1] != "last":
                heard.append((await romeo.message())["body"])
            return heard
        except BaseException:
            print(self.montague.log(), self.capulet.log_end(), sep="\n")
            raise

    async def client_when_up(self):
        await asyncio.to_thread(wait_for_port, self.montague.process, self.montague.port)
        return await self.client(self.montague, ROMEO).login()
