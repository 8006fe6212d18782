"""One account's clients of three ages bookmark rooms: by private XML, by the list at an old node, by items (XEP-0049, 0048, 0402)."""
import asyncio

from kith import Kith
from slix import Conversation
from slixmpp.plugins.xep_0004 import Form
from slixmpp.plugins.xep_0048.stanza import Bookmarks as Listed
from slixmpp.xmlstream import ET

ITEMS = "urn:xmpp:bookmarks:1"
OLD = "storage:bookmarks"
PLUGINS = ["xep_0030", "xep_0048", "xep_0049", "xep_0060", "xep_0115", "xep_0163", "xep_0199", "xep_0223"]
ROOM = "theplay@conference.shakespeare.lit"


class Bookmarks(Conversation):
    def setUp(self):
        self.kith = Kith()
        self.addCleanup(self.kith.remove)
        self.kith.start()
        self.kith.add_user("juliet")

    async def comes(self, resource, *interests):
        client = self.client(self.kith, f"juliet@example.org/{resource}", plugins=PLUGINS)
        client.events = asyncio.Queue()
        for name in ("pubsub_publish", "pubsub_retract"):
            client.add_event_handler(name, client.events.put_nowait)
        client["xep_0030"].add_identity(category="client", itype="pc", name=resource)
        await client.login(presence=False)
        for node in interests:
            client["xep_0163"].add_interest(node)
        await client["xep_0115"].update_caps()
        client.send_presence()
        await client.settled()
        return client

    @staticmethod
    def listed(*rooms):
        bookmarks = Listed()
        for room in rooms:
            bookmarks.add_conference(room, "nick", autojoin=True, password=None)
        return bookmarks

    @staticmethod
    async def items(client):
        answer = await client["xep_0060"].get_items(None, ITEMS)
        return {item["id"]: item["payload"] for item in answer["pubsub"]["items"]}

    @staticmethod
    async def private(client):
        answer = await client["xep_0049"].retrieve("bookmarks")
        return {element.get("jid"): element for element in answer["private"]["bookmarks"].xml}

    async def event(self, client, node):
        message = await client.next(client.events, lambda found: found["pubsub_event"]["items"]["node"] == node)
        return message["pubsub_event"]["items"].xml[0]

    async def test_clients_of_three_ages_see_the_same_rooms(self):
        pidgin = await self.comes("pidgin")
        older = await self.comes("older", OLD)
        phone = await self.comes("phone", ITEMS)
        info = await phone["xep_0030"].get_info("juliet@example.org")
        for feature in (ITEMS + "#compat", ITEMS + "#compat-pep", "urn:xmpp:bookmarks-conversion:0"):
            self.assertIn(feature, info["disco_info"]["features"])

        await pidgin["xep_0049"].store(self.listed(ROOM))
        told = await self.event(phone, ITEMS)
        self.assertEqual((told.get("id"), told[0].get("autojoin")), (ROOM, "true"))
        told = await self.event(older, OLD)
        self.assertEqual([element.get("jid") for element in told[0]], [ROOM])

        orchard = "orchard@conference.shakespeare.lit"
        conference = ET.fromstring(f"<conference xmlns='{ITEMS}' name='The Orchard'><extensions><a xmlns='x'/></extensions></conference>")
        options = Form()
        options["type"] = "submit"
        options.add_field(var="FORM_TYPE", ftype="hidden", value="http://jabber.org/protocol/pubsub#publish-options")
        for var, value in (("access_model", "whitelist"), ("max_items", "max"), ("persist_items", "true"),
                           ("send_last_published_item", "never")):
            options.add_field(var="pubsub#" + var, value=value)
        await phone["xep_0060"].publish(None, ITEMS, id=orchard, payload=conference, options=options)
        self.assertEqual(set(await self.private(pidgin)), {ROOM, orchard})
        told = await self.event(older, OLD)
        self.assertEqual([element.get("jid") for element in told[0]], [ROOM, orchard])

        await older["xep_0048"].set_bookmarks(self.listed(orchard), method="xep_0223")
        gone = await self.event(phone, ITEMS)
        while gone.tag.endswith("}item"):  # its own publication, and what changed in it
            gone = await self.event(phone, ITEMS)
        self.assertEqual(gone.get("id"), ROOM)
        self.assertEqual(set(await self.private(pidgin)), {orchard})

        self.kith.terminate()
        self.kith.start()
        phone = await self.comes("phone2", ITEMS)
        found = await self.items(phone)
        self.assertEqual(set(found), {orchard})
        self.assertIsNotNone(found[orchard].find(f"{{{ITEMS}}}extensions/{{x}}a"), "the extension was lost")
