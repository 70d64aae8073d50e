# pragma version 0.4.3
# pragma nonreentrancy on
# @title Risk: what accounts are worth and must hold
# @notice Measured once here; every engine and every view asks this code.
# @custom:kill Views cannot be stopped.

from modules import storage
initializes: storage

from modules import accounts
from modules import margin
from modules import markets
from modules import parameters
from modules import peg
from modules import prices
from modules import roles
from modules import states
from modules import tiers
from modules import types

initializes: prices[roles := roles]
initializes: peg[parameters := parameters, prices := prices]
initializes: tiers[parameters := parameters]
initializes: states[parameters := parameters, tiers := tiers]
initializes: margin[
    accounts := accounts,
    markets := markets,
    parameters := parameters,
    peg := peg,
    prices := prices,
    tiers := tiers,
]


@external
@view
@reentrant
def self_health(account: uint256) -> types.Health:
    """
    @notice The health of an account as storage stands in the middle of an action; only for the protocol itself.
    """
    assert msg.sender == self, "sys/self-only"
    return margin.compute_health(account)


@external
@view
@reentrant
def self_sound_health(account: uint256) -> types.Health:
    """
    @notice The same without the collateral whose price has a fault; only for the protocol itself.
    """
    assert msg.sender == self, "sys/self-only"
    return margin.compute_health(account, True)


@external
@view
def health(account: uint256) -> types.Health:
    """
    @notice The health of an account now. Never reverts; unusable prices show in price_status.
    """
    return margin.compute_health(account)


@external
@view
def account_state(account: uint256) -> uint256:
    """
    @notice Where an account stands: 0 bankrupt, 1 backstop, 2 liquidatable, 3 margin call, 4 restricted, 5 healthy.
    """
    return states.compute_account_state(margin.compute_health(account))
