"""kithctl user doctor: what it says of keys for OMEMO that clients have published, and that --mend opens them to who needs them."""
import json

from kith import Kith
from slix import Conversation
from slixmpp.exceptions import IqError
from slixmpp.xmlstream import ET

OLD = "eu.siacs.conversations.axolotl"
LIST = OLD + ".devicelist"
BUNDLE = OLD + ".bundles:42"
KEYS = (f"<bundle xmlns='{OLD}'><signedPreKeyPublic signedPreKeyId='1'>a</signedPreKeyPublic><signedPreKeySignature>b"
        "</signedPreKeySignature><identityKey>c</identityKey><prekeys><preKeyPublic preKeyId='1'>d</preKeyPublic></prekeys></bundle>")


class Keys(Conversation):
    def setUp(self):
        self.kith = Kith()
        self.addCleanup(self.kith.remove)
        self.kith.start()

    def doctor(self, *options):
        found = json.loads(self.kith.kithctl("--json", "user", "doctor", "juliet@example.org", *options).stdout)
        return [(finding["problem"], finding["node"], finding["mended"]) for finding in found["findings"]]

    async def test_closed_keys_are_found_and_opened(self):
        juliet, tybalt = [self.client(self.kith, self.kith.add_user(name), plugins=["xep_0060", "xep_0199"]) for name in ("juliet", "tybalt")]
        self.assertIn("has published keys", self.kith.kithctl("user", "doctor", "juliet@example.org").stdout)
        for client in (juliet, tybalt):
            await client.login()
        # A client that forgets publish-options.
        await juliet["xep_0060"].publish(None, LIST, id="current", payload=ET.fromstring(f"<list xmlns='{OLD}'><device id='42'/></list>"))
        self.assertEqual(self.doctor(), [("closed", LIST, False), ("missing", BUNDLE, False)])
        await juliet["xep_0060"].publish(None, BUNDLE, id="current", payload=ET.fromstring(KEYS))
        self.assertEqual(self.doctor(), [("closed", LIST, False), ("closed", BUNDLE, False)])
        with self.assertRaises(IqError):
            await tybalt["xep_0060"].get_items("juliet@example.org", LIST)
        said = self.kith.kithctl("user", "doctor", "juliet@example.org").stdout
        self.assertIn("is closed: only contacts can read it", said)
        self.assertIn("kithctl user doctor juliet@example.org --mend", said)

        self.assertEqual(self.doctor("--mend"), [("closed", LIST, True), ("closed", BUNDLE, True)])
        self.assertEqual(self.doctor(), [])
        for node in (LIST, BUNDLE):
            answer = await tybalt["xep_0060"].get_items("juliet@example.org", node)
            self.assertEqual([item["id"] for item in answer["pubsub"]["items"]], ["current"])
        # As it is on the disk, too.
        self.kith.terminate()
        self.kith.start()
        self.assertIn("Nothing is wrong", self.kith.kithctl("user", "doctor", "juliet@example.org").stdout)
        refused = self.kith.kithctl("user", "doctor", "nobody@example.org", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("There is no account", refused.stderr)
