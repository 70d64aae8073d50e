"""Every fault that others have had is attacked here, or named below with the reason why it cannot occur yet."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.attacks.guards import GUARDS

LAST = 46
# What the protocol does not have yet; each line goes when the work that brings it adds the attack.
NOT_YET = {
    "B22": "a stop fills before its trigger: there are no trigger orders",
    "B37": "auto-deleveraging takes the wrong position: there is none, what is not covered becomes deficit",
}


def read_attacks() -> dict[str, str]:
    """Name and docstring of every attack."""
    found = {}
    for path in Path(__file__).parent.glob("test_*_attacks.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found[node.name] = ast.get_docstring(node) or ""
    return found


def test_every_fault_is_attacked_or_cannot_occur_yet() -> None:
    attacked = {doc.split(":")[0] for doc in read_attacks().values()}
    assert not attacked & set(NOT_YET)
    assert attacked | set(NOT_YET) == {f"B{number}" for number in range(1, LAST + 1)}


@pytest.mark.parametrize("name", sorted(read_attacks()))
def test_an_attack_names_its_fault_origin_guard_and_profit(name: str) -> None:
    doc = " ".join(read_attacks()[name].split())
    fault = doc.split(":")[0]
    assert name.startswith(f"test_{fault.lower()}_")
    assert "From: " in doc
    assert re.search(r"Guard: .*?([A-Z]{3}-\d+|sys/self-only)", doc)
    assert re.search(r"(Without it|With a transfer in it|Without\s).*\d", doc)


@pytest.mark.parametrize("guard", GUARDS)
def test_every_guard_is_taken_out_by_an_attack(guard: str) -> None:
    texts = [path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*_attacks.py")]
    assert sum(text.count(f'without("{guard}", story)') for text in texts) == 1
