"""A component that others wrote: slixmpp's, which echoes what people of this server and of another write to it."""
import asyncio
import hashlib
import unittest

import slixmpp

from kith import Kith, free_port, join
from slix import SECONDS, Conversation

JULIET, ROMEO = "juliet@capulet.example", "romeo@montague.example"


class Echo(slixmpp.ComponentXMPP):
    def __init__(self, jid, secret, port):
        super().__init__(jid, secret, "127.0.0.1", port)
        self.register_plugin("xep_0030")
        self.ready = self.loop.create_future()
        self.gone = self.loop.create_future()
        self.add_event_handler("session_start", lambda _: self.ready.done() or self.ready.set_result(True))
        self.add_event_handler("disconnected", lambda _: self.gone.done() or self.gone.set_result(True))
        self.add_event_handler("message", lambda message: message.reply(message["body"].upper()).send())


class Components(Conversation):
    def setUp(self):
        self.port = free_port()
        self.capulet = Kith(domains=("capulet.example",), settings='[components]\ndomains = ["echo.capulet.example=echo.secret"]')
        self.montague = Kith(domains=("montague.example",))
        join(self.capulet, self.montague, require=False)
        for kith in (self.capulet, self.montague):
            self.addCleanup(kith.remove)
        self.capulet.components = self.port
        self.montague.federation["hosts"]["echo.capulet.example"] = self.capulet.federation["port"]
        (self.capulet.folder / "echo.secret").write_text("hush\n")
        for kith, jid in ((self.capulet, JULIET), (self.montague, ROMEO)):
            kith.start()
            kith.add_user(jid)

    async def echo(self, secret="hush"):
        made = Echo("echo.capulet.example", secret, self.port)
        self.addAsyncCleanup(asyncio.sleep, 0)
        self.addCleanup(made.abort)
        made.connect()
        return made

    async def test_it_is_talked_to_from_here_and_from_elsewhere(self):
        echo = await self.echo()
        await asyncio.wait_for(echo.ready, SECONDS)
        juliet = await self.client(self.capulet, JULIET, plugins=["xep_0030"]).login()
        romeo = await self.client(self.montague, ROMEO).login()
        for person in (juliet, romeo):
            person.send_message(mto="anybody@echo.capulet.example", mbody="hello", mtype="chat")
            came = await person.message()
            self.assertEqual((came["body"], came["from"].bare), ("HELLO", "anybody@echo.capulet.example"))
        items = await juliet["xep_0030"].get_items(jid="capulet.example", timeout=SECONDS)
        self.assertIn(("echo.capulet.example", None, None), items["disco_items"]["items"])
        info = await juliet["xep_0030"].get_info(jid="echo.capulet.example", timeout=SECONDS)
        self.assertIn("http://jabber.org/protocol/disco#info", info["disco_info"]["features"])

    async def test_one_without_the_secret_is_refused(self):
        echo = await self.echo(hashlib.sha256(b"guess").hexdigest())
        await asyncio.wait_for(echo.gone, SECONDS)
        self.assertFalse(echo.ready.done())
        self.capulet.wait_for_log("component_refused")


if __name__ == "__main__":
    unittest.main()
