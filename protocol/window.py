"""The liquidation window: what partial liquidations may close in one market over a rolling time (WIN-1 to WIN-3).

Time is cut into buckets, and a bucket counts until 32 newer ones have begun. Each bucket that closes anything notes
what had been closed before it, so what counts is one subtraction, however many buckets have passed.
"""

from __future__ import annotations

from protocol.params import MarketParams
from protocol.state import RING, Window
from protocol.units import Seconds, Usd


def current_bucket(params: MarketParams, now: Seconds) -> int:
    """Number of the bucket of a time; a bucket lasts a 32nd of the window, at least a second (WIN-1)."""
    return now // max(params.window // RING, 1)


def compute_used(window: Window, bucket: int) -> Usd:
    """What the buckets that still count at ``bucket`` have closed (WIN-2)."""
    for number, before in window.entries:
        if number > bucket - RING:
            return window.closed - before
    return 0


def compute_left(params: MarketParams, window: Window, now: Seconds) -> Usd:
    """What may still be closed now; never below 0, though full closes do not ask (WIN-3)."""
    return max(params.window_notional - compute_used(window, current_bucket(params, now)), 0)


def add_closed(params: MarketParams, window: Window, now: Seconds, notional: Usd) -> Window:
    """The window after a partial liquidation closed ``notional`` (WIN-2)."""
    bucket = current_bucket(params, now)
    entries = tuple(entry for entry in window.entries if entry[0] > bucket - RING)
    if not entries or entries[-1][0] != bucket:
        entries = (*entries, (bucket, window.closed))
    return Window(window.closed + notional, entries)
