"""HTTP with the running daemon: what is served, what is refused, and who is let go."""
import http.client
import re
import socket
import ssl
import time
import unittest

from kith import Kith, running_kith

GET = b"GET /.well-known/host-meta HTTP/1.1\r\nHost: example.org\r\n\r\n"


class Http(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kith = cls.enterClassContext(Kith(limits={"http_head_time": "2 s", "http_idle_time": "2 s", "http_requests_per_address": "1000/s"}))

    def dial(self):
        link = socket.create_connection(("127.0.0.1", self.kith.http_port), 20)
        self.addCleanup(link.close)
        return link

    @staticmethod
    def read(link):
        """All that comes until the server closes."""
        received = b""
        try:
            while piece := link.recv(65536):
                received += piece
        except ConnectionResetError:
            pass
        return received

    def raw(self, sent):
        """The statuses that the server answers with before it closes."""
        link = self.dial()
        link.sendall(sent)
        return [int(status) for status in re.findall(rb"(?:^|\n)HTTP/1.1 (\d+)", self.read(link))]

    def test_requests_on_one_connection(self):
        context = ssl.create_default_context(cafile=str(self.kith.authority.certificate))
        context.check_hostname = False
        context.set_alpn_protocols(["h2", "http/1.1"])
        for link in (http.client.HTTPConnection("127.0.0.1", self.kith.http_port),
                     http.client.HTTPSConnection("127.0.0.1", self.kith.https_port, context=context)):
            for method in ("GET", "HEAD", "OPTIONS", "GET"):
                link.request(method, "/.well-known/host-meta", headers={"Host": "example.org"})
                answer = link.getresponse()
                self.assertEqual(answer.status, 204 if method == "OPTIONS" else 200)
                self.assertEqual(answer.headers["Access-Control-Allow-Origin"], "*")
                self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")
                self.assertEqual(bool(answer.read()), method == "GET")
            link.request("DELETE", "/.well-known/host-meta", headers={"Host": "example.org"})
            answer = link.getresponse()
            self.assertEqual((answer.status, answer.headers["Allow"]), (405, "OPTIONS, GET, HEAD"))
            answer.read()
            link.close()

    def test_who_speaks_another_protocol_by_tls_is_refused(self):
        context = ssl._create_unverified_context()
        context.set_alpn_protocols(["xmpp-client"])
        with self.assertRaises(ssl.SSLError):
            context.wrap_socket(socket.create_connection(("127.0.0.1", self.kith.https_port), 20))

    def test_what_can_be_read_in_two_ways_is_refused_once(self):
        def post(lines, body):
            return b"POST / HTTP/1.1\r\nHost: example.org\r\n" + lines + b"\r\n" + body
        hidden = GET
        for name, sent, status in (
                ("CL.TE", post(b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + hidden), 400),
                ("TE.CL", post(b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", b"5c\r\n" + hidden), 400),
                ("two lengths", post(b"Content-Length: 0\r\nContent-Length: 60\r\n", hidden), 400),
                ("a list of lengths", post(b"Content-Length: 0, 0\r\n", hidden), 400),
                ("a sign", post(b"Content-Length: +0\r\n", hidden), 400),
                ("a space before the colon", post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n" + hidden), 400),
                ("a folded line", post(b"X: y\r\n Transfer-Encoding: chunked\r\n", b"0\r\n\r\n" + hidden), 400),
                ("a bare LF", post(b"X: y\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + hidden), 400),
                ("a bare CR", post(b"X: y\rTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + hidden), 400),
                ("another coding", post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n" + hidden), 501),
                ("NUL", post(b"X: \0\r\n", hidden), 400),
                ("two hosts", b"GET / HTTP/1.1\r\nHost: example.org\r\nHost: example.org\r\n\r\n" + hidden, 400),
                ("no host", b"GET / HTTP/1.1\r\n\r\n" + hidden, 400),
                ("another host", b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n" + hidden, 421),
                ("HTTP/0.9", b"GET /\r\n" + hidden, 400),
                ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", None)):
            with self.subTest(name):
                got = self.raw(sent)
                self.assertEqual(len(got), 1, got)
                self.assertTrue(got[0] == status if status else got[0] in (400, 505), got)

    def test_paths_that_lead_elsewhere(self):
        for path in (b"/../etc/passwd", b"/.well-known/../../etc/passwd", b"/%2e%2e/etc/passwd", b"/..%2fetc/passwd", b"/a%00b",
                     b"/%c0%ae%c0%ae/etc/passwd", b"//etc/passwd", b"/a\\b", b"/%5c..%5c", b"/%0d%0aX:y", b"/%", b"etc/passwd"):
            with self.subTest(path):
                self.assertEqual(self.raw(b"GET " + path + b" HTTP/1.1\r\nHost: example.org\r\n\r\n"), [400])
        self.assertEqual(self.raw(b"GET /%252e%252e/x HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n"), [404])

    def test_heads_that_are_huge_or_endless(self):
        start = b"GET / HTTP/1.1\r\nHost: example.org\r\n"
        self.assertEqual(self.raw(b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\nHost: example.org\r\n\r\n"), [414])
        self.assertEqual(self.raw(start + b"X: " + b"y" * 5000 + b"\r\n\r\n"), [431])
        self.assertEqual(self.raw(start + b"X: y\r\n" * 65 + b"\r\n"), [431])
        self.assertEqual(self.raw(start + b"X: yyyyyyyyy\r\n" * 2000), [431])
        before = self.kith.memory_kib()
        for _ in range(20):
            self.assertEqual(self.raw(start + b"z" * 1_000_000), [431])
        self.assertLess(self.kith.memory_kib() - before, 16_000)

    def test_who_is_slow_is_let_go(self):
        begun = time.monotonic()
        link = self.dial()
        link.sendall(b"GET / HTTP/1.1\r\nHos")
        self.assertIn(b"HTTP/1.1 408 ", self.read(link))
        link = self.dial()
        link.sendall(GET)
        self.assertIn(b"HTTP/1.1 200 ", self.read(link))  # … and the end, when nothing more is asked
        self.assertLess(time.monotonic() - begun, 15)

    def test_many_requests_ahead_are_answered_in_order(self):
        link = self.dial()
        link.sendall((GET + b"GET /none HTTP/1.1\r\nHost: example.org\r\n\r\n") * 20
                     + GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        self.assertEqual(re.findall(rb"HTTP/1.1 (\d+)", self.read(link)), [b"200", b"404"] * 20 + [b"200"])

    def test_one_address_may_not_ask_without_end(self):
        kith = running_kith(self, limits={"http_requests_per_address": "1/s burst 10"})
        link = socket.create_connection(("127.0.0.1", kith.http_port), 20)
        self.addCleanup(link.close)
        link.sendall(GET * 30)
        answers = re.findall(rb"HTTP/1.1 (\d+)", self.read(link))
        self.assertEqual(answers[-1], b"429")
        self.assertLess(len(answers), 20)
        # Another client of the same proxy has its own count.
        link = socket.create_connection(("127.0.0.1", kith.http_port), 20)
        self.addCleanup(link.close)
        link.sendall(GET.replace(b"\r\n\r\n", b"\r\nX-Forwarded-For: 203.0.113.8\r\nConnection: close\r\n\r\n"))
        self.assertIn(b"HTTP/1.1 200 ", self.read(link))


if __name__ == "__main__":
    unittest.main()
