"""Debian's coturn lets in whom Kith sends, and nobody else: credentials for a time (XEP-0215), and a relay that carries."""
import base64
import hashlib
import hmac
import socket
import subprocess
import time
import unittest
import xml.etree.ElementTree as ET

import slixmpp.exceptions

from kith import Kith, free_port, join
from slix import SECONDS, Conversation
from turn import Refused, Turn

NS = "{urn:xmpp:extdisco:2}"
SECRET = "a secret between the two"


class ExternalServices(Conversation):
    def setUp(self):
        self.turn_port = free_port()
        self.kith = Kith(domains=("capulet.example",), settings=f"""[modules.external_services]
services = ["stun:127.0.0.1:{self.turn_port}", "turn:127.0.0.1:{self.turn_port}"]
secret_file = "turn.secret"
credential_seconds = "10 minutes"
""")
        self.addCleanup(self.kith.remove)
        (self.kith.folder / "turn.secret").write_text(SECRET + "\n")
        self.relay = subprocess.Popen(
            ["turnserver", "-n", "--no-tls", "--no-dtls", "--no-cli", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1",
             f"--listening-port={self.turn_port}", "--allow-loopback-peers", "--use-auth-secret", f"--static-auth-secret={SECRET}",
             "--realm=capulet.example", "--log-file=stdout", "--simple-log", f"--pidfile={self.kith.folder}/turn.pid",
             f"--userdb={self.kith.folder}/turn.db"],
            cwd=self.kith.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.addCleanup(self.end_relay)
        self.wait_for_relay()
        self.kith.start()
        self.kith.add_user("juliet")

    def end_relay(self):
        self.relay.kill()
        self.relay.communicate(timeout=20)

    def wait_for_relay(self):
        """It answers whoever binds to it."""
        end = time.monotonic() + SECONDS
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.settimeout(0.2)
            while time.monotonic() < end:
                self.assertIsNone(self.relay.poll(), "coturn ended")
                probe.sendto(b"\0\1\0\0\x21\x12\xa4\x42" + b"t" * 12, ("127.0.0.1", self.turn_port))
                try:
                    probe.recv(2048)
                    return
                except OSError:
                    continue
        self.fail("coturn does not answer")

    def turn(self, username, password):
        made = Turn(self.turn_port, username, password)
        self.addCleanup(made.close)
        return made

    async def services(self, client, to="capulet.example"):
        iq = client.make_iq_get(ito=to)
        iq.append(ET.Element(NS + "services"))
        answer = await iq.send(timeout=SECONDS)
        return {one.get("type"): one.attrib for one in answer.xml.iter(NS + "service")}

    async def test_the_relay_believes_what_kith_gives_out(self):
        juliet = await self.client(self.kith, "juliet@capulet.example", plugins=["xep_0030"]).login()
        info = await juliet["xep_0030"].get_info(jid="capulet.example", timeout=SECONDS)
        self.assertIn("urn:xmpp:extdisco:2", info["disco_info"]["features"])
        services = await self.services(juliet)
        self.assertEqual((services["stun"]["host"], services["stun"]["port"]), ("127.0.0.1", str(self.turn_port)))
        given = services["turn"]
        turn = self.turn(given["username"], given["password"])
        host, port = turn.allocate()
        self.assertEqual(host, "127.0.0.1")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.bind(("127.0.0.1", 0))
            peer.settimeout(10)
            turn.send_to(*peer.getsockname(), b"hello through the relay")
            self.assertEqual(peer.recvfrom(100), (b"hello through the relay", (host, port)))

    async def test_the_relay_refuses_what_kith_did_not_give_out(self):
        juliet = await self.client(self.kith, "juliet@capulet.example").login()
        given = (await self.services(juliet))["turn"]
        until, person = given["username"].split(":")
        late = f"{int(until) + 1}:{person}"
        expired = f"{int(time.time()) - 10}:{person}"
        signed = base64.b64encode(hmac.new(SECRET.encode(), expired.encode(), hashlib.sha1).digest()).decode()
        for username, password in ((given["username"], "guess"), (late, given["password"]), (expired, signed)):
            with self.assertRaises(Refused) as refused:
                self.turn(username, password).allocate()
            self.assertEqual(refused.exception.code, 401, username)

    async def test_people_of_other_servers_are_not_sent_there(self):
        montague = Kith(domains=("montague.example",))
        self.addCleanup(montague.remove)
        join(self.kith, montague, require=False)
        self.kith.terminate()
        self.kith.start()
        montague.start()
        montague.add_user("romeo")
        romeo = await self.client(montague, "romeo@montague.example").login()
        with self.assertRaises(slixmpp.exceptions.IqError) as refused:
            await self.services(romeo)
        self.assertEqual(refused.exception.condition, "forbidden")


if __name__ == "__main__":
    unittest.main()
