"""Gajim in a window: Romeo reads Juliet's message in it and answers from it. The picture goes to build/test-results/.

Juliet is the client of tests/interop/wire.py.
"""
import unittest

from window import CLIENT, Gajim, GajimCase

QUESTION = "Art thou not Romeo, and a Montague?"
ANSWER = "Neither, fair saint, if either thee dislike."


class Window(GajimCase):
    def test_a_message_arrives_in_the_window_and_an_answer_leaves_it(self):
        juliet = self.befriend()
        romeo = Gajim(self, self.kith)
        romeo.run()
        try:
            juliet.until(lambda element: element.tag == CLIENT + "presence" and element.get("type") is None
                         and (element.get("from") or "").startswith("romeo@example.org/"))
        except Exception as error:
            romeo.picture("gajim-failed")
            raise AssertionError(f"Gajim did not log in ({error}); its log ends:\n" + romeo.end_of_log()) from error
        juliet.message("romeo@example.org", QUESTION)
        juliet.socket.settimeout(5)

        def arrived():
            try:
                said = juliet.until(lambda element: element.tag == CLIENT + "message" and element.find(CLIENT + "body") is not None)
            except TimeoutError:
                return False
            self.assertIn(ANSWER, said.findtext(CLIENT + "body"))
            return True
        romeo.type_until(ANSWER, "gajim", arrived)
        romeo.picture("gajim")


if __name__ == "__main__":
    unittest.main()
