"""Gifts to the insurance fund."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.actions import FundInsurance
from protocol.events import LedgerUpdated, TokenUpdated
from protocol.state import USDC, Token
from protocol.units import UNITS_LIMIT, UNSIGNED_LIMIT, USDC_TO_W
from tests.protocol.build import ACCOUNT, BORROWER, STRANGER, env, holding, outcome_of, refused, run, state_with


@pytest.mark.parametrize("sender", [BORROWER, STRANGER])
def test_anyone_may_fund_insurance(sender: int) -> None:
    """INS-1: the fund grows by the dollars given, and nobody gets anything for it."""
    state = state_with({ACCOUNT: holding(5)}, pool=1, insurance=2)
    held = state.tokens[USDC].held
    outcome = run(state, env(sender), FundInsurance(3))
    assert outcome.events == (
        TokenUpdated(USDC, held + 3, 0),
        LedgerUpdated(1, 2 + 3 * 10**12, 0, 0, 0, 0),
    )
    assert outcome.state.accounts == state.accounts
    assert outcome.state.stakes == state.stakes


@pytest.mark.parametrize(
    ("units", "code"),
    [
        (0, "amount/zero"),
        (1, "ok"),
        (UNITS_LIMIT, "sys/domain"),
        (UNITS_LIMIT - 1, "sys/domain"),
        ((UNSIGNED_LIMIT - 1) // USDC_TO_W + 1, "sys/domain"),
        ((UNSIGNED_LIMIT - 1) // USDC_TO_W, "ok"),
    ],
)
def test_insurance_holds_what_its_word_holds(units: int, code: str) -> None:
    """INS-1, UNIT-3, T9: at least one unit, at most 128 bits of dollars in the fund."""
    assert outcome_of(state_with(), env(), FundInsurance(units)) == code


def test_the_vault_refuses_usdc_it_cannot_record() -> None:
    """INS-1, UNIT-3: the vault's own record comes first."""
    state = replace(state_with(), tokens=(Token(UNSIGNED_LIMIT - 1, 0), Token(0, 0)))
    assert refused(state, env(), FundInsurance(1)) == "sys/domain"
