# @title Writing records
# @notice Twin of protocol/draft.py: packs, checks widths, writes, and reports complete new values.

from modules import accounts
from modules import calc
from modules import events
from modules import markets
from modules import treasury
from modules import types

uses: (accounts, markets, treasury)


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
@view
def check_registered(account: uint256) -> uint256:
    """The header of an account that has received a deposit."""
    header: uint256 = accounts.headers[account]
    assert header & accounts.REGISTERED != 0, "account/unknown"
    return header


@internal
@view
def check_owner(account: uint256):
    """Refuse a sender who does not own the account."""
    self.check_registered(account)
    assert account >> 96 == convert(convert(msg.sender, bytes32), uint256), "account/not-owner"


@internal
def put_collateral(account: uint256, token: uint256, units: uint256):
    """Set the units of one collateral; 0 removes it from the account's list."""
    assert units < calc.UNITS_LIMIT, "sys/domain"
    accounts.collateral[account][token] = units
    self._list(account, accounts.TOKENS_SHIFT + token - 1, units != 0)


@internal
def put_position(account: uint256, market: uint256, size: int256, cost: int256):
    """Set the position in one market; size 0 removes it from the account's list."""
    assert size > -calc.SIZE_LIMIT and size < calc.SIZE_LIMIT, "sys/domain"
    accounts.positions[account][market] = (calc.half(size) << 128) | calc.half(cost)
    self._list(account, market, size != 0)


@internal
def _list(account: uint256, bit: uint256, present: bool):
    header: uint256 = accounts.headers[account]
    listed: uint256 = header & ~(1 << bit)
    if present:
        listed |= 1 << bit
    if listed != header:
        accounts.headers[account] = listed


@internal
def put_market(market: uint256, long_oi: uint256, short_oi: uint256, cost: int256):
    """Set a market's totals and report them."""
    markets.open_interest[market] = calc.pack(long_oi, short_oi)
    assert cost >= -calc.SIGNED_LIMIT and cost < calc.SIGNED_LIMIT, "sys/domain"
    markets.costs[market] = cost
    log events.MarketUpdated(market=market, long_oi=long_oi, short_oi=short_oi, cost=cost)


@internal
def put_token(token: uint256, held: uint256, inventory: uint256):
    """Set the vault's record of a token and report it."""
    treasury.token_totals[token] = calc.pack(held, inventory)
    log events.TokenUpdated(token=token, held=held, inventory=inventory)


@internal
def put_shares(owner: address, amount: uint256):
    """Set an owner's pool shares and report them."""
    assert amount < calc.UNSIGNED_LIMIT, "sys/domain"
    if treasury.shares[owner] == 0:
        index: uint256 = treasury.share_owner_count
        treasury.share_owners[index] = owner
        treasury.share_owner_count = index + 1
    treasury.shares[owner] = amount
    log events.SharesUpdated(owner=owner, shares=amount)


@internal
def report_account(account: uint256):
    """Report an account balance in its final form."""
    log events.AccountUpdated(account=account, cash=calc.signed_high(accounts.headers[account]))


@internal
def report_collateral(account: uint256, token: uint256):
    """Report an account's units of one collateral in their final form."""
    log events.CollateralUpdated(account=account, token=token, units=accounts.collateral[account][token])


@internal
def report_ledger():
    """Report the protocol's own dollars in their final form."""
    funds: uint256 = treasury.funds
    dues: uint256 = treasury.dues
    log events.LedgerUpdated(
        pool=calc.high(funds),
        insurance=calc.low(funds),
        deficit=calc.high(dues),
        trader_debt=calc.low(dues),
        shares=treasury.share_supply,
    )
