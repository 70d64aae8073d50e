"""What is compared: run folders, and scenarios with changes behind commas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crossmargin.errors import InputError, WrongUse
from crossmargin.library import exists
from crossmargin.replay.folder import MANIFEST
from crossmargin.scenario import find_scenario
from crossmargin.variants import Variant, read_variant

NAMES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
UNCHANGED = Variant()
OPENING, CLOSING = "[{", "]}"


@dataclass(frozen=True, slots=True)
class Operand:
    """One of the runs to compare: a run folder, or a scenario that is replayed as the variant changes it."""

    name: str  # a letter of its own
    text: str
    path: Path
    is_run: bool
    variant: Variant = UNCHANGED


def read_operands(texts: Sequence[str], changed: Sequence[str], params: str) -> tuple[Operand, ...]:
    """The operands of a command; one scenario with ``--set`` or ``--params`` is compared with itself unchanged.

    Raises ``WrongUse`` and ``InputError``.
    """
    given = (*([f"params={params}"] if params else []), *changed)
    if given and len(texts) != 1:
        raise WrongUse("--set and --params change one scenario; of several, write changes behind each: NAME,PATH=VALUE")
    if given:
        texts = (texts[0], ",".join((texts[0], *given)))
    if not 2 <= len(texts) <= len(NAMES):
        raise WrongUse(f"name two runs to compare, at most {len(NAMES)}, or one scenario with --set or --params")
    return tuple(read_operand(name, text) for name, text in zip(NAMES, texts, strict=False))


def read_operand(name: str, text: str) -> Operand:
    """One operand. Refuses a folder that is no run, and what no scenario is."""
    path = Path(text)
    if text and exists(path) and path.is_dir():
        if not exists(path / MANIFEST):
            raise InputError(
                text, f"is not a run folder: it has no {MANIFEST}", remedy="name out/ and a scenario's name"
            )
        return Operand(name, text, path, is_run=True)
    if text and exists(path):
        return Operand(name, text, find_scenario(text), is_run=False)
    scenario, *changes = split_changes(text)
    found = find_scenario(scenario)
    if exists(found / MANIFEST):
        message = "is the folder of a run, which nothing can change any more"
        raise InputError(scenario, message, remedy="change the scenario that it was made from")
    if found.is_dir():
        raise InputError(scenario, "is a folder of scenarios, not one", remedy="name a scenario in it")
    return Operand(name, text, found, is_run=False, variant=read_variant(changes))


def split_changes(text: str) -> list[str]:
    """The parts of a text between its commas; a comma inside brackets or braces belongs to a value."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in OPENING) - (character in CLOSING)
        if character == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts
