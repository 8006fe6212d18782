"""Accounts u0, u1, … for each server, by the quickest way that it has."""
import hashlib
import hmac
import http.client
import json
import socket
import ssl

ANSWER_SECONDS = 30


class CouldNotAddAccounts(Exception):
    pass


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=ANSWER_SECONDS)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(ANSWER_SECONDS)
        self.sock.connect(self.path)


def add_to_kith(admin_socket, domain, password, count):
    """Over the admin API, which `kithctl` uses as well."""
    for i in range(count):
        connection = _UnixConnection(admin_socket)
        connection.request("POST", "/v1/users", json.dumps({"jid": f"u{i}@{domain}", "password": password}))
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        connection.close()
        if answer.status >= 300:
            raise CouldNotAddAccounts(f"kithd refused u{i}: {text}")


def write_for_prosody(data, domain, password, count):
    """In prosody's own format (internal storage, internal_hashed). It reads an account's file when the account logs in."""
    salt, iterations = "benchmark", 10000
    salted = hashlib.pbkdf2_hmac("sha1", password.encode(), salt.encode(), iterations)
    stored_key = hashlib.sha1(hmac.digest(salted, b"Client Key", "sha1")).hexdigest()
    server_key = hmac.digest(salted, b"Server Key", "sha1").hex()
    folder = data / domain.replace(".", "%2e") / "accounts"
    folder.mkdir(parents=True)
    text = (f'return {{ ["salt"] = "{salt}"; ["iteration_count"] = {iterations}; ["stored_key"] = "{stored_key}"; '
            f'["server_key"] = "{server_key}"; }};\n')
    for i in range(count):
        (folder / f"u{i}.dat").write_text(text)


def write_contacts_for_prosody(data, domain, first, count, contacts):
    """The ring of the load `contacts`, in prosody's own format: over the protocol it takes minutes, since each step writes a roster anew."""
    folder = data / domain.replace(".", "%2e") / "roster"
    folder.mkdir(parents=True)
    for place in range(count):
        neighbours = [(place + distance) % count for half in range(1, contacts // 2 + 1) for distance in (half, -half)]
        items = " ".join(f'["u{first + other}@{domain}"] = {{ ["subscription"] = "both"; ["groups"] = {{}}; }};' for other in neighbours)
        (folder / f"u{first + place}.dat").write_text(f'return {{ [false] = {{ ["version"] = 1; ["pending"] = {{}}; }}; {items} }};\n')


def _until(link, mark):
    got = b""
    while mark not in got:
        piece = link.recv(65536)
        if not piece:
            raise CouldNotAddAccounts(f"the connection was closed: {got.decode(errors='replace')}")
        got += piece
    return got


def register(address, domain, password, count):
    """By in-band registration (XEP-0077): ejabberd's command-line tool needs seconds for each account."""
    header = (f"<?xml version='1.0'?><stream:stream to='{domain}' version='1.0' xmlns='jabber:client' "
              "xmlns:stream='http://etherx.jabber.org/streams'>").encode()
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the run's own certificate
    for i in range(count):
        with socket.create_connection(address, ANSWER_SECONDS) as plain:
            plain.sendall(header)
            _until(plain, b"</stream:features>")
            plain.sendall(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
            _until(plain, b"<proceed")
            with context.wrap_socket(plain, server_hostname=domain) as link:
                link.sendall(header)
                _until(link, b"</stream:features>")
                link.sendall(f"<iq type='set' id='r'><query xmlns='jabber:iq:register'><username>u{i}</username>"
                             f"<password>{password}</password></query></iq>".encode())
                answer = _until(link, b"id='r'")
                if b"type='result'" not in answer:
                    raise CouldNotAddAccounts(f"u{i} was refused: {answer.decode(errors='replace')}")
