"""Nothing of a run is left when it is interrupted, however that happens."""
import signal
import unittest

from bench import Bench, children, command, runs, wait_until


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

    def test_even_when_the_run_is_killed_its_processes_end(self):
        self.interrupt(signal.SIGKILL, -signal.SIGKILL)  # its folder stays: nobody is left to remove it


if __name__ == "__main__":
    unittest.main()
