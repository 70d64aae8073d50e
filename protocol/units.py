"""Fixed-point units and the only divisions of the rulebook (UNIT-1 to UNIT-3).

Prices, sizes, ratios and dollars are integers at scale W. Token amounts keep their native decimals and
meet W only where tokens enter and leave. The aliases below name what an ``int`` holds.
"""

W = 10**18
BPS = 10**4
USDC_TO_W = 10**12  # USDC has 6 decimals

Usd = int  # dollars, scale W
Price = int  # dollars per whole base unit, scale W
Size = int  # base units, scale W, signed: + is long
Ratio = int  # dimensionless, scale W
Bps = int  # dimensionless, scale 10^4
Units = int  # token units, native decimals
Seconds = int  # unix time or a duration

# Widths of the packed words on chain; the model refuses what the contract could not store (UNIT-3).
PRICE_LIMIT = 2**96
SIZE_LIMIT = 2**96
UNITS_LIMIT = 2**96
SIGNED_LIMIT = 2**127
UNSIGNED_LIMIT = 2**128


def fdiv(numerator: int, denominator: int) -> int:
    """Quotient rounded toward minus infinity; for what an account receives or owns (UNIT-1)."""
    return numerator // denominator


def cdiv(numerator: int, denominator: int) -> int:
    """Quotient rounded toward plus infinity; for what an account pays or must hold (UNIT-1)."""
    return -(-numerator // denominator)
