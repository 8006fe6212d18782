#!/usr/bin/python3
"""Plays every conversation (.scs) in process, against kithd and against Debian's prosody, and writes where the three differ.

    tests/scenarios/compare.py [WORD...]        only scripts whose path has one of the words

The report is build/scenarios/report.md. Fails (exit code 1) if a script does not pass in process or on kithd, if prosody differs where
prosody_differences.toml does not say so, or if it says so where nothing differs any more. KITH_BUILD is the build to use (build/dev).
"""
import json
import os
import pathlib
import subprocess
import sys
import tomllib

from targets import BUILD, ROOT, KithTarget, ProsodyTarget, play, scripts

KNOWN = ROOT / "tests" / "scenarios" / "prosody_differences.toml"
VERDICTS = ("prosody deviates", "both may", "Kith's own")
REPORT = ROOT / "build" / "scenarios" / "report.md"


def name_of(script):
    return str(script.relative_to(ROOT))


def in_process():
    """script -> what failed, or None."""
    out = BUILD / "scenarios.json"
    out.unlink(missing_ok=True)
    subprocess.run([BUILD / "tests" / "scenario_tests", "--gtest_filter=Scenario_*", "--gtest_brief=1", f"--gtest_output=json:{out}"],
                   check=False, capture_output=True, timeout=600)
    results = {}
    for suite in json.loads(out.read_text())["testsuites"]:
        for test in suite["testsuite"]:
            failures = test.get("failures", [])
            results[str(pathlib.Path(test["file"]).relative_to(ROOT))] = failures[0]["failure"] if failures else None
    return results


def known_differences():
    """(script, line) -> entry; an entry that does not say why is an error."""
    known = {}
    for entry in tomllib.loads(KNOWN.read_text())["difference"]:
        if set(entry) != {"verdict", "what", "decides", "lines"} or entry["verdict"] not in VERDICTS:
            sys.exit(f"{KNOWN}: an entry has verdict (one of {', '.join(VERDICTS)}), what, decides and lines: {entry}")
        for place in entry["lines"]:
            script, _, lines = place.partition(": ")
            for line in lines.split(","):
                known[script, int(line)] = entry
    return known


def play_all(target, chosen, *, go_on):
    results = {}
    with target:
        for script in chosen:
            results[name_of(script)] = play(target, script, go_on=go_on)
    return results


def shortened(text, most=400):
    return text if len(text) <= most else text[:most] + "…"


class Report:
    def __init__(self):
        self.lines = []
        self.faults = []

    def add(self, *lines):
        self.lines.extend(lines)

    def fault(self, text):
        self.faults.append(text)

    def table(self, names, process, kith, prosody):
        self.add("| script | in process | kithd over TLS | prosody over TLS |", "|---|---|---|---|")
        for name in names:
            cells = ["passes" if process[name] is None else "**fails**"]
            for result in (kith[name], prosody[name]):
                lines = sorted({one.line for one in result.differences})
                cell = "passes" if not lines else "differs in " + ", ".join(f"{line}" for line in lines)
                if result.stops:
                    cell += f" ({result.played} of {result.steps} steps)"
                cells.append(cell)
            self.add(f"| {name} | " + " | ".join(cells) + " |")

    def only_in_process(self, kith):
        stopped = {name: result for name, result in kith.items() if result.stops}
        left = sum(result.steps - result.played for result in stopped.values())
        total = sum(result.steps for result in kith.values())
        self.add("", "## Only in process", "",
                 f"{left} of {total} steps, in {len(stopped)} scripts, are played in process only: from a step on that takes virtual time.", "")
        for name, result in stopped.items():
            step = (ROOT / name).read_text().splitlines()[result.stops - 1]
            self.add(f"- {name}, from line {result.stops} (`{step}`): {result.steps - result.played} steps")

    def failures(self, process, kith):
        for name, what in process.items():
            if what is not None:
                self.fault(f"{name} does not pass in process: {what}")
        for name, result in kith.items():
            for one in result.differences:
                self.fault(f"{name}:{one.line}: kithd over TLS: {one.what}; expected {one.expected}; got {one.actual}")

    def differences(self, prosody, known, everything):
        self.add("", "## Where prosody differs", "")
        met = set()
        for name, result in prosody.items():
            for one in result.differences:
                entry = known.get((name, one.line))
                met.add((name, one.line))
                self.add(f"- {name}, line {one.line}: {one.what}", f"  - expected `{shortened(one.expected)}`",
                         f"  - got `{shortened(one.actual) or 'nothing'}`",
                         "  - " + (f"{entry['verdict']}: {entry['what']} ({entry['decides']})" if entry else "**nobody has looked at this yet**"))
                if entry is None:
                    self.fault(f"{name}:{one.line}: prosody differs and {KNOWN.name} does not say why: {one.what}; "
                               f"expected {one.expected}; got {one.actual}")
        for name, line in known:
            if (name in prosody or everything) and (name, line) not in met:
                self.fault(f"{KNOWN.name}: prosody no longer differs in line {line} of {name}")


def main():
    words = sys.argv[1:]
    chosen = [script for script in scripts() if not words or any(word in name_of(script) for word in words)]
    if not chosen:
        sys.exit("there is no such script")
    names = [name_of(script) for script in chosen]
    process = {name: what for name, what in in_process().items() if name in names}
    kith = play_all(KithTarget(), chosen, go_on=False)
    prosody = play_all(ProsodyTarget(), chosen, go_on=True)

    report = Report()
    report.add("# The same conversations on three targets", "", f"Written by `./dev scenarios`, from {os.path.relpath(BUILD, ROOT)}.", "")
    report.table(names, process, kith, prosody)
    report.only_in_process(kith)
    report.failures(process, kith)
    report.differences(prosody, known_differences(), not words)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text("\n".join(report.lines) + "\n")
    for fault in report.faults:
        print(fault)
    same = sum(1 for result in prosody.values() if not result.differences)
    print(f"{len(names)} scripts: {sum(what is None for what in process.values())} pass in process, "
          f"{sum(not result.differences for result in kith.values())} on kithd, {same} on prosody; {REPORT.relative_to(ROOT)} says where they differ")
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
