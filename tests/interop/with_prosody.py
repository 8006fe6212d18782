"""A Kith and Debian's prosody, which find each other by DNS: contacts, messages, questions; by certificates and by dialback.

To be run in a namespace of its own, as federation_prosody_test.py does it.
"""
import pathlib
import shutil
import signal
import subprocess
import tempfile

import slixmpp.exceptions

from kith import Authority, Kith, free_port, join
from nameserver import A, SRV, NameServer, bring_loopback_up
from slix import Conversation, befriend

JULIET, ROMEO = "juliet@capulet.example", "romeo@montague.example"


class Prosody:
    """Serves montague.example; as far as the clients of slix.py are concerned, it is a Kith."""

    def __init__(self, *, require):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kith-prosody-"))
        self.authority = Authority(self.folder / "ca")
        self.port, self.s2s_port = free_port(), free_port()
        self.authority.issue(self.folder / "live", "montague.example")
        self.trusted = self.folder / "trusted.pem"
        self.require = require
        self.process = None

    def start(self):
        live = self.folder / "live" / "montague.example"
        (self.folder / "data").mkdir()
        (self.folder / "prosody.cfg.lua").write_text(f"""run_as_root = true
daemonize = false
pidfile = "{self.folder}/prosody.pid"
data_path = "{self.folder}/data"
modules_enabled = {{ "roster", "saslauth", "tls", "dialback", "disco", "ping", "presence", "message", "iq", "pep" }}
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
        self.process = subprocess.Popen(["prosody", "-F", "--config", "prosody.cfg.lua"], cwd=self.folder, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

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


class WithProsody(Conversation):
    @classmethod
    def setUpClass(cls):
        bring_loopback_up()

    async def two_people(self, *, require, trusting=True):
        capulet = Kith(domains=("capulet.example",))
        self.addCleanup(capulet.remove)
        self.capulet = capulet
        self.montague = Prosody(require=require)
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
            ("xmpp.capulet.example", A): ["127.0.0.1"], ("xmpp.montague.example", A): ["127.0.0.1"]})
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
            print(self.montague.log(), *self.capulet.log_end(), sep="\n")
            raise

    async def test_by_certificates(self):
        await self.all_that_people_do(*await self.two_people(require=True))
        self.capulet.wait_for_log("server_proven domain=montague.example how=certificate")

    async def test_by_dialback(self):
        await self.all_that_people_do(*await self.two_people(require=False, trusting=False))
        self.capulet.wait_for_log("server_proven domain=montague.example how=dialback")
