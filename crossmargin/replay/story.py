"""What the actions of a run add up to, kept while it goes on: prices, liquidations, who paid and who was paid."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from crossmargin.replay.contagion import Found
from crossmargin.replay.run import Done
from oracle.feeds import RoundPushed
from protocol.actions import (
    CancelOrder,
    ClaimRedemption,
    CloseAll,
    Deposit,
    DepositToPool,
    FundInsurance,
    SettleOrder,
    Trade,
    Transfer,
    Withdraw,
)
from protocol.collateral import compute_token_value
from protocol.events import AccountLiquidated, OrderSettled, OrderUpdated, PositionUpdated
from protocol.margin import compute_health
from protocol.state import USDC
from protocol.units import USDC_TO_W, Seconds, Units, Usd


@dataclass(frozen=True, slots=True)
class Liquidation:
    """One liquidation: its report, what it closed and sold, and the account value it left."""

    time: Seconds
    report: AccountLiquidated
    fills: tuple[PositionUpdated, ...]
    sold: tuple[tuple[int, Units], ...]  # token, units
    left: Usd


@dataclass
class Flow:
    """What went into an account and out of it, in dollars at the prices of the moment."""

    paid_in: Usd = 0
    taken_out: Usd = 0


@dataclass
class Fund:
    """Where the insurance fund's dollars came from and went."""

    start: Usd = 0
    fees: Usd = 0
    gifts: Usd = 0
    liquidations: Usd = 0  # penalties less rewards it had to pay
    bad_debt: Usd = 0


@dataclass
class Charges:
    """What traders were charged between themselves through the pool, and what they were given."""

    funding_paid: Usd = 0
    funding_received: Usd = 0
    impact_charged: Usd = 0
    impact_rebated: Usd = 0

    def take(self, fill: PositionUpdated) -> None:
        """Enter one fill."""
        self.funding_paid += max(fill.funding, 0)
        self.funding_received += max(-fill.funding, 0)
        self.impact_charged += max(fill.impact, 0)
        self.impact_rebated += max(-fill.impact, 0)


@dataclass
class Orders:
    """What became of committed orders, and what their keepers were paid."""

    committed: int = 0
    filled: int = 0
    refused: Counter[str] = field(default_factory=Counter)  # ended without their trade, by code
    cancelled: int = 0
    liquidated: int = 0  # ended because their account was liquidated
    fees: Usd = 0

    @property
    def pending(self) -> int:
        """How many have not ended."""
        return self.committed - self.filled - self.refused.total() - self.cancelled - self.liquidated

    def take(self, done: Done) -> None:
        """Enter one action."""
        action = done.planned.action
        for event in done.events:
            if isinstance(event, OrderSettled):
                self.fees += done.before.protocol.accounts[event.account].orders[event.market].fee
                self.filled += not event.code
                if event.code:
                    self.refused[event.code] += 1
            elif isinstance(event, OrderUpdated) and event.size_delta:
                self.committed += 1
            elif isinstance(event, OrderUpdated) and isinstance(action, CancelOrder):
                self.cancelled += 1
                self.fees += done.before.protocol.accounts[event.account].orders[event.market].cancel_fee
            elif isinstance(event, OrderUpdated) and not isinstance(action, SettleOrder):
                self.liquidated += 1


class Story:
    """A run so far. Refused actions count, and change nothing else."""

    def __init__(self) -> None:
        self.prices: dict[int, tuple[RoundPushed, RoundPushed, RoundPushed]] = {}  # by feed: first, lowest, last
        self.liquidations: list[Liquidation] = []
        self.flows: dict[int, Flow] = {}
        self.refusals: Counter[str] = Counter()
        self.fund = Fund()
        self.charges = Charges()
        self.orders = Orders()
        self.pool_paid_in: Usd = 0
        self.pool_paid_out: Usd = 0

    @property
    def liquidated(self) -> set[int]:
        """Accounts that were liquidated at least once."""
        return {found.report.account for found in self.liquidations}

    def take(self, done: Done) -> None:
        """Enter one action."""
        if done.code != "ok":
            self.refusals[done.code] += 1
            return
        for event in done.events:
            if isinstance(event, RoundPushed):
                first, lowest, _ = self.prices.get(event.feed, (event, event, event))
                self.prices[event.feed] = (first, min(lowest, event, key=lambda e: e.answer), event)
            elif isinstance(event, PositionUpdated):
                self.charges.take(event)
        self.liquidations += [collect_liquidation(link.found) for link in done.links]
        self.orders.take(done)
        self._take_flow(done)
        self._take_fund(done)

    def _take_flow(self, done: Done) -> None:
        match done.planned.action:
            case DepositToPool(units):
                self.pool_paid_in += units * USDC_TO_W
            case ClaimRedemption():
                held = (world.protocol.tokens[USDC].held for world in (done.before, done.world))
                self.pool_paid_out += (next(held) - next(held)) * USDC_TO_W
            case Deposit(account, token, units):
                self.flows.setdefault(account, Flow()).paid_in += compute_worth(done, token, units)
            case Withdraw(account, token, units):
                self.flows.setdefault(account, Flow()).taken_out += compute_worth(done, token, units)
            case Transfer(account, target, token, units):
                worth = compute_worth(done, token, units)
                self.flows.setdefault(account, Flow()).taken_out += worth
                self.flows.setdefault(target, Flow()).paid_in += worth

    def _take_fund(self, done: Done) -> None:
        fund = self.fund
        change = done.world.protocol.ledger.insurance - done.before.protocol.ledger.insurance
        if done.planned.kind == "setup":
            fund.start += change
        elif isinstance(done.planned.action, FundInsurance):
            fund.gifts += change
        elif isinstance(done.planned.action, Trade | CloseAll | SettleOrder):
            fund.fees += change
        else:
            covered = sum(event.bad_debt_insurance for event in done.events if isinstance(event, AccountLiquidated))
            fund.bad_debt += covered
            fund.liquidations += change + covered


def collect_liquidation(found: Found) -> Liquidation:
    """A liquidation from the states around it."""
    state = found.after.protocol
    before, after = (world.protocol.accounts[found.report.account] for world in (found.world, found.after))
    sold = ((token, units - after.collateral.get(token, 0)) for token, units in before.collateral.items())
    return Liquidation(
        time=found.time,
        report=found.report,
        fills=found.fills,
        sold=tuple((token, units) for token, units in sold if units),
        left=compute_health(state, after, found.after.env(found.time)).equity_raw,
    )


def compute_worth(done: Done, token: int, units: Units) -> Usd:
    """Market value of token units at the prices of an action."""
    if token == USDC:
        return units * USDC_TO_W
    params = done.world.protocol.collateral_params[token - 1]
    return compute_token_value(units, done.world.env(done.time).quote(params.feed).mid, params.decimals)
