# @title The liquidation window
# @notice Twin of protocol/window.py.

from modules import calc
from modules import events
from modules import markets
from modules import parameters
from modules import types

uses: (markets, parameters)


PREPARED: constant(uint256) = 1 << 255  # keeps a word from ever being zero
MASK_ENTRIES: constant(uint256) = 2**types.RING - 1


@internal
def prepare(market: uint256):
    """Write every word of a market's window once, so that no liquidation pays for a fresh one."""
    markets.window_heads[market] = PREPARED
    for i: uint256 in range(types.RING):
        markets.window_rings[market][i] = PREPARED


@internal
@view
def current_bucket(market: uint256) -> uint256:
    """Number of the bucket of now; a bucket lasts a 32nd of the window, at least a second (WIN-1)."""
    window: uint256 = (parameters.funding_words[market] >> 32) & calc.MASK_32
    return block.timestamp // max(window // types.RING, 1)


@internal
@view
def compute_left(market: uint256) -> uint256:
    """What may still be closed now; never below 0 (WIN-3)."""
    head: uint256 = markets.window_heads[market]
    bucket: uint256 = self.current_bucket(market)
    used: uint256 = self._used(market, bucket, self._live_entries(head, bucket), head & calc.MASK_128)
    allowed: uint256 = (parameters.dollar_words[market] >> 64) & calc.MASK_96
    return allowed - min(used, allowed)


@internal
def add_closed(market: uint256, notional: uint256):
    """Enter what a partial liquidation closed, and report the window (WIN-2)."""
    head: uint256 = markets.window_heads[market]
    bucket: uint256 = self.current_bucket(market)
    entries: uint256 = self._live_entries(head, bucket)
    closed: uint256 = head & calc.MASK_128
    if entries & 1 == 0:
        entries |= 1
        markets.window_rings[market][bucket % types.RING] = PREPARED | closed
    closed += notional
    assert closed <= calc.MASK_128, "sys/domain"
    markets.window_heads[market] = PREPARED | (bucket << 160) | (entries << 128) | closed
    log events.WindowUpdated(
        market=market, bucket=bucket, closed=closed, used=self._used(market, bucket, entries, closed)
    )


@internal
@pure
def _live_entries(head: uint256, bucket: uint256) -> uint256:
    """The entries that still count at a bucket: bit i is of the bucket i before it (WIN-2)."""
    elapsed: uint256 = bucket - ((head >> 160) & calc.MASK_64)
    if elapsed >= types.RING:
        return 0
    return ((head >> 128) << elapsed) & MASK_ENTRIES


@internal
@view
def _used(market: uint256, bucket: uint256, entries: uint256, closed: uint256) -> uint256:
    """What was closed since before the oldest entry (WIN-2)."""
    if entries == 0:
        return 0
    oldest: uint256 = 0
    left: uint256 = entries
    for step: uint256 in [16, 8, 4, 2, 1]:
        if left >> step != 0:
            left = left >> step
            oldest += step
    before: uint256 = markets.window_rings[market][(bucket - oldest) % types.RING] & calc.MASK_128
    return closed - before
