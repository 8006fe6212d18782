"""XMPP over WebSocket (RFC 7395) with the running daemon: whole conversations, resumption, and clients that break the rules."""
import json
import ssl
import struct
import unittest
import urllib.request
import xml.etree.ElementTree as ET

from kith import Kith, running_kith
from websocket import BINARY, CLOSE, FRAMING, PING, PONG, TEXT, WebWire, frame
from wire import CLIENT, STREAMS, Failed, Wire, error_of, server_end_point

SM = "{urn:xmpp:sm:3}"


class WebSockets(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kith = cls.enterClassContext(Kith())
        for name in ("juliet", "romeo"):
            cls.kith.add_user(name)

    def web(self, **more):
        wire = WebWire(self.kith, **more)
        self.addCleanup(wire.close)
        return wire

    def wire(self):
        wire = Wire(self.kith.port, authority=self.kith.authority.certificate)
        self.addCleanup(wire.close)
        return wire

    def test_two_people_talk_one_of_them_by_websocket(self):
        juliet = self.web().login("juliet", resource="balcony")
        romeo = self.wire().login("romeo", resource="orchard")
        romeo.message(juliet.jid, "good <b>night</b>".replace("<", "&lt;"))
        self.assertEqual(juliet.next_message().findtext(CLIENT + "body"), "good <b>night</b>".replace("&lt;", "<"))
        juliet.message(romeo.jid, "ünïcode 🌹" * 2000)
        self.assertEqual(romeo.next_message().findtext(CLIENT + "body"), "ünïcode 🌹" * 2000)
        juliet.send("</stream:stream>")
        self.assertEqual(juliet.next()[0], "close")
        self.assertEqual(juliet.next()[0], "eof")
        self.assertEqual(juliet.closed, 1000)

    def test_every_message_stands_for_itself(self):
        web = self.web()
        features = web.open()
        self.assertEqual(web.opened.get("from"), "example.org")
        self.assertEqual(web.opened.get("version"), "1.0")
        self.assertTrue(web.opened.get("id"))
        self.assertIsNone(features.find("{urn:ietf:params:xml:ns:xmpp-tls}starttls"), "TLS is not for here (RFC 7395 §3.9)")
        self.assertIn("xmlns:stream=", web.messages[-1])
        self.assertTrue(all(text.startswith("<") and not text.startswith("<?xml") for text in web.messages))

    def test_logins_are_bound_to_the_channel_as_over_tcp(self):
        web = self.web()
        web.features = web.open()
        self.assertIn("SCRAM-SHA-256-PLUS", web.mechanisms())
        web.scram("juliet", "pencil", "SCRAM-SHA-256-PLUS", binding=("tls-server-end-point", server_end_point(web)))
        web.open()
        web.bind()
        wrong = self.web()
        wrong.features = wrong.open()
        with self.assertRaises(Failed):
            wrong.scram("juliet", "pencil", "SCRAM-SHA-256-PLUS", binding=("tls-server-end-point", bytes(32)))
        # Behind a proxy TLS is not ours.
        proxied = self.web(tls=False, fields={"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"})
        proxied.features = proxied.open()
        self.assertFalse([name for name in proxied.mechanisms() if name.endswith("-PLUS")])
        proxied.scram("juliet", "pencil")
        proxied.open()
        proxied.bind("proxied")
        self.assertIn("203.0.113.7", self.kith.kithctl("sessions").stdout)

    def test_sasl2_and_bind2(self):
        web = self.web()
        web.features = web.open()
        web.scram2("juliet", "pencil", "<bind xmlns='urn:xmpp:bind:0'><tag>web</tag><enable xmlns='urn:xmpp:sm:3' resume='true'/></bind>")
        self.assertIn("juliet@example.org/web", web.success.findtext("{urn:xmpp:sasl:2}authorization-identifier"))
        self.assertEqual(web.ping().get("type"), "result")

    def test_a_session_is_resumed_by_websocket_and_by_tcp(self):
        romeo = self.wire().login("romeo", resource="orchard")
        web = self.web().login("juliet", resource="resumed", available=True)
        web.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
        enabled = web.until(lambda element: element.tag == SM + "enabled")
        web.socket.close()
        romeo.message(web.jid, "while you were away")
        for again in (self.web(), self.wire()):
            again.starttls()
            again.features = again.open()
            again.scram("juliet", "pencil")
            again.open()
            again.send(f"<resume xmlns='urn:xmpp:sm:3' previd='{enabled.get('id')}' h='0'/>")
            self.assertEqual(again.until(lambda element: element.tag in (SM + "resumed", SM + "failed")).tag, SM + "resumed")
            self.assertEqual(again.next_message().findtext(CLIENT + "body"), "while you were away")
            again.socket.close()

    def test_a_message_may_come_in_pieces_with_pings_between(self):
        web = self.web().login("juliet", resource="pieces")
        web.send_frame("<iq type='get' id='p'><pi", last=False)
        web.send_frame("still there?", PING)
        web.send_frame("ng xmlns='urn:xmpp:ping'", 0, last=False)
        web.send_frame("/></iq>", 0)
        self.assertEqual(web.read_frame(), (PONG, b"still there?"))
        self.assertEqual(web.element().get("id"), "p")
        web.send_frame(struct.pack(">H", 1000) + b"bye", CLOSE)
        self.assertEqual(web.read_frame(), (CLOSE, struct.pack(">H", 1000) + b"bye"))
        self.assertIsNone(web.read_frame())

    def test_frames_that_break_the_rules(self):
        cases = {"not masked": (frame("<a/>", masked=False), 1002), "reserved": (frame("<a/>", reserved=0x40), 1002),
                 "unknown": (frame("<a/>", 5), 1002), "binary": (frame("<a/>", BINARY), 1003),
                 "a ping in pieces": (frame("x", PING, last=False), 1002), "a long ping": (frame("x" * 126, PING), 1002),
                 "no beginning": (frame("x", 0), 1002), "two at once": (frame("<a", last=False) + frame("<b/>"), 1002),
                 "not UTF-8": (frame(b"<a>\xff</a>"), 1007), "too large": (frame("<a>" + "x" * 20_000), 1009),
                 "2^63": (b"\x81\xff\x80" + bytes(7) + b"mask", 1009),
                 "without end": (frame("<a>", last=False) + frame("x", 0, last=False) * 200, 1009),
                 "pings without end": (frame("x", PING) * 100, 1008)}
        for name, (sent, code) in cases.items():
            with self.subTest(name):
                web = self.web()
                web.open()
                web.socket.sendall(sent)
                self.assertEqual(web.next()[0], "eof")
                self.assertEqual(web.closed, code)

    def test_messages_that_are_no_elements(self):
        for text, condition in (("<iq type='get'", "bad-format"), ("hello", "bad-format"), ("<a><b></a>", "not-well-formed"),
                                ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "restricted-xml"), ("<a>&b;</a>", "restricted-xml"),
                                ("<?pi?><a/>", "restricted-xml"), ("<!-- a --><a/>", "restricted-xml")):
            with self.subTest(text):
                web = self.web()
                web.open()
                web.send_frame(text)
                self.assertEqual(web.stream_error(), condition)
                self.assertIn("close", web.messages[-1])

    def test_a_wrong_header_is_answered_by_a_stream_error(self):
        web = self.web()
        web.send_frame("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='elsewhere.example' version='1.0'/>")
        self.assertEqual(web.next()[0], "open")
        self.assertEqual(web.stream_error(), "host-unknown")

    def test_who_may_ask_and_how(self):
        self.assertEqual(self.web(fields={"Sec-WebSocket-Protocol": None}).status, 400)
        self.assertEqual(self.web(fields={"Sec-WebSocket-Protocol": "chat, xmpp"}).status, 101)
        self.assertEqual(self.web(fields={"Sec-WebSocket-Key": "short"}).status, 400)
        self.assertEqual(self.web(fields={"Sec-WebSocket-Version": "8"}).status, 426)
        self.assertEqual(self.web(fields={"Upgrade": None}).status, 426)
        self.assertEqual(self.web(fields={"Host": "elsewhere.example"}).status, 421)
        self.assertEqual(self.web(fields={"Origin": "https://anywhere.example"}).status, 101)
        # In the clear only on this machine.
        self.assertEqual(self.web(tls=False).status, 101)
        self.assertEqual(self.web(tls=False, fields={"X-Forwarded-For": "203.0.113.7"}).status, 403)

    def test_origins_can_be_named(self):
        kith = running_kith(self, settings='[http]\norigins = ["https://chat.example.org"]')
        for origin, status in ((None, 101), ("https://chat.example.org", 101), ("https://evil.example", 403), ("null", 403),
                               (f"https://example.org:{kith.https_port}", 101)):
            wire = WebWire(kith, fields={"Origin": origin})
            self.assertEqual(wire.status, status, origin)
            wire.close()

    def test_where_it_is_can_be_asked(self):
        def fetch(path):
            context = ssl.create_default_context(cafile=str(self.kith.authority.certificate))
            context.check_hostname = False
            request = urllib.request.Request(f"https://127.0.0.1:{self.kith.https_port}{path}", headers={"Host": "example.org"})
            with urllib.request.urlopen(request, context=context, timeout=20) as answer:
                self.assertEqual(answer.headers["Access-Control-Allow-Origin"], "*")
                return answer.read()
        place = f"wss://example.org:{self.kith.https_port}/xmpp-websocket"
        links = ET.fromstring(fetch("/.well-known/host-meta"))
        self.assertEqual([(link.get("rel"), link.get("href")) for link in links],
                         [("urn:xmpp:alt-connections:websocket", place)])
        self.assertEqual(json.loads(fetch("/.well-known/host-meta.json")),
                         {"links": [{"rel": "urn:xmpp:alt-connections:websocket", "href": place}]})


if __name__ == "__main__":
    unittest.main()
