"""The JSON-RPC backend: the same replay on another chain, and refusals to write where we should not."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts_py.backend import eth_tester_provider
from contracts_py.compile import Artifact
from contracts_py.errors import NodeUnusable
from contracts_py.keys import address_of, private_key
from contracts_py.node import Node
from crossmargin.replay.chain import SETUP_TIME, ChainEngine
from tests.crossmargin.commands import run
from tests.twins import FEEDS, START, TOKENS, Twins

ROOT = Path(__file__).parents[2]
SCENARIO = ROOT / "tests" / "crossmargin" / "data" / "twins.yaml"
LOCAL = ROOT / ".venv" / "anvil" / "node_modules" / ".bin" / "anvil"
ANVIL = shutil.which("anvil") or (str(LOCAL) if LOCAL.exists() else None)

needs_anvil = pytest.mark.skipif(ANVIL is None, reason="anvil is not installed (npm was missing when .venv was made)")


@pytest.fixture
def anvil(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a fresh anvil whose genesis is at the time given as parameter."""
    assert ANVIL is not None
    command = [ANVIL, "--port", "0", "--timestamp", str(request.param), "--hardfork", "prague"]
    # What npm installs is a wrapper that starts the program itself: both are ended as one group.
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    for line in process.stdout:
        found = re.search(r"Listening on ([\d.:]+)", line)
        if found:
            break
    else:
        pytest.fail("anvil ended before it listened")
    try:
        yield f"http://{found[1]}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@needs_anvil
@pytest.mark.parametrize("anvil", [1_500_000_000], indirect=True)
def test_a_replay_over_json_rpc_agrees_and_ends_in_the_same_state(
    anvil: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    results = []
    for backend in (anvil, "eth-tester"):
        answer = run(capsys, monkeypatch, "replay", SCENARIO, "--backend", backend, "--out", tmp_path / "run", "--json")
        assert answer.code == 0, answer.err
        results.append(json.loads(answer.out))
    assert results[0]["divergences"] == 0
    assert results[0]["state_digest"] == results[1]["state_digest"]


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


def test_two_deterministic_chains_have_the_same_blocks(twins: Twins) -> None:
    other = Twins(twins.chain._artifacts)
    other.configure()
    other.fund()
    heads = [t.chain.contracts.node.web3.eth.get_block("latest")["hash"] for t in (twins, other)]
    assert heads[0] == heads[1]


def test_a_block_has_exactly_the_time_it_was_given() -> None:
    node = Node(eth_tester_provider(START))
    node.fund(address_of("borrower"))
    assert node.now == START + 1
    node.send(private_key("borrower"), address_of("stranger"), b"", START + 1_000)
    assert node.now == START + 1_000
