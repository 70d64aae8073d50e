# @title What sizes and units are worth at a price
# @notice Twin of compute_notional, compute_pnl and compute_token_value in protocol/margin.py and collateral.py.
# @dev Sizes, units and totals are below 2**128, prices below 2**96, decimals at most 24: no product reaches 2**255.

from modules import calc


@internal
@pure
def compute_notional(size: int256, price: uint256) -> uint256:
    """Absolute value of a position at a price, rounded up against the account (MRG-1)."""
    return calc.ucdiv(calc.magnitude(size) * price, calc.W)


@internal
@pure
def compute_pnl(size: int256, cost: int256, price: uint256) -> int256:
    """Unrealised profit of a position at a price, rounded down against the account (MRG-2)."""
    return calc.fdiv(size * convert(price, int256), calc.WI) - cost


@internal
@pure
def compute_token_value(units: uint256, price: uint256, decimals: uint256) -> uint256:
    """Market value of token units, rounded down against the account (COL-1)."""
    return units * price // 10**decimals
