# @title Arithmetic with declared rounding
# @notice Twin of protocol/units.py and of the packed-word layout in specs/storage.md. Vyper truncates signed
#         quotients toward zero; the two divisions here are the only ones the rules use (UNIT-1).

W: constant(uint256) = 10**18
WI: constant(int256) = 10**18
BPS: constant(uint256) = 10**4
DAY: constant(uint256) = 86_400
USDC_TO_W: constant(uint256) = 10**12  # USDC has 6 decimals (UNIT-2)

# Widths of packed words (UNIT-3).
PRICE_LIMIT: constant(uint256) = 2**96
SIZE_LIMIT: constant(int256) = 2**96
UNITS_LIMIT: constant(uint256) = 2**96
RESERVED_LIMIT: constant(uint256) = 2**96
SIGNED_LIMIT: constant(int256) = 2**127
UNSIGNED_LIMIT: constant(uint256) = 2**128
INDEX_LIMIT: constant(int256) = 2**112
MASK_128: constant(uint256) = 2**128 - 1
MASK_96: constant(uint256) = 2**96 - 1
MASK_88: constant(uint256) = 2**88 - 1
MASK_80: constant(uint256) = 2**80 - 1
MASK_72: constant(uint256) = 2**72 - 1
MASK_64: constant(uint256) = 2**64 - 1
MASK_56: constant(uint256) = 2**56 - 1
MASK_40: constant(uint256) = 2**40 - 1
MASK_32: constant(uint256) = 2**32 - 1
MASK_16: constant(uint256) = 2**16 - 1


@internal
@pure
def fdiv(numerator: int256, denominator: int256) -> int256:
    """Quotient toward minus infinity, for what an account receives or owns; denominator > 0 (UNIT-1)."""
    quotient: int256 = unsafe_div(numerator, denominator)
    if unsafe_mul(quotient, denominator) > numerator:
        return unsafe_sub(quotient, 1)
    return quotient


@internal
@pure
def cdiv(numerator: int256, denominator: int256) -> int256:
    """Quotient toward plus infinity, for what an account pays or must hold; denominator > 0 (UNIT-1)."""
    quotient: int256 = unsafe_div(numerator, denominator)
    if unsafe_mul(quotient, denominator) < numerator:
        return unsafe_add(quotient, 1)
    return quotient


@internal
@pure
def ucdiv(numerator: uint256, denominator: uint256) -> uint256:
    """Unsigned quotient toward plus infinity; numerator + denominator < 2**256, denominator > 0."""
    return unsafe_div(unsafe_sub(unsafe_add(numerator, denominator), 1), denominator)


@internal
@pure
def high(word: uint256) -> uint256:
    """The upper, unsigned half of a packed word."""
    return word >> 128


@internal
@pure
def low(word: uint256) -> uint256:
    """The lower, unsigned half of a packed word."""
    return word & MASK_128


@internal
@pure
def signed_high(word: uint256) -> int256:
    """The upper half of a packed word, with its sign."""
    return convert(convert(word, bytes32), int256) >> 128


@internal
@pure
def signed_low(word: uint256) -> int256:
    """The lower half of a packed word, with its sign."""
    return convert(convert(word << 128, bytes32), int256) >> 128


@internal
@pure
def pack(upper: uint256, lower: uint256) -> uint256:
    """One word of two unsigned halves, each checked to fit (UNIT-3)."""
    assert upper < UNSIGNED_LIMIT and lower < UNSIGNED_LIMIT, "sys/domain"
    return (upper << 128) | lower


@internal
@pure
def half(number: int256) -> uint256:
    """A signed value as the 128 bits of half a word, checked to fit (UNIT-3)."""
    assert number >= -SIGNED_LIMIT and number < SIGNED_LIMIT, "sys/domain"
    return convert(convert(number, bytes32), uint256) & MASK_128


@internal
@pure
def magnitude(number: int256) -> uint256:
    """Absolute value; |number| < 2**255."""
    if number < 0:
        return convert(unsafe_sub(0, number), uint256)
    return convert(number, uint256)


@internal
@pure
def bits(number: int256) -> uint256:
    """A signed value as the bits of a word, for masking into a field."""
    return convert(convert(number, bytes32), uint256)


@internal
@pure
def signed_field(word: uint256, left: uint256, right: uint256) -> int256:
    """The field of a word that remains after shifting it left, then right with its sign."""
    return convert(convert(word << left, bytes32), int256) >> right
