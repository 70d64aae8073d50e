# pragma version 0.4.3
# @title A source that answers what it was told to

given: uint256[5]
fails: bool


@external
def give(given: uint256[5], fails: bool):
    """
    @notice Bid, mid, ask, publish time and status from now on, or a revert.
    """
    self.given = given
    self.fails = fails


@external
@view
def quote(key: bytes32) -> (uint256, uint256, uint256, uint256, uint256):
    """
    @notice What was given, only under the key 7.
    """
    assert not self.fails, "not today"
    assert convert(key, uint256) == 7, "another key"
    return self.given[0], self.given[1], self.given[2], self.given[3], self.given[4]
