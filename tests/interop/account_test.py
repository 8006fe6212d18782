"""What a person can do with the own account through any client: not make it (closed by default), change its password, end it."""
import unittest

from kith import Kith
from wire import Ended, Failed, Wire, error_of

REGISTER = "jabber:iq:register"


class Account(unittest.TestCase):
    def start(self, **more):
        kith = Kith(**more)
        self.addCleanup(kith.remove)
        kith.start()
        return kith

    def wire(self, kith):
        wire = Wire(kith.port, authority=kith.authority.certificate)
        self.addCleanup(wire.close)
        return wire

    @staticmethod
    def register(wire, name, password="pencil"):
        return wire.iq("set", f"<query xmlns='{REGISTER}'><username>{name}</username><password>{password}</password></query>")

    def test_nobody_makes_an_account_where_it_is_closed(self):
        kith = self.start()
        wire = self.wire(kith)
        features = wire.starttls().open()
        self.assertIsNone(features.find("{http://jabber.org/features/iq-register}register"))
        wire.send(f"<iq type='set' id='1'><query xmlns='{REGISTER}'><username>tybalt</username><password>x</password></query></iq>")
        kind, answer = wire.next()
        self.assertEqual(kind, "element")
        self.assertTrue(error_of(answer) or answer.tag.endswith("}error"))
        self.assertNotIn("tybalt", kith.kithctl("user", "list").stdout)

    def test_who_comes_makes_an_account_where_it_is_open(self):
        kith = self.start(settings="[modules.registration]\nopen = true\n")
        wire = self.wire(kith)
        features = wire.starttls().open()
        self.assertIsNotNone(features.find("{http://jabber.org/features/iq-register}register"))
        self.assertIsNone(error_of(self.register(wire, "tybalt")))
        taken = self.register(wire, "tybalt")
        self.assertEqual(error_of(taken), ("cancel", "conflict"))
        self.wire(kith).login("tybalt")

    def test_an_address_makes_only_so_many_accounts(self):
        kith = self.start(settings="[modules.registration]\nopen = true\n",
                          limits={"registrations_per_address": "2/hour"})
        outcomes = []
        for number in range(4):
            wire = self.wire(kith)
            wire.starttls().open()
            outcomes.append(error_of(self.register(wire, f"tybalt{number}")))
        self.assertEqual(outcomes[:2], [None, None])
        self.assertTrue(all(outcomes[2:]), outcomes)

    def test_a_password_is_changed_and_an_account_ended_by_its_owner(self):
        kith = self.start()
        kith.add_user("juliet", "first")
        wire = self.wire(kith).login("juliet", "first")
        self.assertIsNone(error_of(self.register(wire, "juliet", "second")))
        with self.assertRaises(Failed):
            self.wire(kith).login("juliet", "first")
        again = self.wire(kith).login("juliet", "second")
        again.send(f"<iq type='set' id='end'><query xmlns='{REGISTER}'><remove/></query></iq>")
        answer = again.element()
        self.assertEqual((answer.get("id"), answer.get("type")), ("end", "result"))
        self.assertEqual(again.stream_error(), "not-authorized")
        # In the moment before the removal is on disk the password may still be right; there is nothing to bind to any more.
        with self.assertRaises((Failed, Ended)):
            self.wire(kith).login("juliet", "second")
        self.assertNotIn("juliet", kith.kithctl("user", "list").stdout)

    def test_nobody_changes_anothers_password(self):
        kith = self.start()
        for name in ("juliet", "tybalt"):
            kith.add_user(name)
        wire = self.wire(kith).login("tybalt")
        answer = wire.iq("set", f"<query xmlns='{REGISTER}'><username>juliet</username><password>mine</password></query>")
        self.assertIsNotNone(error_of(answer))
        self.wire(kith).login("juliet")


if __name__ == "__main__":
    unittest.main()
