"""Putting the protocol on a chain: feeds, engines, tokens, then the one address over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi import encode

from contracts_py.addresses import DEPLOYER
from contracts_py.compile import ENGINES, GRAPH, Artifact
from contracts_py.keys import address_of_key, private_key, to_hex
from contracts_py.node import Chain

SYMBOL_LENGTH = 5  # characters of a token's symbol that the test token has room for


@dataclass(frozen=True)
class TokenPlan:
    """A test token to deploy; the first one is USDC. The contract keeps the first five characters of its symbol."""

    symbol: str
    decimals: int


@dataclass(frozen=True)
class Deployment:
    """Where everything is; ``graph`` is 0 where there is none."""

    protocol: int
    graph: int
    hub: int
    tokens: tuple[int, ...]
    feeds: tuple[int, ...]
    engines: dict[str, int]


def deploy(
    node: Chain,
    artifacts: Mapping[str, Artifact],
    roles: Mapping[str, int],
    tokens: Sequence[TokenPlan],
    feeds: Sequence[str],
) -> Deployment:
    """Deploy the protocol over fresh test tokens and one feed contract per description; the graph if it is compiled.

    ``roles`` gives the addresses of admin, guardian and poster.
    """
    node.check_identity()
    key = private_key(DEPLOYER)
    node.fund(address_of_key(key))
    graph = 0
    if GRAPH in artifacts:
        graph = node.deploy(key, artifacts[GRAPH].bytecode, encode_addresses(roles["admin"], roles["guardian"]))
    hub_arguments = encode_addresses(roles["admin"], roles["poster"], graph)
    hub = node.deploy(key, artifacts["FeedHub"].bytecode, hub_arguments)
    feed_contracts = tuple(
        node.deploy(
            key,
            artifacts["Feed"].bytecode,
            encode(["address", "uint256", "string"], [to_hex(hub), index, text]),
        )
        for index, text in enumerate(feeds)
    )
    engines = {name: node.deploy(key, artifacts[name].bytecode) for name in ENGINES}
    token_contracts = tuple(
        node.deploy(
            key,
            artifacts["mocks/Token"].bytecode,
            encode(["string", "uint8"], [plan.symbol[:SYMBOL_LENGTH], plan.decimals]),
        )
        for plan in tokens
    )
    routes = [
        (bytes.fromhex(selector[2:]), to_hex(engines[name]))
        for selector, name in sorted(find_routes(artifacts).items())
    ]
    arguments = encode(
        ["(bytes4,address)[]", "address", "address", "address", "address[]"],
        [
            routes,
            to_hex(roles["admin"]),
            to_hex(roles["guardian"]),
            to_hex(hub),
            [to_hex(token) for token in token_contracts],
        ],
    )
    protocol = node.deploy(key, artifacts["CrossMargin"].bytecode, arguments)
    return Deployment(protocol, graph, hub, token_contracts, feed_contracts, engines)


def encode_addresses(*addresses: int) -> bytes:
    """Addresses as arguments of a constructor."""
    return encode(["address"] * len(addresses), [to_hex(address) for address in addresses])


def find_routes(artifacts: Mapping[str, Artifact]) -> dict[str, str]:
    """Every selector of the protocol with the engine that implements it."""
    routes: dict[str, str] = {}
    for name in ENGINES:
        for signature, selector in artifacts[name].selectors.items():
            full = "0x" + selector[2:].rjust(8, "0")
            if full in routes:
                raise ValueError(f"{signature} of {name} has the selector of a function of {routes[full]}")
            routes[full] = name
    return routes


def merge_abi(artifacts: Mapping[str, Artifact]) -> list[dict[str, Any]]:
    """The protocol's one ABI: the functions and events of all engines, each once."""
    merged: dict[str, dict[str, Any]] = {}
    for name in ENGINES:
        for entry in artifacts[name].abi:
            if entry["type"] in {"function", "event"}:
                merged.setdefault(f"{entry['type']} {entry['name']}", entry)
    return list(merged.values())
