# pragma version 0.4.3
# pragma nonreentrancy on
# @title Lens: previews, quotes, limits and pages
# @notice Twin of protocol/views.py; rules in specs/views.md. A preview runs the action itself in a call that always
#         reverts with what it measured, so it cannot differ from its effect in the same block. Previews are therefore
#         not view functions: ask for them with eth_call.
# @custom:kill Views cannot be stopped.

from modules import storage
initializes: storage

from interfaces import ISelf
from modules import accounts
from modules import calc
from modules import funding
from modules import impact
from modules import markets
from modules import orders
from modules import parameters
from modules import peg
from modules import pool_values
from modules import prices
from modules import roles
from modules import states
from modules import tiers
from modules import treasury
from modules import types
from modules import valuation

uses: (accounts, markets, orders, parameters, treasury)
initializes: prices[roles := roles]
initializes: peg[parameters := parameters, prices := prices]
initializes: tiers[parameters := parameters]
initializes: states[parameters := parameters, tiers := tiers]
initializes: impact[parameters := parameters]
initializes: pool_values[
    impact := impact,
    markets := markets,
    parameters := parameters,
    peg := peg,
    prices := prices,
    tiers := tiers,
    treasury := treasury,
]

PAGE: constant(uint256) = 200  # account ids of one page
BATCH: constant(uint256) = 24  # accounts of one batch of healths
PREVIEW_BYTES: constant(uint256) = 14 * 32
QUOTE_BYTES: constant(uint256) = 6 * 32
HIGHEST_PRICE: constant(uint256) = max_value(uint256)  # acceptable: no limit to a buy

struct Holding:
    market: uint256
    size: int256
    cost: int256
    entry_index: int256
    leverage_cap: uint256

struct AccountInfo:
    cash: int256
    flagged_at: uint256
    margin_called_at: uint256
    isolated: uint256
    operator: address


@external
def preview_trade(
    account: uint256, market: uint256, size_delta: int256, acceptable_price: uint256
) -> types.TradePreview:
    """
    @notice What a trade by the account's owner would do now (VIEW-1). Call it; do not send it.
    """
    success: bool = False
    response: Bytes[PREVIEW_BYTES] = b""
    success, response = raw_call(
        self,
        abi_encode(
            account,
            market,
            size_delta,
            acceptable_price,
            method_id=method_id("simulate_trade(uint256,uint256,int256,uint256)"),
        ),
        max_outsize=PREVIEW_BYTES,
        revert_on_failure=False,
    )
    if len(response) == PREVIEW_BYTES:
        return abi_decode(response, types.TradePreview)
    preview: types.TradePreview = empty(types.TradePreview)
    preview.code = self._code_of(response)
    return preview


@external
@reentrant
def simulate_trade(account: uint256, market: uint256, size_delta: int256, acceptable_price: uint256):
    """
    @notice Make a trade as the account's owner, measure, and revert with the result; only for the protocol itself.
    """
    assert msg.sender == self, "sys/self-only"
    preview: types.TradePreview = empty(types.TradePreview)
    preview.impact, preview.fee = extcall ISelf(self).self_trade(
        self._owner_of(account), account, market, size_delta, acceptable_price
    )
    preview.cash = calc.signed_high(accounts.headers[account])
    preview.health = staticcall ISelf(self).self_health(account)
    preview.account_state = states.compute_account_state(preview.health)
    preview.liquidation_price = self._liquidation_price(account, market, preview.health)
    raw_revert(abi_encode(preview))


@external
@reentrant
def try_trade(account: uint256, market: uint256, size_delta: int256):
    """
    @notice Make a trade as the account's owner at any price and revert with one word; only for the protocol itself.
    """
    assert msg.sender == self, "sys/self-only"
    acceptable_price: uint256 = 0
    if size_delta > 0:
        acceptable_price = HIGHEST_PRICE
    net: int256 = 0
    fee: uint256 = 0
    net, fee = extcall ISelf(self).self_trade(self._owner_of(account), account, market, size_delta, acceptable_price)
    raw_revert(abi_encode(True))


@external
def quote_liquidation(account: uint256) -> types.LiquidationQuote:
    """
    @notice What a liquidation by the caller would do now (VIEW-2). Call it; do not send it.
    """
    success: bool = False
    response: Bytes[QUOTE_BYTES] = b""
    success, response = raw_call(
        self,
        abi_encode(account, msg.sender, method_id=method_id("simulate_liquidation(uint256,address)")),
        max_outsize=QUOTE_BYTES,
        revert_on_failure=False,
    )
    if len(response) == QUOTE_BYTES:
        return abi_decode(response, types.LiquidationQuote)
    quote: types.LiquidationQuote = empty(types.LiquidationQuote)
    quote.code = self._code_of(response)
    return quote


@external
@reentrant
def simulate_liquidation(account: uint256, keeper: address):
    """
    @notice Liquidate an account and revert with the result; only for the protocol itself.
    """
    assert msg.sender == self, "sys/self-only"
    raw_revert(abi_encode(extcall ISelf(self).self_liquidate(account, keeper)))


@external
@view
def withdrawable(account: uint256, token: uint256) -> uint256:
    """
    @notice The most units of a token that the owner could withdraw now; one more is refused (VIEW-3).
    """
    header: uint256 = accounts.headers[account]
    if header & accounts.REGISTERED == 0 or token > parameters.collateral_count or header & accounts.HAS_ORDERS != 0:
        return 0
    cash: int256 = calc.signed_high(header)
    held: uint256 = accounts.collateral[account][token]
    most: uint256 = held
    if token == types.USDC:
        most = convert(max(cash, 0), uint256) // calc.USDC_TO_W
    most = min(most, calc.high(treasury.token_totals[token]))
    if cash >= 0 and header & accounts.MARKETS_MASK == 0:
        return most
    health: types.Health = staticcall ISelf(self).self_sound_health(account)
    if health.price_status != 0:
        return 0
    required: uint256 = max(health.initial_margin, tiers.compute_required_equity(health.gross_notional))
    spare: int256 = health.equity_im - convert(required, int256)
    if spare < 0:
        return 0
    if token == types.USDC:
        return min(most, convert(spare, uint256) // calc.USDC_TO_W)
    return self._bisect_units(token, held, most, convert(spare, uint256))


@external
def max_size(account: uint256, market: uint256, is_long: bool) -> uint256:
    """
    @notice The largest trade in a direction that would be accepted now; one lot more is refused (VIEW-4).
            Call it; do not send it.
    """
    if accounts.headers[account] & accounts.REGISTERED == 0 or market >= parameters.market_count:
        return 0
    word: uint256 = parameters.market_words[market]
    price: uint256 = 0
    status: uint256 = 0
    price, status = prices.quote((word >> 8) & calc.MASK_16)
    if price == 0:
        return 0
    size: int256 = calc.signed_high(accounts.positions[account][market])
    closing: uint256 = 0
    if (size < 0 and is_long) or (size > 0 and not is_long):
        closing = calc.magnitude(size)
        if not self._accepts(account, market, closing, is_long):
            return 0
    lot: uint256 = word >> 160
    kept: uint256 = calc.magnitude(size) if closing == 0 else 0
    least: uint256 = calc.ucdiv(((word >> 64) & calc.MASK_96) * calc.W, price)
    smallest: uint256 = 1
    if least > kept:
        smallest = calc.ucdiv(least - kept, lot)
    low: uint256 = closing + smallest * lot
    if not self._accepts(account, market, low, is_long):
        return closing
    high: uint256 = low + (parameters.cap_words[market] // 2**160 // lot + 1) * lot  # beyond the cap of any side
    for i: uint256 in range(96):
        if high - low <= lot:
            break
        middle: uint256 = low + (high - low) // lot // 2 * lot
        if self._accepts(account, market, middle, is_long):
            low = middle
        else:
            high = middle
    return low


@external
@view
def liquidation_price(account: uint256, market: uint256) -> uint256:
    """
    @notice The price of one market at which the account becomes liquidatable, every other price as it is; 0 if there
            is none (VIEW-5).
    """
    return self._liquidation_price(account, market, staticcall ISelf(self).self_health(account))


@external
@view
def bankruptcy_price(account: uint256, market: uint256) -> uint256:
    """
    @notice The price of one market at which the account value falls below 0, every other price as it is; 0 if there
            is none (VIEW-8).
    """
    if market >= types.MAX_MARKETS or (accounts.headers[account] >> market) & 1 == 0:
        return 0
    size: int256 = calc.signed_high(accounts.positions[account][market])
    mid: uint256 = 0
    now_price: uint256 = 0
    mid, now_price = self._price_position(market, parameters.market_words[market], size > 0)
    health: types.Health = staticcall ISelf(self).self_health(account)
    # Below 0 where rest + floor(size * price / W) is, so where size * price < -rest * W.
    rest: int256 = health.equity_raw - calc.fdiv(size * convert(now_price, int256), calc.WI)
    if size > 0:
        highest: int256 = max(calc.cdiv(-rest * calc.WI, size) - 1, 0)
        return min(convert(highest, uint256), calc.PRICE_LIMIT - 1)
    lowest: uint256 = convert(max(calc.fdiv(rest * calc.WI, -size) + 1, 0), uint256)
    return lowest if lowest < calc.PRICE_LIMIT else 0


@external
@view
def solvency() -> types.Solvency:
    """
    @notice The protocol's dollars at present prices (VIEW-6).
    """
    worth: pool_values.PoolValue = pool_values.compute_pool_value()
    funds: uint256 = treasury.funds
    dues: uint256 = treasury.dues
    pool: uint256 = calc.high(funds)
    return types.Solvency(
        pool=pool,
        insurance=calc.low(funds),
        deficit=calc.high(dues),
        trader_debt=calc.low(dues),
        escrow=orders.escrow,
        reserved=worth.reserved,
        free=convert(pool, int256) - convert(calc.low(dues) + worth.reserved, int256),
        deposit_value=worth.deposit,
        redemption_value=worth.redemption,
        price_status=worth.price_status,
    )


@external
@view
def list_accounts(start: uint256, count: uint256) -> DynArray[uint256, PAGE]:
    """
    @notice A page of account ids in order of registration, at most 200 (VIEW-7).
    """
    page: DynArray[uint256, PAGE] = []
    total: uint256 = accounts.account_count
    for i: uint256 in range(min(count, PAGE), bound=PAGE):
        if start >= total or i >= total - start:
            break
        page.append(accounts.account_ids[start + i])
    return page


@external
@view
def health_batch(batch: DynArray[uint256, BATCH]) -> DynArray[types.Health, BATCH]:
    """
    @notice The health of several accounts (VIEW-7).
    """
    found: DynArray[types.Health, BATCH] = []
    for account: uint256 in batch:
        found.append(staticcall ISelf(self).self_health(account))
    return found


@external
@view
def account_info(account: uint256) -> AccountInfo:
    """
    @notice An account's balance, flag, margin call, isolation (market plus 1, 0 for cross) and operator (VIEW-7).
    """
    header: uint256 = accounts.headers[account]
    return AccountInfo(
        cash=calc.signed_high(header),
        flagged_at=(header >> accounts.FLAGGED_SHIFT) & calc.MASK_40,
        margin_called_at=(header >> accounts.CALLED_SHIFT) & calc.MASK_40,
        isolated=(header >> accounts.ISOLATED_SHIFT) & accounts.ISOLATED_MASK,
        operator=accounts.operators[account],
    )


@external
@view
def positions_of(account: uint256) -> DynArray[Holding, types.MAX_POSITIONS]:
    """
    @notice An account's positions by ascending market (VIEW-7).
    """
    found: DynArray[Holding, types.MAX_POSITIONS] = []
    listed: uint256 = accounts.headers[account] & accounts.MARKETS_MASK
    for market: uint256 in range(types.MAX_MARKETS):
        if listed == 0:
            break
        if listed & 1 != 0:
            position: uint256 = accounts.positions[account][market]
            entry: uint256 = accounts.entries[account][market]
            found.append(
                Holding(
                    market=market,
                    size=calc.signed_high(position),
                    cost=calc.signed_low(position),
                    entry_index=calc.signed_high(entry),
                    leverage_cap=entry & calc.MASK_80,
                )
            )
        listed >>= 1
    return found


@external
@view
def collateral_of(account: uint256, token: uint256) -> uint256:
    """
    @notice An account's units of one collateral (VIEW-7).
    """
    return accounts.collateral[account][token]


@internal
@view
def _liquidation_price(account: uint256, market: uint256, health: types.Health) -> uint256:
    """Bisect the price at which the rest of the account no longer carries one position (VIEW-5)."""
    if market >= types.MAX_MARKETS or (accounts.headers[account] >> market) & 1 == 0:
        return 0
    word: uint256 = parameters.market_words[market]
    position: uint256 = accounts.positions[account][market]
    size: int256 = calc.signed_high(position)
    mid: uint256 = 0
    now_price: uint256 = 0
    mid, now_price = self._price_position(market, word, size > 0)
    index: int256 = funding.project_index(markets.indices[market], markets.rates[market], mid)
    owed: int256 = funding.compute_owed(size, calc.signed_high(accounts.entries[account][market]), index)
    fixed_cost: int256 = calc.signed_low(position) + owed
    rest: int256 = health.equity_mm - convert(health.maintenance_margin, int256)
    rest -= self._measure_at(market, word, size, fixed_cost, now_price)
    worst: uint256 = 0
    best: uint256 = calc.PRICE_LIMIT - 1
    if size < 0:
        worst = best
        best = 0
    if rest + self._measure_at(market, word, size, fixed_cost, worst) >= 0:
        return 0
    if rest + self._measure_at(market, word, size, fixed_cost, best) < 0:
        return best
    for i: uint256 in range(97):
        if max(best, worst) - min(best, worst) <= 1:
            break
        middle: uint256 = (worst + best) // 2
        if rest + self._measure_at(market, word, size, fixed_cost, middle) < 0:
            worst = middle
        else:
            best = middle
    return worst


@internal
@view
def _price_position(market: uint256, word: uint256, is_long: bool) -> (uint256, uint256):
    """The prices of pending funding and of maintenance for one position now (VIEW-5, VIEW-8)."""
    mid: uint256 = 0
    strict: uint256 = 0
    status: uint256 = 0
    price: uint256 = 0
    mid, strict, status = prices.quote_strict((word >> 8) & calc.MASK_16, is_long)
    mid, price, strict = tiers.compute_position_prices(market, word, mid, strict, status, is_long)
    return mid, price


@internal
@view
def _measure_at(market: uint256, word: uint256, size: int256, fixed_cost: int256, price: uint256) -> int256:
    """One position's profit less its maintenance margin at a price (VIEW-5)."""
    mm: uint256 = 0
    im: uint256 = 0
    mm, im = tiers.compute_maintenance_in_force(market, word, valuation.compute_notional(size, price))
    return valuation.compute_pnl(size, fixed_cost, price) - convert(mm, int256)


@internal
@view
def _bisect_units(token: uint256, held: uint256, most: uint256, spare: uint256) -> uint256:
    """The most units whose removal lowers the counted collateral by at most what is spare (VIEW-3)."""
    counted: uint256 = self._counted_im(token, held)
    low: uint256 = 0
    high: uint256 = most + 1
    for i: uint256 in range(97):
        if high - low <= 1:
            break
        middle: uint256 = (low + high) // 2
        if counted - self._counted_im(token, held - middle) <= spare:
            low = middle
        else:
            high = middle
    return low


@internal
@view
def _counted_im(token: uint256, units: uint256) -> uint256:
    """What units of a collateral count for in equity_im now, nothing with a faulty price (VIEW-3)."""
    word: uint256 = parameters.collateral_words[token]
    mid: uint256 = 0
    strict: uint256 = 0
    status: uint256 = 0
    mid, strict, status = prices.quote_strict(word >> 240, True)
    if status != 0:
        return 0
    mm: uint256 = 0
    im: uint256 = 0
    mm, im = tiers.compute_haircut_values(
        token, word & 255, valuation.compute_token_value(units, strict, (word >> 232) & 255)
    )
    return im


@internal
def _accepts(account: uint256, market: uint256, size: uint256, is_long: bool) -> bool:
    """Whether a trade by the account's owner at any price would be accepted now (VIEW-4)."""
    size_delta: int256 = convert(size, int256)
    if not is_long:
        size_delta = -size_delta
    success: bool = False
    response: Bytes[32] = b""
    success, response = raw_call(
        self,
        abi_encode(account, market, size_delta, method_id=method_id("try_trade(uint256,uint256,int256)")),
        max_outsize=32,
        revert_on_failure=False,
    )
    # A refusal is Error(string), whose first word is no truth value.
    return len(response) == 32 and convert(response, uint256) == 1


@internal
@pure
def _code_of(response: Bytes[PREVIEW_BYTES]) -> bytes32:
    """The code in an Error(string): selector, offset, length, then the code, which fits one word."""
    if len(response) != 100:
        return convert(b"sys/panic", bytes32)
    return convert(slice(response, 68, 32), bytes32)


@internal
@pure
def _owner_of(account: uint256) -> address:
    """The owner's address in an account id."""
    return convert(convert(account >> 96, bytes32), address)
