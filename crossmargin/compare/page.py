"""A comparison as one HTML page that needs nothing else: no script, no style and no font from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from crossmargin.compare.cascade import NAMES, show_cells
from crossmargin.compare.parting import Parting, describe_action
from crossmargin.compare.record import COUNTS, MONEY, Record
from crossmargin.compare.report import Comparison, Contrast, show_cell
from crossmargin.compare.table import tell_measure, tell_times
from crossmargin.messages import clean
from crossmargin.replay.fates import Fate
from crossmargin.text import day_and_time, dollars

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 110em; padding: 0 1em; color: #222;
  background: #fff; }
h1 { font-size: 1.5em; } h2 { font-size: 1.2em; margin-top: 2em; }
table { border-collapse: collapse; margin: 1em 0; } .wide { overflow-x: auto; }
th, td { padding: .2em .8em; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap; }
th { font-weight: 600; } td, th { font-variant-numeric: tabular-nums; }
th:first-child, td:first-child, .text { text-align: left; }
pre { background: #f4f4f4; padding: .6em; overflow-x: auto; }
.note { color: #555; max-width: 60em; }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #181818; } th, td { border-color: #444; } pre { background: #242424; }
  .note { color: #aaa; }
}
"""

UNITS = (
    "Amounts are US dollars, cut to the cent; times are UTC. The change of an account is what it holds and took out "
    "less what it paid in, collateral at the price of the moment."
)


def render_page(base: Record, comparisons: Sequence[Comparison], command: str) -> str:
    """The page; it shows every account that ends otherwise."""
    records = (base, *(one.other for one in comparisons))
    title = f"{base.manifest['title']}: {len(records)} runs compared"
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(title)}</title><style>{STYLE}</style></head><body>",
        f"<h1>{_text(title)}</h1>",
        f"<pre>{_text(command)}</pre>",
        f'<p class="note">{_text(UNITS)}</p>',
        "<h2>Runs</h2>",
        _table(("run", "scenario", "changes", "engine"), map(_record_row, records), texts=(1, 2, 3)),
        "<h2>Totals</h2>",
        _table(("run", *(name.replace("_", " ") for name in (*COUNTS, *MONEY))), _total_rows(base, comparisons)),
        *_tell_cascades(records),
        *(part for one in comparisons for part in _tell_comparison(one)),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _tell_cascades(records: Sequence[Record]) -> Iterator[str]:
    if any(value for record in records for value in record.cascade.values()):
        yield "<h2>Cascade</h2>"
        head = ("run", *(name.replace("_", " ") for name in NAMES))
        yield _table(head, ((record.name, *show_cells(record.cascade)) for record in records))


def _record_row(record: Record) -> tuple[str, ...]:
    changes = ", ".join(record.manifest["changes"]) or "unchanged"
    return record.name, record.manifest["scenario"], changes, record.manifest["engine"]


def _total_rows(base: Record, comparisons: Sequence[Comparison]) -> Iterator[tuple[str, ...]]:
    yield base.name, *(show_cell(name, base.totals[name]) for name in (*COUNTS, *MONEY))
    for one in comparisons:
        totals = one.other.totals
        yield one.other.name, *(show_cell(name, totals[name]) for name in (*COUNTS, *MONEY))
        differences = (show_cell(name, totals[name] - base.totals[name], signed=True) for name in (*COUNTS, *MONEY))
        yield f"{one.other.name} - {base.name}", *differences


def _tell_comparison(one: Comparison) -> Iterator[str]:
    base, other = one.base.name, one.other.name
    yield f"<h2>{_text(other)} against {_text(base)}</h2>"
    rows = []
    if one.measure:
        rows.append(_parting_row("measured otherwise", one.measure, one))
    if one.parting:
        rows.append(_parting_row("another outcome", one.parting, one))
    if rows:
        yield _table(("first", "time", "action", "what differs", base, other), rows, texts=(1, 2, 3, 4, 5))
    if not one.parting:
        yield "<p>Every action has the same outcome.</p>"
    yield f"<p>{len(one.contrasts)} of {one.accounts} accounts end otherwise.</p>"
    if one.contrasts:
        # Fates last: they are the widest, and what a narrow window cuts off first.
        titles = ("left", "change", "left", "change", "fate", "fate")
        runs = (base, base, other, other, base, other)
        head = ("account", "difference", *(f"{run}: {title}" for run, title in zip(runs, titles, strict=True)))
        yield _table(head, map(_contrast_row, one.contrasts), texts=(6, 7))


def _parting_row(title: str, parting: Parting, one: Comparison) -> tuple[str, ...]:
    actions = dict.fromkeys((describe_action(parting.base, one.base), describe_action(parting.other, one.other)))
    return title, day_and_time(parting.time), " / ".join(actions), parting.what, *parting.values


def _contrast_row(contrast: Contrast) -> tuple[str, ...]:
    fates = (contrast.base, contrast.other)
    money = (cell for fate in fates for cell in _money_cells(fate))
    return contrast.account, dollars(contrast.difference, signed=True), *money, *map(_tell_fate, fates)


def _tell_fate(fate: Fate | None) -> str:
    return "; ".join(filter(None, (tell_times(fate), tell_measure(fate)))) if fate else "never opened"


def _money_cells(fate: Fate | None) -> tuple[str, str]:
    return (dollars(fate.left), dollars(fate.change, signed=True)) if fate else ("", "")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], texts: Sequence[int] = ()) -> str:
    """A table; ``texts`` are the columns, from 0, that hold text and not numbers."""
    lines = [_row("th", head, texts), *(_row("td", row, texts) for row in rows)]
    return '<div class="wide"><table>\n' + "\n".join(lines) + "\n</table></div>"


def _row(tag: str, cells: Sequence[str], texts: Sequence[int]) -> str:
    kinds = (' class="text"' if column in texts else "" for column in range(len(cells)))
    return (
        "<tr>"
        + "".join(f"<{tag}{kind}>{_text(cell)}</{tag}>" for kind, cell in zip(kinds, cells, strict=True))
        + "</tr>"
    )


def _text(text: str) -> str:
    return escape(clean(text))
