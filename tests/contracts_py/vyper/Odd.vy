# pragma version 0.4.3
# An engine whose functions the router must not pass on as they are.

@external
@view
def too_long() -> uint256[280]:
    return empty(uint256[280])


@external
@view
def panics(divisor: uint256) -> uint256:
    return 1 // divisor


@external
@view
def long_enough() -> uint256:
    return 7
