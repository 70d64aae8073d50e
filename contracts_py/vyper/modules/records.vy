# @title Writing records
# @notice Twin of protocol/draft.py: packs, checks widths, writes, and reports complete new values.

from modules import accounts
from modules import calc
from modules import events
from modules import treasury
from modules import types

uses: (accounts, treasury)


@internal
def register(account: uint256) -> bool:
    """Enter an account in the list of accounts, unless it is there; whether it was new."""
    header: uint256 = accounts.headers[account]
    if header & accounts.REGISTERED != 0:
        return False
    accounts.headers[account] = header | accounts.REGISTERED
    index: uint256 = accounts.account_count
    accounts.account_ids[index] = account
    accounts.account_count = index + 1
    return True


@internal
def put_collateral(account: uint256, token: uint256, units: uint256):
    """Set the units of one collateral; 0 removes it from the account's list."""
    assert units < calc.UNITS_LIMIT, "sys/domain"
    accounts.collateral[account][token] = units
    self._list(account, accounts.TOKENS_SHIFT + token - 1, units != 0)


@internal
def put_position(account: uint256, market: uint256, size: int256, cost: int256, entry_index: int256):
    """Set the position in one market; size 0 removes it from the account's list."""
    assert size > -calc.SIZE_LIMIT and size < calc.SIZE_LIMIT, "sys/domain"
    accounts.positions[account][market] = (calc.half(size) << 128) | calc.half(cost)
    entry: uint256 = accounts.entries[account][market] & calc.MASK_128
    if size != 0:
        entry |= calc.bits(entry_index) << 128
    accounts.entries[account][market] = entry
    self._list(account, market, size != 0)


@internal
def _list(account: uint256, bit: uint256, present: bool):
    """Set or clear a token's or market's bit in an account's header."""
    header: uint256 = accounts.headers[account]
    listed: uint256 = header & ~(1 << bit)
    if present:
        listed |= 1 << bit
    if listed != header:
        accounts.headers[account] = listed


@internal
def put_flag(account: uint256, flagged_at: uint256):
    """Set when an account was flagged, 0 for not at all, and report it if it changes."""
    header: uint256 = accounts.headers[account]
    if (header >> accounts.FLAGGED_SHIFT) & calc.MASK_40 != flagged_at:
        accounts.headers[account] = (
            header & ~(calc.MASK_40 << accounts.FLAGGED_SHIFT)
        ) | (flagged_at << accounts.FLAGGED_SHIFT)
        log events.AccountFlagged(account=account, flagged_at=flagged_at)


@internal
def put_token(token: uint256, held: uint256, inventory: uint256):
    """Set the vault's record of a token and report it."""
    treasury.token_totals[token] = calc.pack(held, inventory)
    log events.TokenUpdated(token=token, held=held, inventory=inventory)


@internal
def put_stake(owner: address, amount: uint256, requested: uint256, claimable_at: uint256):
    """Set an owner's pool shares and redemption request and report them."""
    if treasury.claimable[owner] == 0:
        index: uint256 = treasury.share_owner_count
        treasury.share_owners[index] = owner
        treasury.share_owner_count = index + 1
    treasury.stakes[owner] = calc.pack(amount, requested)
    treasury.claimable[owner] = treasury.KNOWN | claimable_at
    log events.StakeUpdated(owner=owner, shares=amount, requested=requested, claimable_at=claimable_at)


@internal
def report_account(account: uint256):
    """Report an account balance in its final form."""
    log events.AccountUpdated(account=account, cash=calc.signed_high(accounts.headers[account]))


@internal
def report_collateral(account: uint256, token: uint256):
    """Report an account's units of one collateral in their final form."""
    log events.CollateralUpdated(account=account, token=token, units=accounts.collateral[account][token])


@internal
def report_market(market: uint256, totals: types.Market):
    """Report a market's totals in their final form."""
    log events.MarketUpdated(
        market=market,
        long_oi=totals.long_oi,
        short_oi=totals.short_oi,
        cost=totals.cost,
        impact=totals.impact,
        reserved=totals.reserved,
        funding_index=totals.funding_index,
        funding_rate=totals.funding_rate,
        funding_velocity=totals.funding_velocity,
        funding_limit=totals.funding_limit,
        accrued_at=totals.accrued_at,
        index_cost=totals.index_cost,
    )


@internal
def report_ledger():
    """Report the protocol's own dollars in their final form."""
    funds: uint256 = treasury.funds
    dues: uint256 = treasury.dues
    pool_word: uint256 = treasury.pool_word
    log events.LedgerUpdated(
        pool=calc.high(funds),
        insurance=calc.low(funds),
        deficit=calc.high(dues),
        trader_debt=calc.low(dues),
        shares=calc.high(pool_word),
        reserved=calc.low(pool_word),
    )
