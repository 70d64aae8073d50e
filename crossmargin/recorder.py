"""Makes an oracle tape from market bars with a deviation and heartbeat rule (the rule: specs/tapes/README.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from crossmargin.bars import Bar, FeedSource, load_feed
from crossmargin.errors import InputError
from crossmargin.messages import shown
from crossmargin.quantities import LATEST_TIME, write_decimal, write_duration, write_time
from crossmargin.tape import ANSWER_DECIMALS, Tape, TapeRound, write_price, write_tape
from protocol.units import BPS


@dataclass(frozen=True, slots=True)
class Rule:
    """When a path point becomes a round, and how a large move is walked."""

    deviation: int = 100  # basis points of the last round
    heartbeat: int = 3_600  # seconds
    max_step: int = 300  # basis points of the last round
    decimals: int = ANSWER_DECIMALS  # of the prices written

    @property
    def unit(self) -> int:
        """The smallest step of a price at scale 10^8."""
        return int(10 ** (ANSWER_DECIMALS - self.decimals))


@dataclass(frozen=True, slots=True)
class RecordRequest:
    """Everything a tape is made from. The window is [start, end) in unix seconds."""

    title: str
    venue: str
    start: int
    end: int
    feeds: tuple[FeedSource, ...]
    instruments: str = ""  # as the venue names them; empty: the feeds' names
    rule: Rule = Rule()


def get_path(bars: Sequence[Bar], start: int, end: int, unit: int) -> Iterator[tuple[int, int]]:
    """Path points in [start, end), floored to whole ``unit``. Where the next bar begins, the one before ends."""
    for at, bar in enumerate(bars):
        stop = min(end, bars[at + 1].start) if at + 1 < len(bars) else end
        for time, price in bar.points():
            if start <= time < stop:
                yield time, price // unit * unit


def compute_walk(last: int, price: int, seconds: int, rule: Rule) -> list[int]:
    """Rounds that walk from the last one to the price, none more than ``max_step`` from the round before it.

    Each step is floored to the decimals, so a walk never exceeds the bound; the last round is the price itself.
    Empty when the walk has more rounds than ``seconds``: it would name the feed twice in one push.
    """
    rounds: list[int] = []
    while abs(price - last) * BPS > rule.max_step * last:
        step = last * rule.max_step // (BPS * rule.unit) * rule.unit
        if step == 0 or len(rounds) + 1 >= seconds:
            return []
        last += step if price > last else -step
        rounds.append(last)
    return [*rounds, price]


def record(bars_by_feed: Mapping[str, Sequence[Bar]], start: int, end: int, rule: Rule) -> list[TapeRound]:
    """All feeds' rounds in [start, end), by time, then feed name."""
    rounds = [entry for feed, bars in bars_by_feed.items() for entry in record_feed(feed, bars, start, end, rule)]
    return sorted(rounds, key=lambda entry: (entry.time, entry.feed))


def record_feed(feed: str, bars: Sequence[Bar], start: int, end: int, rule: Rule) -> Iterator[TapeRound]:
    """One feed's rounds in [start, end).

    The first path point is a round. Later ones become a round when they lie ``deviation`` or more from the last round,
    or ``heartbeat`` or more after it. A move above ``max_step`` is walked: n rounds at the floor of i/n of the time
    from the path point before, the n-th at the point itself.
    """
    pushed_at = passed_at = last = 0
    for time, price in get_path(bars, start, end, rule.unit):
        if price == 0:
            raise InputError(f"bars of {feed}", f"a price is zero at {rule.decimals} decimals", remedy="use more")
        walk: list[int] = []
        if last == 0:
            walk, passed_at = [price], time
        elif abs(price - last) * BPS >= rule.deviation * last or time - pushed_at >= rule.heartbeat:
            walk = compute_walk(last, price, time - passed_at, rule)
            if not walk:
                raise _too_fast(feed, last, price, passed_at, time)
        for at, answer in enumerate(walk, 1):
            pushed_at, last = passed_at + (time - passed_at) * at // len(walk), answer
            yield TapeRound(pushed_at, feed, write_price(answer, rule.decimals), answer)
        passed_at = time
    if last == 0:
        raise InputError(f"bars of {feed}", "none lies in the window", remedy="check the start and the end")


def _too_fast(feed: str, last: int, price: int, before: int, time: int) -> InputError:
    move = f"from {write_price(last)} to {write_price(price)}"
    message = f"the move {move} by {write_time(time)} needs more steps than the {time - before} s it has"
    return InputError(f"bars of {feed}", message, remedy="check the bars, or allow a larger step")


def record_tape(request: RecordRequest, name: str = "") -> Tape:
    """The tape. The same request and bars give the same one anywhere.

    Refuses a request out of range, bars that do not cover the window, and all that loading and recording refuse.
    """
    _check_request(request)
    start, end, rule = request.start, request.end, request.rule
    bars = {source.feed: load_feed(source) for source in request.feeds}
    for source in request.feeds:
        _check_cover(source, bars[source.feed], start, end)
    header = {
        "title": request.title,
        "venue": request.venue,
        "instruments": request.instruments or ", ".join(bars),
        "bars": "; ".join(_describe_bars(feed, bars[feed], start, end) for feed in bars),
        "window": f"{write_time(start)} to {write_time(end)}, end excluded",
        "rule": _describe_rule(rule),
        "decimals": str(rule.decimals),
    }
    return Tape(name, header, rule.decimals, tuple(record(bars, start, end, rule)))


def _check_request(request: RecordRequest) -> None:
    remarks = {"--title": request.title, "--venue": request.venue, "--instruments": request.instruments or "default"}
    for option, text in remarks.items():
        if not text or text != text.strip() or not text.isprintable():
            remedy = "no line breaks, no outer spaces"
            raise InputError(option, f"{shown(text)} is not one line of text", remedy=remedy)
    if request.start >= request.end:
        raise InputError("--end", "the window ends before it starts", remedy="give an end after the start")
    names = [source.feed for source in request.feeds]
    if not names or len(set(names)) < len(names):
        raise InputError("--feed", "name at least one feed, each once", remedy="join a feed's files with commas")
    rule = request.rule
    limits = (
        ("--decimals", rule.decimals, 0, ANSWER_DECIMALS),
        ("--deviation", rule.deviation, 1, BPS),
        ("--heartbeat", rule.heartbeat, 1, LATEST_TIME),
        ("--max-step", rule.max_step, 1, BPS),
    )
    for option, value, least, most in limits:
        if not least <= value <= most:
            raise InputError(option, f"{value} is out of range", remedy=f"from {least} to {most}")


def _check_cover(source: FeedSource, bars: Sequence[Bar], start: int, end: int) -> None:
    first, last = bars[0].start, bars[-1].start + bars[-1].length
    if first > start or last < end:
        message = f"bars of {source.feed} run from {write_time(first)} to {write_time(last)} only"
        raise InputError(source.files[-1].path, message, remedy="add a file, or narrow the window")


def _describe_bars(feed: str, bars: Sequence[Bar], start: int, end: int) -> str:
    """Bar lengths within the window and where they change, and the seconds of trading that no bar covers."""
    parts: list[str] = []
    length = missing = 0
    for before, bar in pairwise((bars[0], *bars)):
        missing += max(0, min(end, bar.start) - max(start, before.start + before.length))
        if bar.start >= end or bar.start + bar.length <= start:
            continue
        if bar.length != length:
            length = bar.length
            parts.append(write_duration(length) + (f" from {write_time(bar.start)}" if parts else ""))
    return f"{feed} {', '.join(parts)}" + (f" ({missing} s missing)" if missing else "")


def _describe_rule(rule: Rule) -> str:
    deviation, step = (f"{write_decimal(bps, 2)} %" for bps in (rule.deviation, rule.max_step))
    return (
        f"a round at {deviation} from the last round or {rule.heartbeat} s after it; "
        f"moves above {step} walked in steps of {step} of the last round; "
        "a bar's path is open, low, high, close when it closes up or level, "
        "open, high, low, close when it closes down, a quarter of the bar apart"
    )


def record_to_file(request: RecordRequest, path: Path) -> dict[str, int]:
    """Record a tape into a file and count its rounds by feed. Refuses to overwrite the bars it is made from."""
    for source in request.feeds:
        if any(path.resolve() == file.path.resolve() for file in source.files):
            raise InputError(path, "is one of the files the tape is made from", remedy="write to another file")
    tape = record_tape(request, path.stem)
    write_tape(tape, path)
    counts = Counter(entry.feed for entry in tape.rounds)
    return {source.feed: counts[source.feed] for source in request.feeds}
