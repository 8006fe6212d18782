"""A client as a phone has one, with stream management (XEP-0198): it comes back by itself, resumes if it can, and sends again what
was not acknowledged. Single-threaded; the caller pumps it."""
import collections
import select
import socket
import ssl
import struct

from wire import CLIENT, STREAMS, Ended, Wire

SM = "{urn:xmpp:sm:3}"


class Phone:
    def __init__(self, kith, user, resource="phone"):
        self.kith, self.user, self.resource = kith, user, resource
        self.wire, self.id = None, None
        self.came = self.acknowledged = self.resumed = 0
        self.outbox = collections.deque()  # what the server has not acknowledged
        self.bodies = []                   # the screen
        self.refusals = []                 # <failed/> to <resume/>: the conditions

    def connect(self):
        """Logs in and resumes; True if that worked, False if the session is gone and a new one was made."""
        self.wire = Wire(self.kith.port, authority=self.kith.authority.certificate)
        self.wire.starttls()
        self.wire.open()
        self.wire.scram(self.user, "pencil")
        self.wire.open()
        if self.id:
            self.wire.send(f"<resume xmlns='urn:xmpp:sm:3' previd='{self.id}' h='{self.came}'/>")
            answer = self.wire.element()
            if answer.tag == SM + "resumed":
                self.resumed += 1
                self._take_acknowledgement(answer)
                for stanza in self.outbox:
                    self.wire.send(stanza)
                return True
            self.refusals.append(answer[0].tag.split("}")[1])
        self.wire.bind(self.resource)
        self.wire.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
        enabled = self.wire.until(lambda element: element.tag == SM + "enabled")
        self.id, self.came, self.acknowledged = enabled.get("id"), 0, 0
        self.outbox.appendleft("<presence/>")
        for stanza in self.outbox:
            self.wire.send(stanza)
        return False

    def cut(self):
        """As a network that is gone: nothing more is read, and the peer hears nothing but a reset."""
        if self.wire is not None:
            self.wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.wire.close()
        self.wire = None

    def say(self, to, body):
        stanza = f"<message type='chat' id='{body}' to='{to}'><body>{body}</body></message>"
        self.outbox.append(stanza)
        if self.wire is not None:
            try:
                self.wire.send(stanza)
            except OSError:
                self.wire = None

    def pump(self, seconds=0.0):
        """Takes what has come, waiting at most so long for the first of it; comes back if the connection is lost."""
        try:
            if self.wire is None:
                self.connect()
            if not self.wire.has_something():
                select.select([self.wire.socket], [], [], seconds)
            while self.wire.has_something():
                self._take(self.wire.element())
        except (Ended, OSError, ssl.SSLError):
            self.wire = None

    def quiet(self):
        return self.wire is not None and not self.outbox

    def ask(self):
        if self.wire is not None:
            try:
                self.wire.send("<r xmlns='urn:xmpp:sm:3'/>")
            except OSError:
                self.wire = None

    def _take(self, element):
        if element.tag == SM + "r":
            self.wire.send(f"<a xmlns='urn:xmpp:sm:3' h='{self.came}'/>")
        elif element.tag == SM + "a":
            self._take_acknowledgement(element)
        elif element.tag == STREAMS + "error":
            raise Ended(element[0].tag)
        elif element.tag.startswith(CLIENT):
            self.came += 1
            if element.tag == CLIENT + "message":
                self.bodies.append(element.findtext(CLIENT + "body") if element.get("type") != "error" else "refused: " + element.get("id"))

    def _take_acknowledgement(self, element):
        h = int(element.get("h"))
        while self.acknowledged < h:
            self.outbox.popleft()  # an IndexError here: more was acknowledged than was sent
            self.acknowledged += 1
