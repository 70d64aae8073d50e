# @title Reading a source that may fail
# @notice A source that reverts, is no contract, burns what it gets or answers too little has no price.

from modules import price_status


@internal
@view
def read(source: address, key: bytes32, most: uint256) -> (uint256, uint256, uint256, uint256, uint256):
    """
    @notice Bid, mid, ask, publish time and status of a source's quote, for at most so much gas (SRC-2).
    @dev Whoever sends too little gas could make a source fail that is well: that is refused, and nothing else. The
         63/64 that a call may pass on must hold it all after the call itself is paid for (EIP-150).
    """
    assert msg.gas >= most * 64 // 63 + 6_000, "oracle/gas"
    success: bool = False
    response: Bytes[160] = b""
    success, response = raw_call(
        source,
        abi_encode(key, method_id=method_id("quote(bytes32)")),
        max_outsize=160,
        gas=most,
        is_static_call=True,
        revert_on_failure=False,
    )
    if not success or len(response) != 160:
        return 0, 0, 0, 0, price_status.UNAVAILABLE
    return abi_decode(response, (uint256, uint256, uint256, uint256, uint256))
