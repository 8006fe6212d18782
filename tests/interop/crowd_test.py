"""A room of fifty people by slixmpp, who join, talk, lose their connections and come back to it (XEP-0045, XEP-0198)."""
import asyncio
import collections
import unittest

from kith import Kith
from slix import SECONDS, Conversation
from slixmpp.xmlstream import ET

ROOM = "coven@rooms.example.org"
PEOPLE = 50
MUC = "http://jabber.org/protocol/muc"


class Crowd(Conversation):
    def setUp(self):
        self.kith = Kith()
        self.addCleanup(self.kith.remove)
        self.kith.start()

    def person(self, name):
        client = self.client(self.kith, f"{name}@example.org", plugins=["xep_0045", "xep_0198"])
        client.heard = collections.Counter()  # bodies
        client.left = []                      # nicks that went
        client.resumed = asyncio.Queue()
        client.changed = asyncio.Event()
        client.add_event_handler("session_resumed", client.resumed.put_nowait)

        def heard(message):
            client.heard[message["body"]] += 1
            client.changed.set()

        client.add_event_handler("groupchat_message", heard)
        client.add_event_handler("groupchat_presence",
                                 lambda presence: presence["type"] == "unavailable" and client.left.append(presence["from"].resource))
        return client

    async def hear(self, client, bodies):
        """All of them, each once."""
        async def wait():
            while not all(body in client.heard for body in bodies):
                client.changed.clear()
                await client.changed.wait()
        await asyncio.wait_for(wait(), SECONDS)
        self.assertEqual({client.heard[body] for body in bodies}, {1})

    async def say(self, people, line):
        bodies = [f"{line} of {client.boundjid.user}" for client in people]
        for client, body in zip(people, bodies):
            client.send_message(mto=ROOM, mbody=body, mtype="groupchat")
        return bodies

    async def test_nobody_misses_anything_or_is_seen_to_go(self):
        names = [f"witch{number}" for number in range(PEOPLE)]
        await asyncio.gather(*(asyncio.to_thread(self.kith.add_user, name) for name in names))
        people = [self.person(name) for name in names]
        await asyncio.gather(*(client.login() for client in people))

        first, *others = people
        await first["xep_0045"].join_muc_wait(ROOM, first.boundjid.user, timeout=SECONDS)
        request = first.make_iq_set(ito=ROOM)
        request.append(ET.fromstring(f"<query xmlns='{MUC}#owner'><x xmlns='jabber:x:data' type='submit'/></query>"))
        await request.send(timeout=SECONDS)
        await asyncio.gather(*(client["xep_0045"].join_muc_wait(ROOM, client.boundjid.user, timeout=SECONDS) for client in others))
        self.assertEqual(sorted(first["xep_0045"].get_roster(ROOM)), sorted(names))

        said = await self.say(people, "hail")
        await asyncio.gather(*(self.hear(client, said) for client in people))

        # Half of them are cut off; the others talk on, and see nobody go.
        gone, there = people[::2], people[1::2]
        for client in gone:
            client.transport.abort()
        said = await self.say(there, "meanwhile")
        await asyncio.gather(*(self.hear(client, said) for client in there))
        for client in gone:
            client.connect(("127.0.0.1", self.kith.port), force_starttls=True)
        await asyncio.gather(*(asyncio.wait_for(client.resumed.get(), SECONDS) for client in gone))
        await asyncio.gather(*(self.hear(client, said) for client in gone))

        said = await self.say(gone, "again")
        await asyncio.gather(*(self.hear(client, said) for client in people))
        self.assertEqual([client.left for client in people], [[]] * PEOPLE)


if __name__ == "__main__":
    unittest.main()
