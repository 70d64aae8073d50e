# pragma version 0.4.3
# pragma nonreentrancy on
# @title Trading: fills against the pool
# @notice Twin of protocol/trading.py; rules in specs/actions/trade.md and close_all.md.
# @custom:kill The guardian stops growth of positions; reducing and closing cannot be stopped.

from modules import storage
initializes: storage

from interfaces import ISelf
from modules import accounts
from modules import calc
from modules import checks
from modules import configuration
from modules import events
from modules import markets
from modules import orders
from modules import parameters
from modules import policy
from modules import prices
from modules import records
from modules import roles
from modules import tiers
from modules import treasury
from modules import types
from modules import valuation

uses: (accounts, markets, orders, parameters, roles, treasury)
initializes: prices[roles := roles]
initializes: tiers[parameters := parameters]
initializes: records[accounts := accounts, treasury := treasury]
initializes: checks[
    accounts := accounts,
    markets := markets,
    records := records,
    tiers := tiers,
]
NO_LIMIT: constant(uint256) = 2**128  # an acceptable price from here on is none


@external
def trade(account: uint256, market: uint256, size_delta: int256, acceptable_price: uint256):
    """
    @notice Open, add to, reduce, close or flip a position (TRD-1 to TRD-12).
    @param size_delta Change of size at scale 1e18; positive buys
    @param acceptable_price The highest price of a buy, the lowest of a sale, impact included and fees apart
    """
    self._trade(msg.sender, account, market, size_delta, acceptable_price)


@external
@reentrant
def self_trade(
    sender: address, account: uint256, market: uint256, size_delta: int256, acceptable_price: uint256
) -> (int256, uint256):
    """
    @notice A trade for a preview, as somebody else; its impact and fee; only for the protocol itself.
    """
    assert msg.sender == self, "sys/self-only"
    return self._trade(sender, account, market, size_delta, acceptable_price)


@external
@reentrant
def self_change_position(
    account: uint256,
    market: uint256,
    size_delta: int256,
    acceptable_price: uint256,
    price: uint256,
    now_price: uint256,
    tolerated: uint256,
) -> (int256, uint256):
    """
    @notice The trade of an order at the price of its round; its impact and fee; only for the protocol itself.
    @param tolerated Faults of prices that it takes beside those of a trade's row
    """
    assert msg.sender == self, "sys/self-only"
    return self._change_position(
        account,
        market,
        parameters.market_words[market],
        size_delta,
        acceptable_price,
        price,
        now_price,
        True,
        tolerated,
    )


@external
def close_all(account: uint256, min_cash: int256):
    """
    @notice Close every position of an account in one call, by ascending market (TRD-13).
    @param min_cash The least account balance afterwards; bounds all that prices, impact and fees can do
    """
    header: uint256 = checks.check_trader(account, msg.sender)
    listed: uint256 = header & accounts.MARKETS_MASK
    assert listed != 0, "account/no-positions"
    accepts: uint256 = policy.REDUCTION if header & accounts.HAS_ORDERS == 0 else policy.NEW_RISK
    change: int256 = convert(tiers.compute_reserve(), int256) - calc.signed_high(header)
    for market: uint256 in range(types.MAX_MARKETS):
        if listed == 0:
            break
        if listed & 1 != 0:
            self._check_instant(account, header, market)
            word: uint256 = parameters.market_words[market]
            price: uint256 = 0
            status: uint256 = 0
            price, status = prices.quote((word >> 8) & calc.MASK_16)
            policy.check_accepted(accepts, status)
            position: uint256 = accounts.positions[account][market]
            size: int256 = calc.signed_high(position)
            change -= checks.compute_position_health(
                market, word, size, calc.signed_low(position), calc.signed_high(accounts.entries[account][market]), price
            )
            extcall ISelf(self).self_fill(account, market, -size, price)
        listed >>= 1
    cash: int256 = calc.signed_high(accounts.headers[account])
    assert cash >= min_cash, "trade/price"
    if change + cash < 0:
        checks.check_solvent_exit(account)
    records.report_account(account)
    records.report_ledger()


@external
def set_leverage_cap(account: uint256, market: uint256, leverage_cap: uint256):
    """
    @notice Set or lift the owner's own leverage limit in one market (TRD-14).
    @param leverage_cap At scale 1e18; 0 lifts it
    """
    header: uint256 = checks.check_owner(account)
    checks.check_no_orders(header)
    self._check_market(market)
    assert leverage_cap < configuration.LEVERAGE_LIMIT, "sys/domain"
    entry: uint256 = accounts.entries[account][market]
    accounts.entries[account][market] = ((entry >> 128) << 128) | leverage_cap
    log events.LeverageCapSet(account=account, market=market, leverage_cap=leverage_cap)
    if (header >> market) & 1 != 0:
        checks.check_remaining_margin(account)


@internal
def _trade(
    sender: address, account: uint256, market: uint256, size_delta: int256, acceptable_price: uint256
) -> (int256, uint256):
    """A trade by its sender; its impact net of rebate, and its fee (TRD-1 to TRD-12)."""
    header: uint256 = checks.check_trader(account, sender)
    word: uint256 = self._check_market(market)
    self._check_instant(account, header, market)
    isolated: uint256 = (header >> accounts.ISOLATED_SHIFT) & accounts.ISOLATED_MASK
    assert isolated == 0 or isolated == market + 1, "account/isolated"
    self._check_size(size_delta, word >> 160)
    reduces: bool = checks.is_reduction(calc.signed_high(accounts.positions[account][market]), size_delta)
    if not reduces:
        checks.check_no_orders(header)
    price: uint256 = 0
    status: uint256 = 0
    price, status = prices.quote((word >> 8) & calc.MASK_16)
    is_free: bool = reduces and header & accounts.HAS_ORDERS == 0
    policy.check_accepted(policy.REDUCTION if is_free else policy.NEW_RISK, status)
    return self._change_position(account, market, word, size_delta, acceptable_price, price, price, False, 0)


@internal
def _change_position(
    account: uint256,
    market: uint256,
    word: uint256,
    size_delta: int256,
    acceptable_price: uint256,
    price: uint256,
    now_price: uint256,
    is_order: bool,
    tolerated: uint256,
) -> (int256, uint256):
    """
    Fill a trade at a price, and check what it leaves at the prices of now (TRD-5 to TRD-12). The trade of an order needs
    every price of the account; tolerated are faults that it takes beside those of a trade's row.
    """
    cash: int256 = calc.signed_high(accounts.headers[account])
    position: uint256 = accounts.positions[account][market]
    entry_index: int256 = calc.signed_high(accounts.entries[account][market])
    size: int256 = calc.signed_high(position)
    target: int256 = size + size_delta
    flips: bool = checks.changes_sign(size, target)
    reduces: bool = checks.is_reduction(size, size_delta)
    if not reduces:
        assert not roles.opening_paused, "market/opening-paused"

    larger: uint256 = self._larger_side(market)
    opened: int256 = size_delta
    net: int256 = 0
    fee: uint256 = 0
    if flips:
        net, fee = extcall ISelf(self).self_fill(account, market, -size, price)
        opened = target
    skew: int256 = self._skew(market)
    more_net: int256 = 0
    more_fee: uint256 = 0
    more_net, more_fee = extcall ISelf(self).self_fill(account, market, opened, price)
    net += more_net
    fee += more_fee
    self._check_acceptable(size_delta, price, net, acceptable_price)
    if target != 0:
        assert valuation.compute_notional(target, price) >= (word >> 64) & calc.MASK_96, "market/min-notional"
    if reduces:
        change: int256 = calc.signed_high(accounts.headers[account]) - cash
        change -= checks.compute_position_health(market, word, size, calc.signed_low(position), entry_index, now_price)
        self._check_reduction(account, market, word, now_price, change, is_order, tolerated)
    else:
        self._check_growth(account, market, skew, opened, price, larger)
        if is_order:
            checks.check_initial_margin(account, tolerated)
        else:
            checks.check_remaining_margin(account)
    records.report_account(account)
    records.report_ledger()
    return net, fee


@internal
@view
def _check_instant(account: uint256, header: uint256, market: uint256):
    """Refuse a trade at the price of now in a market that trades by committed orders, or beside an order there (ORD-2)."""
    assert orders.rules[market] == 0, "order/commit-only"
    if header & accounts.HAS_ORDERS != 0:
        assert (orders.lists[account] >> market) & 1 == 0, "order/pending"


@internal
@view
def _check_market(market: uint256) -> uint256:
    """The word of a listed market (TRD-1)."""
    word: uint256 = 0
    if market < types.MAX_MARKETS:
        word = parameters.market_words[market]
    assert word != 0, "market/unknown"
    return word


@internal
@pure
def _check_size(size_delta: int256, lot: uint256):
    """Refuse a size of zero, one out of range, or one that is not whole lots (TRD-3)."""
    assert size_delta != 0, "amount/zero"
    assert size_delta > -calc.SIZE_LIMIT and size_delta < calc.SIZE_LIMIT, "sys/domain"
    assert calc.magnitude(size_delta) % lot == 0, "market/lot"


@internal
@view
def _skew(market: uint256) -> int256:
    """Net size of all traders in a market, + when they are long."""
    open_interest: uint256 = markets.open_interest[market]
    return convert(calc.high(open_interest), int256) - convert(calc.low(open_interest), int256)


@internal
@pure
def _check_acceptable(size_delta: int256, price: uint256, net: int256, acceptable_price: uint256):
    """Refuse a trade whose price with impact is worse than acceptable (TRD-6). Cross-multiplied."""
    acceptable: int256 = convert(min(acceptable_price, NO_LIMIT), int256)
    assert size_delta * convert(price, int256) + net * calc.WI <= acceptable * size_delta, "trade/price"


@internal
@view
def _larger_side(market: uint256) -> uint256:
    """The larger of a market's long and short open interest."""
    open_interest: uint256 = markets.open_interest[market]
    return max(calc.high(open_interest), calc.low(open_interest))


@internal
@view
def _check_growth(
    account: uint256, market: uint256, skew: int256, size_delta: int256, price: uint256, larger: uint256
):
    """Refuse growth beyond the market's, the pool's or the account's limits (TRD-8 to TRD-11)."""
    caps: uint256 = parameters.cap_words[market]
    after: int256 = skew + size_delta
    if calc.magnitude(after) > calc.magnitude(skew):
        word: uint256 = parameters.fill_words[market]
        premium: uint256 = calc.magnitude(2 * skew + size_delta) * calc.BPS
        assert premium <= 2 * (word >> 160) * ((word >> 32) & calc.MASK_16), "market/premium"
        assert calc.magnitude(after) <= (caps >> 64) & calc.MASK_96, "market/skew-cap"
    open_interest: uint256 = markets.open_interest[market]
    side: uint256 = calc.low(open_interest)
    if size_delta > 0:
        side = calc.high(open_interest)
    assert (
        side <= caps >> 160 and calc.ucdiv(side * price, calc.W) <= parameters.dollar_words[market] >> 160
    ), "market/oi-cap"
    header: uint256 = accounts.headers[account]
    assert self._count(header & accounts.MARKETS_MASK) <= types.MAX_POSITIONS, "account/positions"
    dues: uint256 = treasury.dues
    if self._larger_side(market) > larger:
        pool: uint256 = calc.high(treasury.funds)
        assert pool >= calc.low(dues) + calc.low(treasury.pool_word), "pool/reserved"
    assert -calc.signed_high(header) <= convert(parameters.limit_word >> 160, int256), "margin/debt-cap"


@internal
@pure
def _count(listed: uint256) -> uint256:
    """How many markets a list of bits names."""
    count: uint256 = 0
    bits: uint256 = listed
    for i: uint256 in range(types.MAX_MARKETS):
        if bits == 0:
            break
        bits &= bits - 1
        count += 1
    return count


@internal
@view
def _check_reduction(
    account: uint256,
    market: uint256,
    word: uint256,
    price: uint256,
    change_so_far: int256,
    is_order: bool,
    tolerated: uint256,
):
    """Refuse a reduction that lowers equity_mm less maintenance margin (MRG-11)."""
    position: uint256 = accounts.positions[account][market]
    change: int256 = change_so_far + checks.compute_position_health(
        market,
        word,
        calc.signed_high(position),
        calc.signed_low(position),
        calc.signed_high(accounts.entries[account][market]),
        price,
    )
    holds_position: bool = accounts.headers[account] & accounts.MARKETS_MASK != 0
    if not holds_position:
        change += convert(tiers.compute_reserve(), int256)
    if change >= 0:
        return
    assert not holds_position, "margin/reduce"
    checks.check_solvent_exit(account, is_order, tolerated)
