"""The exponential function on integers at scale W, to the wei as the contracts compute it (AVG-1)."""

from __future__ import annotations

# At or below this exponent the result is less than a wei; from the other on it does not fit a signed word.
LOWEST_EXPONENT = -41_446_531_673_892_822_313
EXPONENT_LIMIT = 135_305_999_368_893_231_589

# 5^18 / 2^78 is W / 2^96: what brings scale W to the binary scale 2^96.
BINARY_SHIFT, BINARY_DIVISOR = 78, 5**18
LN2 = 54_916_777_467_707_473_351_141_471_128  # ln 2, scale 2^96

# exp on (-ln 2 / 2, ln 2 / 2) as p(x) / q(x), of degrees 6 and 7; coefficients at scale 2^96 unless said otherwise.
P_INNER = (1_346_386_616_545_796_478_920_950_773_328, 57_155_421_227_552_351_082_224_309_758_442)
P_OUTER = (-94_201_549_194_550_492_254_356_042_504_812, 28_719_021_644_029_726_153_956_944_680_412_240)
P_CONSTANT = 4_385_272_521_454_847_904_659_076_985_693_276 << 96  # scale 2^192
Q = (  # from the highest power but one down; that of x^7 is 1
    -2_855_989_394_907_223_263_936_484_059_900,
    50_020_603_652_535_783_019_961_831_881_945,
    -533_845_033_583_426_703_283_633_433_725_380,
    3_604_857_256_930_695_427_073_651_918_091_429,
    -14_423_608_567_350_463_180_887_372_962_807_573,
    26_449_188_498_355_588_339_934_803_723_976_023,
)
# What p / q lacks, times W / 2^96, at a scale that leaves a shift of 195 less the power of two.
RESULT_FACTOR = 3_822_833_074_963_236_453_042_738_258_902_158_003_155_416_615_667
RESULT_SHIFT = 195


def tdiv(numerator: int, denominator: int) -> int:
    """Quotient rounded toward 0, as the EVM divides signed numbers."""
    quotient = abs(numerator) // abs(denominator)
    return quotient if (numerator < 0) == (denominator < 0) else -quotient


def wad_exp(exponent: int) -> int:
    """``e`` to ``exponent``, both at scale W (AVG-1).

    The exponent is ``k * ln 2`` and a rest, the result ``2^k`` times a quotient of two polynomials of the rest. Less
    than a wei from the true value for exponents that are not positive; ``wad_exp(0)`` is W. Shifts of negative
    numbers round down, as the EVM's do. No step leaves a signed word but the last product, which is unsigned and
    below 2^256: nothing wraps around. Raises ``OverflowError`` from ``EXPONENT_LIMIT`` on.
    """
    if exponent <= LOWEST_EXPONENT:
        return 0
    if exponent >= EXPONENT_LIMIT:
        raise OverflowError(exponent)
    scaled = tdiv(exponent << BINARY_SHIFT, BINARY_DIVISOR)
    power = (tdiv(scaled << 96, LN2) + 2**95) >> 96
    rest = scaled - power * LN2
    quotient = tdiv(compute_p(rest), compute_q(rest))
    return (quotient * RESULT_FACTOR) >> (RESULT_SHIFT - power)


def compute_p(x: int) -> int:
    """The dividend's polynomial, at scale 2^192, so that the quotient is at scale 2^96."""
    y = ((x + P_INNER[0]) * x >> 96) + P_INNER[1]
    return (((y + x + P_OUTER[0]) * y >> 96) + P_OUTER[1]) * x + P_CONSTANT


def compute_q(x: int) -> int:
    """The divisor's polynomial, at scale 2^96; it has no real zero, so it is positive."""
    result = x + Q[0]
    for coefficient in Q[1:]:
        result = (result * x >> 96) + coefficient
    return result
