"""What is wrong with the values of a document, found after its text was read, and collected so that all is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from crossmargin.errors import InputError, raise_first
from crossmargin.quantities import BadText
from crossmargin.yamltext import Document, Loc


class Fault(Exception):
    """Something wrong with the value at ``loc`` (or its key)."""

    def __init__(self, loc: Loc, message: str, remedy: str = "", *, key: bool = False) -> None:
        super().__init__(message)
        self.loc = loc
        self.message = message
        self.remedy = remedy
        self.key = key


class Faults:
    """Everything wrong with one document so far."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._found: list[InputError] = []

    def __len__(self) -> int:
        return len(self._found)

    def note(self, fault: Fault | InputError) -> None:
        """Add a fault, or the mistakes of another file that this one names."""
        if isinstance(fault, Fault):
            fault = self._document.error(fault.loc, fault.message, fault.remedy, key=fault.key)
        self._found.append(fault)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Add what the block raises."""
        try:
            yield
        except (Fault, InputError) as fault:
            self.note(fault)

    def stop(self) -> None:
        """Raise the first in order of lines, with the others, if there is one."""
        raise_first(self._found)


@contextmanager
def texts_at(loc: Loc, *, key: bool = False) -> Iterator[None]:
    """Turn a ``BadText`` into the fault at ``loc``."""
    try:
        yield
    except BadText as problem:
        raise Fault(loc, problem.message, problem.remedy, key=key) from None
