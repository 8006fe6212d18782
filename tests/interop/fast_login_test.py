"""SASL2, Bind 2 and FAST (XEP-0388, XEP-0386, XEP-0484) over real TLS, by a client of our own: a phone's way back is one round trip."""
import base64
import contextlib
import hmac
import json
import re
import sqlite3
import unittest

from kith import Kith
from wire import CLIENT, Failed, Wire, header, server_end_point

SASL2 = "{urn:xmpp:sasl:2}"
BIND2 = "{urn:xmpp:bind:0}"
FAST = "{urn:xmpp:fast:0}"
SM = "{urn:xmpp:sm:3}"
AGENT = "d4565fa7-4d72-4749-b3d3-740edbf87770"
USER_AGENT = f"<user-agent id='{AGENT}'><software>Balcony</software><device>phone</device></user-agent>"
BIND = "<bind xmlns='urn:xmpp:bind:0'><tag>Balcony</tag><enable xmlns='urn:xmpp:sm:3' resume='true'/></bind>"


class FastLogin(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kith = Kith()
        cls.addClassCleanup(cls.kith.remove)
        cls.kith.start()

    def secured(self):
        wire = Wire(self.kith.direct_port, authority=self.kith.authority.certificate)
        self.addCleanup(wire.close)
        wire.tls(alpn=True)
        return wire

    def by_password(self, user, wishes):
        """The whole exchange by SCRAM; the <success/>."""
        wire = self.secured()
        wire.open()
        wire.scram2(user, "pencil", USER_AGENT + wishes)
        return wire, wire.success

    def by_token(self, user, token, wishes, *, invalidate=""):
        """Header and request in one write, as a client that was here before sends them; the answer to both."""
        wire = self.secured()
        proof = hmac.digest(token.encode(), b"Initiator" + server_end_point(wire), "sha256")
        initial = base64.b64encode(user.encode() + b"\0" + proof).decode()
        wire.send(header(**{"from": f"{user}@example.org"}) +
                  f"<authenticate xmlns='urn:xmpp:sasl:2' mechanism='HT-SHA-256-ENDP'><initial-response>{initial}</initial-response>"
                  f"{USER_AGENT}<fast xmlns='urn:xmpp:fast:0'{invalidate}/>{wishes}</authenticate>")
        wire.element()  # the features
        return wire, wire.element()

    def token_of(self, user):
        _, success = self.by_password(user, BIND + "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-ENDP'/>")
        return success.find(FAST + "token").get("token")

    def test_a_password_login_binds_and_brings_a_token(self):
        self.kith.add_user("juliet")
        wire, success = self.by_password("juliet", BIND + "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-ENDP'/>")
        self.assertRegex(success.findtext(SASL2 + "authorization-identifier"), r"^juliet@example.org/Balcony/[\w-]+$")
        self.assertIsNotNone(success.find(f"{BIND2}bound/{SM}enabled"))
        self.assertRegex(success.find(FAST + "token").get("expiry"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(wire.ping().get("type"), "result")

    def test_a_token_login_resumes_in_one_round_trip(self):
        self.kith.add_user("benvolio")
        token = self.token_of("benvolio")
        wire, success = self.by_token("benvolio", token, BIND)
        enabled = success.find(f"{BIND2}bound/{SM}enabled")
        answer = hmac.digest(token.encode(), b"Responder" + server_end_point(wire), "sha256")
        self.assertEqual(base64.b64decode(success.findtext(SASL2 + "additional-data")), answer)
        jid = success.findtext(SASL2 + "authorization-identifier")
        wire.close()
        wire, success = self.by_token("benvolio", token, BIND + f"<resume xmlns='urn:xmpp:sm:3' previd='{enabled.get('id')}' h='0'/>")
        self.assertEqual(success.find(SM + "resumed").get("previd"), enabled.get("id"))
        self.assertEqual(success.findtext(SASL2 + "authorization-identifier"), jid)
        self.assertEqual(wire.ping().get("type"), "result")

    def test_a_new_password_and_an_administrator_end_what_tokens_open(self):
        self.kith.add_user("mercutio")
        token = self.token_of("mercutio")
        listed = json.loads(self.kith.kithctl("--json", "clients", "mercutio@example.org").stdout)["clients"]
        self.assertEqual([(client["id"], client["token"], client["software"]) for client in listed], [(AGENT, True, "Balcony")])
        self.assertIn("Balcony", self.kith.kithctl("clients", "mercutio@example.org").stdout)
        wire, _ = self.by_token("mercutio", token, BIND)
        said = self.kith.kithctl("client", "end", "mercutio@example.org", AGENT).stdout
        self.assertIn("no access", said)
        self.assertEqual(wire.stream_error(), "not-authorized")
        _, failure = self.by_token("mercutio", token, BIND)
        self.assertEqual(failure.tag, SASL2 + "failure")
        again = self.kith.kithctl("client", "end", "mercutio@example.org", AGENT, check=False)
        self.assertEqual(again.returncode, 1)
        self.assertIn("kithctl clients", again.stderr)
        token = self.token_of("mercutio")
        self.kith.kithctl("user", "password", "mercutio@example.org", "--password-stdin", password="pencil")
        _, failure = self.by_token("mercutio", token, BIND)
        self.assertEqual(failure.tag, SASL2 + "failure")

    def test_a_login_that_began_before_the_password_was_changed_brings_no_token_that_works(self):
        self.kith.add_user("tybalt")

        def change():
            self.kith.kithctl("user", "password", "tybalt@example.org", "--password-stdin", password="another")

        wire = self.secured()
        wire.open()
        wire.scram2("tybalt", "pencil", USER_AGENT + BIND + "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-ENDP'/>",
                    before_proof=change)
        token = wire.success.find(FAST + "token")
        if token is not None:
            _, answer = self.by_token("tybalt", token.get("token"), BIND)
            self.assertEqual(answer.tag, SASL2 + "failure")
        listed = json.loads(self.kith.kithctl("--json", "clients", "tybalt@example.org").stdout)["clients"]
        self.assertFalse(any(client["token"] for client in listed))

    def test_who_logs_out_with_a_newer_token_leaves_no_older_one_behind(self):
        self.kith.add_user("paris")
        first = self.token_of("paris")
        self.by_token("paris", first, BIND)
        _, success = self.by_token("paris", first, BIND + "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-ENDP'/>")
        second = success.find(FAST + "token").get("token")
        _, success = self.by_token("paris", second, "", invalidate=" invalidate='true'")
        self.assertEqual(success.tag, SASL2 + "success")
        for token in (first, second):
            _, failure = self.by_token("paris", token, BIND)
            self.assertEqual(failure.tag, SASL2 + "failure")

    def test_an_account_with_keys_of_sha1_only_gets_the_others_by_its_client(self):
        self.kith.add_user("lawrence")
        self.kith.terminate()
        database = next(self.kith.folder.rglob("*.db"))
        with contextlib.closing(sqlite3.connect(database)) as rows, rows:
            removed = rows.execute("DELETE FROM scram_keys WHERE account = 'lawrence@example.org' AND hash != 1").rowcount
        self.assertEqual(removed, 2)
        self.kith.start()
        wire = self.secured()
        wire.open()
        with self.assertRaises(Failed):
            wire.scram("lawrence", "pencil", "SCRAM-SHA-256")
        wire.scram2("lawrence", "pencil", USER_AGENT + BIND + "".join(
            f"<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-{bits}</upgrade>" for bits in (256, 512)), "SCRAM-SHA-1")
        self.assertEqual(wire.success.tag, SASL2 + "success")
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512", "SCRAM-SHA-1"):
            wire = self.secured()
            wire.open()
            wire.scram2("lawrence", "pencil", USER_AGENT + BIND, mechanism)
            self.assertEqual(wire.success.tag, SASL2 + "success")

    def test_tokens_are_not_in_the_database(self):
        self.kith.add_user("rosaline")
        token = self.token_of("rosaline")
        files = [path for path in self.kith.folder.rglob("*") if path.is_file() and re.search(r"\.db", path.name)]
        self.assertTrue(files)
        for path in files:
            self.assertNotIn(token.encode(), path.read_bytes())


if __name__ == "__main__":
    unittest.main()
