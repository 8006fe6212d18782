"""bench/run: starts the servers in turn, puts the loads on each, prints the table."""
import argparse
import dataclasses
import ipaddress
import json
import os
import pathlib
import signal
import sys
import tempfile

from . import accounts, loads, picture, processes, report, results, servers

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("KITH_BUILD", ROOT / "build" / "release"))
DOMAIN = "example.org"
PASSWORD = "secret"
LOAD_SECONDS = 1200      # the most that one load may take; its own steps are bounded more closely
QUIET_LOAD_AVERAGE = 0.5
EXIT_INCOMPLETE, EXIT_REFUSED, EXIT_INTERRUPTED = 1, 2, 130


def say(text):
    print(text, flush=True)


def complain(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def sizes_option(text):
    try:
        sessions = tuple(int(word) for word in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no list of numbers, as in 1000,5000") from None
    if min(sessions) < 1 or list(sessions) != sorted(set(sessions)):
        raise argparse.ArgumentTypeError("the numbers of sessions have to grow")
    return sessions


def parse(words):
    parser = argparse.ArgumentParser(prog="bench/run", description="Measures Kith beside ejabberd, prosody and a bare TLS forwarder, in turn "
                                     "(A B C D A B C D); bench/README.md explains the loads.")
    names = [kind.name for kind in servers.ALL]
    parser.add_argument("--only", choices=names, action="append", help="measure this server only (may be given several times)")
    parser.add_argument("--quick", action="store_true", help="Kith alone, small loads, about a minute")
    parser.add_argument("--rounds", type=int, help="how often each server has its turn (default: 2, quick: 1)")
    parser.add_argument("--load", action="append", help="only loads whose name begins so, as in 'messages' (may be given several times)")
    parser.add_argument("--address", default="127.0.0.1", help="the loopback address on which the servers listen")
    parser.add_argument("--results", type=pathlib.Path, default=ROOT / "bench" / "results", help="where the figures go")
    parser.add_argument("--keep", action="store_true", help="keep this run as the one that the repository shows (bench/results/latest.*)")
    for field in dataclasses.fields(loads.Sizes):
        kind = sizes_option if field.name in ("sessions", "rooms") else field.type
        parser.add_argument("--" + field.name.replace("_", "-"), type=kind, help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    sizes = loads.QUICK if options.quick else loads.Sizes()
    given = {field.name: getattr(options, field.name) for field in dataclasses.fields(loads.Sizes)}
    options.sizes = dataclasses.replace(sizes, **{name: value for name, value in given.items() if value is not None})
    options.rounds = options.rounds or (1 if options.quick else 2)
    options.only = options.only or (["kith"] if options.quick else names)
    return options


def is_loopback(address):
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def put(server, load):
    """One load on one server: what kith-load printed, or {"failed": a sentence}."""
    done = processes.run([BUILD / "bin" / "kith-load", "--address", server.address, "--port", server.port, "--domain", DOMAIN,
                          "--password", PASSWORD, "--pid", server.process.pid, *server.load_options, *load.words], LOAD_SECONDS)
    if done is None:
        return {"failed": f"{load.name}: it was not done after {LOAD_SECONDS} s"}
    if done.returncode != 0:
        return {"failed": done.stderr.strip() or f"{load.name}: kith-load ended with status {done.returncode}"}
    return json.loads(done.stdout)


def figures(result):
    """A load's figures in a few words, for the progress."""
    shown = []
    for part in (result, result.get("store", {}), result.get("fetch", {}), *result.get("steps", [])):
        for key, value in part.items():
            if key.startswith(("processor_us_per_", "generator_us_per_", "kib_per_")) or key.endswith("_per_second"):
                shown.append(f"{key} {report.number(value)}")
        latency = part.get("latency_us")
        if latency:
            shown.append("latency p50/p99/p99.9 " + "/".join(report.number(latency[name] / 1000) for name in ("p50", "p99", "p999")) + " ms")
    return ", ".join(shown)


def measure(kind, turn, options, kept):
    """One server's turn. Returns {load: result} and whether all went well."""
    complete = True
    with tempfile.TemporaryDirectory(prefix=f"kith-bench-{kind.name}-") as folder:
        server = kind(folder, BUILD, options.address, DOMAIN, PASSWORD)
        measured = {}
        archives = False
        try:
            server.start()
            say(f"  {kind.name} runs as process {server.process.pid}")
            measured["rest"] = {"load": "rest", "resident_mib": processes.resident_mib(server.process.pid)}
            server.add_accounts(loads.Accounts(options.sizes), options.sizes)
            for load in loads.loads_of(options.sizes):
                if load.needs not in server.features or not wanted(load, options):
                    continue
                if load.fresh:
                    server.restart()
                if load.archive and not archives:
                    server.restart_with_archive()
                    archives = True
                measured[load.name] = result = put(server, load)
                failed = result.get("failed")
                say(f"  {kind.name}: {load.name}: {'FAILED' if failed else figures(result)}")
                if failed:
                    complete = False
                    complain(f"{kind.name}: {failed}")
                    if server.process.poll() is not None:
                        complain(f"{kind.name} ended with status {server.process.returncode}; {server.log_end()}")
                        break
        except servers.CouldNotStart as why:
            complete = False
            complain(f"{kind.name} could not be started: {why}")
        except (accounts.CouldNotAddAccounts, OSError) as why:
            complete = False
            complain(f"{kind.name} could not be given accounts: {why}; {server.log_end()}")
        finally:
            stop_undisturbed(server)
        if measured:
            kept.add(kind.name, turn, server.version(), measured, server.settings())
    return measured, complete


def wanted(load, options):
    return not options.load or any((load.prepares or load.name).startswith(word) for word in options.load)


def stop_undisturbed(server):
    """A second Ctrl-C must not keep us from stopping what the first one made us stop."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        server.stop()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run(options):
    kinds = [kind for kind in servers.ALL if kind.name in options.only]
    kept = results.Results(options.results, ROOT, {**dataclasses.asdict(options.sizes), "rounds": options.rounds})
    if kept.machine["load_before"] > QUIET_LOAD_AVERAGE:
        complain(f"the machine is busy (load average {kept.machine['load_before']}): the figures will be worse than they should")
    everything = {kind.name: [] for kind in kinds}
    complete = True
    for turn in range(1, options.rounds + 1):
        for kind in kinds:
            say(f"Round {turn} of {options.rounds}: {kind.name}")
            measured, whole = measure(kind, turn, options, kept)
            everything[kind.name].append(measured)
            complete = complete and whole
    names = [name for name, rounds in everything.items() if any(rounds)]
    if not names:
        complain("nothing could be measured")
        return EXIT_INCOMPLETE
    lines = report.lines(everything, options.sizes)
    table = report.table(lines, names)
    note = f"{kept.when}, commit {kept.commit}, {kept.machine['processor']}, {kept.machine['cores']} cores; medians of {options.rounds} round(s)"
    kept.finish(table + report.busy_generator(everything), picture.svg(lines, names, "What Kith costs beside others", note), options.keep)
    say("\n" + table + report.busy_generator(everything))
    say(f"All figures, the settings and the picture: {kept.path('.*')}")
    return 0 if complete else EXIT_INCOMPLETE


def interrupted(number, _frame):
    raise KeyboardInterrupt(signal.Signals(number).name)


def main(words=None):
    options = parse(words)
    if not is_loopback(options.address):
        complain(f"{options.address} is not a loopback address: the servers are started here, and a load is put on nothing else")
        return EXIT_REFUSED
    if not (BUILD / "bin" / "kith-load").is_file():
        complain(f"{BUILD} has no kith-load: './dev bench' builds what is needed")
        return EXIT_REFUSED
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    try:
        return run(options)
    except KeyboardInterrupt as why:
        complain(f"interrupted{' by ' + str(why) if str(why) else ''}; what was started has been stopped")
        return EXIT_INTERRUPTED
