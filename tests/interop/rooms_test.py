"""Three people in a room by slixmpp (XEP-0045): found by discovery, made, entered, talked in, kept over a restart."""
import asyncio
import time
import unittest

from kith import Kith, running_kith
from phone import Phone
from slix import Conversation
from slixmpp.exceptions import IqError
from slixmpp.xmlstream import ET
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

ROOM = "coven@rooms.example.org"
PLUGINS = ["xep_0030", "xep_0045", "xep_0059", "xep_0199", "xep_0203", "xep_0313"]


class Rooms(Conversation):
    def setUp(self):
        self.kith = Kith()
        self.addCleanup(self.kith.remove)
        self.kith.start()

    async def people(self, *names):
        made = []
        for name in names:
            client = self.client(self.kith, self.kith.add_user(name), plugins=PLUGINS)
            client.said = asyncio.Queue()
            client.seen = asyncio.Queue()
            client.add_event_handler("groupchat_message", client.said.put_nowait)
            client.add_event_handler("groupchat_presence", client.seen.put_nowait)
            await client.login()
            made.append(client)
        return made

    async def enters(self, client, nick):
        """What came with it: the own presence, the subject, the history."""
        own, subject, _, history = await client["xep_0045"].join_muc_wait(ROOM, nick, timeout=20)
        self.assertIn(110, own["muc"]["status_codes"])
        return own, subject, [message["body"] for message in history]

    async def archived(self, client):
        """Bodies and subjects of the room's archive."""
        said = []
        async for carrier in client["xep_0313"].iterate(jid=ROOM, rsm={"max": "1"}):
            message = carrier["mam_result"]["forwarded"]["stanza"]
            said.append(message["body"] or message["subject"])
        return said

    async def test_the_archive_is_for_those_who_may_be_there(self):
        juliet, romeo, tybalt = await self.people("juliet", "romeo", "tybalt")
        await self.enters(juliet, "Juliet")
        form = await juliet["xep_0045"].get_room_config(ROOM)
        form["type"] = "submit"
        form.set_values({"muc#roomconfig_membersonly": True})
        await juliet["xep_0045"].set_room_config(ROOM, form)
        await juliet["xep_0045"].set_affiliation(ROOM, "member", jid=romeo.boundjid.bare)
        for number in range(3):
            juliet.send_message(mto=ROOM, mbody=f"line {number}", mtype="groupchat")
        last = await juliet.next(juliet.said, lambda heard: heard["body"] == "line 2")
        info = await romeo["xep_0030"].get_info(ROOM)
        self.assertIn("urn:xmpp:mam:2", info["disco_info"]["features"])
        self.assertEqual(await self.archived(romeo), ["line 0", "line 1", "line 2"])
        ids = [carrier["mam_result"]["id"] async for carrier in romeo["xep_0313"].iterate(jid=ROOM)]
        stanza_id = last.xml.find("{urn:xmpp:sid:0}stanza-id")
        self.assertEqual((stanza_id.get("by"), stanza_id.get("id")), (ROOM, ids[-1]))
        with self.assertRaises(IqError) as refused:
            await tybalt["xep_0313"].retrieve(jid=ROOM)
        self.assertEqual(refused.exception.condition, "forbidden")

    async def test_three_people_talk_and_one_is_shown_out(self):
        juliet, romeo, nurse = await self.people("juliet", "romeo", "nurse")
        found = await juliet["xep_0030"].get_items("example.org")
        self.assertIn("rooms.example.org", [str(jid) for jid, _, _ in found["disco_items"]["items"]])
        info = await juliet["xep_0030"].get_info("rooms.example.org")
        self.assertIn("http://jabber.org/protocol/muc", info["disco_info"]["features"])

        created, _, _ = await self.enters(juliet, "Juliet")
        self.assertIn(201, created["muc"]["status_codes"])
        form = await juliet["xep_0045"].get_room_config(ROOM)
        form["type"] = "submit"
        form.set_values({"muc#roomconfig_persistentroom": True, "muc#roomconfig_publicroom": True,
                         "muc#roomconfig_roomname": "The Capulets' ball"})
        await juliet["xep_0045"].set_room_config(ROOM, form)
        rooms = await romeo["xep_0030"].get_items("rooms.example.org")
        self.assertEqual([(str(jid), name) for jid, _, name in rooms["disco_items"]["items"]], [(ROOM, "The Capulets' ball")])

        await self.enters(romeo, "Romeo")
        await self.enters(nurse, "Nurse")
        self.assertEqual(sorted(nurse["xep_0045"].get_roster(ROOM)), ["Juliet", "Nurse", "Romeo"])
        for number, client in enumerate((juliet, romeo, nurse)):
            client.send_message(mto=ROOM, mbody=f"line {number}", mtype="groupchat")
            for receiver in (juliet, romeo, nurse):
                heard = await receiver.next(receiver.said)
                self.assertEqual((heard["body"], heard["mucnick"]), (f"line {number}", ("Juliet", "Romeo", "Nurse")[number]))

        await juliet["xep_0045"].set_role(ROOM, "Romeo", "none", reason="A villain")
        gone = await romeo.next(romeo.seen, lambda presence: presence["type"] == "unavailable")
        self.assertIn(307, gone["muc"]["status_codes"])

        # Who comes back hears what was said meanwhile.
        juliet.send_message(mto=ROOM, mbody="Content thee, gentle coz", mtype="groupchat")
        await nurse.next(nurse.said, lambda heard: heard["body"].startswith("Content"))
        _, _, history = await self.enters(romeo, "Romeo")
        self.assertEqual(history[-1], "Content thee, gentle coz")

    async def test_a_room_outlives_the_server(self):
        juliet, romeo = await self.people("juliet", "romeo")
        await self.enters(juliet, "Juliet")
        form = await juliet["xep_0045"].get_room_config(ROOM)
        form["type"] = "submit"
        form.set_values({"muc#roomconfig_persistentroom": True, "muc#roomconfig_membersonly": True})
        await juliet["xep_0045"].set_room_config(ROOM, form)
        await juliet["xep_0045"].set_affiliation(ROOM, "member", jid=romeo.boundjid.bare)
        juliet["xep_0045"].set_subject(ROOM, "The ball")
        juliet.send_message(mto=ROOM, mbody="Who is there?", mtype="groupchat")
        await juliet.next(juliet.said, lambda heard: heard["body"] == "Who is there?")
        for client in (juliet, romeo):
            client.reconnect_delay = None
            await client.logout()
        self.kith.terminate()
        self.kith.start()

        again = self.client(self.kith, romeo.boundjid.bare, plugins=PLUGINS)
        await again.login()
        own, subject, history = await self.enters(again, "Romeo")
        self.assertEqual(subject["subject"], "The ball")
        self.assertEqual(history, ["Who is there?"])
        self.assertEqual(await self.archived(again), ["The ball", "Who is there?"])
        self.assertEqual(own["muc"]["affiliation"], "member")

    async def test_a_moderator_takes_a_message_back(self):
        juliet, romeo = await self.people("juliet", "romeo")
        await self.enters(juliet, "Juliet")
        form = await juliet["xep_0045"].get_room_config(ROOM)
        form["type"] = "submit"
        await juliet["xep_0045"].set_room_config(ROOM, form)
        await self.enters(romeo, "Romeo")
        romeo.send_message(mto=ROOM, mbody="a villain", mtype="groupchat")
        said = await juliet.next(juliet.said, lambda heard: heard["body"] == "a villain")
        told = asyncio.Queue()
        romeo.register_handler(Callback("retraction", MatchXPath("{jabber:client}message/{urn:xmpp:message-retract:1}retract"), told.put_nowait))
        request = juliet.make_iq_set(ito=ROOM)
        moderate = ET.fromstring(f"<moderate xmlns='urn:xmpp:message-moderate:1' id='{said.xml.find('{urn:xmpp:sid:0}stanza-id').get('id')}'>"
                                 "<retract xmlns='urn:xmpp:message-retract:1'/><reason>Insult</reason></moderate>")
        request.append(moderate)
        await request.send(timeout=20)
        await romeo.next(told)
        graves = [carrier["mam_result"]["forwarded"]["stanza"] async for carrier in juliet["xep_0313"].iterate(jid=ROOM)]
        self.assertEqual([grave["body"] for grave in graves], ["", ""])
        self.assertIsNotNone(graves[0].xml.find("{urn:xmpp:message-retract:1}retracted"))

    async def test_kithctl_looks_after_rooms(self):
        (juliet,) = await self.people("juliet")
        await self.enters(juliet, "Juliet")
        form = await juliet["xep_0045"].get_room_config(ROOM)
        form["type"] = "submit"
        await juliet["xep_0045"].set_room_config(ROOM, form)
        self.assertIn(ROOM, self.kith.kithctl("room", "list").stdout)
        self.kith.kithctl("room", "affiliate", ROOM, "romeo@example.org", "member")
        self.kith.kithctl("room", "config", ROOM, "membersonly", "1")
        shown = self.kith.kithctl("room", "show", ROOM).stdout
        for line in (r"membersonly +1", r"member +romeo@example\.org", r"owner +juliet@example\.org",
                     r"occupant +Juliet \(juliet@example\.org/"):
            self.assertRegex(shown, line)
        self.assertEqual(self.kith.kithctl("room", "affiliate", ROOM, "juliet@example.org", "none", check=False).returncode, 1)
        self.assertEqual(self.kith.kithctl("room", "show", "nowhere@rooms.example.org", check=False).returncode, 1)
        self.kith.kithctl("room", "destroy", ROOM, "--yes")
        await juliet.next(juliet.seen, lambda presence: presence["type"] == "unavailable")
        self.assertEqual(self.kith.kithctl("room", "list").stdout, "There are no rooms.\n")


class Restart(unittest.TestCase):
    def sends(self, phone, stanza):
        phone.outbox.append(stanza)
        phone.wire.send(stanza)

    def until(self, phones, holds):
        end = time.monotonic() + 30
        while not holds():
            self.assertLess(time.monotonic(), end)
            for phone in phones:
                phone.ask()
                phone.pump(0.05)

    def test_who_resumes_is_still_in_the_room(self):
        kith = running_kith(self, "juliet", "romeo")
        phones = juliet, romeo = Phone(kith, "juliet"), Phone(kith, "romeo")
        for phone in phones:
            self.addCleanup(phone.cut)
            phone.pump()
            self.sends(phone, f"<presence to='{ROOM}/{phone.user}'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
            if phone is juliet:
                self.sends(phone, f"<iq type='set' id='c' to='{ROOM}'><query xmlns='http://jabber.org/protocol/muc#owner'>"
                                  "<x xmlns='jabber:x:data' type='submit'/></query></iq>")
            self.until([phone], lambda phone=phone: phone.quiet() and phone.bodies)  # the subject, which has no body
        self.assertEqual(kith.terminate(), 0)
        for phone in phones:
            phone.cut()
        kith.start()
        self.until(phones, lambda: juliet.resumed and romeo.resumed)
        self.sends(romeo, f"<message type='groupchat' id='hail' to='{ROOM}'><body>hail</body></message>")
        self.until(phones, lambda: "hail" in juliet.bodies and "hail" in romeo.bodies)
        self.assertEqual(juliet.refusals + romeo.refusals, [])
        self.assertRegex(kith.kithctl("room", "show", ROOM).stdout, r"occupant +juliet \(juliet@example\.org/phone\)")


if __name__ == "__main__":
    unittest.main()
