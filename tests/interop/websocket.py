"""The client that does exactly what a test writes, over a WebSocket (RFC 7395): frames by hand, since no library sends wrong ones."""
import base64
import hashlib
import os
import re
import struct
import xml.etree.ElementTree as ET

from wire import STREAMS, Ended, Wire

FRAMING = "{urn:ietf:params:xml:ns:xmpp-framing}"
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(payload, opcode=TEXT, *, last=True, masked=True, reserved=0):
    payload = payload.encode() if isinstance(payload, str) else payload
    first = (0x80 if last else 0) | reserved | opcode
    bit = 0x80 if masked else 0
    if len(payload) < 126:
        head = struct.pack(">BB", first, bit | len(payload))
    elif len(payload) < 65536:
        head = struct.pack(">BBH", first, bit | 126, len(payload))
    else:
        head = struct.pack(">BBQ", first, bit | 127, len(payload))
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


class WebWire(Wire):
    """Over TLS unless `tls` is False; `fields`: further headers of the request, or others instead."""

    def __init__(self, kith, *, tls=True, fields=None, path="/xmpp-websocket", **more):
        super().__init__(kith.https_port if tls else kith.http_port, authority=kith.authority.certificate, **more)
        self._encrypted = tls
        self._rest = b""
        self.messages = []  # as they came
        self.closed = None  # the code that the server closed with
        if tls:
            context = self.context()
            context.set_alpn_protocols(["http/1.1"])
            self.socket = context.wrap_socket(self.socket, server_hostname=self.domain)
        key = base64.b64encode(os.urandom(16)).decode()
        asked = {"Host": self.domain, "Upgrade": "websocket", "Connection": "keep-alive, Upgrade", "Sec-WebSocket-Key": key,
                 "Sec-WebSocket-Version": "13", "Sec-WebSocket-Protocol": "xmpp", **(fields or {})}
        request = f"GET {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in asked.items() if value is not None)
        self.socket.sendall((request + "\r\n").encode())
        while b"\r\n\r\n" not in self._rest:
            received = self.socket.recv(65536)
            if not received:
                break
            self._rest += received
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        self.head = head.decode()
        self.status = int(self.head.split(" ")[1])
        if self.status == 101:
            accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
            assert f"Sec-WebSocket-Accept: {accept}" in self.head and "Sec-WebSocket-Protocol: xmpp" in self.head, self.head

    def restart_parser(self):
        self._ready = []
        self.raw = b""

    def send(self, text):
        # The steps of a login write a stream's header.
        if text.startswith("<?xml"):
            attributes = re.sub(r" xmlns(:\w+)?='[^']*'", "", re.search(r"<stream:stream(.*)>", text)[1])
            text = f"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing'{attributes}/>"
        elif text == "</stream:stream>":
            text = "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>"
        self.socket.sendall(frame(text))

    def send_frame(self, *arguments, **more):
        self.socket.sendall(frame(*arguments, **more))

    def read_frame(self):
        """(opcode, payload), or None at the end."""
        while True:
            if len(self._rest) >= 2:
                assert self._rest[0] & 0x80 and not self._rest[1] & 0x80, "the server sends whole frames, and not masked"
                length, start = self._rest[1] & 0x7F, 2
                if length == 126 and len(self._rest) >= 4:
                    length, start = struct.unpack(">H", self._rest[2:4])[0], 4
                elif length == 127 and len(self._rest) >= 10:
                    length, start = struct.unpack(">Q", self._rest[2:10])[0], 10
                elif length >= 126:
                    length = 1 << 62
                if len(self._rest) >= start + length:
                    opcode, payload = self._rest[0] & 0x0F, self._rest[start:start + length]
                    self._rest = self._rest[start + length:]
                    return opcode, payload
            try:
                received = self.socket.recv(65536)
            except (ConnectionResetError, BrokenPipeError, OSError):
                received = b""
            if not received:
                return None
            self._rest += received

    def next(self):
        while True:
            if self._ready:
                return self._ready.pop(0)
            got = self.read_frame()
            if got is None:
                return "eof", None
            opcode, payload = got
            if opcode == CLOSE:
                self.closed = struct.unpack(">H", payload[:2])[0] if payload else 0
                continue
            if opcode != TEXT:
                continue
            self.raw += payload
            self.messages.append(payload.decode())
            element = ET.fromstring(payload)  # whole, and well-formed by itself
            if element.tag == FRAMING + "open":
                return "open", element
            if element.tag == FRAMING + "close":
                return "close", None
            return "element", element

    def starttls(self, sni=True):
        return self

    def tls(self, alpn=False, sni=True):
        return self

    def has_something(self):
        return bool(self._rest) or super().has_something()


__all__ = ["BINARY", "CLOSE", "Ended", "FRAMING", "PING", "PONG", "STREAMS", "TEXT", "WebWire", "frame"]
