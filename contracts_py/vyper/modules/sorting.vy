# @title Sorting thirteen numbers in memory
# @notice Batcher's odd-even merge for 13 inputs: 48 comparisons of fixed places, whatever the numbers. Indices that
#         are written out need no check at run time, so this is cheaper than a loop, and nobody who chooses the
#         numbers chooses the gas.

LENGTH: constant(uint256) = 13


@internal
@pure
def ascending(numbers: uint256[LENGTH]) -> uint256[LENGTH]:
    """The same numbers, smallest first (MED-4)."""
    v: uint256[LENGTH] = numbers
    v[0], v[8] = self._order(v[0], v[8])
    v[1], v[9] = self._order(v[1], v[9])
    v[2], v[10] = self._order(v[2], v[10])
    v[3], v[11] = self._order(v[3], v[11])
    v[4], v[12] = self._order(v[4], v[12])
    v[0], v[4] = self._order(v[0], v[4])
    v[1], v[5] = self._order(v[1], v[5])
    v[2], v[6] = self._order(v[2], v[6])
    v[3], v[7] = self._order(v[3], v[7])
    v[8], v[12] = self._order(v[8], v[12])
    v[4], v[8] = self._order(v[4], v[8])
    v[5], v[9] = self._order(v[5], v[9])
    v[6], v[10] = self._order(v[6], v[10])
    v[7], v[11] = self._order(v[7], v[11])
    v[0], v[2] = self._order(v[0], v[2])
    v[1], v[3] = self._order(v[1], v[3])
    v[4], v[6] = self._order(v[4], v[6])
    v[5], v[7] = self._order(v[5], v[7])
    v[8], v[10] = self._order(v[8], v[10])
    v[9], v[11] = self._order(v[9], v[11])
    v[2], v[8] = self._order(v[2], v[8])
    v[3], v[9] = self._order(v[3], v[9])
    v[6], v[12] = self._order(v[6], v[12])
    v[2], v[4] = self._order(v[2], v[4])
    v[3], v[5] = self._order(v[3], v[5])
    v[6], v[8] = self._order(v[6], v[8])
    v[7], v[9] = self._order(v[7], v[9])
    v[10], v[12] = self._order(v[10], v[12])
    v[0], v[1] = self._order(v[0], v[1])
    v[2], v[3] = self._order(v[2], v[3])
    v[4], v[5] = self._order(v[4], v[5])
    v[6], v[7] = self._order(v[6], v[7])
    v[8], v[9] = self._order(v[8], v[9])
    v[10], v[11] = self._order(v[10], v[11])
    v[1], v[8] = self._order(v[1], v[8])
    v[3], v[10] = self._order(v[3], v[10])
    v[5], v[12] = self._order(v[5], v[12])
    v[1], v[4] = self._order(v[1], v[4])
    v[3], v[6] = self._order(v[3], v[6])
    v[5], v[8] = self._order(v[5], v[8])
    v[7], v[10] = self._order(v[7], v[10])
    v[9], v[12] = self._order(v[9], v[12])
    v[1], v[2] = self._order(v[1], v[2])
    v[3], v[4] = self._order(v[3], v[4])
    v[5], v[6] = self._order(v[5], v[6])
    v[7], v[8] = self._order(v[7], v[8])
    v[9], v[10] = self._order(v[9], v[10])
    v[11], v[12] = self._order(v[11], v[12])
    return v


@internal
@pure
def _order(one: uint256, other: uint256) -> (uint256, uint256):
    """Two numbers, the smaller first."""
    if one > other:
        return other, one
    return one, other
