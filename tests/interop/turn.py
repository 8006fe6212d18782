"""A client of a TURN server, just enough to be let in and to send something through it (RFC 8489, RFC 8656); over UDP."""
import hashlib
import hmac
import os
import socket
import struct

COOKIE = 0x2112A442
ALLOCATE, SEND_INDICATION, CREATE_PERMISSION = 0x003, 0x016, 0x008
SUCCESS, ERROR = 0x100, 0x110
USERNAME, INTEGRITY, ERROR_CODE, PEER, DATA, REALM, NONCE, RELAYED, TRANSPORT = (
    0x06, 0x08, 0x09, 0x12, 0x13, 0x14, 0x15, 0x16, 0x19)


class Refused(Exception):
    """The server says no; `code` says why: 401 for somebody that it does not know."""

    def __init__(self, code):
        super().__init__(f"the TURN server answers {code}")
        self.code = code


def _attribute(kind, value):
    return struct.pack(">HH", kind, len(value)) + value + b"\0" * (-len(value) % 4)


def _address(host, port):
    return struct.pack(">BBHI", 0, 1, port ^ (COOKIE >> 16), struct.unpack(">I", socket.inet_aton(host))[0] ^ COOKIE)


class Turn:
    def __init__(self, port, username, password, seconds=10):
        self.server = ("127.0.0.1", port)
        self.username, self.password = username.encode(), password.encode()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(seconds)
        self.realm = self.nonce = None

    def close(self):
        self.socket.close()

    def allocate(self):
        """The address (host, port) that the server relays from now on."""
        try:
            self._ask(ALLOCATE, [(TRANSPORT, b"\x11\0\0\0")])
        except Refused as refused:
            if refused.code != 401 or self.realm is None:
                raise
        answer = self._ask(ALLOCATE, [(TRANSPORT, b"\x11\0\0\0")])
        _, _, port, host = struct.unpack(">BBHI", answer[RELAYED])
        return socket.inet_ntoa(struct.pack(">I", host ^ COOKIE)), port ^ (COOKIE >> 16)

    def send_to(self, host, port, data):
        self._ask(CREATE_PERMISSION, [(PEER, _address(host, 0))])
        self._send(SEND_INDICATION, [(PEER, _address(host, port)), (DATA, data)], signed=False)

    def _send(self, method, attributes, signed):
        transaction = os.urandom(12)
        body = b"".join(_attribute(*one) for one in attributes)
        if signed:
            body += _attribute(USERNAME, self.username) + _attribute(REALM, self.realm) + _attribute(NONCE, self.nonce)
            key = hashlib.md5(b":".join((self.username, self.realm, self.password))).digest()
            head = struct.pack(">HHI", method, len(body) + 24, COOKIE) + transaction
            body += _attribute(INTEGRITY, hmac.new(key, head + body, hashlib.sha1).digest())
        message = struct.pack(">HHI", method, len(body), COOKIE) + transaction + body
        self.socket.sendto(message, self.server)
        return transaction

    def _ask(self, method, attributes):
        transaction = self._send(method, attributes, signed=self.realm is not None)
        while True:
            packet = self.socket.recv(2048)
            kind, length = struct.unpack(">HH", packet[:4])
            if packet[8:20] == transaction:
                break
        found, at = {}, 20
        while at < 20 + length:
            name, size = struct.unpack(">HH", packet[at:at + 4])
            found[name] = packet[at + 4:at + 4 + size]
            at += 4 + size + -size % 4
        if kind == method | SUCCESS:
            return found
        assert kind == method | ERROR, hex(kind)
        self.realm, self.nonce = found.get(REALM, self.realm), found.get(NONCE, self.nonce)
        raise Refused(found[ERROR_CODE][2] * 100 + found[ERROR_CODE][3])
