# @title Events
# @notice Twin of protocol/events.py: one event per record touched, carrying its complete new value.

from modules import types

event AccountUpdated:
    account: indexed(uint256)
    cash: int256

event CollateralUpdated:
    account: indexed(uint256)
    token: indexed(uint256)
    units: uint256

event PositionUpdated:
    account: indexed(uint256)
    market: indexed(uint256)
    size: int256
    cost: int256
    size_delta: int256
    price: uint256
    pnl: int256
    fee: uint256

event MarketUpdated:
    market: indexed(uint256)
    long_oi: uint256
    short_oi: uint256
    cost: int256

event TokenUpdated:
    token: indexed(uint256)
    held: uint256
    inventory: uint256

event LedgerUpdated:
    pool: uint256
    insurance: uint256
    deficit: uint256
    trader_debt: uint256
    shares: uint256

event SharesUpdated:
    owner: indexed(address)
    shares: uint256

event AccountLiquidated:
    account: indexed(uint256)
    keeper: indexed(uint256)
    account_state: uint256
    equity_raw: int256
    equity_mm: int256
    maintenance_margin: uint256
    closed_notional: uint256
    reward: uint256
    reward_from_account: uint256
    penalty: uint256
    bad_debt: uint256
    bad_debt_insurance: uint256
    bad_debt_pool: uint256

event RiskSet:
    params: types.RiskParams

event MarketSet:
    market: indexed(uint256)
    params: types.MarketParams

event CollateralSet:
    token: indexed(uint256)
    params: types.CollateralParams

event OpeningPaused:
    paused: bool
