"""A name server for a handful of names, and a network namespace in which it is the only one.

Inside, loopback is the whole network, and /etc/resolv.conf names 127.0.0.1: what the programs under test ask reaches nobody else.
"""
import fcntl
import os
import pathlib
import socket
import struct
import subprocess
import sys
import threading

A, SRV, AAAA = 1, 33, 28


def run_inside(test, module, folder):
    """Runs the tests of `module` in a namespace of their own; fails if one of them does."""
    resolv = pathlib.Path(folder) / "resolv.conf"
    resolv.write_text("nameserver 127.0.0.1\n")
    rights = [] if os.geteuid() == 0 else ["--map-root-user"]
    # Mounted for this namespace alone.
    inner = f'mount --bind "{resolv}" "$(readlink -f /etc/resolv.conf)" && exec "$@"'
    done = subprocess.run(["unshare", *rights, "--net", "--mount", "sh", "-c", inner, "sh", sys.executable, "-m", "unittest", "-v", module],
                          cwd=pathlib.Path(__file__).parent, capture_output=True, text=True)
    test.assertEqual(done.returncode, 0, done.stdout + done.stderr)


def bring_loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        up, get, put = 1, 0x8913, 0x8914  # IFF_UP, SIOCGIFFLAGS, SIOCSIFFLAGS
        flags = struct.unpack("16xH", fcntl.ioctl(any_socket, get, struct.pack("16sH14x", b"lo", 0))[:18])[0]
        fcntl.ioctl(any_socket, put, struct.pack("16sH14x", b"lo", flags | up))


def _name(text):
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".")) + b"\0"


class NameServer:
    """Answers for what `records` holds: {(name, type): [value]}; an address, or (priority, weight, port, host). For a name that ends
    with a key of `liars`, its value is called with the packet, the question's bytes and its type, and says what is sent: nothing, or
    one packet or more."""

    def __init__(self, records, liars=None):
        self.records, self.liars = records, liars or {}
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 53))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def close(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", 53))
        self.thread.join()

    def _serve(self):
        with self.socket:
            while True:
                question, sender = self.socket.recvfrom(2048)
                if not question:
                    return
                for packet in self._answer(question):
                    self.socket.sendto(packet, sender)

    def _answer(self, packet):
        labels, at = [], 12
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]].decode())
            at += packet[at] + 1
        question = packet[12:at + 5]
        kind = struct.unpack(">H", packet[at + 1:at + 3])[0]
        name = ".".join(labels).lower()
        for end, liar in self.liars.items():
            if name.endswith(end):
                return liar(packet, question, kind)
        values = self.records.get((name, kind), [])
        known = any(known == name for known, _ in self.records)
        answers = b""
        for value in values:
            data = socket.inet_aton(value) if kind == A else struct.pack(">HHH", *value[:3]) + _name(value[3])
            answers += b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data
        header = packet[:2] + struct.pack(">HHHHH", 0x8580 | (0 if known else 3), 1, len(values), 0, 0)
        return [header + question + answers]
