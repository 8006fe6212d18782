"""Bad input over real sockets and TLS: each ends in the error that RFC 6120 names, and another user notices nothing."""
import base64
import os
import time
import unittest

from kith import Kith
from wire import CLIENT, SASL, STREAMS, Failed, Wire, error_of, header

DEEP = "<a>" * 500
LONG_NAME = "a" * 5000
MANY_ATTRIBUTES = " ".join(f"a{number}='1'" for number in range(2000))


class Attacks(unittest.TestCase):
    """A witness is logged in all the time; after each test it must still be served, and promptly."""

    @classmethod
    def setUpClass(cls):
        cls.kith = Kith()
        cls.addClassCleanup(cls.kith.remove)
        cls.kith.start()
        for name in ("witness", "mallory"):
            cls.kith.add_user(name)
        cls.witness = cls.wire().login("witness", resource="watch")
        cls.addClassCleanup(cls.witness.close)

    @classmethod
    def wire(cls, direct=False, **more):
        return Wire(cls.kith.direct_port if direct else cls.kith.port, authority=cls.kith.authority.certificate, **more)

    def tearDown(self):
        mark = os.urandom(8).hex()
        self.witness.message(self.witness.jid, mark)
        self.witness.until(lambda element: element.tag == CLIENT + "message" and element.findtext(CLIENT + "body") == mark)
        with self.wire() as newcomer:
            newcomer.login("witness", resource="newcomer", available=False)

    def at(self, phase):
        """A connection of Mallory's: `tcp` before anything, `clear`, `tls` before login, or `in` after it."""
        wire = self.wire()
        self.addCleanup(wire.close)
        if phase == "clear":
            wire.open()
        elif phase == "tls":
            wire.starttls().open()
        elif phase == "in":
            wire.login("mallory")
        return wire

    def check(self, phases, text, *conditions):
        for phase in phases:
            with self.subTest(phase=phase, sent=text[:60]):
                wire = self.at(phase)
                wire.send(text)
                self.assertIn(wire.stream_error(), conditions)
                self.assertTrue(wire.closed_properly, "the stream was not closed by </stream:stream>")

    # --- XML ------------------------------------------------------------------------------------------------------------------

    def test_xml_that_is_not_well_formed(self):
        for text in ("<message></presence>", "<message to=juliet/>", "<message a='1' a='2'/>", "<message>]]></message>",
                     "<a:message/>", "<message a='<'/>", "<1/>", "</stream:strea>"):
            self.check(("clear", "tls", "in"), text, "not-well-formed", "invalid-xml", "bad-namespace-prefix")

    def test_what_xmpp_leaves_out_of_xml(self):
        for text in ("<!-- a comment -->", "<?php evil() ?>", "<message><!-- inside --></message>", "<message><?pi?></message>"):
            self.check(("clear", "tls", "in"), text, "restricted-xml")
        for text in ("<message>&evil;</message>", "<message a='&evil;'/>"):
            self.check(("clear", "tls", "in"), text, "restricted-xml", "not-well-formed")
        self.check(("clear", "in"), "<!DOCTYPE a>", "restricted-xml", "not-well-formed")

    def test_a_dtd_before_the_stream_expands_nothing(self):
        laughs = "".join(f'<!ENTITY l{n} "{"&l%d;" % (n - 1) * 10 if n else "lol"}">' for n in range(10))
        for dtd in (f"<!DOCTYPE stream [{laughs}]>", "<!DOCTYPE stream SYSTEM 'file:///etc/passwd'>"):
            self.check(("tcp",), "<?xml version='1.0'?>" + dtd + header().split("?>")[1], "restricted-xml")

    def test_other_encodings(self):
        for encoding in ("UTF-16", "ISO-8859-1", "US-ASCII", "x-unknown"):
            self.check(("tcp",), f"<?xml version='1.0' encoding='{encoding}'?>" + header().split("?>")[1], "unsupported-encoding")
        self.check(("tcp",), header().encode("utf-16"), "unsupported-encoding", "not-well-formed", "bad-format")

    def test_bytes_that_are_no_utf8(self):
        for bad in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x00", b"\x0b"):
            self.check(("tls", "in"), b"<message><body>" + bad + b"</body></message>",
                       "unsupported-encoding", "not-well-formed", "bad-format", "invalid-xml")

    def test_stanzas_beyond_the_limits(self):
        for text in (DEEP, f"<{LONG_NAME}/>", f"<message {MANY_ATTRIBUTES}/>", f"<message a='{'x' * 200_000}'/>",
                     "<message><body>" + "x" * 300_000, "<message>" + "<a/>" * 70_000):
            with self.subTest(sent=text[:40], size=len(text)):
                wire = self.at("in")
                try:
                    wire.send(text)
                except OSError:
                    pass  # it was closed before everything was sent: as well
                self.assertIn(wire.stream_error(), ("policy-violation", None))
        for text in (DEEP, f"<message {MANY_ATTRIBUTES}/>", "<message><body>" + "x" * 12_000):
            self.check(("clear", "tls"), text, "policy-violation")

    # --- streams --------------------------------------------------------------------------------------------------------------

    def test_stream_headers_that_are_wrong(self):
        for attributes, conditions in (({"xmlns:stream": "http://wrong.example/"}, ("invalid-namespace",)),
                                       ({"xmlns": "jabber:server"}, ("invalid-namespace",)),
                                       ({"to": "elsewhere.example"}, ("host-unknown",)),
                                       ({"to": "@@"}, ("host-unknown", "improper-addressing")),
                                       ({"version": None}, ("unsupported-version",)),
                                       ({"version": "0.9"}, ("unsupported-version",))):
            self.check(("tcp",), header(**attributes), *conditions)
        self.check(("tcp",), "<stream xmlns='http://etherx.jabber.org/strea' version='1.0' to='example.org'>", "invalid-namespace")
        self.check(("tcp",), "<html>", "bad-format", "invalid-namespace", "invalid-xml")

    def test_another_protocol_on_our_port(self):
        for text in (b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x00" * 100,
                     b"EHLO example.org\r\n"):
            with self.subTest(sent=text[:10]):
                wire = self.at("tcp")
                wire.send(text)
                self.assertIsNotNone(wire.stream_error())
        wire = self.wire(direct=True)
        wire.send(header())  # XML where TLS belongs
        self.assertEqual(wire.socket.recv(100)[:1] or b"\x15", b"\x15", "a TLS alert or nothing")
        wire.close()

    def test_an_end_is_answered_by_an_end(self):
        for phase in ("clear", "tls", "in"):
            with self.subTest(phase=phase):
                wire = self.at(phase)
                wire.send("</stream:stream>")
                self.assertIsNone(wire.stream_error())
                self.assertTrue(wire.closed_properly)

    def test_the_xml_declaration_always_comes_first(self):
        for phase in ("clear", "tls"):
            wire = self.at(phase)
            self.assertTrue(wire.raw.startswith((b"<?xml version='1.0'?>", b'<?xml version="1.0"?>')), wire.raw[:50])

    def test_stanzas_before_login(self):
        for text in ("<message to='witness@example.org'><body>hi</body></message>", "<presence/>",
                     "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
                     "<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"):
            self.check(("clear", "tls"), text, "not-authorized")

    def test_elements_that_are_no_stanza(self):
        self.check(("in",), "<greeting/>", "unsupported-stanza-type")
        self.check(("in",), "<message xmlns='jabber:server'/>", "invalid-namespace", "unsupported-stanza-type")
        self.check(("in",), "loose text", "bad-format", "invalid-xml", "not-well-formed")

    def test_from_is_not_ones_own(self):
        for sender in ("witness@example.org", "witness@example.org/watch", "example.org", "mallory@example.net", "@@"):
            self.check(("in",), f"<message from='{sender}' to='witness@example.org'><body>I am not who I say</body></message>",
                       "invalid-from")

    def test_to_is_no_address(self):
        wire = self.at("in")
        for to in ("@@", "a@b@c", "@example.org", "witness@", "&#9;@example.org", "x" * 1100 + "@example.org"):
            with self.subTest(to=to[:20]):
                wire.send(f"<iq type='get' id='{len(to)}' to='{to}'><ping xmlns='urn:xmpp:ping'/></iq>")
                self.assertEqual(error_of(wire.element()), ("modify", "jid-malformed"))

    def test_iqs_that_are_none(self):
        wire = self.at("in")
        for text in ("<iq type='get' id='1'/>", "<iq type='get' id='1'><a xmlns='x'/><b xmlns='x'/></iq>",
                     "<iq type='ask' id='1'><a xmlns='x'/></iq>", "<iq id='1'><a xmlns='x'/></iq>"):
            with self.subTest(sent=text):
                wire.send(text)
                self.assertEqual(error_of(wire.element()), ("modify", "bad-request"))
        wire.send("<iq type='get' id='2'><unknown xmlns='urn:example:unknown'/></iq>")
        self.assertEqual(error_of(wire.element()), ("cancel", "service-unavailable"))

    # --- TLS and SASL -----------------------------------------------------------------------------------------------------------

    def test_nothing_but_starttls_is_offered_in_clear(self):
        wire = self.at("tcp")
        features = wire.open()
        self.assertEqual([child.tag for child in features if "limits" not in child.tag],
                         ["{urn:ietf:params:xml:ns:xmpp-tls}starttls"])
        self.assertIsNotNone(features[0].find("{urn:ietf:params:xml:ns:xmpp-tls}required"))

    def test_no_login_in_clear(self):
        wire = self.at("clear")
        secret = base64.b64encode(b"\0mallory\0pencil").decode()
        wire.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>")
        kind, answer = wire.next()
        if kind == "element" and answer.tag == SASL + "failure":
            self.assertIn(answer[0].tag, (SASL + "encryption-required", SASL + "invalid-mechanism"))
        else:
            self.assertEqual((kind, answer.tag), ("element", STREAMS + "error"))

    def test_plaintext_behind_starttls_has_no_effect(self):
        secret = base64.b64encode(b"\0mallory\0pencil").decode()
        for injected in ("<presence/>", header(), " ",
                         header() + f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>"):
            with self.subTest(injected=injected[:30]):
                wire = self.at("clear")
                wire.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>" + injected)
                try:
                    if wire.next()[0] != "element":
                        continue  # closed without an answer
                    wire.tls()
                    features = wire.open()
                except (OSError, AssertionError):
                    continue  # no TLS came of it
                self.assertIsNotNone(features.find(SASL + "mechanisms"), "what was injected has logged in")

    def test_old_tls_and_weak_ciphers_are_refused(self):
        import ssl
        import warnings
        for spoil in ("version", "cipher"):
            with self.subTest(spoil=spoil), warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                wire = self.wire(direct=True)
                self.addCleanup(wire.close)
                context = wire.context()
                context.set_ciphers("ALL:@SECLEVEL=0")
                context.maximum_version = ssl.TLSVersion.TLSv1_2
                if spoil == "version":
                    context.minimum_version = ssl.TLSVersion.TLSv1
                    context.maximum_version = ssl.TLSVersion.TLSv1_1
                else:
                    context.set_ciphers("ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA384:AES128-SHA")
                with self.assertRaises((ssl.SSLError, ConnectionError)):
                    context.wrap_socket(wire.socket, server_hostname="example.org")

    def test_plain_takes_exactly_three_fields(self):
        for fields in (b"mallory\0pencil", b"\0mallory\0pencil\0", b"\0mallory\0pen\0cil", b"", b"\0\0", b"\0mallory\0", b"\0\0pencil",
                       b"\xff\0mallory\0pencil"):
            with self.subTest(fields=fields):
                wire = self.at("tls")
                with self.assertRaises(Failed) as refused:
                    wire._auth("PLAIN", fields)
                self.assertIn(refused.exception.condition, ("malformed-request", "not-authorized", "invalid-authzid"))

    def test_nobody_logs_in_as_another(self):
        wire = self.at("tls")
        with self.assertRaises(Failed) as refused:
            wire.plain("mallory", "pencil", authzid="witness@example.org")
        self.assertIn(refused.exception.condition, ("invalid-authzid", "not-authorized"))

    def test_failures_do_not_tell_what_was_wrong(self):
        for mechanism in ("SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"):
            answers = []
            for user, password in (("mallory", "wrong"), ("nobody", "wrong"), ("nobody", "pencil")):
                wire = self.at("tls")
                with self.assertRaises(Failed) as refused:
                    wire.scram(user, password, mechanism)
                answers.append((refused.exception.condition, wire.raw.split(b"<failure")[-1]))
            self.assertEqual(set(answers), {answers[0]})
            self.assertEqual(answers[0][0], "not-authorized")

    def test_the_same_unknown_user_gets_the_same_salt(self):
        def first(user):
            wire = self.at("tls")
            _, challenge = wire._auth("SCRAM-SHA-256", f"n,,n={user},r=abcdefgh".encode())
            fields = dict(part.split("=", 1) for part in challenge.decode().split(","))
            return fields["s"], fields["i"]
        self.assertEqual(first("nobody"), first("nobody"))
        self.assertNotEqual(first("nobody")[0], first("noone")[0])
        self.assertEqual(first("nobody")[1], first("mallory")[1])

    def test_sasl_out_of_order(self):
        for text in ("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>AAAA</response>",
                     "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='X-NONE'/>",
                     "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
                     "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>not base64!</auth>",
                     "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"):
            with self.subTest(sent=text):
                wire = self.at("tls")
                wire.send(text)
                answer = wire.element()
                self.assertIn(answer.tag, (SASL + "failure", STREAMS + "error"))

    def test_five_wrong_passwords_end_the_stream(self):
        wire = self.at("tls")
        secret = base64.b64encode(b"\0mallory\0wrong").decode()
        failures = 0
        while True:
            try:
                wire.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>")
            except OSError:
                break
            kind, element = wire.next()
            if kind != "element" or element.tag != SASL + "failure":
                break
            failures += 1
            self.assertLessEqual(failures, 5)
        self.assertGreaterEqual(failures, 4)

    # --- many at once -----------------------------------------------------------------------------------------------------------

    def test_a_talkative_user_is_slowed_and_harms_nobody(self):
        wire = self.at("in")
        wire.socket.settimeout(0.5)
        stanza = ("<message type='headline' to='mallory@example.org/gone'><body>" + "x" * 1000 + "</body></message>").encode() * 50
        try:
            for _ in range(100):  # 5 MB: more than any buffer on the way takes
                wire.socket.sendall(stanza)
        except OSError:
            pass  # back-pressure, or the end
        self.witness.ping()


class Guessing(unittest.TestCase):
    """One who tries passwords and does not wait for answers that are held back, but comes again by another connection."""

    def test_dropped_connections_buy_no_guesses_and_others_log_in(self):
        with Kith(limits={"failed_logins_per_address_rate": "1/min burst 2"}) as kith:
            kith.add_user("juliet")

            def wire(source):
                made = Wire(kith.port, authority=kith.authority.certificate, source=source)
                self.addCleanup(made.close)
                made.starttls()
                made.open()
                return made

            def failures():
                return kith.metrics().get("kith_failed_logins_total", 0)

            for guess in range(4):  # the burst of two, and a minute's worth in debt, which is one and the one that goes beyond
                guesser = wire("127.0.0.9")
                guesser.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>"
                             f"{base64.b64encode(f'{chr(0)}juliet{chr(0)}{guess}'.encode()).decode()}</auth>")
                until(lambda: failures() == guess + 1, "the guess was counted")
                guesser.close()
            for user, password in (("juliet", "pencil"), ("juliet", "wrong"), ("nobody", "wrong")):
                with self.assertRaises(Failed) as refused:
                    wire("127.0.0.9").plain(user, password)
                self.assertEqual(refused.exception.condition, "temporary-auth-failure")
            wire("127.0.0.8").plain("juliet", "pencil")


def until(holds, what, seconds=20):
    """Asks again until it holds: for what only the daemon's metrics can tell."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"not in {seconds} s: {what}")


if __name__ == "__main__":
    unittest.main()
