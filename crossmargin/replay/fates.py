"""What became of the accounts of a run: what went in and out, when they were liquidated, and what is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from crossmargin.replay.run import Done
from crossmargin.replay.story import Flow, Story
from crossmargin.scenario_records import Scenario
from crossmargin.text import decimal, list_faults
from protocol.account_state import compute_account_state
from protocol.margin import compute_health
from protocol.units import Seconds, Usd

EMPTY = "empty"  # an account that holds nothing and owes nothing


@dataclass(frozen=True, slots=True)
class Fate:
    """An account at the end of a run, in dollars at scale W; collateral paid in or taken out at its price then."""

    liquidated: tuple[Seconds, ...]
    paid_in: Usd
    taken_out: Usd
    left: Usd  # the account value
    state: str
    price_status: int  # the faults of the prices that account value and state are counted at

    @property
    def change(self) -> Usd:
        """What the account gained or lost."""
        return self.left + self.taken_out - self.paid_in


def compute_fate(story: Story, last: Done, account: int) -> Fate | None:
    """What became of an account of a run that ended with ``last``; nothing if it was never opened."""
    state = last.world.protocol
    held = state.accounts.get(account)
    if held is None:
        return None
    flow = story.flows.get(account, Flow())
    health = compute_health(state, held, last.world.env(last.time))
    is_empty = not (held.cash or held.collateral or held.positions)
    return Fate(
        liquidated=tuple(found.time for found in story.liquidations if found.report.account == account),
        paid_in=flow.paid_in,
        taken_out=flow.taken_out,
        left=health.equity_raw,
        state=EMPTY if is_empty else compute_account_state(state.risk, health).name,
        price_status=health.price_status,
    )


def tell_faults(status: int) -> str:
    """By which prices something is told, if any of them has a fault; nothing otherwise."""
    return f"by prices with {', '.join(list_faults(status))}" if status else ""


def describe_fates(scenario: Scenario, story: Story, last: Done) -> dict[str, Any]:
    """The fates of the named accounts that were opened, as the manifest has them. Money is decimal text."""
    fates = {name: compute_fate(story, last, spec.id) for name, spec in scenario.accounts.items()}
    return {
        name: {
            "liquidated": list(fate.liquidated),
            "paid_in": decimal(fate.paid_in),
            "taken_out": decimal(fate.taken_out),
            "left": decimal(fate.left),
            "change": decimal(fate.change),
            "state": fate.state,
            "price_faults": list_faults(fate.price_status),
        }
        for name, fate in fates.items()
        if fate is not None
    }
