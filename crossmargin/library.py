"""Files of the repository by name, in ``specs/`` by the package: parameter sets, tapes, scenarios and the like."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from crossmargin.messages import clean, listed, near, shown
from crossmargin.quantities import BadText

SPECS = Path(__file__).resolve().parent.parent / "specs"
SHOWN_PATH = 200  # characters of a path worth repeating in a message


@dataclass(frozen=True, slots=True)
class Shelf:
    """One kind of file: what it is called, its folder under ``specs`` and its suffix."""

    what: str
    folder: str
    suffix: str

    @property
    def path(self) -> Path:
        """The folder."""
        return SPECS / self.folder

    def names(self) -> list[str]:
        """Every name on the shelf, sorted."""
        return names_in(self.path, self.suffix)

    def find(self, text: str, base: Path = Path()) -> Path:
        """The file that ``text`` means: a bare name stands for one on the shelf, anything else is a path from ``base``.

        Refuses a file that does not exist or cannot be looked at, with near names.
        """
        if not text:
            raise BadText(f"the name of a {self.what} is needed here, not an empty text")
        if self.is_name(text):
            return self._find_name(text, base)
        path = base / text
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError, ValueError):
            others = names_in(path.parent, path.suffix or self.suffix)
            here = base == Path()
            from_where = f"a path is taken from {clean(str(base))}"
            remedy = "check the path and the spelling" if here or path.is_absolute() else from_where
            which = "" if here else f": {clean(str(path))[:SHOWN_PATH]}"
            raise BadText(f"no such file{which}" + near(path.stem, others), remedy) from None
        except OSError as problem:
            raise BadText(f"cannot be read: {problem.strerror}", "check the path and its permissions") from None
        return path

    def _find_name(self, text: str, base: Path) -> Path:
        names, file = self.names(), text + self.suffix
        if text in names:
            return self.path / file
        remedy = (
            f"for the file of that name write {file}"
            if exists(base / file)
            else listed(names) or f"specs/{self.folder} has them"
        )
        raise BadText(f"no {self.what} is called {shown(text)}" + near(text, names), remedy)

    def is_name(self, text: str) -> bool:
        """Whether text is a bare name, not a path."""
        return "/" not in text and "\\" not in text and not text.endswith(self.suffix) and text not in {".", ".."}


PROFILES = Shelf("profile", "populations", ".yaml")
PARAMETERS = Shelf("parameter set", "params", ".yaml")
TAPES = Shelf("tape", "tapes", ".csv")
SCENARIOS = Shelf("scenario", "scenarios", ".yaml")
STUDIES = Shelf("study", "studies", ".yaml")
PORTFOLIOS = Shelf("portfolio", "portfolios", ".yaml")


def names_in(folder: Path, suffix: str) -> list[str]:
    """Names of a folder's files with a suffix, without it, sorted; none if it cannot be read."""
    try:
        return sorted(path.stem for path in folder.iterdir() if path.suffix == suffix)
    except (OSError, ValueError):
        return []


def exists(path: Path) -> bool:
    """Whether there is something at a path; not for one that no file could have."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
