# @title Price status bits (ORC-2)
# @notice Twin of Status in protocol/env.py.

NON_POSITIVE: constant(uint256) = 1
STALE_SOFT: constant(uint256) = 2
STALE_HARD: constant(uint256) = 4
FUTURE: constant(uint256) = 8
UNCERTAIN: constant(uint256) = 16
DEVIATED: constant(uint256) = 32
OUT_OF_BOUNDS: constant(uint256) = 64
CAPPED: constant(uint256) = 128
NO_QUORUM: constant(uint256) = 256
SEQ_DOWN: constant(uint256) = 512
SEQ_GRACE: constant(uint256) = 1024
HALTED: constant(uint256) = 2048
MARKET_CLOSED: constant(uint256) = 4096
UNAVAILABLE: constant(uint256) = 8192
