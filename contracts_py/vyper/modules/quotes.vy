# @title Quotes of two sides, and arithmetic on them
# @notice Twin of oracle/quotes.py: the rules QUO-1 to QUO-7.

from modules import price_status

struct Quote:
    bid: uint256
    mid: uint256
    ask: uint256
    publish_time: uint256
    status: uint256

MAX_LEGS: constant(uint256) = 8
SCALE_DECIMALS: constant(uint256) = 18
PUBLISH_LIMIT: constant(uint256) = 2**40
STATUS_LIMIT: constant(uint256) = 2 * price_status.UNAVAILABLE
SOFT: constant(uint256) = (
    price_status.STALE_SOFT | price_status.UNCERTAIN | price_status.CAPPED | price_status.SEQ_GRACE
)
W: constant(uint256) = 10**18
PRICE_LIMIT: constant(uint256) = 2**96


@internal
@pure
def no_quote() -> Quote:
    """The quote of what does not answer."""
    return Quote(bid=0, mid=0, ask=0, publish_time=0, status=price_status.UNAVAILABLE)


@internal
@pure
def no_price(publish_time: uint256, status: uint256) -> Quote:
    """A quote without a price."""
    return Quote(bid=0, mid=0, ask=0, publish_time=publish_time, status=status)


@internal
@pure
def make_quote(bid: uint256, mid: uint256, ask: uint256, publish_time: uint256, status: uint256) -> Quote:
    """A quote within the range of prices, from a result with bid <= mid <= ask (QUO-1)."""
    if bid == 0:
        return self.no_price(publish_time, status | price_status.NON_POSITIVE)
    if ask >= PRICE_LIMIT:
        return self.no_price(publish_time, status | price_status.OUT_OF_BOUNDS)
    return Quote(bid=bid, mid=mid, ask=ask, publish_time=publish_time, status=status)


@internal
@pure
def scale_quote(
    bid: uint256, mid: uint256, ask: uint256, decimals: uint256, publish_time: uint256, status: uint256
) -> Quote:
    """A price with `decimals` decimals, at most 36, at scale W; sides rounded apart (QUO-2)."""
    if decimals == SCALE_DECIMALS:
        return self.make_quote(bid, mid, ask, publish_time, status)
    if decimals > SCALE_DECIMALS:
        divisor: uint256 = 10 ** (decimals - SCALE_DECIMALS)
        rest: uint256 = 0 if ask % divisor == 0 else 1
        return self.make_quote(bid // divisor, mid // divisor, ask // divisor + rest, publish_time, status)
    # At or beyond the limit it stays so when multiplied, and could then overflow.
    if bid != 0 and ask >= PRICE_LIMIT:
        return self.no_price(publish_time, status | price_status.OUT_OF_BOUNDS)
    if bid == 0:
        return self.no_price(publish_time, status | price_status.NON_POSITIVE)
    factor: uint256 = 10 ** (SCALE_DECIMALS - decimals)
    return self.make_quote(bid * factor, mid * factor, ask * factor, publish_time, status)


@internal
@pure
def read_answer(answer: Quote, decimals: uint256) -> Quote:
    """What a source of quotes answered; an answer that contradicts itself is none (QUO-2)."""
    if (
        answer.bid > answer.mid
        or answer.mid > answer.ask
        or answer.publish_time >= PUBLISH_LIMIT
        or answer.status >= STATUS_LIMIT
    ):
        return self.no_quote()
    if answer.status & price_status.UNAVAILABLE != 0:
        return self.no_price(answer.publish_time, answer.status)
    return self.scale_quote(answer.bid, answer.mid, answer.ask, decimals, answer.publish_time, answer.status)


@internal
@pure
def read_round(answer: int256, updated_at: uint256, decimals: uint256) -> Quote:
    """What an AggregatorV3 answered; an updated_at of 0 is a round that never was (QUO-2)."""
    if updated_at == 0 or updated_at >= PUBLISH_LIMIT:
        return self.no_quote()
    price: uint256 = convert(max(answer, 0), uint256)
    return self.scale_quote(price, price, price, decimals, updated_at, 0)


@internal
@pure
def ucdiv(numerator: uint256, denominator: uint256) -> uint256:
    """Unsigned quotient toward plus infinity; numerator + denominator < 2**256, denominator > 0."""
    return unsafe_div(unsafe_sub(unsafe_add(numerator, denominator), 1), denominator)


@internal
@pure
def multiply(a: Quote, b: Quote) -> Quote:
    """The product of two prices, sides rounded apart (QUO-3). All are below 2**96."""
    return self.make_quote(
        unsafe_div(unsafe_mul(a.bid, b.bid), W),
        unsafe_div(unsafe_mul(a.mid, b.mid), W),
        self.ucdiv(unsafe_mul(a.ask, b.ask), W),
        min(a.publish_time, b.publish_time),
        a.status | b.status,
    )


@internal
@pure
def divide(a: Quote, b: Quote) -> Quote:
    """The quotient of two prices, sides rounded apart; no price when either has none (QUO-4)."""
    publish_time: uint256 = min(a.publish_time, b.publish_time)
    if b.bid == 0:
        return self.no_price(publish_time, a.status | b.status | price_status.NON_POSITIVE)
    return self.make_quote(
        unsafe_mul(a.bid, W) // b.ask,
        unsafe_mul(a.mid, W) // b.mid,
        self.ucdiv(unsafe_mul(a.ask, W), b.bid),
        publish_time,
        a.status | b.status,
    )


@internal
@pure
def invert(a: Quote) -> Quote:
    """One over a price, sides rounded apart; no price when it has none (QUO-4)."""
    if a.bid == 0:
        return self.no_price(a.publish_time, a.status | price_status.NON_POSITIVE)
    return self.make_quote(
        unsafe_mul(W, W) // a.ask,
        unsafe_mul(W, W) // a.mid,
        self.ucdiv(unsafe_mul(W, W), a.bid),
        a.publish_time,
        a.status,
    )


@internal
@pure
def take_min(a: Quote, b: Quote) -> Quote:
    """The lower of two prices, side by side; no price when one is missing (QUO-5)."""
    return self.make_quote(
        min(a.bid, b.bid),
        min(a.mid, b.mid),
        min(a.ask, b.ask),
        min(a.publish_time, b.publish_time),
        a.status | b.status,
    )


@internal
@pure
def take_max(a: Quote, b: Quote) -> Quote:
    """The higher of two prices, side by side; no price when one is missing (QUO-5)."""
    return self.make_quote(
        0 if a.bid == 0 or b.bid == 0 else max(a.bid, b.bid),
        max(a.mid, b.mid),
        max(a.ask, b.ask),
        min(a.publish_time, b.publish_time),
        a.status | b.status,
    )


@internal
@pure
def rank(status: uint256) -> uint256:
    """How bad a status is: 0 for OK, 1 for soft faults only, 2 for any other (QUO-6)."""
    if status == 0:
        return 0
    return 2 if status & ~SOFT != 0 else 1


@internal
@pure
def take_recent(a: Quote, b: Quote) -> Quote:
    """The better ranked of two quotes, the newer of equals, the first of equally new ones (QUO-6)."""
    rank_a: uint256 = self.rank(a.status)
    rank_b: uint256 = self.rank(b.status)
    if rank_b < rank_a or (rank_b == rank_a and b.publish_time > a.publish_time):
        return b
    return a


@internal
@pure
def take_median(legs: DynArray[Quote, MAX_LEGS], quorum: uint256) -> Quote:
    """The middle of the usable legs, side by side; of an even number with a spread (QUO-7)."""
    good: uint256 = 0
    for leg: Quote in legs:
        if leg.status == 0:
            good += 1
    worst: uint256 = 0 if good >= quorum else 1
    bids: DynArray[uint256, MAX_LEGS] = []
    mids: DynArray[uint256, MAX_LEGS] = []
    asks: DynArray[uint256, MAX_LEGS] = []
    publish_time: uint256 = max_value(uint256)
    status: uint256 = 0
    for leg: Quote in legs:
        if self.rank(leg.status) <= worst:
            bids.append(leg.bid)
            mids.append(leg.mid)
            asks.append(leg.ask)
            publish_time = min(publish_time, leg.publish_time)
            status |= leg.status
    count: uint256 = len(mids)
    if count < quorum:
        return self.no_price(0, price_status.NO_QUORUM)
    upper: uint256 = count // 2
    lower: uint256 = (count - 1) // 2
    mids = self.sort(mids)
    return self.make_quote(
        self.sort(bids)[lower], (mids[lower] + mids[upper]) // 2, self.sort(asks)[upper], publish_time, status
    )


@internal
@pure
def sort(values: DynArray[uint256, MAX_LEGS]) -> DynArray[uint256, MAX_LEGS]:
    """The values in ascending order."""
    sorted: DynArray[uint256, MAX_LEGS] = values
    for i: uint256 in range(1, len(sorted), bound=MAX_LEGS):
        value: uint256 = sorted[i]
        place: uint256 = i
        for _: uint256 in range(i, bound=MAX_LEGS):
            before: uint256 = sorted[place - 1]
            if before <= value:
                break
            sorted[place] = before
            place -= 1
        sorted[place] = value
    return sorted
