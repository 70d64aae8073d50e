# @title Margin checks
# @notice Twin of check_initial_margin in protocol/vault.py.

from interfaces import ISelf
from modules import accounts
from modules import calc
from modules import prices
from modules import types

uses: accounts


@internal
@view
def check_initial_margin(account: uint256):
    """Refuse an account left below its initial margin; one that owes nothing and holds no position passes (MRG-6)."""
    header: uint256 = accounts.headers[account]
    if calc.signed_high(header) >= 0 and header & accounts.MARKETS_MASK == 0:
        return
    health: types.Health = staticcall ISelf(self).self_health(account)
    prices.check_usable(health.price_status)
    assert health.equity_im >= convert(health.initial_margin, int256), "margin/initial"
