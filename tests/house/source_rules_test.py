"""House rules that a program can check in the C++ sources. Each says why it is a rule."""
import re
import unittest

import tree

LONGEST_FILE = 800
# Where an object is made by hand because something else owns it: a C library that frees it, or an intrusive list.
# A line is a path and the reason.
NAKED_NEW_ALLOWED = {
    "src/module/attachments.h": "the deleter has to remember the type of what it deletes",
    "src/xml/symbol.h": "a name of 16 bytes with its owner bit, in place of a std::string of 32",
    "src/xml/symbol.cpp": "the same",
}

NAKED_NEW = r"(?<![\w.])new\s+(?:\(|[A-Za-z_:])|(?<!=)(?<!= )\bdelete\s+[A-Za-z_]|\bdelete\s*\[\s*\]"
SLEEP = r"\b(sleep_for|sleep_until|usleep|nanosleep)\b|(?<![\w.:>])sleep\s*\("
CHANGING_GLOBAL = (r"(?m)^(?:static\s+|inline\s+|thread_local\s+)+(?!const\b|constexpr\b|constinit\s+const\b|consteval\b)"
                   r"[\w:<>,\s*&]+\s+\w+\s*(?:=[^=(][^;()]*|\{[^;()]*\})?;")
_SQL_WORD = r"(?:SELECT|INSERT|UPDATE|DELETE|REPLACE|CREATE|DROP|ALTER|PRAGMA|ATTACH|WHERE|VALUES|FROM|SET|AND|OR|LIMIT|IN)"
_SQL_LITERAL = rf'"[^"\n]*\b{_SQL_WORD}\b[^"\n]*"'
_SQL_STATEMENT = r"(?:SELECT\s.+\sFROM|INSERT INTO|DELETE FROM|UPDATE \w+ SET)\s"
JOINED_SQL = (rf'(?:{_SQL_LITERAL}(?:s|sv)?\s*(?:\+|<<)'     # "SELECT ..." + x
              rf'|\+\s*{_SQL_LITERAL}'                       # x + " WHERE ..."
              rf'|(?:format|sprintf|snprintf|append)\s*\([^;"]*"[^"\n]*\b{_SQL_STATEMENT})')
_AWAIT_ALLOWED = re.compile(r"^\s*(?:(?:const\s+)?[\w:<>,&*\s\[\]]+?\s+)?[\w.>\-\[\]]+\s*=\s*co_await\b|^\s*co_await\b")


def misplaced_awaits(code):
    """(line, statement) of each co_await that is neither a statement nor the whole right side of a local."""
    wrong = []
    for match in re.finditer(r"\bco_await\b", code):
        start = max(code.rfind(mark, 0, match.start()) for mark in ";{}")
        statement = code[start + 1:match.end()].lstrip()
        if not _AWAIT_ALLOWED.match(statement) or re.match(r"(if|while|for|switch|return|co_return)\b", statement):
            wrong.append((tree.line_of(code, match.start()), statement))
    return wrong


class SourceRules(unittest.TestCase):
    maxDiff = None

    def assert_none(self, found, why):
        self.assertEqual(found, [], f"{len(found)} places; {why}")

    def each(self, *folders):
        for path in tree.cpp_files(*folders):
            yield path, tree.text(path)

    def test_files_fit_a_sitting(self):
        long = []
        for path in tree.files("*.h", "*.cpp", "*.py", "*.sh", "dev", "*.cmake", "*.md"):
            lines = tree.text(path).count("\n")
            if lines > LONGEST_FILE and path not in ("docs/configuration.md", "docs/xeps.md"):
                long.append(f"{path}: {lines} lines")
        self.assert_none(long, f"a file has at most {LONGEST_FILE} lines; split it by duty")

    def test_each_file_says_what_it_is(self):
        silent = []
        for path, source in self.each("src", "tests", "bench"):
            header = path.removesuffix(".cpp") + ".h"
            if path.endswith(".cpp") and (tree.is_test(path) or (tree.ROOT / header).is_file()):
                continue  # its header says it for both, or its name and its sentences do
            if not source.startswith("// "):
                silent.append(path)
        self.assert_none(silent, "the first line is a comment that says what the file is")

    def test_headers_are_guarded(self):
        open_ = [path for path, source in self.each("src") if path.endswith(".h") and "#pragma once" not in source]
        self.assert_none(open_, "a header has #pragma once")

    def test_nothing_sleeps(self):
        found = [place for path, source in self.each() for place in tree.places(path, tree.bare_code(source), SLEEP)]
        for path in tree.files("tests/*.py", "bench/*.py"):
            if path != "tests/house/source_rules_test.py":
                found += tree.places(path, tree.text(path), r"\btime\.sleep\b|\basyncio\.sleep\s*\(\s*[0-9.]*[1-9]")
        self.assert_none(found, "wait for the event itself: a sleep is too long on a fast machine and too short on a slow one")

    def test_co_await_is_the_right_side_of_a_named_local(self):
        # GCC 12 miscompiles it elsewhere (docs/decisions/0002-clang.md), and a step of its own reads better.
        wrong = [f"{path}:{line}: {statement}" for path, source in self.each()
                 for line, statement in misplaced_awaits(tree.bare_code(source))]
        self.assert_none(wrong, "write `const auto answer = co_await question();`")

    def test_no_sql_is_put_together_from_pieces(self):
        found = []
        for path, source in self.each("src"):
            if tree.is_test(path):
                continue  # a test may go through all tables
            if path.startswith("src/storage/"):
                found += tree.places(path, tree.without_comments(source), JOINED_SQL)
            elif re.search(rf'"\s*{_SQL_STATEMENT}', tree.without_comments(source)):
                found.append(f"{path}: SQL outside of storage/")
        self.assert_none(found, "a statement is one constant, what varies is bound: nobody can inject SQL")

    def test_no_naked_new(self):
        found = []
        for path, source in self.each("src"):
            if path in NAKED_NEW_ALLOWED:
                continue
            code = re.sub(r"#\s*include[^\n]*", "", tree.bare_code(source))
            # A constructor that only a factory may call is out of make_unique's reach; what is owned at once is not naked.
            code = re.sub(r"(unique_ptr<[\w:]+>\s*\w*\(\s*)new ", r"\1    ", code)
            found += tree.places(path, code, NAKED_NEW)
        self.assert_none(found, "std::make_unique or a container owns it; exceptions are listed here with their reason")

    def test_no_function_of_the_forbidden_kind(self):
        pattern = r"(?<![\w.:>])(?:std::)?(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|rand|srand|system|popen|setjmp|longjmp|alloca)\s*\("
        found = [place for path, source in self.each() if not tree.is_test(path)
                 for place in tree.places(path, tree.bare_code(source), pattern)]
        self.assert_none(found, "it cannot be used safely, or there is a better one in base/")

    def test_secrets_are_compared_in_constant_time(self):
        found = [place for path, source in self.each("src")
                 if path.split("/")[1] in ("sasl", "stream", "session", "server", "storage", "modules") and not tree.is_test(path)
                 for place in tree.places(path, tree.bare_code(source), r"\bmemcmp\s*\(")]
        found = [place for place in found if "CRYPTO_memcmp" not in place]
        self.assert_none(found, "memcmp leaks by its time; base/secret.h compares secrets, std::ranges::equal the rest")

    def test_no_globals_that_change(self):
        found = [place for path, source in self.each("src") if not tree.is_test(path)
                 for place in tree.places(path, tree.bare_code(source), CHANGING_GLOBAL)]
        self.assert_none(found, "dependencies come through constructors")

    def test_every_unit_test_stands_beside_what_it_tests(self):
        names = {path.rsplit(".", 1)[0] for path in tree.cpp_files("src") if not tree.is_test(path)}
        stray = []
        for path, source in self.each("src"):
            if path.endswith("_test.cpp") and path.removesuffix("_test.cpp") not in names:
                folder = path.rsplit("/", 1)[0].removeprefix("src/")
                if not re.search(rf'#include "{folder}/', source):
                    stray.append(path)
        self.assert_none(stray, "x_test.cpp stands beside x.cpp, or at least tests something of its own folder")

    def test_no_disabled_tests(self):
        found = [place for path, source in self.each() if path.endswith("_test.cpp")
                 for place in tree.places(path, tree.bare_code(source), r"\bDISABLED_\w+")]
        self.assert_none(found, "a test that does not run is no test")

    def test_test_names_are_sentences(self):
        found = [place for path, source in self.each() if path.endswith("_test.cpp")
                 for place in tree.places(path, tree.bare_code(source), r"\bTEST(?:_[FP])?\(\s*\w+\s*,\s*(?:[A-Z]\w*|\w{1,5})\s*\)")]
        self.assert_none(found, "TEST(Jid, resource_keeps_its_case)")


class TheRulesCatch(unittest.TestCase):
    """Each pattern above, shown what it is there to find and what it must let pass."""

    def check(self, pattern, wrong, right, prepare=tree.bare_code):
        for source in wrong:
            self.assertRegex(prepare(source), pattern)
        for source in right:
            self.assertNotRegex(prepare(source), pattern)

    def test_sleeps(self):
        self.check(SLEEP, ["std::this_thread::sleep_for(1s);", "sleep(1);"], ["// sleep(1)", 'say("sleep(1)");', "no_sleep(1);"])

    def test_naked_new(self):
        self.check(NAKED_NEW, ["auto* x = new Thing;", "delete x;", "delete[] x;", "new (place) T;"],
                   ["Thing(const Thing&) = delete;", "// a new one", "renew (x);", "auto new_one = f();"])

    def test_globals(self):
        self.check(CHANGING_GLOBAL, ["static int count = 0;", "inline std::string name;", "thread_local Cache cache{};"],
                   ["static constexpr int most = 3;", "inline const int x = 1;", "static int next();", "  static int inner = 0;"])

    def test_sql(self):
        self.check(JOINED_SQL, ['"SELECT a FROM b WHERE c = \'" + name', 'x + " LIMIT 3"', 'fmt::format("DELETE FROM t {}", x)'],
                   ['exec("SELECT a FROM b WHERE c = ?", name)', '"SELECT a " "FROM b"', '// "SELECT" + x'], tree.without_comments)

    def test_awaits(self):
        for wrong in ("if (co_await f()) g();", "use(co_await f());", "co_return co_await f();", "int x = 1 + co_await f();"):
            self.assertTrue(misplaced_awaits("{ " + wrong), wrong)
        for right in ("const auto x = co_await f();", "co_await f();", "x = co_await f();", "std::expected<A, B> x = co_await f();",
                      "auto [a, b] = co_await f();", "// if (co_await f())"):
            self.assertFalse(misplaced_awaits(tree.bare_code("{ " + right)), right)


class Places(unittest.TestCase):
    # Built from parts, so that this file does not find itself.
    machine = re.compile("|".join(["/" + folder + "/" for folder in ("work", "root", "home/[a-z]+", "Users")])
                         + r"|\b\d{1,3}(?:\.\d{1,3}){3}:\d{4,5}/(?:simple|debian)")

    def test_no_path_of_a_machine_is_written_down(self):
        found = []
        for path in tree.files():
            if path == "LICENSE" or path.endswith((".png", ".der", ".bin")) or "/corpus/" in path:
                continue
            try:
                content = tree.text(path)
            except UnicodeDecodeError:
                continue
            for number, line in enumerate(content.splitlines(), 1):
                if self.machine.search(line):
                    found.append(f"{path}:{number}: {line.strip()}")
        self.assertEqual(found, [])


if __name__ == "__main__":
    unittest.main()
