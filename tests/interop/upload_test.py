"""File upload (XEP-0363) with the running daemon: slots, bodies that are wrong, ranges, and the disk afterwards."""
import http.client
import os
import pathlib
import socket
import time
import unittest
import urllib.parse

from kith import Kith
from wire import Wire, error_of

UPLOAD = "{urn:xmpp:http:upload:0}"
FULL = os.environ.get("KITH_LONG") == "1"


class Uploads(unittest.TestCase):
    SETTINGS = "[modules.upload]\nfile_bytes = 3000000000\ndaily_bytes = 6000000000\n"

    @classmethod
    def setUpClass(cls):
        cls.kith = Kith(settings=cls.SETTINGS, limits={"http_requests_per_address": "10000/s"})
        # AddressSanitizer would keep more of a large file that was freed, to find later uses of it.
        cls.kith.environment["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "quarantine_size_mb=16")
        cls.enterClassContext(cls.kith)
        for name in ("juliet", "romeo"):
            cls.kith.add_user(name)

    def setUp(self):
        self.juliet = self.login("juliet")

    def login(self, name):
        wire = Wire(self.kith.port, authority=self.kith.authority.certificate).login(name)
        self.addCleanup(wire.close)
        return wire

    def slot(self, name="a.png", size=10, kind=None, inner="", wire=None):
        kind = f" content-type='{kind}'" if kind else ""
        return (wire or self.juliet).iq("get", f"<request xmlns='urn:xmpp:http:upload:0' filename='{name}' size='{size}'{kind}>{inner}"
                                        "</request>", "upload.example.org")

    def urls(self, *arguments, **more):
        answer = self.slot(*arguments, **more)
        slot = answer.find(UPLOAD + "slot")
        self.assertIsNotNone(slot, error_of(answer))
        for place in slot:
            self.assertTrue(place.get("url").startswith(f"https://example.org:{self.kith.https_port}/upload/"))
        return [urllib.parse.urlsplit(slot.find(UPLOAD + way).get("url")) for way in ("put", "get")]

    def ask(self, method, url, body=None, **fields):
        link = http.client.HTTPConnection("127.0.0.1", self.kith.http_port, timeout=60)
        self.addCleanup(link.close)
        link.request(method, url.path + ("?" + url.query if url.query else ""), body, {"Host": "example.org", **fields})
        answer = link.getresponse()
        return answer.status, answer.headers, answer.read()

    def files(self):
        """(files that are kept, files that are begun)"""
        folder = pathlib.Path(self.kith.folder) / "data" / "files"
        kept = [file for file in folder.glob("*/*") if file.parent.name != "tmp"]
        return len(kept), len(list((folder / "tmp").iterdir()))

    def settled(self, kept):
        """Waits until so many files are kept and none is begun."""
        end = time.monotonic() + 20
        while self.files() != (kept, 0):
            self.assertLess(time.monotonic(), end, f"{self.files()} and not {(kept, 0)}")
            self.ask("GET", urllib.parse.urlsplit("/.well-known/host-meta"))

    def test_a_file_is_put_and_got(self):
        kept = self.files()[0]
        put, get = self.urls("très cool.png", 10, "image/png")
        self.assertEqual(self.ask("GET", get)[0], 404)
        self.assertEqual(self.ask("PUT", put, b"0123456789", **{"Content-Type": "image/png"})[0], 201)
        status, fields, body = self.ask("GET", get)
        self.assertEqual((status, body), (200, b"0123456789"))
        self.assertEqual(fields["Content-Type"], "image/png")
        self.assertEqual(fields["X-Content-Type-Options"], "nosniff")
        self.assertIn("sandbox", fields["Content-Security-Policy"])
        self.assertEqual(fields["Access-Control-Allow-Origin"], "*")
        self.assertTrue(fields["Content-Disposition"].startswith("inline; filename*=UTF-8''tr%C3%A8s%20cool.png"))
        for wanted, status, part in (("bytes=2-4", 206, b"234"), ("bytes=7-", 206, b"789"), ("bytes=-2", 206, b"89"),
                                     ("bytes=0-999", 206, b"0123456789"), ("bytes=10-", 416, None), ("bytes=5-2", 200, b"0123456789"),
                                     ("bytes=0-1,3-4", 200, b"0123456789"), ("lines=1-2", 200, b"0123456789")):
            got = self.ask("GET", get, Range=wanted)
            self.assertEqual(got[0], status, wanted)
            if part is not None:
                self.assertEqual(got[2], part, wanted)
        self.assertEqual(self.ask("GET", get, **{"If-None-Match": fields["ETag"]})[0], 304)
        self.assertEqual(self.ask("GET", get, **{"If-None-Match": '"other"'})[0], 200)
        self.assertEqual(self.ask("GET", get, **{"If-Modified-Since": fields["Last-Modified"]})[0], 304)
        self.assertEqual(self.ask("HEAD", get)[1]["Content-Length"], "10")
        # Once, and for nothing else.
        self.assertEqual(self.ask("PUT", put, b"0123456789")[0], 409)
        self.assertEqual(self.ask("GET", get)[2], b"0123456789")
        self.settled(kept + 1)

    def test_the_administrator_sees_and_deletes_files(self):
        kept = self.files()[0]
        self.kith.add_user("mercutio")
        put, get = self.urls("balcony.png", 2000, "image/png", wire=self.login("mercutio"))
        self.assertEqual(self.ask("PUT", put, b"x" * 2000)[0], 201)
        number = get.path.split("/")[2]
        listed = self.kith.kithctl("upload", "list", "mercutio@example.org").stdout
        self.assertRegex(listed, rf"mercutio@example.org +balcony.png +2 .* {number}\n1 file, 1 MiB.\n$")
        self.assertIn(number, self.kith.kithctl("upload", "list").stdout)
        self.assertEqual(self.kith.kithctl("upload", "remove", get.geturl()).stdout, f"The file {number} was deleted.\n")
        self.assertEqual(self.ask("GET", get)[0], 404)
        self.settled(kept)
        again = self.kith.kithctl("upload", "remove", number, check=False)
        self.assertIn("There is no uploaded file", again.stderr)
        self.assertEqual(self.kith.kithctl("upload", "list", "mercutio@example.org").stdout, "No files are stored.\n")

    def test_what_is_not_what_the_slot_is_for(self):
        kept = self.files()[0]
        put, get = self.urls("a.png", 10, "image/png")
        other = self.urls("b.png", 10)[0]
        self.assertEqual(self.ask("PUT", put, b"x" * 11)[0], 400)
        self.assertEqual(self.ask("PUT", put, b"x" * 9)[0], 400)
        self.assertEqual(self.ask("PUT", put, b"x" * 10, **{"Content-Type": "text/html"})[0], 400)
        for wrong in (put._replace(query=""), put._replace(query=other.query), put._replace(path=other.path),
                      put._replace(query=put.query.replace("size=10", "size=11")), put._replace(path=put.path + "x"),
                      put._replace(query=put.query[:-1] + ("A" if put.query[-1] != "A" else "E"))):
            self.assertEqual(self.ask("PUT", wrong, b"x" * 10)[0], 403)
        self.assertEqual(self.ask("PUT", put, iter([b"x" * 10]), **{"Transfer-Encoding": "chunked"})[0], 411)
        for path in ("/upload", "/upload/", "/upload/abcd", "/upload/../kith.db", "/upload/..%2f..%2fkith.db/x", "/upload/tmp/x/y"):
            self.assertIn(self.ask("GET", get._replace(path=path))[0], (400, 404), path)
        self.assertEqual(self.ask("DELETE", get)[0], 405)
        self.settled(kept)

    def test_what_is_not_complete_leaves_nothing(self):
        kept = self.files()[0]
        put, get = self.urls("a.bin", 1_000_000)
        for sent in (0, 1, 999_999):
            link = socket.create_connection(("127.0.0.1", self.kith.http_port), 20)
            link.sendall(f"PUT {put.path}?{put.query} HTTP/1.1\r\nHost: example.org\r\nContent-Length: 1000000\r\n\r\n".encode() + b"x" * sent)
            if sent:
                end = time.monotonic() + 20
                while self.files()[1] == 0:
                    self.assertLess(time.monotonic(), end)
                    self.juliet.ping()
            link.close()
            self.settled(kept)
        self.assertEqual(self.ask("GET", get)[0], 404)
        self.assertEqual(self.ask("PUT", put, b"x" * 1_000_000)[0], 201)
        self.settled(kept + 1)

    def test_what_a_browser_would_run_is_a_download(self):
        for name, kind, content in (("a.html", "text/html", b"<script>alert(1)</script>"), ("a.svg", "image/svg+xml", b"<svg/>"),
                                    ("a.xml", "application/xml", b"<a/>"), ("a.js", "text/javascript", b"alert(1)"), ("a", None, b"?")):
            put, get = self.urls(name, len(content), kind)
            self.assertEqual(self.ask("PUT", put, content)[0], 201)
            fields = self.ask("GET", get)[1]
            self.assertEqual(fields["Content-Type"], "application/octet-stream", kind)
            self.assertTrue(fields["Content-Disposition"].startswith("attachment;"))
            self.assertIn("sandbox", fields["Content-Security-Policy"])
        # HTML that calls itself a picture stays one: nobody looks into it.
        put, get = self.urls("a.png", 8, "image/png")
        self.assertEqual(self.ask("PUT", put, b"<script>")[0], 201)
        fields = self.ask("GET", get)[1]
        self.assertEqual((fields["Content-Type"], fields["X-Content-Type-Options"]), ("image/png", "nosniff"))

    def test_slots_that_are_refused(self):
        self.assertEqual(error_of(self.slot(size=0)), ("modify", "bad-request"))
        self.assertEqual(error_of(self.slot(size="-1")), ("modify", "bad-request"))
        self.assertEqual(error_of(self.slot(name="")), ("modify", "bad-request"))
        too_large = self.slot(size=3_000_000_017)
        self.assertEqual(error_of(too_large), ("modify", "not-acceptable"))
        self.assertEqual(too_large.findtext(f".//{UPLOAD}max-file-size"), "3000000000")
        self.assertIsNotNone(self.slot(size=3_000_000_016, wire=self.login("romeo")).find(UPLOAD + "slot"))
        permanent = self.slot(inner="<permanent xmlns='urn:xmpp:http:upload:purpose:0'/>")
        self.assertEqual(error_of(permanent)[1], "feature-not-implemented")
        past = self.slot(inner="<ephemeral xmlns='urn:xmpp:http:upload:purpose:0' expire-before='2020-01-01T00:00:00Z'/>")
        self.assertEqual(error_of(past)[1], "bad-request")
        self.assertIsNotNone(self.slot(inner="<profile xmlns='urn:xmpp:http:upload:purpose:0'/>").find(UPLOAD + "slot"))

    def test_it_is_found(self):
        items = self.juliet.iq("get", "<query xmlns='http://jabber.org/protocol/disco#items'/>", "example.org")
        self.assertIn("upload.example.org", [item.get("jid") for item in items[0]])
        info = self.juliet.iq("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", "upload.example.org")
        self.assertIn("urn:xmpp:http:upload:0", [feature.get("var") for feature in info[0]])
        self.assertIn("3000000000", [value.text for value in info.iter("{jabber:x:data}value")])

    def test_a_day_has_its_quota_and_an_account_takes_its_files_along(self):
        kith = self.enterContext(Kith(settings="[modules.upload]\nfile_bytes = 100\ndaily_bytes = 250\n",
                                      limits={"http_requests_per_address": "10000/s"}))
        kith.add_user("juliet")
        own, self.kith = self.kith, kith
        self.addCleanup(setattr, self, "kith", own)
        self.juliet = self.login("juliet")
        for _ in range(2):
            put, get = self.urls("a.bin", 100)
            self.assertEqual(self.ask("PUT", put, b"x" * 100)[0], 201)
        self.assertEqual(error_of(self.slot("a.bin", 100)), ("wait", "resource-constraint"))
        self.assertIsNotNone(self.slot("a.bin", 50).find(UPLOAD + "slot"))
        self.settled(2)
        kith.kithctl("user", "remove", "juliet@example.org", "--yes")
        self.assertEqual(self.ask("GET", get)[0], 404)
        self.settled(0)

    def test_a_large_file_takes_no_memory(self):
        size = 2 * 1024 ** 3 if FULL else 64 * 1024 ** 2
        put, get = self.urls("film.mp4", size, "video/mp4")
        piece = os.urandom(1 << 20)
        before = self.kith.memory_kib()
        link = http.client.HTTPConnection("127.0.0.1", self.kith.http_port, timeout=120)
        self.addCleanup(link.close)
        link.request("PUT", f"{put.path}?{put.query}", (piece for _ in range(size >> 20)), {"Host": "example.org", "Content-Length": str(size)})
        answer = link.getresponse()
        self.assertEqual((answer.status, answer.read()), (201, b"The file is here.\n"))
        link.request("GET", get.path, headers={"Host": "example.org"})
        answer = link.getresponse()
        for _ in range(size >> 20):
            self.assertTrue(answer.read(1 << 20) == piece)
        self.assertLess(self.kith.memory_kib() - before, 48_000)  # with a sanitizer, freed memory stays for a while


if __name__ == "__main__":
    unittest.main()
