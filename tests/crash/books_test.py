"""The books notice what they are there to notice: a loss, a double, an invention, a wrong order, half a change."""
import unittest

from books import Changes, Fault, Mailbox, Path, Talk


def mailbox(sent, acknowledged):
    box = Mailbox("romeo")
    for _ in range(sent):
        box.send("juliet")
    box.acknowledge("juliet", acknowledged)
    return box


def collect(box, numbers, kept=True):
    box.begin_visit()
    for number in numbers:
        box.receive("juliet", number, kept=kept)
    box.ask()
    box.confirm()
    box.end_visit()


class Mailboxes(unittest.TestCase):
    def test_what_was_acknowledged_must_come_and_what_was_not_may(self):
        for numbers in ([1, 2, 3], [1, 2, 3, 4], [1, 2, 3, 4, 5]):
            box = mailbox(5, 3)
            box.crash()
            collect(box, numbers)
            box.settle()

    def test_a_loss_is_noticed(self):
        for numbers in ([], [1, 2], [1, 3, 4]):
            box = mailbox(5, 3)
            box.crash()
            collect(box, numbers)
            with self.assertRaisesRegex(Fault, "lost"):
                box.settle()

    def test_what_came_back_is_not_due_and_must_not_come(self):
        box = mailbox(3, 3)
        box.refuse("juliet", 2)
        box.crash()
        collect(box, [1, 3])
        box.settle()
        box = mailbox(3, 3)
        box.refuse("juliet", 2)
        box.begin_visit()
        with self.assertRaisesRegex(Fault, "not taken"):
            box.receive("juliet", 2, kept=True)

    def test_an_invention_is_noticed(self):
        for sender, number in (("juliet", 4), ("juliet", 0), ("tybalt", 1)):
            box = mailbox(3, 3)
            with self.assertRaisesRegex(Fault, "never sent"):
                box.receive(sender, number, kept=True)

    def test_a_wrong_order_is_noticed(self):
        with self.assertRaisesRegex(Fault, "after 2"):
            collect(mailbox(3, 3), [2, 1])

    def test_what_was_confirmed_must_not_come_again(self):
        box = mailbox(3, 3)
        collect(box, [1, 2, 3])
        box.crash()
        with self.assertRaisesRegex(Fault, "again"):
            collect(box, [3])

    def test_what_was_settled_must_not_come_again(self):
        box = mailbox(3, 2)
        box.crash()
        collect(box, [1, 2])
        box.settle()
        with self.assertRaisesRegex(Fault, "again"):
            collect(box, [3])

    def test_what_was_not_confirmed_may_come_again_from_the_store_only(self):
        for kept in (True, False):
            box = mailbox(2, 2)
            box.begin_visit()
            box.receive("juliet", 1, kept=True)
            box.crash()
            if kept:
                collect(box, [1, 2])
                box.settle()
            else:
                with self.assertRaisesRegex(Fault, "again"):
                    collect(box, [1, 2], kept=False)

    def test_what_went_to_a_connection_that_died_may_be_lost_but_not_what_was_there_before(self):
        for came, balanced in (([1, 2], True), ([2], False)):
            box = mailbox(2, 2)
            box.begin_visit()
            box.send("juliet")
            box.acknowledge("juliet", 3)
            box.crash()
            collect(box, came)
            if balanced:
                box.settle()
            else:
                with self.assertRaisesRegex(Fault, "lost"):
                    box.settle()

    def test_what_was_acknowledged_during_a_visit_that_ended_well_must_have_come(self):
        box = mailbox(1, 1)
        collect(box, [1])
        box.begin_visit()
        box.send("juliet")
        box.acknowledge("juliet", 2)
        box.end_visit()
        box.crash()
        collect(box, [])
        with self.assertRaisesRegex(Fault, "lost"):
            box.settle()


class Talks(unittest.TestCase):
    def setUp(self):
        self.talk = Talk("juliet", "romeo")
        for _ in range(5):
            self.talk.send()
        self.talk.acknowledge(3)

    def test_what_was_acknowledged_must_be_in_the_archive_and_what_was_not_may(self):
        for found in ([1, 2, 3], [1, 2, 3, 4], [1, 2, 3, 5]):
            self.talk.check("romeo", found)

    def test_a_loss_a_double_a_wrong_order_and_an_invention_are_noticed(self):
        for found in ([1, 3], [1, 2, 2, 3], [1, 3, 2], [1, 2, 3, 6], [0, 1, 2, 3], []):
            with self.assertRaises(Fault):
                self.talk.check("romeo", found)

    def test_what_came_back_need_not_be_there_and_what_was_settled_must_not_come_again(self):
        self.talk.refuse(2)
        self.talk.check("romeo", [1, 3])
        self.talk.settle()
        self.talk.check("romeo", [])
        with self.assertRaises(Fault):
            self.talk.check("romeo", [5])


class Tables(unittest.TestCase):
    def setUp(self):
        self.changes = Changes("the roster of juliet")
        self.changes.settle({})
        for key in ("a", "b", "a"):
            self.changes.ask(key, lambda number: f"v{number}")
        self.changes.ask("b", None)
        self.changes.answer(1)

    def test_every_state_from_the_acknowledged_one_on_is_right(self):
        for found in ({"a": "v0", "b": "v1"}, {"a": "v2", "b": "v1"}, {"a": "v2"}):
            self.setUp()
            self.changes.settle(found)
            self.assertEqual(self.changes.possible(), [found])

    def test_everything_else_is_wrong(self):
        for found in ({}, {"a": "v0"}, {"a": "v2", "b": "v3"}, {"a": "v", "b": "v1"}, {"a": "v0", "b": "v1", "c": "x"}):
            with self.assertRaisesRegex(Fault, "never was"):
                self.changes.settle(found)

    def test_what_was_refused_does_not_count(self):
        self.changes.answer(2, taken=False)
        with self.assertRaises(Fault):
            self.changes.settle({"a": "v2", "b": "v1"})
        self.changes.settle({"a": "v0"})


class Paths(unittest.TestCase):
    def test_a_path_is_walked_forward_only(self):
        path = Path("romeo with juliet", "none")
        path.expect("ask", "to")
        path.see("ask")
        with self.assertRaises(Fault):
            path.settle("none")
        path.settle("to")
        with self.assertRaises(Fault):
            path.see("from")


if __name__ == "__main__":
    unittest.main()
