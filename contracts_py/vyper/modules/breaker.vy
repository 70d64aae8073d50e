# @title The jump breaker
# @notice Twin of oracle/breaker.py. A state is: good observations 8 | tripped_at 40 | publish_time 40 | reference 96.

from modules import price_status
from modules import quote_guards
from modules import quotes

MASK_24: constant(uint256) = 2**24 - 1
MASK_40: constant(uint256) = 2**40 - 1
MASK_96: constant(uint256) = 2**96 - 1


@internal
@view
def advance(state: uint256, quote: quotes.Quote, small: uint256) -> uint256:
    """The breaker after a poke that finds the quote below it (GRD-5)."""
    reference: uint256 = state & MASK_96
    tripped_at: uint256 = (state >> 136) & MASK_40
    if quote.status != 0:
        # Not a good observation: an untripped breaker waits, a tripped one counts from the beginning.
        return state & (2**176 - 1) if tripped_at != 0 else state
    seen: uint256 = (quote.publish_time << 96) | quote.mid
    if reference != 0 and quote_guards.is_jump(quote.mid, reference, small & MASK_24):
        return seen | ((block.timestamp if tripped_at == 0 else tripped_at) << 136)
    if tripped_at == 0:
        return seen
    needed: uint256 = (small >> 48) & MASK_24
    good: uint256 = state >> 176
    after: uint256 = state
    if quote.publish_time > (state >> 96) & MASK_40:
        good = min(good + 1, needed)
        after = seen | (tripped_at << 136) | (good << 176)
    if good >= needed and block.timestamp - tripped_at >= (small >> 24) & MASK_24:
        return seen
    return after


@internal
@pure
def find_fault(state: uint256, quote: quotes.Quote, ratio: uint256) -> uint256:
    """HALTED while the breaker is tripped, and for a price that would trip it (GRD-5)."""
    if (state >> 136) & MASK_40 != 0:
        return price_status.HALTED
    reference: uint256 = state & MASK_96
    if quote.bid != 0 and reference != 0 and quote_guards.is_jump(quote.mid, reference, ratio):
        return price_status.HALTED
    return 0
