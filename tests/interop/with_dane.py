"""Two Kiths whose certificates nobody has signed but themselves, and whose DNS says, signed, which they are (DANE).

Debian's nsd serves the zones: `example` is signed, `broken` was signed too long ago, `unsigned` is not. To be run in a namespace of its
own, as federation_dane_test.py does it.
"""
import hashlib
import subprocess

from kith import Kith, join
from nameserver import bring_loopback_up
from slix import Conversation
from with_peer import JULIET, ROMEO

ZONE = """$ORIGIN {zone}.
$TTL 60
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
ns A 127.0.0.1
"""


class Zones:
    """Name server of some zones, in a folder of its own."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.anchors = folder / "anchors"
        self.anchors.write_text("")
        self.configuration = f"""server:
  ip-address: 127.0.0.1@53
  zonesdir: "{folder}"
  database: ""
  username: ""
  pidfile: ""
  zonelistfile: "{folder}/zones.list"
  xfrdfile: ""
  logfile: "{folder}/log"
remote-control:
  control-enable: no
"""

    def add(self, zone, records, sign=(), signed=True):
        """`sign`: more arguments for ldns-signzone."""
        (self.folder / zone).write_text(ZONE.format(zone=zone) + "".join(line + "\n" for line in records))
        file = zone
        if signed:
            run = lambda *command: subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True).stdout.strip()
            keys = [run("ldns-keygen", "-a", "ECDSAP256SHA256", *more, zone) for more in (["-k"], [])]
            run("ldns-signzone", "-o", zone, *sign, zone, *keys)
            file = zone + ".signed"
            with self.anchors.open("a") as anchors:
                anchors.write((self.folder / f"{keys[0]}.key").read_text())
        self.configuration += f'zone:\n  name: "{zone}"\n  zonefile: "{file}"\n'

    def start(self):
        (self.folder / "nsd.conf").write_text(self.configuration)
        self.process = subprocess.Popen(["nsd", "-d", "-c", self.folder / "nsd.conf"], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


def own_key(kith, domain):
    """DANE-EE: the SHA-256 of the server's public key."""
    pem = subprocess.run(["openssl", "x509", "-in", kith.live / domain / "cert.pem", "-noout", "-pubkey"], check=True,
                         capture_output=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=pem, check=True, capture_output=True).stdout
    return "3 1 1 " + hashlib.sha256(der).hexdigest()


def authority(kith):
    """DANE-TA: the SHA-256 of the certificate of the authority that signs what the server shows."""
    der = subprocess.run(["openssl", "x509", "-in", kith.authority.certificate, "-outform", "DER"], check=True,
                         capture_output=True).stdout
    return "2 0 1 " + hashlib.sha256(der).hexdigest()


class WithDane(Conversation):
    @classmethod
    def setUpClass(cls):
        bring_loopback_up()

    def setUp(self):
        self.capulet = Kith(domains=("capulet.example",), limits={"s2s_wait_time": "0 seconds"})
        self.montague = Kith(domains=("montague.example", "authority.example", "wrong.example", "strange.example",
                                      "montague.broken", "montague.unsigned"))
        for kith in (self.capulet, self.montague):
            self.addCleanup(kith.remove)
            join(kith)
        self.zones = Zones(self.capulet.folder / "zones")
        self.own = own_key(self.montague, "montague.example")
        signed = [*self.server("capulet", self.capulet, [own_key(self.capulet, "capulet.example")]),
                  *self.server("montague", self.montague, ["3 1 1 " + "00" * 32, self.own]),
                  *self.server("authority", self.montague, [authority(self.montague)]),
                  *self.server("wrong", self.montague, ["3 1 1 " + "00" * 32]),
                  *self.server("strange", self.montague, ["9 9 9 " + "00" * 32])]
        self.zones.add("example", signed)
        self.zones.add("broken", self.server("montague", self.montague, [own_key(self.montague, "montague.broken")]),
                       sign=["-i", "20200101", "-e", "20200201"])
        self.zones.add("unsigned", self.server("montague", self.montague, [own_key(self.montague, "montague.unsigned")]), signed=False)
        self.zones.start()
        self.addCleanup(self.zones.stop)
        for kith in (self.capulet, self.montague):
            kith.federation["anchors"] = self.zones.anchors
            kith.start()
        self.capulet.add_user(JULIET)
        self.montague.add_user(ROMEO)

    @staticmethod
    def server(name, kith, tlsa):
        """Lines of a zone: where the server of NAME is, and which certificates it has."""
        port = kith.federation["port"]
        return [f"_xmpp-server._tcp.{name} SRV 5 0 {port} xmpp.{name}", f"xmpp.{name} A 127.0.0.1",
                *(f"_{port}._tcp.xmpp.{name} TLSA {record}" for record in tlsa)]

    def check(self, domain):
        return self.capulet.kithctl("federation", "check", domain, check=False).stdout

    async def test_people_talk(self):
        juliet = await self.client(self.capulet, JULIET).login()
        romeo = await self.client(self.montague, ROMEO).login()
        try:
            for one, other in ((juliet, romeo), (romeo, juliet)):
                one.send_message(mto=other.boundjid, mbody="by DANE", mtype="chat")
                self.assertEqual((await other.message())["body"], "by DANE")
            self.montague.wait_for_log("server_proven domain=capulet.example how=dialback")
        except BaseException:
            print(self.capulet.log_end(), self.montague.log_end(), (self.zones.folder / "log").read_text(), sep="\n")
            raise

    async def test_what_dns_vouches_for_is_believed(self):
        self.assertRegex(self.check("montague.example"), r"(?s)ok  DNS .*\(DANE\).*ok  certificate  it is one that its DNS names.*ok  login")
        self.assertIn("ok  certificate  it is one that its DNS names (DANE)", self.check("authority.example"))

    async def test_another_certificate_is_refused(self):
        self.assertIn("--  certificate  it is not trusted: no matching DANE TLSA records", self.check("wrong.example"))
        # Of records that nobody understands, nothing follows.
        self.assertRegex(self.check("strange.example"), "--  certificate  it is not trusted: self.signed certificate")

    async def test_what_nobody_vouches_for_proves_nothing(self):
        self.assertRegex(self.check("montague.unsigned"), "--  certificate  it is not trusted: self.signed certificate")

    async def test_forged_answers_are_refused(self):
        self.assertIn("--  DNS  its DNS answers are forged, or its zone is broken (DNSSEC)", self.check("montague.broken"))
