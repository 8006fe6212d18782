"""Two servers, and people of one who become contacts with people of the other and chat: by certificates, and by dialback."""
import asyncio
import unittest

from slixmpp.exceptions import IqError
from slixmpp.xmlstream import ET
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

from kith import Kith, join
from slix import Conversation, befriend

JULIET, ROMEO = "juliet@capulet.example", "romeo@montague.example"


class Federation(Conversation):
    def setUp(self):
        self.set_up_with({})

    def set_up_with(self, limits):
        self.capulet = Kith(domains=("capulet.example",), limits=limits)
        self.montague = Kith(domains=("montague.example",), limits=limits)
        for kith in (self.capulet, self.montague):
            self.addCleanup(kith.remove)

    async def two_people(self, **how):
        join(self.capulet, self.montague, **how)
        people = []
        for kith, jid in ((self.capulet, JULIET), (self.montague, ROMEO)):
            kith.start()
            kith.add_user(jid)
            people.append(self.client(kith, jid, plugins=["xep_0199", "xep_0030", "xep_0163"]))
            await people[-1].login()
        return people

    async def chat(self, juliet, romeo):
        juliet.send_message(mto=ROMEO, mbody="Art thou not Romeo, & a <Montague>?", mtype="chat")
        came = await romeo.message()
        self.assertEqual((came["body"], came["from"]), ("Art thou not Romeo, & a <Montague>?", juliet.boundjid))
        romeo.send_message(mto=came["from"], mbody="Neither, fair saint.", mtype="chat")
        came = await juliet.message()
        self.assertEqual((came["body"], came["from"]), ("Neither, fair saint.", romeo.boundjid))

    async def comes_back(self, sender, receiver, condition):
        """What is sent to `receiver` comes back as this error."""
        refusals = asyncio.Queue()
        sender.add_event_handler("message_error", refusals.put_nowait)
        sender.send_message(mto=receiver, mbody="Who art thou?", mtype="chat")
        came = await sender.next(refusals)
        self.assertEqual((came["from"].bare, came["error"]["condition"]), (receiver, condition))

    async def test_people_of_two_servers_become_contacts_and_chat(self):
        juliet, romeo = await self.two_people()
        await befriend(juliet, romeo)
        await self.chat(juliet, romeo)
        self.montague.wait_for_log("server_proven domain=capulet.example how=certificate")
        self.capulet.wait_for_log("server_proven domain=montague.example how=certificate")
        for client, contact in ((juliet, ROMEO), (romeo, JULIET)):
            self.assertEqual(client.client_roster[contact]["subscription"], "both")

        # A question to the other's client and one to the other's account are answered.
        await juliet["xep_0199"].send_ping(romeo.boundjid, timeout=30)
        info = await juliet["xep_0030"].get_info(jid=ROMEO, timeout=30)
        self.assertIn(("pubsub", "pep", None, None), info["disco_info"]["identities"])

        # Who goes is seen to go, and who comes back is seen, too, by what his server asks.
        await romeo.logout()
        await juliet.presence("unavailable", ROMEO)
        again = self.client(self.montague, ROMEO)
        await again.login()
        await juliet.presence("available", ROMEO)
        await again.presence("available", JULIET)

    async def test_dialback_suffices_where_certificates_are_not_required(self):
        juliet, romeo = await self.two_people(require=False, strangers=(self.capulet, self.montague))
        await self.chat(juliet, romeo)
        self.montague.wait_for_log("server_proven domain=capulet.example how=dialback")
        self.capulet.wait_for_log("server_proven domain=montague.example how=dialback")

    async def test_a_server_without_a_trusted_certificate_is_not_believed(self):
        self.set_up_with({"s2s_wait_time": "0 seconds"})
        juliet, romeo = await self.two_people(strangers=(self.montague,))
        for sender, receiver in ((juliet, ROMEO), (romeo, JULIET)):
            await self.comes_back(sender, receiver, "remote-server-timeout")
        self.capulet.wait_for_log('server_not_reached domain=montague.example why="its certificate is not trusted')

    async def test_the_administrator_is_told_what_is_wrong_with_a_certificate(self):
        join(self.capulet, self.montague, strangers=(self.montague,))
        for kith in (self.capulet, self.montague):
            kith.start()
        check = lambda: self.capulet.kithctl("federation", "check", "montague.example", check=False).stdout
        self.assertRegex(check(), "--  certificate  it is not trusted: self.signed certificate")
        # Now it is trusted, but another's.
        self.montague.authority = self.capulet.authority
        self.montague.authority.issue(self.montague.live, "montague.example", names=["verona.example", "www.verona.example"])
        self.montague.reload()
        self.assertIn("--  certificate  it is not for montague.example but for verona.example, www.verona.example", check())
        self.montague.authority.issue(self.montague.live, "montague.example")
        self.montague.reload()
        self.assertIn("ok  certificate  it is trusted, and for montague.example", check())

    async def test_a_server_that_is_away_is_told_of_and_tried_again(self):
        juliet, _ = await self.two_people()
        self.montague.terminate()
        with self.assertRaises(IqError) as refused:
            await juliet["xep_0199"].send_ping(ROMEO, timeout=30)
        self.assertEqual(refused.exception.condition, "remote-server-timeout")

    async def test_a_phone_that_is_away_is_woken_through_a_service_that_learns_nothing(self):
        juliet, app = await self.two_people()
        asked = asyncio.Queue()
        app.register_handler(Callback("push", MatchXPath("{jabber:client}iq/{http://jabber.org/protocol/pubsub}pubsub"), asked.put_nowait))
        enable = juliet.make_iq_set(ET.fromstring(f"<enable xmlns='urn:xmpp:push:0' jid='{app.boundjid.full}' node='n1'/>"))
        await enable.send(timeout=30)
        await juliet.logout()
        nurse = self.client(self.capulet, self.capulet.add_user("nurse@capulet.example"))
        await nurse.login()
        nurse.send_message(mto=JULIET, mbody="Your mother is coming!", mtype="chat")
        notification = await asyncio.wait_for(asked.get(), 30)
        notification.reply().send()
        self.assertEqual((notification["from"].full, notification["type"]), (JULIET, "set"))
        text = ET.tostring(notification.xml, encoding="unicode")
        self.assertIn("urn:xmpp:push:0", text)
        for word in ("mother", "nurse"):
            self.assertNotIn(word, text)
        # And the message waits for her.
        again = self.client(self.capulet, JULIET, plugins=["xep_0004", "xep_0050"])
        await again.login()
        self.assertEqual((await again.message())["body"], "Your mother is coming!")

        # She sees what the service was told, in her client's menu; so does who hosts the server.
        offered = await again["xep_0050"].get_commands(jid="capulet.example", timeout=30)
        self.assertIn(("capulet.example", "urn:kith:push:log", "Show what push services were told"), offered["disco_items"]["items"])
        answer = await again["xep_0050"].send_command("capulet.example", "urn:kith:push:log", timeout=30)
        self.assertEqual(answer["command"]["status"], "completed")
        told = answer["command"]["form"].get_items()
        self.assertEqual([(row["service"], row["node"], row["sent"], row["refused"]) for row in told], [(app.boundjid.full, "n1", "1", "0")])
        self.assertRegex(self.capulet.kithctl("user", "pushes", JULIET).stdout, rf"{app.boundjid.full} +n1 +1 +0\n")
        self.assertIn("Nothing was sent", self.capulet.kithctl("user", "pushes", "nurse@capulet.example").stdout)


if __name__ == "__main__":
    unittest.main()
