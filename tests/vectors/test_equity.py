"""Unrealised profit, equity over several positions, and the test against the margins (MRG-2, MRG-4, LIQ-4, STA-1)."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from protocol.account_state import AccountState, compute_account_state
from protocol.margin import Health, compute_health, compute_pnl, is_liquidatable
from protocol.params import CollateralParams, HaircutBracket
from protocol.state import NO_RISK
from protocol.units import W
from tests.vectors.reading import Case, cases, exact, wei
from tests.vectors.setting import flat_rate, holding, opened, prices_are, state_of


def health_of(equity: int, maintenance: int = 0, initial: int = 0) -> Health:
    """A health with one equity in all three readings, without reserve."""
    return Health(equity, equity, equity, maintenance, max(initial, maintenance), 0, 0, 0)


@cases("synthetix_cross_equity")
def test_profits_of_five_positions_add_up_to_the_equity(case: Case) -> None:
    """Exact, and the verdict is that of our test for the venue's margin.

    That margin grows with the square of the size, a rule that we do not have.
    """
    profits, available, liquidatable = case.expected("unrealized_pnl", "available_margin", "liquidatable")
    markets = {name: number for number, name in enumerate(case.params["markets"])}
    positions, prices, margin = {}, [0] * len(markets), Fraction(0)
    for given in case.inputs["positions"]:
        name, size = given["market"], int(given["size"])
        price = prices[markets[name]] = int(case.inputs["prices"][name])
        position = positions[markets[name]] = opened(size, int(given["entry_price"]))
        assert compute_pnl(position, price) == int(profits[name])
        venue = {key: Fraction(int(value), W) for key, value in case.params["markets"][name].items()}
        rate = abs(Fraction(size, W)) / venue["skew_scale"] * venue["initial_margin_fraction"]
        rate += venue["min_initial_margin_ratio"]
        margin += abs(size) * Fraction(price, W) * rate * venue["maintenance_scalar"]

    account = holding(int(case.inputs["collateral"]), positions)
    health = compute_health(state_of(account, [flat_rate(0)] * len(markets)), account, prices_are(*prices))
    assert (health.equity_raw, health.equity_mm) == (int(available),) * 2
    assert is_liquidatable(replace(health, maintenance_margin=int(margin))) == liquidatable


@cases("derive_srm_perp_collateral")
def test_equity_less_margin_of_a_perpetual_account(case: Case) -> None:
    """Exact before the venue truncates to dollars.

    Of an unrealised profit equity_im counts nothing (MRG-4) where the venue counts all, so it is added here. The
    venue's add-on for a price it is unsure of is not a rule of ours: its initial figure is left out where the
    confidence is below the venue's threshold.
    """
    mm, im = case.expected("mm_trunc", "im_trunc")
    params, inputs = case.params, case.inputs
    (perp,) = inputs["perps"]
    assert not inputs["bases"]
    price, size = wei(params["perp_price"][perp["market"]]), wei(perp["size"])
    account = holding(wei(inputs["cash"]), {0: opened(size, wei(perp["entry_price"]))})
    state = state_of(account, [flat_rate(wei(params["mm_req"]), wei(params["im_req"]))])
    health = compute_health(state, account, prices_are(price))
    assert truncated(health.equity_mm - health.maintenance_margin) == mm
    profit = max(compute_pnl(account.positions[0], price), 0)
    assert health.equity_im == health.equity_raw - profit
    if exact(inputs["perp_confidence"][perp["market"]]) >= exact(params["oracle_threshold"]):
        assert truncated(health.equity_im + profit - health.initial_margin) == im


def truncated(amount: int) -> int:
    """Whole dollars, toward zero."""
    return int(Fraction(amount, W))


UNSURE = "the add-on for a price the venue is unsure of is not a rule of ours"


@cases("derive_srm_perp_trade_check", left_out={"short side, low oracle confidence": UNSURE})
def test_a_trade_a_dollar_short_of_initial_margin_leaves_the_account_restricted(case: Case) -> None:
    """Exact, and with the dollar it is healthy."""
    allowed, requirement = case.expected("allowed", "im_requirement")
    price, size = wei(case.inputs["price"]), wei(case.inputs["size"])
    rows = flat_rate(wei(case.params["mm_req"]), wei(case.params["im_req"]))
    for missing, expected in ((0, allowed), (W, not allowed)):
        account = holding(wei(case.inputs["cash"]) + missing, {0: opened(size, price)})
        state = state_of(account, [rows])
        health = compute_health(state, account, prices_are(price))
        assert health.initial_margin == wei(requirement)
        assert (compute_account_state(state.risk, health) == AccountState.HEALTHY) == expected


@cases("gmx_liquidation_trigger")
def test_a_long_with_its_own_coin_as_collateral_is_measured_at_the_price(case: Case) -> None:
    """Equity exact, and the same verdict.

    The venue asks a rate of the size in dollars when it was opened, we of the notional now, which is lower here; the
    verdict holds for both.
    """
    (liquidatable,) = case.expected("liquidatable")
    inputs, price = case.inputs, wei(case.inputs["price"])
    size = wei(inputs["size_tokens"])
    coin = CollateralParams(
        feed=0, decimals=18, ceiling=1, account_cap=0, global_cap=0, brackets=(HaircutBracket(0, W, W),)
    )
    position = opened(size, wei(exact(inputs["size_usd"]) / exact(inputs["size_tokens"])))
    account = holding(0, {0: position}, {1: wei(inputs["collateral_tokens"])})
    rate = wei(case.params["min_collateral_factor"])
    health = compute_health(state_of(account, [flat_rate(rate)], [coin]), account, prices_are(price))
    remaining = (exact(inputs["collateral_tokens"]) + exact(inputs["size_tokens"])) * exact(inputs["price"])
    assert health.equity_mm == wei(remaining - exact(inputs["size_usd"]))
    for margin in (health.maintenance_margin, wei(inputs["size_usd"]) * rate // W):
        assert is_liquidatable(replace(health, maintenance_margin=margin)) == liquidatable


DEBT_ALONE = "07: equity=-1000000 mmr=0 quote_balance=-1000000 long_notional=0"


@cases("dydx_liquidation_trigger", left_out={DEBT_ALONE: "see the test below"})
def test_equality_with_a_margin_is_safe(case: Case) -> None:
    """Exact."""
    meets_im, meets_mm, liquidatable = case.expected("meets_im", "meets_mm", "liquidatable")
    equity, mm, im = (case.inputs.get(key, 0) for key in ("equity", "mmr", "imr"))
    health = health_of(equity, mm, im)
    assert is_liquidatable(health) == bool(liquidatable)
    if meets_mm is not None:
        assert is_liquidatable(health) != meets_mm
    if meets_im is not None:
        assert (compute_account_state(NO_RISK, health) == AccountState.HEALTHY) == meets_im


def test_an_account_without_position_that_owes_is_liquidatable_here() -> None:
    """By design other than the venue's case 07: our accounts can owe against collateral, which is sold for the debt."""
    assert is_liquidatable(health_of(-1_000_000))
    assert not is_liquidatable(health_of(0))
