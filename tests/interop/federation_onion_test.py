"""Onion services: a Kith whose domain is one, called through a SOCKS5 proxy as Tor's, with a certificate that nobody knows."""
import socket
import struct
import threading
import unittest

from federation_attack_test import DIALBACK, Peer
from kith import Kith, free_port, join
from slix import Conversation

ONION = "a" * 55 + "d.onion"
JULIET, ROMEO = "juliet@capulet.example", f"romeo@{ONION}"


class Proxy:
    """Puts through to the ports of `places` by name and port; everything else is unreachable."""

    def __init__(self, test, places):
        self.places, self.asked = places, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self._start(self._serve)
        test.addCleanup(self.close)

    @staticmethod
    def _start(work, *arguments):
        threading.Thread(target=work, args=arguments, daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _serve(self):
        while True:
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            self._start(self._put_through, link)

    def _put_through(self, link):
        def take(count):
            data = b""
            while len(data) < count:
                piece = link.recv(count - len(data))
                if not piece:
                    raise ConnectionError
                data += piece
            return data
        with link:
            try:
                take(take(2)[1])
                link.sendall(b"\5\0")
                _, command, _, kind, length = take(5)
                assert (command, kind) == (1, 3), "only connections by name"
                place = (take(length).decode(), *struct.unpack(">H", take(2)))
                self.asked.append(place)
                if place not in self.places:
                    return link.sendall(b"\5\4\0\1" + bytes(6))
                with socket.create_connection(("127.0.0.1", self.places[place])) as other:
                    # In pieces, as networks do it.
                    for byte in b"\5\0\0\1" + bytes(6):
                        link.sendall(bytes([byte]))
                    back = threading.Thread(target=self._pump, args=(other, link), daemon=True)
                    back.start()
                    self._pump(link, other)
                    back.join()
            except OSError:
                pass  # One of the two has gone.

    @staticmethod
    def _pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class Onions(Conversation):
    def setUp(self):
        self.capulet = Kith(domains=("capulet.example",))
        self.onion = Kith(domains=(ONION, "far.example"))
        for kith in (self.capulet, self.onion):
            self.addCleanup(kith.remove)
            join(kith)
        place = self.onion.federation["port"]
        self.proxy = Proxy(self, {(ONION, 5269): place, (ONION, 7777): place})
        self.capulet.federation["hosts"]["far.example"] = f"{ONION}:7777"
        self.onion.federation["hosts"]["capulet.example"] = self.capulet.federation["port"]
        self.onion.federation["trusted"].write_bytes(self.capulet.authority.certificate.read_bytes())

    def start(self, proxy=True):
        if proxy:
            self.capulet.federation["proxy"] = f"127.0.0.1:{self.proxy.port}"
        self.capulet.start()
        self.onion.start()

    def check(self, domain):
        return self.capulet.kithctl("federation", "check", domain, check=False).stdout

    async def test_people_talk_with_those_of_an_onion_service(self):
        self.start()
        self.capulet.add_user(JULIET)
        self.onion.add_user(ROMEO)
        juliet = await self.client(self.capulet, JULIET).login()
        romeo = await self.client(self.onion, ROMEO).login()
        for one, other in ((romeo, juliet), (juliet, romeo)):
            one.send_message(mto=other.boundjid, mbody="through the proxy", mtype="chat")
            self.assertEqual((await other.message())["body"], "through the proxy")
        self.capulet.wait_for_log(f"server_proven domain={ONION} how=dialback")
        self.assertEqual(set(self.proxy.asked), {(ONION, 5269)})

    def test_its_address_proves_who_it_is_and_nothing_else(self):
        self.start()
        self.assertRegex(self.check(ONION), "(?s)ok  connection .*ok  certificate  it does not matter.*ok  login")
        # Where a name of DNS is only said to be an onion service, it shows a certificate, as everybody.
        self.assertRegex(self.check("far.example"), "(?s)ok  connection .*--  certificate  it is not trusted: self.signed")
        # Nobody else becomes one by saying so.
        thief = Peer(self, self.capulet.federation["port"], name=ONION)
        thief.say(DIALBACK.format(ONION, "0" * 64))
        thief.expect("type='invalid'(.|\n)*<not-authorized")

    def test_what_the_proxy_says_is_told(self):
        self.start()
        self.assertIn("the proxy finds the host unreachable", self.check("b" * 55 + "d.onion"))
        self.capulet.terminate()
        self.capulet.federation["proxy"] = f"127.0.0.1:{free_port()}"
        self.capulet.start()
        self.assertIn("--  connection", self.check(ONION))

    def test_without_a_proxy_there_is_no_way(self):
        self.start(proxy=False)
        self.assertIn("no proxy for these is configured", self.check(ONION))
        self.assertIn("--  connection", self.check("far.example"))
        thief = Peer(self, self.capulet.federation["port"], name=ONION)
        thief.say(DIALBACK.format(ONION, "0" * 64))
        thief.expect("type='error'(.|\n)*<not-authorized")


if __name__ == "__main__":
    unittest.main()
