# pragma version 0.4.3
# @title A source that answers too little


@external
@view
def quote(key: bytes32) -> uint256:
    """
    @notice One word where five are due.
    """
    return 10**18
