"""Channel binding and the other corners of logging in, by a client of our own that can be told to get them wrong."""
import base64
import subprocess
import unittest

from kith import Kith
from wire import SASL, Failed, Wire, server_end_point

CHANNEL_BINDING = "{urn:xmpp:sasl-cb:0}"


class Login(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kith = Kith()
        cls.addClassCleanup(cls.kith.remove)
        cls.kith.start()
        cls.kith.add_user("juliet", "pencil, and = more")

    def secured(self, direct=False):
        wire = Wire(self.kith.direct_port if direct else self.kith.port, authority=self.kith.authority.certificate)
        self.addCleanup(wire.close)
        wire.tls(alpn=True) if direct else wire.starttls()
        wire.features = wire.open()
        return wire

    def test_what_is_offered_under_tls(self):
        for direct in (False, True):
            wire = self.secured(direct)
            self.assertEqual(set(wire.mechanisms()), {"PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512", "SCRAM-SHA-1-PLUS",
                                                      "SCRAM-SHA-256-PLUS", "SCRAM-SHA-512-PLUS"})
            types = {element.get("type") for element in wire.features.iter(CHANNEL_BINDING + "channel-binding")}
            self.assertEqual(types, {"tls-exporter", "tls-server-end-point"})

    def test_every_mechanism(self):
        for direct in (False, True):
            for mechanism in ("SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"):
                for plus in ("", "-PLUS"):
                    with self.subTest(mechanism=mechanism + plus, direct=direct):
                        wire = self.secured(direct)
                        wire.scram("juliet", "pencil, and = more", mechanism + plus,
                                   binding=("tls-server-end-point", server_end_point(wire)) if plus else None)
                        wire.open()
                        wire.bind()
        wire = self.secured()
        wire.plain("juliet", "pencil, and = more")
        wire.open()
        wire.bind()

    def refused(self, **more):
        wire = self.secured()
        with self.assertRaises(Failed) as failure:
            wire.scram("juliet", "pencil, and = more", **more)
        self.assertIn(failure.exception.condition, ("not-authorized", "malformed-request"))

    def test_a_binding_to_another_channel_is_refused(self):
        self.refused(mechanism="SCRAM-SHA-256-PLUS", binding=("tls-server-end-point", b"x" * 32))
        self.refused(mechanism="SCRAM-SHA-256-PLUS", binding=("tls-exporter", b"x" * 32))
        self.refused(mechanism="SCRAM-SHA-256-PLUS", binding=("tls-unheard-of", b"x" * 32))

    def test_who_was_shown_fewer_mechanisms_than_we_offer_is_refused(self):
        # RFC 5802 §6: "y" says that the client could bind but saw no -PLUS; somebody has taken it out on the way.
        self.refused(mechanism="SCRAM-SHA-256", flag="y")

    def test_a_wrong_proof_is_refused(self):
        for mechanism in ("SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"):
            self.refused(mechanism=mechanism, spoil=True)

    def test_names_are_prepared_before_they_are_compared(self):
        for name in ("JULIET", "Juliet", "ｊｕｌｉｅｔ"):
            with self.subTest(name=name):
                wire = self.secured()
                wire.plain(name, "pencil, and = more")
                wire.open()
                self.assertTrue(wire.bind("x").startswith("juliet@example.org/"))

    def test_the_exporter_binds_as_openssl_computes_it(self):
        # Python's ssl cannot export keying material; openssl's own client prints it and then carries our bytes.
        client = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{self.kith.direct_port}", "-servername", "example.org",
                                   "-tls1_3", "-alpn", "xmpp-client", "-keymatexport", "EXPORTER-Channel-Binding", "-keymatexportlen", "32",
                                   "-ign_eof"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(client.wait)
        self.addCleanup(client.stdout.close)
        self.addCleanup(client.kill)
        keying = None
        for line in client.stdout:
            if b"Keying material:" in line:
                keying = bytes.fromhex(line.split(b":")[1].strip().decode())
            if line.startswith(b"---") and keying:
                break
        self.assertEqual(len(keying), 32)

        class Through:
            """The socket that Wire expects, through the pipes."""
            def sendall(self, data):
                client.stdin.write(data)
                client.stdin.flush()

            def recv(self, most):
                return client.stdout.read1(most)

            def close(self):
                client.stdin.close()

        wire = Wire.__new__(Wire)
        wire.domain, wire.socket = "example.org", Through()
        self.addCleanup(wire.close)
        # What s_client says of session tickets comes between; it is no XML and stands before the stream.
        wire.send("<?xml version='1.0'?><stream:stream to='example.org' version='1.0' xmlns='jabber:client' "
                  "xmlns:stream='http://etherx.jabber.org/streams'>")
        seen = b""
        while b"</stream:features>" not in seen:
            seen += client.stdout.read1(65536)
        wire.restart_parser()
        inner = "<?xml version='1.0'?>" + seen.decode(errors="replace").split("?>", 1)[1]
        wire._parser.feed(inner.split("</stream:features>")[0] + "</stream:features>")
        wire._take()
        self.assertIn("SCRAM-SHA-256-PLUS", [element.text for element in wire._ready[-1][1].iter(SASL + "mechanism")])
        wire._ready.clear()
        wire.scram("juliet", "pencil, and = more", "SCRAM-SHA-256-PLUS", binding=("tls-exporter", keying))

    def test_a_name_with_comma_and_equals_sign_is_no_way_in(self):
        wire = self.secured()
        with self.assertRaises(Failed):
            wire._auth("SCRAM-SHA-256", b"n,,n=juliet=ZZ,r=abc")
        wire = self.secured()
        with self.assertRaises(Failed):
            wire._auth("SCRAM-SHA-256", b"n,,m=extension,n=juliet,r=abc")

    def test_a_binding_to_nothing_is_refused(self):
        wire = self.secured()
        with self.assertRaises(Failed):
            wire._auth("SCRAM-SHA-256-PLUS", b"n,,n=juliet,r=abcdefgh")
        self.assertEqual(base64.b64encode(b"n,,"), b"biws")


if __name__ == "__main__":
    unittest.main()
