"""An XMPP client that does exactly what a test writes, right or wrong: a socket, a parser for what comes back, no rules.

Blocking, with a time-out on every read; one object is used by one thread.
"""
import base64
import hashlib
import hmac
import os
import select
import socket
import ssl
import xml.etree.ElementTree as ET

STREAMS = "{http://etherx.jabber.org/streams}"
CLIENT = "{jabber:client}"
TLS = "{urn:ietf:params:xml:ns:xmpp-tls}"
SASL = "{urn:ietf:params:xml:ns:xmpp-sasl}"
SASL2 = "{urn:xmpp:sasl:2}"
UPGRADE = "{urn:xmpp:scram-upgrade:0}"
STREAM_ERRORS = "{urn:ietf:params:xml:ns:xmpp-streams}"
STANZA_ERRORS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"
BIND = "{urn:ietf:params:xml:ns:xmpp-bind}"

HASHES = {"SCRAM-SHA-1": "sha1", "SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}


class Ended(AssertionError):
    """The server closed where the test waited for an element."""


class Failed(AssertionError):
    """SASL failure; `condition` is its name."""

    def __init__(self, condition):
        super().__init__(condition)
        self.condition = condition


def header(to="example.org", **more):
    attributes = {"to": to, "version": "1.0", "xmlns": "jabber:client", "xmlns:stream": "http://etherx.jabber.org/streams",
                  **more}
    return "<?xml version='1.0'?><stream:stream " + " ".join(f"{name}='{value}'" for name, value in attributes.items()
                                                             if value is not None) + ">"


class Wire:
    def __init__(self, port, *, authority=None, domain="example.org", source=None, seconds=15, host="127.0.0.1"):
        self.domain = domain
        self.authority = authority
        self.socket = socket.create_connection((host, port), seconds, source_address=(source, 0) if source else None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.restart_parser()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    # --- bytes in, elements out -------------------------------------------------------------------------------------------------

    def restart_parser(self):
        self._parser = ET.XMLPullParser(events=("start", "end"))
        self._depth = 0
        self._ready = []
        self.raw = b""

    def send(self, text):
        self.socket.sendall(text.encode() if isinstance(text, str) else text)

    def _take(self):
        for kind, element in self._parser.read_events():
            if kind == "start":
                self._depth += 1
                if self._depth == 1:
                    self._ready.append(("open", element))
            else:
                self._depth -= 1
                if self._depth == 1:
                    self._ready.append(("element", element))
                elif self._depth == 0:
                    self._ready.append(("close", None))

    def next(self):
        """("open", header), ("element", child), ("close", None) for </stream:stream>, ("eof", None)."""
        while not self._ready:
            try:
                received = self.socket.recv(65536)
            except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
                received = b""
            if not received:
                return "eof", None
            self.raw += received
            self._parser.feed(received)
            self._take()
        return self._ready.pop(0)

    def element(self):
        """The next child of the stream; its header may come before."""
        while True:
            kind, element = self.next()
            if kind == "element":
                return element
            if kind != "open":
                raise Ended(f"the server ended the stream ({kind}) after {self.raw[-300:]!r}")

    def has_something(self):
        """Whether an element, or a part of one, has come and was not taken yet."""
        pending = isinstance(self.socket, ssl.SSLSocket) and self.socket.pending()
        return bool(self._ready or pending or select.select([self.socket], [], [], 0)[0])

    def until(self, wanted):
        """The next child for which wanted(child) holds; others are passed over."""
        while True:
            element = self.element()
            if wanted(element):
                return element

    def stream_error(self):
        """Reads to the end; the condition of the stream error, and checks that the stream was closed after it."""
        condition = None
        while True:
            kind, element = self.next()
            if kind == "element" and element.tag == STREAMS + "error":
                condition = next((child.tag.removeprefix(STREAM_ERRORS) for child in element
                                  if child.tag.startswith(STREAM_ERRORS) and not child.tag.endswith("}text")), "none")
            elif kind == "close":
                self.closed_properly = True
            elif kind == "eof":
                return condition

    # --- the steps of a login -----------------------------------------------------------------------------------------------------

    def open(self, **attributes):
        """Sends a header, and returns the features that answer it."""
        self.send(header(**{"to": self.domain, **attributes}))
        kind, self.opened = self.next()
        if kind != "open":
            raise Ended(f"no stream header came back, but {kind}")
        features = self.element()
        if features.tag != STREAMS + "features":
            raise Ended(f"no features came, but {ET.tostring(features)!r}")
        return features

    def context(self, alpn=False):
        context = ssl.create_default_context(cafile=str(self.authority)) if self.authority else ssl.create_default_context()
        if not self.authority:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if alpn:
            context.set_alpn_protocols(["xmpp-client"])
        return context

    def tls(self, alpn=False, sni=True):
        """The TLS handshake, at once (direct TLS) or after <proceed/>; `sni`: False for none, or another name than the domain's."""
        context = self.context(alpn)
        context.check_hostname = context.check_hostname and sni is True
        self.socket = context.wrap_socket(self.socket, server_hostname=self.domain if sni is True else sni or None)
        self.restart_parser()
        return self

    def starttls(self, sni=True):
        self.open()
        self.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        answer = self.element()
        if answer.tag != TLS + "proceed":
            raise Ended(f"no <proceed/>, but {answer.tag}")
        return self.tls(sni=sni)

    def mechanisms(self):
        return [element.text for element in self.features.iter(SASL + "mechanism")]

    def _auth(self, mechanism, initial):
        data = base64.b64encode(initial).decode() or "="
        self.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='{mechanism}'>{data}</auth>")
        return self._sasl_answer()

    def _sasl_answer(self):
        answer = self.element()
        if answer.tag == SASL + "failure":
            raise Failed(next((child.tag.removeprefix(SASL) for child in answer if not child.tag.endswith("}text")), "none"))
        return answer.tag.removeprefix(SASL), base64.b64decode(answer.text or "")

    def plain(self, user, password, authzid=""):
        kind, _ = self._auth("PLAIN", f"{authzid}\0{user}\0{password}".encode())
        if kind != "success":
            raise Ended(f"PLAIN was answered by {kind}")
        self.restart_parser()

    def scram(self, user, password, mechanism="SCRAM-SHA-256", *, binding=None, flag=None, spoil=False):
        """`binding`: (type, data) for a -PLUS mechanism; `flag`: another GS2 flag ("y"); `spoil`: breaks the proof."""
        def begin(initial):
            kind, first = self._auth(mechanism, initial)
            if kind != "challenge":
                raise Ended(f"SCRAM was answered by {kind}")
            return first

        def end(final):
            self.send(f"<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{base64.b64encode(final).decode()}</response>")
            return self._sasl_answer()

        self._scram(user, password, mechanism, begin, end, binding, flag, spoil)
        self.restart_parser()

    def scram2(self, user, password, wishes, mechanism="SCRAM-SHA-256", before_proof=lambda: None):
        """By SASL2 (XEP-0388), asking for `wishes` with it; `success` is the element, and the features are read."""
        def begin(initial):
            self.send(f"<authenticate xmlns='urn:xmpp:sasl:2' mechanism='{mechanism}'><initial-response>"
                      f"{base64.b64encode(initial).decode()}</initial-response>{wishes}</authenticate>")
            return base64.b64decode(self.element().text)

        def end(final):
            before_proof()
            self.send(f"<response xmlns='urn:xmpp:sasl:2'>{base64.b64encode(final).decode()}</response>")
            answer = self.success = self.element()
            while self.success.tag == SASL2 + "continue":
                self._upgrade(self.success.findtext(f"{SASL2}tasks/{SASL2}task"), password)
            kind = self.success if self.success.tag != SASL2 + "success" else answer
            return (kind.tag.removeprefix(SASL2).replace("continue", "success"),
                    base64.b64decode(answer.findtext(SASL2 + "additional-data", "")))

        self._scram(user, password, mechanism, begin, end)
        self.features = self.element()

    def _upgrade(self, task, password):
        """Brings the keys that the server asks for (XEP-0480)."""
        self.send(f"<next xmlns='urn:xmpp:sasl:2' task='{task}'/>")
        salt = self.element().find(UPGRADE + "salt")
        salted = hashlib.pbkdf2_hmac(HASHES[task.removeprefix("UPGR-")], password.encode(), base64.b64decode(salt.text),
                                     int(salt.get("iterations")))
        self.send(f"<task-data xmlns='urn:xmpp:sasl:2'><hash xmlns='urn:xmpp:scram-upgrade:0'>{base64.b64encode(salted).decode()}</hash>"
                  "</task-data>")
        self.success = self.element()

    @staticmethod
    def _scram(user, password, mechanism, begin, end, binding=None, flag=None, spoil=False):
        plus = mechanism.endswith("-PLUS")
        hashed = HASHES[mechanism.removesuffix("-PLUS")]
        gs2 = (f"p={binding[0]}" if plus else flag or "n") + ",,"
        bare = f"n={user.replace('=', '=3D').replace(',', '=2C')},r={os.urandom(18).hex()}"
        first = begin((gs2 + bare).encode())
        fields = dict(part.split("=", 1) for part in first.decode().split(","))
        if not fields["r"].startswith(bare.split("r=", 1)[1]):
            raise Ended("the server's nonce does not go on from ours")
        bound = base64.b64encode(gs2.encode() + (binding[1] if plus else b"")).decode()
        without_proof = f"c={bound},r={fields['r']}"
        message = f"{bare},{first.decode()},{without_proof}".encode()
        salted = hashlib.pbkdf2_hmac(hashed, password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
        client_key = hmac.digest(salted, b"Client Key", hashed)
        signature = hmac.digest(hashlib.new(hashed, client_key).digest(), message, hashed)
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        if spoil:
            proof = bytes([proof[0] ^ 1]) + proof[1:]
        kind, last = end(f"{without_proof},p={base64.b64encode(proof).decode()}".encode())
        expected = hmac.digest(hmac.digest(salted, b"Server Key", hashed), message, hashed)
        if kind != "success" or last != b"v=" + base64.b64encode(expected):
            raise Ended(f"the server did not prove that it knows the password: {kind} {last!r}")

    def bind(self, resource=None):
        inner = f"<resource>{resource}</resource>" if resource else ""
        self.send(f"<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>{inner}</bind></iq>")
        answer = self.until(lambda element: element.get("id") == "bind")
        jid = answer.find(f"{BIND}bind/{BIND}jid")
        if jid is None:
            raise Ended(f"no binding: {ET.tostring(answer)!r}")
        self.jid = jid.text
        return self.jid

    def login(self, user, password="pencil", resource=None, *, direct=False, mechanism="SCRAM-SHA-256", available=True):
        """Everything from the TCP connection to presence."""
        self.tls(alpn=True) if direct else self.starttls()
        self.features = self.open()
        self.plain(user, password) if mechanism == "PLAIN" else self.scram(user, password, mechanism)
        self.features = self.open()
        self.bind(resource)
        if available:
            self.send("<presence/>")
            self.ping()  # its answer comes after all that the presence brought about on this stream
        return self

    # --- after it ---------------------------------------------------------------------------------------------------------------

    def iq(self, kind, payload, to=None, id=None):
        id = id or os.urandom(6).hex()
        address = f" to='{to}'" if to else ""
        self.send(f"<iq type='{kind}' id='{id}'{address}>{payload}</iq>")
        return self.until(lambda element: element.tag == CLIENT + "iq" and element.get("id") == id)

    def ping(self, to=None):
        return self.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to)

    def message(self, to, body, kind="chat"):
        self.send(f"<message to='{to}' type='{kind}'><body>{body}</body></message>")

    def next_message(self):
        return self.until(lambda element: element.tag == CLIENT + "message")


def error_of(stanza):
    """(type, condition) of a stanza error, or None."""
    error = stanza.find(CLIENT + "error")
    if error is None:
        return None
    return error.get("type"), next((child.tag.removeprefix(STANZA_ERRORS) for child in error
                                    if child.tag.startswith(STANZA_ERRORS) and not child.tag.endswith("}text")), None)


def server_end_point(wire):
    """tls-server-end-point (RFC 5929 §4) of the certificate that the server showed; ours are signed with SHA-256."""
    return hashlib.sha256(wire.socket.getpeercert(True)).digest()
