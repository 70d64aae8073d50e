"""Scenarios: a parameter set, a price tape, accounts and timed actions, read from ``specs/scenarios/*.yaml``.

A scenario file is found by its path, or by its bare name in the folder ``specs/scenarios`` beside the package.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossmargin.errors import InputError
from crossmargin.fields import Fault, faults_of, texts_at, validate
from crossmargin.known import Known
from crossmargin.library import PARAMETERS, SCENARIOS, TAPES, exists, names_in
from crossmargin.messages import near
from crossmargin.parameters import ParameterSet, load_parameters, unknown
from crossmargin.quantities import LATEST_TIME, BadText, write_time
from crossmargin.scenario_file import AccountModel, EndModel, ScenarioModel, StepExpectModel, StepModel
from crossmargin.steps.base import ActionModel, AnyAction
from crossmargin.steps.feeds import push_to_action
from crossmargin.tape import ANSWER_DECIMALS, Tape, load_tape
from crossmargin.text import decimal
from crossmargin.yamltext import Loc, read_yaml
from oracle.feeds import SetRateFeed
from protocol.state import account_id

ROLES = ("admin", "guardian", "poster", "treasury", "deployer")
MONEY_TOTALS = ("bad_debt", "insurance_fund", "pool_value", "deficit")
COUNT_TOTALS = ("liquidations", "refusals")
# What the action of a step must name for a value to be about something. Shares are the sender's.
NEEDS = dict.fromkeys(("cash", "equity_raw", "equity_mm", "equity_im", "state"), ("account",)) | {
    "size": ("account", "market"),
    "cost": ("account", "market"),
    "liquidation_price": ("account", "market"),
    "bankruptcy_price": ("account", "market"),
    "max_long": ("account", "market"),
    "max_short": ("account", "market"),
    "units": ("account", "token"),
    "withdrawable": ("account", "token"),
    "shares": (),
}
IN_UNITS = {"units", "withdrawable"}  # values in units of the action's token

AddressOf = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class AccountSpec:
    """A margin account of a scenario. ``id`` is the protocol's: ``owner's address << 96 | sub``."""

    name: str
    owner: str
    sub: int
    story: str
    id: int


@dataclass(frozen=True, slots=True)
class StepExpectation:
    """What a step must lead to: one refusal or success, and values afterwards.

    Integers are at scale W, those of ``IN_UNITS`` in the token's units; ``state`` is the name of an account state.
    """

    refused: str | None
    values: Mapping[str, int | str]


@dataclass(frozen=True, slots=True)
class Step:
    """One action. ``account`` is the name of the account it is about, if it has one in the scenario."""

    at: int  # unix seconds
    line: int  # in the file
    sender: str
    action: AnyAction
    account: str | None
    expect: StepExpectation


@dataclass(frozen=True, slots=True)
class EndExpectation:
    """What must hold at the end.

    ``totals`` has counts as integers and money as decimal text with at least two decimals, as results print it;
    ``accounts`` has cash at scale W, the name of the state, and whether the account was ever liquidated.
    """

    totals: Mapping[str, int | str]
    accounts: Mapping[str, Mapping[str, int | str | bool]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything a run needs."""

    path: Path
    name: str
    title: str
    about: str
    params: ParameterSet
    tape: Tape | None
    start: int  # unix seconds
    insurance: int  # units of USDC
    accounts: Mapping[str, AccountSpec]
    keepers: tuple[str, ...]
    steps: tuple[Step, ...]
    expect: EndExpectation


SUCCESS = StepExpectation(None, {})


def load_scenario(path: Path, address_of: AddressOf, parameters: ParameterSet | None = None) -> Scenario:
    """Read a scenario and the files it names. Whatever is wrong with them is an ``InputError``.

    ``address_of`` gives an actor's address; ``parameters``, if given, stands in for the set the file names.
    """
    document = read_yaml(path)
    model = validate(document, ScenarioModel)
    with faults_of(document):
        params = parameters or load_parameters(_find(PARAMETERS.find, model.params, path, ("params",)))
        tape = _load_tape(model.tape, params, path) if model.tape is not None else None
        start = _find_start(model, tape)
        accounts = _build_accounts(model, address_of)
        known = Known(params, {name: account.id for name, account in accounts.items()}, address_of)
        builder = _StepBuilder(known, accounts, start)
        steps = [
            builder.build(step, ("steps", index), document.place(("steps", index)).line)
            for index, step in enumerate(model.steps)
        ]
        for index, keeper in enumerate(model.keepers):
            if keeper in model.keepers[:index]:
                raise Fault(("keepers", index), f"the keeper `{keeper}` stands here a second time")
        expect = _build_end(model.expect or EndModel(), accounts)
    return Scenario(
        path=path,
        name=path.stem,
        title=model.title,
        about=model.about,
        params=params,
        tape=tape,
        start=start,
        insurance=model.insurance,
        accounts=accounts,
        keepers=model.keepers,
        steps=tuple(steps),
        expect=expect,
    )


def actors(scenario: Scenario) -> tuple[str, ...]:
    """Everyone who may send a transaction, each once: the roles, then owners, keepers and senders as they appear."""
    owners = (account.owner for account in scenario.accounts.values())
    senders = (step.sender for step in scenario.steps)
    return tuple(dict.fromkeys((*ROLES, *owners, *scenario.keepers, *senders)))


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
    names = names_in(path, SCENARIOS.suffix)
    if not names:
        raise InputError(path, "no scenario is in this folder", remedy=f"scenarios end in {SCENARIOS.suffix}")
    return tuple(path / (name + SCENARIOS.suffix) for name in names)


def _find(find: Callable[[str, Path], Path], text: str, path: Path, loc: Loc) -> Path:
    with texts_at(loc):
        return find(text, path.parent)


def _load_tape(text: str, params: ParameterSet, path: Path) -> Tape:
    """The tape, if the parameter set has its feeds with the decimals that tapes have."""
    tape = load_tape(_find(TAPES.find, text, path, ("tape",)))
    specs = {feed.name: feed for feed in params.feeds}
    for feed in tape.feeds:
        if feed not in specs:
            message = f"the tape has rounds of `{feed}`, the parameter set `{params.name}` has no such feed"
            raise Fault(("tape",), message + near(feed, specs))
        if isinstance(specs[feed].action, SetRateFeed):
            message = f"the tape has rounds of `{feed}`, which is a product of two feeds in `{params.name}`"
            raise Fault(("tape",), message, "a tape has rounds of its rate and its underlying")
        decimals = specs[feed].decimals
        if decimals != ANSWER_DECIMALS:
            message = f"feed `{feed}` has {decimals} decimals in `{params.name}`, a tape has {ANSWER_DECIMALS}"
            raise Fault(("tape",), message)
    return tape


def _find_start(model: ScenarioModel, tape: Tape | None) -> int:
    if model.start is not None:
        return model.start
    if tape is None:
        raise Fault((), "the key `start` is missing", "without a tape, a scenario says when it begins")
    return tape.rounds[0].time


def _build_accounts(model: ScenarioModel, address_of: AddressOf) -> dict[str, AccountSpec]:
    accounts: dict[str, AccountSpec] = {}
    names: dict[tuple[str, int], str] = {}
    for name, account in model.accounts.items():
        owner = account.owner or name
        first = names.setdefault((owner, account.sub), name)
        if first != name:
            message = f"`{name}` is the same account as `{first}`: owner {owner}, sub {account.sub}"
            raise Fault(("accounts", name), message, "give it another sub", key=True)
        accounts[name] = _build_account(name, owner, account, address_of)
    return accounts


def _build_account(name: str, owner: str, account: AccountModel, address_of: AddressOf) -> AccountSpec:
    return AccountSpec(name, owner, account.sub, account.story, account_id(address_of(owner), account.sub))


class _StepBuilder:
    """Turns the steps of one file into records, in order."""

    def __init__(self, known: Known, accounts: Mapping[str, AccountSpec], start: int) -> None:
        self._known = known
        self._accounts = {account.id: account for account in accounts.values()}
        self._start = start
        self._latest = start

    def build(self, model: StepModel, loc: Loc, line: int) -> Step:
        """A step's record."""
        at = model.at.after(self._start)
        self._check_time(at, (*loc, "at"))
        shape, key = model.action, model.action_key
        if isinstance(shape, ActionModel):
            action = shape.to_action(self._known, (*loc, key))
            sender = shape.sender
        else:
            action = push_to_action(shape, self._known, (*loc, key))
            sender = "poster"
        account = self._accounts.get(getattr(action, "account", -1))
        if sender == "owner":
            sender = account.owner if account else ""
        sender = model.by or sender
        if not sender:
            is_owner = isinstance(shape, ActionModel) and shape.sender == "owner"
            reason = "the owner of this account is not known here" if is_owner else f"anyone may `{key}`"
            raise Fault((*loc, key), f"the step has no sender: {reason}", "add the key `by`", key=True)
        expect = self._build_expectation(model.expect, action, (*loc, "expect")) if model.expect else SUCCESS
        return Step(at, line, sender, action, account.name if account else None, expect)

    def _check_time(self, at: int, loc: Loc) -> None:
        if at > LATEST_TIME:
            raise Fault(loc, "this is after the year 9999")
        if at < self._start:
            raise Fault(loc, f"this is before the scenario begins, at {write_time(self._start)}")
        if at < self._latest:
            raise Fault(loc, f"this is before the step above it, at {write_time(self._latest)}", "sort steps by time")
        self._latest = at

    def _build_expectation(self, model: StepExpectModel, action: AnyAction, loc: Loc) -> StepExpectation:
        values: dict[str, Any] = {name: value for name, value in model if value is not None and name in NEEDS}
        for name in values:
            for part in NEEDS[name]:
                if not hasattr(action, part):
                    article = "an" if part[0] in "aeiou" else "a"
                    raise Fault((*loc, name), f"`{name}` needs an action with {article} {part}", key=True)
        for name in sorted(IN_UNITS & values.keys()):
            values[name] = self._known.units(values[name], getattr(action, "token", 0), (*loc, name))
        return StepExpectation(model.refused, values)


def _build_end(model: EndModel, accounts: Mapping[str, AccountSpec]) -> EndExpectation:
    totals: dict[str, int | str] = {}
    for name in COUNT_TOTALS + MONEY_TOTALS:
        value: int | None = getattr(model, name)
        if value is not None:
            totals[name] = value if name in COUNT_TOTALS else decimal(value)
    found: dict[str, dict[str, int | str | bool]] = {}
    for name, account in model.accounts.items():
        if name not in accounts:
            fault = unknown(name, accounts, ("expect", "accounts", name), "account")
            fault.key = True
            raise fault
        found[name] = {key: value for key, value in account if value is not None}
    return EndExpectation(totals, found)
