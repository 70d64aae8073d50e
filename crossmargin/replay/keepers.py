"""What the scenario's keepers do after a price round. They decide from the model; the chain executes the list."""

from __future__ import annotations

from collections.abc import Sequence

from crossmargin.replay.world import World
from protocol.actions import Liquidate
from protocol.errors import Refusal
from protocol.liquidation import check_liquidatable
from protocol.state import account_id


def find_liquidatable(world: World, now: int) -> list[int]:
    """Accounts that a keeper could liquidate now, by ascending id."""
    env = world.env(now)
    state = world.protocol
    found = []
    for account_key, account in state.accounts.items():
        if account.positions or account.cash < 0:
            try:
                check_liquidatable(state, env, account)
            except Refusal:
                continue
            found.append(account_key)
    return sorted(found)


def keeper_turn(keepers: Sequence[str], round_number: int, turn: int) -> str:
    """Whose turn it is: in file order, beginning one further with each round."""
    return keepers[(round_number + turn) % len(keepers)]


def next_liquidation(world: World, now: int, keeper: int, passed_over: set[int]) -> Liquidate | None:
    """The next account this keeper takes, or nothing. An account is tried once a round."""
    for account in find_liquidatable(world, now):
        if account not in passed_over and account != account_id(keeper):
            return Liquidate(account)
    return None
