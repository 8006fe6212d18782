"""A Kith and Debian's prosody, which find each other by DNS: contacts, messages, questions; by certificates and by dialback.

To be run in a namespace of its own, as federation_prosody_test.py does it.
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

from federation_attack_test import DIALBACK, Peer
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


class Prosody:
    """Serves montague.example; as far as the clients of slix.py are concerned, it is a Kith."""

    def __init__(self, *, require, more_modules=()):
        self.more_modules = "".join(f', "{name}"' for name in more_modules)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kith-prosody-"))
        self.authority = Authority(self.folder / "ca")
        self.port, self.s2s_port = free_port(), free_port()
        self.authority.issue(self.folder / "live", "montague.example")
        self.trusted = self.folder / "trusted.pem"
        self.require = require
        self.process = None

    def start(self):
        live = self.folder / "live" / "montague.example"
        (self.folder / "data").mkdir(exist_ok=True)
        (self.folder / "prosody.cfg.lua").write_text(f"""run_as_root = true
daemonize = false
pidfile = "{self.folder}/prosody.pid"
data_path = "{self.folder}/data"
modules_enabled = {{ "roster", "saslauth", "tls", "dialback", "disco", "ping", "presence", "message", "iq", "pep", "offline"{self.more_modules} }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {self.port} }}
s2s_ports = {{ {self.s2s_port} }}
c2s_require_encryption = true
s2s_require_encryption = true
s2s_secure_auth = {str(self.require).lower()}
authentication = "internal_hashed"
log = {{ info = "{self.folder}/log" }}
ssl = {{ certificate = "{live}/fullchain.pem"; key = "{live}/privkey.pem"; cafile = "{self.trusted}" }}
VirtualHost "montague.example"
""")
        subprocess.run(["prosodyctl", "--config", self.folder / "prosody.cfg.lua", "register", "romeo", "montague.example", "pencil"],
                       check=True, capture_output=True)
        self.launch()

    def launch(self):
        self.process = subprocess.Popen(["prosody", "-F", "--config", "prosody.cfg.lua"], cwd=self.folder, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(20)

    def log(self):
        log = self.folder / "log"
        return log.read_text() if log.exists() else "no log"

    def remove(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
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

    async def two_people(self, *, require, trusting=True, more_modules=(), records=lambda montague: {}):
        capulet = Kith(domains=("capulet.example",), limits={"s2s_retry_time": "1 seconds", "s2s_longest_pause": "2 seconds"})
        self.addCleanup(capulet.remove)
        self.capulet = capulet
        self.montague = self.peer(require=require, more_modules=more_modules)
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
        """Prosody goes by this signal, is written to, and comes back: everything arrives in order."""
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


class WithProsody(WithPeer):
    peer = Prosody

    async def test_by_certificates(self):
        await self.by_certificates()

    async def test_by_dialback(self):
        await self.by_dialback()

    async def test_wrong_keys(self):
        """Somebody says that he is montague.example, and shows keys that Prosody, when asked, has never given out."""
        juliet, romeo = await self.two_people(require=False, trusting=False)
        try:
            romeo.send_message(mto=JULIET, mbody="hi", mtype="chat")
            self.assertEqual((await juliet.message())["body"], "hi")
            for key in ("0" * 64, "", "&amp;" * 100):
                # The forger must not keep the loop from running: what Kith asks is answered by nobody in it.
                peer = await asyncio.to_thread(Peer, self, self.capulet.federation["port"])
                peer.say(DIALBACK.format("montague.example", key))
                answer = await asyncio.to_thread(peer.expect, "</stream:stream>")
                self.assertIn("type='invalid'", answer)
            # The true one is heard as before.
            romeo.send_message(mto=JULIET, mbody="still", mtype="chat")
            self.assertEqual((await juliet.message())["body"], "still")
        except BaseException:
            print(self.montague.log(), self.capulet.log_end(), sep="\n")
            raise

    async def test_waiting_with_stream_management(self):
        heard = await self.waiting(*await self.two_people(require=True, more_modules=["smacks"]), signal.SIGTERM)
        # Prosody 0.12 does not acknowledge what it has handled last when it stops.
        self.assertEqual(list(dict.fromkeys(heard)), [*map(str, range(1, 41)), "last"])

    async def test_waiting_without_stream_management(self):
        heard = await self.waiting(*await self.two_people(require=True), signal.SIGTERM)
        # Without acknowledgements, what was on its way when it went may come twice.
        self.assertEqual([body for body in dict.fromkeys(heard) if body != "first"], [*map(str, range(1, 41)), "last"])

    async def test_waiting_after_a_kill(self):
        heard = await self.waiting(*await self.two_people(require=True, more_modules=["smacks"]), signal.SIGKILL)
        self.assertEqual([body for body in dict.fromkeys(heard) if body != "first"], [*map(str, range(1, 41)), "last"])
