"""What keeping every round costs: ``python -m benchmarks.feed_forms`` (specs/decisions/0005-feeds.md).

Gas of a push to the hub as it is and to variants of it that keep fewer rounds, all compiled from the hub's own source.
Rings are full before they are measured. Each figure is a whole transaction in a block of its own.
"""

from __future__ import annotations

import sys

from eth_abi import encode
from eth_utils import keccak

from contracts_py.backend import eth_tester_provider
from contracts_py.compile import compile_all, source_root
from contracts_py.keys import address_of, private_key, to_hex
from contracts_py.node import Node

START = 1_600_000_000
RING = 8  # rounds; a longer ring costs the same once it is full
FEEDS = 16
COUNTS = (1, 4, 16)
WRITE = "self.rounds[feed][round] = signed_half | block.timestamp"
VARIANTS = {
    "every round kept (ours)": WRITE,
    f"ring of {RING} rounds": WRITE.replace("[round]", f"[round % {RING}]"),
    "newest round only": "pass",
}


def deploy_hub(write: str) -> tuple[Node, int]:
    """A chain with a hub of ``FEEDS`` feeds that stores rounds with the statement ``write``."""
    source = (source_root() / "FeedHub.vy").read_text("utf-8")
    assert source.count(WRITE) == 1, "the hub no longer stores rounds with the statement this benchmark replaces"
    hub = compile_all({"FeedHub.vy": source.replace(WRITE, write)}, ("FeedHub",))["FeedHub"]
    node = Node(eth_tester_provider(START))
    for role in ("admin", "poster"):
        node.fund(address_of(role))
    roles = encode(["address", "address"], [to_hex(address_of("admin")), to_hex(address_of("poster"))])
    address = node.deploy(private_key("admin"), hub.bytecode, roles)
    for feed in range(FEEDS):
        call = keccak(text="set_feed(uint256,uint256,uint256)")[:4] + encode(["uint256"] * 3, [feed, 8, 7_200])
        assert node.send(private_key("admin"), address, call).succeeded
    return node, address


def push(node: Node, hub: int, count: int) -> int:
    """Gas of one round for each of the first ``count`` feeds."""
    answers = [8_000 * 10**8] * count
    data = encode(["uint256[]", "int256[]"], [list(range(count)), answers])
    receipt = node.send(private_key("poster"), hub, keccak(text="push(uint256[],int256[])")[:4] + data)
    assert receipt.succeeded
    return receipt.gas_used


def main() -> int:
    """Print the table."""
    print(f"{'gas of a push':<26}" + "".join(f"{count:>10} feeds" for count in COUNTS))
    for name, write in VARIANTS.items():
        node, hub = deploy_hub(write)
        for _ in range(RING + 1):
            push(node, hub, FEEDS)
        print(f"{name:<26}" + "".join(f"{push(node, hub, count):>16,}" for count in COUNTS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
