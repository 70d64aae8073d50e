# @title Price status bits (ORC-2)
# @notice Twin of Status in protocol/env.py.

NON_POSITIVE: constant(uint256) = 1
STALE_HARD: constant(uint256) = 4
OUT_OF_BOUNDS: constant(uint256) = 64
UNAVAILABLE: constant(uint256) = 8192
