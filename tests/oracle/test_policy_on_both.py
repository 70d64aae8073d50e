"""The policy as model and as contract."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from contracts_py.bindings import call_data
from contracts_py.compile import compile_all
from contracts_py.errors import Reverted
from contracts_py.keys import private_key
from contracts_py.revm import RevmNode
from oracle.policy import POLICY, Side, check_accepted, choose_price
from oracle.quotes import Quote
from protocol.errors import Refusal
from tests.oracle.drawing import Draw

pytestmark = pytest.mark.skipif(find_spec("pyrevm") is None, reason="pyrevm is not installed")


HARNESS = """
from modules import policy
from modules import quotes

@external
@pure
def accepted(accepts: uint256, status: uint256) -> bool:
    return policy.is_accepted(accepts, status)

@external
@pure
def check(accepts: uint256, status: uint256):
    policy.check_accepted(accepts, status)

@external
@pure
def choose(bid: uint256, mid: uint256, ask: uint256, side: uint256, is_asset: bool) -> uint256:
    quote: quotes.Quote = quotes.Quote(bid=bid, mid=mid, ask=ask, publish_time=0, status=0)
    return policy.choose_price(quote, side, is_asset)
"""


def test_the_policy_on_both() -> None:
    """POL-1 to POL-3: every row with every single fault, and with random ones; every side."""
    node = RevmNode(1_600_000_000)
    artifact = compile_all({"Harness.vy": HARNESS}, ("Harness",))["Harness"]
    harness = node.deploy(private_key("deployer"), artifact.bytecode)
    draw = Draw("policy")
    statuses = [*(1 << bit for bit in range(15)), *(draw.below(2**14) for _ in range(30)), 0, 2**255]
    refused = set()
    for accepts in sorted({row.accepts for row in POLICY.values()}):
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
    numbers = {Side.UNFAVOURABLE: 1, Side.FAVOURABLE: 2, Side.MID: 3}
    for side, number in numbers.items():
        for is_asset in (False, True):
            data = call_data("choose(uint256,uint256,uint256,uint256,bool)", 1, 2, 3, number, is_asset)
            expected = choose_price(Quote(1, 2, 3, 0, 0), side, is_asset)
            assert int.from_bytes(node.call(harness, data), "big") == expected
