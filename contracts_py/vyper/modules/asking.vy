# @title Asking contracts that may fail, lie or burn gas
# @notice Such a contract harms nobody but whoever needs its answer (GRA-6).

SOURCE_GAS: constant(uint256) = 250_000
# The 63/64 that a call may pass on must hold SOURCE_GAS after the call itself is paid for (EIP-150).
GAS_FLOOR: constant(uint256) = SOURCE_GAS * 64 // 63 + 6_000


@internal
@view
def ask_round(source: address) -> (bool, int256, uint256, uint256):
    """Whether an AggregatorV3 answered, and its answer, started_at and updated_at (GRA-6)."""
    data: Bytes[160] = self.ask(source, method_id("latestRoundData()"))
    if len(data) != 160:
        return False, 0, 0, 0
    return True, extract32(data, 32, output_type=int256), convert(extract32(data, 64), uint256), convert(
        extract32(data, 96), uint256
    )


@internal
@view
def ask(source: address, data: Bytes[36]) -> Bytes[160]:
    """
    The first 160 bytes that a contract answers, or fewer; none when it fails (GRA-6).
    Whoever sends too little gas could make a source fail and have its fallback asked instead: that is refused.
    """
    assert msg.gas >= GAS_FLOOR, "oracle/gas"
    success: bool = False
    answer: Bytes[160] = b""
    success, answer = raw_call(
        source, data, max_outsize=160, gas=SOURCE_GAS, is_static_call=True, revert_on_failure=False
    )
    return answer if success else b""
