"""Every conversation (.scs) against the running daemon over TLS: what passes in process passes here, threads and sockets included."""
import sys
import unittest

from kith import ROOT

sys.path.insert(0, str(ROOT / "tests" / "scenarios"))

from targets import KithTarget, play, scripts  # noqa: E402


class Scenarios(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.target = cls.enterClassContext(KithTarget())

    def play(self, script):
        result = play(self.target, script)
        self.assertEqual([f"line {one.line}: {one.what}\n  expected {one.expected}\n  got      {one.actual}"
                          for one in result.differences], [])
        # Virtual time is all that a running daemon does not have; whatever comes before it has been played.
        waits = [number for number, line in enumerate(script.read_text().splitlines(), 1) if line.startswith("wait ")]
        self.assertEqual(result.stops, waits[0] if waits else None)
        if not waits:
            self.assertEqual(result.played, result.steps)

    def test_there_are_scripts(self):
        self.assertGreater(len(scripts()), 15)


def _test(script):
    return lambda self: self.play(script)


for _script in scripts():
    _name = f"test_{_script.parent.name}_{_script.stem}"
    assert not hasattr(Scenarios, _name), _name
    setattr(Scenarios, _name, _test(_script))


if __name__ == "__main__":
    unittest.main()
