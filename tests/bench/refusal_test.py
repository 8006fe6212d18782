"""The bench refuses what it must not do, and says in one sentence what went wrong."""
import os
import subprocess
import unittest

from bench import BUILD, Bench, load


class Refusals(unittest.TestCase):
    def test_a_load_is_put_on_nothing_but_loopback(self):
        for address in ("192.0.2.1", "2001:db8::1", "0.0.0.0", "example.org", "localhost"):
            done = load("--address", address, "--pid", os.getpid(), "messages")
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(f"{address} is not a loopback address", done.stderr)
            self.assertEqual(done.stdout, "")

    def test_the_floor_listens_on_nothing_but_loopback(self):
        done = subprocess.run([BUILD / "bin" / "kith-floor", "--address", "0.0.0.0", "--port", "1", "--certificate", "none", "--key", "none"],
                              capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 2)
        self.assertIn("0.0.0.0 is not a loopback address", done.stderr)

    def test_a_run_is_refused_on_another_address_before_anything_starts(self):
        for address in ("192.0.2.1", "0.0.0.0", "example.org"):
            with Bench() as bench:
                status, out, complaints = bench.run("--address", address)
                self.assertEqual(status, 2)
                self.assertIn(f"{address} is not a loopback address", complaints)
                self.assertEqual(out, "")
                self.assertFalse(bench.results.exists())

    def test_a_forwarder_gets_no_load_that_needs_accounts(self):
        done = load("--forwarder", "--pid", os.getpid(), "logins")
        self.assertEqual(done.returncode, 2)
        self.assertIn("logins needs an XMPP server", done.stderr)


class Sentences(unittest.TestCase):
    def test_a_step_that_fails_is_named_with_its_reason(self):
        done = load("--port", 1, "--pid", os.getpid(), "messages", "--pairs", 1)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr.strip().count("\n"), 0)
        self.assertIn("messages: logging in 2 clients: u0/bench could not connect: Connection refused", done.stderr)

    def test_a_server_that_is_no_process_is_named(self):
        done = load("--pid", 0, "messages")
        self.assertEqual(done.returncode, 1)
        self.assertIn("there is no process 0", done.stderr)

    def test_a_server_that_says_nothing_is_given_up(self):
        import socket
        with socket.create_server(("127.0.0.1", 0)) as silent:
            done = load("--port", silent.getsockname()[1], "--pid", os.getpid(), "--step-seconds", 1, "messages", "--pairs", 1)
        self.assertEqual(done.returncode, 1)
        self.assertIn("logging in 2 clients: it was not done after 1 s", done.stderr)

    def test_a_server_that_cannot_start_is_named_with_its_log_and_the_others_go_on(self):
        with Bench({"kithd": "#!/bin/sh\necho 'no room on this device'\nexit 3\n"}) as bench:
            status, out, complaints = bench.run("--only", "kith", "--only", "floor", "--load", "messages")
            self.assertEqual(status, 1)
            self.assertIn("kith could not be started: it ended with status 3", complaints)
            self.assertIn("no room on this device", complaints)
            self.assertIn("floor: messages, window 1: ", out)
            self.assertNotIn("FAILED", out)
            self.assertEqual(bench.left_behind(), [])

    def test_a_load_that_fails_is_named_and_the_server_is_stopped(self):
        with Bench({"kith-load": "#!/bin/sh\necho 'kith-load: messages: a reason' >&2\nexit 1\n"}) as bench:
            status, out, complaints = bench.run("--only", "floor")
            self.assertEqual(status, 1)
            self.assertIn("bench: floor: kith-load: messages: a reason", complaints)
            pid = int(out.split("floor runs as process ")[1].split()[0])
            self.assertFalse(os.path.exists(f"/proc/{pid}"))
            self.assertEqual(bench.left_behind(), [])


if __name__ == "__main__":
    unittest.main()
