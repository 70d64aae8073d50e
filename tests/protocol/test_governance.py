"""Who governs: what only the admin may do, the pause, how the roles change hands, and that none can move funds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from protocol.actions import (
    AcceptAdmin,
    Deposit,
    PauseOpening,
    ProposeAdmin,
    SetCollateral,
    SetGuardian,
    SetMarket,
    SetRisk,
    Trade,
)
from protocol.events import OpeningPaused, RolesSet
from protocol.params import HaircutBracket
from protocol.state import Roles
from protocol.units import W
from tests.protocol.build import (
    ACCOUNT,
    ADMIN,
    ANY_PRICE,
    BORROWER,
    BTC,
    GUARDIAN,
    LIQUIDATOR,
    MARKETS,
    STRANGER,
    WETH,
    env,
    outcome_of,
    refused,
    run,
    with_risk,
)
from tests.protocol.governing import STRICTER, busy
from tests.twins import RISK, weth_params

ANYBODY_ELSE = (GUARDIAN, BORROWER, LIQUIDATOR, STRANGER, 0)


@pytest.mark.parametrize(
    "action",
    [
        SetRisk(RISK),
        SetMarket(BTC, MARKETS[BTC]),
        SetCollateral(WETH, weth_params()),
        ProposeAdmin(STRANGER),
        SetGuardian(STRANGER),
    ],
    ids=lambda action: type(action).__name__,
)
def test_only_the_admin_sets_parameters_and_roles(action: Any) -> None:
    """GOV-1, GOV-2, GOV-3, GOV-6, GOV-7, S8: nobody else, neither the guardian nor a proposed admin."""
    for sender in ANYBODY_ELSE:
        assert refused(busy(), env(sender), action) == "role/not-admin"
    proposed = replace(busy(), roles=Roles(ADMIN, STRANGER, GUARDIAN))
    assert refused(proposed, env(STRANGER), action) == "role/not-admin"
    run(busy(), env(ADMIN), action)


# --- the pause: GOV-4 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("already", [False, True])
@pytest.mark.parametrize(
    ("sender", "paused", "code"),
    [
        (ADMIN, True, "ok"),
        (ADMIN, False, "ok"),
        (GUARDIAN, True, "ok"),
        (GUARDIAN, False, "role/not-guardian"),
        (BORROWER, True, "role/not-guardian"),
        (BORROWER, False, "role/not-guardian"),
        (0, True, "role/not-guardian"),
    ],
)
def test_the_guardian_may_only_stop(sender: int, paused: bool, code: str, already: bool) -> None:
    """GOV-4, S8: the admin stops and resumes, the guardian stops, nobody else does either."""
    state = replace(busy(), opening_paused=already)
    assert outcome_of(state, env(sender), PauseOpening(paused)) == code
    if code == "ok":
        outcome = run(state, env(sender), PauseOpening(paused))
        assert outcome.events == (OpeningPaused(paused),)
        assert outcome.state == replace(state, opening_paused=paused)


def test_a_pause_and_its_end_bring_back_the_state() -> None:
    """GOV-4, S9: nothing but growth waits for it."""
    state = busy()
    paused = run(state, env(GUARDIAN), PauseOpening(True)).state
    assert refused(paused, env(), Trade(ACCOUNT, BTC, W, ANY_PRICE)) == "market/opening-paused"
    run(paused, env(), Deposit(ACCOUNT, 0, 1))
    resumed = run(paused, env(ADMIN), PauseOpening(False)).state
    assert resumed == state
    run(resumed, env(), Trade(ACCOUNT, BTC, W, ANY_PRICE))


# --- roles: GOV-6 and GOV-7 -----------------------------------------------------------------------------------------


def test_a_new_admin_must_accept() -> None:
    """GOV-6, S11: nothing changes with the proposal; with the acceptance everything does, and no proposal is left."""
    state = busy()
    proposed = run(state, env(ADMIN), ProposeAdmin(STRANGER))
    assert proposed.events == (RolesSet(ADMIN, STRANGER, GUARDIAN),)
    assert proposed.state == replace(state, roles=Roles(ADMIN, STRANGER, GUARDIAN))
    run(proposed.state, env(ADMIN), SetRisk(RISK))
    accepted = run(proposed.state, env(STRANGER), AcceptAdmin())
    assert accepted.events == (RolesSet(STRANGER, 0, GUARDIAN),)
    assert accepted.state == replace(state, roles=Roles(STRANGER, 0, GUARDIAN))
    assert refused(accepted.state, env(ADMIN), SetRisk(RISK)) == "role/not-admin"
    run(accepted.state, env(STRANGER), SetRisk(RISK))
    assert refused(accepted.state, env(STRANGER), AcceptAdmin()) == "role/not-pending"


@pytest.mark.parametrize("sender", [ADMIN, GUARDIAN, BORROWER])
def test_only_the_proposed_admin_accepts(sender: int) -> None:
    """GOV-6, S8: not even the admin who proposed; and nobody while no one is proposed."""
    proposed = run(busy(), env(ADMIN), ProposeAdmin(STRANGER)).state
    assert refused(proposed, env(sender), AcceptAdmin()) == "role/not-pending"
    assert refused(busy(), env(sender), AcceptAdmin()) == "role/not-pending"


def test_another_proposal_replaces_the_first_and_zero_withdraws_it() -> None:
    """GOV-6, B41: the last word counts."""
    state = run(busy(), env(ADMIN), ProposeAdmin(STRANGER)).state
    other = run(state, env(ADMIN), ProposeAdmin(BORROWER)).state
    assert refused(other, env(STRANGER), AcceptAdmin()) == "role/not-pending"
    run(other, env(BORROWER), AcceptAdmin())
    nobody = run(other, env(ADMIN), ProposeAdmin(0)).state
    assert nobody == busy()
    assert refused(nobody, env(BORROWER), AcceptAdmin()) == "role/not-pending"


def test_the_admin_names_the_guardian_at_once() -> None:
    """GOV-7, S11: the old one can stop nothing any more, and a proposal stays."""
    state = run(busy(), env(ADMIN), ProposeAdmin(STRANGER)).state
    outcome = run(state, env(ADMIN), SetGuardian(BORROWER))
    assert outcome.events == (RolesSet(ADMIN, STRANGER, BORROWER),)
    assert outcome.state == replace(state, roles=Roles(ADMIN, STRANGER, BORROWER))
    assert refused(outcome.state, env(GUARDIAN), PauseOpening(True)) == "role/not-guardian"
    run(outcome.state, env(BORROWER), PauseOpening(True))


def test_no_role_can_move_funds() -> None:
    """S11: whatever admin and guardian do, every balance, position and ledger stays."""
    state = busy()
    for sender, action in (
        (ADMIN, SetRisk(with_risk(keeper_reserve=W, debt_cap=0))),
        (ADMIN, SetMarket(BTC, replace(MARKETS[BTC], brackets=STRICTER, oi_cap=0))),
        (ADMIN, SetCollateral(WETH, replace(weth_params(), brackets=(HaircutBracket(0, 0, 0),)))),
        (ADMIN, ProposeAdmin(STRANGER)),
        (STRANGER, AcceptAdmin()),
        (STRANGER, SetGuardian(STRANGER)),
        (STRANGER, PauseOpening(True)),
    ):
        after = run(state, env(sender), action).state
        for kept in ("accounts", "tokens", "ledger", "stakes"):
            assert getattr(after, kept) == getattr(state, kept)
        state = after
