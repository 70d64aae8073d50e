"""The policy as model and as contract."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from contracts_py.bindings import call_data
from contracts_py.compile import compile_all
from contracts_py.errors import Reverted
from contracts_py.keys import private_key
from contracts_py.revm import RevmNode
from protocol.errors import Refusal
from protocol.policy import POLICY, check_accepted
from tests.oracle.drawing import Draw

pytestmark = pytest.mark.skipif(find_spec("pyrevm") is None, reason="pyrevm is not installed")


HARNESS = """
from modules import policy

@external
@pure
def accepted(accepts: uint256, status: uint256) -> bool:
    return policy.is_accepted(accepts, status)

@external
@pure
def check(accepts: uint256, status: uint256):
    policy.check_accepted(accepts, status)
"""


def test_the_policy_on_both() -> None:
    """POL-1, POL-2: every row with every single fault, and with random ones."""
    node = RevmNode(1_600_000_000)
    artifact = compile_all({"Harness.vy": HARNESS}, ("Harness",))["Harness"]
    harness = node.deploy(private_key("deployer"), artifact.bytecode)
    draw = Draw("policy")
    statuses = [*(1 << bit for bit in range(15)), *(draw.below(2**14) for _ in range(30)), 0, 2**255]
    refused = set()
    for accepts in sorted(set(POLICY.values())):
        for status in statuses:
            answer = node.call(harness, call_data("accepted(uint256,uint256)", accepts, status))
            assert bool(int.from_bytes(answer, "big")) is (not status & ~accepts)
            try:
                check_accepted(accepts, status)
            except Refusal as refusal:
                refused.add(refusal.code)
                with pytest.raises(Reverted, match=f"^{refusal.code}$"):
                    node.call(harness, call_data("check(uint256,uint256)", accepts, status))
                continue
            node.call(harness, call_data("check(uint256,uint256)", accepts, status))
    assert refused == {
        *("oracle/unavailable", "oracle/non-positive", "oracle/out-of-bounds", "oracle/halted"),
        *("oracle/sequencer-down", "oracle/no-quorum", "oracle/future", "oracle/deviated", "oracle/stale"),
        *("oracle/sequencer-grace", "oracle/market-closed", "oracle/capped", "oracle/uncertain"),
    }
