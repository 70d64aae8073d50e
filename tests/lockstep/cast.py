"""Who is in a random story, and what a step knows before its turn comes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from contracts_py.keys import address_of
from crossmargin.replay.world import World
from protocol.account_state import AccountState, compute_account_state
from protocol.env import Env, Status
from protocol.margin import compute_health
from protocol.state import State, account_id
from tests.twins import ACTORS

T = TypeVar("T")

OWNERS = ("borrower", "trader", "stranger", "liquidator", "lender", "treasury")
SUBS = (0, 1, 2)  # of each owner; the last one is isolated if the story opens it so
ACCOUNTS = {account_id(address_of(owner), sub): owner for owner in OWNERS for sub in SUBS}
NAMES = {address_of(actor): actor for actor in ACTORS}
DOLLAR = 10**6  # USDC units


@dataclass(frozen=True)
class Step:
    """What a step is about, and the numbers that decide the rest."""

    kind: str
    who: int
    which: int
    how: int
    much: int
    wait: int


@dataclass(frozen=True)
class Timed:
    """An action, its sender, the seconds since the one before, and the code if it was refused."""

    after: int
    sender: str
    action: Any
    refused: str | None = None


Resolver = Callable[[World, Env, Step], tuple[str, Any]]


def pick(choices: Sequence[T], number: int) -> T:
    """One of the choices."""
    return choices[number % len(choices)]


def pick_account(state: State, step: Step) -> int:
    """Mostly a registered account of ours, sometimes one that may not be."""
    known = [account for account in ACCOUNTS if account in state.accounts]
    return pick(list(ACCOUNTS) if step.how % 29 == 0 or not known else known, step.who)


def pick_trader(state: State, step: Step) -> int:
    """Mostly an account with a position, if there is one."""
    holding = [account for account in ACCOUNTS if account in state.accounts and state.accounts[account].positions]
    return pick(holding, step.who) if holding and step.how % 7 else pick_account(state, step)


def sender_of(account: int, step: Step) -> str:
    """Mostly the account's owner."""
    return pick(OWNERS, step.which) if step.how % 31 == 0 else ACCOUNTS[account]


def trader_of(state: State, account: int, step: Step) -> str:
    """The account's operator now and then, if it has one, else mostly its owner."""
    found = state.accounts.get(account)
    if found is not None and found.operator in NAMES and step.how % 3 == 0:
        return NAMES[found.operator]
    return sender_of(account, step)


def admin_of(state: State, step: Step) -> str:
    """Mostly the admin."""
    name = NAMES.get(state.roles.admin, "admin")
    return "guardian" if step.much % 13 == 0 else name


def find_standing(world: World, env: Env, *wanted: AccountState) -> list[int]:
    """Our accounts that stand so and can be measured."""
    state = world.protocol
    found = []
    for key in ACCOUNTS:
        account = state.accounts.get(key)
        if account is not None and (account.positions or account.cash < 0):
            health = compute_health(state, account, env)
            if health.price_status == Status.OK and compute_account_state(state.risk, health) in wanted:
                found.append(key)
    return found
