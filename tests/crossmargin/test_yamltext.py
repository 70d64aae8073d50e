from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.errors import InputError
from crossmargin.messages import shown
from crossmargin.yamltext import MAX_BYTES, MAX_DEPTH, Document, parse_yaml, read_yaml

FILE = Path("file.yaml")


def parse(text: str) -> Document:
    return parse_yaml(text, FILE)


def failure(text: str) -> InputError:
    with pytest.raises(InputError) as caught:
        parse(text)
    return caught.value


@pytest.mark.parametrize(
    "scalar", ["no", "12:30", "0.10", "1e18", "012", "0x1F", "1_000", "null", "~", "2020-03-12", ".inf", "<<", "="]
)
def test_scalars_keep_their_text(scalar: str) -> None:
    assert parse(f"a: {scalar}\n").plain() == {"a": scalar}
    assert parse(f"a: [{scalar}, '{scalar}', \"{scalar}\"]\n").plain() == {"a": [scalar] * 3}


def test_tree_keeps_order_and_places() -> None:
    document = parse("# comment\nb:\n  - x\n  - {k: v}\na: >-\n  two\n  lines\n")
    assert document.plain() == {"b": ["x", {"k": "v"}], "a": "two lines"}
    assert list(document.plain()) == ["b", "a"]
    places = {
        loc: (place.line, place.column)
        for loc in [(), ("b",), ("b", 1, "k"), ("a",)]
        for place in [document.place(loc)]
    }
    assert places == {(): (2, 1), ("b",): (3, 3), ("b", 1, "k"): (4, 9), ("a",): (5, 4)}
    key = document.place(("b", 1, "k"), key=True)
    assert (key.line, key.column) == (4, 6)


def test_place_of_what_is_absent_is_the_nearest_above() -> None:
    document = parse("a:\n  b: 1\n")
    assert document.place(("a", "missing")) == document.place(("a",))
    assert document.place(("a", "tag", "b")) == document.place(("a", "b"))


def test_byte_order_mark_and_line_ends_do_not_move_places(tmp_path: Path) -> None:
    file = tmp_path / "marked.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\rc: 3\xc2\x85d: 4\n")
    document = read_yaml(file)
    assert [(document.place((key,)).line, document.place((key,)).column) for key in "abcd"] == [
        (n, 4) for n in (1, 2, 3, 4)
    ]


BAD_TEXTS = {
    "alias bomb": ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", 1, 4, "anchors are not read here (`&a`)"),
    "alias": ("a: [*b]\n", 1, 5, "aliases are not read here (`*b`)"),
    "merge key with an alias": ("a: 1\n<<: *x\n", 2, 5, "aliases"),
    "tag": ("a: !!python/object:os.system x\n", 1, 4, "tags are not read here"),
    "tag without a name": ("a: ! x\n", 1, 4, "tags are not read here (`!`)"),
    "tag on a mapping": ("a: !!map {b: c}\n", 1, 4, "tags are not read here"),
    "duplicate key": ("a: 1\nb: 2\n'a': 3\n", 3, 1, "the key `a` stands here a second time"),
    "duplicate key in braces": ("a: {b: 1, b: 1}\n", 1, 11, "the key `b` stands here a second time"),
    "second document": ("a: 1\n---\nb: 1\n", 2, 1, "a second document begins here"),
    "document after its end": ("a: 1\n...\nb: 1\n", 3, 1, "not valid YAML: expected '<document start>'"),
    "list as a key": ("? [a]\n: b\n", 1, 3, "a key must be text"),
    "mapping as a key": ("{{a: b}: c}\n", 1, 2, "a key must be text"),
    "no value": ("a: 1\nbee:\n", 2, 5, "`bee` has no value"),
    "no value in a list": ("a:\n  - \n  - b\n", 2, 4, "nothing stands here"),
    "no key": ("?\n: b\n", 1, 2, "nothing stands here"),
    "tab": ("a:\n\tb: 1\n", 2, 1, "not valid YAML: found character '\\t'"),
    "unclosed brace": ("a: {b: 1\nc: 2\n", 2, 2, "not valid YAML: expected ',' or '}'"),
    "unclosed quote": ('a: "b\n', 2, 1, "not valid YAML: found unexpected end of stream"),
    "colon in a value": ("a: b: c\n", 1, 5, "not valid YAML: mapping values are not allowed here"),
    "percent": ("a: 1\nb: %c\n", 2, 4, "not valid YAML"),
    "deep braces": ("a: " + "[" * 500, 1, MAX_DEPTH + 3, "nested deeper than 20 levels"),
    "deep dashes": ("- " * 50 + "x", 1, 2 * MAX_DEPTH + 1, "nested deeper than 20 levels"),
    "control character": ("a: 1\nb: x\x07y\n", 2, 5, "unreadable character U+0007"),
    "escaped control character": ('a: "\\e[31m"\n', 1, 4, "unreadable character U+001B"),
    "lone surrogate": ('a: "\\ud800"\n', 1, 4, "unreadable character U+D800"),
    "escape beyond Unicode": ('a: "\\U00110000"\n', 1, 7, "a number here is out of range"),
    "version of many digits": ("%YAML 1." + "1" * 5_000 + "\n---\na: 1\n", 1, 9, "a number here is out of range"),
}


@pytest.mark.parametrize(("text", "line", "column", "fragment"), BAD_TEXTS.values(), ids=BAD_TEXTS)
def test_bad_text_is_refused_at_its_place(text: str, line: int, column: int, fragment: str) -> None:
    error = failure(text)
    assert fragment in error.message
    assert (error.line, error.column) == (line, column)


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "\n\n"])
def test_empty_file_is_refused(text: str) -> None:
    assert failure(text).message == "the file is empty"


def test_alias_bomb_costs_nothing() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 40)]
    assert failure("\n".join(lines)).line == 1


def test_message_shows_the_line_with_a_caret() -> None:
    text = str(failure("a: 1\n  b: 2\n"))
    assert text.splitlines()[1:3] == ["    2 |   b: 2", "           ^"]


def test_long_lines_and_control_characters_do_not_reach_the_terminal() -> None:
    far = failure("a: [" + "x, " * 1_000 + "*b]\n")
    assert far.source == ""
    near = failure("a: *b  # " + "x" * 10_000 + "\n")
    assert len(near.source) == 200
    assert failure("a: *b  # \u202e\n").source == "a: *b  # \N{REPLACEMENT CHARACTER}"
    assert shown("9" * 1_000_000) == "`" + "9" * 37 + "...`"


def test_the_largest_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "largest.yaml"
    file.write_bytes(b"a: 1\n#".ljust(MAX_BYTES, b"-"))
    assert read_yaml(file).plain() == {"a": "1"}
    file.write_bytes(b"a: 1\n#".ljust(MAX_BYTES + 1, b"-"))
    with pytest.raises(InputError, match="larger than"):
        read_yaml(file)


@given(st.text(alphabet="ab:-[]{}&*!|>'\"%@`#,? \n\t0\\\u2028é", max_size=60))
def test_any_text_is_a_tree_or_an_input_error(text: str) -> None:
    try:
        parse(text).plain()
    except InputError as error:
        assert error.message
        assert str(error)
