"""A run as a page a person reads: prices, liquidations, the cast, who paid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from contracts_py.keys import address_of
from crossmargin.replay.expectations import Missed
from crossmargin.replay.result import compute_pool_value
from crossmargin.replay.run import Done, Replay
from crossmargin.text import day_and_time, decimal, dollars, moment
from oracle.feeds import RoundPushed
from protocol.actions import Deposit, DepositToPool, FundInsurance, Trade, Withdraw
from protocol.collateral import compute_token_value
from protocol.events import AccountLiquidated, CollateralUpdated, PositionUpdated
from protocol.account_state import AccountState, compute_account_state
from protocol.margin import compute_health
from protocol.state import USDC, owner_of
from protocol.units import USDC_TO_W

WIDTH = 118
FATES = "BANKRUPT: account value below 0. BACKSTOP: far below maintenance. LIQUIDATABLE: below maintenance."


@dataclass
class Flow:
    """What went into an account and out of it, in dollars at the prices of the moment, and its liquidations."""

    paid_in: int = 0
    taken_out: int = 0
    liquidated_at: tuple[int, ...] = ()


@dataclass
class Fund:
    """Where the insurance fund's dollars came from and went."""

    start: int = 0
    fees: int = 0
    gifts: int = 0
    liquidations: int = 0  # penalties less rewards it had to pay
    bad_debt: int = 0


class Summary:
    """Collects what the page needs while a run goes on."""

    def __init__(self, replay: Replay, backend: str) -> None:
        self._replay = replay
        self._backend = backend
        scenario = replay.scenario
        self._accounts = {spec.id: name for name, spec in scenario.accounts.items()}
        self._widest = 2 + max(len(name) for name in (*scenario.accounts, "account"))
        self._keepers = {address_of(name): name for name in scenario.keepers}
        self._prices: dict[int, tuple[RoundPushed, RoundPushed, RoundPushed]] = {}  # first, lowest, last
        self._liquidations: list[str] = []
        self._flows: dict[int, Flow] = {}
        self._earned: Counter[int] = Counter()
        self._done: Counter[int] = Counter()
        self._refusals: Counter[str] = Counter()
        self._fund = Fund()
        self._pool_paid_in = 0
        self._lost = [0, 0, 0]  # bad debt in all, covered by insurance, covered by the pool
        self._insurance = 0

    def take(self, done: Done) -> None:
        """Enter one action."""
        if done.code != "ok":
            self._refusals[done.code] += 1
        for event in done.events:
            if isinstance(event, RoundPushed):
                first, lowest, _ = self._prices.get(event.feed, (event, event, event))
                self._prices[event.feed] = (first, min(lowest, event, key=lambda e: e.answer), event)
            elif isinstance(event, AccountLiquidated):
                self._take_liquidation(done, event)
        if done.code == "ok":
            self._take_flow(done)
            self._take_fund(done)

    def liquidated(self) -> set[int]:
        """Accounts that were liquidated at least once."""
        return {account for account, flow in self._flows.items() if flow.liquidated_at}

    def render(self, last: Done, result: dict[str, Any], missed: Sequence[Missed]) -> str:
        """The page."""
        scenario = self._replay.scenario
        engine = result["engine"] + (f" on {self._backend}" if self._replay.chain else "")
        lines = [
            scenario.title,
            f"{day_and_time(scenario.start)} to {day_and_time(last.time)} UTC, engine {engine}",
            "",
            *wrap(scenario.about, WIDTH),
            *([""] if scenario.about else []),
            *self._tell_prices(),
            "",
            *self._tell_liquidations(),
            *self._tell_cast(last),
            *self._tell_payers(),
            *self._tell_keepers(),
            "",
            *self._tell_checks(result, missed),
        ]
        return "\n".join(line.rstrip() for line in lines) + "\n"

    def _take_liquidation(self, done: Done, event: AccountLiquidated) -> None:
        flow = self._flows.setdefault(event.account, Flow())
        flow.liquidated_at = (*flow.liquidated_at, done.time)
        self._liquidations.append(self._tell_liquidation(done, event))
        self._earned[owner_of(event.keeper)] += event.reward
        self._done[owner_of(event.keeper)] += 1
        covered = (event.bad_debt, event.bad_debt_insurance, event.bad_debt_pool)
        self._lost = [total + part for total, part in zip(self._lost, covered, strict=True)]

    def _take_flow(self, done: Done) -> None:
        action = done.planned.action
        if isinstance(action, DepositToPool):
            self._pool_paid_in += action.units * USDC_TO_W
        if isinstance(action, Deposit | Withdraw):
            flow = self._flows.setdefault(action.account, Flow())
            value = self._worth(done, action.token, action.units)
            if isinstance(action, Deposit):
                flow.paid_in += value
            else:
                flow.taken_out += value

    def _take_fund(self, done: Done) -> None:
        fund = self._fund
        change = done.world.protocol.ledger.insurance - self._insurance
        self._insurance += change
        if done.planned.kind == "setup":
            fund.start += change
        elif isinstance(done.planned.action, FundInsurance):
            fund.gifts += change
        elif isinstance(done.planned.action, Trade):
            fund.fees += change
        else:
            covered = sum(e.bad_debt_insurance for e in done.events if isinstance(e, AccountLiquidated))
            fund.bad_debt += covered
            fund.liquidations += change + covered

    def _tell_prices(self) -> Iterator[str]:
        yield f"{'Prices':<8}{'first':>14}{'lowest':>14}   {'at':<16}{'last':>14}"
        for feed, rounds in sorted(self._prices.items()):
            spec = self._replay.scenario.params.feeds[feed]
            first, lowest, last = (decimal(e.answer, spec.decimals, grouped=True) for e in rounds)
            yield f"  {spec.name:<6}{first:>14}{lowest:>14}   {moment(rounds[1].updated_at):<16}{last:>14}"

    def _tell_liquidations(self) -> Iterator[str]:
        accounts = len(self.liquidated())
        if not self._liquidations:
            yield "Liquidations: none"
            yield ""
            return
        yield f"Liquidations: {len(self._liquidations)}, of {accounts} accounts. {FATES}"
        yield (
            f"  {'time':<17}{'account':<{self._widest}}{'state':<14}{'equity_mm':>11} < {'margin':>11}"
            f"{'reward':>9}{'penalty':>11}{'owner keeps':>12}{'bad debt':>10}  closed"
        )
        yield from self._liquidations
        yield ""

    def _tell_liquidation(self, done: Done, event: AccountLiquidated) -> str:
        kept = dollars(self._value(done, event.account))
        bad_debt = dollars(event.bad_debt) if event.bad_debt else "-"
        return (
            f"  {moment(done.time):<17}{self._name(event.account):<{self._widest}}"
            f"{AccountState(event.account_state).name:<14}"
            f"{dollars(event.equity_mm):>11} < {dollars(event.maintenance_margin):>11}"
            f"{dollars(event.reward):>9}{dollars(event.penalty):>11}{kept:>12}{bad_debt:>10}"
            f"  {'; '.join(self._tell_closed(done, event))}"
        )

    def _tell_closed(self, done: Done, liquidated: AccountLiquidated) -> Iterator[str]:
        params = self._replay.scenario.params
        before = self._replay.previous.protocol.accounts[liquidated.account].collateral
        for event in done.events:
            if isinstance(event, PositionUpdated):
                side = "short" if event.size_delta > 0 else "long"
                size = decimal(abs(event.size_delta), places=0)
                yield f"{side} {size} {params.markets[event.market].name} at {decimal(event.price, grouped=True)}"
            elif isinstance(event, CollateralUpdated):
                spec = params.tokens[event.token]
                sold = before[event.token] - event.units
                # Four decimals, cut: the event has every digit.
                yield f"sold {decimal(sold * 10**4 // 10**spec.decimals, 4)} {spec.name} of its collateral"
        if not liquidated.closed_notional:
            yield "settled its debt"

    def _tell_cast(self, last: Done) -> Iterator[str]:
        told = [(key, name) for key, name in self._accounts.items() if self._replay.scenario.accounts[name].story]
        if not told:
            return
        yield "The cast (dollars paid in and taken out, collateral at the prices of the moment)"
        for key, name in told:
            story = self._replay.scenario.accounts[name].story
            yield from wrap(f"{name}: {story}", WIDTH, initial_indent="  ", subsequent_indent="    ")
            yield f"    -> {self._tell_fate(last, key)}"
        yield ""

    def _tell_fate(self, last: Done, account: int) -> str:
        state = last.world.protocol
        if account not in state.accounts:
            return "never opened an account"
        flow = self._flows.get(account, Flow())
        health = compute_health(state, state.accounts[account], last.world.env(last.time))
        result = health.equity_raw + flow.taken_out - flow.paid_in
        times = ", ".join(moment(time) for time in flow.liquidated_at)
        return (
            f"{f'liquidated {times}' if times else 'never liquidated'}; paid in {dollars(flow.paid_in)}, took out "
            f"{dollars(flow.taken_out)}, left {dollars(health.equity_raw)} "
            f"({compute_account_state(state.risk, health).name}): {dollars(result, signed=True)}"
        )

    def _tell_payers(self) -> Iterator[str]:
        fund = self._fund
        yield "Who paid"
        yield from _table(
            "insurance fund",
            (
                ("at the start", dollars(fund.start)),
                ("gifts", dollars(fund.gifts, signed=True)),
                ("its share of trading fees", dollars(fund.fees, signed=True)),
                ("penalties less rewards that accounts could not pay", dollars(fund.liquidations, signed=True)),
                ("bad debt", dollars(-fund.bad_debt, signed=True)),
                ("at the end", dollars(self._insurance)),
            ),
        )
        worth = compute_pool_value(self._replay)
        yield from _table(
            "pool",
            (
                ("paid in by providers", dollars(self._pool_paid_in)),
                ("traders' losses, fees and penalties", dollars(worth - self._pool_paid_in, signed=True)),
                ("worth at the end", dollars(worth)),
            ),
        )
        total, insurance, pool = self._lost
        yield (
            f"  bad debt {dollars(total)}: insurance {dollars(insurance)}, pool {dollars(pool)}, "
            f"deficit {dollars(total - insurance - pool)}"
        )

    def _tell_keepers(self) -> Iterator[str]:
        for owner, name in self._keepers.items():
            yield f"  keeper {name}: {self._done[owner]} liquidations, rewards {dollars(self._earned[owner])}"

    def _tell_checks(self, result: dict[str, Any], missed: Sequence[Missed]) -> Iterator[str]:
        yield "Checks"
        yield (
            f"  {result['rounds']} rounds, {result['actions']} actions ({result['refusals']} refused), "
            f"{result['liquidations']} liquidations"
        )
        if self._refusals:
            refused = ", ".join(f"{count} {code}" for code, count in sorted(self._refusals.items()))
            yield from wrap(f"refused: {refused}", WIDTH, initial_indent="  ", subsequent_indent="    ")
        yield "  money identities held after every action"
        if result["engine"] == "lockstep":
            yield f"  {result['divergences']} divergences between model and contracts"
        yield f"  {len(missed)} expectations missed" if missed else "  all expectations of the scenario met"
        for miss in missed:
            yield f"    {miss}"
        yield f"  state digest {result['state_digest']}"

    def _name(self, account: int) -> str:
        known = self._accounts.get(account) or self._keepers.get(owner_of(account))
        return known or f"account {account}"

    def _value(self, done: Done, account: int) -> int:
        state = done.world.protocol
        return compute_health(state, state.accounts[account], done.world.env(done.time)).equity_raw

    def _worth(self, done: Done, token: int, units: int) -> int:
        if token == USDC:
            return units * USDC_TO_W
        params = done.world.protocol.collateral_params[token - 1]
        return compute_token_value(units, done.world.env(done.time).quote(params.feed).price, params.decimals)


def _table(title: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield f"  {title}"
    for name, amount in rows:
        yield f"    {name:<52}{amount:>18}"
