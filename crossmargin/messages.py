"""What messages say of what a person wrote: the text again, safe to print, and what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

SHOWN_TEXT = 40  # characters of a value worth repeating in a message
LISTED_NAMES = 12  # how many names a remedy lists before it gives up
LONGEST_NAME = 60  # longer text is not a misspelt name


def clean(text: str) -> str:
    """The text with a replacement for whatever does not print; tabs become spaces, so that a caret fits below."""
    return "".join(
        character if character.isprintable() else " " if character == "\t" else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )


def shown(text: str) -> str:
    """A value in backquotes, shortened so that a message stays one line."""
    return f"`{clean(text if len(text) <= SHOWN_TEXT else text[: SHOWN_TEXT - 3] + '...')}`"


def near(text: str, names: Iterable[str]) -> str:
    """``, did you mean `x`?`` with the name most like ``text``, or nothing."""
    if len(text) > LONGEST_NAME:
        return ""
    by_folded = {name.casefold(): name for name in names}
    found = difflib.get_close_matches(text.casefold(), by_folded, n=1)
    return f", did you mean `{by_folded[found[0]]}`?" if found else ""


def listed(names: Iterable[str], most: int = LISTED_NAMES) -> str:
    """``there are: a, b`` for a remedy, or nothing if they are more than ``most`` or none."""
    known = list(names)
    return f"there are: {', '.join(known)}" if 0 < len(known) <= most else ""
