"""What a server that is none, or not the one that it says, can do at the port for servers: nothing."""
import base64
import queue
import re
import socket
import ssl
import threading
import unittest

from kith import Authority, Kith, free_port, join

HEADER = ("<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' "
          "to='capulet.example' from='{}'>")
DIALBACK = "<result xmlns='jabber:server:dialback' from='{}' to='capulet.example'>{}</result>"


class Peer:
    """Says what the test wants."""

    def __init__(self, test, port, tls=True, name="montague.example", certificate=None):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        test.addCleanup(lambda: self.socket.close())
        self.say(HEADER.format(name))
        if tls:
            self.expect("</stream:features>")
            self.say("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
            self.expect("<proceed")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            if certificate is not None:
                context.load_cert_chain(certificate, certificate.parent / "privkey.pem")
            self.socket = context.wrap_socket(self.socket)
            self.say(HEADER.format(name))
            self.opened = self.features = self.expect("</stream:features>")

    def authenticate(self, authzid="="):
        """SASL EXTERNAL, and the stream that follows."""
        self.say(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>{authzid}</auth>")
        self.expect("<success")
        self.say(HEADER.format("montague.example"))
        self.expect("</stream:features>")
        return self

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


class Impostor:
    """Listens as another server would, with a certificate, and keeps what it is told under TLS."""

    def __init__(self, test, certificate, name="montague.example", stream_id="i1", features="<stream:features/>"):
        self.header = (f"<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback' "
                       f"version='1.0' from='{name}' id='{stream_id}'>")
        self.features = features
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, certificate.parent / "privkey.pem")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.told = queue.Queue()  # of each connection, as it ends or as a key is shown
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        test.addCleanup(self.close)

    def close(self):
        # shutdown() wakes who waits in accept(); close() alone does not.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()

    def _serve(self):
        while True:
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            with link:
                link.settimeout(30)
                try:
                    self._talk(link)
                except OSError as trouble:
                    self.told.put(f"broke off: {trouble}")

    def _talk(self, link):
        def read(link, pattern):
            text = ""
            while not re.search(pattern, text) and (piece := link.recv(65536)):
                text += piece.decode()
            return text
        read(link, "<stream:stream[^>]*>")
        link.sendall((self.header + "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>").encode())
        read(link, "<starttls")
        link.sendall(b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        with self.context.wrap_socket(link, server_side=True) as secure:
            told = read(secure, "<stream:stream[^>]*>|</stream:stream>")
            if "</stream:stream>" not in told and told:
                secure.sendall((self.header + self.features).encode())
                told += read(secure, "</db:result>|</stream:stream>")
            self.told.put(told)


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
        peer.expect("type='error'(.|\n)*<remote-server-timeout")
        # Who has proven nothing by that still says nothing.
        peer.say("<message from='romeo@montague.example' to='juliet@capulet.example'><body>b</body></message>")
        peer.expect("<not-authorized")

    def test_where_certificates_are_required_a_key_is_not_even_asked_about(self):
        kith, port = self.kith()
        peer = Peer(self, port)
        peer.say(DIALBACK.format("montague.example", "0" * 64))
        peer.expect("type='error'(.|\n)*<not-authorized")
        peer.say("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>")
        peer.expect("<not-authorized")

    def certificate(self, kith, domain):
        """One of an authority that Kith trusts."""
        return kith.authority.issue(kith.folder / "others", domain)

    def test_a_certificate_speaks_for_its_own_domain_and_no_other(self):
        kith, port = self.kith()
        montague = self.certificate(kith, "montague.example")
        message = "<message from='{}' to='{}'><body>b</body></message>"
        for sender, receiver, error in (("tybalt@capulet.example", "juliet@capulet.example", "invalid-from"),
                                        ("paris@verona.example", "juliet@capulet.example", "invalid-from"),
                                        ("romeo@montague.example.evil.example", "juliet@capulet.example", "invalid-from"),
                                        ("romeo@montague.example", "juliet@verona.example", "invalid-from"),
                                        ("", "juliet@capulet.example", "improper-addressing")):
            peer = Peer(self, port, certificate=montague).authenticate()
            peer.say(message.format(sender, receiver))
            peer.expect(f"<{error}")
        self.assertEqual(kith.metrics().get('kith_server_stanzas_total{direction="in"}', 0), 0)
        # The second stream header is for the domain that was proven.
        peer = Peer(self, port, certificate=montague)
        peer.say("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>")
        peer.expect("<success")
        peer.say(HEADER.format("verona.example"))
        peer.expect("<invalid-from")

    def bad_certificates(self, kith):
        """Of somebody who says that he is montague.example; by what is wrong with them."""
        trusted, strangers = kith.authority, kith.folder / "strangers"
        own = strangers / "own" / "fullchain.pem"
        own.parent.mkdir(parents=True)
        trusted._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                         "-subj", "/CN=montague.example", "-addext", "subjectAltName=DNS:montague.example",
                         "-keyout", own.parent / "privkey.pem", "-out", own)
        issue = lambda place, *names, **how: trusted.issue(strangers / place, "montague.example", names=names, **how)
        return {"it is not for montague.example but for verona.example": issue("another", "verona.example"),
                "it is not for montague.example but for sub.montague.example": issue("below", "sub.montague.example"),
                r"it is not for montague.example but for \*.montague.example": issue("wild", "*.montague.example"),
                "it is not trusted: certificate has expired": issue("late", "montague.example", days=-1),
                "it is not trusted: self.signed certificate$": own,
                "it is not trusted: self.signed certificate in certificate chain":
                    Authority(kith.folder / "stranger").issue(strangers / "unknown", "montague.example")}

    def test_who_answers_with_a_bad_certificate_is_told_nothing(self):
        kith, _ = self.kith()
        for problem, certificate in self.bad_certificates(kith).items():
            impostor = Impostor(self, certificate)
            kith.federation["hosts"]["montague.example"] = impostor.port
            kith.terminate()
            kith.start()
            done = kith.kithctl("federation", "check", "montague.example", check=False)
            self.assertRegex(done.stdout, f"(?m)--  certificate  {problem}")
            self.assertEqual(impostor.told.get(timeout=30), "</stream:stream>")

    def test_a_key_that_was_made_for_another_is_of_no_use(self):
        """Verona's server lets montague.example prove itself, with the stream id that capulet.example has given to Verona, and shows
        that key there in the name of montague.example."""
        capulet, montague = Kith(domains=("capulet.example",)), Kith(domains=("montague.example",))
        for kith in (capulet, montague):
            self.addCleanup(kith.remove)
        join(capulet, montague, require=False)
        capulet.start()
        thief = Peer(self, capulet.federation["port"])
        number = re.search("id='([^']*)'", thief.opened)[1]
        verona = Impostor(self, self.certificate(montague, "verona.example"), "verona.example", number)
        montague.federation["hosts"]["verona.example"] = verona.port
        montague.start()
        montague.kithctl("federation", "check", "verona.example", check=False)
        shown = re.search("<db:result from='montague.example' to='verona.example'>([0-9a-f]{64})</db:result>", verona.told.get(timeout=30))
        thief.say(DIALBACK.format("montague.example", shown[1]))
        thief.expect("type='invalid'(.|\n)*<not-authorized")
        capulet.wait_for_log("server_reached domain=montague.example")

    def test_what_is_not_in_the_certificate_is_not_believed(self):
        kith, port = self.kith()
        montague = self.certificate(kith, "montague.example")
        authzid = base64.b64encode(b"verona.example").decode()
        peer = Peer(self, port, certificate=montague)
        peer.say(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>{authzid}</auth>")
        peer.expect("<invalid-authzid")
        # Whose certificate is for another domain, of an authority that nobody trusts, or one that has lost its date.
        for certificate in self.bad_certificates(kith).values():
            peer = Peer(self, port, certificate=certificate)
            self.assertNotIn("EXTERNAL", peer.features)
            peer.say("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>")
            peer.expect("<not-authorized")

    def test_unsolicited_answers_and_acknowledgements_do_nothing(self):
        kith, port = self.kith()
        montague = self.certificate(kith, "montague.example")
        for text, error in (("<result xmlns='jabber:server:dialback' from='verona.example' to='capulet.example' type='valid'/>",
                             "improper-addressing"),
                            ("<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>", "<failed")):
            peer = Peer(self, port, certificate=montague).authenticate()
            peer.say(text)
            peer.expect(error)
        peer = Peer(self, port, certificate=montague).authenticate()
        peer.say("<a xmlns='urn:xmpp:sm:3' h='77'/><enable xmlns='urn:xmpp:sm:3'/><enable xmlns='urn:xmpp:sm:3'/><r xmlns='urn:xmpp:sm:3'/>")
        peer.expect("<enabled(.|\n)*<failed(.|\n)*<a [^>]*h='0'")

    def test_a_flood_of_stanzas_is_slowed_and_others_are_served(self):
        kith, port = self.kith()
        montague = self.certificate(kith, "montague.example")
        peer = Peer(self, port, certificate=montague).authenticate()
        message = "<message from='romeo@montague.example' to='nobody@capulet.example'><body>" + "x" * 10_000 + "</body></message>"
        peer.socket.settimeout(3)
        try:
            for _ in range(3000):
                peer.say(message)
        except OSError:
            pass  # It is not read any longer.
        other = Peer(self, port, certificate=montague).authenticate()
        other.say("<enable xmlns='urn:xmpp:sm:3'/><message from='romeo@montague.example' to='juliet@capulet.example'><body>hi</body>"
                  "</message><r xmlns='urn:xmpp:sm:3'/>")
        other.expect("<a [^>]*h='1'")
        self.assertLess(kith.memory_kib(), 400 * 1024)

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
