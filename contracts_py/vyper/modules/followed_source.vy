# @title Reading a source that may fail
# @notice A source that reverts, is no contract or answers too little has no price.

from modules import price_status


@internal
@view
def read(source: address, key: bytes32) -> (uint256, uint256, uint256, uint256, uint256):
    """
    @notice Bid, mid, ask, publish time and status of a source's quote; never reverts.
    """
    success: bool = False
    response: Bytes[160] = b""
    success, response = raw_call(
        source,
        abi_encode(key, method_id=method_id("quote(bytes32)")),
        max_outsize=160,
        is_static_call=True,
        revert_on_failure=False,
    )
    if not success or len(response) != 160:
        return 0, 0, 0, 0, price_status.UNAVAILABLE
    return abi_decode(response, (uint256, uint256, uint256, uint256, uint256))
