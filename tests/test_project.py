"""What must hold of the project as a whole: who imports whom, integers only, nothing from outside, files that agree."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PURE = ("protocol", "oracle")
PACKAGES = (*PURE, "contracts_py", "crossmargin")
SUPPORT = ("tests", "benchmarks")

# What each package may import of ours besides itself; the pure ones may import nothing else but the standard library.
ALLOWED_FROM_US = {
    "protocol": (),
    "oracle": ("protocol.units", "protocol.errors", "protocol.records", "protocol.env", "protocol.policy"),
    "contracts_py": ("protocol", "oracle"),
    "crossmargin": ("protocol", "oracle", "contracts_py"),
}
# Hashing and signatures are not ours to write.
HASHES_AND_SIGNATURES = {"oracle/nodes.py": ("eth_utils",), "oracle/signing.py": ("eth_keys", "eth_utils")}
# A pure layer is told the time and everything else: it never asks. Fractions and decimals are for the edges.
IMPURE_MODULES = (
    *("random", "secrets", "uuid", "time", "datetime", "os", "io", "pathlib", "socket", "subprocess", "threading"),
    *("decimal", "fractions", "statistics", "cmath", "importlib"),
)
IMPURE_BUILTINS = {"open", "input", "print", "hash", "id", "eval", "exec", "__import__"}
INTEGER_MATH = {"isqrt", "gcd", "lcm", "prod"}


# --- reading sources ------------------------------------------------------------------------------------------------


def read_sources(package: str) -> list[tuple[str, str]]:
    """Path and text of each module of ``package``."""
    paths = sorted((ROOT / package).rglob("*.py"))
    assert paths, f"{package} has no modules: this test looks in the wrong place"
    return [(path.relative_to(ROOT).as_posix(), path.read_text("utf-8")) for path in paths]


def get_imports(source: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything imported, at any depth; ``from a import b`` is ``a.b``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            prefix = "." * node.level + (node.module or "")
            for alias in node.names:
                yield node.lineno, f"{prefix}.{alias.name}"


def is_within(name: str, modules: tuple[str, ...]) -> bool:
    """Whether a dotted name is one of ``modules`` or lies inside one."""
    return any(name == module or name.startswith(module + ".") for module in modules)


# --- the checks, each on one source text ----------------------------------------------------------------------------


def find_bad_imports(package: str, source: str, libraries: tuple[str, ...] = ()) -> list[str]:
    """Imports that cross a layer in the wrong direction, or take a pure layer outside the standard library.

    ``libraries`` are what a module of a pure layer may import all the same.
    """
    ours = (package, *ALLOWED_FROM_US[package])
    found = []
    for line, name in get_imports(source):
        top = name.split(".")[0]
        if not top:
            found.append(f"{line}: relative import {name}")
        elif top in PACKAGES + SUPPORT:
            if not is_within(name, ours):
                found.append(f"{line}: {package} may not import {name}")
        elif package in PURE and top not in sys.stdlib_module_names and top not in libraries:
            found.append(f"{line}: {package} may only import the standard library, not {name}")
    return found


def find_impurities(source: str) -> list[str]:
    """Fractions, true division, clocks, randomness, files: what a pure layer must not contain."""
    found = [f"{line}: imports {name}" for line, name in get_imports(source) if is_within(name, IMPURE_MODULES)]
    for line, name in get_imports(source):
        if is_within(name, ("math",)) and name.removeprefix("math.") not in INTEGER_MATH:
            found.append(f"{line}: imports {name}")
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Name(id="float" | "complex" as name):
                found.append(f"{node.lineno}: {name}")
            case ast.Constant(value=float() | complex() as value):
                found.append(f"{node.lineno}: the fraction {value}")
            case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                found.append(f"{node.lineno}: true division")
            case ast.Name(id=name) if name in IMPURE_BUILTINS:
                found.append(f"{node.lineno}: {name}")
    return found


def find_undeclared(source: str, declared: set[str], distributions: dict[str, list[str]]) -> list[str]:
    """Third-party imports whose distribution is not among the declared dependencies."""
    found = []
    for line, name in get_imports(source):
        top = name.split(".")[0]
        if top and top not in PACKAGES + SUPPORT and top not in sys.stdlib_module_names:
            providers = {canonicalize_name(provider) for provider in distributions.get(top, [])}
            if not providers & declared:
                found.append(f"{line}: {name}")
    return found


# --- layers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_follow_the_layers(package: str) -> None:
    bad = [
        f"{path}:{place}"
        for path, text in read_sources(package)
        for place in find_bad_imports(package, text, HASHES_AND_SIGNATURES.get(path, ()))
    ]
    assert bad == []


@pytest.mark.parametrize(
    ("package", "source"),
    [
        ("protocol", "import oracle"),
        ("protocol", "from oracle.feeds import Feed"),
        ("protocol", "import web3"),
        ("protocol", "def f():\n    import pydantic.fields"),
        ("protocol", "from . import units"),
        ("protocol", "if True:\n    from crossmargin import cli"),
        ("oracle", "import protocol"),
        ("oracle", "from protocol import state"),
        ("oracle", "from protocol.state import State"),
        ("oracle", "import eth_utils"),
        ("contracts_py", "import crossmargin.replay"),
        ("contracts_py", "from tests import twins"),
        ("crossmargin", "import benchmarks"),
    ],
)
def test_the_layer_check_finds(package: str, source: str) -> None:
    assert len(find_bad_imports(package, source)) == 1


@pytest.mark.parametrize(
    ("package", "source"),
    [
        ("protocol", "import json\nfrom collections.abc import Mapping\nfrom protocol import errors, units"),
        ("oracle", "from protocol import errors\nfrom protocol.units import W\nimport protocol.records"),
        ("contracts_py", "import web3\nfrom protocol.state import State\nfrom oracle import feeds"),
        ("crossmargin", "import contracts_py.node\nfrom protocol import transition"),
        ("protocol", "text = 'import web3'  # import web3"),
    ],
)
def test_the_layer_check_allows(package: str, source: str) -> None:
    assert find_bad_imports(package, source) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_the_package_imported_is_this_checkout(package: str) -> None:
    # "protocol" and "oracle" are common names: another distribution could take them.
    file = importlib.import_module(package).__file__
    assert file is not None
    assert Path(file).resolve() == ROOT / package / "__init__.py"


def test_the_console_script_would_run_this_checkout(tmp_path: Path) -> None:
    # From elsewhere, with neither this folder nor PYTHONPATH to help: what an installed command sees.
    try:
        distribution("crossmargin")
    except PackageNotFoundError:
        pytest.skip("crossmargin is not installed in this environment")
    code = f"import {', '.join(PACKAGES)}; print(*({', '.join(f'{name}.__file__' for name in PACKAGES)}), sep='\\n')"
    found = subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    files = [Path(line).resolve() for line in found.stdout.splitlines()]
    assert files == [ROOT / package / "__init__.py" for package in PACKAGES]


# --- integers only, nothing from outside ----------------------------------------------------------------------------


@pytest.mark.parametrize("package", PURE)
def test_pure_layers_hold_no_fraction_and_ask_nobody(package: str) -> None:
    bad = [f"{path}:{place}" for path, text in read_sources(package) for place in find_impurities(text)]
    assert bad == []


@pytest.mark.parametrize(
    "source",
    [
        "x = float('1')",
        "def f(x: float) -> None: ...",
        "def f(x: list[float]) -> None: ...",
        "x = 1.5",
        "x = 10e18",
        "x = a / b",
        "x /= 2",
        "import random",
        "from time import time",
        "import time",
        "from datetime import datetime",
        "from os import urandom",
        "import os.path",
        "import decimal",
        "from math import sqrt",
        "import math",
        "x = open('a')",
        "x = hash('a')",
    ],
)
def test_the_purity_check_finds(source: str) -> None:
    assert len(find_impurities(source)) == 1


def test_the_purity_check_allows_integers_and_words() -> None:
    source = "'''No float, 1.5, a / b or random.'''\nfrom math import isqrt\nx = 7 // 2 % 3  # 1.5\ny = 10**18"
    assert find_impurities(source) == []


# --- project files --------------------------------------------------------------------------------------------------


def read_project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def read_locked(name: str) -> dict[str, str]:
    """Distribution and version of each entry of a requirements file."""
    text = (ROOT / "requirements" / name).read_text("utf-8")
    return {canonicalize_name(found[1]): found[2] for found in re.finditer(r"^([\w.-]+)==(\S+)", text, re.MULTILINE)}


def get_declared() -> dict[str, list[Requirement]]:
    """The requirements that each locked file must satisfy."""
    project = read_project()
    groups = {name: [Requirement(line) for line in lines] for name, lines in project["dependency-groups"].items()}
    runtime = [Requirement(line) for line in project["project"]["dependencies"]]
    return {
        "bootstrap.txt": groups["bootstrap"],
        "runtime.txt": runtime + groups["build"],
        "dev.txt": runtime + groups["build"] + groups["dev"],
    }


def get_build_files() -> list[Path]:
    ci = [path for path in (ROOT / ".ci").rglob("*") if path.is_file()]
    return [ROOT / "pyproject.toml", ROOT / "Makefile", *sorted((ROOT / "requirements").iterdir()), *sorted(ci)]


def test_every_third_party_import_is_declared() -> None:
    project = read_project()["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    declared: set[str] = {canonicalize_name(Requirement(line).name) for line in lines}
    distributions = dict(packages_distributions())
    bad = [
        f"{path}:{place}"
        for package in PACKAGES
        for path, text in read_sources(package)
        for place in find_undeclared(text, declared, distributions)
    ]
    assert bad == []


def test_the_declaration_check_finds() -> None:
    distributions = {"yaml": ["PyYAML"], "toolz": ["toolz"]}
    source = "import yaml\nimport toolz.curried\nfrom nowhere import x\nimport json\nimport protocol"
    assert find_undeclared(source, {"pyyaml"}, distributions) == ["2: toolz.curried", "3: nowhere.x"]


@pytest.mark.parametrize("name", ["bootstrap.txt", "runtime.txt", "dev.txt"])
def test_locked_versions_satisfy_the_project(name: str) -> None:
    # One of these failing means: pyproject.toml changed, run `make lock`.
    locked = read_locked(name)
    for requirement in get_declared()[name]:
        version = locked.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not in {name}"
        assert requirement.specifier.contains(version, prereleases=True), f"{name}: {requirement} is not {version}"


def test_tests_run_on_the_versions_that_ship() -> None:
    assert read_locked("runtime.txt").items() <= read_locked("dev.txt").items()


@pytest.mark.parametrize("name", ["bootstrap.txt", "runtime.txt", "dev.txt"])
def test_every_locked_version_has_hashes(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text("utf-8")
    entries = re.split(r"\n(?=\S)", text.strip())
    assert len(entries) == len(read_locked(name))
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("path", get_build_files(), ids=lambda path: path.name)
def test_build_files_name_no_address(path: Path) -> None:
    # Where packages come from is the machine's business: a mirror must work without an edit here.
    assert "://" not in path.read_text("utf-8")


def test_vyper_sources_are_ascii() -> None:
    paths = [path for path in (ROOT / "contracts_py").rglob("*.vy*") if path.suffix in {".vy", ".vyi"}]
    assert paths
    assert [path.name for path in paths if not path.read_bytes().isascii()] == []


def test_the_changelog_covers_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    headings = re.findall(r"^## \[([^\]]+)\]", text, re.MULTILINE)
    assert {read_project()["project"]["version"], "Unreleased"} & set(headings)


def test_the_wheel_ships_every_package() -> None:
    assert read_project()["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == list(PACKAGES)
