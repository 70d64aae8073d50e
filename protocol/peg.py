"""What the settlement token is worth by its own feed, and what follows when it is below a dollar (PEG-1 to PEG-3).

Cash is USDC and counts one dollar in account value, maintenance and every settlement: what is owed in USDC is paid in
USDC. Its price enters where dollars of something else are exchanged for it, and where new risk is taken.
"""

from __future__ import annotations

from protocol.env import Env, Quote, Status
from protocol.params import RiskParams
from protocol.policy import SETTLEMENT, is_accepted
from protocol.units import BPS, PRICE_LIMIT, Price, Usd, W, cdiv, fdiv


def read_usdc(risk: RiskParams, env: Env) -> Quote:
    """The price of USDC, at most one dollar; one dollar at STALE_SOFT or UNCERTAIN if its feed has any fault (PEG-1).

    Without a feed it is one dollar. Either fault refuses new risk and lets ways out and liquidations pass; mere age
    holds up no settlement, else who alone brings this price would choose whether an order is filled.
    """
    if risk.usdc_feed == 0:
        return Quote(W, W, W, env.now, int(Status.OK))
    quote = env.quote(risk.usdc_feed - 1)
    if quote.status:
        fault = Status.STALE_SOFT if is_accepted(SETTLEMENT, quote.status) else Status.UNCERTAIN
        return Quote(W, W, W, quote.publish_time, int(fault))
    return Quote(min(quote.bid, W), min(quote.mid, W), min(quote.ask, W), quote.publish_time, int(Status.OK))


def compute_depeg_margin(risk: RiskParams, usdc: Price, gross_notional: Usd) -> Usd:
    """Initial margin on top while USDC is below the threshold, rounded up against the account (PEG-2).

    ``usdc`` is its bid: the side against whoever owns it. Source: the rule of Derive for its stable collateral.
    """
    below = risk.depeg_threshold * W - usdc * BPS
    return cdiv(gross_notional * below * risk.depeg_factor, W * BPS * BPS) if below > 0 else 0


def sell_for_usdc(price: Price, usdc: Price) -> Price:
    """What one token in dollars brings in USDC, rounded down against whoever sells, within the domain (PEG-3)."""
    return min(fdiv(price * W, usdc), PRICE_LIMIT - 1)


def buy_for_usdc(price: Price, usdc: Price) -> Price:
    """What one token in dollars costs in USDC, rounded up against whoever buys, within the domain (PEG-3)."""
    return min(cdiv(price * W, usdc), PRICE_LIMIT - 1)
