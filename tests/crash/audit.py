"""After a crash: logs in as everyone, and holds what is there against the books."""
import concurrent.futures
import sqlite3

from books import Fault
from load import (ADDED, BODY, CONFIRM, DOMAIN, EDITORS, FOLLOWERS, LEADERS, REGISTERED, RESIDENTS, ROSTER, SM, TALKERS, receive, state_of,
                  text_of)
from wire import CLIENT, Ended, Failed, Wire

MAM = "urn:xmpp:mam:2"
RSM = "http://jabber.org/protocol/rsm"

# Everything that may lie in the data directory: what one start makes, and nothing that grows from crash to crash.
DATA_FILES = {"kith.db", "kith.db-wal", "kith.db-shm", "kith.db.lock", "secret", "files"}


class Audit:
    def __init__(self, kith, books):
        self.kith, self.books = kith, books

    def run(self):
        self.check_files()
        self.check_database()
        # Before anyone is available: a subscription may go on as soon as its leader is.
        self.check_subscriptions()
        self.check_accounts()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            jobs = [pool.submit(self.check_editor, name) for name in EDITORS]
            jobs += [pool.submit(self.check_mailbox, mailbox) for mailbox in self.books.mailboxes.values()]
            jobs += [pool.submit(self.check_talker, name) for name in TALKERS]
            for job in jobs:
                job.result()
        for talk in self.books.talks.values():
            talk.settle()

    def wire(self, name, password="pencil"):
        wire = Wire(self.kith.port, authority=self.kith.authority.certificate, seconds=30)
        try:
            return wire.login(name, password, available=False)
        except BaseException:
            wire.close()
            raise

    def check_files(self):
        found = {path.name for path in (self.kith.folder / "data").iterdir()}
        if not found <= DATA_FILES:
            raise Fault(f"files pile up in the data directory: {', '.join(sorted(found - DATA_FILES))}")
        begun = self.kith.folder / "data" / "files" / "tmp"  # uploads that a former run did not end
        left = [str(path) for place in (self.kith.folder / "tmp", begun) for path in place.iterdir()]
        if left:
            raise Fault(f"temporary files were left: {', '.join(left)}")

    def check_database(self):
        """By a program of its own, while the daemon has it open: what SQLite itself says of the file."""
        reader = sqlite3.connect(f"file:{self.kith.folder}/data/kith.db?mode=ro", uri=True, timeout=30)
        try:
            said = [row[0] for row in reader.execute("PRAGMA integrity_check")]
        finally:
            reader.close()
        if said != ["ok"]:
            raise Fault(f"the database is damaged: {'; '.join(said[:5])}")

    def roster(self, wire):
        answer = wire.iq("get", f"<query xmlns='{ROSTER}'/>")
        return {item.get("jid"): item for item in answer.iter(f"{{{ROSTER}}}item")}

    def check_subscriptions(self):
        found = {}
        for name in FOLLOWERS + LEADERS:
            with self.wire(name) as wire:
                roster = self.roster(wire)
            for contact in (LEADERS if name in FOLLOWERS else FOLLOWERS):
                found[name, contact] = state_of(roster.pop(f"{contact}@{DOMAIN}", None))
            if roster:
                raise Fault(f"{name} has contacts that nobody added: {', '.join(roster)}")
        for follower in FOLLOWERS:
            for leader in LEADERS:
                # The leader's side is written first on the way up and last on the way down.
                if found[follower, leader] == "to" and found[leader, follower] != "from":
                    raise Fault(f"{follower} follows {leader}, who knows nothing of it: {found[leader, follower]}")
        for pair, state in found.items():
            self.books.paths[pair].settle(state)

    def check_accounts(self):
        listed = {jid.split("@")[0] for jid in self.kith.kithctl("user", "list").stdout.split() if jid.endswith(f"@{DOMAIN}")}
        wrong = listed - set(RESIDENTS) - set(REGISTERED) - set(ADDED)
        if wrong or set(RESIDENTS) - listed:
            raise Fault(f"accounts that nobody made: {sorted(wrong)}; that are gone: {sorted(set(RESIDENTS) - listed)}")
        for name, account in self.books.accounts.items():
            if len(account.asked) == 0:
                # Nobody touched it: its presence is enough.
                if (name in listed) != bool(account.table):
                    raise Fault(f"the account {name} is {'there' if name in listed else 'gone'}, and nobody touched it")
                continue
            self.check_account(name, account, name in listed)

    def check_account(self, name, account, there):
        if not there:
            account.settle({})
            if name in REGISTERED:
                # Nobody can look; what the next owner of the name finds is looked at then.
                self.books.tables[name, "private"].settle({})
            return
        tried = []
        for table in reversed(account.possible()):
            password = table.get("password")
            if password is None or password in tried:
                continue
            tried.append(password)
            try:
                wire = self.wire(name, password)
            except Failed:
                continue
            with wire:
                account.settle({"password": password})
                if name in REGISTERED:
                    self.check_private(wire, name, ["crash:mine"], "mine")
            return
        raise Fault(f"{account.name} is there, but takes none of the passwords that it may have: {', '.join(tried) or 'none'}")

    def check_private(self, wire, name, keys, tag):
        found = {}
        for key in keys:
            answer = wire.iq("get", f"<query xmlns='jabber:iq:private'><{tag} xmlns='{key}'/></query>")
            if (text := answer.find(f".//{{{key}}}{tag}").text) is not None:
                found[key] = text
        self.books.tables[name, "private"].settle(found)

    def check_editor(self, name):
        with self.wire(name) as wire:
            roster = {jid: (item.get("name"), tuple(sorted(group.text for group in item)))
                      for jid, item in self.roster(wire).items()}
            self.books.tables[name, "roster"].settle(roster)
            self.check_private(wire, name, [f"crash:{n}" for n in range(4)], "store")
            note = wire.iq("get", "<vCard xmlns='vcard-temp'/>").findtext(".//{vcard-temp}NOTE")
            self.books.tables[name, "vcard"].settle({} if note is None else {"NOTE": note})

    def check_talker(self, name):
        """docs/durability.md: after a crash sessions are gone and the archive has what was acknowledged; after a stop they are there."""
        with Wire(self.kith.port, authority=self.kith.authority.certificate, seconds=30) as wire:
            wire.starttls()
            wire.open()
            wire.scram(name, "pencil")
            wire.open()
            session = self.books.sessions.pop(name, None)
            resumed = False
            if session is not None:
                wire.send(f"<resume xmlns='urn:xmpp:sm:3' previd='{session}' h='0'/>")
                answer = wire.element()
                resumed = answer.tag == SM + "resumed"
                # (A client that has acknowledged something says too little now, and is told so by the end of its stream.)
                if self.books.killed and (answer.tag != SM + "failed" or not answer[0].tag.endswith("}item-not-found")):
                    raise Fault(f"{name} was told of its session, which is gone: {answer.tag}")
                if not self.books.killed and answer.tag == SM + "failed":
                    raise Fault(f"the session of {name} was not there after the stop: {answer[0].tag}")
                if not self.books.killed and not resumed:
                    return self.check_archive(self.wire(name), name)
            if not resumed:
                wire.bind()
            return self.check_archive(wire, name)

    def check_archive(self, wire, name):
        found, after = {}, self.books.archived_last.get(name)
        while True:
            place = f"<after>{after}</after>" if after else ""
            wire.send(f"<iq type='set' id='page'><query xmlns='{MAM}'><set xmlns='{RSM}'><max>250</max>{place}</set></query></iq>")
            while (element := wire.element()).get("id") != "page":
                result = element.find(f"{{{MAM}}}result")
                if result is None:
                    continue
                body = BODY.fullmatch(result.findtext(f".//{CLIENT}body") or "")
                if body is None or body[0] != text_of(body[1], int(body[2])):
                    raise Fault(f"the archive of {name} has what nobody sent")
                found.setdefault(body[1], []).append(int(body[2]))
            fin = element.find(f"{{{MAM}}}fin")
            if fin is None:
                raise Fault(f"{name} gets no page of its archive")
            after = fin.findtext(f".//{{{RSM}}}last") or after
            if fin.get("complete") == "true":
                break
        self.books.archived_last[name] = after
        for sender, numbers in found.items():
            if sender not in self.books.talks:
                raise Fault(f"the archive of {name} has messages of {sender}")
        for talk in self.books.talks.values():
            if name in (talk.sender, talk.receiver):
                talk.check(name, found.get(talk.sender, []))

    def check_mailbox(self, mailbox):
        with self.wire(mailbox.owner) as wire:
            mailbox.begin_visit()
            # What was kept goes before what is live, so a message to oneself marks the end.
            wire.send(f"<presence/><message to='{mailbox.owner}@{DOMAIN}' type='chat'><body>end</body></message>")
            while (message := wire.next_message()).findtext(CLIENT + "body") != "end":
                if not receive(mailbox, message):
                    raise Fault(f"{mailbox.owner} got a message that nobody sent")
            mailbox.ask()
            wire.send(CONFIRM.format("seen"))
            wire.until(lambda element: element.get("id") == "seen")
            mailbox.confirm()
            wire.send("</stream:stream>")
            try:
                while True:
                    wire.element()
            except Ended:
                pass
        mailbox.end_visit()
        mailbox.settle()
