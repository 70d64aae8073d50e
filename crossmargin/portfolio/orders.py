"""The largest further order of an account, and the rule that refuses the next lot."""

from __future__ import annotations

from dataclasses import dataclass

from crossmargin.portfolio.book import ACCOUNT, Book
from crossmargin.text import decimal, dollars
from protocol import errors
from protocol.actions import Trade
from protocol.errors import Refusal
from protocol.margin import compute_notional, compute_required_equity
from protocol.params import MAX_POSITIONS
from protocol.trading import NO_LIMIT, process_trade
from protocol.units import Size, Usd
from protocol.views import compute_max_size


@dataclass(frozen=True, slots=True)
class Order:
    """The largest order in a direction that would be accepted, and why ``refused``, the next larger one, would not.

    ``limit`` names what binds, ``rule`` and ``code`` are its ids, ``reason`` has the numbers.
    """

    market: int
    is_long: bool
    size: Size
    notional: Usd
    refused: Size
    limit: str
    rule: str
    code: str
    reason: str


def find_orders(book: Book) -> list[Order]:
    """Both directions of every market that has a price."""
    return [find_order(book, market, is_long) for market in book.priced_markets() for is_long in (True, False)]


def find_order(book: Book, market: int, is_long: bool) -> Order:
    """The largest order in one direction (VIEW-4)."""
    size = compute_max_size(book.state, book.env, ACCOUNT, market, is_long)
    refused, refusal = find_refusal(book, market, is_long, size)
    limit, rule, reason = explain_refusal(book, market, refusal)
    price = book.env.quote(book.state.market_params[market].feed).mid
    notional = compute_notional(size, price)
    return Order(market, is_long, size, notional, refused, limit, rule, refusal.code, reason)


def find_refusal(book: Book, market: int, is_long: bool, largest: Size) -> tuple[Size, Refusal]:
    """The least order above the largest that says why there is no larger one, and its refusal.

    Passed over are orders that only the minimum of a position refuses, and those that reduce a position whose close is
    refused: they are accepted, and VIEW-4 gives 0 all the same.
    """
    lot = book.state.market_params[market].lot
    low, high = 0, 1  # lots above the largest: those of ``low`` are passed over
    while (refusal := refuse(book, market, is_long, largest + high * lot)) is None:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        found = refuse(book, market, is_long, largest + middle * lot)
        low, high, refusal = (low, middle, found) if found else (middle, high, refusal)
    return largest + high * lot, refusal


def refuse(book: Book, market: int, is_long: bool, size: Size) -> Refusal | None:
    """Why an order is refused; None if it is accepted, or refused for leaving less than the minimum notional."""
    action = Trade(ACCOUNT, market, size if is_long else -size, NO_LIMIT if is_long else 0)
    try:
        process_trade(book.state, book.env, action)
    except errors.BelowMinimumNotional:
        return None
    except Refusal as refusal:
        return refusal
    return None


def explain_refusal(book: Book, market: int, refusal: Refusal) -> tuple[str, str, str]:
    """What binds, its rule, and the numbers that the refused order would lead to."""
    facts, risk, params = refusal.facts, book.state.risk, book.state.market_params[market]
    match refusal:
        case errors.BelowInitialMargin():
            reason = f"equity_im {dollars(facts['equity_im'])} below IM {dollars(facts['initial_margin'])}"
            return "initial margin", "MRG-10", reason
        case errors.BelowEquityTier():
            gross = facts["gross_notional"]
            required = dollars(compute_required_equity(risk.equity_tiers, gross))
            reason = f"a gross notional of {dollars(gross)} asks {required}, equity_im is {dollars(facts['equity_im'])}"
            return "equity tier", "MRG-9", reason
        case errors.PremiumTooHigh():
            skew = decimal(facts["skew"], places=0, grouped=True)
            return "premium", "TRD-8", f"a skew of {skew} at a premium above {percent(params.max_premium)}"
        case errors.SkewCapReached():
            skew, cap = (decimal(size, places=0, grouped=True) for size in (facts["skew"], params.skew_cap))
            return "skew cap", "TRD-8", f"a skew of {skew} beyond {cap}"
        case errors.OpenInterestCapReached():
            side, cap = (decimal(size, places=0, grouped=True) for size in (facts["open_interest"], params.oi_cap))
            return "open interest cap", "TRD-9", f"open interest of {side} beyond {cap} or {dollars(params.oi_cap_usd)}"
        case errors.TooManyPositions():
            return "positions", "TRD-10", f"more than {MAX_POSITIONS}"
        case errors.PoolReserved():
            pool, reserved = dollars(facts["pool"]), dollars(facts["reserved"])
            return "pool reserve", "TRD-10", f"the pool of {pool} would have to keep {reserved}"
        case errors.DebtCapReached():
            return "debt cap", "TRD-11", f"a debt of {dollars(facts['debt'])} above {dollars(risk.debt_cap)}"
        case errors.ReductionLowersHealth():
            return "reduction", "MRG-11", f"equity_mm less MM would fall by {dollars(-facts['change'])}"
    return "width", "UNIT-3", (refusal.__doc__ or "").strip().splitlines()[0]


def percent(bps: int) -> str:
    """Basis points as a percentage."""
    return f"{decimal(bps * 100, 4, 0)} %"
