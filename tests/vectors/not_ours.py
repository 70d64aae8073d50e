"""Published rules of other venues that we do not have, and of which no case file is kept here."""

WHOLE_TIER = "the whole position takes the rate of its tier, so margin jumps at a border; ours is continuous (MRG-3)"
GROWS_WITH_SIZE = "rates or weights as a formula of the size; ours are brackets (MRG-3, COL-2)"
PORTFOLIO = "portfolio margin by price scenarios is not a rule of ours"
SAMPLED_FUNDING = "funding from samples of a premium; ours moves with the skew (FUN-3)"
SHARED_LOSS = "losses shared among other traders; ours go to insurance, pool and deficit (WAT-3)"
DELEVERAGING = "auto-deleveraging is not a rule of ours"
INSURANCE_SHARE = "insurance takes a fixed share of penalties and fees (LED-5), not what a price or a margin leaves"

NOT_OURS = {
    "bitmex_adl_queue": DELEVERAGING,
    "bitmex_risk_limit_steps": WHOLE_TIER,
    "bybit_inverse_bankruptcy": "inverse contracts are not a rule of ours",
    "deribit_size_linear_margin": GROWS_WITH_SIZE,
    "derive_pmrm2_scenario_margin": PORTFOLIO,
    "derive_pmrm_scenario_margin": PORTFOLIO,
    "drift_collateral_liquidation_transfer": "collateral sold for a margin shortage; we sell for a debt alone (WAT-2)",
    "drift_deposit_capped_collateral_weight": "a weight that falls with all deposits; ours by what one account holds",
    "drift_insurance_liquidation_fee": INSURANCE_SHARE,
    "drift_insurance_liquidation_fee_collateral": INSURANCE_SHARE,
    "drift_liquidation_asset_seizure": "two-sided premium of borrowed assets; we lend nothing but dollars",
    "drift_loss_socialisation": SHARED_LOSS,
    "drift_size_premium_margin_ratio": GROWS_WITH_SIZE,
    "drift_size_weighted_collateral": GROWS_WITH_SIZE,
    "drift_unrealised_pnl_weight": "a weight on unrealised profit; equity_im counts none of it (MRG-4)",
    "dydx_deleveraging": DELEVERAGING,
    "dydx_fillable_price": "liquidation by a limit order; ours fills at the oracle price with bounded impact (FIL-6)",
    "dydx_funding_rate_clamp": "a cap from the margin rates; ours is a parameter of its own (FUN-4)",
    "dydx_funding_rate_tick": SAMPLED_FUNDING,
    "dydx_insurance_delta": INSURANCE_SHARE,
    "dydx_maintenance_margin_ppm": "a rate as a fraction of the initial rate; ours are two parameters (CFG-8)",
    "dydx_partial_liquidation_limits": "limits by position and by block; ours is a window of time by market (WIN-3)",
    "dydx_premium_tail_removal": SAMPLED_FUNDING,
    "dydx_risk_ordering": "accounts ranked by risk; ours may be liquidated in any order",
    "mango_cross_health": "weights on both sides of borrowed assets and perpetual base; ours are margin rates",
    "okx_position_tiers": WHOLE_TIER,
    "vega_funding_payment": SAMPLED_FUNDING,
    "vega_loss_socialisation": SHARED_LOSS,
    "vega_order_margin": "margin of resting orders; we have none",
}
