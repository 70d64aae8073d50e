"""Pictures of a study as SVG: a panel for each scenario, and in it the spread of a measure for each variant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal, localcontext
from html import escape
from textwrap import wrap

from crossmargin.study.measures import DOLLARS, Measure
from crossmargin.study.plan import LABEL_LETTER, PLOT_WIDTH, Study
from crossmargin.study.results import Results
from crossmargin.study.scale import EXACT, LINEAR_TO, Scale, build_scale
from crossmargin.study.spread import compute_spread, show

PLOT_HEIGHT = 190
LEFT, RIGHT, ABOVE, BELOW = 84, 16, 34, 64  # around a plot: tick labels, and the panel's title
MARGIN, LINE = 16, 17
LEGEND = 44  # from its top to the notes below
TITLE, TITLE_LETTER = 20, Decimal("9.2")
COLUMNS = 3
BOX = Decimal(22)
LETTER = Decimal(LABEL_LETTER)
STYLE = (
    "text { font: 11px Helvetica, Arial, sans-serif; fill: #222; } .title { font-size: 16px; font-weight: bold; } "
    ".panel { font-size: 13px; font-weight: bold; } .end { text-anchor: end; } .middle { text-anchor: middle; } "
    ".grid { stroke: #ddd; } .zero { stroke: #777; } .whisker { stroke: #444; stroke-width: 1.2; } "
    ".box { fill: #9ecae1; stroke: #2b5d82; } .median { stroke: #08306b; stroke-width: 3; } "
    ".mean { fill: #fff; stroke: #000; } .join { fill: none; stroke: #08306b; stroke-dasharray: 4 3; } "
    ".frame { fill: none; stroke: #777; }"
)

Values = Mapping[str, Sequence[int]]  # by variant


def draw_pictures(study: Study, results: Results) -> dict[str, str]:
    """Every picture of a study by the name of its file."""
    pictures = {}
    for name in study.model.pictures.values:
        values = _collect(study, results.values, name, list(study.variants))
        pictures[_file(study, name)] = draw(study, results, results.measures[name], values, "")
    held = [label for label, against in results.against.items() if against]
    for name in study.model.pictures.changes:
        changes = _collect(study, results.changes, name, held)
        told = ", ".join(f"{label} against {results.against[label]}" for label in held)
        pictures[_file(study, name, "change")] = draw(study, results, results.measures[name], changes, told)
    return pictures


def _collect(
    study: Study, read: Callable[[str, str, str], list[int]], measure: str, variants: Sequence[str]
) -> dict[str, Values]:
    return {scenario: {label: read(measure, label, scenario) for label in variants} for scenario in study.scenarios}


def _file(study: Study, measure: str, *more: str) -> str:
    return "-".join((study.name, measure.replace(".", "_"), *more)) + ".svg"


def draw(study: Study, results: Results, measure: Measure, panels: Mapping[str, Values], changes: str) -> str:
    """One picture. ``changes`` says what is held against what, where differences are drawn."""
    with localcontext(EXACT):
        return _draw(study, results, measure, panels, changes)


def _draw(study: Study, results: Results, measure: Measure, panels: Mapping[str, Values], changes: str) -> str:
    every = [value for values in panels.values() for found in values.values() for value in found]
    scale = build_scale(every, measure.unit)
    columns = min(COLUMNS, len(panels))
    width = 2 * MARGIN + columns * (LEFT + PLOT_WIDTH + RIGHT)
    title = f"{study.model.title}: {'change of ' if changes else ''}{measure.title}, {measure.unit}"
    titles = _wrap(title, width, TITLE_LETTER)
    notes = [line for text in _tell(study, results, measure, changes) for line in _wrap(text, width)]
    head = MARGIN + TITLE * len(titles)
    below = head + -(-len(panels) // columns) * (ABOVE + PLOT_HEIGHT + BELOW)
    height = below + LEGEND + LINE * len(notes)
    size = f'width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect {size} fill="#fff"/>',
        *(_text(MARGIN, MARGIN + TITLE * at + 10, line, "title") for at, line in enumerate(titles)),
    ]
    for number, (label, values) in enumerate(panels.items()):
        x = MARGIN + LEFT + number % columns * (LEFT + PLOT_WIDTH + RIGHT)
        y = head + ABOVE + number // columns * (ABOVE + PLOT_HEIGHT + BELOW)
        parts += _draw_panel(label, values, scale, study, x, y)
    parts += _draw_legend(MARGIN, below + 14, is_ordered=study.model.ordered)
    parts += (_text(MARGIN, below + 44 + LINE * at, line) for at, line in enumerate(notes))
    return "\n".join((*parts, "</svg>")) + "\n"


def _tell(study: Study, results: Results, measure: Measure, changes: str) -> Iterator[str]:
    """What stands below a picture: axis, runs, prices, command."""
    if changes:
        yield f"Change by seed: {changes}."
    if measure.unit == DOLLARS:
        yield f"The axis of dollars is linear between -{LINEAR_TO} and {LINEAR_TO}, logarithmic beyond."
    yield f"Each box: {results.seeds} runs, populations drawn from the seeds 1 to {results.seeds}, on the model."
    sources: dict[str, list[str]] = {}
    for label, facts in results.facts["scenarios"].items():
        sources.setdefault(facts["prices"], []).append(label)
    yield "Prices: " + "; ".join(f"{venue} ({', '.join(labels)})" for venue, labels in sources.items()) + "."
    yield f"Made by: {results.facts['command']}"


def _draw_panel(label: str, values: Values, scale: Scale, study: Study, x: int, y: int) -> Iterator[str]:
    def height(value: int) -> Decimal:
        return y + PLOT_HEIGHT * (1 - scale.place(value))

    yield _text(x, y - 10, label, "panel")
    yield _text(x - 6, y - 10, scale.unit, "end")
    for tick in scale.ticks:
        level = height(tick)
        yield _line(x, level, x + PLOT_WIDTH, level, "zero" if tick == 0 else "grid")
        yield _text(x - 6, level + 4, show(tick, scale.unit), "end")
    yield f'<rect class="frame" x="{x}" y="{y}" width="{PLOT_WIDTH}" height="{PLOT_HEIGHT}"/>'
    slot = Decimal(PLOT_WIDTH) / len(values)
    middles = [x + slot * at + slot / 2 for at in range(len(values))]
    medians = [height(compute_spread(found).median) for found in values.values()]
    if study.model.ordered:
        points = " ".join(f"{_number(a)},{_number(b)}" for a, b in zip(middles, medians, strict=True))
        yield f'<polyline class="join" points="{points}"/>'
    lines = 1
    for middle, (variant, found) in zip(middles, values.items(), strict=True):
        spread = compute_spread(found)
        marks = (spread.lowest, spread.lower, spread.median, spread.upper, spread.highest, spread.mean)
        yield from _draw_box(middle, [height(mark) for mark in marks])
        label_lines = _fold(variant, slot)
        lines = max(lines, len(label_lines))
        for at, words in enumerate(label_lines):
            yield _text(middle, y + PLOT_HEIGHT + 15 + 12 * at, words, "middle")
    for at, words in enumerate(_fold(study.model.axis, Decimal(PLOT_WIDTH))):
        yield _text(x + Decimal(PLOT_WIDTH) / 2, y + PLOT_HEIGHT + 21 + 12 * (lines + at), words, "middle")


def _draw_box(middle: Decimal, heights: Sequence[Decimal]) -> Iterator[str]:
    lowest, lower, median, upper, highest, mean = heights
    left, right = middle - BOX / 2, middle + BOX / 2
    yield _line(middle, lowest, middle, highest, "whisker")
    for end in (lowest, highest):
        yield _line(middle - BOX / 4, end, middle + BOX / 4, end, "whisker")
    box = f'x="{_number(left)}" y="{_number(upper)}" width="{_number(BOX)}" height="{_number(lower - upper)}"'
    yield f'<rect class="box" {box}/>'
    yield _line(left, median, right, median, "median")
    yield f'<circle class="mean" cx="{_number(middle)}" cy="{_number(mean)}" r="3"/>'


def _draw_legend(x: int, y: int, *, is_ordered: bool) -> Iterator[str]:
    yield from _draw_box(Decimal(x + 12), [Decimal(y + offset) for offset in (14, 9, 5, -8, -14, -2)])
    joined = ", dashes join them" if is_ordered else ""
    text = f"line: lowest to highest; box: from quartile to quartile; bar: median{joined}; circle: mean"
    yield _text(x + 32, y + 4, text)


def _fold(label: str, slot: Decimal) -> list[str]:
    """A label in as few lines as fit its slot."""
    return wrap(label, max(int(slot / LETTER), 1), break_long_words=False, break_on_hyphens=False)


def _wrap(text: str, width: int, letter: Decimal = LETTER) -> list[str]:
    return wrap(text, int((width - 2 * MARGIN) / letter), break_on_hyphens=False)


def _text(x: Decimal | int, y: Decimal | int, text: str, kind: str = "") -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text{style} x="{_number(x)}" y="{_number(y)}">{escape(text)}</text>'


def _line(x1: Decimal | int, y1: Decimal | int, x2: Decimal | int, y2: Decimal | int, kind: str) -> str:
    ends = " ".join(f'{name}="{_number(at)}"' for name, at in (("x1", x1), ("y1", y1), ("x2", x2), ("y2", y2)))
    return f'<line class="{kind}" {ends}/>'


def _number(value: Decimal | int) -> str:
    return f"{Decimal(value).quantize(Decimal('0.1')):f}"
