"""A program in a terminal that nobody looks at: tmux runs it, the test types and reads the screen."""
import os
import pathlib
import re
import select
import shlex
import subprocess
import time


class Terminals:
    """One tmux server of the test's own; remove() ends it and all that runs in it."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.socket = self.folder / "tmux.sock"

    def tmux(self, *arguments):
        return subprocess.run(["tmux", "-S", self.socket, "-f", "/dev/null", *arguments], check=True, capture_output=True, text=True).stdout

    def remove(self):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], capture_output=True)

    def run(self, name, command, environment):
        return Terminal(self, name, command, environment)


class Terminal:
    def __init__(self, terminals, name, command, environment):
        self.tmux, self.name = terminals.tmux, name
        fifo = terminals.folder / f"{name}.fifo"
        os.mkfifo(fifo)
        # Both ends, so that the pipe neither blocks nor ends when a writer comes or goes.
        self.changes = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
        words = [f"{key}={value}" for key, value in environment.items()]
        line = shlex.join(["env", *words, *command])
        self.tmux("new-session", "-d", "-x", "140", "-y", "45", "-s", name, line)
        self.tmux("pipe-pane", "-t", name, f"cat > {shlex.quote(str(fifo))}")

    def close(self):
        os.close(self.changes)

    def screen(self):
        return self.tmux("capture-pane", "-p", "-t", self.name)

    def expect(self, pattern, seconds=30):
        """Waits until the screen shows it; looks again whenever the program has written something."""
        end = time.monotonic() + seconds
        while True:
            screen = self.screen()
            if re.search(pattern, screen):
                return screen
            left = end - time.monotonic()
            if left <= 0:
                raise AssertionError(f"{self.name} did not show /{pattern}/ within {seconds} s, but:\n{screen}")
            if select.select([self.changes], [], [], min(left, 1))[0]:
                os.read(self.changes, 65536)

    def type(self, line):
        self.tmux("send-keys", "-t", self.name, "-l", line)
        self.tmux("send-keys", "-t", self.name, "Enter")
