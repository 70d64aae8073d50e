# pragma version 0.4.3
# pragma nonreentrancy on
# @title Orders: trades whose price is not known when they are asked for
# @notice Twin of protocol/orders.py; rules in specs/actions/orders.md.
# @custom:kill The guardian stops growth of positions; what then settles ends without its trade.

from modules import storage
initializes: storage

from interfaces import IFeedHub
from interfaces import ISelf
from modules import accounts
from modules import calc
from modules import checks
from modules import events
from modules import ledger
from modules import markets
from modules import order_rules
from modules import orders
from modules import parameters
from modules import policy
from modules import prices
from modules import records
from modules import roles
from modules import tiers
from modules import treasury
from modules import types

uses: (accounts, orders, parameters, roles)
initializes: prices[roles := roles]
initializes: tiers[parameters := parameters]
initializes: records[accounts := accounts, treasury := treasury]
initializes: ledger[accounts := accounts, treasury := treasury]
initializes: checks[
    accounts := accounts,
    markets := markets,
    records := records,
    tiers := tiers,
]

ANY_PRICE: constant(uint256) = 2**128 - 1  # the largest acceptable price that is stored: it exceeds every price
PREVIEW_BYTES: constant(uint256) = 6 * 32

struct PendingOrder:
    size_delta: int256
    acceptable_price: uint256
    fee: uint256
    cancel_fee: uint256
    feed: uint256
    settles_from: uint256
    expires_at: uint256


@external
def set_orders(market: uint256, params: types.OrderParams):
    """
    @notice Let a market trade by committed orders, or at once again; pending orders keep their rules (ORD-1).
    """
    assert msg.sender == roles.admin, "role/not-admin"
    assert market < parameters.market_count, "market/unknown"
    order_rules.check_order_rules(params)
    orders.rules[market] = (
        (params.feed << 208) | (params.delay << 192) | (params.window << 160) | (params.fee << 80) | params.cancel_fee
    )
    log events.OrdersSet(market=market, params=params)


@external
def commit_order(account: uint256, market: uint256, size_delta: int256, acceptable_price: uint256):
    """
    @notice Ask for a trade at the first price from a delay after now (ORD-3). A reduction needs no price; what adds
            risk must be a trade that the account could make at once.
    @param size_delta Change of size at scale 1e18; positive buys
    @param acceptable_price The highest price of a buy, the lowest of a sale, impact included and fees apart
    """
    header: uint256 = checks.check_trader(account, msg.sender)
    assert market < parameters.market_count, "market/unknown"
    rules: uint256 = orders.rules[market]
    assert rules != 0, "order/instant-only"
    isolated: uint256 = (header >> accounts.ISOLATED_SHIFT) & accounts.ISOLATED_MASK
    assert isolated == 0 or isolated == market + 1, "account/isolated"
    assert size_delta != 0, "amount/zero"
    assert size_delta > -calc.SIZE_LIMIT and size_delta < calc.SIZE_LIMIT, "sys/domain"
    assert calc.magnitude(size_delta) % (parameters.market_words[market] >> 160) == 0, "market/lot"
    if header & accounts.HAS_ORDERS != 0:
        self._check_free_to_commit(account, market)
    fee: uint256 = (rules >> 80) & calc.MASK_80
    assert calc.signed_high(header) >= convert(fee, int256), "order/fee"
    settles_from: uint256 = block.timestamp + ((rules >> 192) & calc.MASK_16)
    orders.trades[account][market] = (calc.half(size_delta) << 128) | min(acceptable_price, ANY_PRICE)
    orders.terms[account][market] = (
        ((rules & (2**160 - 1)) << 96)  # both fees
        | (((rules >> 208) & calc.MASK_16) << 80)
        | (settles_from << 40)
        | (settles_from + ((rules >> 160) & calc.MASK_32))
    )
    orders.lists[account] |= 1 << market
    accounts.headers[account] |= accounts.HAS_ORDERS
    self._report_order(account, market)
    self._put_escrow(orders.escrow + fee)
    ledger.add_cash(account, -convert(fee, int256))
    records.report_account(account)
    if not checks.is_reduction(calc.signed_high(accounts.positions[account][market]), size_delta):
        self._check_carried(account, market, size_delta)


@external
def settle_order(account: uint256, market: uint256, round: uint256):
    """
    @notice Make the trade of a pending order at the first round from its delay on; anyone may (ORD-4, ORD-5). The fee
            is credited to the account balance of the sender's account 0.
    @param round Number of that round of the feed that the market's orders name
    """
    self._settle(account, market, round, msg.sender)


@external
def cancel_order(account: uint256, market: uint256):
    """
    @notice End an order that was not settled in time; anyone may, and nobody before (ORD-6).
    """
    terms: uint256 = self._find_order(account, market)
    assert block.timestamp > terms & calc.MASK_40, "order/not-expired"
    keeper: uint256 = accounts.account_id(msg.sender)
    self._end(account, market)
    fee: uint256 = terms >> 176
    cancel_fee: uint256 = (terms >> 96) & calc.MASK_80
    self._put_escrow(orders.escrow - fee)
    records.register(keeper)
    ledger.add_cash(account, convert(fee - cancel_fee, int256))
    ledger.add_cash(keeper, convert(cancel_fee, int256))
    records.report_account(account)
    if keeper != account:
        records.report_account(keeper)
    records.report_ledger()


@external
@reentrant
def self_cancel_orders(account: uint256):
    """
    @notice End every order of an account whose liquidation begins; only for the protocol itself (ORD-7).
    """
    assert msg.sender == self, "sys/self-only"
    listed: uint256 = orders.lists[account]
    fees: uint256 = 0
    for market: uint256 in range(types.MAX_MARKETS):
        if listed == 0:
            break
        if listed & 1 != 0:
            fees += orders.terms[account][market] >> 176
            self._end(account, market)
        listed >>= 1
    ledger.add_cash(account, convert(fees, int256))
    self._put_escrow(orders.escrow - fees)


@external
@reentrant
def try_order(account: uint256, market: uint256, size_delta: int256, price: uint256):
    """
    @notice Make the trade of an order at a price and revert with the price; only for the protocol itself.
    """
    assert msg.sender == self, "sys/self-only"
    limit: uint256 = ANY_PRICE if size_delta > 0 else 0
    extcall ISelf(self).self_change_position(account, market, size_delta, limit, price, price, 0)
    raw_revert(abi_encode(price))


@external
def preview_settle_order(account: uint256, market: uint256, round: uint256) -> types.SettlementPreview:
    """
    @notice What a settlement by the caller would do now (VIEW-9). Call it; do not send it.
    """
    success: bool = False
    response: Bytes[PREVIEW_BYTES] = b""
    success, response = raw_call(
        self,
        abi_encode(
            account,
            market,
            round,
            msg.sender,
            method_id=method_id("simulate_settlement(uint256,uint256,uint256,address)"),
        ),
        max_outsize=PREVIEW_BYTES,
        revert_on_failure=False,
    )
    if len(response) == PREVIEW_BYTES:
        return abi_decode(response, types.SettlementPreview)
    preview: types.SettlementPreview = empty(types.SettlementPreview)
    preview.is_refused = True
    preview.code = convert(b"sys/panic", bytes32)
    if len(response) == 100:
        preview.code = convert(slice(response, 68, 32), bytes32)
    return preview


@external
@reentrant
def simulate_settlement(account: uint256, market: uint256, round: uint256, keeper: address):
    """
    @notice Settle an order and revert with the result; only for the protocol itself.
    """
    assert msg.sender == self, "sys/self-only"
    raw_revert(abi_encode(self._settle(account, market, round, keeper)))


@external
@view
def order_of(account: uint256, market: uint256) -> PendingOrder:
    """
    @notice An account's pending order in a market, all 0 if there is none (VIEW-7).
    """
    trade: uint256 = orders.trades[account][market]
    terms: uint256 = orders.terms[account][market]
    return PendingOrder(
        size_delta=calc.signed_high(trade),
        acceptable_price=calc.low(trade),
        fee=terms >> 176,
        cancel_fee=(terms >> 96) & calc.MASK_80,
        feed=(terms >> 80) & calc.MASK_16,
        settles_from=(terms >> 40) & calc.MASK_40,
        expires_at=terms & calc.MASK_40,
    )


@internal
def _settle(account: uint256, market: uint256, round: uint256, keeper_address: address) -> types.SettlementPreview:
    """Settle an order for a keeper; what came of it (ORD-4, ORD-5)."""
    terms: uint256 = self._find_order(account, market)
    assert block.timestamp >= (terms >> 40) & calc.MASK_40, "order/too-early"
    assert block.timestamp <= terms & calc.MASK_40, "order/expired"
    price: uint256 = 0
    now_price: uint256 = 0
    price, now_price = self._read_prices(market, round, terms)
    trade: uint256 = orders.trades[account][market]
    fee: uint256 = terms >> 176
    keeper: uint256 = accounts.account_id(keeper_address)
    self._end(account, market)
    self._put_escrow(orders.escrow - fee)
    records.register(keeper)
    ledger.add_cash(keeper, convert(fee, int256))
    preview: types.SettlementPreview = self._fill_order(account, market, trade, price, now_price)
    preview.reward = fee
    if keeper != account or preview.code != empty(bytes32):  # else the trade has reported it
        records.report_account(keeper)
    if preview.code != empty(bytes32):
        records.report_ledger()
    log events.OrderSettled(
        account=account, market=market, keeper=keeper, round=round, price=price, code=preview.code
    )
    return preview


@internal
@view
def _read_prices(market: uint256, round: uint256, terms: uint256) -> (uint256, uint256):
    """The price of an order, that of a round which must be the first from its delay on; and the one of now (ORD-4)."""
    price: uint256 = 0
    status: uint256 = 0
    price, status = staticcall IFeedHub(roles.oracle).read_first_round(
        (terms >> 80) & calc.MASK_16, round, (terms >> 40) & calc.MASK_40, skip_contract_check=True
    )
    now_price: uint256 = 0
    now_status: uint256 = 0
    now_price, now_status = prices.quote((parameters.market_words[market] >> 8) & calc.MASK_16)
    policy.check_accepted(policy.SETTLEMENT, status | now_status)
    return price, now_price


@internal
def _fill_order(
    account: uint256, market: uint256, trade: uint256, price: uint256, now_price: uint256
) -> types.SettlementPreview:
    """Make the trade of an order that has ended; if the rules refuse it, only the code remains (ORD-5).

    @dev The age of no price holds it up, else who alone brings one of them would choose whether the trade is made.
         Without enough gas the call fails with no code, or one of the machine, and takes the settlement with it: so
         nobody can end an order by giving it too little.
    """
    preview: types.SettlementPreview = empty(types.SettlementPreview)
    preview.price = price
    success: bool = False
    response: Bytes[100] = b""
    success, response = raw_call(
        self,
        abi_encode(
            account,
            market,
            calc.signed_high(trade),
            calc.low(trade),
            price,
            now_price,
            policy.SETTLEMENT,
            method_id=method_id("self_change_position(uint256,uint256,int256,uint256,uint256,uint256,uint256)"),
        ),
        max_outsize=100,
        revert_on_failure=False,
    )
    if success:
        preview.impact, preview.fee = abi_decode(response, (int256, uint256))
        return preview
    # Error(string): selector, offset, length, then the code, which fits one word.
    if len(response) != 100 or slice(response, 68, 7) == b"oracle/" or slice(response, 68, 4) == b"sys/":
        raw_revert(response)
    preview.code = convert(slice(response, 68, 32), bytes32)
    return preview


@internal
@view
def _check_free_to_commit(account: uint256, market: uint256):
    """Refuse a second order in a market, and any order beside one that adds risk (ORD-3)."""
    listed: uint256 = orders.lists[account]
    assert (listed >> market) & 1 == 0, "order/pending"
    for pending: uint256 in range(types.MAX_MARKETS):
        if listed == 0:
            break
        if listed & 1 != 0:
            size: int256 = calc.signed_high(accounts.positions[account][pending])
            size_delta: int256 = calc.signed_high(orders.trades[account][pending])
            assert checks.is_reduction(size, size_delta), "order/pending"
        listed >>= 1


@internal
def _check_carried(account: uint256, market: uint256, size_delta: int256):
    """Refuse an order that adds risk and is no trade that the account could make now (ORD-3)."""
    price: uint256 = 0
    status: uint256 = 0
    price, status = prices.quote((parameters.market_words[market] >> 8) & calc.MASK_16)
    policy.check_accepted(policy.NEW_RISK, status)
    success: bool = False
    response: Bytes[100] = b""
    success, response = raw_call(
        self,
        abi_encode(
            account, market, size_delta, price, method_id=method_id("try_order(uint256,uint256,int256,uint256)")
        ),
        max_outsize=100,
        revert_on_failure=False,
    )
    if len(response) != 32:
        raw_revert(response)


@internal
@view
def _find_order(account: uint256, market: uint256) -> uint256:
    """The terms of a pending order."""
    assert orders.trades[account][market] != 0, "order/none"
    return orders.terms[account][market]


@internal
def _end(account: uint256, market: uint256):
    """Forget an order and report it."""
    orders.trades[account][market] = 0
    orders.terms[account][market] = 0
    listed: uint256 = orders.lists[account] & ~(1 << market)
    orders.lists[account] = listed
    if listed == 0:
        accounts.headers[account] &= ~accounts.HAS_ORDERS
    self._report_order(account, market)


@internal
def _put_escrow(escrow: uint256):
    """Set the fees of pending orders and report them; sixteen fees of every account stay far below 2**128."""
    orders.escrow = escrow
    log events.EscrowUpdated(escrow=escrow)


@internal
def _report_order(account: uint256, market: uint256):
    """Report an order in its final form."""
    trade: uint256 = orders.trades[account][market]
    terms: uint256 = orders.terms[account][market]
    log events.OrderUpdated(
        account=account,
        market=market,
        size_delta=calc.signed_high(trade),
        acceptable_price=calc.low(trade),
        fee=terms >> 176,
        cancel_fee=(terms >> 96) & calc.MASK_80,
        feed=(terms >> 80) & calc.MASK_16,
        settles_from=(terms >> 40) & calc.MASK_40,
        expires_at=terms & calc.MASK_40,
    )
