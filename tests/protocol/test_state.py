"""What a vault remembers when it has just been deployed, and how accounts are named."""

from __future__ import annotations

from dataclasses import astuple, replace

from protocol.params import RiskParams
from protocol.records import Table
from protocol.state import (
    EMPTY_MARKET,
    EMPTY_WINDOW,
    INSTANT,
    NO_ORDER,
    NO_POSITION,
    NO_RISK,
    NO_STAKE,
    Ledger,
    Position,
    RiskPhase,
    Roles,
    Stake,
    State,
    Token,
    Window,
    account_id,
    genesis,
    owner_of,
)


def test_a_vault_begins_with_nothing() -> None:
    """GOV-1 to GOV-4: no parameters, no money, nothing paused; roles and the number of tokens are given."""
    assert genesis(admin=1, guardian=2, tokens=3) == State(
        roles=Roles(1, 0, 2),
        opening_paused=False,
        risk=NO_RISK,
        risk_phase=RiskPhase(0, 0, 0),
        market_params=(),
        market_phases=(),
        order_params=(),
        collateral_params=(),
        collateral_phases=(),
        accounts=Table(),
        markets=(),
        windows=(),
        tokens=(Token(0, 0), Token(0, 0), Token(0, 0)),
        ledger=Ledger(0, 0, 0, 0, 0, 0),
        escrow=0,
        stakes=Table(),
    )


def test_what_is_empty_is_zero_in_every_field() -> None:
    """What a record is before anything happened; a field added later begins at 0 as well."""
    assert Position(0, 0, 0) == NO_POSITION
    assert Stake(0, 0, 0) == NO_STAKE
    assert not any(astuple(NO_ORDER))
    assert not any(astuple(INSTANT))
    assert Window(0, ()) == EMPTY_WINDOW
    assert not any(astuple(EMPTY_MARKET))
    assert isinstance(NO_RISK, RiskParams)
    assert not any(astuple(NO_RISK)), "no ratios, and no equity tiers either"


def test_the_skew_is_the_net_size_of_all_traders() -> None:
    """FIL-2, FIL-3: positive when traders are long."""
    sides = ((5, 3), (3, 5), (4, 4))
    assert [replace(EMPTY_MARKET, long_oi=long, short_oi=short).skew for long, short in sides] == [2, -2, 0]


def test_an_account_id_names_its_owner_and_its_number() -> None:
    """DEP-1: 96 bits for the number, the owner above."""
    assert account_id(7) == 7 << 96
    assert account_id(7, 2**96 - 1) == (8 << 96) - 1
    for sub in (0, 1, 2**96 - 1):
        assert owner_of(account_id(7, sub)) == 7
    assert owner_of(2**96 - 1) == 0
