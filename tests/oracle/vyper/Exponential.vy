# pragma version 0.4.3
# @title What the contracts compute as the exponential function

from snekmate.utils import math


@external
@pure
def wad_exp(exponents: DynArray[int256, 512]) -> DynArray[int256, 512]:
    """
    @notice The exponential of each number.
    """
    results: DynArray[int256, 512] = []
    for exponent: int256 in exponents:
        results.append(math._wad_exp(exponent))
    return results


@external
@pure
def divide(numerators: DynArray[int256, 512], denominator: int256) -> DynArray[int256, 512]:
    """
    @notice How the EVM divides signed numbers.
    """
    quotients: DynArray[int256, 512] = []
    for numerator: int256 in numerators:
        quotients.append(unsafe_div(numerator, denominator))
    return quotients
