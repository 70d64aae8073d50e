"""The least capital that a book needs: in one cross account, and in one isolated account for each market."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from crossmargin.portfolio.book import ACCOUNT, Book
from protocol.actions import Trade
from protocol.env import Env
from protocol.errors import Refusal
from protocol.margin import compute_health, compute_required_equity
from protocol.records import Table
from protocol.state import Account, Position, State
from protocol.trading import NO_LIMIT, process_trade
from protocol.units import USDC_TO_W, Units, Usd, cdiv

RICH: Usd = 2**120  # enough to open anything that only margin would refuse


@dataclass(frozen=True, slots=True)
class Capital:
    """USDC units that a book needs in one account, and by market in isolated ones. They hold nothing but USDC."""

    cross: Units
    isolated: Mapping[int, Units]

    @property
    def total(self) -> Units:
        """All isolated accounts together."""
        return sum(self.isolated.values())


def compute_holding(book: Book, env: Env) -> Capital:
    """The least USDC with which no account could be liquidated at these prices (LIQ-4)."""
    account = book.account
    return Capital(
        hold(book.state, env, account, account.positions),
        {market: hold(book.state, env, account, {market: at}) for market, at in account.positions.items()},
    )


def compute_opening(book: Book) -> Capital | Refusal:
    """The least USDC with which the positions could be opened now, impact and fees paid, or why not (MRG-10)."""
    account = book.account
    markets = list(account.positions)
    try:
        return Capital(open_all(book, markets), {market: open_all(book, [market], isolated=True) for market in markets})
    except Refusal as refusal:
        return refusal


def hold(state: State, env: Env, account: Account, positions: Mapping[int, Position]) -> Units:
    """The least balance in USDC units that keeps positions at or above maintenance, rounded up."""
    health = compute_health(state, replace(account, cash=0, collateral={}, positions=positions), env)
    return max(cdiv(health.maintenance_margin - health.equity_mm, USDC_TO_W), 0)


def open_all(book: Book, markets: Sequence[int], *, isolated: bool = False) -> Units:
    """The least deposit in USDC units with which positions in markets can be opened one after another, rounded up.

    They are opened with more than enough; what is left above initial margin and equity tier was not needed.

    Refuses: what a trade is refused with for another reason than margin.
    """
    state = book.bare
    account = replace(state.accounts[ACCOUNT], cash=RICH, collateral={}, isolated=markets[0] + 1 if isolated else 0)
    state = replace(state, accounts=Table({ACCOUNT: account}), ledger=replace(state.ledger, trader_debt=0))
    for market in markets:
        size = book.account.positions[market].size
        state = process_trade(state, book.env, Trade(ACCOUNT, market, size, NO_LIMIT if size > 0 else 0)).state
    health = compute_health(state, state.accounts[ACCOUNT], book.env)
    required = compute_required_equity(state.risk.equity_tiers, health.gross_notional)
    return cdiv(RICH - (health.equity_im - max(health.initial_margin, required)), USDC_TO_W)
