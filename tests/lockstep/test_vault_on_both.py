"""Tokens in, out and between accounts, through both twins: every success, every refusal, in the order of the checks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts_py.keys import address_of
from oracle.feeds import Push
from protocol.actions import (
    CloseAll,
    CreateIsolated,
    Deposit,
    DepositToPool,
    FlagAccount,
    FundInsurance,
    SetCollateral,
    SetLeverageCap,
    SetMarket,
    SetOperator,
    SetRisk,
    Transfer,
    Withdraw,
)
from protocol.params import EquityTier
from protocol.units import USDC_TO_W, W
from tests.lockstep.both import (
    BORROWER,
    DOLLAR,
    LIQUIDATOR,
    PLAIN,
    STRANGER,
    TRADER,
    buy,
    check,
    measure,
    named,
    refuse,
)
from tests.twins import BTC, ETH, RISK, USDC, WBTC, WETH, WSTETH, Twins, weth_params

SAVINGS, ISOLATED = BORROWER + 1, BORROWER + 2  # other accounts of the same owner


def test_deposits_on_both(twins: Twins) -> None:
    """DEP-1 to DEP-4, S3: every token, first and repeated, for oneself and for others, into debt."""
    twins.do("borrower", Deposit(BORROWER, USDC, 1))
    twins.do("stranger", Deposit(BORROWER, USDC, 2))
    twins.do("stranger", Deposit(TRADER, WETH, 1))
    for token in (WETH, WBTC, WSTETH, WBTC, WETH):
        twins.do("borrower", Deposit(BORROWER, token, 10**8 + token))
    twins.do("borrower", Deposit(BORROWER + 2**96 - 1, USDC, 5))
    twins.deposit("stranger", weth=10)
    twins.do("stranger", buy(W, STRANGER))
    assert twins.cash(STRANGER) < 0
    twins.do("trader", Deposit(STRANGER, USDC, 1))
    assert named(twins, "LedgerUpdated")
    twins.do("trader", Deposit(STRANGER, USDC, 10 * DOLLAR))
    assert twins.world.protocol.ledger.trader_debt == 0
    check(twins)


def test_refused_deposits_on_both(twins: Twins) -> None:
    """DEP-1, DEP-2, DEP-5, ACC-1, S3: each refusal, with the one that comes next broken as well; caps to the unit."""
    twins.do("borrower", CreateIsolated(ISOLATED, BTC))
    cap = 10**18
    twins.do("admin", SetCollateral(WETH, replace(weth_params(), account_cap=cap, global_cap=cap + 5)))
    refuse(twins, "account/no-owner", ("borrower", Deposit(0, 9, 0)), ("borrower", Deposit(2**96 - 1, USDC, 1)))
    refuse(
        twins, "token/unknown", ("borrower", Deposit(ISOLATED, 4, 0)), ("borrower", Deposit(BORROWER, 2**256 - 1, 1))
    )
    refuse(twins, "amount/zero", ("borrower", Deposit(ISOLATED, WETH, 0)), ("borrower", Deposit(BORROWER, USDC, 0)))
    refuse(
        twins,
        "sys/domain",
        ("borrower", Deposit(ISOLATED, WETH, 2**96)),
        ("borrower", Deposit(BORROWER, USDC, 2**256 - 1)),
    )
    refuse(twins, "account/isolated", ("borrower", Deposit(ISOLATED, WETH, cap + 6)))
    refuse(twins, "token/account-cap", ("borrower", Deposit(BORROWER, WETH, cap + 6)))
    twins.do("borrower", Deposit(BORROWER, WETH, cap))
    refuse(twins, "token/account-cap", ("stranger", Deposit(BORROWER, WETH, 1)))
    refuse(twins, "token/global-cap", ("trader", Deposit(TRADER, WETH, 6)))
    twins.do("trader", Deposit(TRADER, WETH, 5))
    refuse(twins, "token/global-cap", ("trader", Deposit(TRADER, WETH, 1)))
    # A lowered cap takes nothing away, and a closed token can still leave.
    twins.do("admin", SetCollateral(WETH, replace(weth_params(), account_cap=0, global_cap=0)))
    refuse(twins, "token/account-cap", ("trader", Deposit(TRADER, WETH, 1)))
    twins.do("borrower", Withdraw(BORROWER, WETH, cap))
    check(twins)


def test_withdrawals_on_both(twins: Twins) -> None:
    """WDR-1 to WDR-6, N4, S3: of cash and collateral, with and without a position, to the last unit; every refusal."""
    twins.do("admin", SetMarket(BTC, PLAIN))
    twins.deposit("borrower", usd=1_000, weth=2)
    refuse(
        twins, "account/unknown", ("stranger", Withdraw(LIQUIDATOR, 7, 0)), ("liquidator", Withdraw(LIQUIDATOR, 7, 0))
    )
    refuse(twins, "account/not-owner", ("stranger", Withdraw(BORROWER, 7, 0)), ("trader", Withdraw(BORROWER, USDC, 1)))
    refuse(twins, "token/unknown", ("borrower", Withdraw(BORROWER, 4, 0)))
    refuse(twins, "amount/zero", ("borrower", Withdraw(BORROWER, USDC, 0)), ("borrower", Withdraw(BORROWER, WETH, 0)))
    refuse(twins, "sys/domain", *(("borrower", Withdraw(BORROWER, token, 2**96)) for token in (USDC, WETH)))
    refuse(twins, "vault/negative-cash", ("borrower", Withdraw(BORROWER, USDC, 1_000 * DOLLAR + 1)))
    refuse(twins, "vault/negative-cash", ("borrower", Withdraw(BORROWER, USDC, 2**96 - 1)))
    refuse(twins, "vault/insufficient-units", ("borrower", Withdraw(BORROWER, WETH, 2 * 10**18 + 1)))
    refuse(twins, "vault/insufficient-units", ("borrower", Withdraw(BORROWER, WBTC, 1)))
    twins.do("borrower", Withdraw(BORROWER, USDC, 1))
    twins.do("borrower", Withdraw(BORROWER, WETH, 1))
    twins.do("borrower", buy(W))
    # 1 BTC needs 400 and the reserve of 10; the collateral counts 85 %.
    room = (twins.cash(BORROWER) + (2 * 10**18 - 1) * 200 * 85 // 100 - 410 * W) // USDC_TO_W
    refuse(twins, "margin/initial", ("borrower", Withdraw(BORROWER, USDC, room + 1)))
    twins.do("borrower", Withdraw(BORROWER, USDC, room))
    refuse(twins, "margin/initial", ("borrower", Withdraw(BORROWER, WETH, 10**12)))
    check(twins)
    # Stale prices refuse while the position is open; afterwards nothing needs a price.
    twins.do("borrower", Withdraw(BORROWER, USDC, 1), refused="oracle/stale", after=7_300)
    twins.price(BTC=8_000)
    refuse(twins, "oracle/stale", ("borrower", Withdraw(BORROWER, USDC, 1)))
    twins.do("borrower", buy(-W))
    twins.do("borrower", Withdraw(BORROWER, WETH, 10**18))
    check(twins)


def test_the_largest_withdrawal_of_every_token_on_both(twins: Twins) -> None:
    """WDR-6, VIEW-3, N4, S6: what the view says can be withdrawn, can; a unit more is refused; with haircut tiers."""
    twins.do("admin", SetMarket(BTC, PLAIN))
    twins.deposit("borrower", usd=10_000, weth=9_000, wbtc=20, wsteth=7_000)
    twins.do("borrower", buy(100 * W))
    # The owner's own cap makes the account need all but 5,000 dollars of what its tokens count.
    needed = measure(twins, BORROWER).equity_im - 5_000 * W
    twins.do("borrower", SetLeverageCap(BORROWER, BTC, 800_000 * W * W // needed))
    start = twins.save()
    for token in (USDC, WETH, WBTC, WSTETH):
        twins.restore(start)
        most = twins.chain.contracts.withdrawable(BORROWER, token)
        assert most > 0
        refuse(twins, "margin/initial", ("borrower", Withdraw(BORROWER, token, most + 1)))
        twins.do("borrower", Withdraw(BORROWER, token, most))
        check(twins)


def test_equity_tiers_bind_withdrawals_and_transfers_on_both(twins: Twins) -> None:
    """MRG-9, MRG-10, N4: equity supports ten times itself up to 1,000 dollars and five times beyond; to the unit."""
    tiers = (EquityTier(0, 10 * W), EquityTier(1_000 * W, 5 * W))
    twins.do("admin", SetRisk(replace(RISK, equity_tiers=tiers)))
    twins.do("admin", SetMarket(BTC, PLAIN))
    twins.deposit("borrower", usd=5_000)
    twins.do("borrower", buy(2 * W))
    # 16,000 dollars: 10,000 on the first 1,000 of equity, the rest on 1,200 more.
    room = (twins.cash(BORROWER) - 2_200 * W) // USDC_TO_W
    refuse(
        twins,
        "margin/equity-tier",
        ("borrower", Withdraw(BORROWER, USDC, room + 1)),
        ("borrower", Transfer(BORROWER, SAVINGS, USDC, room + 1)),
    )
    twins.do("borrower", Withdraw(BORROWER, USDC, room))
    check(twins)


def test_a_vault_without_cash_on_both(twins: Twins) -> None:
    """WDR-5, LED-2, LED-3, LPD-3, B9, S3: a profit beyond the pool is booked, waits for cash, and closes the pool."""
    twins.deposit("borrower", usd=10**6)
    twins.do("borrower", buy(100 * W))
    twins.price(BTC=30_000)
    twins.do("borrower", buy(-100 * W))
    assert twins.world.protocol.ledger.deficit > 10**6 * W
    cash = twins.cash(BORROWER) // USDC_TO_W
    refuse(twins, "pool/deficit", ("lender", DepositToPool(DOLLAR)))
    refuse(twins, "vault/insufficient-cash", ("borrower", Withdraw(BORROWER, USDC, cash)))
    held = twins.world.protocol.tokens[USDC].held
    refuse(twins, "vault/insufficient-cash", ("borrower", Withdraw(BORROWER, USDC, held + 1)))
    # The refusal comes before the price that a position needs.
    twins.do("admin", SetRisk(replace(RISK, lock_ratio=0)))
    twins.do("borrower", buy(W))
    twins.do("borrower", Withdraw(BORROWER, USDC, held + 1), refused="vault/insufficient-cash", after=7_300)
    twins.price(BTC=30_000, ETH=200)
    twins.do("borrower", buy(-W))
    twins.do("borrower", Withdraw(BORROWER, USDC, twins.world.protocol.tokens[USDC].held))
    check(twins)
    # A loss repays the deficit first.
    twins.do("borrower", buy(20 * W))
    twins.price(BTC=29_000)
    twins.do("borrower", buy(-20 * W))
    assert twins.world.protocol.ledger.pool == 0
    check(twins)


def test_funding_insurance_on_both(twins: Twins) -> None:
    """INS-1, S3: anyone may; every refusal."""
    twins.do("treasury", FundInsurance(1))
    twins.do("stranger", FundInsurance(10**12))
    refuse(twins, "amount/zero", ("stranger", FundInsurance(0)))
    refuse(twins, "sys/domain", ("stranger", FundInsurance(2**96)), ("stranger", FundInsurance(2**96 - 1)))
    check(twins)


def test_transfers_on_both(twins: Twins) -> None:
    """TRF-1 to TRF-4, ACC-1, DEP-4, S3: cash and collateral, into new, isolated and indebted accounts and back."""
    twins.deposit("borrower", usd=2_000, weth=5, wbtc=1)
    twins.do("borrower", CreateIsolated(ISOLATED, BTC))
    for target, token, units in ((SAVINGS, WETH, 10**18), (ISOLATED, USDC, 500 * DOLLAR), (SAVINGS, WBTC, 10**8)):
        twins.do("borrower", Transfer(BORROWER, target, token, units))
    twins.do("borrower", buy(W, ISOLATED))
    refuse(twins, "margin/initial", ("borrower", Transfer(ISOLATED, BORROWER, USDC, 100 * DOLLAR)))
    twins.do("borrower", Transfer(ISOLATED, BORROWER, USDC, 50 * DOLLAR))
    twins.do("borrower", buy(W, SAVINGS))
    assert twins.cash(SAVINGS) < 0
    twins.do("borrower", Transfer(BORROWER, SAVINGS, USDC, DOLLAR))
    assert named(twins, "LedgerUpdated")
    twins.do("borrower", Transfer(BORROWER, SAVINGS, USDC, 1_000 * DOLLAR))
    twins.do("borrower", Transfer(SAVINGS, BORROWER, WBTC, 10**8 - 10**7))
    check(twins)


def test_refused_transfers_on_both(twins: Twins) -> None:
    """TRF-1 to TRF-4, B41, S3: each refusal, with the one that comes next broken as well."""
    twins.do("admin", SetMarket(BTC, PLAIN))
    cap = weth_params().account_cap
    twins.deposit("borrower", usd=1_000, weth=1)
    twins.do("borrower", CreateIsolated(ISOLATED, BTC))
    twins.do("borrower", Deposit(SAVINGS, WETH, cap))
    refuse(twins, "account/unknown", ("stranger", Transfer(LIQUIDATOR, LIQUIDATOR, 9, 0)))
    refuse(twins, "account/not-owner", ("stranger", Transfer(BORROWER, BORROWER, 9, 0)))
    refuse(twins, "account/other-owner", ("borrower", Transfer(BORROWER, TRADER, 9, 0)))
    refuse(twins, "account/self-transfer", ("borrower", Transfer(BORROWER, BORROWER, 9, 0)))
    refuse(twins, "token/unknown", ("borrower", Transfer(BORROWER, ISOLATED, 9, 0)))
    refuse(twins, "amount/zero", ("borrower", Transfer(BORROWER, ISOLATED, WETH, 0)))
    refuse(twins, "sys/domain", ("borrower", Transfer(BORROWER, ISOLATED, WETH, 2**96)))
    refuse(twins, "account/isolated", ("borrower", Transfer(BORROWER, ISOLATED, WETH, 2 * 10**18)))
    refuse(twins, "vault/insufficient-units", ("borrower", Transfer(BORROWER, SAVINGS, WETH, 2 * 10**18)))
    refuse(twins, "vault/negative-cash", ("borrower", Transfer(BORROWER, SAVINGS, USDC, 1_000 * DOLLAR + 1)))
    twins.do("borrower", buy(W))
    twins.do("borrower", Transfer(BORROWER, SAVINGS, WETH, 1), refused="token/account-cap", after=7_300)
    refuse(twins, "oracle/stale", ("borrower", Transfer(BORROWER, SAVINGS, USDC, 1)))
    twins.price(BTC=8_000, ETH=200)
    most = (twins.cash(BORROWER) + 170 * W - 410 * W) // USDC_TO_W
    refuse(twins, "margin/initial", ("borrower", Transfer(BORROWER, SAVINGS, USDC, most + 1)))
    twins.do("borrower", Transfer(BORROWER, SAVINGS, USDC, most))
    check(twins)


def test_isolated_accounts_and_operators_on_both(twins: Twins) -> None:
    """ACC-1, ACC-2, M10, S3: what they may and may not, and each refusal in the order of the checks."""
    twins.deposit("borrower", usd=2_000, weth=1)
    refuse(twins, "account/not-owner", ("stranger", CreateIsolated(BORROWER, 9)))
    refuse(twins, "account/exists", ("borrower", CreateIsolated(BORROWER, 9)))
    refuse(
        twins, "market/unknown", ("borrower", CreateIsolated(ISOLATED, 2)), ("borrower", CreateIsolated(ISOLATED, 255))
    )
    twins.do("borrower", CreateIsolated(ISOLATED, ETH))
    twins.do("borrower", Deposit(ISOLATED, USDC, 1_000 * DOLLAR))
    refuse(twins, "account/isolated", ("borrower", buy(0, ISOLATED)), ("borrower", Deposit(ISOLATED, WBTC, 1)))
    refuse(twins, "account/unknown", ("stranger", SetOperator(LIQUIDATOR, 1)))
    refuse(twins, "account/not-owner", ("stranger", SetOperator(ISOLATED, 1)), ("admin", SetOperator(ISOLATED, 1)))
    operator = address_of("trader")
    for account in (BORROWER, ISOLATED):
        twins.do("borrower", SetOperator(account, operator))
    check(twins)
    twins.do("trader", buy(10 * W, ISOLATED, ETH))
    twins.do("trader", buy(W))
    twins.do("trader", CloseAll(ISOLATED, 0))
    refuse(
        twins,
        "account/not-owner",
        ("trader", Withdraw(BORROWER, USDC, 1)),
        ("trader", Transfer(BORROWER, ISOLATED, USDC, 1)),
        ("trader", SetOperator(BORROWER, operator)),
        ("trader", SetLeverageCap(BORROWER, BTC, W)),
        ("trader", CreateIsolated(BORROWER + 3, BTC)),
    )
    # An operator of one account is nothing to the owner's others, and is forgotten with one call.
    refuse(twins, "account/unknown", ("trader", buy(W, SAVINGS)))
    twins.do("borrower", SetOperator(BORROWER, 0))
    refuse(twins, "account/not-trader", ("trader", buy(-W)), ("trader", CloseAll(BORROWER, 0)))
    check(twins)


def test_a_withdrawal_that_passes_lifts_the_flag_on_both(twins: Twins) -> None:
    """MRG-10, STA-2, LIQ-10: an account flagged, then rescued: the flag outlives the deposit, not the withdrawal."""
    twins.deposit("borrower", usd=500)
    twins.do("borrower", buy(W))
    twins.price(BTC=7_690)
    twins.do("stranger", FlagAccount(BORROWER))
    twins.do("borrower", Deposit(BORROWER, USDC, 1_000 * DOLLAR))
    assert twins.world.protocol.accounts[BORROWER].flagged_at > 0
    twins.do("borrower", Withdraw(BORROWER, USDC, 1))
    (lifted,) = named(twins, "AccountFlagged")
    assert (lifted.account, lifted.flagged_at) == (BORROWER, 0)
    check(twins)


@pytest.mark.parametrize(("code", "answer"), [("oracle/non-positive", 0), ("oracle/out-of-bounds", 2**127 - 1)])
def test_a_token_without_a_price_on_both(twins: Twins, code: str, answer: int) -> None:
    """WDR-6, MRG-10, MRG-15, M8, B44: it stops what the rest is not enough for, and nothing else."""
    twins.deposit("borrower", usd=1_000, weth=1)
    twins.deposit("trader", usd=1_000, weth=1)
    twins.do("borrower", buy(W // 2))
    twins.do("poster", Push((ETH,), (answer,)))
    refuse(
        twins,
        code,
        ("borrower", Withdraw(BORROWER, USDC, 900 * DOLLAR)),
        ("borrower", Transfer(BORROWER, SAVINGS, USDC, 900 * DOLLAR)),
        ("borrower", buy(3 * W)),
    )
    twins.do("borrower", buy(W // 8))
    twins.do("borrower", Withdraw(BORROWER, USDC, 1))
    twins.do("borrower", Transfer(BORROWER, SAVINGS, WETH, 1))
    twins.do("borrower", buy(-W // 4))
    twins.do("trader", Withdraw(TRADER, USDC, 1_000 * DOLLAR))
    twins.do("trader", Withdraw(TRADER, WETH, 10**18))
    assert measure(twins, BORROWER).price_status != 0
    check(twins)
