#!/usr/bin/env python3
"""Prints "PASSED FAILED SKIPPED" of one JSON file: GoogleTest's, or one that run_python_tests.py wrote."""
import json
import pathlib
import sys


def of_gtest(report):
    passed = failed = skipped = 0
    for suite in report["testsuites"]:
        for case in suite["testsuite"]:
            if case.get("failures"):
                failed += 1
            elif case["result"] == "COMPLETED":
                passed += 1
            else:
                skipped += 1
    return passed, failed, skipped


def main():
    path = pathlib.Path(sys.argv[1])
    try:
        report = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        sys.exit(f"tally: {path} has no counts: {error}")
    if "testsuites" in report:
        counts = of_gtest(report)
    else:
        counts = report["passed"], report["failed"], report["skipped"]
    print(*counts)


if __name__ == "__main__":
    main()
