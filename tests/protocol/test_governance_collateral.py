"""Tokens listed and changed: the next id, and what of a listed one never changes (GOV-3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from protocol.actions import SetCollateral, SetMarket
from protocol.errors import Refusal
from protocol.events import CollateralSet
from protocol.params import HaircutBracket
from protocol.state import CollateralPhase, State, Token
from protocol.transition import apply
from protocol.units import W
from tests.protocol.build import (
    ADMIN,
    BTC,
    ETH,
    GUARDIAN,
    MARKETS,
    NOW,
    check_order_of,
    env,
    outcome_of,
    run,
    state_with,
)
from tests.protocol.governing import busy
from tests.twins import weth_params


def vault_of(tokens: int, listed: int = 0) -> State:
    """A vault over token contracts, some of them listed."""
    collateral = (weth_params(),) * listed
    return replace(state_with(collateral=collateral), tokens=(Token(0, 0),) * tokens)


def test_the_next_token_is_listed() -> None:
    """GOV-3: id 1 first; the token contracts themselves are fixed at deployment."""
    outcome = run(vault_of(3), env(ADMIN), SetCollateral(1, weth_params()))
    assert outcome.events == (CollateralSet(1, weth_params(), 0),)
    assert outcome.state.collateral_phases == (CollateralPhase(0, (), 0),)
    assert outcome.state.collateral_params == (weth_params(),)
    assert outcome.state.tokens == vault_of(3).tokens
    run(outcome.state, env(ADMIN), SetCollateral(2, replace(weth_params(), decimals=8)))


@pytest.mark.parametrize(
    ("tokens", "listed", "token", "code"),
    [
        (3, 0, 0, "config/listing"),
        (3, 0, 1, "ok"),
        (3, 0, 2, "config/listing"),
        (3, 1, 1, "ok"),
        (3, 1, 2, "ok"),
        (3, 1, 3, "config/listing"),
        (3, 2, 3, "config/listing"),
        (3, 2, 2, "ok"),
        (1, 0, 1, "config/listing"),
        (2, 1, 2, "config/listing"),
        (9, 8, 8, "ok"),
        (9, 8, 9, "config/listing"),
        (9, 8, 2**256 - 1, "config/listing"),
    ],
)
def test_tokens_are_listed_one_by_one_up_to_those_deployed(tokens: int, listed: int, token: int, code: str) -> None:
    """GOV-3, S7: never USDC, no gap, no token without a contract."""
    assert outcome_of(vault_of(tokens, listed), env(ADMIN), SetCollateral(token, weth_params())) == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, "ok"),
        ({"decimals": 17}, "config/listing"),
        ({"decimals": 19}, "config/listing"),
        ({"feed": 9}, "config/listing"),
        ({"account_cap": 0, "global_cap": 0}, "ok"),
        ({"brackets": (HaircutBracket(0, 0, 0),)}, "ok"),
    ],
)
def test_the_decimals_and_the_feed_of_a_listed_token_never_change(changes: dict[str, Any], code: str) -> None:
    """GOV-3, B25, B44: everything else of it may, down to counting for nothing; a new token chooses freely."""
    state = vault_of(3, listed=1)
    params = replace(weth_params(), **changes)
    assert outcome_of(state, env(ADMIN), SetCollateral(1, params)) == code
    assert outcome_of(state, env(ADMIN), SetCollateral(2, params)) == "ok"
    if code == "ok":
        assert run(state, env(ADMIN), SetCollateral(1, params)).state.collateral_params == (params,)


def test_each_token_has_its_own_parameters() -> None:
    """GOV-3: of two listed tokens, each keeps its own decimals, and a change of one leaves the other."""
    other = replace(weth_params(), decimals=8)
    state = replace(vault_of(3, listed=2), collateral_params=(weth_params(), other))
    for token, decimals, code in ((1, 18, "ok"), (1, 8, "config/listing"), (2, 8, "ok"), (2, 18, "config/listing")):
        action = SetCollateral(token, replace(weth_params(), decimals=decimals, account_cap=7))
        assert outcome_of(state, env(ADMIN), action) == code
    after = run(state, env(ADMIN), SetCollateral(1, replace(weth_params(), account_cap=7))).state
    assert after.collateral_params == (replace(weth_params(), account_cap=7), other)


def test_a_refused_listing_names_the_next_free_id() -> None:
    """GOV-2, GOV-3: what the admin should have asked for, or the token that cannot change."""
    for state, action, facts in (
        (busy(), SetMarket(9, MARKETS[BTC]), {"next_id": 2}),
        (vault_of(3, listed=1), SetCollateral(9, weth_params()), {"next_id": 2}),
        (vault_of(3, listed=1), SetCollateral(1, replace(weth_params(), decimals=8)), {"token": 1}),
    ):
        with pytest.raises(Refusal) as refusal:
            apply(state, env(ADMIN), action)
        assert refusal.value.facts == facts


def attempt_collateral(
    sender: int = ADMIN,
    feed: int = ETH,
    lower: int = 0,
    im: int = W * 80 // 100,
    token: int = 1,
    decimals: int = 18,
    mm: int = W * 9 // 10,
) -> str:
    """New parameters for a listed token, in the middle of a phase."""
    rows = (HaircutBracket(lower, mm, im), *weth_params().brackets[1:])
    params = replace(weth_params(), feed=feed, decimals=decimals, brackets=rows)
    state = replace(vault_of(3, listed=1), collateral_phases=(CollateralPhase(NOW + 1, (), 0),))
    return outcome_of(state, env(sender), SetCollateral(token, params))


def test_a_collateral_is_checked_in_order() -> None:
    """GOV-3, GOV-5: the role, the parameters, the id, decimals and feed, then the phase."""
    faults: list[tuple[str, dict[str, Any]]] = [
        ("role/not-admin", {"sender": GUARDIAN}),
        ("config/haircuts", {"feed": 2**16}),
        ("config/brackets", {"lower": 1}),
        ("config/haircuts", {"im": W * 95 // 100}),
        ("config/listing", {"token": 3}),
        ("config/listing", {"decimals": 6}),
        ("config/phase-in", {"mm": W * 8 // 10}),
    ]
    check_order_of(faults, attempt_collateral)
