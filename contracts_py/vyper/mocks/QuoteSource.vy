# pragma version 0.4.3
# @title QuoteSource: a source that answers what it is told, or misbehaves
# @notice For local chains and tests only. It answers under the interface of quotes, by key, and as an AggregatorV3.

WORKS: constant(uint256) = 0
REVERTS: constant(uint256) = 1
RUNS_OUT: constant(uint256) = 2
REVERTS_WITH_ANSWER: constant(uint256) = 4
TOILS: constant(uint256) = 3  # answers, after some 150,000 gas
ROUND: constant(bytes32) = empty(bytes32)  # the key of what it answers as an AggregatorV3

answers: HashMap[bytes32, Bytes[1024]]
faults: HashMap[bytes32, uint256]


@external
def set_answer(key: bytes32, answer: Bytes[1024], fault: uint256):
    """
    @notice Choose the bytes answered for a key, and whether to fail instead.
    """
    self.answers[key] = answer
    self.faults[key] = fault


@external
def set_quotes(keys: DynArray[bytes32, 32], quotes: DynArray[uint256[5], 32]):
    """
    @notice Choose bid, mid, ask, publish time and status of several keys.
    """
    for i: uint256 in range(len(keys), bound=32):
        self.answers[keys[i]] = abi_encode(quotes[i])
        self.faults[keys[i]] = WORKS


@external
@view
@raw_return
def quote(key: bytes32) -> Bytes[1024]:
    """
    @notice The answer chosen for a key.
    """
    return self._answer(key)


@external
@view
@raw_return
def latestRoundData() -> Bytes[1024]:
    """
    @notice The answer chosen for the empty key.
    """
    return self._answer(ROUND)


@internal
@view
def _answer(key: bytes32) -> Bytes[1024]:
    fault: uint256 = self.faults[key]
    assert fault != REVERTS, "source/told-to"
    if fault == REVERTS_WITH_ANSWER:
        raw_revert(self.answers[key])
    assert fault != RUNS_OUT, UNREACHABLE  # burns all it was given
    if fault == TOILS:
        waste: bytes32 = key
        for i: uint256 in range(1_500):
            waste = keccak256(waste)
    return self.answers[key]
