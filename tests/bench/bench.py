"""What the tests of the bench share: its programs of KITH_BUILD, sizes that take a second, and processes by their ids."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("KITH_BUILD", ROOT / "build" / "dev"))
RUN_SECONDS = 180
SMALL = ["--rounds=1", "--seconds=0.3", "--warm-up-seconds=0.1", "--settle-seconds=0.1", "--pairs=3", "--sessions=10,30", "--base-sessions=5", "--held=20",
         "--held-accounts=5", "--logins-at-once=4", "--ring-accounts=8", "--contacts=4", "--offline-pairs=3", "--offline-messages=30", "--archived=120",
         "--rooms=3,9", "--receivers=6", "--step-seconds=60"]

sys.path.insert(0, str(ROOT / "bench"))


def load(*words):
    return subprocess.run([BUILD / "bin" / "kith-load", *map(str, words)], capture_output=True, text=True, timeout=60)


class Bench:
    """bench/run on results and programs of a test's own. `programs`: name -> text of a script that stands in for the real one."""

    def __init__(self, programs=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kith-bench-test-"))
        self.temporary = self.folder / "tmp"
        self.temporary.mkdir()
        self.results = self.folder / "results"
        self.build = BUILD
        if programs:
            self.build = self.folder / "build"
            (self.build / "bin").mkdir(parents=True)
            for program in ("kithd", "kith-load", "kith-floor"):
                place = self.build / "bin" / program
                if program in programs:
                    place.write_text(programs[program])
                    place.chmod(0o755)
                else:
                    place.symlink_to(BUILD / "bin" / program)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, *words):
        return subprocess.Popen([sys.executable, ROOT / "bench" / "run", "--results", self.results, *SMALL, *words], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                env={**os.environ, "KITH_BUILD": str(self.build), "TMPDIR": str(self.temporary)})

    def run(self, *words):
        """Its status, output and complaints."""
        process = self.start(*words)
        try:
            out, complaints = process.communicate(timeout=RUN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            out, complaints = process.communicate()
            raise AssertionError(f"bench/run took longer than {RUN_SECONDS} s:\n{out}{complaints}") from None
        return process.returncode, out, complaints

    def left_behind(self):
        return sorted(path.name for path in self.temporary.iterdir())


def children(pid):
    """The processes that a process has started and that run."""
    try:
        return [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def command(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def runs(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def wait_until(condition, process, what, seconds=60):
    """Until the condition holds, while `process` may go on or have ended."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not after {seconds} s")
        try:
            process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
        if not condition() and time.monotonic() > end:
            raise AssertionError(what)
