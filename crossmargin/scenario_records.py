"""What a scenario is once it is read: accounts, timed actions, and what is expected of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from crossmargin.parameters import ParameterSet
from crossmargin.population.members import Member, Population
from crossmargin.price_response import ResponseSpec
from crossmargin.steps.base import AnyAction
from crossmargin.tape import Tape
from crossmargin.textfile import Place
from crossmargin.yamltext import Loc

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


@dataclass(frozen=True, slots=True)
class AccountSpec:
    """A margin account of a scenario. ``id`` is the protocol's: ``owner's address << 96 | sub``."""

    name: str
    owner: str
    sub: int
    story: str
    id: int


@dataclass(frozen=True, slots=True)
class QuoteExpectation:
    """What a feed must say: bid, mid and ask at scale W, None for any, and its status."""

    bid: int | None
    price: int | None
    ask: int | None
    status: int


@dataclass(frozen=True, slots=True)
class StepExpectation:
    """What a step must lead to: one refusal or success, and values afterwards.

    Integers are at scale W, those of ``IN_UNITS`` in the token's units; ``state`` is the name of an account state.
    ``quotes`` are by feed id. With ``may_refuse`` the step may also be refused, with any code.
    """

    refused: str | None
    values: Mapping[str, int | str]
    quotes: Mapping[int, QuoteExpectation] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict, compare=False)  # of the values, and of ``refused``
    may_refuse: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One action. ``account`` is the name of the account it is about, if it has one in the scenario."""

    at: int  # unix seconds
    line: int  # in the file
    sender: str
    action: AnyAction
    account: str | None
    expect: StepExpectation
    column: int = 0


@dataclass(frozen=True, slots=True)
class EndExpectation:
    """What must hold at the end.

    ``totals`` has counts as integers and money as decimal text with at least two decimals, as results print it;
    ``accounts`` has cash at scale W, the name of the state, and whether the account was ever liquidated.
    """

    totals: Mapping[str, int | str]
    accounts: Mapping[str, Mapping[str, int | str | bool]]
    places: Mapping[Loc, Place] = field(default_factory=dict, compare=False)  # by the way to them from ``expect``


@dataclass(frozen=True, slots=True)
class KeeperSpec:
    """Who settles orders and liquidates after rounds, and what holds it up; without more than a name, nothing does."""

    name: str
    latency: int = 0  # seconds after a round in which the keeper does not see it
    capacity: int | None = None  # orders and accounts that it takes after one round; None for all it finds
    downtime: tuple[tuple[int, int], ...] = ()  # unix seconds: from, and until, which is excluded

    def is_down(self, now: int) -> bool:
        """Whether it does nothing at a time."""
        return any(begin <= now < end for begin, end in self.downtime)


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything a run needs."""

    path: Path
    digest: str  # of the file's bytes, in SHA-256
    name: str
    title: str
    about: str
    params: ParameterSet
    tape: Tape | None
    drives: Mapping[str, tuple[str, ...]]  # pushed feeds by column of the tape
    start: int  # unix seconds
    insurance: int  # units of USDC
    accounts: Mapping[str, AccountSpec]
    keepers: tuple[KeeperSpec, ...]
    steps: tuple[Step, ...]  # by time, those of the population among them
    expect: EndExpectation
    population: Population | None = None
    response: ResponseSpec | None = None  # of prices to liquidations
    changes: tuple[str, ...] = ()  # by which it is no longer what its file tells; its expectations do not apply then

    @property
    def members(self) -> tuple[Member, ...]:
        """The traders of its population, if it has one."""
        return self.population.members if self.population else ()


SUCCESS = StepExpectation(None, {})
ANY_OUTCOME = StepExpectation(None, {}, may_refuse=True)
