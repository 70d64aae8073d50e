"""Which action accepts a price with which faults (POL-1, POL-2)."""

from __future__ import annotations

from protocol import errors
from protocol.env import Status

STATUS_LIMIT = 2 * int(Status.UNAVAILABLE)  # a status from here on has bits that mean nothing
ALL = STATUS_LIMIT - 1
# Any other fault, or a bit that means nothing, says that there is no price, or none that tells what something is worth.
PRICED = ALL & ~int(Status.UNAVAILABLE | Status.NON_POSITIVE | Status.OUT_OF_BOUNDS | Status.NO_QUORUM)

# The rows of the table: the faults that each accepts. Plain integers, since every action asks. What asks for no price
# has a row for the table alone.
NO_PRICE = ALL
NEW_RISK = int(Status.OK)
REDUCTION = int(Status.STALE_SOFT | Status.UNCERTAIN | Status.SEQ_GRACE | Status.CAPPED)
LIQUIDATION = int(Status.STALE_SOFT | Status.UNCERTAIN)
DEEP_LIQUIDATION = int(Status.STALE_SOFT | Status.UNCERTAIN | Status.SEQ_GRACE)
SETTLEMENT = int(Status.STALE_SOFT | Status.STALE_HARD)
FUNDING = int(Status.STALE_SOFT | Status.STALE_HARD)

# One row for each action of protocol/actions.py, with `trade`, `commit_order` and `liquidate` split, and for views. The
# actions name their rows; tests/protocol/test_policy_of_actions.py executes each of them with every fault.
POLICY: dict[str, int] = {
    "deposit": NO_PRICE,
    "withdraw": NEW_RISK,
    "transfer": NEW_RISK,
    "create_isolated": NO_PRICE,
    "set_operator": NO_PRICE,
    "trade_increase": NEW_RISK,
    "trade_reduce": REDUCTION,
    "close_all": REDUCTION,
    "set_leverage_cap": NEW_RISK,
    "commit_increase": NEW_RISK,
    "commit_reduce": NO_PRICE,
    "settle_order": SETTLEMENT,
    "cancel_order": NO_PRICE,
    "margin_call": NO_PRICE,
    "flag_account": NO_PRICE,
    "liquidate": LIQUIDATION,
    "liquidate_deep": DEEP_LIQUIDATION,
    "liquidate_many": LIQUIDATION,
    "deposit_to_pool": NEW_RISK,
    "request_redemption": NO_PRICE,
    "claim_redemption": NEW_RISK,
    "buy_inventory": NEW_RISK,
    "fund_insurance": NO_PRICE,
    "set_risk": NO_PRICE,
    "set_market": FUNDING,
    "set_orders": NO_PRICE,
    "set_collateral": NO_PRICE,
    "pause_opening": NO_PRICE,
    "propose_admin": NO_PRICE,
    "accept_admin": NO_PRICE,
    "set_guardian": NO_PRICE,
    "view": NO_PRICE,
}


def is_accepted(accepts: int, status: int) -> bool:
    """Whether every fault of a price is among those that an action accepts (POL-1)."""
    return not status & ~accepts


def is_priceless(status: int) -> bool:
    """Whether a fault says that there is no price, or none that something can be measured by (POL-1)."""
    return bool(status & ~PRICED)


def check_accepted(accepts: int, status: int) -> None:
    """Refuse a price with a fault that is not accepted, worst first (POL-2). A bit that means nothing is refused.

    Refuses: oracle/unavailable, oracle/non-positive, oracle/out-of-bounds, oracle/halted, oracle/sequencer-down,
    oracle/no-quorum, oracle/future, oracle/deviated, oracle/stale, oracle/sequencer-grace, oracle/market-closed,
    oracle/capped, oracle/uncertain.
    """
    bad = status & ~accepts
    if bad:
        refuse_unusable(bad)
        refuse_doubtful(bad)


def refuse_unusable(bad: int) -> None:
    """Part of POL-2: no price at all, or one that something has declared void."""
    if bad & Status.UNAVAILABLE or bad >= STATUS_LIMIT:
        raise errors.PriceUnavailable
    if bad & Status.NON_POSITIVE:
        raise errors.PriceNotPositive
    if bad & Status.OUT_OF_BOUNDS:
        raise errors.PriceOutOfBounds
    if bad & Status.HALTED:
        raise errors.PriceHalted
    if bad & Status.SEQ_DOWN:
        raise errors.SequencerDown
    if bad & Status.NO_QUORUM:
        raise errors.NoQuorum


def refuse_doubtful(bad: int) -> None:
    """Part of POL-2: a price that may be the wrong one; only stale is left at the end."""
    if bad & Status.FUTURE:
        raise errors.PriceFuture
    if bad & Status.DEVIATED:
        raise errors.PriceDeviated
    if bad & Status.STALE_HARD:
        raise errors.PriceStale
    if bad & Status.SEQ_GRACE:
        raise errors.SequencerGrace
    if bad & Status.MARKET_CLOSED:
        raise errors.MarketClosed
    if bad & Status.CAPPED:
        raise errors.PriceCapped
    if bad & Status.UNCERTAIN:
        raise errors.PriceUncertain
    raise errors.PriceStale
