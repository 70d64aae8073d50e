"""What the names in a scenario stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Any

from crossmargin.faults import Fault, texts_at
from crossmargin.fields import ACTOR_NAME
from crossmargin.messages import shown
from crossmargin.moments import When
from crossmargin.names import resolve, unknown
from crossmargin.parameters import ParameterSet
from crossmargin.quantities import read_decimal, read_integer
from crossmargin.source_set import SourceSpec
from crossmargin.yamltext import Loc
from oracle.sources import Follower

ADDRESS_LIMIT = 2**160
UNKNOWN = -1  # what a wrong name or number stands for once it is noted


@dataclass(frozen=True, slots=True)
class Known:
    """What names stand for: those of the parameter set, the scenario's accounts by id, and actors.

    Of a token or feed that the set does not have, decimals are unknown and numbers are taken in its smallest unit.
    What is wrong with a name or number is raised, or given to ``note`` if there is one; it then stands for ``UNKNOWN``.
    """

    params: ParameterSet
    accounts: Mapping[str, int]
    address_of: Callable[[str], int]
    note: Callable[[Fault], None] | None = None
    start: int = 0  # of the scenario, in unix seconds
    now: int = 0  # of the step

    def actor(self, text: str, loc: Loc) -> int:
        """An actor's address; any name of an actor's form is one, and a number is an address."""
        return self._noted(self._actor, text, loc)

    def account(self, text: str, loc: Loc) -> int:
        """An account's id."""
        return self._noted(self._account, text, loc)

    def feed(self, text: str, loc: Loc, *, key: bool = False) -> int:
        """A feed's id; ``key`` says that the name stands where a key does."""
        return self._noted(_raw_or_named, text, loc, self.params.feeds, "feed", key)

    def node(self, text: str, loc: Loc) -> bytes:
        """A node's id."""
        number = self._noted(self._node, text, loc)
        return bytes(32) if number == UNKNOWN else number.to_bytes(32, "big")

    def source(self, text: str, kind: type | UnionType, loc: Loc) -> SourceSpec:
        """A source whose plan is of a kind."""
        place = resolve(text, [spec.name for spec in self.params.sources], loc, "source")
        spec = self.params.sources[place]
        plan = spec.plan.state if isinstance(spec.plan, Follower) else spec.plan
        if not isinstance(plan, kind):
            raise Fault(loc, f"{shown(text)} is another kind of source", "name one that has this action")
        return spec

    def time(self, when: When | None) -> int:
        """Unix seconds of a time that an action says; by default, of its step."""
        return self.now if when is None else when.after(self.start)

    def check_graph(self, loc: Loc) -> None:
        """Refuse an action of the graph where a deployment of the parameter set has none."""
        if not self.params.has_graph:
            message = f"the parameter set `{self.params.name}` has no nodes, so that no graph is deployed with it"
            raise Fault(loc, message, "use a set that has some, as `guarded`", key=True)

    def token(self, text: str, loc: Loc) -> int:
        """A token's id."""
        return self._noted(_raw_or_named, text, loc, self.params.tokens, "token")

    def market(self, text: str, loc: Loc) -> int:
        """A market's id."""
        return self._noted(_raw_or_named, text, loc, self.params.markets, "market")

    def units(self, text: str, token: int, loc: Loc) -> int:
        """An amount of a token in its units."""
        if token == UNKNOWN:
            return UNKNOWN
        spec = self.params.tokens[token] if token < len(self.params.tokens) else None
        return self._noted(_number, text, loc, self.token_decimals(token), spec.name if spec else "")

    def answer(self, text: str, feed: int, loc: Loc) -> int:
        """A price as a feed's answer."""
        if feed == UNKNOWN:
            return UNKNOWN
        spec = self.params.feeds[feed] if feed < len(self.params.feeds) else None
        holder = f"feed {spec.name}" if spec else ""
        return self._noted(_number, text, loc, self.feed_decimals(feed), holder, True)

    def _noted(self, read: Callable[..., int], text: str, loc: Loc, *more: Any) -> int:
        try:
            return read(text, loc, *more)
        except Fault as fault:
            if self.note is None:
                raise
            self.note(fault)
            return UNKNOWN

    def _actor(self, text: str, loc: Loc) -> int:
        with texts_at(loc):
            if text[0].isdigit():
                return read_integer(text, ADDRESS_LIMIT)
            return self.address_of(ACTOR_NAME.read(text))

    def _account(self, text: str, loc: Loc) -> int:
        if text[0].isdigit():
            return _raw(text, loc)
        if text not in self.accounts:
            raise unknown(text, self.accounts, loc, "account")
        return self.accounts[text]

    def _node(self, text: str, loc: Loc) -> int:
        if text[0].isdigit():
            return _raw(text, loc)
        place = resolve(text, [spec.name for spec in self.params.nodes], loc, "node")
        return int.from_bytes(self.params.nodes[place].id, "big")

    def token_decimals(self, token: int) -> int:
        """Decimals of a token's units; 0 for a token unknown here."""
        return self.params.tokens[token].decimals if token < len(self.params.tokens) else 0

    def feed_decimals(self, feed: int) -> int:
        """Decimals of a feed's answers; 0 for a feed unknown here."""
        return self.params.feeds[feed].decimals if feed < len(self.params.feeds) else 0

    def account_text(self, account: int) -> str:
        """How to write an account: its name, or its id."""
        return next((name for name, known in self.accounts.items() if known == account), hex(account))

    def feed_text(self, feed: int) -> str:
        """How to write a feed."""
        return self.params.feeds[feed].name if feed < len(self.params.feeds) else str(feed)

    def node_text(self, node: bytes) -> str:
        """How to write a node: its name, or its id."""
        return next((spec.name for spec in self.params.nodes if spec.id == node), "0x" + node.hex())

    def source_text(self, source: int) -> str:
        """How to write a source."""
        return next(spec.name for spec in self.params.sources if spec.address == source)

    def token_text(self, token: int) -> str:
        """How to write a token."""
        return self.params.tokens[token].name if token < len(self.params.tokens) else str(token)

    def market_text(self, market: int) -> str:
        """How to write a market."""
        return self.params.markets[market].name if market < len(self.params.markets) else str(market)


def _raw(text: str, loc: Loc, key: bool = False) -> int:
    with texts_at(loc, key=key):
        return read_integer(text)


def _raw_or_named(text: str, loc: Loc, specs: Sequence[Any], what: str, key: bool = False) -> int:
    if text[0].isdigit():
        return _raw(text, loc, key)
    return resolve(text, [spec.name for spec in specs], loc, what, key=key)


def _number(text: str, loc: Loc, decimals: int, holder: str, signed: bool = False) -> int:
    with texts_at(loc):
        return read_decimal(text, decimals, signed=signed, holder=holder)
