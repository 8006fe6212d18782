"""A Kith and Debian's prosody, which find each other by DNS: contacts, messages, questions; by certificates and by dialback; and messages
that wait.

To be run in a namespace of its own, as federation_prosody_test.py does it.
"""
import asyncio
import signal
import subprocess

from federation_attack_test import DIALBACK, Peer
from nameserver import A, SRV
from with_peer import JULIET, PeerServer, WithPeer


class Prosody(PeerServer):
    name = "prosody"

    def __init__(self, *, require, more_modules=()):
        super().__init__(require=require)
        self.more_modules = "".join(f', "{name}"' for name in more_modules)

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

    def log(self):
        log = self.folder / "log"
        return log.read_text() if log.exists() else "no log"


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

    async def test_answers_on_our_stream(self):
        """Prosody finds no way to Kith, of which DNS knows nothing: it answers on the stream that Kith has made (XEP-0288)."""
        juliet, romeo = await self.two_people(require=True, more_modules=["s2s_bidi", "smacks"], records=lambda montague: {
            ("_xmpp-server._tcp.capulet.example", SRV): [], ("xmpp.capulet.example", A): []})
        try:
            for number in range(5):
                juliet.send_message(mto=romeo.boundjid, mbody=f"question {number}", mtype="chat")
                self.assertEqual((await romeo.message())["body"], f"question {number}")
                romeo.send_message(mto=juliet.boundjid, mbody=f"answer {number}", mtype="chat")
                self.assertEqual((await juliet.message())["body"], f"answer {number}")
            await romeo["xep_0199"].send_ping(juliet.boundjid, timeout=30)
        except BaseException:
            print(self.montague.log(), self.capulet.log_end(), sep="\n")
            raise
