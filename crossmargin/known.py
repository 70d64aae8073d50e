"""What the names in a scenario stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crossmargin.fields import ACTOR_NAME, texts_at
from crossmargin.parameters import ParameterSet, resolve, unknown
from crossmargin.quantities import read_decimal, read_integer
from crossmargin.yamltext import Loc

ADDRESS_LIMIT = 2**160


@dataclass(frozen=True, slots=True)
class Known:
    """What names stand for: the parameter set's feeds, tokens and markets, the scenario's accounts by id, and actors.

    Of a token or feed that the set does not have, decimals are unknown and numbers are taken in its smallest unit.
    """

    params: ParameterSet
    accounts: Mapping[str, int]
    address_of: Callable[[str], int]

    def actor(self, text: str, loc: Loc) -> int:
        """An actor's address; any name of an actor's form is one, and a number is an address."""
        with texts_at(loc):
            if text[0].isdigit():
                return read_integer(text, ADDRESS_LIMIT)
            return self.address_of(ACTOR_NAME.read(text))

    def account(self, text: str, loc: Loc) -> int:
        """An account's id."""
        if text[0].isdigit():
            return _raw(text, loc)
        if text not in self.accounts:
            raise unknown(text, self.accounts, loc, "account")
        return self.accounts[text]

    def feed(self, text: str, loc: Loc) -> int:
        """A feed's id."""
        return _raw_or_named(text, self.params.feeds, loc, "feed")

    def token(self, text: str, loc: Loc) -> int:
        """A token's id."""
        return _raw_or_named(text, self.params.tokens, loc, "token")

    def market(self, text: str, loc: Loc) -> int:
        """A market's id."""
        return _raw_or_named(text, self.params.markets, loc, "market")

    def units(self, text: str, token: int, loc: Loc) -> int:
        """An amount of a token in its units."""
        spec = self.params.tokens[token] if token < len(self.params.tokens) else None
        with texts_at(loc):
            return read_decimal(text, self.token_decimals(token), holder=spec.name if spec else "")

    def answer(self, text: str, feed: int, loc: Loc) -> int:
        """A price as a feed's answer."""
        spec = self.params.feeds[feed] if feed < len(self.params.feeds) else None
        with texts_at(loc):
            holder = f"feed {spec.name}" if spec else ""
            return read_decimal(text, self.feed_decimals(feed), signed=True, holder=holder)

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

    def token_text(self, token: int) -> str:
        """How to write a token."""
        return self.params.tokens[token].name if token < len(self.params.tokens) else str(token)

    def market_text(self, market: int) -> str:
        """How to write a market."""
        return self.params.markets[market].name if market < len(self.params.markets) else str(market)


def _raw(text: str, loc: Loc) -> int:
    with texts_at(loc):
        return read_integer(text)


def _raw_or_named(text: str, specs: Sequence[Any], loc: Loc, what: str) -> int:
    return _raw(text, loc) if text[0].isdigit() else resolve(text, [spec.name for spec in specs], loc, what)
