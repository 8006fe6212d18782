"""What an administrator does: kithctl, reload with people online, a new certificate, an orderly end, wrong configurations."""
import json
import subprocess
import time
import unittest

from kith import BUILD, Kith
from wire import CLIENT, Failed, Wire


class Operation(unittest.TestCase):
    def setUp(self):
        self.kith = Kith(domains=["example.org", "example.net"])
        self.addCleanup(self.kith.remove)
        self.kith.start()

    def wire(self, direct=False, domain="example.org"):
        wire = Wire(self.kith.direct_port if direct else self.kith.port, authority=self.kith.authority.certificate, domain=domain)
        self.addCleanup(wire.close)
        return wire

    # --- kithctl --------------------------------------------------------------------------------------------------------------

    def test_users_come_and_go(self):
        self.kith.add_user("juliet", "first")
        self.wire().login("juliet", "first")
        again = self.kith.kithctl("user", "add", "juliet@example.org", "--password-stdin", password="other", check=False)
        self.assertNotEqual(again.returncode, 0)
        self.assertIn("juliet@example.org", again.stderr)
        before = self.wire().login("juliet", "first")
        self.kith.kithctl("user", "password", "juliet@example.org", "--password-stdin", password="second")
        with self.assertRaises(Failed):
            self.wire().login("juliet", "first")
        self.assertEqual(before.stream_error(), "not-authorized")
        online = self.wire().login("juliet", "second")
        listed = self.kith.kithctl("user", "list").stdout.split()
        self.assertIn("juliet@example.org", listed)
        self.kith.kithctl("user", "remove", "--yes", "juliet@example.org")
        self.assertIn(online.stream_error(), ("not-authorized", "conflict", "reset", "policy-violation"))
        with self.assertRaises(Failed):
            self.wire().login("juliet", "second")
        gone = self.kith.kithctl("user", "remove", "--yes", "juliet@example.org", check=False)
        self.assertNotEqual(gone.returncode, 0)

    def test_a_domain_that_is_not_ours_is_refused_with_a_reason(self):
        refused = self.kith.kithctl("user", "add", "juliet@elsewhere.example", "--password-stdin", password="x", check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("elsewhere.example", refused.stderr)

    def test_what_is_shown_is_also_there_as_json(self):
        self.kith.add_user("juliet")
        self.wire().login("juliet", resource="balcony")
        sessions = json.loads(self.kith.kithctl("sessions", "--json").stdout)
        self.assertIn("juliet@example.org/balcony", json.dumps(sessions))
        self.assertIn("juliet@example.org/balcony", self.kith.kithctl("sessions").stdout)
        self.assertIn("example.org", json.dumps(json.loads(self.kith.kithctl("status", "--json").stdout)))
        self.assertIn("juliet@example.org", json.dumps(json.loads(self.kith.kithctl("user", "list", "--json").stdout)))

    def test_without_a_daemon_kithctl_says_so(self):
        done = subprocess.run([BUILD / "bin" / "kithctl", "--socket", self.kith.folder / "nowhere.sock", "status"],
                              capture_output=True, text=True, timeout=30)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("nowhere.sock", done.stderr)

    def test_the_admin_socket_and_the_data_are_for_the_owner_only(self):
        self.assertEqual(self.kith.socket_path.stat().st_mode & 0o077, 0)
        data = self.kith.folder / "data"
        self.assertEqual(data.stat().st_mode & 0o077, 0)
        for path in data.rglob("*"):
            self.assertEqual(path.stat().st_mode & 0o077, 0, path)

    def test_no_password_lies_on_the_disk(self):
        self.kith.add_user("juliet", "a-very-peculiar-password")
        self.wire().login("juliet", "a-very-peculiar-password", mechanism="PLAIN")
        self.kith.terminate()
        for path in (self.kith.folder / "data").rglob("*"):
            if path.is_file():
                self.assertNotIn(b"a-very-peculiar-password", path.read_bytes(), path)
        self.assertNotIn("a-very-peculiar-password", "\n".join(self.kith.log))

    def test_no_message_lies_in_the_log(self):
        for name in ("juliet", "romeo"):
            self.kith.add_user(name)
        juliet = self.wire().login("juliet")
        juliet.message("romeo@example.org", "wherefore-art-thou")
        juliet.ping()
        self.kith.terminate()
        self.assertNotIn("wherefore", "\n".join(self.kith.log))

    # --- domains ----------------------------------------------------------------------------------------------------------------

    def test_domains_have_their_own_certificates_and_accounts(self):
        self.kith.add_user("juliet@example.org", "one")
        self.kith.add_user("juliet@example.net", "two")
        for direct in (False, True):
            wire = self.wire(direct, "example.net").login("juliet", "two", direct=direct)  # the client checks the name
            self.assertTrue(wire.jid.startswith("juliet@example.net/"))
            with self.assertRaises(Failed):
                self.wire(direct, "example.net").login("juliet", "one", direct=direct)
            self.assertTrue(self.wire(direct).login("juliet", "one", direct=direct).jid.startswith("juliet@example.org/"))

    def test_without_sni_the_certificate_is_that_of_the_streams_to(self):
        served = {}
        for domain in self.kith.domains:
            for sni in (False, "unknown.example"):
                certificate = self.wire(domain=domain).starttls(sni=sni).socket.getpeercert()
                served[domain, sni] = [name for _, name in certificate["subjectAltName"]]
        self.assertEqual(served, {(domain, sni): [domain] for domain in self.kith.domains for sni in (False, "unknown.example")})

    def test_people_of_two_domains_write_to_each_other(self):
        for name in ("juliet@example.org", "romeo@example.net"):
            self.kith.add_user(name)
        juliet = self.wire().login("juliet")
        romeo = self.wire(domain="example.net").login("romeo")
        juliet.message(romeo.jid, "from the other house")
        self.assertEqual(romeo.next_message().findtext(CLIENT + "body"), "from the other house")

    def test_direct_tls_agrees_on_xmpp(self):
        wire = self.wire(direct=True)
        wire.tls(alpn=True)
        self.assertEqual(wire.socket.selected_alpn_protocol(), "xmpp-client")
        self.assertIn(wire.socket.version(), ("TLSv1.3",))

    # --- reload -----------------------------------------------------------------------------------------------------------------

    def test_a_reload_keeps_everyone_and_takes_the_new_certificate(self):
        self.kith.add_user("juliet")
        online = self.wire().login("juliet")
        before = self.wire(direct=True).tls().socket.getpeercert(True)
        self.kith.authority.issue(self.kith.live, "example.org")
        self.assertIn("reloaded", self.kith.reload())
        after = self.wire(direct=True).tls().socket.getpeercert(True)
        self.assertNotEqual(before, after)
        online.ping()
        online.message(online.jid, "as if nothing had been")
        self.assertEqual(online.next_message().findtext(CLIENT + "body"), "as if nothing had been")

    def test_kithctl_reload_does_the_same(self):
        before = self.wire(direct=True).tls().socket.getpeercert(True)
        self.kith.authority.issue(self.kith.live, "example.org")
        self.kith.kithctl("reload")
        self.assertNotEqual(before, self.wire(direct=True).tls().socket.getpeercert(True))

    def test_a_reload_of_nonsense_changes_nothing_and_says_where(self):
        self.kith.add_user("juliet")
        online = self.wire().login("juliet")
        good = self.kith.configuration()
        self.kith.write_configuration(good.replace("[limits]", "[limits]\nofline_messages = 3"))
        said = self.kith.reload()
        self.assertIn("reload_refused", said)
        line = good.splitlines().index("[limits]") + 2
        self.assertRegex(said, rf"kith\.toml:{line}: limits\.ofline_messages: .*offline_messages")
        online.ping()
        self.wire().login("juliet")
        refused = self.kith.kithctl("reload", check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("ofline_messages", refused.stderr + refused.stdout)

    def test_a_broken_certificate_is_refused_at_reload(self):
        place = self.kith.live / "example.org" / "fullchain.pem"
        place.write_text("this is no certificate")
        self.kith.reload()
        self.wire(direct=True).tls()  # still the old one

    # --- start and end ------------------------------------------------------------------------------------------------------------

    def test_sigterm_says_goodbye_and_ends_with_zero(self):
        self.kith.add_user("juliet")
        online = [self.wire().login("juliet") for _ in range(3)]
        started = time.monotonic()
        self.kith.process.terminate()
        for wire in online:
            self.assertEqual(wire.stream_error(), "system-shutdown")
        self.assertEqual(self.kith._wait(20), 0)
        self.assertLess(time.monotonic() - started, 10)

    def test_sigterm_does_not_wait_for_who_does_not_listen(self):
        self.kith.add_user("juliet")
        self.wire().login("juliet")  # reads nothing from here on
        silent = self.wire()  # noqa: F841  (connected, and nothing else)
        started = time.monotonic()
        self.assertEqual(self.kith.terminate(), 0)
        self.assertLess(time.monotonic() - started, 10)

    def start_with(self, text):
        path = self.kith.folder / "other.toml"
        path.write_text(text)
        return subprocess.run([BUILD / "bin" / "kithd", "--config", path, "--check"], capture_output=True, text=True, timeout=60)

    def test_a_wrong_configuration_names_file_line_key_and_the_nearest(self):
        for text, line, words in (('domain = "example.org"\n[lissen]\nc2s = []\n', 2, ("lissen", "listen")),
                                  ('domain = "example.org"\n[listen]\nc2z = ["127.0.0.1:1"]\n', 3, ("c2z", "c2s")),
                                  ('domain = 5\n', 1, ("domain",)),
                                  ('domain = "example.org"\n[limits]\nlogin_time = "soon"\n', 3, ("login_time",)),
                                  ('domain = "example.org"\n[listen]\nc2s_plaintext = ["0.0.0.0:5222"]\n', 3, ("c2s_plaintext",)),
                                  ('domain = "unclosed\n', 1, ())):
            with self.subTest(text=text):
                done = self.start_with(text)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(f"other.toml:{line}:", done.stderr)
                for word in words:
                    self.assertIn(word, done.stderr)

    def test_one_line_is_a_whole_configuration(self):
        done = self.start_with('domain = "example.org"\n')
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_taken_port_is_a_sentence_and_an_end(self):
        path = self.kith.folder / "other.toml"
        path.write_text(self.kith.configuration().replace(str(self.kith.folder / "data"), str(self.kith.folder / "data2"))
                        .replace("kith.sock", "kith2.sock"))
        done = subprocess.run([BUILD / "bin" / "kithd", "--config", path], capture_output=True, text=True, timeout=60)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(str(self.kith.port), done.stderr)

    def test_several_run_side_by_side(self):
        with Kith() as other:
            other.add_user("juliet", "there")
            self.kith.add_user("juliet", "here")
            self.wire().login("juliet", "here")
            with Wire(other.port, authority=other.authority.certificate) as wire:
                wire.login("juliet", "there")

    def test_metrics_can_be_read(self):
        self.kith.add_user("juliet")
        self.wire().login("juliet")
        metrics = self.kith.metrics()
        self.assertTrue(any(name.startswith("kith_") for name in metrics), metrics)
        self.assertGreaterEqual(metrics["kith_connections"], 1)


class OverIpv6(unittest.TestCase):
    def test_people_chat_over_ipv6_and_their_network_is_counted(self):
        kith = Kith(host="[::1]", limits={"failed_logins_per_address_rate": "1/min burst 1", "connections_per_address": 3})
        with kith:
            kith.add_user("juliet")
            kith.add_user("romeo")
            wires = [Wire(port, host="::1", authority=kith.authority.certificate) for port in (kith.port, kith.direct_port)]
            for wire in wires:
                self.addCleanup(wire.close)
            juliet = wires[0].login("juliet")
            romeo = wires[1].login("romeo", direct=True)
            juliet.message(romeo.jid, "over six")
            self.assertEqual(romeo.next_message().findtext(CLIENT + "body"), "over six")
            self.assertIn("::1", kith.kithctl("sessions", "--json").stdout)
            with Wire(kith.port, host="::1", authority=kith.authority.certificate) as third:
                third.starttls()
                with Wire(kith.port, host="::1") as fourth:
                    self.assertEqual(fourth.next()[0], "eof")


class FirstStart(unittest.TestCase):
    def test_without_a_certificate_one_is_made_and_kept(self):
        kith = Kith(issue=False)
        self.addCleanup(kith.remove)
        configuration = kith.configuration().split("[certificates]")[0]
        kith.configuration = lambda: configuration
        kith.start()
        kith.add_user("juliet")
        with Wire(kith.port) as wire:
            wire.login("juliet")
            first = wire.socket.getpeercert(True)
        self.assertEqual(kith.terminate(), 0)
        kith.start()
        with Wire(kith.port) as wire:
            wire.login("juliet")
            self.assertEqual(wire.socket.getpeercert(True), first)


if __name__ == "__main__":
    unittest.main()
