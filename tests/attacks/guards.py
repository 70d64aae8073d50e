"""All guards of the contracts that attacks take out; those of each area stand in a file beside its attacks."""

from __future__ import annotations

from contracts_py.compile import DEPLOYABLES, Artifact, compile_all
from tests.attacks.liquidation_guards import LIQUIDATION_GUARDS
from tests.attacks.margin_guards import MARGIN_GUARDS
from tests.attacks.order_guards import ORDER_GUARDS
from tests.attacks.peg_guards import PEG_GUARDS
from tests.attacks.pool_guards import POOL_GUARDS
from tests.attacks.price_guards import PRICE_GUARDS
from tests.attacks.trading_guards import TRADING_GUARDS
from tests.switches import Edits, number_guards, switch_guards

COMPILED = tuple(name for name in DEPLOYABLES if name not in {"CrossMargin", "Lens", "Feed", "mocks/Token"})
# Those of prices come first: one of them keeps, beside what it adds, a line that one of liquidations changes.
GUARDS: dict[str, Edits] = {
    **PRICE_GUARDS,
    **LIQUIDATION_GUARDS,
    **MARGIN_GUARDS,
    **TRADING_GUARDS,
    **POOL_GUARDS,
    **PEG_GUARDS,
    **ORDER_GUARDS,
}
NUMBERS = number_guards(GUARDS)


def compile_switched() -> dict[str, Artifact]:
    """The contracts whose guards can be switched off. Views and the router are the real ones."""
    return compile_all(switch_guards(GUARDS), COMPILED)
