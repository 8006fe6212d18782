"""Which loads are put on a server, in which order, and what each needs of it.

A load of a further feature is a line in `loads_of` with the feature that it needs, and
that feature's word in the `features` of the servers that have it.
"""
import dataclasses


@dataclasses.dataclass
class Sizes:
    """How much of each; the quick mode and the tests take less."""
    seconds: float = 8
    warm_up_seconds: float = 1
    settle_seconds: float = 4
    pairs: int = 50
    sessions: tuple = (1000, 5000, 9000)
    base_sessions: int = 200
    held: int = 9000
    held_accounts: int = 450
    logins_at_once: int = 16
    ring_accounts: int = 100
    contacts: int = 50
    offline_pairs: int = 50
    offline_messages: int = 200
    archived: int = 100_000
    rooms: tuple = (100, 1000)
    receivers: int = 1000
    step_seconds: float = 300


QUICK = Sizes(seconds=4, rooms=(100,), receivers=200, settle_seconds=3, sessions=(1000,), held=1000, held_accounts=50, ring_accounts=60, offline_messages=100,
              archived=20_000)


@dataclasses.dataclass(frozen=True)
class Load:
    name: str
    needs: str     # a feature of the server; servers without it are left out
    words: tuple   # for kith-load
    prepares: str = ""      # the name of the load for whose sake it is put on
    fresh: bool = False     # true for one that needs a server without memory that earlier loads have left it
    archive: bool = False   # true for one whose server has its archive on, which is off for all others


class Accounts:
    """Each load has accounts of its own, so that what one does to an account (contacts, waiting messages) is not in the way of the next."""

    def __init__(self, sizes):
        self.messages = 0
        self.logins = self.messages + 2 * sizes.pairs
        self.held = self.logins + sizes.logins_at_once
        self.ring = self.held + sizes.held_accounts
        self.offline = self.ring + sizes.ring_accounts
        self.pages = self.offline + 2 * sizes.offline_pairs
        self.events = self.pages + 1
        self.count = self.events + 1 + sizes.contacts


def loads_of(sizes):
    first = Accounts(sizes)
    time = ("--seconds", sizes.seconds, "--warm-up-seconds", sizes.warm_up_seconds, "--step-seconds", sizes.step_seconds)
    logins = ("logins", "--first", first.logins, "--at-once", sizes.logins_at_once, *time)
    ring = ("--first", first.ring, "--accounts", sizes.ring_accounts, "--contacts", sizes.contacts, *time)
    messages = ("messages", "--first", first.messages, "--pairs", sizes.pairs, *time)
    return [
        Load("messages, window 4", "tls", (*messages, "--window", 4)),
        Load("messages, window 1", "tls", (*messages, "--window", 1)),
        Load("messages with acknowledgements", "management", (*messages, "--window", 4, "--acks", 5)),
        Load("logins", "login", logins),
        Load("logins by token", "fast", (*logins, "--fast")),
        Load("contacts", "roster", ("contacts", *ring), prepares="presence"),
        Load("presence", "roster", ("presence", "--at-once", 10, *ring)),
        Load("offline", "offline", ("offline", "--first", first.offline, "--pairs", sizes.offline_pairs,
                                    "--messages", sizes.offline_messages, *time)),
        *(Load(f"room of {occupants}", "rooms",
               ("room", "--first", first.held, "--accounts", min(occupants, sizes.held_accounts), "--occupants", occupants,
                "--at-once", 32, "--window", 4, *time)) for occupants in sizes.rooms),
        Load("events", "pep", ("pep", "--first", first.events, "--contacts", sizes.contacts, "--receivers", sizes.receivers,
                               "--at-once", 32, *time)),
        Load("idle", "tls", ("idle", "--first", first.held, "--accounts", sizes.held_accounts, "--at-once", 32,
                             "--sessions", ",".join(map(str, sizes.sessions)),
                             "--base-sessions", sizes.base_sessions, "--settle-seconds", sizes.settle_seconds, *time), fresh=True),
        Load("logins, held", "login", (*logins, "--held", sizes.held, "--held-first", first.held,
                                       "--held-accounts", sizes.held_accounts), fresh=True),
        Load("messages, archived", "archive", (*messages, "--window", 4), archive=True),
        Load("pages of the archive", "archive", ("pages", "--first", first.pages, "--stored", sizes.archived, *time), archive=True),
    ]
