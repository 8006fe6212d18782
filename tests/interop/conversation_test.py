"""Two people by slixmpp, a client that nobody here wrote: contacts, presence, messages, also while one is away."""
import asyncio
import datetime
import unittest

from kith import Kith
from slix import Conversation, Refused, befriend


class TwoPeople(Conversation):
    @classmethod
    def setUpClass(cls):
        cls.kith = Kith()
        cls.addClassCleanup(cls.kith.remove)
        cls.kith.start()

    def pair(self, name, **more):
        """Two new accounts of this test's own, and a client for each."""
        return [self.client(self.kith, self.kith.add_user(f"{who}-{name}"), **more) for who in ("juliet", "romeo")]

    async def test_a_whole_conversation(self):
        juliet, romeo = self.pair("whole", plugins=["xep_0203", "xep_0199"])
        await juliet.login()
        await romeo.login(direct=True)

        await befriend(juliet, romeo)
        for client, contact in ((juliet, romeo), (romeo, juliet)):
            await client.settled()
            self.assertEqual(client.client_roster[contact.boundjid.bare]["subscription"], "both")

        juliet.send_message(mto=romeo.boundjid.bare, mbody="Art thou not Romeo, & a <Montague>?", mtype="chat")
        came = await romeo.message()
        self.assertEqual(came["body"], "Art thou not Romeo, & a <Montague>?")
        self.assertEqual(came["from"], juliet.boundjid)
        self.assertEqual(came.xml.find("{urn:xmpp:delay}delay"), None)
        romeo.send_message(mto=came["from"], mbody="Neither, fair saint.", mtype="chat")
        self.assertEqual((await juliet.message())["body"], "Neither, fair saint.")

        # Romeo leaves; Juliet sees it, and writes all the same.
        await romeo.logout()
        await juliet.presence("unavailable", romeo.boundjid.bare)
        before = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        for number in range(3):
            juliet.send_message(mto=romeo.boundjid.bare, mbody=f"while away {number}", mtype="chat")
        await juliet.settled()
        after = datetime.datetime.now(datetime.timezone.utc)

        back = self.client(self.kith, romeo.boundjid.bare, plugins=["xep_0203"])
        await back.login()
        for number in range(3):
            late = await back.message()
            self.assertEqual(late["body"], f"while away {number}")
            self.assertEqual(late["delay"]["from"].bare, "example.org")
            stamp = late["delay"]["stamp"]
            self.assertGreaterEqual(stamp, before)
            self.assertLessEqual(stamp, after + datetime.timedelta(seconds=1))
        await juliet.presence("available", romeo.boundjid.bare)

        # What has been delivered does not come a second time, once the client has shown a sign of life.
        await back.settled()
        await back.logout()
        again = self.client(self.kith, romeo.boundjid.bare)
        await again.login()
        juliet.send_message(mto=romeo.boundjid.bare, mbody="the end", mtype="chat")  # goes behind what is kept
        self.assertEqual((await again.message())["body"], "the end")

    async def test_a_wrong_password_is_refused(self):
        jid = self.kith.add_user("wrong")
        with self.assertRaises(Refused):
            await self.client(self.kith, jid, "not pencil").login()
        with self.assertRaises(Refused):
            await self.client(self.kith, "nobody@example.org").login()
        await self.client(self.kith, jid).login()

    async def test_each_mechanism_over_both_kinds_of_tls(self):
        jid = self.kith.add_user("mechanisms")
        for direct in (False, True):
            # Without -PLUS, slixmpp says that it saw no -PLUS offered, which is untrue and therefore refused (login_test.py).
            for mechanism in ("SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-512-PLUS", "PLAIN"):
                with self.subTest(mechanism=mechanism, direct=direct):
                    client = self.client(self.kith, jid, mechanism=mechanism)
                    await client.login(direct=direct)
                    self.assertEqual(client.used_mechanism, mechanism)
                    await client.logout()

    async def test_slixmpp_left_alone_finds_a_mechanism_that_works(self):
        for direct in (False, True):
            client = self.client(self.kith, self.kith.add_user(f"alone-{direct}".lower()))
            await client.login(direct=direct)
            self.assertIn("SCRAM", client.used_mechanism)

    async def test_roster_groups_and_pushes_to_every_client(self):
        first, _ = self.pair("groups")
        await first.login()
        second = self.client(self.kith, first.boundjid.bare)
        await second.login()
        contact = "nurse@example.org"
        await first.update_roster(contact, name="Nurse", groups=["House", "Friends & Co"])
        push = await second.next(second.pushes, lambda iq: iq["type"] == "set" and contact in iq["roster"]["items"])
        self.assertEqual(push["roster"]["items"][contact]["name"], "Nurse")
        self.assertEqual(set(push["roster"]["items"][contact]["groups"]), {"House", "Friends & Co"})
        await second.del_roster_item(contact)
        await first.next(first.pushes, lambda iq: iq["type"] == "set" and
                         iq["roster"]["items"].get(contact, {}).get("subscription") == "remove")
        third = self.client(self.kith, first.boundjid.bare)
        await third.login()
        self.assertNotIn(contact, third.roster_answer["roster"]["items"])

    async def test_private_xml_comes_back_as_it_was(self):
        from slixmpp.xmlstream import ET
        client, _ = self.pair("private")
        await client.login()
        iq = client.make_iq_set(ET.fromstring(
            "<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'>"
            "<conference jid='orchard@rooms.example.net' name='a &lt; b'/></storage></query>"))
        await iq.send()
        iq = client.make_iq_get()
        iq.append(ET.fromstring("<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'/></query>"))
        answer = await iq.send()
        conference = answer.xml.find(".//{storage:bookmarks}conference")
        self.assertEqual(conference.get("name"), "a < b")

    async def test_vcard_is_seen_by_a_contact(self):
        one, other = self.pair("vcard", plugins=["xep_0054"])
        await one.login()
        await other.login()
        card = one["xep_0054"].make_vcard()
        card["FN"] = "Juliet Capulet"
        await one["xep_0054"].publish_vcard(card)
        seen = await other["xep_0054"].get_vcard(one.boundjid.bare)
        self.assertEqual(seen["vcard_temp"]["FN"], "Juliet Capulet")

    async def test_carbons_show_a_conversation_on_the_other_client(self):
        juliet, romeo = self.pair("carbons")
        desk = self.client(self.kith, juliet.boundjid.bare, plugins=["xep_0280"])
        copies = asyncio.Queue()
        for name in ("carbon_received", "carbon_sent"):
            desk.add_event_handler(name, lambda message, name=name: copies.put_nowait((name, message[name])))
        await juliet.login()
        await romeo.login()
        await desk.login()
        await desk["xep_0280"].enable()
        juliet.send_message(romeo.boundjid.full, "Hark", mtype="chat")
        name, copy = await asyncio.wait_for(copies.get(), 30)
        self.assertEqual((name, copy["body"]), ("carbon_sent", "Hark"))
        romeo.send_message(juliet.boundjid.full, "What?", mtype="chat")
        name, copy = await asyncio.wait_for(copies.get(), 30)
        self.assertEqual((name, copy["body"]), ("carbon_received", "What?"))

    async def test_who_is_blocked_is_not_heard(self):
        juliet, tybalt = self.pair("blocking", plugins=["xep_0191"])
        await juliet.login()
        await tybalt.login()
        await juliet["xep_0191"].block(tybalt.boundjid.bare)
        blocked = await juliet["xep_0191"].get_blocked()
        self.assertEqual({str(jid) for jid in blocked["blocklist"]["items"]}, {tybalt.boundjid.bare})
        refusals = asyncio.Queue()
        tybalt.add_event_handler("message_error", refusals.put_nowait)
        tybalt.send_message(juliet.boundjid.full, "Peace?", mtype="chat")
        refusal = await asyncio.wait_for(refusals.get(), 30)
        self.assertEqual(refusal["error"]["condition"], "service-unavailable")
        await juliet["xep_0191"].unblock(tybalt.boundjid.bare)
        tybalt.send_message(juliet.boundjid.full, "Again", mtype="chat")
        self.assertEqual((await juliet.next(juliet.messages))["body"], "Again")

    async def test_what_clients_ask_the_server(self):
        client, _ = self.pair("asks", plugins=["xep_0030", "xep_0092", "xep_0199", "xep_0202", "xep_0012", "xep_0115"])
        await client.login()
        info = (await client["xep_0030"].get_info("example.org"))["disco_info"]
        self.assertIn(("server", "im"), {(category, kind) for category, kind, *_ in info["identities"]})
        for feature in ("http://jabber.org/protocol/disco#info", "urn:xmpp:ping", "jabber:iq:version", "urn:xmpp:time",
                        "jabber:iq:last", "msgoffline", "vcard-temp", "jabber:iq:private"):
            self.assertIn(feature, info["features"])
        self.assertIsNotNone((await client["xep_0030"].get_items("example.org"))["disco_items"])
        account = (await client["xep_0030"].get_info(client.boundjid.bare))["disco_info"]
        self.assertIn("account", {category for category, *_ in account["identities"]})
        version = (await client["xep_0092"].get_version("example.org"))["software_version"]
        self.assertEqual(version["name"], "Kith")
        self.assertLess(await client["xep_0199"].ping("example.org"), 30)
        self.assertLess(await client["xep_0199"].ping(client.boundjid.bare), 30)
        time = await client["xep_0202"].get_entity_time("example.org")
        # slixmpp 1.8.3 cannot read the answer of any server (it adds a second Z): read it ourselves.
        utc = datetime.datetime.fromisoformat(time.xml.findtext(".//{urn:xmpp:time}utc"))
        self.assertLess(abs((utc - datetime.datetime.now(datetime.timezone.utc)).total_seconds()), 60)
        uptime = await client["xep_0012"].get_last_activity("example.org")
        self.assertLess(uptime["last_activity"]["seconds"], 3600)

    async def test_last_activity_of_a_contact_who_left(self):
        juliet, romeo = self.pair("last", plugins=["xep_0012"])
        await juliet.login()
        await romeo.login()
        await befriend(juliet, romeo)
        romeo.send_presence(ptype="unavailable", pstatus="gone to Mantua")
        await juliet.presence("unavailable", romeo.boundjid.bare)
        await romeo.logout()
        answer = await juliet["xep_0012"].get_last_activity(romeo.boundjid.bare)
        self.assertLess(answer["last_activity"]["seconds"], 300)
        self.assertEqual(answer["last_activity"]["status"], "gone to Mantua")

    async def test_a_stranger_learns_nothing_of_presence(self):
        juliet, tybalt = self.pair("stranger", plugins=["xep_0012"])
        await juliet.login()
        await tybalt.login()
        tybalt.send_presence(pto=juliet.boundjid.bare, ptype="probe")
        tybalt.send_presence(pto=juliet.boundjid.bare)
        await tybalt.settled()
        await juliet.settled()
        while not tybalt.presences.empty():
            seen = tybalt.presences.get_nowait()
            self.assertFalse(seen["from"].bare == juliet.boundjid.bare and seen["type"] == "available", str(seen))

    async def test_the_same_resource_twice_ends_one_of_them(self):
        jid = self.kith.add_user("conflict")
        first = self.client(self.kith, jid + "/balcony")
        await first.login()
        second = self.client(self.kith, jid + "/balcony")
        await second.login()
        if second.boundjid.full == first.boundjid.full:
            error = await first.next(first.errors)
            self.assertEqual(error["condition"], "conflict")
        await second.settled()

    async def test_a_message_to_a_bare_jid_reaches_every_client_of_the_highest_priority(self):
        juliet, romeo = self.pair("priority")
        await juliet.login()
        await romeo.login(presence=False)
        second = self.client(self.kith, romeo.boundjid.bare)
        await second.login(presence=False)
        negative = self.client(self.kith, romeo.boundjid.bare)
        await negative.login(presence=False)
        romeo.send_presence(ppriority=5)
        second.send_presence(ppriority=5)
        negative.send_presence(ppriority=-1)
        for client in (romeo, second, negative):
            await client.settled()
        juliet.send_message(mto=romeo.boundjid.bare, mbody="to whom?", mtype="chat")
        self.assertEqual((await romeo.message())["body"], "to whom?")
        self.assertEqual((await second.message())["body"], "to whom?")
        await negative.settled()
        self.assertTrue(negative.messages.empty())

    async def test_many_messages_keep_their_order(self):
        juliet, romeo = self.pair("order")
        await juliet.login()
        await romeo.login()

        async def send():
            for number in range(300):
                juliet.send_message(mto=romeo.boundjid.full, mbody=str(number), mtype="chat")
            await juliet.settled()

        sending = asyncio.ensure_future(send())
        bodies = [(await romeo.message())["body"] for _ in range(300)]
        await sending
        self.assertEqual(bodies, [str(number) for number in range(300)])


if __name__ == "__main__":
    unittest.main()
