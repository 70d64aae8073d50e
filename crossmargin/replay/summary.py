"""A run as a page a person reads: prices, liquidations, the cast, who paid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Any

from contracts_py.keys import address_of
from crossmargin.replay.expectations import Missed
from crossmargin.replay.result import compute_pool_value
from crossmargin.replay.run import Done, Replay
from crossmargin.text import day_and_time, decimal, dollars, moment
from oracle.feeds import RoundPushed
from protocol.events import AccountLiquidated, CollateralUpdated, PositionUpdated
from protocol.margin import AccountState, compute_account_state, compute_health
from protocol.state import owner_of

WIDTH = 110
INDENT = " " * 18


class Summary:
    """Collects what the page needs while a run goes on."""

    def __init__(self, replay: Replay, backend: str) -> None:
        self._replay = replay
        self._backend = backend
        scenario = replay.scenario
        self._accounts = {spec.id: name for name, spec in scenario.accounts.items()}
        self._keepers = {address_of(name): name for name in scenario.keepers}
        self._prices: dict[int, list[RoundPushed]] = {}  # first, lowest, last of each feed
        self._liquidations: list[str] = []
        self._kept: dict[int, tuple[int, int]] = {}  # account -> time and account value after its last liquidation
        self._lost = [0, 0, 0]  # bad debt in all, covered by insurance, covered by the pool
        self._insurance_start = 0

    def take(self, done: Done) -> None:
        """Enter one action."""
        if done.planned.kind == "setup":
            self._insurance_start = done.world.protocol.ledger.insurance
        for event in done.events:
            if isinstance(event, RoundPushed):
                first, lowest, _ = self._prices.get(event.feed, (event, event, event))
                self._prices[event.feed] = [first, min(lowest, event, key=lambda e: e.answer), event]
            elif isinstance(event, AccountLiquidated):
                self._liquidations.extend(self._tell_liquidation(done, event))
                self._kept[event.account] = (done.time, self._value(done, event.account))
                self._lost[0] += event.bad_debt
                self._lost[1] += event.bad_debt_insurance
                self._lost[2] += event.bad_debt_pool

    def liquidated(self) -> set[int]:
        """Accounts that were liquidated at least once."""
        return set(self._kept)

    def render(self, last: Done, result: dict[str, Any], missed: Sequence[Missed]) -> str:
        """The page."""
        scenario = self._replay.scenario
        engine = result["engine"] + (f" on {self._backend}" if self._replay.chain else "")
        lines = [
            scenario.title,
            f"{day_and_time(scenario.start)} to {day_and_time(last.time)} UTC, engine {engine}",
            "",
            *self._tell_prices(),
            "",
            f"Liquidations: {result['liquidations']}",
            *self._liquidations,
            "",
            *self._tell_cast(last),
            *self._tell_payers(result),
            "",
            *self._tell_checks(result, missed),
        ]
        return "\n".join(line.rstrip() for line in lines) + "\n"

    def _tell_prices(self) -> Iterator[str]:
        yield f"{'Prices':<8}{'first':>14}{'lowest':>14}   {'at':<16}{'last':>14}"
        for feed, (first, lowest, last) in sorted(self._prices.items()):
            spec = self._replay.scenario.params.feeds[feed]
            shown = [decimal(e.answer, spec.decimals) for e in (first, lowest, last)]
            yield f"  {spec.name:<6}{shown[0]:>14}{shown[1]:>14}   {moment(lowest.updated_at):<16}{shown[2]:>14}"

    def _tell_liquidation(self, done: Done, event: AccountLiquidated) -> Iterator[str]:
        name = self._name(event.account)
        yield (
            f"  {moment(done.time)}  {name}: {AccountState(event.account_state).name}, equity_mm "
            f"{dollars(event.equity_mm)} below maintenance margin {dollars(event.maintenance_margin)}"
        )
        keeper = self._keepers.get(owner_of(event.keeper), done.planned.sender)
        yield from _indented(f"{keeper} {'; '.join(self._tell_closed(done, event))}")
        kept = self._value(done, event.account)
        outcome = f"reward {dollars(event.reward)}, penalty {dollars(event.penalty)}, owner keeps {dollars(kept)}"
        if event.bad_debt:
            deficit = event.bad_debt - event.bad_debt_insurance - event.bad_debt_pool
            outcome += (
                f"; bad debt {dollars(event.bad_debt)}: insurance {dollars(event.bad_debt_insurance)}, "
                f"pool {dollars(event.bad_debt_pool)}, deficit {dollars(deficit)}"
            )
        yield from _indented(outcome)

    def _tell_closed(self, done: Done, liquidated: AccountLiquidated) -> Iterator[str]:
        params = self._replay.scenario.params
        for event in done.events:
            if isinstance(event, PositionUpdated):
                side = "short" if event.size_delta > 0 else "long"
                size = decimal(abs(event.size_delta), places=0)
                market = params.markets[event.market].name
                yield f"closed {side} {size} {market} at {decimal(event.price)} (realised {dollars(event.pnl)})"
            elif isinstance(event, CollateralUpdated):
                yield f"sold {params.tokens[event.token].name} for the debt"
        if not liquidated.closed_notional:
            yield "settled its debt"

    def _tell_cast(self, last: Done) -> Iterator[str]:
        told = [(key, name) for key, name in self._accounts.items() if self._replay.scenario.accounts[name].story]
        if not told:
            return
        yield "The cast"
        for key, name in told:
            story = self._replay.scenario.accounts[name].story
            yield from wrap(f"{name}: {story}", WIDTH, initial_indent="  ", subsequent_indent="    ")
            yield f"    -> {self._tell_fate(last, key)}"
        yield ""

    def _tell_fate(self, last: Done, account: int) -> str:
        state = last.world.protocol
        if account not in state.accounts:
            return "never opened an account"
        health = compute_health(state, state.accounts[account], last.world.env(last.time))
        if account in self._kept:
            time, value = self._kept[account]
            return f"liquidated {moment(time)}, kept {dollars(value)}"
        standing = compute_account_state(state.risk, health).name
        return f"never liquidated; ends {standing} with account value {dollars(health.equity_raw)}"

    def _tell_payers(self, result: dict[str, Any]) -> Iterator[str]:
        ledger = self._replay.world.protocol.ledger
        total, insurance, pool = self._lost
        yield "Who paid"
        yield f"  insurance fund  {dollars(self._insurance_start)} at the start, {dollars(ledger.insurance)} at the end"
        yield f"  pool            worth {dollars(compute_pool_value(self._replay))} at the end"
        yield (
            f"  bad debt        {dollars(total)}: insurance {dollars(insurance)}, pool {dollars(pool)}, "
            f"deficit {dollars(total - insurance - pool)}"
        )

    def _tell_checks(self, result: dict[str, Any], missed: Sequence[Missed]) -> Iterator[str]:
        yield "Checks"
        yield (
            f"  {result['rounds']} rounds, {result['actions']} actions ({result['refusals']} refused), "
            f"{result['liquidations']} liquidations"
        )
        yield "  money identities held after every action"
        if result["engine"] == "lockstep":
            yield f"  {result['divergences']} divergences between model and contracts"
        yield f"  {len(missed)} expectations missed" if missed else "  all expectations of the scenario met"
        for miss in missed:
            yield f"    {miss}"
        yield f"  state digest {result['state_digest']}"

    def _name(self, account: int) -> str:
        return self._accounts.get(account) or self._keepers.get(owner_of(account)) or f"account {account}"

    def _value(self, done: Done, account: int) -> int:
        state = done.world.protocol
        return compute_health(state, state.accounts[account], done.world.env(done.time)).equity_raw


def _indented(text: str) -> list[str]:
    return wrap(text, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT + "  ")
