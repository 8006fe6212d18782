"""The load of the crash test: clients of all kinds at once, each a thread that keeps its page of the books.

Everyone works until the daemon goes; a stream that ends before that is a fault. What was acknowledged is told to the stage, which
may kill the daemon at that very moment.
"""
import collections
import pathlib
import random
import re
import sys
import threading
import xml.etree.ElementTree as ET

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop"))

from books import Changes, Fault, Mailbox, Path, Talk  # noqa: E402
from wire import CLIENT, STREAM_ERRORS, STREAMS, Ended, Wire, error_of  # noqa: E402

DOMAIN = "example.org"
ROSTER = "jabber:iq:roster"
DELAY = "{urn:xmpp:delay}delay"
SM = "{urn:xmpp:sm:3}"
PING = "<ping xmlns='urn:xmpp:ping'/>"
# A sign of life, and a change of the own account behind it: when the change is on disk, so is the removal of what had been handed over.
CONFIRM = "<presence/><iq type='set' id='{}'><query xmlns='jabber:iq:private'><seen xmlns='crash:seen'/></query></iq>"
BODY = re.compile(r"([a-z0-9]+)/(\d+)/(x*)")

SENDERS = [f"sender{n}" for n in range(4)]
AWAY = [f"away{n}" for n in range(5)]
VISITORS = [f"visitor{n}" for n in range(3)]
EDITORS = [f"editor{n}" for n in range(4)]
FOLLOWERS = [f"follower{n}" for n in range(2)]
LEADERS = [f"leader{n}" for n in range(3)]
TALKERS = [f"talker{n}" for n in range(4)]  # in pairs, with stream management
REGISTERED = [f"registered{n}" for n in range(8)]  # make their accounts themselves (XEP-0077)
ADDED = [f"added{n}" for n in range(4)]            # are added, changed and removed by kithctl
RESIDENTS = SENDERS + AWAY + VISITORS + EDITORS + FOLLOWERS + LEADERS + TALKERS


def peer_of(talker):
    return TALKERS[TALKERS.index(talker) ^ 1]


class Books:
    def __init__(self):
        self.mailboxes = {name: Mailbox(name) for name in AWAY + VISITORS}
        self.tables = {(name, kind): Changes(f"the {kind} of {name}") for name in EDITORS for kind in ("roster", "private", "vcard")}
        self.tables |= {(name, "private"): Changes(f"the private XML of {name}") for name in REGISTERED}
        self.talks = {name: Talk(name, peer_of(name)) for name in TALKERS}
        self.sessions = {}       # of the talkers: the id that resumes each
        self.archived_last = {}  # the last id of their archives
        self.killed = False      # the daemon had no time to write sessions down
        self.accounts = {name: Changes(f"the account {name}") for name in REGISTERED + ADDED}
        self.paths = {pair: Path(f"{pair[0]}'s subscription with {pair[1]}", "none")
                      for follower in FOLLOWERS for leader in LEADERS for pair in ((follower, leader), (leader, follower))}

    def expect_what_is_under_way(self):
        """A request that was kept over a crash may be granted as soon as the leader is back."""
        for follower in FOLLOWERS:
            for leader in LEADERS:
                if self.paths[follower, leader].now() == "ask":
                    self.paths[follower, leader].expect("to")
                    self.paths[leader, follower].expect("from")

    def crash(self):
        for mailbox in self.mailboxes.values():
            mailbox.crash()


class StagedWire(Wire):
    """Remembers the stream error that it was told at its end."""

    told = None

    def next(self):
        kind, element = super().next()
        if kind == "element" and element.tag == STREAMS + "error":
            self.told = element[0].tag.removeprefix(STREAM_ERRORS)
        return kind, element


class Stage:
    """One cycle's load: its clients, and the moment at which it ends.

    `moment`: (kind, count): right after so many acknowledgements of that kind, or ("seconds", s).
    """

    def __init__(self, kith, books, seed, moment, end):
        self.kith, self.books, self.seed, self.moment = kith, books, seed, moment
        self.end = end  # ends the daemon; called once
        self.over = threading.Event()
        self.counts = collections.Counter()
        self.faults = []
        self.stayed = {}
        self._lock = threading.Lock()

    def count(self, kind):
        with self._lock:
            self.counts[kind] += 1
            reached = self.moment == (kind, self.counts[kind])
        if reached:
            self.finish()

    def finish(self):
        with self._lock:
            if self.over.is_set():
                return
            self.over.set()
        self.end()

    def fault(self, sentence):
        self.faults.append(sentence)
        self.finish()

    def run(self, longest, beside=None):
        """Everyone at once until the moment has come, at the latest after `longest` seconds. `beside` is started with them."""
        clients = [kind(self, name) for kind, names in ((Sender, SENDERS), (Visitor, VISITORS), (Editor, EDITORS), (Leader, LEADERS),
                                                        (Follower, FOLLOWERS), (Talker, TALKERS), (Administrator, ["admin"])) for name in names]
        clients += [Registrant(self, name) for name in random.Random(f"{self.seed} registrants").sample(REGISTERED, 3)]
        self.books.expect_what_is_under_way()
        for thread in clients if beside is None else [*clients, beside]:
            thread.start()
        self.over.wait(min(self.moment[1], longest) if self.moment[0] == "seconds" else longest)
        self.finish()
        for client in clients:
            client.join(60)
            if client.is_alive():
                self.faults.append(f"{client.name} waits for an answer still, long after the daemon has gone")
        if self.faults:
            raise Fault("\n".join(self.faults[:10]))


class Client(threading.Thread):
    def __init__(self, stage, name):
        super().__init__(name=name, daemon=True)
        self.stage, self.books = stage, stage.books
        self.random = random.Random(f"{stage.seed} {name}")
        self.wires = []

    def login(self):
        """For a client that stays until the end; how its stream ended can be asked for then."""
        wire = self.stage.stayed[self.name] = self.wire()
        return wire.login(self.name, available=False)

    def wire(self):
        wire = StagedWire(self.stage.kith.port, authority=self.stage.kith.authority.certificate, seconds=30)
        self.wires.append(wire)
        return wire

    def run(self):
        try:
            self.act()
        except Fault as fault:
            self.stage.fault(str(fault))
        except (Ended, OSError, ET.ParseError) as ending:
            # (ParseError: an end may come in the same bytes as the answer after which a stream begins anew.)
            if not self.stage.over.is_set():
                self.stage.fault(f"{self.name}'s stream ended before the daemon did: {ending!r}")
        except Exception as surprise:  # noqa: BLE001  (of a thread, it would otherwise be lost)
            self.stage.fault(f"{self.name} did not understand: {surprise!r}")
        finally:
            for wire in self.wires:
                wire.close()  # a daemon that stops waits for its clients


def text_of(sender, number):
    """A message's body is known from its number, so that half a message is seen."""
    return f"{sender}/{number}/" + "x" * (30_000 if number % 97 == 0 else number * 7919 % 400)


def receive(mailbox, message):
    """Books a message; False if it is none of the load's."""
    body = BODY.fullmatch(message.findtext(CLIENT + "body") or "")
    if body is None:
        return False
    sender, number = body[1], int(body[2])
    if body[0] != text_of(sender, number):
        raise Fault(f"{mailbox.owner} got message {number} of {sender} with a body that was not sent: {body[0][:60]}")
    if not (message.get("from") or "").startswith(f"{sender}@{DOMAIN}/"):
        raise Fault(f"{mailbox.owner} got a message of {sender} in the name of {message.get('from')}")
    mailbox.receive(sender, number, kept=message.find(DELAY) is not None)
    return True


class Sender(Client):
    """Sends messages to those who are away and those who come and go, and asks after each handful."""

    def act(self):
        wire = self.login()
        asked = {}
        while True:
            while len(asked) < 8:
                to = self.random.choice(AWAY + VISITORS)
                text = ""
                for _ in range(self.random.randint(1, 12)):
                    number = self.books.mailboxes[to].send(self.name)
                    text += f"<message to='{to}@{DOMAIN}' type='chat' id='{to}/{number}'><body>{text_of(self.name, number)}</body></message>"
                asked[f"ping/{to}/{number}"] = (to, number)
                wire.send(text + f"<iq type='get' id='ping/{to}/{number}' to='{to}@{DOMAIN}'>{PING}</iq>")
            answer = wire.element()
            if answer.tag == CLIENT + "message":
                to, number = answer.get("id").split("/")
                self.books.mailboxes[to].refuse(self.name, int(number))
            elif answer.get("id") in asked:
                to, number = asked.pop(answer.get("id"))
                # An error of type wait says that the question did not get there, and nothing else.
                if (error_of(answer) or ("",))[0] != "wait":
                    self.books.mailboxes[to].acknowledge(self.name, number)
                    self.stage.count("message")


class Visitor(Client):
    """Comes, takes what is there and what arrives, shows signs of life, and goes."""

    def act(self):
        mailbox = self.books.mailboxes[self.name]
        while True:
            wire = self.wire().login(self.name, available=False)
            mailbox.begin_visit()
            wire.send("<presence/>")
            for number in range(self.random.randint(2, 6)):
                mailbox.ask()
                wire.send(CONFIRM.format(f"seen{number}"))
                self.read_until(wire, mailbox, f"seen{number}")
                mailbox.confirm()
                self.stage.count("visit")
            wire.send("<presence type='unavailable'/></stream:stream>")
            self.read_until(wire, mailbox, None)
            mailbox.end_visit()
            wire.close()
            self.wires.clear()

    def read_until(self, wire, mailbox, wanted):
        """Takes everything up to the answer with that id, or to the end of the stream."""
        while True:
            kind, element = wire.next()
            if kind == "eof":
                raise Ended("no end of the stream came")
            if kind == "close":
                if wire.told == "system-shutdown":
                    mailbox.end_visit()  # everything that was for it has come before
                if wanted is None:
                    return
                raise Ended("the server ended the stream")
            if kind == "element" and element.tag == CLIENT + "message":
                receive(mailbox, element)
            elif kind == "element" and element.get("id") == wanted:
                return


class Talker(Client):
    """Talks to another under stream management (XEP-0198), loses its connection now and then, and resumes its session."""

    def act(self):
        self.talk, self.peer = self.books.talks[self.name], self.books.talks[peer_of(self.name)]
        self.came = self.handled = 0
        self.outbox = collections.deque()  # what is not acknowledged: number and text
        self.last_heard = None
        wire = self.begin()
        while True:
            while len(self.outbox) < 40:
                for _ in range(self.random.randint(1, 8)):
                    number = self.talk.send()
                    self.say(wire, number, f"<message to='{self.talk.receiver}@{DOMAIN}' type='chat' id='{self.talk.receiver}/{number}'>"
                                           f"<body>{text_of(self.name, number)}</body></message>")
                wire.send("<r xmlns='urn:xmpp:sm:3'/>")
            self.take(wire, wire.element())
            if self.random.random() < 0.01:
                wire.socket.close()
                wire = self.resume()

    def begin(self):
        self.books.sessions.pop(self.name, None)
        wire = self.login()
        wire.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
        enabled = wire.until(lambda element: element.tag == SM + "enabled")
        self.books.sessions[self.name] = enabled.get("id")
        self.say(wire, None, "<presence/>")
        return wire

    def resume(self):
        wire = self.stage.stayed[self.name] = self.wire()
        wire.starttls()
        wire.open()
        wire.scram(self.name, "pencil")
        wire.open()
        wire.send(f"<resume xmlns='urn:xmpp:sm:3' previd='{self.books.sessions[self.name]}' h='{self.came}'/>")
        answer = wire.element()
        if answer.tag == STREAMS + "error":
            raise Ended("the server ends the stream")
        if answer.tag != SM + "resumed":
            raise Fault(f"{self.name} could not resume its session: {ET.tostring(answer).decode()}")
        wire.jid = f"{self.name}@{DOMAIN}/resumed"
        self.count_handled(int(answer.get("h")))
        for _, text in self.outbox:
            wire.send(text)
        wire.send("<r xmlns='urn:xmpp:sm:3'/>")
        self.stage.count("resumption")
        return wire

    def say(self, wire, number, text):
        self.outbox.append((number, text))
        wire.send(text)

    def count_handled(self, h):
        if not self.handled <= h <= self.handled + len(self.outbox):
            raise Fault(f"{self.name} is told that {h} stanzas were handled; {self.handled} were, and {len(self.outbox)} are under way")
        while self.handled < h:
            number, _ = self.outbox.popleft()
            self.handled += 1
            if number is not None:
                self.talk.acknowledge(number)
                self.stage.count("talk")

    def take(self, wire, element):
        if element.tag == SM + "a":
            self.count_handled(int(element.get("h")))
        elif element.tag == SM + "r":
            wire.send(f"<a xmlns='urn:xmpp:sm:3' h='{self.came}'/>")
        elif element.tag.startswith(CLIENT):
            self.came += 1
            if element.tag == CLIENT + "message" and element.get("type") == "error":
                self.talk.refuse(int(element.get("id").split("/")[1]))
            elif element.tag == CLIENT + "message" and element.find(DELAY) is None:
                self.hear(element)

    def hear(self, message):
        number = int(BODY.fullmatch(message.findtext(CLIENT + "body"))[2])
        with self.peer.lock:
            gap = set(range((self.last_heard or number) + 1, number)) - self.peer.refused
        if gap or self.last_heard is not None and number <= self.last_heard:
            raise Fault(f"{self.name} hears message {number} of {self.peer.sender} after {self.last_heard}")
        self.last_heard = number


class Editor(Client):
    """Changes its roster, its private XML and its vCard without waiting for each answer."""

    def act(self):
        wire = self.login()
        wire.iq("get", f"<query xmlns='{ROSTER}'/>")
        window, open_ = self.random.choice((1, 5, 40)), set()
        while True:
            while len(open_) < window:
                kind = self.random.choice(("roster", "roster", "roster", "private", "private", "vcard"))
                number, payload = getattr(self, kind)()
                open_.add(f"{kind}/{number}")
                wire.send(f"<iq type='set' id='{kind}/{number}'>{payload}</iq>")
            answer = wire.element()
            id_ = answer.get("id") or ""
            if id_ in open_:
                open_.remove(id_)
                kind, number = id_.split("/")
                self.books.tables[self.name, kind].answer(int(number), answer.get("type") == "result")
                self.stage.count(kind)
            else:
                for item in answer.iter(f"{{{ROSTER}}}item"):
                    if (item.get("name") or "").startswith("v"):
                        self.books.tables[self.name, "roster"].answer(int(item.get("name")[1:]))
                        self.stage.count("push")

    def roster(self):
        table = self.books.tables[self.name, "roster"]
        contact = f"contact{self.random.randrange(30)}@example.net"
        if self.random.random() < 0.2 and contact in table.latest():
            number, _ = table.ask(contact, None)
            return number, f"<query xmlns='{ROSTER}'><item jid='{contact}' subscription='remove'/></query>"
        number, value = table.ask(contact, lambda number: (f"v{number}", tuple(f"{number}-{n}" for n in range(3))))
        groups = "".join(f"<group>{group}</group>" for group in value[1])
        return number, f"<query xmlns='{ROSTER}'><item jid='{contact}' name='{value[0]}'>{groups}</item></query>"

    def private(self):
        key = f"crash:{self.random.randrange(4)}"
        size = self.random.choice((10, 200, 20_000))
        number, value = self.books.tables[self.name, "private"].ask(key, lambda number: f"{number}/" + "y" * size)
        return number, f"<query xmlns='jabber:iq:private'><store xmlns='{key}'>{value}</store></query>"

    def vcard(self):
        size = self.random.choice((10, 30_000))
        number, value = self.books.tables[self.name, "vcard"].ask("NOTE", lambda number: f"{number}/" + "z" * size)
        return number, f"<vCard xmlns='vcard-temp'><NOTE>{value}</NOTE></vCard>"


def state_of(item):
    if item is None or item.get("subscription") == "none" and not item.get("ask"):
        return "none"
    return "ask" if item.get("ask") and item.get("subscription") == "none" else item.get("subscription")


class Leader(Client):
    """Lets everyone follow who asks."""

    def act(self):
        wire = self.login()
        wire.iq("get", f"<query xmlns='{ROSTER}'/>")
        wire.send("<presence/>")
        while True:
            element = wire.element()
            if element.tag == CLIENT + "presence" and element.get("type") == "subscribe":
                wire.send(f"<presence to='{element.get('from')}' type='subscribed'/>")
            for item in element.iter(f"{{{ROSTER}}}item"):
                self.books.paths[self.name, item.get("jid").split("@")[0]].see(state_of(item))
                self.stage.count("subscription")


class Follower(Client):
    """Follows and leaves the leaders, in turn with each."""

    def act(self):
        wire = self.login()
        roster = {item.get("jid"): item for item in wire.iq("get", f"<query xmlns='{ROSTER}'/>").iter(f"{{{ROSTER}}}item")}
        # One that is asked a second time, because a crash may have taken the first request on its way, may answer both; whoever asked
        # a third time meanwhile could not tell the answers apart.
        asked_twice = {leader for leader in LEADERS if self.books.paths[self.name, leader].now() == "ask"}
        for leader in LEADERS:
            self.books.paths[self.name, leader].see(state_of(roster.get(f"{leader}@{DOMAIN}")))
            self.go_on(wire, leader)
        while True:
            for item in wire.element().iter(f"{{{ROSTER}}}item"):
                leader = item.get("jid").split("@")[0]
                path = self.books.paths[self.name, leader]
                path.see(state_of(item))
                self.stage.count("subscription")
                if len(path.states) == 1 and leader not in asked_twice:
                    self.go_on(wire, leader)

    def go_on(self, wire, leader):
        mine, theirs = self.books.paths[self.name, leader], self.books.paths[leader, self.name]
        if mine.now() == "to":
            mine.expect("none")
            theirs.expect("none")
        elif mine.now() == "none":
            mine.expect("ask", "to")
            theirs.expect("from")
        kind = "unsubscribe" if mine.now() == "to" else "subscribe"
        wire.send(f"<presence to='{leader}@{DOMAIN}' type='{kind}'/>")


class Registrant(Client):
    """Makes an account, keeps something in it, changes its password, and may end it and begin anew."""

    def act(self):
        account, private = self.books.accounts[self.name], self.books.tables[self.name, "private"]
        while True:
            if account.latest().get("password") is None:
                with self.wire() as wire:
                    wire.starttls().open()
                    self.set_password(wire, account)
            with self.wire().login(self.name, account.latest()["password"], available=False) as wire:
                self.change(wire, private, "crash:mine", lambda number: f"{number}/" + "w" * 1000,
                            lambda value: f"<query xmlns='jabber:iq:private'><mine xmlns='crash:mine'>{value}</mine></query>")
                self.set_password(wire, account)
                if self.random.random() < 0.6:
                    gone, _ = private.ask("crash:mine", None)
                    self.change(wire, account, "password", None, lambda _: "<query xmlns='jabber:iq:register'><remove/></query>")
                    private.answer(gone)
                    wire.stream_error()

    def set_password(self, wire, account):
        self.change(wire, account, "password", lambda number: f"{self.name}-{number}", lambda value: (
            f"<query xmlns='jabber:iq:register'><username>{self.name}</username><password>{value}</password></query>"))

    def change(self, wire, table, key, make, payload):
        number, value = table.ask(key, make)
        answer = wire.iq("set", payload(value))
        error = error_of(answer)
        # Nobody may change a password all the time.
        if error is not None and error != ("wait", "policy-violation"):
            raise Fault(f"{table.name}: a change was refused with {error}")
        table.answer(number, error is None)
        self.stage.count("account")


class Administrator(Client):
    """Adds, changes and removes accounts by kithctl."""

    def act(self):
        while True:
            name = self.random.choice(ADDED)
            account, jid = self.books.accounts[name], f"{name}@{DOMAIN}"
            if account.latest().get("password") is None:
                command, make = ("user", "add", jid, "--password-stdin"), lambda number: f"{name}-{number}"
            elif self.random.random() < 0.5:
                command, make = ("user", "password", jid, "--password-stdin"), lambda number: f"{name}-{number}"
            else:
                command, make = ("user", "remove", "--yes", jid), None
            number, password = account.ask("password", make)
            done = self.stage.kith.kithctl(*command, password=password, check=False)
            if done.returncode == 0:
                account.answer(number)
                self.stage.count("kithctl")
            elif self.stage.over.is_set():
                return
            else:
                raise Fault(f"kithctl {' '.join(command)} failed: {done.stdout}{done.stderr}")
