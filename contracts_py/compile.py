"""Compiling the Vyper sources, once for each state of them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

ENGINES = ("Risk", "Fills", "Trading", "Orders", "Liquidation", "Vault", "Pool", "Governance", "Roles", "Lens")
DEPLOYABLES = ("CrossMargin", *ENGINES, "FeedHub", "Feed", "mocks/Token")
# Sources of prices, each deployed by whoever runs it; the graph beside the hub, where a feed of it is a node.
ORACLES = tuple(f"oracles/{name}" for name in ("Averages", "Graph", "GrowthCap", "Median", "PullFeed"))
GRAPH = "oracles/Graph"
EVM_VERSION = "prague"
IMPORT = re.compile(r"^from (\w+) import (\w+)", re.MULTILINE)
CODE_LIMIT = 22_000  # bytes of runtime code; the EVM's own limit is 24,576


@dataclass(frozen=True)
class Artifact:
    """One compiled contract."""

    name: str
    abi: list[dict[str, Any]]
    bytecode: str
    runtime_size: int
    selectors: dict[str, str]  # signature -> 0x selector
    layout: dict[str, Any]  # storage and transient slots by module


def source_root() -> Path:
    """The folder of the Vyper sources."""
    return Path(str(files("contracts_py"))) / "vyper"


def read_sources() -> dict[str, str]:
    """All sources, by path relative to the root."""
    root = source_root()
    paths = sorted(p for p in root.rglob("*.vy*") if p.suffix in {".vy", ".vyi"})
    return {path.relative_to(root).as_posix(): path.read_text("utf-8") for path in paths}


def compile_all(changed: Mapping[str, str] | None = None, names: Sequence[str] = DEPLOYABLES) -> dict[str, Artifact]:
    """The deployables ``names``, compiled from the sources with ``changed`` files added or replaced.

    Each is kept under a digest of the sources it is made of, compiler and settings, in ``$CROSSMARGIN_CACHE`` or the
    user's cache folder; a folder that cannot be written only costs the time to compile again.
    """
    sources = {**read_sources(), **(changed or {})}
    settings = [version("vyper"), version("snekmate"), EVM_VERSION, "gas"]
    places = {name: cache_folder() / f"{_digest(name, sources, settings)}.json" for name in names}
    found = {name: _load(place) for name, place in places.items()}
    made = _compile(sources, [name for name, artifact in found.items() if artifact is None])
    for name, artifact in made.items():
        _store(places[name], artifact)
    return {name: artifact or made[name] for name, artifact in found.items()}


def find_sources(name: str, sources: Mapping[str, str]) -> dict[str, str]:
    """The sources that a contract is made of: its own, and those it imports, near or far, by path."""
    found: dict[str, str] = {}
    waiting = [f"{name}.vy"]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found[path] = sources[path]
        for folder, module in IMPORT.findall(sources[path]):
            # What is not among the sources is a library's, and its version is part of the settings.
            waiting += [path for path in (f"{folder}/{module}.vy", f"{folder}/{module}.vyi") if path in sources]
    return found


def _digest(name: str, sources: Mapping[str, str], settings: Sequence[str]) -> str:
    text = json.dumps([name, find_sources(name, sources), settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _load(place: Path) -> Artifact | None:
    try:
        return Artifact(**json.loads(place.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def cache_folder() -> Path:
    """Where compiled contracts are kept."""
    chosen = os.environ.get("CROSSMARGIN_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crossmargin"


def compiler_data(name: str, root: Path) -> Any:
    """Vyper's own view of one deployable under ``root``, for what its outputs do not tell."""
    # Imported here: the compiler takes half a second to load, and a warm cache never needs it.
    import snekmate
    from vyper.compiler.input_bundle import FilesystemInputBundle
    from vyper.compiler.phases import CompilerData
    from vyper.compiler.settings import OptimizationLevel, Settings

    # compile_code does not look into site-packages by itself.
    search = [Path(next(iter(snekmate.__path__))).parent, root]
    bundle = FilesystemInputBundle(search)
    settings = Settings(optimize=OptimizationLevel.GAS, evm_version=EVM_VERSION)
    return CompilerData(bundle.load_file(Path(f"{name}.vy")), bundle, settings=settings)


def _compile(sources: Mapping[str, str], names: Sequence[str]) -> dict[str, Artifact]:
    from vyper.compiler.output import (
        build_abi_output,
        build_layout_output,
        build_method_identifiers_output,
    )

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for path, text in sources.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, "utf-8")
        artifacts = {}
        for name in names:
            data = compiler_data(name, root)
            artifacts[name] = Artifact(
                name=name,
                abi=build_abi_output(data),
                bytecode="0x" + data.bytecode.hex(),
                runtime_size=len(data.bytecode_runtime),
                selectors=build_method_identifiers_output(data),
                layout=build_layout_output(data),
            )
        return artifacts


def _store(path: Path, artifact: Artifact) -> None:
    text = json.dumps(vars(artifact))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Several test processes may compile at once; a rename shows each of them a whole file.
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
            file.write(text)
        Path(file.name).replace(path)
    except OSError:
        return
