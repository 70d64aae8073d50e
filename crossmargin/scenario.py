"""Scenarios: a parameter set, a price tape, accounts and timed actions, read from ``specs/scenarios/*.yaml``.

A scenario file is found by its path, or by its bare name in the folder ``specs/scenarios`` beside the package.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from contracts_py.addresses import source_deployer
from crossmargin.driving import check_tape, find_drives
from crossmargin.errors import InputError
from crossmargin.faults import Fault, Faults, texts_at
from crossmargin.fields import read_form
from crossmargin.keeping import build_keepers
from crossmargin.known import UNKNOWN, Known
from crossmargin.library import PARAMETERS, PROFILES, SCENARIOS, TAPES, exists
from crossmargin.names import unknown
from crossmargin.parameters import ParameterSet, load_parameters
from crossmargin.population.expansion import expand
from crossmargin.population.file import PopulationModel
from crossmargin.population.members import Population, draw_population
from crossmargin.population.prices import play_prices
from crossmargin.population.profile import load_profile
from crossmargin.price_response import build_response
from crossmargin.quantities import EARLIEST_START, LATEST_STEP, BadText, write_time
from crossmargin.reporting import expand_reporters
from crossmargin.scenario_file import AccountModel, EndModel, ScenarioModel, StepExpectModel, StepModel
from crossmargin.scenario_records import (
    IN_UNITS,
    NEEDS,
    SUCCESS,
    AccountSpec,
    EndExpectation,
    QuoteExpectation,
    Scenario,
    Step,
    StepExpectation,
)
from crossmargin.scenario_switches import apply_switches
from crossmargin.steps.base import ActionModel, AnyAction
from crossmargin.steps.feeds import push_to_action
from crossmargin.tape import Tape, load_tape
from crossmargin.text import decimal
from crossmargin.textfile import list_folder
from crossmargin.yamltext import Document, Loc, read_yaml
from oracle.sources import AtSource
from protocol.env import Status
from protocol.state import account_id

ROLES = ("admin", "guardian", "poster", "treasury", "deployer")
MONEY_TOTALS = ("bad_debt", "insurance_fund", "pool_value", "deficit")
COUNT_TOTALS = ("liquidations", "refusals")
SPARE = frozenset({"insurance", "keepers", "price_response", "expect"})  # parts that nothing else rests on

AddressOf = Callable[[str], int]


def load_scenario(path: Path, address_of: AddressOf, parameters: ParameterSet | None = None) -> Scenario:
    """Read a scenario and the files it names. Whatever is wrong with them is an ``InputError``.

    ``address_of`` gives an actor's address; ``parameters``, if given, stands in for the set the file names.
    """
    return parse_scenario(read_yaml(path), address_of, parameters)


def parse_scenario(document: Document, address_of: AddressOf, parameters: ParameterSet | None = None) -> Scenario:
    """A scenario from a document already read. What is wrong is told together.

    A fault of the text itself hides the rest, one in the head or in unknown keys what is told of meaning, one in the
    form of a step what the step means.
    """
    path, faults = document.source.file, Faults(document)
    model, numbers = _read_model(document, faults)
    params = parameters or _load_params(model.params, path, faults)
    tape = _load_tape(model, params, path, faults) if params is not None and model.tape is not None else None
    if model.drives and model.tape is None:
        faults.note(Fault(("drives",), "there is no tape to drive anything", "name a tape", key=True))
    start = _find_start(model, tape, faults) if model.tape is None or model.start is not None or tape else None
    accounts = _build_accounts(model, address_of, faults)
    population = None
    if model.population is not None and params is not None and start is not None:
        population = _draw(model.population, params, start, path, faults)
        accounts |= _build_members(population, accounts, address_of, faults)
    steps: list[Step] = []
    if params is not None and start is not None:
        known = Known(params, {name: account.id for name, account in accounts.items()}, address_of, faults.note)
        builder = _StepBuilder(document, faults, known, accounts, start)
        for number, step in zip(numbers, model.steps, strict=True):
            with faults.noted():
                steps.append(builder.build(step, ("steps", number)))
        reports: list[Step] = []
        for index, reporters in enumerate(model.reporters):
            with faults.noted():
                loc = ("reporters", index)
                reports += expand_reporters(reporters, tape, replace(known, start=start), loc, document.place(loc))
        # Reports of a second stand before what the scenario does in it, as rounds of a tape do.
        steps = sorted((*reports, *steps), key=lambda step: step.at)
    keepers = build_keepers(model, start, faults) if start is not None else ()
    response = None
    if params is not None:
        with faults.noted():
            response = build_response(model.price_response, params)
    expect = _build_end(model.expect or EndModel(), accounts, document, faults)
    faults.stop()
    assert params is not None  # or a fault was noted
    assert start is not None
    scenario = Scenario(
        path=path,
        digest=document.digest,
        name=path.stem,
        title=model.title,
        about=model.about,
        params=params,
        tape=tape,
        drives=find_drives(tape, params, model) if tape else {},
        start=start,
        insurance=model.insurance,
        accounts=accounts,
        keepers=keepers,
        steps=tuple(steps),
        expect=expect,
        population=population,
        response=response,
    )
    return apply_switches(_add_population(scenario, document, faults))


def _add_population(scenario: Scenario, document: Document, faults: Faults) -> Scenario:
    """The scenario with the steps of its population, if it has one, which follow from the prices of the rest."""
    if scenario.population is None:
        return scenario
    with faults.noted():
        place = document.place(("population",), key=True)
        drawn = expand(scenario.population, scenario.accounts, scenario.params, play_prices(scenario), place)
        scenario = replace(scenario, steps=tuple(sorted((*scenario.steps, *drawn), key=lambda step: step.at)))
    faults.stop()
    return scenario


def _read_model(document: Document, faults: Faults) -> tuple[ScenarioModel, list[int]]:
    """The shape of the file and the numbers of its steps.

    Steps and ``SPARE`` parts that are wrong in form are noted and left out; any other such fault ends the reading.
    """
    data = document.plain()
    wrong: list[Loc] = []

    def note(fault: Fault) -> None:
        faults.note(fault)
        wrong.append(fault.loc)

    model = read_form(data, ScenarioModel, note)
    if model is not None:
        return model, list(range(len(model.steps)))
    if any(loc[:1] == () or (loc[0] not in SPARE and (loc[0] != "steps" or len(loc) == 1)) for loc in wrong):
        faults.stop()
    left_out = {loc[0] for loc in wrong} & SPARE
    bad_steps = {loc[1] for loc in wrong if loc[0] == "steps"}
    numbers = [number for number in range(len(data.get("steps", ()))) if number not in bad_steps]
    rest = {key: value for key, value in data.items() if key not in left_out}
    rest["steps"] = [data["steps"][number] for number in numbers]
    return ScenarioModel.model_validate(rest), numbers


def actors(scenario: Scenario) -> tuple[str, ...]:
    """Everyone who may send a transaction, each once: the roles, then owners, keepers and senders as they appear."""
    owners = (account.owner for account in scenario.accounts.values())
    keepers = (keeper.name for keeper in scenario.keepers)
    senders = (step.sender for step in scenario.steps)
    return tuple(dict.fromkeys((*ROLES, *owners, *keepers, *senders)))


def find_scenario(text: str) -> Path:
    """The scenario file that ``text`` means: a bare name under ``specs/scenarios``, or a path.

    A file here of exactly that name, without a suffix, is found last. Refuses what does not exist, with near names.
    """
    try:
        return SCENARIOS.find(text)
    except BadText as problem:
        path = Path(text)
        if text and SCENARIOS.is_name(text) and exists(path):
            return path
        raise InputError(text, problem.message, remedy=problem.remedy) from None


def find_scenarios(text: str) -> tuple[Path, ...]:
    """The scenario files that ``text`` means: one, or every ``*.yaml`` of a folder in order of name."""
    path = find_scenario(text)
    if not path.is_dir():
        return (path,)
    return tuple(list_folder(path, (SCENARIOS.suffix,), "no scenario"))


def _find(find: Callable[[str, Path], Path], text: str, path: Path, loc: Loc) -> Path:
    with texts_at(loc):
        return find(text, path.parent)


def _load_params(text: str, path: Path, faults: Faults) -> ParameterSet | None:
    try:
        return load_parameters(_find(PARAMETERS.find, text, path, ("params",)))
    except (Fault, InputError) as fault:
        faults.note(fault)
        return None


def _load_tape(model: ScenarioModel, params: ParameterSet, path: Path, faults: Faults) -> Tape | None:
    try:
        assert model.tape is not None
        tape = load_tape(_find(TAPES.find, model.tape, path, ("tape",)))
        check_tape(tape, params, model)
    except (Fault, InputError) as fault:
        faults.note(fault)
        return None
    return tape


def _find_start(model: ScenarioModel, tape: Tape | None, faults: Faults) -> int | None:
    """When it begins. The times of a run must be times of a chain too, whatever engine runs it."""
    loc: Loc = ("start",)
    if model.start is not None:
        start = model.start
    elif tape is not None:
        start, loc = tape.rounds[0].time, ("tape",)
    else:
        remedy = "without a tape, a scenario says when it begins"
        faults.note(Fault((), "the key `start` is missing", remedy))
        return None
    if EARLIEST_START <= start <= LATEST_STEP:
        return start
    remedy = f"begin between {write_time(EARLIEST_START)} and {write_time(LATEST_STEP)}"
    faults.note(Fault(loc, f"the scenario begins at {write_time(start)}, which is out of range", remedy))
    return None


def _build_accounts(model: ScenarioModel, address_of: AddressOf, faults: Faults) -> dict[str, AccountSpec]:
    accounts: dict[str, AccountSpec] = {}
    names: dict[tuple[str, int], str] = {}
    for name, account in model.accounts.items():
        owner = account.owner or name
        first = names.setdefault((owner, account.sub), name)
        if first != name:
            message = f"`{name}` is the same account as `{first}`: owner {owner}, sub {account.sub}"
            faults.note(Fault(("accounts", name), message, "give it another sub", key=True))
        accounts[name] = _build_account(name, owner, account, address_of)
    return accounts


def _build_account(name: str, owner: str, account: AccountModel, address_of: AddressOf) -> AccountSpec:
    return AccountSpec(name, owner, account.sub, account.story, account_id(address_of(owner), account.sub))


def _draw(model: PopulationModel, params: ParameterSet, start: int, path: Path, faults: Faults) -> Population | None:
    try:
        profile = load_profile(_find(PROFILES.find, model.profile, path, ("population", "profile")))
        return draw_population(model, profile, params, start)
    except (Fault, InputError) as fault:
        faults.note(fault)
        return None


def _build_members(
    population: Population | None, accounts: Mapping[str, AccountSpec], address_of: AddressOf, faults: Faults
) -> dict[str, AccountSpec]:
    """The accounts of a population's traders, each its owner's first."""
    found: dict[str, AccountSpec] = {}
    taken = {account.owner: name for name, account in accounts.items() if account.sub == 0}
    for member in population.members if population else ():
        named = member.name if member.name in accounts else taken.get(member.name)
        if named is not None:
            message = f"the population has an account `{member.name}` of an owner of that name"
            faults.note(Fault(("accounts", named), message, "give this one another name and owner", key=True))
        found[member.name] = AccountSpec(member.name, member.name, 0, "", account_id(address_of(member.name)))
    return found


class _StepBuilder:
    """Turns the steps of one file into records, in order. What is wrong with a step is noted, or raised at last."""

    def __init__(
        self, document: Document, faults: Faults, known: Known, accounts: Mapping[str, AccountSpec], start: int
    ) -> None:
        self._document = document
        self._faults = faults
        self._known = known
        self._accounts = {account.id: account for account in accounts.values()}
        self._start = start
        self._latest = start
        self._created: set[int] = set()

    def build(self, model: StepModel, loc: Loc) -> Step:
        """A step's record."""
        at, place = model.at.after(self._start), self._document.place(loc)
        with self._faults.noted():
            self._check_time(at, (*loc, "at"))
        shape, key_loc = model.action, (*loc, model.action_key)
        known = replace(self._known, start=self._start, now=at)
        if isinstance(shape, ActionModel):
            action = shape.to_action(known, key_loc)
        else:
            action = push_to_action(shape, known, key_loc)
        expect = SUCCESS
        if model.expect:
            expect = self._build_expectation(model.expect, action, (*loc, "expect"))
        account = self._accounts.get(getattr(action, "account", UNKNOWN))
        sender = self._find_sender(model, action, account, key_loc)
        return Step(at, place.line, sender, action, account.name if account else None, expect, place.column)

    def _find_sender(self, model: StepModel, action: AnyAction, account: AccountSpec | None, loc: Loc) -> str:
        """Who sends the step: whom it names, else the role or the owner whose action it is."""
        shape = model.action
        role = shape.sender if isinstance(shape, ActionModel) else "poster"
        reason = f"anyone may `{model.action_key}`"
        if isinstance(action, AtSource) and role == "creator":
            role = source_deployer(self._known.source_text(action.source))
            self._check_creator(model, role, action.source, loc)
        if role == "owner":
            role = account.owner if account else ""
            reason = "the owner of this account is not known here"
        sender = model.by or role
        if not sender and getattr(action, "account", 0) != UNKNOWN:
            raise Fault(loc, f"the step has no sender: {reason}", "add the key `by`", key=True)
        return sender

    def _check_creator(self, model: StepModel, creator: str, source: int, loc: Loc) -> None:
        """Refuse a source that is created by somebody else or a second time: it would be at another address."""
        if model.by not in {None, creator}:
            raise Fault(loc, f"only {creator} creates this source", "leave out the key `by`", key=True)
        if source in self._created:
            raise Fault(loc, "this source was created above", "a second attempt needs a source of its own", key=True)
        self._created.add(source)

    def _check_time(self, at: int, loc: Loc) -> None:
        if at > LATEST_STEP:
            raise Fault(loc, "this is after the year 9998", f"end at {write_time(LATEST_STEP)} at the latest")
        if at < self._start:
            raise Fault(loc, f"this is before the scenario begins, at {write_time(self._start)}")
        latest, self._latest = self._latest, at
        if at < latest:
            raise Fault(loc, f"this is before the step above it, at {write_time(latest)}", "sort steps by time")

    def _build_expectation(self, model: StepExpectModel, action: AnyAction, loc: Loc) -> StepExpectation:
        values: dict[str, Any] = {name: value for name, value in model if value is not None and name in NEEDS}
        for name in values:
            for part in NEEDS[name]:
                if not hasattr(action, part):
                    article = "an" if part[0] in "aeiou" else "a"
                    self._faults.note(Fault((*loc, name), f"`{name}` needs an action with {article} {part}", key=True))
                    break
        for name in sorted(IN_UNITS & values.keys()):
            values[name] = self._known.units(values[name], getattr(action, "token", UNKNOWN), (*loc, name))
        quotes = {
            self._known.feed(feed, (*loc, "quotes", feed), key=True): QuoteExpectation(
                quote.bid, quote.price, quote.ask, sum({Status[fault] for fault in quote.faults})
            )
            for feed, quote in model.quotes.items()
        }
        places = {name: self._document.place((*loc, name)) for name in (*values, "refused", "quotes")}
        return StepExpectation(model.refused, values, quotes, places)


def _build_end(
    model: EndModel, accounts: Mapping[str, AccountSpec], document: Document, faults: Faults
) -> EndExpectation:
    totals: dict[str, int | str] = {}
    for name in COUNT_TOTALS + MONEY_TOTALS:
        value: int | None = getattr(model, name)
        if value is not None:
            totals[name] = value if name in COUNT_TOTALS else decimal(value)
    found: dict[str, dict[str, int | str | bool]] = {}
    for name, account in model.accounts.items():
        if name not in accounts:
            faults.note(unknown(name, accounts, ("expect", "accounts", name), "account", key=True))
        found[name] = {key: value for key, value in account if value is not None}
    locs: list[Loc] = [(name,) for name in totals]
    locs += [("accounts", name) for name in found]
    locs += [("accounts", name, item) for name, items in found.items() for item in items]
    return EndExpectation(totals, found, {loc: document.place(("expect", *loc)) for loc in locs})
