# @title Nodes of the price graph: kinds, bounds of their parameters, and units
# @notice Twin of oracle/nodes.py.

from modules import quotes

# Kinds (GRA-2).
SOURCE: constant(uint256) = 1
AGGREGATOR: constant(uint256) = 2
FIXED: constant(uint256) = 3
MUL: constant(uint256) = 4
DIV: constant(uint256) = 5
INVERT: constant(uint256) = 6
MEDIAN: constant(uint256) = 7
MIN: constant(uint256) = 8
MAX: constant(uint256) = 9
RECENT: constant(uint256) = 10
FIRST_OK: constant(uint256) = 11
STALENESS: constant(uint256) = 12
DEVIATION: constant(uint256) = 13
BOUNDS: constant(uint256) = 14
CONFIDENCE: constant(uint256) = 15
BREAKER: constant(uint256) = 16
SEQUENCER: constant(uint256) = 17
HOURS: constant(uint256) = 18
HALT: constant(uint256) = 19
ENVELOPE: constant(uint256) = 20

MAX_PARENTS: constant(uint256) = quotes.MAX_LEGS
SENT_PARENTS: constant(uint256) = MAX_PARENTS + 1  # room for one too many, so that it is refused and not undecodable

MAX_SOURCE_DECIMALS: constant(uint256) = 36
PRICE_LIMIT: constant(uint256) = 2**96
MASK_128: constant(uint256) = 2**128 - 1
MASK_160: constant(uint256) = 2**160 - 1


@internal
@pure
def check_parents(kind: uint256, parents: DynArray[bytes32, SENT_PARENTS]):
    """Refuse a wrong number of parents, or one parent twice (GRA-2)."""
    count: uint256 = len(parents)
    if kind <= FIXED:
        assert count == 0, "oracle/node-parents"
    elif kind >= MEDIAN and kind <= FIRST_OK:
        assert count >= 2 and count <= MAX_PARENTS, "oracle/node-parents"
    elif kind == MUL or kind == DIV or kind == DEVIATION or kind == ENVELOPE:
        assert count == 2, "oracle/node-parents"
    else:
        assert count == 1, "oracle/node-parents"
    for i: uint256 in range(count, bound=SENT_PARENTS):
        for j: uint256 in range(i, bound=SENT_PARENTS):
            assert parents[i] != parents[j], "oracle/node-parents"


@internal
@pure
def check_params(kind: uint256, params: uint256[4], count: uint256):
    """Refuse a parameter outside its bounds, and one that is not 0 where the kind has none (GRD-9)."""
    a: uint256 = params[0]
    b: uint256 = params[1]
    c: uint256 = params[2]
    fits: bool = a == 0 and b == 0 and c == 0
    if kind <= FIXED:
        # All three have their unit in the third place.
        fits = c >> 128 != 0 and c & MASK_128 != 0
        if kind == SOURCE:
            fits = fits and a != 0 and a <= MASK_160 and params[3] <= MAX_SOURCE_DECIMALS
        elif kind == AGGREGATOR:
            fits = fits and a != 0 and a <= MASK_160 and b <= MAX_SOURCE_DECIMALS
        else:
            fits = fits and a != 0 and a < PRICE_LIMIT and b == 0
    elif kind == MEDIAN:
        # A majority, so that no two sets of legs without a common one can each make a price.
        fits = a <= count and 2 * a > count and b == 0 and c == 0
    elif kind == STALENESS:
        fits = a <= b and b >= 60 and b <= 3 * 86_400 and c <= 60
    elif kind == DEVIATION:
        fits = a != 0 and a <= 5_000 and b == 0 and c == 0
    elif kind == BOUNDS:
        fits = a < b and b <= PRICE_LIMIT and c <= 5_000
    elif kind == CONFIDENCE:
        fits = a >= 10 and a <= 500 and b == 0 and c == 0
    elif kind == BREAKER:
        fits = a >= 10_100 and a <= 100_000 and b >= 60 and b <= 86_400 and c != 0 and c <= 16
    elif kind == SEQUENCER:
        fits = a <= MASK_160 and b <= 86_400 and c == 0
    elif kind == HOURS:
        fits = a != 0 and a < 2**7 and b < 86_400 and c != 0 and c < 7 * 86_400
    assert fits and (params[3] == 0 or kind == SOURCE), "oracle/node-params"


@internal
@pure
def compute_unit(kind: uint256, params: uint256[4], parents: DynArray[uint256, MAX_PARENTS]) -> uint256:
    """The unit of a node over parents of the given units (GRA-3)."""
    if kind <= FIXED:
        return params[2]
    first: uint256 = parents[0]
    if kind == INVERT:
        return self.swap(first)
    if kind == MUL:
        return self.multiply_units(first, parents[1])
    if kind == DIV:
        return self.multiply_units(first, self.swap(parents[1]))
    for unit: uint256 in parents:
        assert unit == first, "oracle/units"
    return first


@internal
@pure
def swap(unit: uint256) -> uint256:
    """The unit of one over a price."""
    return (unit << 128) | (unit >> 128)


@internal
@pure
def multiply_units(a: uint256, b: uint256) -> uint256:
    """The unit of a product: the quote of one cancels the base of the other (GRA-3)."""
    if a & MASK_128 == b >> 128:
        return ((a >> 128) << 128) | (b & MASK_128)
    assert a >> 128 == b & MASK_128, "oracle/units"
    return ((b >> 128) << 128) | (a & MASK_128)


@internal
@pure
def pack_params(kind: uint256, params: uint256[4]) -> (uint256, uint256):
    """Parameters as what fits into the header, and a word of its own for the rest."""
    if kind == SOURCE:
        return params[0] | (params[3] << 160), params[1]
    if kind == AGGREGATOR:
        return params[0] | (params[1] << 160), 0
    if kind == FIXED:
        return params[0], 0
    if kind == BOUNDS:
        return params[2], params[0] | (params[1] << 128)
    if kind == SEQUENCER:
        return params[1], params[0]
    return params[0] | (params[1] << 24) | (params[2] << 48), 0
