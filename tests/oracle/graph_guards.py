"""Guards of the graph contract, and how to take each of them out."""

from __future__ import annotations

from contracts_py.compile import Artifact
from tests.oracle.graph_twins import compile_graph
from tests.switches import Edits, switch_guards

GRAPH, NODES, GUARD = "oracles/Graph.vy", "modules/nodes.vy", "modules/quote_guards.vy"

# Name of the guard -> edits: file, text, text without the guard.
GUARDS: dict[str, Edits] = {
    "a price is in dollars": ((GRAPH, "assert unit & MASK_128 == USD,", "assert REMOVED or unit & MASK_128 == USD,"),),
    "units of a product cancel": (
        (NODES, "assert a >> 128 == b & MASK_128,", "assert REMOVED or a >> 128 == b & MASK_128,"),
    ),
    "validity before deviation": (
        (
            GUARD,
            "if quote.status != 0 or reference.status != 0:",
            "if not REMOVED and (quote.status != 0 or reference.status != 0):",
        ),
    ),
    "a breaker stays tripped": (
        (
            "modules/breaker.vy",
            "    if (state >> 136) & MASK_40 != 0:\n",
            "    if not REMOVED and (state >> 136) & MASK_40 != 0:\n",
        ),
    ),
    "a jump is multiplied across": (
        (
            GUARD,
            "    return max(p, q) * BPS > ratio * min(p, q)",
            """    if REMOVED:
        return max(p, q) // max(min(p, q), 1) > ratio // BPS
    return max(p, q) * BPS > ratio * min(p, q)""",
        ),
    ),
    "touching a bound fails": (
        (
            GUARD,
            "    if quote.bid <= low or quote.ask >= high:",
            """    if REMOVED:
        return price_status.OUT_OF_BOUNDS if quote.bid < low or quote.ask > high else 0
    if quote.bid <= low or quote.ask >= high:""",
        ),
    ),
    "a source has its gas": (
        ("modules/asking.vy", "assert msg.gas >= GAS_FLOOR,", "assert REMOVED or msg.gas >= GAS_FLOOR,"),
    ),
    "a parent is named once": (
        (NODES, "assert parents[i] != parents[j],", "assert REMOVED or parents[i] != parents[j],"),
    ),
    "the future is marked": (
        (
            GUARD,
            "return price_status.FUTURE if quote.publish_time - now > ahead else 0",
            "return price_status.FUTURE if not REMOVED and quote.publish_time - now > ahead else 0",
        ),
    ),
    "an uptime feed is initialised": (
        (GUARD, "answer != 0 or started_at == 0:", "answer != 0 or (started_at == 0 and not REMOVED):"),
    ),
    "the oldest leg is the age": (
        (
            "modules/quotes.vy",
            "        self.ucdiv(unsafe_mul(a.ask, b.ask), W),\n        min(a.publish_time, b.publish_time),",
            """        self.ucdiv(unsafe_mul(a.ask, b.ask), W),
        (a.publish_time + b.publish_time) // 2 if REMOVED else min(a.publish_time, b.publish_time),""",
        ),
    ),
}


def compile_switched() -> dict[str, Artifact]:
    """The graph whose guards can be switched off."""
    return compile_graph(switch_guards(GUARDS))
