"""Who reports to a source, and what: a scenario's reporters as plain steps, in order of time.

Everything follows from the file, so that a run can be repeated anywhere.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from crossmargin.faults import Fault, texts_at
from crossmargin.known import Known
from crossmargin.names import unknown
from crossmargin.quantities import read_decimal, write_time
from crossmargin.reporters import Reporters, Strategy, Truth, Wick, make_report
from crossmargin.reporting_file import ReportersModel
from crossmargin.scenario_records import SUCCESS, Step
from crossmargin.source_file import encode_feed_id
from crossmargin.source_set import SourceSpec
from crossmargin.steps.pull import USUAL_DECIMALS, sign_report
from crossmargin.tape import ANSWER_DECIMALS, Tape
from crossmargin.textfile import Place
from crossmargin.yamltext import Loc
from oracle.median import Median, Submit
from oracle.pull import PullFeed, UpdatePriceFeeds
from oracle.signing import TIME_BITS, PriceReport
from oracle.sources import AtSource, SourceAction
from protocol.units import fdiv

RELAY = "relay"  # brings signed reports
SENT_LIMIT = 2**255  # of an answer
MOST_STEPS = 100_000  # of one entry: more than a replay can use


@dataclass(frozen=True, slots=True)
class Reporting:
    """What an entry comes to: who reports, what is true, and when they report."""

    spec: SourceSpec
    reporters: Reporters
    truth: Truth
    times: Sequence[int]


def expand_reporters(model: ReportersModel, tape: Tape | None, known: Known, loc: Loc, place: Place) -> list[Step]:
    """The steps of one entry. What is wrong with it is a ``Fault``."""
    spec = known.source(model.source, Median | PullFeed, (*loc, "source"))
    entry = _read_reporting(model, spec, tape, known, loc)
    if isinstance(spec.plan, Median):
        found = list(_submit_all(entry))
    else:
        found = list(_bring_all(entry, encode_feed_id(model.feed_id or "")))
    for time, _, action in found:
        if isinstance(action, Submit):
            _check_sendable(action, time, loc)
    return [
        Step(time, place.line, sender, AtSource(spec.address, action), None, SUCCESS, place.column)
        for time, sender, action in found
    ]


def _check_sendable(report: Submit, time: int, loc: Loc) -> None:
    """Refuse a report that no transaction can hold."""
    if not (-SENT_LIMIT <= report.answer < SENT_LIMIT and 0 <= report.observed_at < 2**TIME_BITS):
        message = f"a report at {write_time(time)} has a price or a time that cannot be sent"
        raise Fault((*loc, "truth"), message, "choose a smaller price, push, noise or lag", key=True)


def _read_reporting(model: ReportersModel, spec: SourceSpec, tape: Tape | None, known: Known, loc: Loc) -> Reporting:
    decimals = spec.plan.decimals if isinstance(spec.plan, Median) else USUAL_DECIMALS
    if isinstance(spec.plan, PullFeed) != (model.feed_id is not None):
        raise Fault(loc, "reports to a pull source need feed_id, those to a median none", key=True)
    points = _read_points(model, tape, decimals, known.start, loc)
    reporters = _read_reporters(model, len(spec.people), known.start, loc)
    times = [time for time, _ in points if time >= known.start]
    last = model.ends.after(known.start) if model.ends is not None else points[-1][0]
    if model.every is not None:
        if model.every == 0 or (last - known.start) // model.every > MOST_STEPS:
            raise Fault((*loc, "every"), f"this would be 0s, or more than {MOST_STEPS} reports", "report less often")
        times = list(range(max(known.start, points[0][0]), last + 1, model.every))
    spans = [(outage.begins.after(known.start), outage.ends.after(known.start)) for outage in model.outages]
    for place, (begin, end) in enumerate(spans):
        if end <= begin:
            raise Fault((*loc, "outages", place, "ends"), "it ends before it begins", key=True)
    kept = [time for time in times if time <= last and not any(begin <= time < end for begin, end in spans)]
    return Reporting(spec, reporters, _truth_of(points), kept)


def _read_points(
    model: ReportersModel, tape: Tape | None, decimals: int, start: int, loc: Loc
) -> list[tuple[int, int]]:
    """Times and true prices in the source's decimals, in order of time."""
    if isinstance(model.truth, str):
        columns = tape.feeds if tape else ()
        if tape is None or model.truth not in columns:
            raise unknown(model.truth, columns, (*loc, "truth"), "column of a tape")
        up, down = 10 ** max(decimals - ANSWER_DECIMALS, 0), 10 ** max(ANSWER_DECIMALS - decimals, 0)
        return [(one.time, fdiv(one.answer * up, down)) for one in tape.rounds if one.feed == model.truth]
    if not model.truth:
        raise Fault((*loc, "truth"), "there is no price here", "write one by time, as 0s: 2000", key=True)
    points = []
    for when, text in model.truth.items():
        with texts_at((*loc, "truth")):
            points.append((when.after(start), read_decimal(text, decimals)))
    return sorted(points)


def _read_reporters(model: ReportersModel, count: int, start: int, loc: Loc) -> Reporters:
    is_pull = model.feed_id is not None
    if model.strategy not in (Strategy.HONEST, Strategy.REPLAY if is_pull else "") and not model.faulty:
        raise Fault((*loc, "strategy"), "nobody follows it", "say with faulty how many do")
    if model.faulty > count:
        raise Fault((*loc, "faulty"), f"there are only {count} of them")
    wick = None
    if model.wick is not None:
        begins, ends = model.wick.begins.after(start), model.wick.ends.after(start)
        wick = Wick(model.wick.reporter, begins, ends, model.wick.price)
        if is_pull:
            raise Fault(
                (*loc, "wick"), "signers sign one price, and nobody looks at a venue alone", "report to a median"
            )
        if wick.reporter >= count:
            raise Fault((*loc, "wick", "reporter"), f"there are only {count} of them, counted from 0")
    return Reporters(
        seed=model.source if model.seed is None else model.seed,
        count=count,
        faulty=model.faulty,
        strategy=Strategy(model.strategy),
        since=model.since.after(start),
        noise=model.noise,
        push=model.push,
        lag=model.lag,
        decimals=model.decimals,
        wick=wick,
    )


def _truth_of(points: Sequence[tuple[int, int]]) -> Callable[[int], int]:
    """The newest price at a time, and the first one before that."""
    times = [time for time, _ in points]
    return lambda time: points[max(bisect_right(times, time) - 1, 0)][1]


def _submit_all(entry: Reporting) -> Iterator[tuple[int, str, SourceAction]]:
    """Everybody's reports to a median, in the order of their slots."""
    for time in entry.times:
        for number, name in enumerate(entry.spec.people):
            report = make_report(entry.reporters, entry.truth, number, time)
            if report is not None:
                yield time, name, report


def _bring_all(entry: Reporting, feed_id: bytes) -> Iterator[tuple[int, str, SourceAction]]:
    """Signed reports, each of as many signers as are asked for, in a chain of the times that they say.

    More than half must sign, so liars sign nothing that counts unless the honest are too few. An old report needs no
    liar: whoever has one brings it again and again, after the true one. All who sign see the price of the first.
    """
    reporters, plan = entry.reporters, entry.spec.plan
    assert isinstance(plan, PullFeed)
    count = reporters.count - reporters.faulty
    honest, liars = entry.spec.people[:count], entry.spec.people[count:]
    previous, replayed = 0, b""
    for time in entry.times:
        lies = time >= reporters.since and reporters.strategy not in (Strategy.HONEST, Strategy.REPLAY)
        names, number = (liars, reporters.count - 1) if lies and len(liars) >= plan.threshold else (honest, 0)
        if time < reporters.since or reporters.strategy is Strategy.HONEST:
            names = entry.spec.people
        payloads = []
        seen = make_report(reporters, entry.truth, number, time) if len(names) >= plan.threshold else None
        if seen is not None:
            report = PriceReport(feed_id, seen.answer, 0, -USUAL_DECIMALS, seen.observed_at, previous)
            payloads.append(sign_report(report, entry.spec.address, names[: plan.threshold]))
            previous = seen.observed_at
        if reporters.strategy is Strategy.REPLAY and time >= reporters.since:
            replayed = replayed or (payloads[-1] if payloads else b"")
            payloads += [replayed] if replayed else []
        for payload in payloads:
            yield time, RELAY, UpdatePriceFeeds((payload,), plan.fee)
