"""What a vault remembers when it has just been deployed, and how accounts are named."""

from __future__ import annotations

from protocol.params import RiskParams
from protocol.records import Table
from protocol.state import (
    NO_POSITION,
    NO_RISK,
    Ledger,
    Market,
    Position,
    Roles,
    State,
    Token,
    account_id,
    genesis,
    owner_of,
)


def test_a_vault_begins_with_nothing() -> None:
    """GOV-1 to GOV-4: no parameters, no money, nothing paused; roles and the number of tokens are given."""
    assert genesis(admin=1, guardian=2, tokens=3) == State(
        roles=Roles(1, 2),
        opening_paused=False,
        risk=RiskParams(
            keeper_reserve=0,
            margin_call_buffer=0,
            backstop_ratio=0,
            fixed_reward=0,
            reward_ratio=0,
            max_reward=0,
            reward_cap=0,
            penalty_ratio=0,
            debt_cap=0,
            insurance_fee_share=0,
            insurance_penalty_share=0,
            sale_discount=0,
        ),
        market_params=(),
        collateral_params=(),
        accounts=Table(),
        markets=(),
        tokens=(Token(0, 0), Token(0, 0), Token(0, 0)),
        ledger=Ledger(0, 0, 0, 0, 0),
        shares=Table(),
    )
    assert genesis(1, 2, 3).risk == NO_RISK
    assert Position(0, 0) == NO_POSITION


def test_the_skew_is_the_net_size_of_all_traders() -> None:
    """FIL-3: positive when traders are long."""
    assert [Market(*sides, 9).skew for sides in ((5, 3), (3, 5), (4, 4))] == [2, -2, 0]


def test_an_account_id_names_its_owner_and_its_number() -> None:
    """DEP-1: 96 bits for the number, the owner above."""
    assert account_id(7) == 7 << 96
    assert account_id(7, 2**96 - 1) == (8 << 96) - 1
    for sub in (0, 1, 2**96 - 1):
        assert owner_of(account_id(7, sub)) == 7
    assert owner_of(2**96 - 1) == 0
