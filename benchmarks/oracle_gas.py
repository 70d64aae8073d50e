"""Gas of reading each source of prices, and of bringing prices to it; rows of the table in benchmarks/gas.py.

Each figure is a whole transaction in a block of its own, the 21,000 of one included. Sources below a graph, an average
or a cap are pull feeds, each a contract of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from eth_abi import encode
from eth_utils import keccak

from contracts_py.backend import eth_tester_provider
from contracts_py.bindings import call_data
from contracts_py.compile import ORACLES, Artifact, compile_all
from contracts_py.keys import address_of, private_key, to_hex
from contracts_py.node import Node
from oracle.averages import HISTORY
from oracle.nodes import (
    Kind,
    NodeId,
    aggregator,
    bounds,
    combine,
    compute_node_id,
    confidence,
    median,
    source,
    staleness,
)
from oracle.nodes import Node as GraphNode
from oracle.signing import PriceReport, encode_payload, hash_domain, hash_report, hash_typed_data, sign_digest
from protocol.units import DAY, W

START = 1_600_000_000
REPORTERS = tuple(f"reporter {number}" for number in range(13))
SIGNERS = tuple(sorted((f"signer {number}" for number in range(4)), key=address_of))
FEED = keccak(text="ETH/USD")
PRICE = 200
GAP, WINDOW, TAU, CLAMP = 10, 600, 600, 1_000
READ, WRITE = "oracle read", "oracle write"

Row = tuple[str, str, int]  # action, case, gas


class OracleBench:
    """A chain with contracts of the oracle layer, and its clock."""

    def __init__(self) -> None:
        self.node = Node(eth_tester_provider(START))
        for name in ("deployer", *REPORTERS):
            self.node.fund(address_of(name))
        self.artifacts: dict[str, Artifact] = {**compile_all(names=ORACLES), **compile_all()}
        self.deployer = to_hex(address_of("deployer"))

    def deploy(self, name: str, *arguments: Any) -> int:
        """A contract, with the arguments of its constructor."""
        artifact = self.artifacts.get(f"oracles/{name}") or self.artifacts[name]
        inputs = next(entry["inputs"] for entry in artifact.abi if entry["type"] == "constructor")
        data = encode([item["type"] for item in inputs], arguments)
        return self.node.deploy(private_key("deployer"), artifact.bytecode, data)

    def send(self, contract: int, data: bytes, sender: str = "deployer", after: int = 1) -> int:
        """Gas of a transaction, some seconds after the one before."""
        receipt = self.node.send(private_key(sender), contract, data, self.node.now + after)
        assert receipt.succeeded
        return receipt.gas_used

    def quote(self, contract: int, key: bytes) -> int:
        """Gas of a quote, of a price that is there."""
        answer = self.node.call(contract, call_data("quote(bytes32)", key))
        assert int.from_bytes(answer[32:64], "big") > 0
        return self.send(contract, call_data("quote(bytes32)", key))

    def deploy_pull_feed(self, count: int, threshold: int, faults: int) -> int:
        """A pull feed of the first signers, without a fee."""
        signers = [to_hex(address_of(name)) for name in SIGNERS[:count]]
        return self.deploy("PullFeed", self.deployer, signers, threshold, faults, 0, 0)

    def update(self, feed: int, threshold: int) -> int:
        """Gas of bringing a report of now."""
        now = self.node.now
        report = PriceReport(FEED, PRICE * 10**8, 10**6, -8, now, now - 1)
        digest = hash_typed_data(hash_domain(self.node.chain_id, feed), hash_report(report))
        signatures = tuple(sign_digest(digest, private_key(name)) for name in SIGNERS[:threshold])
        return self.send(feed, call_data("updatePriceFeeds(bytes[])", [encode_payload(report, signatures)]))

    def deploy_source(self) -> int:
        """A pull feed with a report, as a source of others."""
        feed = self.deploy_pull_feed(1, 1, 0)
        self.update(feed, 1)
        return feed

    def register(self, graph: int, node: GraphNode) -> NodeId:
        """A node of a graph, and its id."""
        data = call_data("register_node(uint256,uint256[4],bytes32[])", int(node.kind), node.params, node.parents)
        self.send(graph, data)
        return compute_node_id(node)


def measure_oracles() -> Iterator[Row]:
    """Every row of the oracle layer."""
    bench = OracleBench()
    yield from measure_median(bench)
    yield from measure_pull(bench)
    yield from measure_averages(bench)
    yield from measure_growth_cap(bench)
    yield from measure_graph(bench)
    yield from measure_node_feeds(bench)


def measure_median(bench: OracleBench) -> Iterator[Row]:
    """Thirteen reporters, all of them fresh and of one time."""
    reporters = [to_hex(address_of(name)) for name in REPORTERS]
    median_feed = bench.deploy("Median", reporters, 7, 3_600, 600, 30, 8, "ETH / USD")

    def submit(number: int) -> int:
        data = call_data("submit(int256,uint64)", PRICE * 10**8 + number * 7 % 13, bench.node.now)
        return bench.send(median_feed, data, REPORTERS[number])

    yield WRITE, "median, first report of a slot", submit(0)
    for number in range(1, len(REPORTERS)):
        submit(number)
    yield WRITE, "median, report", submit(0)
    yield READ, "median of 13", bench.quote(median_feed, bytes(32))


def measure_pull(bench: OracleBench) -> Iterator[Row]:
    """One report a call, by the number of signatures; the first one writes a fresh word."""
    for threshold, count, faults in ((1, 1, 0), (3, 4, 1)):
        feed = bench.deploy_pull_feed(count, threshold, faults)
        bench.update(feed, threshold)
        yield WRITE, f"pull feed, report signed by {threshold} of {count}", bench.update(feed, threshold)
    yield READ, "pull feed", bench.quote(bench.deploy_source(), FEED)


def measure_averages(bench: OracleBench) -> Iterator[Row]:
    """A history that is full, so that the search for the window's beginning takes its six steps."""
    averages = bench.deploy("Averages", to_hex(bench.deploy_source()), FEED, GAP, WINDOW, TAU, CLAMP)
    for _ in range(HISTORY):
        bench.send(averages, call_data("update()"), after=GAP)
    yield WRITE, "averages, update", bench.send(averages, call_data("update()"), after=GAP)
    for key, name in enumerate(("TWAP", "EMA", "stable price"), start=1):
        yield READ, f"averages, {name}", bench.quote(averages, key.to_bytes(32, "big"))


def measure_growth_cap(bench: OracleBench) -> Iterator[Row]:
    """A rate well below its cap."""
    source_address, now = to_hex(bench.deploy_source()), bench.node.now
    limits = (1_000, DAY, 30 * DAY, 100, 500, 0)
    cap = bench.deploy("GrowthCap", bench.deployer, source_address, FEED, *limits, PRICE * W, now - 2 * DAY)
    yield READ, "growth cap of a pull feed", bench.quote(cap, FEED)


def measure_graph(bench: OracleBench) -> Iterator[Row]:
    """The usual stacks over pull feeds."""
    graph = bench.deploy("Graph", bench.deployer, bench.deployer)
    leaves = [source(bench.deploy_source(), int.from_bytes(FEED, "big"), "ETH/USD") for _ in range(3)]
    rate = source(bench.deploy_source(), int.from_bytes(FEED, "big"), "wstETH/ETH")

    def read(node: NodeId) -> int:
        data = call_data("process(bytes32)", node)
        assert int.from_bytes(bench.node.call(graph, data)[32:64], "big") > 0
        return bench.send(graph, data)

    def guard(leaf: GraphNode) -> NodeId:
        """A source with staleness, bounds and confidence above it."""
        fresh = bench.register(graph, staleness(bench.register(graph, leaf), DAY, 2 * DAY))
        bounded = bench.register(graph, bounds(fresh, W, 10**6 * W))
        return bench.register(graph, confidence(bounded, 100))

    first = guard(leaves[0])
    yield READ, "graph, one source", read(compute_node_id(leaves[0]))
    yield READ, "graph, one source guarded", read(first)
    second = guard(leaves[1])
    yield (
        READ,
        "graph, one source guarded, in an envelope with another",
        read(bench.register(graph, combine(Kind.ENVELOPE, first, second))),
    )
    product = bench.register(graph, combine(Kind.MUL, guard(rate), first))
    yield READ, "graph, rate times underlying, both guarded", read(product)
    middle = bench.register(graph, median(2, first, second, guard(leaves[2])))
    yield READ, "graph, median of 3 guarded", read(middle)


def measure_node_feeds(bench: OracleBench) -> Iterator[Row]:
    """What the vault asks: push feeds and node feeds through the hub."""
    graph = bench.deploy("Graph", bench.deployer, bench.deployer)
    hub = bench.deploy("FeedHub", bench.deployer, bench.deployer, to_hex(graph))
    feeds = [bench.deploy("Feed", to_hex(hub), feed, "ETH / USD") for feed in range(3)]
    for feed in range(3):
        bench.send(hub, call_data("set_feed(uint256,uint256,uint256)", feed, 8, 2 * DAY))
    bench.send(hub, call_data("push(uint256[],int256[])", [0, 1, 2], [PRICE * 10**8] * 3))

    def read(feed: int) -> int:
        data = call_data("read(uint256)", feed)
        assert int.from_bytes(bench.node.call(hub, data)[32:64], "big") == PRICE * W
        return bench.send(hub, data)

    def guard(feed: int) -> NodeId:
        """A push feed with staleness above it."""
        return bench.register(graph, staleness(bench.register(graph, aggregator(feeds[feed], "ETH/USD")), DAY, 2 * DAY))

    fresh = [guard(feed) for feed in range(3)]
    middle = bench.register(graph, median(2, *fresh))
    for feed, node in ((3, fresh[0]), (4, middle)):
        bench.send(hub, call_data("set_node_feed(uint256,bytes32)", feed, node))
    yield READ, "hub, push feed", read(0)
    yield READ, "hub, node feed over one push feed with staleness", read(3)
    yield READ, "hub, node feed over the median of 3 such", read(4)
