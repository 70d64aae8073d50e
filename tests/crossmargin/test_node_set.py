"""Nodes in parameter sets: what they become, and what is said of a wrong one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from contracts_py.addresses import feed_address
from crossmargin.errors import InputError
from crossmargin.library import PARAMETERS
from crossmargin.node_file import NodeModel
from crossmargin.node_set import REMEDIES
from crossmargin.parameters import genesis_actions, load_parameters, parse_parameters
from crossmargin.yamltext import parse_yaml
from oracle.feeds import SetNodeFeed
from oracle.graph import RegisterNode
from oracle.nodes import (
    Kind,
    Node,
    NodeId,
    aggregator,
    bounds,
    breaker,
    combine,
    confidence,
    deviation,
    fixed,
    hours,
    median,
    sequencer,
    staleness,
)
from protocol.units import W
from tests.crossmargin.loading import Loader

PATH = PARAMETERS.find("guarded")
TEXT = PATH.read_text("utf-8")
HEADER = "title: t\nparams: guarded\nstart: 2020-03-12T00:00:00Z\nsteps:\n"
LAST = "  usdc: {fixed: {value: 1, pair: USDC/USD}}\n"  # nodes of a test stand below it


def with_node(text: str) -> str:
    """The set with a node `odd` at the end."""
    assert LAST in TEXT
    return TEXT.replace(LAST, f"{LAST}  odd: {text}\n")


def failure(text: str) -> InputError:
    with pytest.raises(InputError) as caught:
        parse_parameters(parse_yaml(text, PATH))
    return caught.value


def odd_line(text: str) -> int:
    return next(number for number, line in enumerate(text.split("\n"), 1) if line.startswith("  odd: "))


def test_the_guarded_set_is_the_reference_over_other_feeds() -> None:
    guarded, reference = load_parameters(PATH), load_parameters(PARAMETERS.find("reference"))
    assert (guarded.risk, guarded.tokens, guarded.markets) == (reference.risk, reference.tokens, reference.markets)
    assert [(feed.name, feed.description) for feed in guarded.feeds][: len(reference.feeds)] == [
        (feed.name, feed.description) for feed in reference.feeds
    ]
    assert reference.nodes == ()


def test_every_kind_is_in_the_guarded_set_or_in_that_of_sources() -> None:
    guarded, sources = (
        {Kind(node.action.kind) for node in load_parameters(PARAMETERS.find(name)).nodes}
        for name in ("guarded", "sources")
    )
    assert guarded == set(Kind) - {Kind.SOURCE, Kind.ENVELOPE}
    assert guarded | sources == set(Kind) == {Kind[key.upper()] for key in NodeModel.model_fields}


def test_nodes_are_registered_before_the_feeds_that_are_made_of_them() -> None:
    params = load_parameters(PATH)
    found = genesis_actions(params)
    count = len(params.nodes)
    assert [action for _, action in found[:count]] == [node.action for node in params.nodes]
    assert [action for _, action in found[count : count + len(params.feeds)]] == [feed.action for feed in params.feeds]
    assert {role for role, _ in found} == {"admin"}
    ids = {node.name: node.id for node in params.nodes}
    assert params.feeds[0].action == SetNodeFeed(0, ids["btc"])
    assert params.feeds[0].decimals == 18


ADD = Callable[[dict[str, NodeId]], Node]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{aggregator: {feed: ETH_1, pair: WETH/USD}}", lambda ids: aggregator(feed_address(7), "WETH/USD", 8)),
        ("{fixed: {value: 2.5, pair: X/USD}}", lambda ids: fixed(5 * W // 2, "X/USD")),
        ("{mul: {of: [eth_in_btc, btc]}}", lambda ids: combine(Kind.MUL, ids["eth_in_btc"], ids["btc"])),
        ("{min: {of: [eth, eth_1]}}", lambda ids: combine(Kind.MIN, ids["eth"], ids["eth_1"])),
        ("{halt: {of: eth_1}}", lambda ids: combine(Kind.HALT, ids["eth_1"])),
        ("{median: {of: [eth, eth_1], quorum: 2}}", lambda ids: median(2, ids["eth"], ids["eth_1"])),
        ("{staleness: {of: eth, soft: 1m, hard: 1h}}", lambda ids: staleness(ids["eth"], 60, 3_600)),
        (
            "{staleness: {of: eth, soft: 1m, hard: 1h, ahead: 5s}}",
            lambda ids: staleness(ids["eth"], 60, 3_600, 5),
        ),
        (
            "{deviation: {of: eth, reference: eth_1, tolerance: 0.0150}}",
            lambda ids: deviation(ids["eth"], ids["eth_1"], 150),
        ),
        ("{bounds: {of: eth, low: 0.5, high: 9}}", lambda ids: bounds(ids["eth"], W // 2, 9 * W)),
        ("{bounds: {of: eth, low: 0, high: 9, near: 0.05}}", lambda ids: bounds(ids["eth"], 0, 9 * W, 500)),
        ("{confidence: {of: eth, spread: 0.05}}", lambda ids: confidence(ids["eth"], 500)),
        (
            "{breaker: {of: eth, ratio: 1.01, cool_down: 1m, good: 16}}",
            lambda ids: breaker(ids["eth"], 10_100, 60, 16),
        ),
        (
            "{sequencer: {of: eth, uptime: SEQUENCER, grace: 1d}}",
            lambda ids: sequencer(ids["eth"], feed_address(10), 86_400),
        ),
        ("{sequencer: {of: eth, grace: 0s}}", lambda ids: sequencer(ids["eth"], 0, 0)),
        (
            "{hours: {of: eth, days: [mon, sun, mon], opens: 13h30m, length: 1s}}",
            lambda ids: hours(ids["eth"], 65, 48_600, 1),
        ),
    ],
)
def test_a_node_is_what_its_text_says(text: str, expected: ADD) -> None:
    params = parse_parameters(parse_yaml(with_node(text), PATH))
    ids = {node.name: node.id for node in params.nodes}
    node = expected(ids)
    assert params.nodes[-1].action == RegisterNode(node.kind, node.params, node.parents)


@pytest.mark.parametrize(
    ("text", "column", "message", "remedy"),
    [
        ("{halt: {of: eht}}", 20, "unknown node `eht`, did you mean `eth`?", ""),
        ("{min: {of: [eth, odd]}}", 25, "the node `odd` does not stand above", "put a node below those it is made of"),
        (
            "{aggregator: {feed: ETH_4, pair: ETH/USD}}",
            28,
            "unknown feed `ETH_4`, did you mean `ETH_3`?",
            "there are: BTC, ETH",
        ),
        ("{aggregator: {feed: ETH, pair: ETH/USD}}", 28, "feed `ETH` has no rounds", "name a feed that has decimals"),
        ("{aggregator: {feed: ETH_1, pair: ETHUSD}}", 41, "`ETHUSD` is not a pair", "write what is priced and in what"),
        ("{halt: {of: btc_up}}", 3, "`odd` is the same node as `btc`", "name it once"),
        ("{halt: {of: eth}, min: {of: [eth]}}", 26, "a node is of one kind, this one is `halt` too", "make it two"),
        ("{}", 8, "a node needs a kind", "one of: source, aggregator, fixed"),
        ("{source: {source: eth, pair: ETH/USD}}", 26, "unknown source `eth`", ""),
        ("{hours: {of: eth, days: [tues], opens: 1h, length: 1h}}", 33, "unknown day `tues`", "there are: mon, tue"),
    ],
)
def test_what_is_wrong_with_a_node_is_said_where_it_stands(text: str, column: int, message: str, remedy: str) -> None:
    whole = with_node(text)
    error = failure(whole)
    assert error.line == odd_line(whole)
    assert error.message.startswith(message)
    assert error.remedy.startswith(remedy)
    assert error.column == column


def limits_of(kind: str) -> str:
    """What the rules ask of a kind, in the words of the file."""
    shape = next(part for part in NodeModel.model_fields[kind].annotation.__args__ if part is not type(None))  # type: ignore[union-attr]
    return str(shape.limits)


BROKEN_LIMITS = {
    "fixed": "{fixed: {value: 0, pair: X/USD}}",
    "median": "{median: {of: [eth, eth_1], quorum: 1}}",
    "staleness": "{staleness: {of: eth, soft: 2h, hard: 1h}}",
    "deviation": "{deviation: {of: eth, reference: eth_1, tolerance: 0}}",
    "bounds": "{bounds: {of: eth, low: 9, high: 9}}",
    "confidence": "{confidence: {of: eth, spread: 0.0009}}",
    "breaker": "{breaker: {of: eth, ratio: 1, cool_down: 1m, good: 1}}",
    "sequencer": "{sequencer: {of: eth, grace: 1d1s}}",
    "hours": "{hours: {of: eth, days: [], opens: 1h, length: 1h}}",
}


@pytest.mark.parametrize("kind", BROKEN_LIMITS)
def test_a_number_outside_its_bounds_is_refused_in_the_words_of_its_kind(kind: str) -> None:
    whole = with_node(BROKEN_LIMITS[kind])
    error = failure(whole)
    assert (error.line, error.column) == (odd_line(whole), 9)
    assert error.message.startswith("refused as oracle/node-params: A parameter of a node is outside its bounds")
    assert error.remedy == limits_of(kind) != ""


def test_every_kind_with_numbers_has_its_limits() -> None:
    assert {kind for kind in NodeModel.model_fields if limits_of(kind)} == {*BROKEN_LIMITS, "aggregator"}


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("oracle/node-parents", "{min: {of: [eth]}}"),
        ("oracle/node-parents", "{mul: {of: [eth, eth]}}"),
        ("oracle/units", "{mul: {of: [eth, btc]}}"),
        ("oracle/units", "{min: {of: [eth, btc]}}"),
        ("oracle/graph-size", "{max: {of: [eth, eth_median, eth_lowest, eth_highest, eth_newest]}}"),
    ],
)
def test_a_rule_that_a_node_breaks_is_named_with_its_remedy(code: str, text: str) -> None:
    whole = with_node(text)
    error = failure(whole)
    assert (error.line, error.column) == (odd_line(whole), 9)
    assert error.message.startswith(f"refused as {code}: ")
    assert error.remedy == REMEDIES[code]


def test_a_feed_is_a_node_in_dollars() -> None:
    error = failure(TEXT.replace("BTC / USD, node: btc}", "BTC / USD, node: btc_in_eth}"))
    assert error.message.startswith("refused as oracle/not-in-dollars: ")
    assert error.remedy == "the node of a feed is dollars for something, as BTC/USD"
    error = failure(TEXT.replace("BTC / USD, node: btc}", "BTC / USD, node: btcc}"))
    assert error.message == "unknown node `btcc`, did you mean `btc`?"


def test_steps_name_nodes_of_the_set(tmp_path_factory: pytest.TempPathFactory) -> None:
    load = Loader(tmp_path_factory.mktemp("steps"))
    error = load.failure(HEADER + "  - {at: 0s, halt_node: {node: bct}}\n")
    assert error.message == "unknown node `bct`, did you mean `btc`?"
    error = load.failure(HEADER + "  - {at: 0s, by: a, register_node: {kind: medain}}\n")
    assert error.message == "unknown kind of node `medain`, did you mean `median`?"
    error = load.failure(HEADER + "  - {at: 0s, poke_node: {node: btc_steady}}\n")
    assert error.message == "the step has no sender: anyone may `poke_node`"
    error = load.failure(HEADER + "  - {at: 0s, halt_node: {node: btc}, expect: {quotes: {BTC: {faults: [HALTE]}}}}\n")
    assert error.message == "unknown fault of a price `HALTE`, did you mean `HALTED`?"
    load(HEADER + "  - {at: 0s, halt_node: {node: 0x1}, expect: {refused: oracle/unknown-node}}\n")


def test_a_set_without_nodes_has_no_graph_to_act_on(tmp_path_factory: pytest.TempPathFactory) -> None:
    load = Loader(tmp_path_factory.mktemp("steps"))
    plain = HEADER.replace("guarded", "reference")
    for step in ("halt_node: {node: 0x1}", "poke_node: {node: 1}", "reset_node: {node: 1}", "register_node: {kind: 1}"):
        error = load.failure(plain + f"  - {{at: 0s, by: a, {step}}}\n")
        assert error.message == "the parameter set `reference` has no nodes, so that no graph is deployed with it"
    load(plain + "  - {at: 0s, set_node_feed: {feed: 4, node: 0x1}, expect: {refused: oracle/unknown-node}}\n")
