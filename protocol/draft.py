"""A working copy of the state for one action: read, propose, then commit or drop.

Handlers change the draft only. A refusal drops it, so the caller's state is untouched; ``commit`` turns it
into a new ``State``. Proposing a record that the contract could not store refuses with sys/domain (UNIT-3).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from protocol import errors
from protocol.events import (
    AccountUpdated,
    CollateralUpdated,
    Event,
    LedgerUpdated,
    MarketUpdated,
    SharesUpdated,
    TokenUpdated,
)
from protocol.records import record
from protocol.state import Account, Ledger, Market, Position, State, Token
from protocol.units import SIGNED_LIMIT, SIZE_LIMIT, UNITS_LIMIT, UNSIGNED_LIMIT, Units

R = TypeVar("R")


@record
class Outcome:
    """A state after an action, and what the action reports."""

    state: State
    events: tuple[Event, ...]


class DraftAccount:
    """An account being changed. Mappings keep ascending ids."""

    __slots__ = ("cash", "collateral", "id", "positions")

    def __init__(self, account: int, before: Account | None) -> None:
        self.id = account
        self.cash = before.cash if before else 0
        self.collateral = dict(before.collateral) if before else {}
        self.positions = dict(before.positions) if before else {}

    def put_collateral(self, token: int, units: Units) -> None:
        """Set the units of one collateral; 0 removes it."""
        check_range(units, 0, UNITS_LIMIT)
        self.collateral = _with_entry(self.collateral, token, units or None)

    def put_position(self, market: int, position: Position) -> None:
        """Set the position in one market; size 0 removes it."""
        check_range(position.size, 1 - SIZE_LIMIT, SIZE_LIMIT)
        check_range(position.cost, -SIGNED_LIMIT, SIGNED_LIMIT)
        self.positions = _with_entry(self.positions, market, position if position.size else None)


class Draft:
    """The records an action touches, over the state it started from."""

    def __init__(self, state: State) -> None:
        self.base = state
        self.pool = state.ledger.pool
        self.insurance = state.ledger.insurance
        self.deficit = state.ledger.deficit
        self.trader_debt = state.ledger.trader_debt
        self.share_supply = state.ledger.shares
        self.events: list[Event] = []
        self._accounts: dict[int, DraftAccount] = {}
        self._markets: dict[int, Market] = {}
        self._tokens: dict[int, Token] = {}
        self._shares: dict[int, int] = {}

    def account(self, account: int) -> DraftAccount:
        """The working copy of an account; a new one if it is not registered."""
        draft = self._accounts.get(account)
        if draft is None:
            draft = self._accounts[account] = DraftAccount(account, self.base.accounts.get(account))
        return draft

    def market(self, market: int) -> Market:
        """A market's totals as they stand in the draft."""
        return self._markets.get(market) or self.base.markets[market]

    def token(self, token: int) -> Token:
        """A token's record as it stands in the draft."""
        return self._tokens.get(token) or self.base.tokens[token]

    def shares_of(self, owner: int) -> int:
        """An owner's pool shares as they stand in the draft."""
        shares: int = self._shares.get(owner, self.base.shares.get(owner, 0))
        return shares

    def put_market(self, market: int, totals: Market) -> None:
        """Propose a market's totals and report them."""
        check_range(totals.long_oi, 0, UNSIGNED_LIMIT)
        check_range(totals.short_oi, 0, UNSIGNED_LIMIT)
        check_range(totals.cost, -SIGNED_LIMIT, SIGNED_LIMIT)
        self._markets[market] = totals
        self.events.append(MarketUpdated(market, totals.long_oi, totals.short_oi, totals.cost))

    def put_token(self, token: int, totals: Token) -> None:
        """Propose a token's record and report it."""
        check_range(totals.held, 0, UNSIGNED_LIMIT)
        check_range(totals.inventory, 0, UNSIGNED_LIMIT)
        self._tokens[token] = totals
        self.events.append(TokenUpdated(token, totals.held, totals.inventory))

    def put_shares(self, owner: int, shares: int) -> None:
        """Propose an owner's pool shares and report them."""
        check_range(shares, 0, UNSIGNED_LIMIT)
        self._shares[owner] = shares
        self.events.append(SharesUpdated(owner, shares))

    def report_account(self, account: DraftAccount) -> None:
        """Report an account balance in its final form."""
        self.events.append(AccountUpdated(account.id, account.cash))

    def report_collateral(self, account: DraftAccount, token: int) -> None:
        """Report an account's units of one collateral in their final form."""
        self.events.append(CollateralUpdated(account.id, token, account.collateral.get(token, 0)))

    def report_ledger(self) -> None:
        """Report the protocol's own dollars in their final form."""
        self.events.append(LedgerUpdated(self.pool, self.insurance, self.deficit, self.trader_debt, self.share_supply))

    def commit(self) -> Outcome:
        """The state after the action."""
        base = self.base
        accounts, shares = base.accounts, base.shares
        for account in self._accounts.values():
            accounts = accounts.put(account.id, Account(account.cash, account.collateral, account.positions))
        for owner, amount in self._shares.items():
            shares = shares.put(owner, amount)
        state = replace(
            base,
            accounts=accounts,
            shares=shares,
            markets=_replaced(base.markets, self._markets),
            tokens=_replaced(base.tokens, self._tokens),
            ledger=Ledger(self.pool, self.insurance, self.deficit, self.trader_debt, self.share_supply),
        )
        return Outcome(state, tuple(self.events))


def check_range(value: int, low: int, high: int) -> None:
    """Refuse a number outside ``low <= value < high`` (UNIT-3).

    Refuses: sys/domain.
    """
    if not low <= value < high:
        raise errors.OutOfDomain(value=value)


def _replaced(records: tuple[R, ...], changed: dict[int, R]) -> tuple[R, ...]:
    if not changed:
        return records
    return tuple(changed.get(index, item) for index, item in enumerate(records))


def _with_entry(entries: dict[int, R], key: int, value: R | None) -> dict[int, R]:
    """``entries`` with one entry set, or removed for ``None``, in ascending order of keys."""
    if value is None:
        return {k: v for k, v in entries.items() if k != key}
    if key in entries:
        return {**entries, key: value}
    return dict(sorted({**entries, key: value}.items()))
