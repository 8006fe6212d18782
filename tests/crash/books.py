"""The books of the crash test: what clients sent and what they saw acknowledged, against what is found after a crash.

Knows no socket and no process, so that books_test.py can lose, double and invent things and see it noticed. What counts as
acknowledged is written in docs/durability.md. The books are kept by many threads at once; each has a lock of its own.
"""
import collections
import threading


class Fault(AssertionError):
    """The books do not balance; says which entry and how."""


class _Line:
    """What one sender sent to one mailbox: numbers that only grow."""

    def __init__(self):
        self.sent = self.acknowledged = 0
        self.floor = 0  # up to here everything was settled after an earlier crash
        self.refused = set()  # came back as an error
        self.received, self.live = set(), set()
        self.in_visit = 0  # the last that came in this visit
        self.asked = self.confirmed = 0
        self.due_at_visit = self.due = 0

    def __str__(self):
        return (f"sent up to {self.sent}, acknowledged up to {self.acknowledged}, due up to {self.due}, "
                f"settled before up to {self.floor}, confirmed up to {self.confirmed}, refused {_some(self.refused)}")


def _some(numbers):
    numbers = sorted(numbers)
    return f"{len(numbers)} ({', '.join(map(str, numbers[:8]))}{' …' if len(numbers) > 8 else ''})" if numbers else "none"


class Mailbox:
    """All messages to one account, and the visits of its only client, which takes them.

    A visit begins when the client becomes available, and ends when it has read all that the server sent up to the end of the stream.
    """

    def __init__(self, owner):
        self.owner = owner
        self.lines = collections.defaultdict(_Line)
        self.visiting = False
        self.lock = threading.Lock()

    def send(self, sender):
        with self.lock:
            line = self.lines[sender]
            line.sent += 1
            return line.sent

    def acknowledge(self, sender, number):
        with self.lock:
            line = self.lines[sender]
            line.acknowledged = max(line.acknowledged, number)

    def refuse(self, sender, number):
        with self.lock:
            self.lines[sender].refused.add(number)

    def begin_visit(self):
        with self.lock:
            self.visiting = True
            for line in self.lines.values():
                # What is acknowledged from now on may have gone to the client's connection, and end with it.
                line.due_at_visit, line.in_visit = line.acknowledged, 0

    def receive(self, sender, number, *, kept):
        """`kept`: it came from the store, as the time that it carries says."""
        with self.lock:
            line = self.lines.get(sender)
            if line is None or not 0 < number <= line.sent:
                raise Fault(f"{self.owner} got message {number} of {sender}, which was never sent: {line}")
            if number <= line.confirmed or number in line.live or (number in line.received and not kept):
                raise Fault(f"{self.owner} got message {number} of {sender} again: {line}")
            if number <= line.in_visit:
                raise Fault(f"{self.owner} got message {number} of {sender} after {line.in_visit}: {line}")
            if number in line.refused:
                raise Fault(f"{self.owner} got message {number} of {sender}, who had been told that it was not taken: {line}")
            line.in_visit = number
            line.received.add(number)
            if not kept:
                line.live.add(number)

    def ask(self):
        """The client confirms what it has read so far: once that is answered, none of it may come again."""
        with self.lock:
            for line in self.lines.values():
                line.asked = line.in_visit

    def confirm(self):
        with self.lock:
            for line in self.lines.values():
                line.confirmed = max(line.confirmed, line.asked)

    def end_visit(self):
        with self.lock:
            self.visiting = False

    def crash(self):
        with self.lock:
            for line in self.lines.values():
                line.due = line.due_at_visit if self.visiting else line.acknowledged
                line.asked = 0
            self.visiting = False

    def settle(self):
        """After a visit that emptied the mailbox: everything that was due has come."""
        with self.lock:
            for sender, line in self.lines.items():
                missing = set(range(line.floor + 1, line.due + 1)) - line.received - line.refused
                if missing:
                    raise Fault(f"messages of {sender} to {self.owner} are lost: {_some(missing)}; {line}")
            for line in self.lines.values():
                line.floor = line.confirmed = line.acknowledged = line.due = line.due_at_visit = line.sent
                for numbers in (line.refused, line.received, line.live):
                    numbers.clear()


class Talk:
    """What one client under stream management says to another: what <a/> has counted is in both archives after any crash, and nothing
    is in one twice."""

    def __init__(self, sender, receiver):
        self.sender, self.receiver = sender, receiver
        self.floor = self.sent = 0  # up to this number settled; sent
        self.acknowledged = 0       # up to this number
        self.refused = set()
        self.lock = threading.Lock()

    def send(self):
        with self.lock:
            self.sent += 1
            return self.sent

    def acknowledge(self, number):
        with self.lock:
            self.acknowledged = max(self.acknowledged, number)

    def refuse(self, number):
        with self.lock:
            self.refused.add(number)

    def check(self, owner, found):
        """`found`: the numbers in the archive of `owner` since the last time, in its order."""
        with self.lock:
            if found != sorted(set(found)):
                raise Fault(f"the archive of {owner} has messages of {self.sender} twice or out of order: {found[:30]}")
            wrong = [number for number in found if not self.floor < number <= self.sent]
            if wrong:
                raise Fault(f"the archive of {owner} has messages of {self.sender} that were not sent: {_some(wrong)}")
            missing = set(range(self.floor + 1, self.acknowledged + 1)) - set(found) - self.refused
            if missing:
                raise Fault(f"acknowledged messages of {self.sender} to {self.receiver} are not in the archive of {owner}: {_some(missing)}; "
                            f"sent up to {self.sent}, acknowledged up to {self.acknowledged}, settled up to {self.floor}")

    def settle(self):
        with self.lock:
            self.floor = self.acknowledged = self.sent
            self.refused.clear()


class Changes:
    """What one client changed, one change after the other, in a table of keys and values; None takes a key away.

    After a crash the table is as it was after some change: the last acknowledged one, or a later one that was at least sent.
    """

    def __init__(self, name):
        self.name = name
        self.table = {}
        self.first = 0  # the number of asked[0]
        self.asked = []
        self.done = 0  # up to this number (not including it) acknowledged
        self.refused = set()
        self.lock = threading.Lock()

    def ask(self, key, make):
        """The number and value of a new change; `make` makes the value from the number, so that each is different."""
        with self.lock:
            number = self.first + len(self.asked)
            value = None if make is None else make(number)
            self.asked.append((key, value))
            return number, value

    def answer(self, number, taken=True):
        with self.lock:
            if taken:
                self.done = max(self.done, number + 1)
            else:
                self.refused.add(number)

    def possible(self):
        """All tables that may be found, the acknowledged one first."""
        with self.lock:
            table = dict(self.table)
            tables = []
            for number, (key, value) in enumerate(self.asked, self.first):
                if number >= self.done:
                    tables.append(dict(table))
                if number not in self.refused:
                    table[key] = value
                    if value is None:
                        del table[key]
            tables.append(table)
            return tables

    def latest(self):
        return self.possible()[-1]

    def settle(self, found):
        tables = self.possible()
        if found not in tables:
            wrong = [f"{key} is {_short(found.get(key))}; acknowledged is {_short(tables[0].get(key))}, asked for since: "
                     f"{', '.join(_short(table.get(key)) for table in tables[1:][:6]) or 'nothing'}"
                     for key in sorted(set(found) | set(tables[0])) if found.get(key) != tables[0].get(key)]
            raise Fault(f"{self.name} is as it never was ({self.done - self.first} of {len(self.asked)} changes acknowledged, "
                        f"{len(self.refused)} refused): " + "; ".join(wrong[:5]))
        with self.lock:
            self.first += len(self.asked)
            self.done = self.first
            self.asked.clear()
            self.refused.clear()
            self.table = dict(found)


def _short(value):
    text = repr(value)
    return text if len(text) < 80 else f"{text[:50]} … {text[-20:]} ({len(text)} characters)"


class Path:
    """The states that a subscription passes through, as one side's roster shows it."""

    def __init__(self, name, state):
        self.name = name
        self.states = [state]
        self.lock = threading.Lock()

    def expect(self, *states):
        with self.lock:
            self.states += states

    def see(self, state):
        """A push, or a roster, showed it: there is no way back from here."""
        with self.lock:
            if state not in self.states:
                raise Fault(f"{self.name} is shown as '{state}'; possible was: {' → '.join(self.states)}")
            del self.states[:self.states.index(state)]

    def now(self):
        return self.states[0]

    def settle(self, state):
        self.see(state)
        with self.lock:
            self.states = [state]
