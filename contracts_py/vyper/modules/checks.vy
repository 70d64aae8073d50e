# @title Checks
# @notice Twin of protocol/checks.py.

from interfaces import ISelf
from modules import accounts
from modules import calc
from modules import funding
from modules import markets
from modules import policy
from modules import records
from modules import tiers
from modules import types
from modules import valuation

uses: (accounts, markets, records, tiers)


@internal
@view
def check_registered(account: uint256) -> uint256:
    """The header of an account to which something was ever credited."""
    header: uint256 = accounts.headers[account]
    assert header & accounts.REGISTERED != 0, "account/unknown"
    return header


@internal
@pure
def is_owner(account: uint256, sender: address) -> bool:
    """Whether the sender owns the account."""
    return account >> 96 == convert(convert(sender, bytes32), uint256)


@internal
@view
def check_owner(account: uint256) -> uint256:
    """The header of an account that the sender owns."""
    header: uint256 = self.check_registered(account)
    assert self.is_owner(account, msg.sender), "account/not-owner"
    return header


@internal
@view
def check_trader(account: uint256, sender: address) -> uint256:
    """The header of an account whose owner or operator the sender is."""
    header: uint256 = self.check_registered(account)
    assert self.is_owner(account, sender) or accounts.operators[account] == sender, "account/not-trader"
    return header


@internal
@pure
def check_no_orders(header: uint256):
    """Refuse to take margin away from a pending order, which would be a way to cancel it (ORD-8)."""
    assert header & accounts.HAS_ORDERS == 0, "order/pending"


@internal
def check_initial_margin(account: uint256, tolerated: uint256 = 0):
    """
    Refuse an account left below its initial margin or its equity tier; one that passes loses its flag (MRG-10).
    Tolerated are faults of prices that the action takes beside those of its row.
    """
    header: uint256 = accounts.headers[account]
    if calc.signed_high(header) < 0 or header & accounts.MARKETS_MASK != 0:
        health: types.Health = staticcall ISelf(self).self_health(account)
        policy.check_accepted(policy.NEW_RISK | tolerated, health.price_status)
        assert health.equity_im >= convert(health.initial_margin, int256), "margin/initial"
        assert not tiers.is_below_tiers(health), "margin/equity-tier"
    records.put_flag(account, 0)


@internal
def check_remaining_margin(account: uint256):
    """
    Refuse an account left below its initial margin or its equity tier by an action at the prices of now (MRG-15).
    Collateral whose price has a fault counts nothing and needs no price, if the rest is enough.
    """
    header: uint256 = accounts.headers[account]
    if calc.signed_high(header) < 0 or header & accounts.MARKETS_MASK != 0:
        sound: types.Health = staticcall ISelf(self).self_sound_health(account)
        is_enough: bool = sound.equity_im >= convert(sound.initial_margin, int256) and not tiers.is_below_tiers(sound)
        if is_enough and policy.is_accepted(policy.NEW_RISK, sound.price_status):
            records.put_flag(account, 0)
            return
    self.check_initial_margin(account)


@internal
@pure
def changes_sign(size: int256, target: int256) -> bool:
    """Whether a position would pass through zero."""
    return (size > 0 and target < 0) or (size < 0 and target > 0)


@internal
@pure
def is_reduction(size: int256, size_delta: int256) -> bool:
    """Whether a trade brings a position toward zero without changing its sign (TRD-4)."""
    target: int256 = size + size_delta
    return calc.magnitude(target) < calc.magnitude(size) and not self.changes_sign(size, target)


@internal
@view
def compute_position_health(
    market: uint256, word: uint256, size: int256, cost: int256, entry_index: int256, price: uint256
) -> int256:
    """One position's unrealised profit, pending funding included, less its maintenance margin (MRG-11)."""
    index: int256 = funding.project_index(markets.indices[market], markets.rates[market], price)
    mm: uint256 = 0
    im: uint256 = 0
    mm, im = tiers.compute_maintenance_in_force(market, word, valuation.compute_notional(size, price))
    pnl: int256 = valuation.compute_pnl(size, cost, price)
    return pnl - funding.compute_owed(size, entry_index, index) - convert(mm, int256)


@internal
@view
def check_solvent_exit(account: uint256, is_order: bool = False, tolerated: uint256 = 0):
    """
    Refuse the loss of health of an account without positions whose account value is below zero (MRG-11).
    At the prices of now, what it is worth without the collateral whose price has a fault is enough (MRG-15). The trade
    of an order needs every price; tolerated are faults that it takes beside those of its row. Beside a pending order it
    is always refused, whose margin it would take.
    """
    assert accounts.headers[account] & accounts.HAS_ORDERS == 0, "margin/reduce"
    if not is_order:
        sound: types.Health = staticcall ISelf(self).self_sound_health(account)
        if sound.equity_raw >= 0:
            return
    health: types.Health = staticcall ISelf(self).self_health(account)
    policy.check_accepted(policy.REDUCTION | tolerated, health.price_status)
    assert health.equity_raw >= 0, "margin/reduce"
