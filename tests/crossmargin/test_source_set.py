"""Sources in parameter sets: what they become, and what is said of a wrong one."""

from __future__ import annotations

import pytest

from contracts_py.addresses import CHAIN_ID, contract_address, feed_address, graph_address, source_address
from contracts_py.keys import address_of
from crossmargin.errors import InputError
from crossmargin.library import PARAMETERS
from crossmargin.parameters import ParameterSet, load_parameters, parse_parameters
from crossmargin.source_file import CapPlan, encode_feed_id, write_feed_id
from crossmargin.yamltext import parse_yaml
from oracle.averages import Averages
from oracle.median import Median
from oracle.pull import PullFeed
from oracle.sources import Follower

PATH = PARAMETERS.find("sources")
TEXT = PATH.read_text("utf-8")
PARAMS = load_parameters(PATH)
LAST = "nodes:\n"  # sources of a test stand above it


def failure(source: str) -> InputError:
    """What is wrong with a set that has one more source, `odd`."""
    assert TEXT.count(f"\n{LAST}") == 1
    with pytest.raises(InputError) as caught:
        parse_parameters(parse_yaml(TEXT.replace(f"\n{LAST}", f"\n  odd: {source}\n\n{LAST}"), PATH))
    return caught.value


def plan_of(params: ParameterSet, name: str) -> object:
    return next(spec.plan for spec in params.sources if spec.name == name)


def test_each_source_becomes_what_the_rules_know() -> None:
    median, pull = plan_of(PARAMS, "btc_reporters"), plan_of(PARAMS, "eth_reports")
    slow, cap, over = (plan_of(PARAMS, name) for name in ("eth_slow", "wsteth_cap", "slow_cap"))
    assert isinstance(median, Median)
    assert median.reporters == tuple(address_of(f"reporter_{number}") for number in range(1, 6))
    assert isinstance(pull, PullFeed)
    assert (pull.chain_id, pull.address, pull.admin) == (CHAIN_ID, source_address("eth_reports"), address_of("admin"))
    assert list(pull.signers) == sorted(address_of(f"signer_{number}") for number in range(1, 5))
    assert isinstance(slow, Follower)
    assert isinstance(slow.state, Averages)
    node = next(node.id for node in PARAMS.nodes if node.name == "eth")
    assert (slow.target, slow.key) == (graph_address(), int.from_bytes(node, "big"))
    assert isinstance(cap, CapPlan)
    assert (cap.target, cap.key) == (feed_address([feed.name for feed in PARAMS.feeds].index("WSTETH_RATE")), 0)
    assert isinstance(over, CapPlan)
    assert (over.target, over.key) == (source_address("eth_slow"), 3)


def test_an_address_follows_from_the_name_alone() -> None:
    assert source_address("eth_slow") == contract_address(address_of("deployer_eth_slow"), 0)
    assert len({spec.address for spec in PARAMS.sources}) == len(PARAMS.sources)


def test_caps_are_not_there_from_the_beginning() -> None:
    assert list(PARAMS.genesis_sources()) == ["btc_reporters", "btc_others", "eth_reports", "eth_slow"]
    assert PARAMS.has_graph
    assert not load_parameters(PARAMETERS.find("reference")).has_graph


@pytest.mark.parametrize("text", ["ETH/USD", "a", "A.b-c_d/0", "x" * 32, "0x" + "00" * 32, "0x" + "ff" * 32])
def test_an_id_of_reports_and_its_text(text: str) -> None:
    assert write_feed_id(encode_feed_id(text)) == text
    assert len(encode_feed_id(text)) == 32


AVERAGES = "gap: 10s, window: 1m, tau: 1m, clamp: 0.1"
CAP = "growth: 0.1, min_delay: 1h, max_term: 2h, tolerance: 0.01, max_drop: 0.05"
WRONG = {
    "{}": "a source needs a kind",
    "{median: {reporters: [a, a], quorum: 1, max_age: 1h, skew: 0s, decimals: 8}}": "refused as oracle/median-config",
    "{pull: {signers: [a, b], threshold: 1}}": "refused as oracle/signers",
    "{pull: {signers: [a], threshold: 1, ahead: 61s}}": "refused as oracle/terms",
    f"{{averages: {{node: eth, {AVERAGES.replace('10s', '9s')}}}}}": "refused as oracle/average-config",
    f"{{averages: {{{AVERAGES}}}}}": "a source of this kind follows something",
    f"{{averages: {{node: eth, feed: ETH_RAW, {AVERAGES}}}}}": "it follows one thing",
    f"{{averages: {{node: ethh, {AVERAGES}}}}}": "unknown node `ethh`",
    f"{{averages: {{feed: ETH, {AVERAGES}}}}}": "feed `ETH` has no rounds",
    f"{{averages: {{source: eth_reports, {AVERAGES}}}}}": "`eth_reports` is of kind pull",
    f"{{averages: {{source: btc_reporters, feed_id: a, {AVERAGES}}}}}": "`btc_reporters` is of kind median",
    f"{{averages: {{source: odd, average: ema, {AVERAGES}}}}}": "the source `odd` does not stand above",
    f"{{growth_cap: {{node: eth, {CAP}}}}}": "unknown key `node`",
    f"{{growth_cap: {{source: rate_cap, {CAP}}}}}": "a growth cap follows no growth cap",
    f"{{growth_cap: {{feed: RATE_1, {CAP.replace('0.05', '0.6')}}}}}": "refused as oracle/cap-config",
}


@pytest.mark.parametrize(("source", "message"), WRONG.items())
def test_what_is_wrong_with_a_source_is_said_where_it_stands(source: str, message: str) -> None:
    error = failure(source)
    assert message in str(error)
    assert error.line == next(n for n, line in enumerate(TEXT.split("\n"), 1) if line == "nodes:")
