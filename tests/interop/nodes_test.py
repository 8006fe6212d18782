"""Each access model of an account's nodes (XEP-0060, XEP-0163) for each kind of reader: items, subscriptions, notifications, discovery."""
import asyncio

from kith import Kith
from slix import Conversation
from slixmpp.exceptions import IqError
from slixmpp.plugins.xep_0004 import Form
from slixmpp.xmlstream import ET

JULIET = "juliet@example.org"
PLUGINS = ["xep_0004", "xep_0030", "xep_0060", "xep_0115", "xep_0163", "xep_0199"]
MODELS = ("open", "presence", "roster", "authorize", "whitelist")
STRANGER = "presence-subscription-required"
# What keeps each from the nodes, in the order of MODELS; None: nothing.
READERS = {
    "juliet": (None, None, None, None, None),
    "romeo": (None, None, None, "not-subscribed", "closed-node"),              # a contact in the group
    "nurse": (None, None, "not-in-roster-group", "not-subscribed", "closed-node"),  # a contact outside of it
    "tybalt": (None, STRANGER, STRANGER, STRANGER, STRANGER),
    "friar": (None, None, None, None, None),                                   # on the nodes' list
    "mercutio": ("forbidden",) * 5,                                            # a contact who is cast out
}


def options(**fields):
    form = Form()
    form["type"] = "submit"
    form.add_field(var="FORM_TYPE", ftype="hidden", value="http://jabber.org/protocol/pubsub#publish-options")
    for var, value in fields.items():
        form.add_field(var="pubsub#" + var, value=value)
    return form


class Nodes(Conversation):
    def setUp(self):
        self.kith = Kith()
        self.addCleanup(self.kith.remove)
        self.kith.start()
        for name in READERS:
            self.kith.add_user(name)

    async def comes(self, name, resource="reader"):
        client = self.client(self.kith, f"{name}@example.org/{resource}", plugins=PLUGINS)
        client.events = asyncio.Queue()
        for kind in ("pubsub_publish", "pubsub_subscription"):
            client.add_event_handler(kind, client.events.put_nowait)
        client["xep_0030"].add_identity(category="client", itype="pc", name=name)
        await client.login(presence=False)
        for model in MODELS:
            client["xep_0163"].add_interest(model)
        await client["xep_0115"].update_caps()
        client.send_presence()
        await client.settled()
        return client

    async def lets_in(self, juliet, reader, group):
        reader.send_presence(pto=JULIET, ptype="subscribe")
        await juliet.presence("subscribe", reader.boundjid.bare)
        juliet.send_presence(pto=reader.boundjid.bare, ptype="subscribed")
        await reader.presence("subscribed", JULIET)
        await juliet.update_roster(reader.boundjid.bare, name=reader.boundjid.user, groups=[group])
        juliet.send_presence(pto=reader.boundjid.bare, ptype="subscribe")
        await reader.presence("subscribe", JULIET)
        reader.send_presence(pto=JULIET, ptype="subscribed")
        await juliet.presence("subscribed", reader.boundjid.bare)

    async def publish(self, juliet, text, **fields):
        for model in MODELS:
            form = options(access_model=model, **({"roster_groups_allowed": "Lovers"} if model == "roster" else {}), **fields)
            await juliet["xep_0060"].publish(None, model, id="current", payload=ET.fromstring(f"<a xmlns='urn:a'>{text}</a>"), options=form)

    @staticmethod
    async def refusal(request):
        """The condition of pubsub#errors, or of stanzas, that answers it; None if there is no error."""
        try:
            await request
        except IqError as error:
            conditions = [child.tag.partition("}")[2] for child in error.iq["error"].xml if not child.tag.endswith("}text")]
            return conditions[-1]
        return None

    async def told(self, client):
        """The nodes whose events have come."""
        await client.settled()
        found = []
        while not client.events.empty():
            event = client.events.get_nowait()["pubsub_event"]
            if event.xml.find("{http://jabber.org/protocol/pubsub#event}items") is not None:
                found.append(event["items"]["node"])
        return sorted(found)

    async def test_each_reader_gets_what_the_access_model_gives_and_nothing_else(self):
        clients = {name: await self.comes(name) for name in READERS}
        juliet = clients["juliet"]
        for name, group in (("romeo", "Lovers"), ("nurse", "Servants"), ("mercutio", "Lovers")):
            await self.lets_in(juliet, clients[name], group)
        await self.publish(juliet, "first")
        for model in MODELS:
            await juliet["xep_0060"].modify_affiliations(
                None, model, affiliations=[("friar@example.org", "member"), ("mercutio@example.org", "outcast")])

        for name, refusals in READERS.items():
            for model, refusal in zip(MODELS, refusals):
                with self.subTest(name=name, model=model):
                    pubsub = clients[name]["xep_0060"]
                    self.assertEqual(await self.refusal(pubsub.get_items(JULIET, model)), refusal)
                    # Who must ask first has asked; others are subscribed, or refused.
                    asked = None if refusal == "not-subscribed" or (model, name) == ("authorize", "tybalt") else refusal
                    self.assertEqual(await self.refusal(pubsub.subscribe(JULIET, model)), asked)
                    if name != "juliet":
                        self.assertEqual(await self.refusal(pubsub.publish(JULIET, model, payload=ET.fromstring("<a xmlns='urn:a'/>"))),
                                         "forbidden")
            readable = {model for model, refusal in zip(MODELS, refusals) if refusal is None}
            listed = await clients[name]["xep_0030"].get_items(JULIET)
            self.assertEqual({item[1] for item in listed["disco_items"]["items"] if item[1]}, readable)

        for client in clients.values():
            await self.told(client)
        await self.publish(juliet, "second")
        for name, refusals in READERS.items():
            readable = sorted(model for model, refusal in zip(MODELS, refusals) if refusal is None)
            self.assertEqual(await self.told(clients[name]), readable, name)

    async def test_a_story_ends_and_its_author_is_known_also_after_a_restart(self):
        juliet, romeo = await self.comes("juliet"), await self.comes("romeo")
        fields = {"node_type": "leaf", "item_expire": "86400", "max_items": "120", "itemreply": "publisher", "publish_model": "open"}
        await self.publish(juliet, "hers", **fields)
        await romeo["xep_0060"].publish(JULIET, "open", id="his", payload=ET.fromstring("<a xmlns='urn:a'>his</a>"))
        self.assertEqual(await self.refusal(romeo["xep_0060"].retract(JULIET, "open", "current")), "forbidden")
        self.kith.terminate()
        self.kith.start()
        romeo = await self.comes("romeo", "again")
        answer = await romeo["xep_0060"].get_items(JULIET, "open")
        items = answer.xml.iter("{http://jabber.org/protocol/pubsub}item")
        self.assertEqual([(item.get("id"), item.get("publisher")) for item in items], [("current", JULIET), ("his", "romeo@example.org")])
        self.assertEqual(await self.refusal(romeo["xep_0060"].retract(JULIET, "open", "current")), "forbidden")
        self.assertIsNone(await self.refusal(romeo["xep_0060"].retract(JULIET, "open", "his")))
        juliet = await self.comes("juliet", "again")
        form = options(item_expire="soon")
        self.assertEqual(await self.refusal(juliet["xep_0060"].set_node_config(None, "open", form)), "not-acceptable")
