"""A trader's own account as the trader reckons it, by the protocol's functions."""

from __future__ import annotations

from dataclasses import dataclass, field

from protocol.account_state import AccountState, compute_account_state
from protocol.env import Env
from protocol.fills import charge_fee, compute_fill
from protocol.margin import compute_health, compute_notional
from protocol.state import NO_POSITION, USDC, Position, State
from protocol.units import USDC_TO_W, Price, Ratio, Size, Units, Usd


@dataclass
class Book:
    """What one account holds, without what others do to it: no impact, funding or liquidation, every fee a taker's."""

    cash: Usd = 0
    collateral: dict[int, Units] = field(default_factory=dict)
    positions: dict[int, Position] = field(default_factory=dict)
    leverage_caps: dict[int, Ratio] = field(default_factory=dict)

    def deposit(self, token: int, units: Units) -> None:
        """Enter tokens."""
        if token == USDC:
            self.cash += units * USDC_TO_W
        else:
            self.collateral[token] = self.collateral.get(token, 0) + units

    def fill(self, state: State, market: int, size_delta: Size, price: Price) -> None:
        """Enter a fill at the oracle price that opens, grows or shrinks a position. Positions stay in order of id."""
        before = self.positions.get(market, NO_POSITION)
        after, profit = compute_fill(before, size_delta, price, 0)
        self.cash += profit - charge_fee(abs(size_delta), price, state.market_params[market].taker_fee)
        rest = {other: held for other, held in self.positions.items() if other != market}
        if after.size:
            rest[market] = after
        self.positions = dict(sorted(rest.items()))

    def stand(self, state: State, env: Env) -> AccountState:
        """Where the account stands at the prices of ``env``."""
        return compute_account_state(state.risk, compute_health(state, self, env))

    def is_small(self, state: State, env: Env) -> bool:
        """Whether a position is worth less than the least that may stay open."""
        for market, position in self.positions.items():
            params = state.market_params[market]
            if compute_notional(position.size, env.quote(params.feed).mid) < params.min_notional:
                return True
        return False
