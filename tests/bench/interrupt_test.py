"""Nothing of a run is left when it is interrupted, however that happens."""
import os
import signal
import unittest

from bench import Bench, children, command, runs, wait_until


# Stands in for a server: it listens, has a child of its own that cannot be asked to end, and writes down that it itself was.
SERVER_WITH_CHILD = """#!/usr/bin/env python3
import os, pathlib, signal, socket, subprocess, sys
child = subprocess.Popen(["sleep", "3600"], preexec_fn=lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN))
def asked(*_):
    pathlib.Path(os.environ["TMPDIR"]).parent.joinpath("asked").write_text(str(child.pid))
    os._exit(0)
signal.signal(signal.SIGTERM, asked)
listener = socket.create_server(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])))
while True:
    listener.accept()
"""
LOAD_THAT_FAILS = "#!/bin/sh\nexit 1\n"


class Interrupts(unittest.TestCase):
    def interrupt(self, number, status):
        with Bench() as bench:
            # A load that would take an hour, so that the signal comes while it runs.
            run = bench.start("--only", "floor", "--load", "messages", "--seconds", "3600")
            try:
                wait_until(lambda: any("kith-load" in command(pid) for pid in children(run.pid)), run, "no load was started")
                started = children(run.pid)
                self.assertEqual(len(started), 2, "a server and a load")
                run.send_signal(number)
                out, complaints = run.communicate(timeout=60)
            finally:
                if run.poll() is None:
                    run.kill()
                    run.communicate()
            self.assertEqual(run.returncode, status, complaints)
            wait_until(lambda: not any(runs(pid) for pid in started), run, f"{[command(pid) for pid in started]} outlived the run", 20)
            return bench.left_behind(), complaints

    def test_ctrl_c_stops_the_server_and_the_load(self):
        left, complaints = self.interrupt(signal.SIGINT, 130)
        self.assertEqual(left, [])
        self.assertIn("interrupted", complaints)

    def test_a_termination_does_so_too(self):
        left, complaints = self.interrupt(signal.SIGTERM, 130)
        self.assertEqual(left, [])
        self.assertIn("what was started has been stopped", complaints)

    def test_a_server_is_asked_to_end_and_what_it_started_ends_with_it(self):
        with Bench({"kith-floor": SERVER_WITH_CHILD, "kith-load": LOAD_THAT_FAILS}) as bench:
            status, out, complaints = bench.run("--only", "floor", "--load", "messages")
            self.assertEqual(status, 1, out + complaints)
            asked = bench.folder / "asked"
            self.assertTrue(asked.exists(), "it was killed without having been asked")
            child = int(asked.read_text())
            if runs(child):
                os.kill(child, signal.SIGKILL)
                self.fail("a process that the server had started was left")

    def test_even_when_the_run_is_killed_its_processes_end(self):
        self.interrupt(signal.SIGKILL, -signal.SIGKILL)  # its folder stays: nobody is left to remove it


if __name__ == "__main__":
    unittest.main()
