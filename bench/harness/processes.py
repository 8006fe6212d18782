"""Processes that a run starts, and that never outlive it."""
import ctypes
import os
import signal
import subprocess

PR_SET_PDEATHSIG = 1
STOP_SECONDS = 15
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent():
    """For the child, before its program starts: it is killed if this process ends without stopping it, even by kill -9."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(command, folder, log, environment=None):
    """Starts a server in a session of its own, so that a Ctrl-C on the terminal does not reach it before we stop it."""
    with open(log, "ab") as out:
        return subprocess.Popen([str(word) for word in command], cwd=folder, stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                env={**os.environ, **(environment or {})}, start_new_session=True, preexec_fn=die_with_parent)


def stop(process):
    """Ends the process and what it started itself: its group, which has its process id."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            break
        os.killpg(process.pid, how)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # as it should be: nothing of it was left


def run(command, seconds):
    """Runs a program to its end; None if it took longer and was killed."""
    try:
        return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=seconds,
                              stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
    except subprocess.TimeoutExpired:
        return None


def resident_mib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return None
