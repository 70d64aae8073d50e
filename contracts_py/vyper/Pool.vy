# pragma version 0.4.3
# pragma nonreentrancy on
# @title Pool: liquidity providers' deposits and redemptions, and the inventory
# @notice Twin of protocol/pool.py; rules in specs/actions/pool.md and buy_inventory.md.
# @custom:kill Cannot be stopped; a deficit stops deposits and claims until it is repaid.

from modules import storage
initializes: storage

from snekmate.utils import math

from modules import accounts
from modules import calc
from modules import impact
from modules import ledger
from modules import markets
from modules import parameters
from modules import peg
from modules import pool_values
from modules import policy
from modules import prices
from modules import records
from modules import roles
from modules import tiers
from modules import transfers
from modules import treasury
from modules import types

uses: (parameters, treasury)
initializes: prices[roles := roles]
initializes: peg[parameters := parameters, prices := prices]
initializes: tiers[parameters := parameters]
initializes: records[accounts := accounts, treasury := treasury]
initializes: ledger[accounts := accounts, treasury := treasury]
initializes: transfers[records := records, treasury := treasury]
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

VIRTUAL: constant(uint256) = 10**6  # virtual shares and dollars that make share-price inflation unprofitable


@external
def deposit_to_pool(units: uint256):
    """
    @notice Buy pool shares with USDC at the pool's present value (LPD-1 to LPD-4).
    """
    self._check_amount(units)
    assert calc.high(treasury.dues) == 0, "pool/deficit"
    worth: pool_values.PoolValue = pool_values.compute_pool_value()
    policy.check_accepted(policy.NEW_RISK, worth.price_status)
    pool_word: uint256 = treasury.pool_word
    supply: uint256 = calc.high(pool_word)
    assert worth.deposit * VIRTUAL >= supply, "pool/no-value"
    transfers.take_in(types.USDC, units)
    amount: uint256 = units * calc.USDC_TO_W
    funds: uint256 = treasury.funds
    treasury.funds = calc.pack(calc.high(funds) + amount, calc.low(funds))
    # Amount and supply are below 2**128, so the quotient fits.
    bought: uint256 = math._mul_div(amount, supply + VIRTUAL, worth.deposit + VIRTUAL, False)
    assert bought != 0, "pool/no-shares"
    treasury.pool_word = calc.pack(supply + bought, calc.low(pool_word))
    stake: uint256 = treasury.stakes[msg.sender]
    records.put_stake(
        msg.sender, calc.high(stake) + bought, calc.low(stake), treasury.claimable[msg.sender] & calc.MASK_40
    )
    records.report_ledger()
    transfers.pull(types.USDC, units)


@external
def request_redemption(shares: uint256):
    """
    @notice Ask for the redemption of shares; claimable after the delay, within the window (LPR-3).
    @param shares At scale 1e18; replaces an older request; 0 withdraws it
    """
    stake: uint256 = calc.high(treasury.stakes[msg.sender])
    assert shares <= stake and stake != 0, "pool/insufficient-shares"
    claimable_at: uint256 = 0
    if shares != 0:
        claimable_at = block.timestamp + ((parameters.redemption_word >> 32) & calc.MASK_32)
    records.put_stake(msg.sender, stake, shares, claimable_at)


@external
def claim_redemption():
    """
    @notice Redeem the requested shares at the pool's value now (LPR-1 to LPR-5).
    """
    stake: uint256 = treasury.stakes[msg.sender]
    requested: uint256 = calc.low(stake)
    assert requested != 0, "pool/no-request"
    claimable_at: uint256 = treasury.claimable[msg.sender] & calc.MASK_40
    assert block.timestamp >= claimable_at, "pool/too-early"
    assert block.timestamp <= claimable_at + (parameters.redemption_word & calc.MASK_32), "pool/expired"
    dues: uint256 = treasury.dues
    assert calc.high(dues) == 0, "pool/deficit"
    worth: pool_values.PoolValue = pool_values.compute_pool_value()
    policy.check_accepted(policy.NEW_RISK, worth.price_status)
    pool_word: uint256 = treasury.pool_word
    supply: uint256 = calc.high(pool_word)
    amount: uint256 = math._mul_div(requested, worth.redemption + VIRTUAL, supply + VIRTUAL, False)
    units: uint256 = min(amount, worth.redemption) // calc.USDC_TO_W
    assert units != 0, "amount/zero"
    funds: uint256 = treasury.funds
    paid: uint256 = units * calc.USDC_TO_W
    # The value counts inventory and traders' debts, which are no cash: what debts and reserves ask for must stay.
    assert calc.high(funds) >= paid + calc.low(dues) + worth.reserved, "pool/reserved"
    treasury.funds = calc.pack(calc.high(funds) - paid, calc.low(funds))
    treasury.pool_word = calc.pack(supply - requested, calc.low(pool_word))
    transfers.pay_out(types.USDC, units)
    records.put_stake(msg.sender, calc.high(stake) - requested, 0, 0)
    records.report_ledger()
    transfers.push(types.USDC, units)


@external
def buy_inventory(token: uint256, units: uint256, max_cost: uint256):
    """
    @notice Buy collateral that the pool took over, at oracle price less half the sale discount (INV-1 to INV-3).
    @param max_cost The most USDC units to pay
    """
    assert token <= parameters.collateral_count, "token/unknown"
    self._check_amount(units)
    totals: uint256 = treasury.token_totals[token]
    assert token != types.USDC and calc.low(totals) >= units, "pool/inventory"
    word: uint256 = parameters.collateral_words[token]
    price: uint256 = 0
    status: uint256 = 0
    price, status = prices.quote(word >> 240)
    bid: uint256 = 0
    usdc: uint256 = 0
    status_of_usdc: uint256 = 0
    bid, usdc, status_of_usdc = peg.read_usdc()
    policy.check_accepted(policy.NEW_RISK, status | status_of_usdc)
    discount: uint256 = (parameters.state_word >> 32) & calc.MASK_16
    # Below 2**208 over at most 2**135.
    cost: uint256 = calc.ucdiv(
        units * peg.buy_for_usdc(price, usdc) * (2 * calc.BPS - discount),
        2 * calc.BPS * 10 ** ((word >> 232) & 255) * calc.USDC_TO_W,
    )
    assert cost <= max_cost, "trade/price"
    transfers.take_in(types.USDC, cost)
    ledger.credit_pool(cost * calc.USDC_TO_W)
    records.put_token(token, calc.high(totals) - units, calc.low(totals) - units)
    records.report_ledger()
    transfers.pull(types.USDC, cost)
    transfers.push(token, units)


@internal
@pure
def _check_amount(units: uint256):
    """Refuse an amount of nothing, or more than the protocol stores."""
    assert units != 0, "amount/zero"
    assert units < calc.UNITS_LIMIT, "sys/domain"
