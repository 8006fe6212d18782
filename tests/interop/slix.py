"""slixmpp as a test drives it: events become awaitable queues, and every wait has an end."""
import asyncio
import logging
import unittest

import slixmpp
from slixmpp import stanza  # noqa: F401  (registers what the plugins need)

SECONDS = 30
logging.getLogger("slixmpp").setLevel(logging.CRITICAL)
logging.getLogger("asyncio").setLevel(logging.ERROR)  # it reports every slow step under the debug mode of unittest


class Refused(AssertionError):
    """The server did not let us in."""


class Client(slixmpp.ClientXMPP):
    """Subscriptions are answered by the test, not by slixmpp."""

    def __init__(self, kith, jid, password="pencil", *, mechanism=None, plugins=()):
        super().__init__(jid, password, **({"sasl_mech": mechanism} if mechanism else {}))
        self.kith = kith
        self.ca_certs = str(kith.authority.certificate)
        self.messages, self.presences, self.pushes, self.errors = (asyncio.Queue() for _ in range(4))
        self.outcome = self.loop.create_future()
        self.gone = self.loop.create_future()
        self.used_mechanism = None
        self.auto_authorize = None
        self.auto_subscribe = False
        self.roster.auto_authorize = None
        self.roster.auto_subscribe = False
        for name, queue in (("message", self.messages), ("roster_update", self.pushes), ("stream_error", self.errors)):
            self.add_event_handler(name, queue.put_nowait)
        for kind in ("presence_available", "presence_unavailable", "presence_subscribe", "presence_subscribed",
                     "presence_unsubscribe", "presence_unsubscribed", "presence_error"):
            self.add_event_handler(kind, self.presences.put_nowait)
        for name, value in (("session_start", "started"), ("failed_all_auth", "refused"), ("connection_failed", "no connection"),
                            ("disconnected", "disconnected"), ("ssl_invalid_chain", "certificate refused")):
            self.add_event_handler(name, lambda data, value=value: self._came_out(value))
        self.add_event_handler("auth_success", lambda _: self._note_mechanism())
        self.add_event_handler("disconnected", lambda reason: self.gone.done() or self.gone.set_result(reason))
        for plugin in plugins:
            self.register_plugin(plugin)

    def _came_out(self, value):
        if not self.outcome.done():
            self.outcome.set_result(value)

    def _note_mechanism(self):
        self.used_mechanism = self["feature_mechanisms"].mech.name

    async def login(self, *, direct=False, presence=True):
        """Connects, authenticates, binds, fetches the roster, and says that we are available."""
        self.connect(("127.0.0.1", self.kith.direct_port if direct else self.kith.port), use_ssl=direct,
                     force_starttls=not direct, disable_starttls=direct)
        outcome = await asyncio.wait_for(self.outcome, SECONDS)
        if outcome != "started":
            self.abort()
            raise Refused(outcome)
        self.roster_answer = await self.get_roster(timeout=SECONDS)
        if presence:
            self.send_presence()
        return self

    async def logout(self):
        """</stream:stream> both ways."""
        self.disconnect()
        await asyncio.wait_for(self.gone, SECONDS)

    async def next(self, queue, wanted=lambda stanza: True):
        """The next stanza of a queue for which wanted() holds; the ones before it are dropped."""
        async def search():
            while True:
                found = await queue.get()
                if wanted(found):
                    return found
        return await asyncio.wait_for(search(), SECONDS)

    async def message(self):
        return await self.next(self.messages)

    async def presence(self, kind, sender=None):
        return await self.next(self.presences, lambda stanza: stanza["type"] == kind and
                               (sender is None or stanza["from"].bare == sender))

    async def settled(self):
        """Everything that the server had for us before has arrived: a round trip on the same stream."""
        if "xep_0199" not in self.plugin:
            self.register_plugin("xep_0199")
        await self["xep_0199"].send_ping(self.boundjid.domain, timeout=SECONDS)


class Conversation(unittest.IsolatedAsyncioTestCase):
    """Clients made by self.client() are logged out when the test ends, whatever its end."""

    def client(self, *arguments, **more):
        made = Client(*arguments, **more)
        self.addAsyncCleanup(self._end, made)
        return made

    async def _end(self, client):
        client.reconnect_delay = None
        if not client.gone.done():
            client.abort()
        # slixmpp leaves tasks behind that would warn when the loop closes.
        for name in ("_run_out_filters", "_current_connection_attempt"):
            task = getattr(client, name, None)
            if task is not None:
                task.cancel()
        await asyncio.sleep(0)


async def befriend(one, other):
    """Subscribes both ways, as two people do it, and returns when each sees the other."""
    for asking, asked in ((one, other), (other, one)):
        asking.send_presence(pto=asked.boundjid.bare, ptype="subscribe")
        await asked.presence("subscribe", asking.boundjid.bare)
        asked.send_presence(pto=asking.boundjid.bare, ptype="subscribed")
        await asking.presence("subscribed", asked.boundjid.bare)
        await asking.presence("available", asked.boundjid.bare)
