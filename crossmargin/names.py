"""Finding what a name in a file stands for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from crossmargin.faults import Fault
from crossmargin.messages import listed, near, shown
from crossmargin.yamltext import Loc


def resolve(text: str, names: Sequence[str], loc: Loc, what: str, *, key: bool = False) -> int:
    """The id that a name has, by position. Refuses an unknown name, with near ones."""
    if text in names:
        return names.index(text)
    raise unknown(text, names, loc, what, key=key)


def unknown(text: str, names: Iterable[str], loc: Loc, what: str, *, key: bool = False) -> Fault:
    """The fault of a name that nothing has."""
    known = list(names)
    return Fault(loc, f"unknown {what} {shown(text)}" + near(text, known), listed(known), key=key)
