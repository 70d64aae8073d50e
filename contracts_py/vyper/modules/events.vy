# @title Events
# @notice Twin of protocol/events.py: one event per record touched, carrying its complete new value.

from modules import types

event AccountUpdated:
    account: indexed(uint256)
    cash: int256

event AccountIsolated:
    account: indexed(uint256)
    market: indexed(uint256)

event OperatorSet:
    account: indexed(uint256)
    operator: address

event LeverageCapSet:
    account: indexed(uint256)
    market: indexed(uint256)
    leverage_cap: uint256

event AccountFlagged:
    account: indexed(uint256)
    flagged_at: uint256

event MarginCalled:
    account: indexed(uint256)
    caller: indexed(uint256)
    equity_mm: int256
    maintenance_margin: uint256
    fee: uint256
    called_at: uint256

event CollateralUpdated:
    account: indexed(uint256)
    token: indexed(uint256)
    units: uint256

event PositionUpdated:
    account: indexed(uint256)
    market: indexed(uint256)
    size: int256
    cost: int256
    entry_index: int256
    size_delta: int256
    price: uint256
    pnl: int256
    funding: int256
    impact: int256
    fee: uint256

event OrderUpdated:
    account: indexed(uint256)
    market: indexed(uint256)
    size_delta: int256
    acceptable_price: uint256
    fee: uint256
    cancel_fee: uint256
    feed: indexed(uint256)
    settles_from: uint256
    expires_at: uint256

event OrderSettled:
    account: indexed(uint256)
    market: indexed(uint256)
    keeper: indexed(uint256)
    round: uint256
    price: uint256
    code: bytes32

event EscrowUpdated:
    escrow: uint256

event MarketUpdated:
    market: indexed(uint256)
    long_oi: uint256
    short_oi: uint256
    cost: int256
    impact: uint256
    reserved: uint256
    funding_index: int256
    funding_rate: int256
    funding_velocity: int256
    funding_limit: int256
    accrued_at: uint256
    index_cost: int256

event WindowUpdated:
    market: indexed(uint256)
    bucket: uint256
    closed: uint256
    used: uint256

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
    reserved: uint256

event StakeUpdated:
    owner: indexed(address)
    shares: uint256
    requested: uint256
    claimable_at: uint256

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

event LiquidationRefused:
    account: indexed(uint256)
    code: bytes32

event RiskSet:
    params: types.RiskParams
    phase_until: uint256
    former_reserve: uint256
    former_phase_in: uint256

event MarketSet:
    market: indexed(uint256)
    params: types.MarketParams
    phase_until: uint256

event OrdersSet:
    market: indexed(uint256)
    params: types.OrderParams

event CollateralSet:
    token: indexed(uint256)
    params: types.CollateralParams
    phase_until: uint256

event OpeningPaused:
    paused: bool

event RolesSet:
    admin: address
    pending_admin: address
    guardian: address
