"""Addresses known before there is a contract at them."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from contracts_py.addresses import DEPLOYER, contract_address, feed_address, feed_addresses
from contracts_py.compile import Artifact
from contracts_py.keys import address_of, private_key
from contracts_py.revm import RevmNode
from tests.twins import FEEDS, START, Twins

needs_pyrevm = pytest.mark.skipif(find_spec("pyrevm") is None, reason="pyrevm is not installed")
EMPTY = "0x600160005360016000f3"  # deploys one byte


def test_addresses_of_a_sender_that_is_known_everywhere() -> None:
    sender = 0x6AC7EA33F8831EA9DCC53393AAA88B25A785DBF0
    assert contract_address(sender, 0) == 0xCD234A471B72BA2F1CCF0A70FCABA648A5EECD8D
    assert contract_address(sender, 1) == 0x343C43A37D37DFF08AE8C4A11544C718ABB4FCF8


@needs_pyrevm
def test_addresses_of_three_hundred_contracts() -> None:
    node, key = RevmNode(START), private_key(DEPLOYER)
    found = [node.deploy(key, EMPTY) for _ in range(300)]
    assert found == [contract_address(address_of(DEPLOYER), nonce) for nonce in range(300)]


@pytest.mark.parametrize("backend", [pytest.param("pyrevm", marks=needs_pyrevm), "eth-tester"])
def test_a_deployment_with_a_graph_has_its_feeds_where_nodes_name_them(
    artifacts: dict[str, Artifact], backend: str
) -> None:
    deployment = Twins(artifacts, backend, actors=(), with_graph=True).chain.deployment
    deployer = address_of(DEPLOYER)
    assert (deployment.graph, deployment.hub) == (contract_address(deployer, 0), contract_address(deployer, 1))
    assert deployment.feeds == feed_addresses(len(FEEDS))
    assert deployment.feeds[3] == feed_address(3)


def test_without_nodes_there_is_no_graph(artifacts: dict[str, Artifact]) -> None:
    twins = Twins(artifacts, "eth-tester", actors=())
    assert twins.chain.deployment.graph == 0
    assert twins.chain.read() == twins.world
