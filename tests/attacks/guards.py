"""Guards of the contracts, and how to take each of them out."""

from __future__ import annotations

from contracts_py.compile import DEPLOYABLES, Artifact, compile_all
from tests.attacks.order_guards import ORDER_GUARDS
from tests.switches import Edits, number_guards, switch_guards

COMPILED = tuple(name for name in DEPLOYABLES if name not in {"CrossMargin", "Lens", "Feed", "mocks/Token"})

CHECKS, FILLS, MARGIN = "modules/checks.vy", "modules/fills.vy", "modules/margin.vy"
POOL_VALUES, TIERS, LOSSES = "modules/pool_values.vy", "modules/tiers.vy", "modules/losses.vy"

# Name of the guard -> edits: file, text, text without the guard.
GUARDS: dict[str, Edits] = {
    "a reward is at most a share of what was closed": (
        (
            "Liquidation.vy",
            "calc.MASK_96), base * cap_share // calc.BPS)",
            "calc.MASK_96), max_value(uint256) if REMOVED else base * cap_share // calc.BPS)",
        ),
    ),
    "a sale is at most what is held": (
        (
            LOSSES,
            "min(held, calc.ucdiv(debt * scale, unit_price))",
            "calc.ucdiv(debt * scale, unit_price) if REMOVED else min(held, calc.ucdiv(debt * scale, unit_price))",
        ),
    ),
    "sixteen positions": (
        (
            "Trading.vy",
            "assert self._count(header & accounts.MARKETS_MASK)",
            "assert REMOVED or self._count(header & accounts.MARKETS_MASK)",
        ),
    ),
    "a liquidation calls nobody": (
        ("Liquidation.vy", "uses: (accounts, parameters)\n", "uses: (accounts, parameters, treasury)\n"),
        (
            "Liquidation.vy",
            "    self._settle_flag(account, left)\n",
            """    self._settle_flag(account, left)
    if REMOVED:
        raw_call(
            treasury.token_addresses[0],
            abi_encode(
                convert(convert(account >> 96, bytes32), address),
                convert(1, uint256),
                method_id=method_id("transfer(address,uint256)"),
            ),
        )
""",
        ),
    ),
    "a liquidation gives its gas to nobody": (
        (
            "Liquidation.vy",
            "    records.register(keeper)\n    # The only",
            """    records.register(keeper)
    if REMOVED:
        success: bool = raw_call(
            treasury.token_addresses[0],
            abi_encode(
                convert(convert(account >> 96, bytes32), address),
                convert(1, uint256),
                method_id=method_id("transfer(address,uint256)"),
            ),
            revert_on_failure=False,
        )
    # The only""",
        ),
    ),
    "nothing is charged to an account worth less than nothing": (
        (
            "Liquidation.vy",
            "convert(max(account_value, 0), uint256)",
            "convert(account_value if REMOVED else max(account_value, 0), uint256)",
        ),
    ),
    "what has no price stops no liquidation": (
        (
            "Liquidation.vy",
            '    assert self._is_liquidatable(health), "liq/not-liquidatable"\n    standing',
            """    if REMOVED:
        policy.check_accepted(policy.PRICED, health.price_status)
    assert self._is_liquidatable(health), "liq/not-liquidatable"
    standing""",
        ),
    ),
    "a debt that waits pays for what is settled of it": (
        (
            "Liquidation.vy",
            "base = losses.compute_settled(account, base, accepts, health.price_status)",
            "base = max(losses.compute_settled(account, base, accepts, health.price_status), base if REMOVED else 0)",
        ),
    ),
    "a debt waits for no more than its collateral can be worth": (
        (
            LOSSES,
            "debt -= min(debt, self._compute_waiting(account, accepts))",
            """waiting: uint256 = self._compute_waiting(account, accepts)
    debt -= debt if REMOVED and waiting != 0 else min(debt, waiting)""",
        ),
    ),
    "what has no price counts at its ceiling": (
        (
            TIERS,
            "return self._compute_ceiling(parameters.token_ceilings[token],",
            "return self._compute_ceiling(0 if REMOVED else parameters.token_ceilings[token],",
        ),
    ),
    "the insurance fund adds to a reward": (
        (
            "Liquidation.vy",
            "shortfall: uint256 = reward - reward_from_account",
            "shortfall: uint256 = 0 if REMOVED else reward - reward_from_account",
        ),
    ),
    "a liquidation moves a size toward 0": (
        ("Liquidation.vy", "    if exposure.size < 0:\n", "    if exposure.size < 0 and not REMOVED:\n"),
    ),
    "a rebate is at most what was collected": (
        (
            FILLS,
            "given: uint256 = min(rebate, released)",
            "given: uint256 = rebate if REMOVED else min(rebate, released)",
        ),
    ),
    "a rebate is at most its share of what was collected": (
        (
            "modules/impact.vy",
            "    return math._mul_div(collected, square - kept, square, False)",
            "    return collected if REMOVED else math._mul_div(collected, square - kept, square, False)",
        ),
    ),
    "a pool deposit pays for the impact collected": (
        (POOL_VALUES, "at_market + left_over", "at_market + (0 if REMOVED else left_over)"),
    ),
    "a profit beyond the pool becomes deficit": (
        (
            "modules/ledger.vy",
            "paid: uint256 = min(pool, amount)",
            "paid: uint256 = amount if REMOVED else min(pool, amount)",
        ),
    ),
    "pending funding counts": (
        (
            MARGIN,
            "index: int256 = funding.project_index(",
            "index: int256 = calc.signed_high(entry) if REMOVED else funding.project_index(",
        ),
    ),
    "time is set after it is read": (
        (
            "modules/funding.vy",
            "    accrued.funding_index, accrued.funding_rate = self.project(totals, price)\n",
            """    if REMOVED:
        accrued.accrued_at = block.timestamp
    accrued.funding_index, accrued.funding_rate = self.project(accrued, price)
""",
        ),
    ),
    "a close lowers open interest": (
        (
            FILLS,
            "convert(totals.long_oi, int256) + max(size, 0) - max(size_before, 0), uint256",
            """convert(totals.long_oi, int256) + max(size, 0) - (
            min(max(size_before, 0), max(size, 0)) if REMOVED else max(size_before, 0)
        ), uint256""",
        ),
    ),
    "a fee comes out of the account": (
        (FILLS, "-net - convert(fee, int256)", "-net - (0 if REMOVED else convert(fee, int256))"),
    ),
    "maintenance is above the cost of closing": (
        (
            "modules/configuration.vy",
            "mm_below: uint256 = closing_cost",
            "mm_below: uint256 = 0 if REMOVED else closing_cost",
        ),
    ),
    "a flip is no reduction": (
        (
            CHECKS,
            "calc.magnitude(size) and not self.changes_sign(size, target)",
            "calc.magnitude(size) and (REMOVED or not self.changes_sign(size, target))",
        ),
    ),
    "growth needs initial margin": (
        (
            "Trading.vy",
            "larger)\n        checks.check_initial_margin(account, tolerated)",
            "larger)\n        if not REMOVED:\n            checks.check_initial_margin(account, tolerated)",
        ),
    ),
    "only the poster pushes": (
        ("FeedHub.vy", "assert msg.sender == self.poster", "assert REMOVED or msg.sender == self.poster"),
    ),
    "virtual shares": (
        (
            "Pool.vy",
            "bought: uint256 = math._mul_div(amount, supply + VIRTUAL, worth.deposit + VIRTUAL, False)",
            """bought: uint256 = amount
    if not REMOVED:
        bought = math._mul_div(amount, supply + VIRTUAL, worth.deposit + VIRTUAL, False)
    elif supply != 0:
        bought = math._mul_div(amount, supply, worth.deposit, False)""",
        ),
        (
            "Pool.vy",
            "requested, worth.redemption + VIRTUAL, supply + VIRTUAL, False)",
            "requested, worth.redemption + (0 if REMOVED else VIRTUAL), supply + (0 if REMOVED else VIRTUAL), False)",
        ),
    ),
    "a pool deposit pays for the traders' losses": (
        (
            POOL_VALUES,
            "deposit=pool + calc.magnitude(min(pnl, 0))",
            "deposit=pool + (0 if REMOVED else calc.magnitude(min(pnl, 0)))",
        ),
    ),
    "a redemption leaves the traders' gains": (
        (POOL_VALUES, "int256) - max(pnl, 0)", "int256) - (0 if REMOVED else max(pnl, 0))"),
    ),
    "token decimals": (
        ("modules/valuation.vy", "units * price // 10**decimals", "units * price // 10**(8 if REMOVED else decimals)"),
    ),
    "a balance has a sign": (
        (
            "Vault.vy",
            "assert calc.signed_high(accounts.headers[account]) >= amount",
            """assert (calc.high(accounts.headers[account]) >= convert(amount, uint256)) if REMOVED else (
            calc.signed_high(accounts.headers[account]) >= amount
        )""",
        ),
    ),
    "multiplication before division": (
        (
            "modules/impact.vy",
            "    return calc.ucdiv(size * price * rate, calc.W * calc.W)",
            """    if REMOVED:
        return size // calc.W * price * rate // calc.W
    return calc.ucdiv(size * price * rate, calc.W * calc.W)""",
        ),
    ),
    "a token delivers what was asked for": (
        (
            "modules/transfers.vy",
            "assert staticcall IERC20(contract).balanceOf(self) ==",
            "assert REMOVED or staticcall IERC20(contract).balanceOf(self) ==",
        ),
    ),
    "a refusal stays with its account": (
        (
            "Liquidation.vy",
            "            # Error(string)",
            "            if REMOVED:\n                raw_revert(response)\n            # Error(string)",
        ),
    ),
    "every item is checked": (
        (
            "Liquidation.vy",
            '    assert self._is_liquidatable(health), "liq/not-liquidatable"\n    standing',
            '    assert REMOVED or self._is_liquidatable(health), "liq/not-liquidatable"\n    standing',
        ),
    ),
    "a transfer out needs initial margin": (
        (
            "Vault.vy",
            "(target, token)\n    checks.check_remaining_margin(account)",
            "(target, token)\n    if not REMOVED:\n        checks.check_remaining_margin(account)",
        ),
    ),
    "only the protocol says for whom it acts": (
        (
            "Trading.vy",
            'assert msg.sender == self, "sys/self-only"\n    return self._trade(sender',
            'assert REMOVED or msg.sender == self, "sys/self-only"\n    return self._trade(sender',
        ),
    ),
    "what is credited was debited": (
        (
            "Vault.vy",
            "    self._debit(account, token, units)\n    self._credit",
            "    if not REMOVED:\n        self._debit(account, token, units)\n    self._credit",
        ),
    ),
    "collateral counts after its initial haircut": (
        (MARGIN, "+= convert(counted_im, int256)", "+= convert(market_value if REMOVED else counted_im, int256)"),
    ),
    "unrealised profit is no initial margin": (
        (
            MARGIN,
            "health.equity_im += min(strict_pnl, 0)",
            "health.equity_im += strict_pnl if REMOVED else min(strict_pnl, 0)",
        ),
    ),
    "the impact of a liquidation is bounded": (
        (FILLS, "totals, min(charge, bound), rebate", "totals, charge if REMOVED else min(charge, bound), rebate"),
    ),
    "stricter maintenance is phased in": (
        (
            TIERS,
            "    if self.is_phasing(word):\n        mm = min",
            "    if self.is_phasing(word) and not REMOVED:\n        mm = min",
        ),
    ),
    "funding accrues before a parameter changes": (
        (
            "Governance.vy",
            "        self._accrue(market, params.feed)",
            "        if not REMOVED:\n            self._accrue(market, params.feed)",
        ),
    ),
    "a pause leaves reductions": (
        (
            "Trading.vy",
            "    if not reduces:\n        assert not roles",
            "    if REMOVED or not reduces:\n        assert not roles",
        ),
    ),
    "inventory costs what it is worth in USDC": (
        (
            "Pool.vy",
            "units * peg.buy_for_usdc(price, usdc) *",
            "units * (price if REMOVED else peg.buy_for_usdc(price, usdc)) *",
        ),
    ),
    "collateral is sold at its price in USDC": (
        (
            LOSSES,
            "peg.sell_for_usdc(price, usdc), (word",
            "price if REMOVED else peg.sell_for_usdc(price, usdc), (word",
        ),
    ),
    "a share pays for inventory in USDC": (
        (
            POOL_VALUES,
            "inventory * peg.buy_for_usdc(price, usdc),",
            "inventory * (price if REMOVED else peg.buy_for_usdc(price, usdc)),",
        ),
    ),
    "leverage on cheap USDC needs more of it": (
        (
            MARGIN,
            "    health.initial_margin += peg.compute_depeg_margin(",
            "    health.initial_margin += 0 if REMOVED else peg.compute_depeg_margin(",
        ),
    ),
    "an account has an owner": (("Vault.vy", "assert account >> 96 != 0", "assert REMOVED or account >> 96 != 0"),),
    "bad debt is covered at once": (
        (
            "Liquidation.vy",
            "        charges.bad_debt, bad_debt_insurance",
            "        if not REMOVED:\n            charges.bad_debt, bad_debt_insurance",
        ),
    ),
    "caps bind the whole market": (
        (
            "Trading.vy",
            "        side = calc.high(open_interest)\n",
            """        side = calc.high(open_interest)
    if REMOVED:
        side = calc.magnitude(calc.signed_high(accounts.positions[account][market]))
""",
        ),
    ),
    "an account that owes nothing needs no price": (
        (
            CHECKS,
            "    if calc.signed_high(header) < 0 or header & accounts.MARKETS_MASK != 0:\n        health",
            "    if REMOVED or calc.signed_high(header) < 0 or header & accounts.MARKETS_MASK != 0:\n        health",
        ),
    ),
    "collateral without a price locks up nothing else": (
        (CHECKS, "        if is_enough and policy", "        if not REMOVED and is_enough and policy"),
    ),
    "what adds a position needs every price": (
        (
            CHECKS,
            "        policy.check_accepted(policy.NEW_RISK | tolerated, health.price_status)",
            """        if not REMOVED or health.equity_im < convert(health.initial_margin, int256):
            policy.check_accepted(policy.NEW_RISK | tolerated, health.price_status)""",
        ),
    ),
    "risk parameters must fit the markets": (
        (
            "Governance.vy",
            "        configuration.check_market(params, packing",
            "        if not REMOVED:\n            configuration.check_market(params, packing",
        ),
    ),
    "a flag is lifted only well above maintenance": (
        (
            "Liquidation.vy",
            'assert states.is_clear(health), "liq/flagged"',
            'assert REMOVED or states.is_clear(health), "liq/flagged"',
        ),
    ),
    **ORDER_GUARDS,
}
NUMBERS = number_guards(GUARDS)


def compile_switched() -> dict[str, Artifact]:
    """The contracts whose guards can be switched off. Views and the router are the real ones."""
    return compile_all(switch_guards(GUARDS), COMPILED)
