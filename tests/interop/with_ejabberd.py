"""A Kith and Debian's ejabberd, which find each other by DNS: contacts, messages, questions; by certificates and by dialback; over
direct TLS; and messages that wait.

To be run in a namespace of its own, as federation_ejabberd_test.py does it.
"""
import os
import pathlib
import signal
import socket
import ssl
import subprocess

from kith import free_port
from nameserver import SRV
from with_peer import ROMEO, PeerServer, WithPeer, wait_for_port

HEADER = ("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='montague.example'>")
REGISTER = ("<iq type='set' id='r'><query xmlns='jabber:iq:register'><username>romeo</username><password>pencil</password></query></iq>")


class Ejabberd(PeerServer):
    name = "ejabberd"

    def __init__(self, *, require):
        super().__init__(require=require)
        self.direct_port = free_port()

    def start(self):
        live = self.folder / "live" / "montague.example"
        both = self.folder / "both.pem"
        both.write_bytes((live / "fullchain.pem").read_bytes() + (live / "privkey.pem").read_bytes())
        for name in ("db", "log"):
            (self.folder / name).mkdir()
        dialback = "" if self.require else "  mod_s2s_dialback: {}\n"
        (self.folder / "ejabberd.yml").write_text(f"""hosts: [montague.example]
loglevel: info
certfiles: ["{both}"]
ca_file: "{self.trusted}"
s2s_use_starttls: {"required" if self.require else "true"}
listen:
  - {{port: {self.port}, ip: "127.0.0.1", module: ejabberd_c2s, starttls_required: true}}
  - {{port: {self.s2s_port}, ip: "127.0.0.1", module: ejabberd_s2s_in}}
  - {{port: {self.direct_port}, ip: "127.0.0.1", module: ejabberd_s2s_in, tls: true}}
auth_method: internal
auth_password_format: scram
access_rules:
  register: [{{allow: all}}]
registration_timeout: infinity
modules:
  mod_roster: {{}}
  mod_register: {{ip_access: all, access: register}}
  mod_ping: {{}}
  mod_offline: {{}}
  mod_disco: {{}}
  mod_caps: {{}}
  mod_pubsub: {{plugins: [flat, pep]}}
{dialback}""")
        self.launch()
        self.register()

    def launch(self):
        environment = {**os.environ, "EJABBERD_CONFIG_PATH": str(self.folder / "ejabberd.yml"), "HOME": str(self.folder),
                       "EJABBERD_LOG_PATH": str(self.folder / "log" / "ejabberd.log"), "ERL_LIBS": ":".join(map(str, pathlib.Path("/usr/lib").glob("*-linux-gnu*"))),
                       "ERL_CRASH_DUMP_SECONDS": "0"}
        with open(self.folder / "console", "ab") as console:
            self.process = subprocess.Popen(["erl", "+K", "true", "-noinput", "-mnesia", "dir", f'"{self.folder}/db"', "-s", "ejabberd"],
                                            cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=console, stderr=console)
        wait_for_port(self.process, self.port)

    def register(self):
        """Romeo's account, as a client makes it."""
        with socket.create_connection(("127.0.0.1", self.port), 30) as link:
            def say(channel, text, until):
                channel.sendall(text.encode())
                read = ""
                while until not in read:
                    piece = channel.recv(65536).decode()
                    if not piece:
                        raise AssertionError(f"ejabberd closed the stream: {read}")
                    read += piece
            say(link, HEADER, "</stream:features>")
            say(link, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", "<proceed")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with context.wrap_socket(link) as secure:
                say(secure, HEADER, "</stream:features>")
                say(secure, REGISTER, "type='result'")

    def log(self):
        return "\n".join(path.read_text(errors="replace")[-4000:]
                         for path in (self.folder / "console", self.folder / "log" / "ejabberd.log") if path.exists())


class WithEjabberd(WithPeer):
    peer = Ejabberd

    async def test_by_certificates(self):
        await self.by_certificates()

    async def test_by_dialback(self):
        await self.by_dialback()

    async def test_direct_tls(self):
        """Kith finds it by the record for direct TLS alone."""
        juliet, romeo = await self.two_people(require=True, records=lambda montague: {
            ("_xmpp-server._tcp.montague.example", SRV): [(10, 0, 1, "nowhere.montague.example")],
            ("_xmpps-server._tcp.montague.example", SRV): [(20, 0, montague.direct_port, "xmpp.montague.example")]})
        try:
            juliet.send_message(mto=ROMEO, mbody="hi", mtype="chat")
            self.assertEqual((await romeo.message())["body"], "hi")
        except BaseException:
            print(self.montague.log(), self.capulet.log_end(), sep="\n")
            raise

    async def test_waiting(self):
        heard = await self.waiting(*await self.two_people(require=True), signal.SIGTERM)
        # Without acknowledgements, what was on its way when it went may come twice.
        self.assertEqual([body for body in dict.fromkeys(heard) if body != "first"], [*map(str, range(1, 41)), "last"])
