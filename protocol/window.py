"""The liquidation window: what partial liquidations may close in one market over a rolling time (WIN-1 to WIN-3).

A ring of 32 buckets; a bucket counts until 32 newer ones have begun. Entries are never cleared, they are told by
their bucket number, so that a liquidation reads only the buckets that have begun since the last one.
"""

from __future__ import annotations

from protocol.params import MarketParams
from protocol.state import RING, Window
from protocol.units import Seconds, Usd


def current_bucket(params: MarketParams, now: Seconds) -> int:
    """Number of the bucket of a time; a bucket lasts a 32nd of the window, at least a second (WIN-1)."""
    return now // max(params.window // RING, 1)


def compute_used(window: Window, bucket: int) -> Usd:
    """What the buckets that still count at ``bucket`` hold (WIN-2)."""
    if bucket - window.bucket >= RING:
        return 0
    used = window.used
    for number in range(window.bucket - RING + 1, bucket - RING + 1):
        entry, notional = window.ring[number % RING]
        if entry == number:
            used -= notional
    return used


def compute_left(params: MarketParams, window: Window, now: Seconds) -> Usd:
    """What may still be closed now; never below 0, though full closes do not ask (WIN-3)."""
    return max(params.window_notional - compute_used(window, current_bucket(params, now)), 0)


def add_closed(params: MarketParams, window: Window, now: Seconds, notional: Usd) -> Window:
    """The window after a partial liquidation closed ``notional`` (WIN-2)."""
    bucket = current_bucket(params, now)
    slot = bucket % RING
    entry, before = window.ring[slot]
    newest = (bucket, notional + (before if entry == bucket else 0))
    ring = (*window.ring[:slot], newest, *window.ring[slot + 1 :])
    return Window(bucket, compute_used(window, bucket) + notional, ring)
