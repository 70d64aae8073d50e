"""Every refusal code is told to both twins by a short story, which leads to it and ends with what is refused.

Random stories reach most of these, but not each of them in every run.
"""

from __future__ import annotations

import pytest

from contracts_py.compile import Artifact
from oracle.errors import REFUSALS
from protocol.actions import Deposit
from tests.contracts_py.test_tokens import command, refused_on_chain, twins_with
from tests.lockstep.both import BORROWER
from tests.lockstep.refusals.telling import ELSEWHERE, FROM_THE_START, TOLD
from tests.lockstep.sequences import OUTCOMES
from tests.twins import USDC, Twins


@pytest.mark.parametrize("code", sorted(REFUSALS.keys() - ELSEWHERE))
def test_every_refusal_is_reached_on_both(twins: Twins, bare_twins: Twins, code: str) -> None:
    """S3: both twins refuse with this code, and their states stay equal."""
    both = bare_twins if code in FROM_THE_START else twins
    count = 0
    for sender, action in TOLD[code](both):
        both.do(sender, action, refused=code)
        OUTCOMES[type(action).__name__, code] += 1
        count += 1
    assert count > 0
    both.check_states()


# --- codes that no action of the model has --------------------------------------------------------------------------


def test_a_token_that_fails_is_refused_by_the_contracts(twins: Twins) -> None:
    """DEP-3: the model knows no token contracts, so only the chain can find out that a sender has nothing."""
    assert refused_on_chain(twins, "penniless", Deposit(BORROWER, USDC, 1)) == "token/transfer-failed"
    OUTCOMES["Deposit", "token/transfer-failed"] += 1


def test_a_token_that_takes_a_fee_is_refused_by_the_contracts(artifacts: dict[str, Artifact]) -> None:
    """DEP-3: the vault received less than it was told."""
    hostile = twins_with("HostileToken", artifacts)
    command(hostile, USDC, "misbehave(uint256,bool,bool)", 1, False, False)
    assert refused_on_chain(hostile, "borrower", Deposit(BORROWER, USDC, 1_000)) == "token/amount-mismatch"
    OUTCOMES["Deposit", "token/amount-mismatch"] += 1
