"""A run in one JSON object: what ``replay --json`` prints and the manifest keeps."""

from __future__ import annotations

from typing import Any

from contracts_py.keys import address_of
from crossmargin.known import Known
from crossmargin.replay.run import Replay
from crossmargin.replay.world import World
from crossmargin.text import decimal
from protocol.codec import digest
from protocol.pool import compute_pool_value


def build_result(replay: Replay, backend: str, divergences: int) -> dict[str, Any]:
    """The facts of a finished run. Money is decimal text; only ``seconds`` differs between two runs."""
    totals, world = replay.totals, replay.final
    ledger = world.protocol.ledger
    known = Known(replay.scenario.params, {}, address_of)
    return {
        "scenario": replay.scenario.name,
        "engine": replay.engine,
        "backend": backend,
        "changes": list(replay.scenario.changes),
        "rounds": totals.rounds,
        "actions": totals.actions,
        "refusals": totals.refusals,
        "liquidations": totals.liquidations,
        "divergences": divergences,
        "bad_debt": decimal(totals.bad_debt),
        "insurance_fund": decimal(ledger.insurance),
        "pool_value": decimal(compute_pool_value(world.protocol, world.env(replay.now)).market),
        "deficit": decimal(ledger.deficit),
        "min_price": {
            known.feed_text(feed): decimal(answer, world.feed_decimals(feed))
            for feed, answer in sorted(totals.min_answer.items())
        },
        "state_digest": digest(_parts_of(world)),
        "seconds": {
            "model_apply": round(totals.model_seconds, 3),
            "chain": round(replay.chain.seconds, 3) if replay.chain else 0.0,
        },
        **totals.cascade.describe(replay.scenario, known),
    }


def _parts_of(world: World) -> dict[str, Any]:
    """What a state is made of; a world without a graph or sources has no part for them."""
    oracle = world.oracle
    parts: dict[str, Any] = {"protocol": world.protocol, "oracle": oracle.hub}
    if oracle.graph:
        parts["graph"] = oracle.graph
    return {**parts, "sources": oracle.sources} if oracle.sources else parts
