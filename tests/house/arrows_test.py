"""Who may include whom: every #include of src/ against docs/arrows.txt, and outside headers against the list below."""
import re
import unittest

import tree

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)

# Which outside library may be seen in which rooms. One room for each is the aim: the library can then be replaced there.
OUTSIDE = {
    "boost/": {"runtime", "net", "http", "server", "ctl"},
    "openssl/": {"base", "sasl", "net", "server"},
    "expat.h": set(),
    "sqlite3.h": {"storage"},
    "unicode/": {"xmpp", "sasl"},
    "toml++/": {"server"},
    "unbound.h": {"net"},
    "nlohmann/": {"server", "ctl"},
    "CLI/": {"server", "ctl"},
    "fmt/": {"base", "xml", "xmpp", "sasl", "stream", "storage", "module", "modules", "runtime", "net", "http",
             "router", "session", "server", "ctl"},
}
FOR_TESTS = ("gtest/", "gmock/", "benchmark/", "sanitizer/")
# The C library and Linux; what does I/O or threads belongs into the rooms that are about them.
POSIX = re.compile(r"^(sys|netinet|arpa|linux|net)/[a-z_0-9]+\.h$|^(unistd|fcntl|errno|signal|poll|pwd|grp|netdb|termios|"
                   r"dirent|pthread|sched|syslog|getopt|malloc|time|syscall|ifaddrs|resolv)\.h$")
STANDARD = re.compile(r"^[a-z_]+$")
# What values and protocol machines are made without: they own no socket, no file and no thread.
WITHOUT_IO = {"xml", "xmpp", "sasl", "stream", "module", "modules"}
INPUT_OUTPUT = re.compile(r"^(sys/(socket|epoll|un|mman|stat)\.h|netinet/.*|poll\.h|unistd\.h|fcntl\.h|fstream|thread|"
                          r"filesystem|iostream|cstdio)$")


def table():
    """room -> the rooms that its line names, in the order of the file."""
    rooms = {}
    for line in tree.text("docs/arrows.txt").splitlines():
        match = re.match(r"^([a-z]+):(.*)$", line)
        if match:
            rooms[match[1]] = match[2].split()
    return rooms


def closures(rooms):
    """room -> all that it may include: what its line names, and what those may include."""
    reached = {}

    def walk(room, path):
        if room in path:
            raise AssertionError("docs/arrows.txt runs in a circle: " + " -> ".join([*path, room]))
        if room not in reached:
            reached[room] = set()
            for other in rooms[room]:
                reached[room] |= {other} | walk(other, [*path, room])
        return reached[room]

    for room in rooms:
        walk(room, [])
    return reached


class Arrows(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rooms = table()
        cls.closure = closures(cls.rooms)
        cls.sources = [(path, path.split("/")[1], tree.text(path)) for path in tree.cpp_files("src")]

    def includes(self, kind):
        for path, room, source in self.sources:
            for match in INCLUDE.finditer(tree.without_comments(source)):
                if match[1] == kind:
                    yield path, room, match[2], f"{path}:{tree.line_of(source, match.start(2))}"

    def test_there_is_something_to_read(self):
        self.assertGreater(len(self.sources), 50)
        self.assertGreater(len(list(self.includes('"'))), 100)

    def test_the_table_names_every_room_and_only_rooms(self):
        folders = {path.split("/")[1] for path in tree.files("src") if path.count("/") >= 2}
        self.assertEqual(folders - set(self.rooms), set(), "rooms without a line in docs/arrows.txt")
        named = {other for others in self.rooms.values() for other in others}
        self.assertEqual(named - set(self.rooms), set(), "docs/arrows.txt names rooms that have no line")

    def test_the_table_keeps_what_the_design_forbids(self):
        # These stand here a second time, so that an edit of the table alone cannot open the house.
        for room, never in {"modules": {"net", "session", "router", "runtime", "server", "stream"},
                            "stream": {"net", "runtime", "storage", "session", "router"},
                            "sasl": {"net", "runtime", "storage"},
                            "xml": {"xmpp"}, "base": set(self.rooms),
                            "net": {"xml", "xmpp", "session"}, "ctl": set(self.rooms) - {"base"},
                            "router": {"session", "net"}}.items():
            self.assertEqual(self.closure[room] & (never - {room}), set(), f"{room} reaches too far")

    def test_every_include_follows_the_arrows(self):
        wrong = []
        for path, room, target, where in self.includes('"'):
            other = target.split("/")[0]
            if other == "generated" or target.startswith("generated/"):
                continue
            if "/" not in target or other not in self.rooms:
                wrong.append(f'{where}: "{target}" does not start with a room')
            elif other != room and other not in self.closure[room]:
                wrong.append(f"{where}: {room} may not include {other} ({target})")
            elif not (tree.ROOT / "src" / target).is_file():
                wrong.append(f"{where}: there is no src/{target}")
        self.assertEqual(wrong, [])

    def test_a_feature_never_includes_another_features_room(self):
        wrong = []
        for path, room, target, where in self.includes('"'):
            # Tests of what several features do together may see them all.
            if room == "modules" and not tree.is_test(path) and target.startswith("modules/") and path.count("/") > 2:
                own = "/".join(path.split("/")[1:3])
                if target.count("/") > 1 and not target.startswith(own + "/"):
                    wrong.append(f"{where}: {own} may not include {target}; what two features share goes into module/ or xmpp/")
        self.assertEqual(wrong, [])

    def test_outside_libraries_stay_in_their_rooms(self):
        wrong = []
        for path, room, target, where in self.includes("<"):
            if STANDARD.match(target) or POSIX.match(target):
                continue
            if tree.is_test(path) and target.startswith(tuple(OUTSIDE)):
                continue  # a test may ask another library for a second opinion
            if target.startswith(FOR_TESTS):
                if not tree.is_test(path):
                    wrong.append(f"{where}: <{target}> is for tests")
                continue
            allowed = next((rooms for prefix, rooms in OUTSIDE.items() if target.startswith(prefix)), None)
            if allowed is None:
                wrong.append(f"{where}: <{target}> is of no library that tests/house/arrows_test.py knows")
            elif room not in allowed:
                wrong.append(f"{where}: <{target}> may be included in {', '.join(sorted(allowed))} only")
        self.assertEqual(wrong, [])

    def test_values_and_machines_do_no_input_or_output(self):
        wrong = [f"{where}: <{target}> does not belong into {room}" for path, room, target, where in self.includes("<")
                 if room in WITHOUT_IO and INPUT_OUTPUT.match(target) and not tree.is_test(path)]
        self.assertEqual(wrong, [])


if __name__ == "__main__":
    unittest.main()
