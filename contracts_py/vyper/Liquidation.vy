# pragma version 0.4.3
# pragma nonreentrancy on
# @title Liquidation: flags, partial and full closes, the loss waterfall, margin calls
# @notice Twin of protocol/liquidation.py, rewards.py and margin_call.py; rules in specs/actions/.
# @custom:kill Liquidation cannot be stopped.

from modules import storage
initializes: storage

from interfaces import ISelf
from modules import accounts
from modules import calc
from modules import checks
from modules import events
from modules import ledger
from modules import losses
from modules import markets
from modules import parameters
from modules import peg
from modules import policy
from modules import prices
from modules import records
from modules import roles
from modules import sizing
from modules import states
from modules import tiers
from modules import treasury
from modules import types
from modules import valuation
from modules import windows

uses: (accounts, parameters)
initializes: prices[roles := roles]
initializes: peg[parameters := parameters, prices := prices]
initializes: tiers[parameters := parameters]
initializes: states[parameters := parameters, tiers := tiers]
initializes: records[accounts := accounts, treasury := treasury]
initializes: ledger[accounts := accounts, treasury := treasury]
initializes: windows[markets := markets, parameters := parameters]
initializes: checks[
    accounts := accounts,
    markets := markets,
    records := records,
    tiers := tiers,
]
initializes: sizing[
    accounts := accounts,
    parameters := parameters,
    tiers := tiers,
    windows := windows,
]
initializes: losses[
    accounts := accounts,
    ledger := ledger,
    parameters := parameters,
    peg := peg,
    prices := prices,
    records := records,
    tiers := tiers,
    treasury := treasury,
]

MARGIN_CALL_FEE_CAP: constant(uint256) = 5  # basis points of the account value
MARGIN_CALL_INTERVAL: constant(uint256) = 3_600


@external
def liquidate(account: uint256):
    """
    @notice Close enough of an account below maintenance, or all of it, and settle what it leaves (LIQ-1 to LIQ-8).
            The reward is credited to the account balance of the sender's account 0.
    """
    self._liquidate(account, msg.sender)


@external
def liquidate_many(batch: DynArray[uint256, types.SENT_BATCH]):
    """
    @notice Liquidate several accounts, each by itself; one that is refused does not stop the others (LIQ-9).
    """
    assert len(batch) <= types.MAX_BATCH, "liq/batch"
    for account: uint256 in batch:
        success: bool = False
        response: Bytes[100] = b""
        success, response = raw_call(
            self,
            abi_encode(account, msg.sender, method_id=method_id("self_liquidate(uint256,address)")),
            max_outsize=100,
            revert_on_failure=False,
        )
        if not success:
            # Error(string): selector, offset, length, then the code, which fits one word.
            log events.LiquidationRefused(account=account, code=convert(slice(response, 68, 32), bytes32))


@external
@reentrant
def self_liquidate(account: uint256, keeper: address) -> types.LiquidationQuote:
    """
    @notice One account of a batch, or for a quote; only for the protocol itself.
    """
    assert msg.sender == self, "sys/self-only"
    return self._liquidate(account, keeper)


@external
def flag_account(account: uint256):
    """
    @notice Start the clock of the reward for an account below maintenance, or lift it (LIQ-10).
    """
    header: uint256 = checks.check_registered(account)
    health: types.Health = staticcall ISelf(self).self_health(account)
    if (header >> accounts.FLAGGED_SHIFT) & calc.MASK_40 != 0:
        assert states.is_clear(health), "liq/flagged"
        records.put_flag(account, 0)
    else:
        assert self._is_liquidatable(health), "liq/not-liquidatable"
        records.put_flag(account, block.timestamp)


@external
def margin_call(account: uint256):
    """
    @notice Announce that an account is close to liquidation; it grants no time (MCL-1 to MCL-3).
    """
    header: uint256 = checks.check_registered(account)
    caller: uint256 = accounts.account_id(msg.sender)
    assert caller != account, "liq/self"
    health: types.Health = staticcall ISelf(self).self_health(account)
    assert states.compute_account_state(health) == states.MARGIN_CALL, "margin/no-call"
    called_at: uint256 = (header >> accounts.CALLED_SHIFT) & calc.MASK_40
    assert called_at == 0 or block.timestamp - called_at >= MARGIN_CALL_INTERVAL, "margin/just-called"
    fee: uint256 = self._compute_call_fee(health)
    accounts.headers[account] = (
        header & ~(calc.MASK_40 << accounts.CALLED_SHIFT)
    ) | (block.timestamp << accounts.CALLED_SHIFT)
    records.register(caller)
    ledger.add_cash(account, -convert(fee, int256))
    ledger.add_cash(caller, convert(fee, int256))
    records.report_account(account)
    records.report_account(caller)
    records.report_ledger()
    log events.MarginCalled(
        account=account,
        caller=caller,
        equity_mm=health.equity_mm,
        maintenance_margin=health.maintenance_margin,
        fee=fee,
        called_at=block.timestamp,
    )


@internal
def _liquidate(account: uint256, keeper_address: address) -> types.LiquidationQuote:
    """Liquidate one account for a keeper; what it closed, paid and charged (LIQ-1 to LIQ-8)."""
    header: uint256 = checks.check_registered(account)
    keeper: uint256 = accounts.account_id(keeper_address)
    assert keeper != account, "liq/self"
    health: types.Health = staticcall ISelf(self).self_health(account)
    assert self._is_liquidatable(health), "liq/not-liquidatable"
    standing: uint256 = states.compute_account_state(health)
    accepts: uint256 = policy.DEEP_LIQUIDATION if standing <= states.BACKSTOP else policy.LIQUIDATION
    if header & accounts.HAS_ORDERS != 0:
        extcall ISelf(self).self_cancel_orders(account)
    listed: uint256 = header & accounts.MARKETS_MASK
    closed: uint256 = 0
    base: uint256 = 0
    if listed == 0:
        base = convert(-calc.signed_high(header), uint256)
        base = losses.compute_settled(account, base, accepts, health.price_status)
    else:
        closed = self._close_planned(account, listed, health, standing, accepts)
        assert closed != 0, "liq/rate-limit"
        base = closed
    records.register(keeper)
    # The only measure after the closes: reward and penalty move the balance alone.
    left: types.Health = staticcall ISelf(self).self_health(account)
    charges: types.LiquidationQuote = self._charge(account, keeper, base, closed, left.equity_raw, header)
    bad_debt_insurance: uint256 = 0
    bad_debt_pool: uint256 = 0
    if accounts.headers[account] & accounts.MARKETS_MASK == 0:
        losses.sell_collateral(account, accepts)
        charges.bad_debt, bad_debt_insurance, bad_debt_pool = losses.cover_bad_debt(account, accepts)
    left.equity_mm -= convert(charges.reward_from_account + charges.penalty, int256)
    self._settle_flag(account, left)
    records.report_account(account)
    records.report_account(keeper)
    records.report_ledger()
    log events.AccountLiquidated(
        account=account,
        keeper=keeper,
        account_state=standing,
        equity_raw=health.equity_raw,
        equity_mm=health.equity_mm,
        maintenance_margin=health.maintenance_margin,
        closed_notional=closed,
        reward=charges.reward,
        reward_from_account=charges.reward_from_account,
        penalty=charges.penalty,
        bad_debt=charges.bad_debt,
        bad_debt_insurance=bad_debt_insurance,
        bad_debt_pool=bad_debt_pool,
    )
    return charges


@internal
def _close_planned(
    account: uint256, listed: uint256, health: types.Health, standing: uint256, accepts: uint256
) -> uint256:
    """Close what the plan says, market by market, and return its notional (SIZ-1, LIQ-3, LIQ-5).

    @dev Exposures are measured once; the next best is chosen each time, which is cheaper than sorting them all when
         a partial liquidation ends after the first.
    """
    exposures: sizing.Exposure[types.MAX_POSITIONS] = empty(sizing.Exposure[types.MAX_POSITIONS])
    count: uint256 = 0
    faults: uint256 = 0
    bits: uint256 = listed
    for market: uint256 in range(types.MAX_MARKETS):
        if bits == 0:
            break
        if bits & 1 != 0:
            price: uint256 = 0
            status: uint256 = 0
            price, status = prices.quote((parameters.market_words[market] >> 8) & calc.MASK_16)
            if policy.is_accepted(accepts, status):
                exposures[count] = sizing.measure(account, market, price)
                count += 1
            else:
                faults |= status
        bits >>= 1
    if count == 0:
        policy.check_accepted(accepts, faults)
    partial: bool = standing == states.LIQUIDATABLE
    shortage: uint256 = 0
    if partial:
        shortage = convert(sizing.compute_shortage(health), uint256)
    closed: uint256 = 0
    done: uint256 = 0
    for i: uint256 in range(count, bound=types.MAX_POSITIONS):
        if partial and shortage == 0:
            break
        best: uint256 = self._next_best(exposures, count, done)
        done |= 1 << best
        size: uint256 = calc.magnitude(exposures[best].size)
        if partial:
            needed: uint256 = 0
            missing: uint256 = 0
            needed, missing = sizing.walk_down(exposures[best], shortage)
            size = sizing.round_close(exposures[best], needed)
            if sizing.has_window(exposures[best].market):
                limited: uint256 = sizing.limit_close(exposures[best], size)
                if limited < size:
                    part: uint256 = calc.ucdiv(limited * exposures[best].price, calc.W)
                    missing = shortage - sizing.compute_freed(exposures[best], part)
                size = limited
            shortage = missing
        if size != 0:
            closed += self._close(account, exposures[best], size, partial)
    return closed


@internal
@pure
def _next_best(
    exposures: sizing.Exposure[types.MAX_POSITIONS], count: uint256, done: uint256
) -> uint256:
    """The exposure that comes next: most relief, then more maintenance margin, then lower id (SIZ-1)."""
    best: uint256 = types.MAX_POSITIONS
    for i: uint256 in range(count, bound=types.MAX_POSITIONS):
        if (done >> i) & 1 != 0:
            continue
        if best == types.MAX_POSITIONS or exposures[i].relief > exposures[best].relief:
            best = i
        elif (
            exposures[i].relief == exposures[best].relief
            and exposures[i].maintenance > exposures[best].maintenance
        ):
            best = i
    return best


@internal
def _close(account: uint256, exposure: sizing.Exposure, size: uint256, partial: bool) -> uint256:
    """Close a size of one position and return its notional (LIQ-5)."""
    signed_size: int256 = convert(size, int256)
    if exposure.size < 0:
        signed_size = -signed_size
    notional: uint256 = valuation.compute_notional(signed_size, exposure.price)
    extcall ISelf(self).self_fill_liquidation(account, exposure.market, -signed_size, exposure.price, notional)
    if partial and sizing.has_window(exposure.market):
        windows.add_closed(exposure.market, notional)
    return notional


@internal
def _charge(
    account: uint256, keeper: uint256, base: uint256, closed: uint256, account_value: int256, header: uint256
) -> types.LiquidationQuote:
    """Pay the keeper and charge the penalty (RWD-1 to RWD-5)."""
    reward: uint256 = self._compute_reward(base, (header >> accounts.FLAGGED_SHIFT) & calc.MASK_40)
    reward_from_account: uint256 = self._pay_from_account(account, account_value, reward)
    shortfall: uint256 = reward - reward_from_account
    from_insurance: uint256 = ledger.draw_insurance(shortfall)
    paid: uint256 = reward_from_account + from_insurance + ledger.draw_pool(shortfall - from_insurance)
    ledger.add_cash(keeper, convert(paid, int256))
    penalty_ratio: uint256 = (parameters.ratio_word >> 64) & calc.MASK_64
    penalty: uint256 = self._pay_from_account(
        account, account_value - convert(reward_from_account, int256), calc.ucdiv(closed * penalty_ratio, calc.W)
    )
    ledger.share_income(penalty, (parameters.state_word >> 48) & calc.MASK_16)
    return types.LiquidationQuote(
        code=empty(bytes32),
        closed_notional=closed,
        reward=paid,
        reward_from_account=reward_from_account,
        penalty=penalty,
        bad_debt=0,
    )


@internal
@view
def _compute_reward(base: uint256, flagged_at: uint256) -> uint256:
    """The keeper's reward for a notional closed, or a debt settled, rounded down against the keeper (RWD-1, RWD-2)."""
    word: uint256 = parameters.reward_word
    ratios: uint256 = parameters.ratio_word
    ratio: uint256 = ratios >> 192
    if flagged_at != 0:
        elapsed: uint256 = block.timestamp - flagged_at
        grace: uint256 = (parameters.limit_word >> 32) & calc.MASK_32
        late: uint256 = elapsed - min(elapsed, grace)
        ratio = min(ratio + (word & calc.MASK_64) * late, (ratios >> 128) & calc.MASK_64)
    reward: uint256 = (word >> 160) + base * ratio // calc.W
    cap_share: uint256 = (parameters.state_word >> 80) & calc.MASK_16
    return min(min(reward, (word >> 64) & calc.MASK_96), base * cap_share // calc.BPS)


@internal
def _pay_from_account(account: uint256, account_value: int256, amount: uint256) -> uint256:
    """Charge a reward or penalty, at most the account value, and return what it paid (RWD-4)."""
    paid: uint256 = min(amount, convert(max(account_value, 0), uint256))
    ledger.add_cash(account, -convert(paid, int256))
    return paid


@internal
def _settle_flag(account: uint256, health: types.Health):
    """Lift the flag of an account that is well above maintenance or has nothing left to close; else set it (LIQ-8)."""
    header: uint256 = accounts.headers[account]
    if header & accounts.MARKETS_MASK == 0 or states.is_clear(health):
        records.put_flag(account, 0)
    elif (header >> accounts.FLAGGED_SHIFT) & calc.MASK_40 == 0:
        records.put_flag(account, block.timestamp)


@internal
@view
def _compute_call_fee(health: types.Health) -> uint256:
    """The caller's fee: at most 0.05 % of the account value, never so much as to make it liquidatable (MCL-3)."""
    bound: uint256 = convert(max(health.equity_raw, 0), uint256) * MARGIN_CALL_FEE_CAP // calc.BPS
    spare: uint256 = convert(health.equity_mm, uint256) - health.maintenance_margin
    return min(min((parameters.limit_word >> 64) & calc.MASK_96, bound), spare)


@internal
@pure
def _is_liquidatable(health: types.Health) -> bool:
    """Whether equity_mm is below the maintenance margin; equality is safe (LIQ-4)."""
    return health.equity_mm < convert(health.maintenance_margin, int256)
