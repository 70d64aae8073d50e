"""Records that never change, and the persistent table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.records import Table, record
from protocol.state import Market, Position


@record
class Sample:
    left: int
    right: int


@record
class Lookalike:
    left: int
    right: int


def test_a_record_has_its_fields_and_no_others() -> None:
    """Slots: a misspelt field is an error of the program, not a new attribute."""
    sample = Sample(1, 2)
    with pytest.raises(AttributeError):
        sample.other = 3  # type: ignore[attr-defined]
    assert not hasattr(sample, "__dict__")
    assert sample == Sample(1, 2)


def test_a_record_is_held_frozen_by_the_type_checker() -> None:
    """Assigning to a field is an error of the type checker: without it the ignore in the next line would be unused."""
    Sample(1, 2).left = 3  # type: ignore[misc]
    assert record.__dataclass_transform__["kwargs"] == {"frozen_default": True}  # type: ignore[attr-defined]


def test_a_record_has_no_hash() -> None:
    """What could be changed is no key; states are compared by value or by digest."""
    with pytest.raises(TypeError, match="unhashable"):
        hash(Sample(1, 2))


def test_records_compare_by_value_and_by_class() -> None:
    assert Sample(1, 2) == Sample(1, 2)
    assert Sample(1, 2) != Sample(2, 1)
    assert Sample(1, 2) != Lookalike(1, 2)  # type: ignore[comparison-overlap]
    assert Position(0, 0, 0) == Position(0, 0, 0)
    assert Market(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11) != Market(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12)


def test_put_returns_a_new_table_and_the_old_one_stays() -> None:
    old = Table({"a": 1})
    new = old.put("b", 2)
    changed = new.put("a", 9)
    assert dict(old) == {"a": 1}
    assert dict(new) == {"a": 1, "b": 2}
    assert dict(changed) == {"a": 9, "b": 2}
    assert (len(old), len(new), len(changed)) == (1, 2, 2)


def test_a_table_copies_the_mapping_it_is_made_of() -> None:
    source = {"a": 1}
    table = Table(source)
    source["a"] = 2
    source["b"] = 3
    assert dict(table) == {"a": 1}


def test_lookups_answer_for_their_own_version() -> None:
    old: Table[str, int] = Table({"a": 1})
    new = old.put("b", 2)
    assert "b" not in old
    assert "b" in new
    assert old.get("b") is None
    assert old.get("b", 7) == 7
    assert new.get("b", 7) == 2
    with pytest.raises(KeyError):
        old["b"]
    assert new["b"] == 2


def test_iteration_is_in_the_order_of_first_insertion() -> None:
    table = Table({"b": 1, "a": 2}).put("c", 3).put("a", 9)
    assert list(table.items()) == [("b", 1), ("a", 9), ("c", 3)]
    assert list(table.values()) == [1, 9, 3]


def test_order_survives_reading_older_versions_and_branching() -> None:
    root: Table[str, int] = Table({"x": 0})
    left = root.put("a", 1).put("b", 2)
    right = root.put("b", 3).put("a", 4)
    for _ in range(3):
        assert list(left) == ["x", "a", "b"]
        assert list(root) == ["x"]
        assert list(right) == ["x", "b", "a"]


def test_iterating_may_read_other_versions() -> None:
    old: Table[int, int] = Table({1: 1, 2: 2, 3: 3})
    new = old.put(4, 4).put(1, 0)
    assert [(key, len(new), old[key]) for key in old] == [(1, 4, 1), (2, 4, 2), (3, 4, 3)]
    assert [(key, len(old)) for key in new] == [(1, 3), (2, 3), (3, 3), (4, 3)]


def test_tables_are_equal_when_their_entries_are_in_any_order() -> None:
    forward, backward = Table({"a": 1, "b": 2}), Table({"b": 2, "a": 1})
    assert forward == backward
    assert forward != forward.put("a", 2)
    assert forward == forward.put("a", 2).put("a", 1)
    assert forward.put("c", 3) != forward
    assert Table({}) == Table()


def test_a_table_equals_only_tables() -> None:
    assert Table({"a": 1}) != {"a": 1}
    assert Table({"a": 1}) != {"a": 1}


def test_a_table_has_no_hash() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(Table({"a": 1}))


def test_a_table_shows_its_entries() -> None:
    old = Table({"a": 1})
    old.put("a", 2)
    assert repr(old) == "Table({'a': 1})"


STEPS = st.lists(
    st.tuples(st.sampled_from(("put", "read", "list")), st.integers(0, 10**6), st.integers(0, 7), st.integers(0, 3)),
    max_size=60,
)


@given(STEPS, st.dictionaries(st.integers(0, 7), st.integers(0, 3), max_size=4))
def test_every_version_of_a_branching_history_keeps_its_contents_and_order(
    steps: list[tuple[str, int, int, int]], start: dict[int, int]
) -> None:
    """S1: whatever is derived from a table and read in between, each version equals a plain copy made at the time."""
    versions: list[tuple[Table[int, int], dict[int, int]]] = [(Table(start), dict(start))]
    for kind, which, key, value in steps:
        table, copy = versions[which % len(versions)]
        if kind == "put":
            versions.append((table.put(key, value), {**copy, key: value}))
        elif kind == "read":
            assert table.get(key, -1) == copy.get(key, -1)
            assert (key in table) == (key in copy)
        else:
            assert list(table.items()) == list(copy.items())
    for table, copy in versions:
        assert list(table.items()) == list(copy.items())
        assert len(table) == len(copy)
    for table, copy in reversed(versions):
        assert table == Table(copy)
