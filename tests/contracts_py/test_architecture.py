"""What the router shape owes (specs/decisions/0003): every check here fails when its guard is removed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from eth_abi import encode
from eth_utils import keccak

from contracts_py.backend import eth_tester_provider
from contracts_py.compile import CODE_LIMIT, ENGINES, ORACLES, Artifact, compile_all, compiler_data, source_root
from contracts_py.deploy import find_routes, merge_abi
from contracts_py.errors import Reverted
from contracts_py.keys import address_of, private_key, to_hex
from contracts_py.node import Node
from tests.twins import START, Twins

SOURCES = Path(__file__).parent / "vyper"
# Where a contract may send a call: the oracle, itself, a listed token, (router) the engine of a route, or (prices) the
# source that was named when a node was registered or an average deployed, and the graph and hub named at deployment.
CALL_TARGETS = {"roles.oracle", "self", "contract", "engine", "HUB", "GRAPH", "source"}


def self_only_functions() -> set[str]:
    """Names declared in the interface the protocol calls itself through."""
    return set(re.findall(r"^def (\w+)\(", (source_root() / "interfaces/ISelf.vyi").read_text(), re.MULTILINE))


@cache
def exposed_functions(engine: str) -> tuple[Any, ...]:
    """The compiler's view of every function that an engine exposes."""
    return tuple(compiler_data(engine, source_root()).annotated_vyper_module._metadata["type"].exposed_functions)


def test_every_engine_has_the_storage_layout_of_the_router(artifacts: dict[str, Artifact]) -> None:
    router = artifacts["CrossMargin"].layout
    assert set(router["storage_layout"]) == {"storage"}
    for engine in ENGINES:
        layout = artifacts[engine].layout
        assert layout["storage_layout"] == router["storage_layout"], engine
        assert layout.get("transient_storage_layout") == router.get("transient_storage_layout") or not router.get(
            "transient_storage_layout"
        ), engine
        assert "code_layout" not in layout or not layout["code_layout"], f"{engine} has immutables"


@pytest.mark.parametrize("engine", ENGINES)
def test_every_function_holds_the_lock_except_the_self_only_ones(engine: str) -> None:
    exposed = {function.name: function.nonreentrant for function in exposed_functions(engine)}
    assert exposed
    for name, locked in exposed.items():
        assert locked != (name in self_only_functions()), f"{engine}.{name}"


def test_routes_cover_every_function_exactly_once(artifacts: dict[str, Artifact]) -> None:
    routes = find_routes(artifacts)
    selectors = {
        "0x" + keccak(text=signature)[:4].hex() for engine in ENGINES for signature in artifacts[engine].selectors
    }
    assert set(routes) == selectors
    names = [entry["name"] for entry in merge_abi(artifacts) if entry["type"] == "function"]
    assert len(names) == len(set(names)) == len(routes)


def test_two_engines_with_one_selector_are_refused(artifacts: dict[str, Artifact]) -> None:
    doubled = {**artifacts, "Risk": artifacts["Vault"]}
    with pytest.raises(ValueError, match="has the selector of a function of"):
        find_routes(doubled)


def test_self_only_functions_refuse_everybody_else(twins: Twins) -> None:
    abi = {entry["name"]: entry for entry in merge_abi(twins.chain._artifacts) if entry["type"] == "function"}
    assert self_only_functions()
    for name in self_only_functions():
        kinds = [item["type"] for item in abi[name]["inputs"]]
        data = keccak(text=f"{name}({','.join(kinds)})")[:4] + bytes(32 * len(kinds))
        with pytest.raises(Reverted) as reverted:
            twins.chain.contracts.node.call(twins.chain.deployment.protocol, data, address_of("stranger"))
        assert reverted.value.reason == "sys/self-only", name


def test_calls_go_only_to_known_targets() -> None:
    found = set()
    for path in sorted(source_root().rglob("*.vy")):
        if path.parent.name != "mocks":
            found |= set(call_targets(path.read_text()))
    assert found == CALL_TARGETS


def call_targets(source: str) -> Iterator[str]:
    """The address expression of every external call in a source."""
    for match in re.finditer(r"(?:staticcall|extcall)\s+\w+\(([^()]*)\)\.|raw_call\(\s*([\w.]+)", source):
        yield match.group(1) or match.group(2)


def test_a_call_to_a_chosen_target_would_be_seen() -> None:
    assert list(call_targets("x: uint256 = staticcall IFoo(msg.sender).bar()")) == ["msg.sender"]
    assert list(call_targets("success, out = raw_call(receiver, data)")) == ["receiver"]


def test_every_contract_is_small_enough(artifacts: dict[str, Artifact]) -> None:
    every = {**artifacts, **compile_all(names=ORACLES)}
    sizes = {name: artifact.runtime_size for name, artifact in every.items()}
    assert {name for name, size in sizes.items() if size > CODE_LIMIT} == set()


# They turn a refusal into an answer or an event of their own, so they succeed anywhere.
ANSWER_REFUSALS = {"liquidate_many", "preview_trade", "preview_settle_order", "quote_liquidation", "max_size"}


def test_an_engine_called_directly_does_nothing(twins: Twins) -> None:
    twins.deposit("stranger", usd=1_000)
    node, protocol = twins.chain.contracts.node, twins.chain.deployment.protocol
    before = twins.chain.read()
    for engine, address in twins.chain.deployment.engines.items():
        for entry in twins.chain._artifacts[engine].abi:
            if entry["type"] != "function" or entry["stateMutability"] == "view":
                continue
            receipt = node.send(private_key("stranger"), address, example_call(entry))
            assert receipt.succeeded == (entry["name"] in ANSWER_REFUSALS), f"{engine}.{entry['name']}"
            assert protocol not in {log.address for log in receipt.logs}
    assert twins.chain.read() == before


def example_call(entry: dict[str, Any]) -> bytes:
    """A well-formed call of a function with ones for its arguments."""
    from contracts_py.bindings import read_function

    function = read_function(entry)
    return function.selector + encode(function.inputs, [example_value(item) for item in entry["inputs"]])


def example_value(item: dict[str, Any]) -> Any:
    """A value of an ABI type."""
    if item["type"] == "tuple":
        return tuple(example_value(part) for part in item["components"])
    if item["type"].endswith("[]"):
        return [example_value({**item, "type": item["type"][:-2]})]
    if item["type"] == "bool":
        return True
    if item["type"] == "address":
        return to_hex(1)
    return 1 << 96 if item["name"] == "account" else 1


@pytest.mark.parametrize("engine", ENGINES)
def test_no_function_can_return_more_than_the_router_passes(engine: str) -> None:
    from vyper.codegen.core import calculate_type_for_external_return

    source = (source_root() / "CrossMargin.vy").read_text()
    (most,) = re.findall(r"^MAX_RETURN: constant\(uint256\) = (\d+)$", source, re.MULTILINE)
    for function in exposed_functions(engine):
        if function.return_type is not None:
            encoded = calculate_type_for_external_return(function.return_type).abi_type
            assert encoded.size_bound() <= int(most), function.name


@pytest.fixture(scope="module")
def odd_router() -> tuple[Node, int]:
    """A router over an engine with odd functions, and its address."""
    odd = (SOURCES / "Odd.vy").read_text()
    artifacts = compile_all({"Odd.vy": odd}, ("CrossMargin", "Odd", "mocks/Token"))
    node = Node(eth_tester_provider(START))
    key = private_key("deployer")
    node.fund(address_of("deployer"))
    engine = node.deploy(key, artifacts["Odd"].bytecode)
    token = node.deploy(key, artifacts["mocks/Token"].bytecode, encode(["string", "uint8"], ["USDC", 6]))
    routes = [
        (bytes.fromhex(selector[2:].rjust(8, "0")), to_hex(engine)) for selector in artifacts["Odd"].selectors.values()
    ]
    arguments = encode(
        ["(bytes4,address)[]", "address", "address", "address", "address[]"],
        [routes, to_hex(1), to_hex(2), to_hex(token), [to_hex(token)]],
    )
    return node, node.deploy(key, artifacts["CrossMargin"].bytecode, arguments)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (keccak(text="unknown()")[:4], "router/selector"),
        (keccak(text="panics(uint256)")[:4] + bytes(32), "sys/panic"),
        (keccak(text="too_long()")[:4], "sys/return-size"),
    ],
)
def test_the_router_names_every_failure(odd_router: tuple[Node, int], call: bytes, reason: str) -> None:
    node, router = odd_router
    with pytest.raises(Reverted) as reverted:
        node.call(router, call)
    assert reverted.value.reason == reason


def test_the_router_passes_answers_on(odd_router: tuple[Node, int]) -> None:
    node, router = odd_router
    assert int.from_bytes(node.call(router, keccak(text="long_enough()")[:4]), "big") == 7


def prepare_node(artifacts: dict[str, Artifact]) -> tuple[Node, int]:
    """A fresh chain, and a contract on it to be engine, oracle and token of a router."""
    node = Node(eth_tester_provider(START))
    node.fund(address_of("deployer"))
    return node, node.deploy(private_key("deployer"), artifacts["Risk"].bytecode)


@pytest.mark.parametrize(
    "fault",
    [
        "engine without code",
        "route twice",
        "oracle without code",
        "token without code",
        "token is the router",
        "no token",
    ],
)
def test_the_router_refuses_a_faulty_deployment(artifacts: dict[str, Artifact], fault: str) -> None:
    node, contract = prepare_node(artifacts)
    route, nothing = (b"\x01\x02\x03\x04", to_hex(contract)), to_hex(0xDEAD)

    def deploy_router(at: Node, **changes: Any) -> int:
        parts = {"routes": [route], "oracle": to_hex(contract), "tokens": [to_hex(contract)], **changes}
        arguments = encode(
            ["(bytes4,address)[]", "address", "address", "address", "address[]"],
            [parts["routes"], to_hex(1), to_hex(2), parts["oracle"], parts["tokens"]],
        )
        return at.deploy(private_key("deployer"), artifacts["CrossMargin"].bytecode, arguments)

    changes: dict[str, Any] = {
        "engine without code": {"routes": [(route[0], nothing)]},
        "route twice": {"routes": [route, route]},
        "oracle without code": {"oracle": nothing},
        "token without code": {"tokens": [nothing]},
        # An equal chain tells the address that the router would have.
        "token is the router": {"tokens": [to_hex(deploy_router(prepare_node(artifacts)[0]))]},
        "no token": {"tokens": []},
    }
    with pytest.raises(Reverted):
        deploy_router(node, **changes[fault])
    assert deploy_router(node)
