"""What remembering rounds costs: ``python -m benchmarks.feed_forms`` (specs/decisions/0005-feeds.md).

Gas of a push to the hub as it is and to variants of it, all compiled from the hub's own source. Each figure is a whole
transaction in a block of its own.
"""

from __future__ import annotations

import sys

from contracts_py.backend import eth_tester_provider
from contracts_py.bindings import call_data
from contracts_py.compile import compile_all, source_root
from contracts_py.deploy import encode_addresses
from contracts_py.keys import address_of, private_key
from contracts_py.node import Node

START = 1_600_000_000
FEEDS = 16
COUNTS = (1, 4, 16)
WRITE = "self.rounds[feed][round % HISTORY] = signed_half | PREPARED | block.timestamp"
PREPARE = "self.rounds[feed][i] = PREPARED"
VARIANTS = {
    "last 64 rounds, prepared (ours)": (WRITE, PREPARE),
    "a fresh word for each round": (WRITE, "pass"),
    "newest round only": ("pass", "pass"),
}


def deploy_hub(write: str, prepare: str) -> tuple[Node, int]:
    """A chain with a hub of ``FEEDS`` feeds that stores rounds with ``write`` and creates feeds with ``prepare``."""
    source = (source_root() / "FeedHub.vy").read_text("utf-8")
    assert source.count(WRITE) == source.count(PREPARE) == 1, "the hub no longer has the statements replaced here"
    hub = compile_all({"FeedHub.vy": source.replace(WRITE, write).replace(PREPARE, prepare)}, ("FeedHub",))["FeedHub"]
    node = Node(eth_tester_provider(START))
    for role in ("admin", "poster"):
        node.fund(address_of(role))
    arguments = encode_addresses(address_of("admin"), address_of("poster"), 0)
    address = node.deploy(private_key("admin"), hub.bytecode, arguments)
    for feed in range(FEEDS):
        call = call_data("set_feed(uint256,uint256,uint256)", feed, 8, 7_200)
        assert node.send(private_key("admin"), address, call).succeeded
    return node, address


def push(node: Node, hub: int, count: int) -> int:
    """Gas of one round for each of the first ``count`` feeds."""
    answers = [8_000 * 10**8] * count
    receipt = node.send(private_key("poster"), hub, call_data("push(uint256[],int256[])", list(range(count)), answers))
    assert receipt.succeeded
    return receipt.gas_used


def main() -> int:
    """Print the table."""
    print(f"{'gas of a push':<34}" + "".join(f"{count:>10} feeds" for count in COUNTS))
    for name, (write, prepare) in VARIANTS.items():
        node, hub = deploy_hub(write, prepare)
        push(node, hub, FEEDS)
        print(f"{name:<34}" + "".join(f"{push(node, hub, count):>16,}" for count in COUNTS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
