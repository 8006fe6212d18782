"""slixmpp shares a file (XEP-0363) and a friend fetches it, all by names and certificates as in real life."""
import asyncio
import io
import os
import unittest
from unittest import mock

import aiohttp
from kith import Kith
from slix import SECONDS, Conversation


async def wait_for_tasks(things, **how):
    """asyncio.wait() as slixmpp 1.8 calls it: since Python 3.11 it takes no bare coroutines."""
    return await WAIT([asyncio.ensure_future(thing) for thing in things], **how)


WAIT = asyncio.wait


class UploadByClient(Conversation):
    async def test_a_picture_goes_to_a_friend_by_its_address(self):
        # The one name that leads to this machine everywhere.
        kith = self.enterContext(Kith(domains=["localhost"]))
        self.enterContext(mock.patch.dict(os.environ, SSL_CERT_FILE=str(kith.authority.certificate)))
        self.enterContext(mock.patch("asyncio.wait", wait_for_tasks))
        juliet, romeo = [self.client(kith, kith.add_user(name), plugins=["xep_0030", "xep_0066", "xep_0363"])
                         for name in ("juliet", "romeo")]
        await juliet.login()
        await romeo.login()
        picture = os.urandom(300_000)
        place = await juliet["xep_0363"].upload_file("balcony.png", input_file=io.BytesIO(picture), timeout=SECONDS)
        self.assertTrue(place.startswith(f"https://localhost:{kith.https_port}/upload/"), place)
        juliet.send_message("romeo@localhost", place, mtype="chat")
        told = await asyncio.wait_for(romeo.messages.get(), SECONDS)
        self.assertEqual(told["body"], place)
        async with aiohttp.ClientSession() as web, web.get(told["body"]) as answer:
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.headers["Content-Type"], "image/png")
            self.assertEqual(await answer.read(), picture)
        await juliet.logout()
        await romeo.logout()


if __name__ == "__main__":
    unittest.main()
