"""A working copy of the state for one action: read, propose, then commit or drop.

Handlers change the draft only. A refusal drops it, so the caller's state is untouched; ``commit`` turns it
into a new ``State``. Proposing a record that the contract could not store refuses with sys/domain (UNIT-3).
"""

from __future__ import annotations

from collections.abc import Mapping

from protocol import errors
from protocol.events import (
    AccountFlagged,
    AccountUpdated,
    CollateralUpdated,
    EscrowUpdated,
    Event,
    LedgerUpdated,
    MarketUpdated,
    OrderUpdated,
    StakeUpdated,
    TokenUpdated,
    WindowUpdated,
)
from protocol.records import put_entry, record, replace_items
from protocol.state import NO_ORDER, NO_STAKE, Account, Ledger, Market, Order, Position, Stake, State, Token, Window
from protocol.units import (
    INDEX_LIMIT,
    RESERVED_LIMIT,
    SIGNED_LIMIT,
    SIZE_LIMIT,
    UNITS_LIMIT,
    UNSIGNED_LIMIT,
    Ratio,
    Seconds,
    Size,
    Units,
)
from protocol.window import compute_used


@record
class Outcome:
    """A state after an action, and what the action reports."""

    state: State
    events: tuple[Event, ...]


class DraftAccount:
    """An account being changed. Mappings keep ascending ids; they are replaced, never edited, so it may share them."""

    __slots__ = (
        "cash",
        "collateral",
        "flagged_at",
        "id",
        "isolated",
        "leverage_caps",
        "margin_called_at",
        "operator",
        "orders",
        "positions",
    )

    def __init__(self, account: int, before: Account | None) -> None:
        self.id = account
        if before is None:
            self.cash = self.flagged_at = self.margin_called_at = self.isolated = self.operator = 0
            self.collateral: Mapping[int, Units] = {}
            self.positions: Mapping[int, Position] = {}
            self.leverage_caps: Mapping[int, Ratio] = {}
            self.orders: Mapping[int, Order] = {}
        else:
            self.cash = before.cash
            self.collateral = before.collateral
            self.positions = before.positions
            self.leverage_caps = before.leverage_caps
            self.flagged_at = before.flagged_at
            self.margin_called_at = before.margin_called_at
            self.isolated = before.isolated
            self.operator = before.operator
            self.orders = before.orders

    def put_collateral(self, token: int, units: Units) -> None:
        """Set the units of one collateral; 0 removes it."""
        check_range(units, 0, UNITS_LIMIT)
        self.collateral = put_entry(self.collateral, token, units or None)

    def put_position(self, market: int, position: Position) -> None:
        """Set the position in one market; size 0 removes it."""
        check_range(position.size, 1 - SIZE_LIMIT, SIZE_LIMIT)
        check_range(position.cost, -SIGNED_LIMIT, SIGNED_LIMIT)
        self.positions = put_entry(self.positions, market, position if position.size else None)

    def put_leverage_cap(self, market: int, cap: int) -> None:
        """Set the owner's limit in one market; 0 removes it."""
        self.leverage_caps = put_entry(self.leverage_caps, market, cap or None)

    def freeze(self) -> Account:
        """The account as a record."""
        return Account(
            self.cash,
            self.collateral,
            self.positions,
            self.leverage_caps,
            self.flagged_at,
            self.margin_called_at,
            self.isolated,
            self.operator,
            self.orders,
        )


class DraftMarket:
    """A market's totals being changed; the fields are those of ``Market``."""

    __slots__ = (
        "accrued_at",
        "cost",
        "funding_index",
        "funding_limit",
        "funding_rate",
        "funding_velocity",
        "impact",
        "index_cost",
        "long_oi",
        "reserved",
        "short_oi",
    )

    def __init__(self, before: Market) -> None:
        self.long_oi = before.long_oi
        self.short_oi = before.short_oi
        self.cost = before.cost
        self.impact = before.impact
        self.reserved = before.reserved
        self.funding_index = before.funding_index
        self.funding_rate = before.funding_rate
        self.funding_velocity = before.funding_velocity
        self.funding_limit = before.funding_limit
        self.accrued_at = before.accrued_at
        self.index_cost = before.index_cost

    @property
    def skew(self) -> int:
        """Net size of all traders, + when they are long."""
        return self.long_oi - self.short_oi

    @property
    def larger_side(self) -> Size:
        """Open interest of the side that has more of it."""
        return self.long_oi if self.long_oi > self.short_oi else self.short_oi

    def check(self) -> None:
        """Refuse totals that the contract could not store (UNIT-3).

        Refuses: sys/domain.
        """
        check_range(self.long_oi, 0, UNSIGNED_LIMIT)
        check_range(self.short_oi, 0, UNSIGNED_LIMIT)
        check_range(self.cost, -SIGNED_LIMIT, SIGNED_LIMIT)
        check_range(self.impact, 0, SIGNED_LIMIT)
        check_range(self.reserved, 0, RESERVED_LIMIT)
        check_range(self.funding_index, -INDEX_LIMIT, INDEX_LIMIT)

    def freeze(self) -> Market:
        """The totals as a record."""
        return Market(
            self.long_oi,
            self.short_oi,
            self.cost,
            self.impact,
            self.reserved,
            self.funding_index,
            self.funding_rate,
            self.funding_velocity,
            self.funding_limit,
            self.accrued_at,
            self.index_cost,
        )


class Draft:
    """The records an action touches, over the state it started from."""

    __slots__ = (
        "_accounts",
        "_markets",
        "_stakes",
        "_tokens",
        "_windows",
        "base",
        "deficit",
        "escrow",
        "events",
        "insurance",
        "pool",
        "reserved",
        "share_supply",
        "trader_debt",
    )

    def __init__(self, state: State) -> None:
        ledger = state.ledger
        self.base = state
        self.pool = ledger.pool
        self.insurance = ledger.insurance
        self.deficit = ledger.deficit
        self.trader_debt = ledger.trader_debt
        self.share_supply = ledger.shares
        self.reserved = ledger.reserved
        self.escrow = state.escrow
        self.events: list[Event] = []
        self._accounts: dict[int, DraftAccount] = {}
        self._markets: dict[int, DraftMarket] = {}
        self._windows: dict[int, Window] = {}
        self._tokens: dict[int, Token] = {}
        self._stakes: dict[int, Stake] = {}

    def account(self, account: int) -> DraftAccount:
        """The working copy of an account; a new one if it is not registered."""
        draft = self._accounts.get(account)
        if draft is None:
            draft = self._accounts[account] = DraftAccount(account, self.base.accounts.get(account))
        return draft

    def market(self, market: int) -> Market | DraftMarket:
        """A market's totals as they stand in the draft, to read."""
        return self._markets.get(market) or self.base.markets[market]

    def open_market(self, market: int) -> DraftMarket:
        """The working copy of a market's totals; ``report_market`` follows in the same action."""
        draft = self._markets.get(market)
        if draft is None:
            draft = self._markets[market] = DraftMarket(self.base.markets[market])
        return draft

    def window(self, market: int) -> Window:
        """A market's liquidation window as it stands in the draft."""
        return self._windows.get(market) or self.base.windows[market]

    def token(self, token: int) -> Token:
        """A token's record as it stands in the draft."""
        return self._tokens.get(token) or self.base.tokens[token]

    def stake(self, owner: int) -> Stake:
        """An owner's pool shares as they stand in the draft."""
        stake: Stake = self._stakes.get(owner) or self.base.stakes.get(owner, NO_STAKE)
        return stake

    def put_window(self, market: int, window: Window) -> None:
        """Propose a market's liquidation window and report it."""
        check_range(window.closed, 0, UNSIGNED_LIMIT)
        self._windows[market] = window
        bucket = window.entries[-1][0]
        self.events.append(WindowUpdated(market, bucket, window.closed, compute_used(window, bucket)))

    def put_token(self, token: int, totals: Token) -> None:
        """Propose a token's record and report it."""
        check_range(totals.held, 0, UNSIGNED_LIMIT)
        check_range(totals.inventory, 0, UNSIGNED_LIMIT)
        self._tokens[token] = totals
        self.events.append(TokenUpdated(token, totals.held, totals.inventory))

    def put_stake(self, owner: int, stake: Stake) -> None:
        """Propose an owner's pool shares and report them."""
        check_range(stake.shares, 0, UNSIGNED_LIMIT)
        self._stakes[owner] = stake
        self.events.append(StakeUpdated(owner, stake.shares, stake.requested, stake.claimable_at))

    def put_order(self, account: DraftAccount, market: int, order: Order | None) -> None:
        """Propose an account's order in one market, none to end it, and report it; its fee enters or leaves escrow."""
        held = account.orders.get(market, NO_ORDER)
        account.orders = put_entry(account.orders, market, order)
        after = order or NO_ORDER
        self.escrow += after.fee - held.fee
        check_range(self.escrow, 0, UNSIGNED_LIMIT)
        self.events.append(
            OrderUpdated(
                account.id,
                market,
                after.size_delta,
                after.acceptable_price,
                after.fee,
                after.cancel_fee,
                after.feed,
                after.settles_from,
                after.expires_at,
            )
        )

    def report_escrow(self) -> None:
        """Report the fees of pending orders in their final form."""
        self.events.append(EscrowUpdated(self.escrow))

    def put_flag(self, account: DraftAccount, flagged_at: Seconds) -> None:
        """Propose when an account was flagged, 0 for not at all, and report it if it changes."""
        if account.flagged_at != flagged_at:
            account.flagged_at = flagged_at
            self.events.append(AccountFlagged(account.id, flagged_at))

    def report_account(self, account: DraftAccount) -> None:
        """Report an account balance in its final form."""
        self.events.append(AccountUpdated(account.id, account.cash))

    def report_collateral(self, account: DraftAccount, token: int) -> None:
        """Report an account's units of one collateral in their final form."""
        self.events.append(CollateralUpdated(account.id, token, account.collateral.get(token, 0)))

    def report_market(self, market: int) -> None:
        """Check a market's totals and report them in their final form.

        Refuses: sys/domain.
        """
        m = self._markets[market]
        m.check()
        self.events.append(
            MarketUpdated(
                market,
                m.long_oi,
                m.short_oi,
                m.cost,
                m.impact,
                m.reserved,
                m.funding_index,
                m.funding_rate,
                m.funding_velocity,
                m.funding_limit,
                m.accrued_at,
                m.index_cost,
            )
        )

    def report_ledger(self) -> None:
        """Report the protocol's own dollars in their final form."""
        self.events.append(
            LedgerUpdated(self.pool, self.insurance, self.deficit, self.trader_debt, self.share_supply, self.reserved)
        )

    def commit(self) -> Outcome:
        """The state after the action."""
        base = self.base
        accounts, stakes = base.accounts, base.stakes
        for account in self._accounts.values():
            accounts = accounts.put(account.id, account.freeze())
        for owner, stake in self._stakes.items():
            stakes = stakes.put(owner, stake)
        ledger = Ledger(self.pool, self.insurance, self.deficit, self.trader_debt, self.share_supply, self.reserved)
        # Spelled out: this runs once an action, and dataclasses.replace costs twice as much.
        state = State(
            base.roles,
            base.opening_paused,
            base.risk,
            base.risk_phase,
            base.market_params,
            base.market_phases,
            base.order_params,
            base.collateral_params,
            base.collateral_phases,
            accounts,
            replace_items(base.markets, {market: draft.freeze() for market, draft in self._markets.items()}),
            replace_items(base.windows, self._windows),
            replace_items(base.tokens, self._tokens),
            ledger,
            self.escrow,
            stakes,
        )
        return Outcome(state, tuple(self.events))


def check_range(value: int, low: int, high: int) -> None:
    """Refuse a number outside ``low <= value < high`` (UNIT-3).

    Refuses: sys/domain.
    """
    if not low <= value < high:
        raise errors.OutOfDomain(value=value)
