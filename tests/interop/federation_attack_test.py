"""What a server that is none, or not the one that it says, can do at the port for servers: nothing."""
import re
import socket
import ssl
import unittest

from kith import Kith, free_port, join

HEADER = ("<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' "
          "to='capulet.example' from='{}'>")
DIALBACK = "<result xmlns='jabber:server:dialback' from='{}' to='capulet.example'>{}</result>"


class Peer:
    """Says what the test wants."""

    def __init__(self, test, port, tls=True, name="montague.example"):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        test.addCleanup(lambda: self.socket.close())
        self.say(HEADER.format(name))
        if tls:
            self.expect("</stream:features>")
            self.say("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
            self.expect("<proceed")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket)
            self.say(HEADER.format(name))
            self.expect("</stream:features>")

    def say(self, text):
        self.socket.sendall(text.encode())

    def expect(self, pattern):
        """Reads until it is there; fails at the end of the stream."""
        read = ""
        while not re.search(pattern, read):
            piece = self.socket.recv(65536)
            if not piece:
                raise AssertionError(f"closed before /{pattern}/, after: {read}")
            read += piece.decode()
        return read


class Attack(unittest.TestCase):
    def kith(self, **how):
        kith = Kith(domains=("capulet.example",))
        self.addCleanup(kith.remove)
        join(kith, **how)
        kith.federation["hosts"]["montague.example"] = free_port()  # where nobody listens
        kith.start()
        kith.add_user("juliet@capulet.example")
        return kith, kith.federation["port"]

    def test_who_has_proven_nothing_says_nothing(self):
        kith, port = self.kith(require=False)
        message = "<message from='romeo@montague.example' to='juliet@capulet.example'><body>b</body></message>"
        peer = Peer(self, port)
        peer.say(message)
        peer.expect("<not-authorized")
        peer = Peer(self, port, tls=False)
        peer.say(message)
        peer.expect("<policy-violation")
        # In nobody's name, and least of all in ours.
        peer = Peer(self, port, tls=False, name="capulet.example")
        peer.expect("<invalid-from")
        self.assertEqual(kith.metrics().get('kith_server_stanzas_total{direction="in"}', 0), 0)

    def test_a_key_that_nobody_gave_out_proves_nothing(self):
        kith, port = self.kith(require=False)
        # Nobody is there to be asked.
        peer = Peer(self, port)
        peer.say(DIALBACK.format("montague.example", "0" * 64))
        peer.expect("type='invalid'(.|\n)*<not-authorized")

    def test_where_certificates_are_required_a_key_is_not_even_asked_about(self):
        kith, port = self.kith()
        peer = Peer(self, port)
        peer.say(DIALBACK.format("montague.example", "0" * 64))
        peer.expect("<policy-violation")
        peer.say("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>")
        peer.expect("<not-authorized")

    def test_what_is_said_before_tls_is_not_heard_under_it(self):
        kith, port = self.kith()
        peer = Peer(self, port, tls=False)
        peer.expect("</stream:features>")
        peer.say("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><message from='a@montague.example' to='juliet@capulet.example'/>")
        with self.assertRaises((AssertionError, ConnectionError)):
            peer.expect("<never")
        kith.wait_for_log("starttls_injection")

    def test_a_flood_of_xml_ends_the_stream_and_not_the_server(self):
        kith, port = self.kith()
        peer = Peer(self, port)
        with self.assertRaises((AssertionError, OSError)):
            for _ in range(1000):
                peer.say("<message " + "x" * 4096)
            peer.expect("<never")
        Peer(self, port).say("</stream:stream>")


if __name__ == "__main__":
    unittest.main()
