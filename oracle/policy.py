"""Which action accepts a price with which faults, and from which side it takes the price (POL-1 to POL-3)."""

from __future__ import annotations

from enum import Enum

from oracle import errors
from oracle.quotes import STATUS_LIMIT, Quote
from protocol import errors as protocol_errors
from protocol.env import Status
from protocol.records import record
from protocol.units import Price


class Side(Enum):
    """Which side of a quote an action takes."""

    NONE = "no price"
    UNFAVOURABLE = "bid for what is owned or sold, ask for what is owed or bought"
    FAVOURABLE = "ask for what is owned, bid for what is owed"
    MID = "mid"


@record
class Row:
    """What an action accepts, as bits, and the side it takes."""

    accepts: int
    side: Side


ALL = STATUS_LIMIT - 1
STALE = Status.STALE_SOFT | Status.STALE_HARD

NO_PRICE = Row(ALL, Side.NONE)
NEW_RISK = Row(int(Status.OK), Side.UNFAVOURABLE)
REDUCTION = Row(int(Status.STALE_SOFT | Status.UNCERTAIN | Status.SEQ_GRACE | Status.CAPPED), Side.UNFAVOURABLE)
LIQUIDATION = Row(int(Status.STALE_SOFT | Status.UNCERTAIN), Side.FAVOURABLE)
DEEP_LIQUIDATION = Row(int(Status.STALE_SOFT | Status.UNCERTAIN | Status.SEQ_GRACE), Side.FAVOURABLE)
TRIGGER = Row(int(Status.STALE_SOFT), Side.MID)
SETTLEMENT = Row(int(STALE), Side.UNFAVOURABLE)
FUNDING = Row(int(STALE), Side.MID)
VIEW = Row(ALL, Side.MID)

# One row for each action of protocol/actions.py, with `trade` and `liquidate` split, and what keepers do.
POLICY: dict[str, Row] = {
    "deposit": NO_PRICE,
    "withdraw": NEW_RISK,
    "transfer": NEW_RISK,
    "create_isolated": NO_PRICE,
    "set_operator": NO_PRICE,
    "trade_increase": NEW_RISK,
    "trade_reduce": REDUCTION,
    "close_all": REDUCTION,
    "set_leverage_cap": NEW_RISK,
    "margin_call": LIQUIDATION,
    "flag_account": LIQUIDATION,
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
    "set_collateral": NO_PRICE,
    "pause_opening": NO_PRICE,
    "propose_admin": NO_PRICE,
    "accept_admin": NO_PRICE,
    "set_guardian": NO_PRICE,
    "settle_order": SETTLEMENT,
    "trigger_order": TRIGGER,
    "accrue_funding": FUNDING,
    "view": VIEW,
}


def is_accepted(action: str, status: int) -> bool:
    """Whether an action accepts a price with this status: every fault must be among those it accepts (POL-1)."""
    return not status & ~POLICY[action].accepts


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
        raise protocol_errors.PriceUnavailable
    if bad & Status.NON_POSITIVE:
        raise protocol_errors.PriceNotPositive
    if bad & Status.OUT_OF_BOUNDS:
        raise protocol_errors.PriceOutOfBounds
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
        raise protocol_errors.PriceStale
    if bad & Status.SEQ_GRACE:
        raise errors.SequencerGrace
    if bad & Status.MARKET_CLOSED:
        raise errors.MarketClosed
    if bad & Status.CAPPED:
        raise errors.PriceCapped
    if bad & Status.UNCERTAIN:
        raise errors.PriceUncertain
    raise protocol_errors.PriceStale


def choose_price(quote: Quote, side: Side, is_asset: bool) -> Price:
    """The price that an action takes, by its side and by whether the amount is owned or owed (POL-3).

    UNFAVOURABLE to the account is an asset at the bid and a liability at the ask; FAVOURABLE the other way round.
    """
    if side in (Side.NONE, Side.MID):
        return quote.mid
    return quote.bid if (side is Side.UNFAVOURABLE) == is_asset else quote.ask
