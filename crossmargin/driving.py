"""What a tape drives: each of its columns the pushed feeds that a scenario says, or the one of its name."""

from __future__ import annotations

from crossmargin.faults import Fault
from crossmargin.messages import near
from crossmargin.names import unknown
from crossmargin.parameters import ParameterSet
from crossmargin.quantities import LATEST_STEP, write_time
from crossmargin.scenario_file import ScenarioModel
from crossmargin.tape import ANSWER_DECIMALS, Tape
from crossmargin.yamltext import Loc
from oracle.feeds import SetFeed

Drives = dict[str, tuple[str, ...]]


def check_tape(tape: Tape, params: ParameterSet, model: ScenarioModel) -> None:
    """Refuse a tape unless the feeds it drives are pushed ones with the decimals that tapes have, and its times fit."""
    for column in model.drives:
        if column not in tape.feeds:
            raise unknown(column, tape.feeds, ("drives", column), "column of the tape", key=True)
    driven: dict[str, str] = {}
    for column, feeds in find_drives(tape, params, model).items():
        for place, feed in enumerate(feeds):
            loc: Loc = ("drives", column, place) if column in model.drives else ("tape",)
            _check_feed(feed, params, loc)
            if driven.setdefault(feed, column) != column or feeds.index(feed) != place:
                raise Fault(loc, f"feed `{feed}` is driven by `{driven[feed]}` already")
    last = tape.rounds[-1].time
    if last > LATEST_STEP:
        remedy = f"end it at {write_time(LATEST_STEP)} at the latest"
        raise Fault(("tape",), f"the tape ends at {write_time(last)}", remedy)


def find_drives(tape: Tape, params: ParameterSet, model: ScenarioModel) -> Drives:
    """The feeds of each column. One that reporters report needs no pushed feed of its name."""
    names = {feed.name for feed in params.feeds if isinstance(feed.action, SetFeed)}
    reported = {one.truth for one in model.reporters if isinstance(one.truth, str)}
    own = {column: () if column in reported - names else (column,) for column in tape.feeds}
    return {**own, **model.drives}


def _check_feed(name: str, params: ParameterSet, loc: Loc) -> None:
    specs = {feed.name: feed for feed in params.feeds}
    if name not in specs:
        message = f"the tape has rounds of `{name}`, the parameter set `{params.name}` has no such feed"
        raise Fault(loc, message + near(name, specs))
    if not isinstance(specs[name].action, SetFeed):
        message = f"the tape has rounds of `{name}`, which is made of other feeds in `{params.name}`"
        raise Fault(loc, message, f"name the pushed feeds below it: drives: {{{name}: [FEED, FEED]}}")
    decimals = specs[name].decimals
    if decimals != ANSWER_DECIMALS:
        message = f"feed `{name}` has {decimals} decimals in `{params.name}`, a tape has {ANSWER_DECIMALS}"
        raise Fault(loc, message)
