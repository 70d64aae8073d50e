"""Dispatch, and what holds of every action whatever it is: over examples of each, and over random ones."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given

from protocol import actions
from protocol.account_state import AccountState, compute_account_state
from protocol.actions import Trade, Withdraw
from protocol.codec import digest
from protocol.env import Env
from protocol.errors import REFUSALS
from protocol.margin import compute_health, is_liquidatable
from protocol.state import State
from protocol.transition import PROCESS, apply
from tests.protocol.build import BORROWER, env, ledger_sum, outcome_of, run, state_with
from tests.protocol.examples import EXAMPLES, NAMES
from tests.protocol.strategies import Step, busy, play, steps


def test_every_action_has_a_handler_of_its_name() -> None:
    """S8: the table covers the actions, and each handler is named for its action."""
    assert set(PROCESS) == set(get_args(actions.Action))
    for action, handler in PROCESS.items():
        snake = "".join("_" + letter.lower() if letter.isupper() else letter for letter in action.__name__)
        assert handler.__name__ == "process" + snake


def test_what_is_no_action_is_no_refusal_either() -> None:
    """S1: a mistake of the program is not an answer of the protocol."""
    with pytest.raises(KeyError):
        apply(state_with(), env(), "deposit")  # type: ignore[arg-type]


def test_the_examples_are_one_of_each_action() -> None:
    assert {type(action) for _, action in EXAMPLES} == set(PROCESS)


@pytest.mark.parametrize(("sender", "action"), EXAMPLES, ids=NAMES)
def test_the_state_before_an_action_stays_usable(sender: int, action: Any) -> None:
    """S1, S2: two branches from one state do not see each other, and repeating gives the same."""
    state = busy()
    before = digest(state)
    first = run(state, env(sender), action)
    first_digest = digest(first.state)
    assert first_digest != before
    for _, other in EXAMPLES:
        outcome_of(state, env(BORROWER), other)
    second = run(state, env(sender), action)
    assert digest(second.state) == first_digest == digest(first.state)
    assert second == first
    assert digest(state) == before


# --- random actions -------------------------------------------------------------------------------------------------


@given(steps())
def test_random_actions_keep_every_statement(told: list[Step]) -> None:
    """S1, C1, C3 to C7, C9, M1, M2, M9: over any actions at any prices; each succeeds or is refused by code."""
    for state, surroundings, action, code, after in play(busy(), told):
        assert outcome_of(state, surroundings, action) == code
        assert code == "ok" or code in REFUSALS
        if code != "ok":
            assert after is state
            continue
        check_margin_rule(state, after, surroundings, action)
        check_nobody_is_pushed(state, after, surroundings, action)
        if after.tokens[0].held == state.tokens[0].held:
            assert ledger_sum(after) == ledger_sum(state)


ADDS_RISK = Trade | Withdraw | actions.Transfer | actions.SetLeverageCap | actions.CloseAll


def check_margin_rule(before: State, after: State, surroundings: Env, action: Any) -> None:
    """M1, M2, I3: an account that acted for more risk ends HEALTHY; less risk keeps its health or ends it solvent."""
    if not isinstance(action, ADDS_RISK):
        return
    account, earlier_account = after.accounts[action.account], before.accounts[action.account]
    health, earlier = (compute_health(state, state.accounts[action.account], surroundings) for state in (after, before))
    if reduces(earlier_account, account, action):
        change = health.equity_mm - health.maintenance_margin - (earlier.equity_mm - earlier.maintenance_margin)
        assert change >= 0 or (not account.positions and health.equity_raw >= 0)
        return
    if isinstance(action, actions.SetLeverageCap) and action.market not in account.positions:
        return
    assert health.equity_im >= health.initial_margin or (account.cash >= 0 and not account.positions)
    if account.positions:
        standing = compute_account_state(after.risk, health)
        assert standing in {AccountState.HEALTHY, AccountState.MARGIN_CALL}, "the zone only within 2 wei of rounding"
    if isinstance(action, Withdraw | actions.Transfer) and action.token == 0:
        assert account.cash >= 0


def reduces(before: Any, after: Any, action: Any) -> bool:
    """Whether an action only made positions smaller."""
    if isinstance(action, actions.CloseAll):
        return True
    if not isinstance(action, Trade):
        return False
    old, new = (account.positions.get(action.market) for account in (before, after))
    return old is not None and (new is None or (new.size * old.size > 0 and abs(new.size) < abs(old.size)))


def check_nobody_is_pushed(before: State, after: State, surroundings: Env, action: Any) -> None:
    """M3, M9, I3, B39: at one price and one time, no account becomes liquidatable but by its own reduction."""
    own = action.account if isinstance(action, Trade | actions.CloseAll) else None
    for key, account in before.accounts.items():
        if key != own and not is_liquidatable(compute_health(before, account, surroundings)):
            assert not is_liquidatable(compute_health(after, after.accounts[key], surroundings)), f"{key} by {action}"
