"""The table as a picture: an SVG, written here so that it needs no plotting library.

One line a row, on a logarithmic scale of what the others cost as multiples of Kith's cost (for figures of which more is better,
the inverse). Left is cheaper. The bar that Kith must keep is a tick: Kith's dot has to be left of it.
"""
import math
from xml.sax.saxutils import escape

from . import report

WIDTH, LABELS, RIGHT, TOP, STEP, BOTTOM = 1120, 400, 40, 96, 42, 56
COLOURS = {"kith": "#1b7f4b", "ejabberd": "#2f6db3", "prosody": "#8a56ac", "floor": "#7a7a7a"}
SHORT = "#c0392b"
NAMES = {"floor": "bare TLS forwarder"}
FONT = "font-family='DejaVu Sans, Verdana, sans-serif'"


def _text(x, y, text, size=12, anchor="start", colour="#222222", weight="normal"):
    return (f"<text x='{x:.1f}' y='{y:.1f}' {FONT} font-size='{size}' text-anchor='{anchor}' fill='{colour}' "
            f"font-weight='{weight}' stroke='#ffffff' stroke-width='3' paint-order='stroke'>{escape(text)}</text>")


def _cost(line, value):
    """`value` as a multiple of Kith's cost."""
    kith = line.values["kith"]
    return kith / value if line.row.more_is_better else value / kith


def _drawable(lines):
    return [line for line in lines if line.values.get("kith") and any(v for name, v in line.values.items() if name != "kith")]


class _Scale:
    def __init__(self, costs):
        self.low = math.floor(math.log10(min([*costs, 0.5])) * 2) / 2
        self.high = math.ceil(math.log10(max([*costs, 2])) * 2) / 2

    def x(self, cost):
        return LABELS + (math.log10(cost) - self.low) / (self.high - self.low) * (WIDTH - LABELS - RIGHT)

    def marks(self):
        for power in range(math.floor(self.low), math.ceil(self.high) + 1):
            for step in (1, 2, 5):
                mark = step * 10.0 ** power
                if self.low - 1e-9 <= math.log10(mark) <= self.high + 1e-9:
                    yield mark


def _axis(scale, bottom):
    out = []
    for mark in scale.marks():
        x = scale.x(mark)
        strong = mark == 1
        out.append(f"<line x1='{x:.1f}' y1='{TOP - 8}' x2='{x:.1f}' y2='{bottom}' stroke='{'#1b7f4b' if strong else '#dddddd'}' "
                   f"stroke-width='{1.5 if strong else 1}'/>")
        out.append(_text(x, bottom + 18, f"{mark:g}×", 11, "middle", "#555555"))
    out.append(_text((LABELS + WIDTH - RIGHT) / 2, bottom + 38, "cost as a multiple of Kith's (left is cheaper)", 12, "middle", "#555555"))
    return out


def _legend(servers):
    out, x = [], LABELS
    for name in servers:
        out.append(f"<circle cx='{x + 6}' cy='62' r='6' fill='{COLOURS[name]}'/>")
        out.append(_text(x + 17, 66, NAMES.get(name, name), 12))
        x += 36 + 8 * len(NAMES.get(name, name))
    out.append(f"<line x1='{x + 4}' y1='53' x2='{x + 4}' y2='71' stroke='#222222' stroke-width='3'/>")
    out.append(_text(x + 12, 66, "what Kith must keep; red: it falls short", 12))
    return out


def _row(line, scale, y, servers):
    out = [_text(LABELS - 14, y + 4, line.row.label, 12, "end")]
    costs = {name: _cost(line, line.values[name]) for name in servers if line.values.get(name)}
    out.append(f"<line x1='{scale.x(min(costs.values())):.1f}' y1='{y}' x2='{scale.x(max(costs.values())):.1f}' y2='{y}' "
               "stroke='#bbbbbb' stroke-width='2'/>")
    if line.limit:
        x = scale.x(_cost(line, line.limit))
        out.append(f"<line x1='{x:.1f}' y1='{y - 9}' x2='{x:.1f}' y2='{y + 9}' stroke='#222222' stroke-width='3'/>")
    taken = []  # where a figure stands already: the next one near it goes below the line
    for name in sorted(costs, key=costs.get):
        x = scale.x(costs[name])
        colour = SHORT if name == "kith" and line.verdict().startswith("falls") else COLOURS[name]
        out.append(f"<circle cx='{x:.1f}' cy='{y}' r='6' fill='{colour}'/>")
        figure = f"{report.number(line.values[name])} {line.row.unit}"
        below = any(abs(x - other) < 62 for other in taken)
        if not below:
            taken.append(x)
        anchor = "end" if x > WIDTH - RIGHT - 20 else "start" if x < LABELS + 20 else "middle"
        out.append(_text(x, y + 18 if below else y - 9, figure, 10, anchor, colour))
    return out


def svg(lines, servers, title, note):
    """The picture as text; None if there is nothing beside Kith to show."""
    rows = _drawable(lines)
    if not rows:
        return None
    costs = [_cost(line, value) for line in rows for value in line.values.values() if value]
    costs += [_cost(line, line.limit) for line in rows if line.limit]
    scale = _Scale(costs)
    bottom = TOP + STEP * len(rows)
    height = bottom + BOTTOM
    out = [f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{height}' viewBox='0 0 {WIDTH} {height}'>",
           f"<rect width='{WIDTH}' height='{height}' fill='#ffffff'/>",
           _text(20, 28, title, 17, weight="bold"), _text(20, 46, note, 11, colour="#555555")]
    out += _legend(servers) + _axis(scale, bottom)
    for i, line in enumerate(rows):
        out += _row(line, scale, TOP + STEP * i + STEP / 2 + 2, servers)
    return "\n".join([*out, "</svg>"]) + "\n"
