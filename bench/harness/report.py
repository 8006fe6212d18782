"""The table of what was measured: medians of all rounds, the ratios, and whether Kith keeps the bars that its design sets.

A bar is a share of what ejabberd costs in the same run, since absolute figures move from machine to machine: "at most
6 µs where ejabberd takes 62" means at most 6/62 of what ejabberd takes now. Both figures were measured on one machine when
the design was made. Where nearly all of the cost is the kernel's, the bar is a multiple of the floor instead (decision
0013). Memory does not move with the speed of a machine: its bars are what they are.
"""
import dataclasses
import statistics
import typing


GENERATOR_BUSY_CORES = 0.95


@dataclasses.dataclass(frozen=True)
class Bar:
    """Kith's `must`, beside the `reference` of ejabberd or the floor on the machine where both were set (none: it stands alone).

    `load` is where the other's figure comes from, if not from the row's own, and `value` what it is there.
    """
    must: float
    reference: typing.Optional[float] = None
    load: str = ""
    beside: str = "ejabberd"
    value: typing.Optional[typing.Callable] = None

    def limit(self, other):
        """In the figures of a run in which the other took so much; None if that was not measured."""
        if self.reference is None:
            return self.must
        return other * self.must / self.reference if other else None


@dataclasses.dataclass(frozen=True)
class Row:
    label: str
    load: str
    value: typing.Callable          # of the load's JSON
    unit: str
    bar: typing.Optional[Bar] = None
    more_is_better: bool = False


def _idle(sessions, field):
    def value(result):
        return next((step[field] for step in result["steps"] if step["sessions"] == sessions), None)
    return value


def rows(sizes):
    login = Bar(520, 2080, "logins")
    offline_store = Bar(30, 240)
    return [
        Row(f"message, {sizes.pairs} pairs × window 4: processor time", "messages, window 4", lambda r: r["processor_us_per_message"], "µs", Bar(6, 62)),
        Row("the same, window 1", "messages, window 1", lambda r: r["processor_us_per_message"], "µs", Bar(9, 4.8, beside="floor")),
        Row("message with stream management, an acknowledgement per 5", "messages with acknowledgements",
            lambda r: r["processor_us_per_message"], "µs", Bar(7, 82)),
        Row("messages per second, window 4", "messages, window 4", lambda r: r["messages_per_second"], "/s", Bar(150_000, 24_000), True),
        Row("message, window 4: latency, p50", "messages, window 4", lambda r: r["latency_us"]["p50"] / 1000, "ms"),
        Row("the same, p99", "messages, window 4", lambda r: r["latency_us"]["p99"] / 1000, "ms", Bar(2, 20)),
        Row("the same, p99.9", "messages, window 4", lambda r: r["latency_us"]["p999"] / 1000, "ms"),
        Row(f"presence to {sizes.contacts} contacts: processor time of a delivery", "presence", lambda r: r["processor_us_per_delivery"], "µs", Bar(4, 34)),
        *[Row(f"room of {n:,}: processor time of a delivery", f"room of {n}", lambda r: r["processor_us_per_delivery"], "µs", bar)
          for n, bar in zip(sizes.rooms, (Bar(4, 29), Bar(4, 43)))],
        *[Row(f"room of {n:,}: all have joined", f"room of {n}", lambda r: r["joined_in_seconds"], "s", Bar(5, 25) if n == 1000 else None)
          for n in sizes.rooms],
        Row(f"event (PEP) to {sizes.receivers:,} clients of contacts: processor time of a delivery", "events",
            lambda r: r["processor_us_per_delivery"], "µs"),
        Row("full login: processor time", "logins", lambda r: r["processor_us_per_login"], "µs", login),
        Row(f"the same, {sizes.held:,} sessions held", "logins, held", lambda r: r["processor_us_per_login"], "µs", login),
        Row("login by token, TLS resumed: processor time", "logins by token", lambda r: r["processor_us_per_login"], "µs", Bar(208, 2080, "logins")),
        Row("logins per second", "logins", lambda r: r["logins_per_second"], "/s", None, True),
        *[Row(f"memory of an idle TLS session, {n:,} of them", "idle", _idle(n, "kib_per_session"), "KiB", Bar(18)) for n in sizes.sessions],
        Row("offline store: processor time of a message", "offline", lambda r: r["store"]["processor_us_per_message"], "µs", offline_store),
        Row("the same: messages acknowledged per second", "offline", lambda r: r["store"]["messages_per_second"], "/s", None, True),
        Row("offline fetch: processor time of a message", "offline", lambda r: r["fetch"]["processor_us_per_message"], "µs"),
        Row("message in both sides' archives: processor time", "messages, archived", lambda r: r["processor_us_per_message"], "µs",
            Bar(45, 62, "messages, window 4")),
        Row("the same: messages per second", "messages, archived", lambda r: r["messages_per_second"], "/s",
            Bar(15_000, 24_000, "messages, window 4"), True),
        Row("the same: latency, p99", "messages, archived", lambda r: r["latency_us"]["p99"] / 1000, "ms"),
        Row(f"a page of 50 of {sizes.archived:,} archived: processor time", "pages of the archive", lambda r: r["processor_us_per_page"], "µs",
            Bar(400, 62, "messages, window 4", value=lambda r: r["processor_us_per_message"])),
        Row("resident memory at rest, no session", "rest", lambda r: r["resident_mib"], "MiB", Bar(12)),
    ]


def median(rounds, row, load="", value_of=None):
    """Of a row over the rounds of one server, or of another load's figure; None if it was never measured."""
    found = []
    for loads in rounds:
        result = loads.get(load or row.load)
        if result and "failed" not in result:
            value = (value_of or row.value)(result)
            if value is not None:
                found.append(value)
    return statistics.median(found) if found else None


@dataclasses.dataclass
class Line:
    """A row, measured."""
    row: Row
    values: dict     # server: value
    limit: typing.Optional[float]  # the bar in this run's own figures

    def verdict(self):
        kith = self.values.get("kith")
        if self.limit is None or kith is None:
            return ""
        times = self.limit / kith if self.row.more_is_better else kith / self.limit
        return "pass" if times <= 1 else f"falls short, by {times:.2f} times"


def lines(everything, sizes):
    """`everything`: server: [{load: result} of each round]."""
    table = []
    for row in rows(sizes):
        values = {server: median(rounds, row) for server, rounds in everything.items()}
        limit = None
        if row.bar is not None:
            limit = row.bar.limit(median(everything.get(row.bar.beside, []), row, row.bar.load, row.bar.value))
        if any(value is not None for value in values.values()):
            table.append(Line(row, values, limit))
    return table


def number(value):
    if value is None:
        return "–"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _times(value, kith):
    return f"{value / kith:.1f}" if value and kith else "–"


def table(lines_, servers):
    """As Markdown: each server, the others as multiples of Kith, the bar and the verdict."""
    others = [name for name in servers if name != "kith"] if "kith" in servers else []
    head = ["what", "unit", *servers, *[f"{name} / kith" for name in others], "must", "verdict"]
    out = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for line in lines_:
        row, kith = line.row, line.values.get("kith")
        must = "" if line.limit is None else ("≥ " if row.more_is_better else "≤ ") + number(line.limit)
        if row.bar is not None and line.limit is None:
            must = f"needs {row.bar.beside} beside it"
        cells = [row.label, row.unit, *[number(line.values.get(name)) for name in servers],
                 *[_times(line.values.get(name), kith) for name in others], must, line.verdict()]
        out.append("| " + " | ".join(cells) + " |")
    return "\n".join(out) + "\n"


def busy_generator(everything):
    """A sentence about the loads in which the generator had a whole core to do, so that it may have been the limit."""
    found = {f"{load} ({server})" for server, rounds in everything.items() for loads in rounds
             for load, result in loads.items() if result.get("cores_of_generator", 0) > GENERATOR_BUSY_CORES}
    if not found:
        return ""
    return ("\nThe generator was busy all the time in: " + ", ".join(sorted(found)) +
            ". There the server may have been able to do more per second; its processor time is right all the same.\n")
