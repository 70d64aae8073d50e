"""A run as a page a person reads: prices, liquidations, the cast, who paid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap
from typing import Any

from contracts_py.keys import address_of
from crossmargin.known import Known
from crossmargin.replay.cascade_totals import CascadeTotals
from crossmargin.replay.crowd import add_up_members, tell_population
from crossmargin.replay.expectations import Missed
from crossmargin.replay.fates import compute_fate, tell_faults
from crossmargin.replay.run import Done
from crossmargin.replay.story import Liquidation, Story
from crossmargin.scenario_records import Scenario
from crossmargin.text import day_and_time, decimal, dollars, moment
from protocol.account_state import AccountState
from protocol.pool import compute_pool_value
from protocol.state import owner_of

WIDTH = 118
STATES = "BANKRUPT: account value below 0. BACKSTOP: far below maintenance. LIQUIDATABLE: below maintenance."


class Summary:
    """The page of one run: what its story was, with the scenario's names."""

    def __init__(self, scenario: Scenario, story: Story, cascade: CascadeTotals) -> None:
        self._scenario = scenario
        self._cascade = cascade
        self._known = Known(scenario.params, {}, address_of)  # names; a step may list more than the set has
        self._story = story
        self._accounts = {spec.id: name for name, spec in scenario.accounts.items()}
        self._keepers = {address_of(keeper.name): keeper.name for keeper in scenario.keepers}
        self._widest = 2 + max(len(name) for name in (*scenario.accounts, "account"))

    def render(self, last: Done, result: dict[str, Any], missed: Sequence[Missed]) -> str:
        """The page of a run that ended with ``last``."""
        scenario = self._scenario
        engine = result["engine"] + (f" on {result['backend']}" if result["engine"] != "model" else "")
        lines = [
            scenario.title,
            f"{day_and_time(scenario.start)} to {day_and_time(last.time)} UTC, engine {engine}",
            f"parameter set {scenario.params.name}, version {scenario.params.version}; dollars are cut to the cent",
            *self._tell_changes(),
            "",
            *wrap(scenario.about, WIDTH),
            *([""] if scenario.about else []),
            *self._tell_prices(last),
            "",
            *self._tell_liquidations(),
            *self._tell_orders(),
            "",
            *self._cascade.tell(scenario, self._known),
            *self._tell_cast(last),
            *self._tell_population(last),
            *self._tell_payers(last),
            *self._tell_keepers(),
            "",
            *self._tell_checks(result, missed),
        ]
        return "\n".join(line.rstrip() for line in lines) + "\n"

    def _tell_changes(self) -> Iterator[str]:
        if self._scenario.changes:
            told = f"changed: {', '.join(self._scenario.changes)}"
            yield from wrap(told, WIDTH, subsequent_indent="  ", break_on_hyphens=False)

    def _tell_prices(self, last: Done) -> Iterator[str]:
        names = {feed: self._known.feed_text(feed) for feed in sorted(self._story.prices)}
        width = max(6, *map(len, names.values()), 0)
        yield f"{'Prices':<{width + 2}}{'first':>14}{'lowest':>14}   {'at':<16}{'last':>14}"
        for feed, name in names.items():
            rounds = self._story.prices[feed]
            decimals = last.world.feed_decimals(feed)
            first, lowest, newest = (decimal(e.answer, decimals, grouped=True) for e in rounds)
            yield f"  {name:<{width}}{first:>14}{lowest:>14}   {moment(rounds[1].updated_at):<16}{newest:>14}"

    def _tell_liquidations(self) -> Iterator[str]:
        story = self._story
        if not story.liquidations:
            yield "Liquidations: none"
            return
        states = Counter(AccountState(found.report.account_state) for found in story.liquidations)
        shares = ", ".join(f"{states[state]} {state.name}" for state in sorted(states, reverse=True))
        yield f"Liquidations: {len(story.liquidations)} ({shares}), of {_count(len(story.liquidated), 'account')}"
        yield f"  {STATES}"
        yield (
            f"  {'time':<17}{'account':<{self._widest}}{'state':<14}{'equity_mm':>11} < {'margin':>11}"
            f"{'reward':>9}{'penalty':>11}{'owner keeps':>12}{'bad debt':>10}  closed"
        )
        for found in story.liquidations:
            report = found.report
            bad_debt = dollars(report.bad_debt) if report.bad_debt else "-"
            yield (
                f"  {moment(found.time):<17}{self._name(report.account):<{self._widest}}"
                f"{AccountState(report.account_state).name:<14}"
                f"{dollars(report.equity_mm):>11} < {dollars(report.maintenance_margin):>11}"
                f"{dollars(report.reward):>9}{dollars(report.penalty):>11}{dollars(found.left):>12}{bad_debt:>10}"
                f"  {'; '.join(self._tell_closed(found))}"
            )

    def _tell_orders(self) -> Iterator[str]:
        orders = self._story.orders
        if not orders.committed:
            return
        codes = ", ".join(f"{count} {code}" for code, count in sorted(orders.refused.items()))
        parts = (
            (orders.filled, f"{orders.filled} filled"),
            (orders.refused.total(), f"{orders.refused.total()} ended without their trade ({codes})"),
            (orders.cancelled, f"{orders.cancelled} cancelled"),
            (orders.liquidated, f"{orders.liquidated} ended by a liquidation"),
            (orders.pending, f"{orders.pending} pending"),
        )
        told = ", ".join(text for count, text in parts if count)
        yield ""
        yield from wrap(
            f"Orders: {orders.committed} committed, {told}; keepers were paid {dollars(orders.fees)}",
            WIDTH,
            subsequent_indent="  ",
            break_on_hyphens=False,
        )

    def _tell_closed(self, found: Liquidation) -> Iterator[str]:
        params = self._scenario.params
        for fill in found.fills:
            side = "short" if fill.size_delta > 0 else "long"
            size = decimal(abs(fill.size_delta), places=0)
            left = f" ({decimal(abs(fill.size), places=0)} left)" if fill.size else ""
            yield f"{side} {size} {self._known.market_text(fill.market)} at {decimal(fill.price, grouped=True)}{left}"
        for token, units in found.sold:
            spec = params.tokens[token]
            # Four decimals, cut: the event has every digit.
            yield f"sold {decimal(units * 10**4 // 10**spec.decimals, 4)} {spec.name} of its collateral"
        if not found.fills:
            yield "settled its debt"

    def _tell_cast(self, last: Done) -> Iterator[str]:
        told = [(name, spec) for name, spec in self._scenario.accounts.items() if spec.story]
        if not told:
            return
        yield "The cast (dollars paid in and taken out, collateral at the prices of the moment)"
        for name, spec in told:
            yield from wrap(f"{name}: {spec.story}", WIDTH, initial_indent="  ", subsequent_indent="    ")
            yield f"    -> {self._tell_fate(last, spec.id)}"
        yield ""

    def _tell_population(self, last: Done) -> Iterator[str]:
        scenario = self._scenario
        if scenario.members:
            yield from tell_population(add_up_members(scenario.members, scenario.accounts, self._story, last))
            yield ""

    def _tell_fate(self, last: Done, account: int) -> str:
        fate = compute_fate(self._story, last, account)
        if fate is None:
            return "never opened an account"
        times = ", ".join(map(moment, fate.liquidated))
        standing = ", ".join(filter(None, (fate.state, tell_faults(fate.price_status))))
        return (
            f"{f'liquidated {times}' if times else 'never liquidated'}; paid in {dollars(fate.paid_in)}, took out "
            f"{dollars(fate.taken_out)}, left {dollars(fate.left)} ({standing}): {dollars(fate.change, signed=True)}"
        )

    def _tell_payers(self, last: Done) -> Iterator[str]:
        story = self._story
        fund = story.fund
        yield "Who paid"
        yield from _table(
            "insurance fund",
            (
                ("at the start", dollars(fund.start)),
                ("gifts", dollars(fund.gifts, signed=True)),
                ("its share of trading fees", dollars(fund.fees, signed=True)),
                ("penalties less rewards that accounts could not pay", dollars(fund.liquidations, signed=True)),
                ("bad debt", dollars(-fund.bad_debt, signed=True)),
                ("at the end", dollars(last.world.protocol.ledger.insurance)),
            ),
        )
        worth = compute_pool_value(last.world.protocol, last.world.env(last.time)).market
        kept = story.pool_paid_in - story.pool_paid_out
        yield from _table(
            "pool",
            (
                ("paid in by providers", dollars(story.pool_paid_in)),
                ("redeemed by providers", dollars(-story.pool_paid_out, signed=True)),
                ("traders' losses, fees and penalties", dollars(worth - kept, signed=True)),
                ("worth at the end", dollars(worth)),
            ),
        )
        charges = story.charges
        paid, received = dollars(charges.funding_paid), dollars(charges.funding_received)
        charged, rebated = dollars(charges.impact_charged), dollars(charges.impact_rebated)
        yield f"  traders paid {paid} of funding, received {received}; impact charged {charged}, given back {rebated}"
        reports = [found.report for found in story.liquidations]
        total = sum(report.bad_debt for report in reports)
        insurance = sum(report.bad_debt_insurance for report in reports)
        pool = sum(report.bad_debt_pool for report in reports)
        yield (
            f"  bad debt {dollars(total)}: insurance {dollars(insurance)}, pool {dollars(pool)}, "
            f"deficit {dollars(total - insurance - pool)}"
        )

    def _tell_keepers(self) -> Iterator[str]:
        count: Counter[int] = Counter()
        earned: Counter[int] = Counter()
        for found in self._story.liquidations:
            count[owner_of(found.report.keeper)] += 1
            earned[owner_of(found.report.keeper)] += found.report.reward
        for owner, name in self._keepers.items():
            yield f"  keeper {name}: {_count(count[owner], 'liquidation')}, rewards {dollars(earned[owner])}"

    def _tell_checks(self, result: dict[str, Any], missed: Sequence[Missed]) -> Iterator[str]:
        yield "Checks"
        yield (
            f"  {result['rounds']} rounds, {result['actions']} actions ({result['refusals']} refused), "
            f"{_count(result['liquidations'], 'liquidation')}"
        )
        if self._story.refusals:
            refused = ", ".join(f"{count} {code}" for code, count in sorted(self._story.refusals.items()))
            yield from wrap(f"refused: {refused}", WIDTH, initial_indent="  ", subsequent_indent="    ")
        yield "  money identities held after every action"
        if result["engine"] == "lockstep":
            yield f"  {_count(result['divergences'], 'divergence')} between model and contracts"
        if self._scenario.changes:
            yield "  what the scenario expects does not apply to a changed run, and was not checked"
        else:
            yield (
                f"  {_count(len(missed), 'expectation')} missed" if missed else "  all expectations of the scenario met"
            )
        for miss in missed:
            yield f"    {miss}"
        yield f"  state digest {result['state_digest']}"

    def _name(self, account: int) -> str:
        known = self._accounts.get(account) or self._keepers.get(owner_of(account))
        return known or f"account {account}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _table(title: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield f"  {title}"
    for name, amount in rows:
        yield f"    {name:<52}{amount:>18}"
