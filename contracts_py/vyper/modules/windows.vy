# @title The liquidation window
# @notice Twin of protocol/window.py.

from modules import calc
from modules import events
from modules import markets
from modules import parameters
from modules import types

uses: (markets, parameters)


@internal
@view
def compute_used(market: uint256, bucket: uint256) -> uint256:
    """What the buckets that still count at a bucket hold (WIN-2)."""
    head: uint256 = markets.window_heads[market]
    newest: uint256 = (head >> 128) & calc.MASK_64
    if bucket >= newest + types.RING:
        return 0
    used: uint256 = head & calc.MASK_128
    for i: uint256 in range(bucket - newest, bound=types.RING):
        # The bucket that has just become too old, i + 1 after the newest.
        number: uint256 = newest + i + 1
        if number < types.RING:
            continue
        entry: uint256 = markets.window_rings[market][number % types.RING]
        if (entry >> 128) & calc.MASK_64 == number - types.RING:
            used -= entry & calc.MASK_128
    return used


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
    used: uint256 = self.compute_used(market, self.current_bucket(market))
    allowed: uint256 = (parameters.dollar_words[market] >> 64) & calc.MASK_96
    return allowed - min(used, allowed)


@internal
def add_closed(market: uint256, notional: uint256):
    """Enter what a partial liquidation closed, and report the window (WIN-2)."""
    bucket: uint256 = self.current_bucket(market)
    used: uint256 = self.compute_used(market, bucket) + notional
    slot: uint256 = bucket % types.RING
    entry: uint256 = markets.window_rings[market][slot]
    newest: uint256 = notional
    if (entry >> 128) & calc.MASK_64 == bucket:
        newest += entry & calc.MASK_128
    markets.window_rings[market][slot] = calc.pack(bucket, newest)
    markets.window_heads[market] = calc.pack(bucket, used)
    log events.WindowUpdated(market=market, bucket=bucket, notional=newest, used=used)
