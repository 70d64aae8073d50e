from __future__ import annotations

from pathlib import Path

import pytest

from crossmargin.errors import InputError
from crossmargin.textfile import read_text

MOST = 1_000


def refuse(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        read_text(path, MOST)
    return caught.value


@pytest.mark.parametrize("size", [MOST + 1, 50_000_000])
def test_a_large_file_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "large"
    with path.open("wb") as sparse:
        sparse.truncate(size)
    assert "larger than 1000 bytes" in refuse(path).message


def test_the_largest_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "largest"
    path.write_text("a" * MOST)
    assert read_text(path, MOST) == "a" * MOST


def test_a_device_is_read_no_further_than_the_limit() -> None:
    zero = Path("/dev/zero")
    if not zero.exists():
        pytest.skip("this system has no /dev/zero")
    assert "larger than" in refuse(zero).message


def test_what_is_no_readable_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert refuse(tmp_path / "missing").message == "no such file"
    assert "is a folder" in refuse(tmp_path).message
    assert "cannot be read" in refuse(tmp_path / "file" / "below").message
    assert "cannot be read" in refuse(tmp_path / ("x" * 5_000)).message
    assert "cannot be read" in refuse(Path("a\0b")).message


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_text_that_is_not_utf8_is_refused_at_its_place(tmp_path: Path, mark: str, end: str) -> None:
    path = tmp_path / "latin"
    path.write_bytes(f"{mark}a: Größe{end}b: caf".encode() + b"\xe9\n")
    error = refuse(path)
    assert "is not UTF-8 text here" in error.message
    assert (error.line, error.column) == (2, 7)
