"""The JSON-RPC backend: the same replay on another chain, and refusals to write where we should not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from eth_abi import encode

from contracts_py.anvil import find_anvil, run_anvil
from contracts_py.backend import eth_tester_provider
from contracts_py.bindings import call_data
from contracts_py.compile import Artifact
from contracts_py.errors import NodeUnusable, Reverted
from contracts_py.keys import address_of, private_key, to_hex
from contracts_py.node import Chain, Node
from contracts_py.revm import RevmNode, read_reason
from crossmargin.replay.chain import SETUP_TIME, ChainEngine
from tests.crossmargin.commands import run
from tests.twins import FEEDS, START, TOKENS, Twins

ROOT = Path(__file__).parents[2]
SCENARIO = ROOT / "tests" / "crossmargin" / "data" / "twins.yaml"
needs_anvil = pytest.mark.skipif(find_anvil() is None, reason="anvil is not installed: npm was missing")


@pytest.fixture
def anvil(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a fresh anvil whose genesis is at the time given as parameter."""
    with run_anvil(request.param) as url:
        yield url


def test_an_anvil_that_is_not_there_is_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contracts_py.anvil.find_anvil", lambda: None)
    with pytest.raises(NodeUnusable, match="anvil was not found"), run_anvil(START):
        pass


@needs_anvil
@pytest.mark.parametrize("anvil", [1_500_000_000], indirect=True)
def test_a_replay_over_json_rpc_agrees_and_ends_in_the_same_state(
    anvil: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    results = []
    for chosen in (("--backend", anvil), ("--backend", "anvil"), ("--engine", "model")):
        answer = run(capsys, monkeypatch, "replay", SCENARIO, *chosen, "--out", tmp_path / "run", "--json")
        assert answer.code == 0, answer.err
        results.append(json.loads(answer.out))
    assert [result["divergences"] for result in results] == [0, 0, 0]
    assert len({result["state_digest"] for result in results}) == 1


@needs_anvil
@pytest.mark.parametrize("anvil", [1_600_000_000], indirect=True)
def test_a_chain_that_is_already_later_than_the_scenario_is_refused(
    anvil: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = run(capsys, monkeypatch, "replay", SCENARIO, "--backend", anvil, "--out", tmp_path / "run")
    assert answer.code == 4
    assert "anvil: --timestamp" in answer.err
    assert not (tmp_path / "run").exists()


def test_a_chain_a_second_later_than_setting_up_may_begin_is_refused(
    artifacts: dict[str, Artifact], monkeypatch: pytest.MonkeyPatch
) -> None:
    latest = START - SETUP_TIME
    monkeypatch.setattr(Node, "connect", lambda url: Node(eth_tester_provider(latest + 1)))
    with pytest.raises(NodeUnusable, match=f"stands at or before {latest};"):
        ChainEngine("http://127.0.0.1:9", START, TOKENS, FEEDS, (), artifacts)


def test_setting_up_that_reaches_the_first_action_is_refused(
    artifacts: dict[str, Artifact], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crossmargin.replay.chain.SETUP_TIME", 5)
    with pytest.raises(NodeUnusable, match="setting up took more chain time"):
        ChainEngine("eth-tester", START, TOKENS, FEEDS, (), artifacts)


def test_a_chain_that_was_exchanged_is_refused() -> None:
    node = Node(eth_tester_provider(START))
    node.check_identity()
    node.web3.provider = eth_tester_provider(START + 1)
    with pytest.raises(NodeUnusable, match="another one now"):
        node.check_identity()


def test_nothing_at_a_url_is_refused() -> None:
    with pytest.raises(NodeUnusable, match="nothing answers"):
        Node.connect("http://127.0.0.1:9")


def test_two_deterministic_chains_have_the_same_blocks(artifacts: dict[str, Artifact]) -> None:
    heads = []
    for _ in range(2):
        twins = Twins(artifacts, "eth-tester", actors=("admin", "poster", "lender", "treasury"))
        twins.configure()
        twins.fund()
        node = twins.chain.contracts.node
        assert isinstance(node, Node)
        heads.append(node.web3.eth.get_block("latest")["hash"])
    assert heads[0] == heads[1]


def test_a_block_has_exactly_the_time_it_was_given() -> None:
    node = Node(eth_tester_provider(START))
    node.fund(address_of("borrower"))
    assert node.now == START + 1
    node.send(private_key("borrower"), address_of("stranger"), b"", START + 1_000)
    assert node.now == START + 1_000


# --- pyrevm -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def revm() -> RevmNode:
    """A chain in pyrevm."""
    if find_spec("pyrevm") is None:
        pytest.skip("pyrevm is not installed")
    return RevmNode(START)


def deploy_token(node: Chain, artifacts: dict[str, Artifact]) -> int:
    """A token of the tests."""
    return node.deploy(
        private_key("deployer"), artifacts["mocks/Token"].bytecode, encode(["string", "uint8"], ["T", 6])
    )


def test_a_transaction_on_pyrevm_has_exactly_the_time_it_was_given(revm: RevmNode) -> None:
    revm.send(private_key("borrower"), address_of("stranger"), b"", START + 1_000)
    assert revm.now == START + 1_000
    revm.send(private_key("borrower"), address_of("stranger"), b"")
    assert revm.now == START + 1_001


def test_calls_on_pyrevm_change_nothing_however_many_there_are(revm: RevmNode, artifacts: dict[str, Artifact]) -> None:
    token = deploy_token(revm, artifacts)
    owner = to_hex(address_of("borrower"))
    for _ in range(1_100):  # the EVM allows 1,024 nested calls, and an open checkpoint would count as one
        revm.call(token, call_data("mint(address,uint256)", owner, 5))
    balance = call_data("balanceOf(address)", owner)
    assert int.from_bytes(revm.call(token, balance), "big") == 0
    assert revm.send(private_key("deployer"), token, call_data("mint(address,uint256)", owner, 5)).succeeded
    assert int.from_bytes(revm.call(token, balance), "big") == 5


def test_a_failed_transaction_on_pyrevm_changes_nothing(revm: RevmNode, artifacts: dict[str, Artifact]) -> None:
    token = deploy_token(revm, artifacts)
    transfer = call_data("transfer(address,uint256)", to_hex(address_of("stranger")), 5)
    receipt = revm.send(private_key("borrower"), token, transfer)
    assert (receipt.succeeded, receipt.logs) == (False, ())
    with pytest.raises(Reverted):
        revm.call(token, transfer, address_of("borrower"))


def test_both_chains_in_process_store_the_same_words(revm: RevmNode, artifacts: dict[str, Artifact]) -> None:
    tester = Node(eth_tester_provider(START))
    tester.fund(address_of("deployer"))
    words = []
    for node in (revm, tester):
        token = deploy_token(node, artifacts)
        mint = call_data("mint(address,uint256)", to_hex(address_of("borrower")), 5)
        assert node.send(private_key("deployer"), token, mint).succeeded
        words.append([node.storage(token)(slot) for slot in range(8)])
    assert words[0] == words[1]
    assert any(words[0])


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("Call reverted. Reason: Revert { gas_used: 1, output: 0x }", ""),
        ("Call halted. Reason: Halt { reason: OutOfGas }", ""),
        (f"Revert {{ output: 0x08c379a0{encode(['string'], ['margin/initial']).hex()} }}", "margin/initial"),
        ("Revert { output: 0x4e487b710000 }", ""),
    ],
)
def test_the_reason_of_pyrevm_is_the_revert_string_alone(message: str, reason: str) -> None:
    assert read_reason(message) == reason
