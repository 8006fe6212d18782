#!/usr/bin/env python3
"""Runs the unittest files (*_test.py) of a folder, one line a test, and writes the counts as JSON.

    tests/run_python_tests.py FOLDER [--only WORD ...] [--json FILE]

Exit code: 0 if all passed and there was at least one test. A test that could not be loaded counts as failed.
"""
import argparse
import json
import pathlib
import sys
import time
import unittest


class LineResult(unittest.TestResult):
    """Prints a line as each test ends, so that a log shows where a long run stands."""

    def __init__(self):
        super().__init__()
        self.passed = 0
        self.broken = []

    def startTest(self, test):
        super().startTest(test)
        self.started = time.monotonic()

    def line(self, word, test, details=""):
        seconds = time.monotonic() - self.started if hasattr(self, "started") else 0
        print(f"    {word:7} {seconds:6.1f} s  {test.id()}", flush=True)
        if details:
            print("\n".join("        " + line for line in details.rstrip().splitlines()), flush=True)

    def addSuccess(self, test):
        self.passed += 1
        self.line("passed", test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.line("skipped", test, reason)

    def broke(self, test, error):
        self.broken.append(test.id())
        self.line("FAILED", test, self._exc_info_to_string(error, test))

    def addFailure(self, test, error):
        self.broke(test, error)

    def addError(self, test, error):
        self.broke(test, error)

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.broke(subtest, error)

    def addUnexpectedSuccess(self, test):
        self.broken.append(test.id())
        self.line("FAILED", test, "it passed, but was expected to fail")


def tests_in(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from tests_in(item)
        else:
            yield item


def keep(suite, words):
    """The suite with the tests whose id has one of the words; classes and their set-up stay together."""
    if not words:
        return suite
    kept = unittest.TestSuite()
    for test in tests_in(suite):
        if isinstance(test, unittest.loader._FailedTest) or any(word in test.id() for word in words):
            kept.addTest(test)
    return kept


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--only", nargs="*", default=[], help="run only tests whose name has one of these words")
    parser.add_argument("--json", type=pathlib.Path, help="where to write the counts")
    options = parser.parse_args()
    if not options.folder.is_dir():
        parser.error(f"there is no folder {options.folder}")

    sys.dont_write_bytecode = True
    loader = unittest.TestLoader()
    suite = loader.discover(str(options.folder), pattern="*_test.py", top_level_dir=str(options.folder))
    result = LineResult()
    started = time.monotonic()
    keep(suite, options.only).run(result)
    counts = {"passed": result.passed, "failed": len(result.broken), "skipped": len(result.skipped),
              "seconds": round(time.monotonic() - started, 1), "failures": result.broken}
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(counts, indent=2) + "\n")
    print(f"    {options.folder}: {counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped "
          f"in {counts['seconds']} s", flush=True)
    return 0 if counts["passed"] and not counts["failed"] else 1


if __name__ == "__main__":
    sys.exit(main())
