#!/usr/bin/env python3
"""The crash test: a real kithd on a real disk under load, killed at random moments, its books balanced after each restart.

    tests/crash/cycle.py [CYCLES] [SEED]        (./dev crash builds first)

Cycle n of seed s runs as seed s + n, so that a failing one can be run again alone: `1 SEED`. Threads and the disk are not seeded: what
the clients do, and the moment planned for the kill, are the same; how far each has come is not.
Environment: KITH_BUILD, the folder with bin/kithd; KITH_CRASH_FOLDER (default /var/tmp), a directory on a real disk.
"""
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop"))

from audit import Audit  # noqa: E402
from books import Fault  # noqa: E402
from kith import BUILD, Broken, Kith  # noqa: E402
from load import RESIDENTS, Books, Stage  # noqa: E402

LONGEST_LOAD_SECONDS = 1.5
LONGEST_START_SECONDS = 15  # with sanitizers on a busy machine; about 0.1 s else
# After how many acknowledgements of a kind, at most, the daemon is killed.
KINDS = {"message": 150, "visit": 30, "roster": 300, "push": 300, "private": 150, "vcard": 80, "subscription": 150, "account": 12,
         "kithctl": 4, "talk": 400, "resumption": 6}
UNLIMITED = "1000000/s burst 1000000"
# A talker that comes finds what its peer has said since the last crash, and may lose its connection before it has read all of it.
LIMITS = {"offline_messages": 100_000, "offline_bytes": "1 GiB", "sm_queue_stanzas": 100_000, "sm_queue_bytes": "1 GiB",
          "stanzas": UNLIMITED, "bytes_after_login": "1 GiB/s burst 1 GiB", "subscription_requests": UNLIMITED,
          "registrations_per_address": UNLIMITED, "unauthenticated_per_address": 10_000}


class Lock:
    """Another program that keeps the database from being written: what is acknowledged meanwhile without being on disk is lost for sure
    when the daemon is killed. Its process is killed, too, so that it tidies nothing up."""

    def __init__(self, file):
        self.process = subprocess.Popen(["sqlite3", file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def take(self):
        self.process.stdin.write(".timeout 5000\nBEGIN IMMEDIATE;\nSELECT 'locked';\n")
        self.process.stdin.flush()
        if self.process.stdout.readline() != "locked\n":
            raise Broken("sqlite3 could not lock the database")

    def drop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class CrashTest:
    def __init__(self, seed):
        self.first = self.seed = seed
        self.kith = Kith(limits=LIMITS, settings="[modules.registration]\nopen = true\n",
                         where=os.environ.get("KITH_CRASH_FOLDER", "/var/tmp"))
        (self.kith.folder / "tmp").mkdir()
        self.kith.environment = {"TMPDIR": str(self.kith.folder / "tmp")}
        self.books = Books()
        self.moment = self.locked = self.stage = None
        self.starts = []
        self.totals = {}

    def __enter__(self):
        try:
            self.kith.start()
            for name in RESIDENTS:
                self.kith.add_user(name)
        except BaseException:
            self.kith.remove()
            raise
        return self

    def __exit__(self, *_):
        self.kith.remove()

    def plan(self):
        """When: (kind, count) or ("seconds", s); for how many seconds before the kill the database is locked (or None); and after what
        share of a start the next daemon is killed, too (or None)."""
        dice = random.Random(f"{self.seed} moment")
        if dice.random() < 0.35:
            moment = "seconds", round(dice.uniform(0.01, LONGEST_LOAD_SECONDS), 3)
        else:
            kind = dice.choice(sorted(KINDS))
            moment = kind, dice.randint(1, KINDS[kind])
        locked = dice.uniform(0.01, 0.1) if dice.random() < 0.5 else None
        return moment, locked, dice.random() if dice.random() < 0.2 else None

    def cycle(self):
        """One crash; raises Fault or Broken with the data left for looking at."""
        try:
            self.moment, self.locked, in_start = self.plan()
            if self.locked is None:
                self.load(self.kith.process.kill)
            else:
                lock = Lock(self.kith.folder / "data" / "kith.db")
                try:
                    self.load(lambda: self.kill_while_locked(lock))
                finally:
                    self.kith.process.kill()
                    lock.drop()
            status = self.kith.kill()
            if status != -9:
                raise Fault(f"kithd ended by itself, with status {status}:\n{self.kith.log_end()}")
            self.books.killed = True
            self.balance(in_start)
            self.books.killed = False
        except (Fault, Broken, OSError, AssertionError) as fault:
            self.keep()
            raise Fault(f"seed {self.seed}, {self.told_moment()}: {fault}\nThe data lies in {self.kith.folder}; data-after-crash is "
                        f"what the crash left. Once more: ./dev crash 1 {self.seed}") from fault
        self.seed += 1

    def kill_while_locked(self, lock):
        lock.take()
        self.wait(self.locked)
        self.kith.process.kill()

    def wait(self, seconds):
        """Lets the daemon work on for so long."""
        try:
            self.kith.process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass

    def load(self, end, beside=None):
        """`beside`: a thread that does something to the daemon meanwhile, and then ends the load."""
        self.stage = Stage(self.kith, self.books, self.seed, self.moment, end)
        try:
            self.stage.run(LONGEST_LOAD_SECONDS if beside is None else 60, beside)
        finally:
            for kind, count in self.stage.counts.items():
                self.totals[kind] = self.totals.get(kind, 0) + count

    def balance(self, in_start=None):
        """The daemon has gone: starts it again, and looks."""
        left = self.kith.folder / "data-after-crash"
        shutil.rmtree(left, ignore_errors=True)
        shutil.copytree(self.kith.folder / "data", left)
        self.books.crash()
        if in_start is not None:
            # A crash while the daemon recovers from a crash.
            self.kith.launch()
            self.wait(in_start * (self.starts[-1] if self.starts else 0.1))
            self.kith.kill()
        started = time.monotonic()
        self.kith.start()
        self.starts.append(time.monotonic() - started)
        if self.starts[-1] > LONGEST_START_SECONDS:
            raise Fault(f"kithd took {self.starts[-1]:.1f} s to start")
        Audit(self.kith, self.books).run()

    def keep(self):
        self.kith.keep = True
        (self.kith.folder / "kithd.log").write_text("\n".join(self.kith.log) + "\n")

    def told_moment(self):
        kind, count = self.moment
        planned = f"after {count} s" if kind == "seconds" else f"at acknowledgement {count} of kind {kind}"
        if self.locked is not None:
            planned += f", {1000 * self.locked:.0f} ms after the database was locked"
        counts = ", ".join(f"{name} {number}" for name, number in sorted(self.stage.counts.items())) if self.stage else ""
        return f"kill planned {planned}; acknowledged: {counts or 'nothing'}"


def main():
    cycles = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
    if cycles < 1:
        sys.exit("crash: say how many cycles, at least one")
    started = time.monotonic()
    print(f"==> {cycles} crashes of {BUILD}/bin/kithd from seed {seed}", flush=True)
    try:
        with CrashTest(seed) as test:
            for number in range(cycles):
                test.cycle()
                print(f"    {number + 1:4} {test.told_moment()}; started in {test.starts[-1]:.2f} s", flush=True)
    except (Fault, Broken) as fault:
        sys.exit(f"crash: the books do not balance: {fault}")
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(test.totals.items()))
    print(f"==> {cycles} crashes in {time.monotonic() - started:.0f} s, and the books balance; acknowledged: {counts}; slowest start "
          f"{max(test.starts):.2f} s")


if __name__ == "__main__":
    main()
