"""Every worked example of the specs runs as it is printed."""

from __future__ import annotations

import re

import pytest

from tests.specs.pages import Block, Page, spec_pages
from tests.specs.rules import defined_rules

PREFIX = "# example: "


def find_examples() -> list[tuple[Page, Block]]:
    """Every Python block that is an example."""
    return [
        (page, block)
        for page in spec_pages()
        for block in page.blocks()
        if block.info == "python" and block.text.startswith(PREFIX)
    ]


def words_of(block: Block) -> list[str]:
    """What an example says it shows: rules, or on a page that defines none its topic."""
    return block.text.splitlines()[0].removeprefix(PREFIX).split()


EXAMPLES = find_examples()


@pytest.mark.parametrize(
    ("page", "block"), EXAMPLES, ids=[f"{page.path.stem}-{'-'.join(words_of(block))}" for page, block in EXAMPLES]
)
def test_the_example_holds(page: Page, block: Block) -> None:
    # Padded, so that a traceback names the line of the page.
    source = "\n" * block.line + block.text
    exec(compile(source, page.name, "exec"), {"__name__": "example"})


def test_every_python_block_is_an_example() -> None:
    bad = [
        f"{page.name}:{block.line}"
        for page in spec_pages()
        for block in page.blocks()
        if block.info.startswith("python") and not block.text.startswith(PREFIX)
    ]
    assert bad == []


def test_examples_name_rules_that_exist() -> None:
    known, with_rules = set(defined_rules()), {found.page for found in defined_rules().values()}
    bad = [
        f"{page.name}:{block.line}: {word}"
        for page, block in EXAMPLES
        for word in words_of(block)
        if word not in known and (page.name in with_rules or re.search(r"-\d", word))
    ]
    assert bad == []


def test_every_rule_has_an_example() -> None:
    shown = {rule for _, block in EXAMPLES for rule in words_of(block)}
    pages_with_examples = {page.name for page, _ in EXAMPLES}
    missing = [
        rule
        for rule, found in defined_rules().items()
        if rule not in shown and not (found.page.startswith("specs/actions/") and found.page in pages_with_examples)
    ]
    assert missing == []


def test_every_action_page_has_an_example() -> None:
    pages_with_examples = {page.name for page, _ in EXAMPLES}
    actions = [page.name for page in spec_pages() if page.path.parent.name == "actions"]
    assert actions
    assert set(actions) <= pages_with_examples


def test_amounts_in_examples_are_integers() -> None:
    # A fraction would be a rounding that no page declares.
    bad = [f"{page.name}:{block.line}" for page, block in EXAMPLES if re.search(r"\d\.\d", strip_comments(block.text))]
    assert bad == []


def strip_comments(text: str) -> str:
    """Code without its comments."""
    return "\n".join(line.split("#")[0] for line in text.splitlines())
