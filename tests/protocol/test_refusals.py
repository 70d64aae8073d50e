"""Refusals: their codes, and the numbers that decided them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from protocol.actions import Deposit, DepositToPool, Liquidate, Trade, Withdraw
from protocol.env import Env
from protocol.errors import REFUSALS, Refusal
from protocol.params import MarginBracket
from protocol.state import State
from protocol.transition import apply
from protocol.units import W
from tests.protocol.build import (
    ACCOUNT,
    ANY_PRICE,
    BTC,
    BTC_PRICE,
    ETH,
    LIQUIDATOR,
    MARKETS,
    WETH,
    env,
    holding,
    opened,
    state_with,
    with_risk,
)
from tests.protocol.strategies import busy


def test_every_refusal_has_a_code_of_its_own_and_says_when_it_occurs() -> None:
    """S1, O5: codes are short, in areas, unique, and each has a sentence."""
    assert len(REFUSALS) > 30
    for code, refusal in REFUSALS.items():
        assert refusal.code == code
        assert len(code) <= 31
        assert code == code.lower()
        assert code.count("/") == 1
        assert (refusal.__doc__ or "").strip().endswith(".")


@pytest.mark.parametrize("code", ["no-area", "x/" + "y" * 30, "amount/zero"])
def test_a_malformed_or_taken_code_cannot_be_declared(code: str) -> None:
    """S8: a code is unique when its class is made."""
    count = len(REFUSALS)
    with pytest.raises(TypeError, match="malformed or taken"):
        type("Another", (Refusal,), {"code": code})
    assert len(REFUSALS) == count


def test_the_longest_code_is_accepted() -> None:
    """S8: 31 characters fit a word on chain."""
    code = "x/" + "y" * 29
    type("Longest", (Refusal,), {"code": code})
    assert REFUSALS.pop(code).code == code


def test_a_refusal_shows_its_reason_and_its_numbers() -> None:
    """S1: what decided it, for people; the code alone for machines."""
    found = REFUSALS["margin/initial"](equity_im=5, initial_margin=6)
    assert found.args == ("margin/initial",)
    assert found.facts == {"equity_im": 5, "initial_margin": 6}
    assert str(found) == (
        "margin/initial: An action that adds risk must leave equity_im at or above the initial margin. "
        "(equity_im 5, initial_margin 6)"
    )
    assert str(REFUSALS["amount/zero"]()) == "amount/zero: The amount is zero."


def facts_of(state: State, surroundings: Env, action: Any) -> dict[str, int]:
    """The numbers of a refusal."""
    with pytest.raises(Refusal) as refusal:
        apply(state, surroundings, action)
    return refusal.value.facts


def test_refusals_carry_the_numbers_that_decided_them() -> None:
    """S1: each number is the one of the check, with its sign."""
    state = busy()
    assert facts_of(state, env(), Trade(ACCOUNT, 9, W, ANY_PRICE)) == {"market": 9}
    assert facts_of(state, env(), Trade(ACCOUNT, BTC, W + 1, ANY_PRICE)) == {"lot": W // 1_000}
    assert facts_of(state, env(), Trade(ACCOUNT, BTC, W, 5)) == {
        "price": BTC_PRICE,
        "impact": 24 * W // 10,  # from a skew of 2.5 to 3.5
        "acceptable": 5,
    }
    assert facts_of(state, env(), Trade(ACCOUNT, BTC, -W + W // 1_000, 0)) == {"notional": 8 * W}
    assert facts_of(state, env(), Deposit(ACCOUNT, 9, 1)) == {"token": 9}
    assert facts_of(state, env(), Deposit(ACCOUNT, 0, 2**96)) == {"value": 2**96}
    assert facts_of(state, env(), Withdraw(ACCOUNT, 0, 10**12)) == {"cash": 1_000 * W}
    assert facts_of(state, env(), Withdraw(ACCOUNT, WETH, 2 * 10**18)) == {"held": 10**18}
    assert facts_of(state, env(LIQUIDATOR), Liquidate(ACCOUNT)) == {
        "equity_mm": 1_180 * W,
        "maintenance_margin": 210 * W,
    }
    # 1,000 less a fee of 16 and an impact of 14.40, 85 % of 200; 5 BTC at 5 % and the reserve of 10.
    assert facts_of(state, env(), Trade(ACCOUNT, BTC, 4 * W, ANY_PRICE)) == {
        "equity_im": 1_139 * W + 6 * W // 10,
        "initial_margin": 2_010 * W,
    }
    owing = state_with({ACCOUNT: holding(-7 * W, {WETH: 10**21})}, deficit=5)
    rich = state_with({ACCOUNT: holding(-7 * W, {WETH: 10**21})}, pool=100 * W)
    poor = replace(rich, risk=with_risk(debt_cap=0, lock_ratio=0))
    assert facts_of(poor, env(), Trade(ACCOUNT, BTC, W, ANY_PRICE)) == {"debt": 11 * W + 4 * W // 10}
    assert facts_of(owing, env(), DepositToPool(1)) == {"deficit": 5}
    empty = state_with({ACCOUNT: holding(10**12)}, deficit=10**12)
    assert facts_of(empty, env(), Withdraw(ACCOUNT, 0, 1)) == {"held": 0}


def test_a_refused_reduction_says_how_far_health_fell() -> None:
    """MRG-11, S1: the change of equity_mm less maintenance margin, and the account value where that decided."""
    risk = with_risk(keeper_reserve=0)
    fee = W // 100
    rows = (MarginBracket(0, W // 200, W // 100),)
    dear = replace(MARKETS[BTC], maker_fee=fee, taker_fee=fee, rebate_ratio=0, brackets=rows)
    positions = {BTC: opened(W, BTC_PRICE)}
    state = state_with({ACCOUNT: holding(79 * W, {}, positions)}, risk=risk, markets=(dear, MARKETS[ETH]))
    # Half frees 20 of margin for a fee of 40; all of it 40 for 80, and leaves a dollar too little.
    assert facts_of(state, env(), Trade(ACCOUNT, BTC, -W // 2, 0)) == {"change": -20 * W}
    assert facts_of(state, env(), Trade(ACCOUNT, BTC, -W, 0)) == {"change": -40 * W, "equity_raw": -W}
