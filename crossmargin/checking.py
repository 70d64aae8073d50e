"""``crossmargin check``: reading input files without running anything."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from contracts_py.keys import address_of
from crossmargin.errors import Exit, InputError
from crossmargin.parameters import parse_parameters
from crossmargin.scenario import load_scenario
from crossmargin.tape import load_tape
from crossmargin.yamltext import read_yaml

SUFFIXES = (".yaml", ".csv")


def check_files(texts: list[str], as_json: bool) -> Exit:
    """The command: every file that ``texts`` mean is read; all of their first mistakes are reported."""
    code = Exit.OK
    for text in texts:
        for path in expand(Path(text)):
            kind, error = check_file(path)
            if as_json:
                print(json.dumps({"file": str(path), "kind": kind, "error": describe(error)}))
            elif error is None:
                print(f"{path}: a valid {kind}")
            else:
                print(error, file=sys.stderr)
            if error:
                code = Exit.INPUT_INVALID
    return code


def expand(path: Path) -> list[Path]:
    """A file, or the scenarios, parameter sets and tapes of a folder in order of name."""
    if not path.is_dir():
        return [path]
    return sorted(found for found in path.iterdir() if found.suffix in SUFFIXES)


def check_file(path: Path) -> tuple[str, InputError | None]:
    """What kind of file this is, and the first thing wrong with it."""
    kind = "tape" if path.suffix == ".csv" else "scenario"
    try:
        if kind == "tape":
            load_tape(path)
        else:
            document = read_yaml(path)
            plain = document.plain()
            # A parameter set has risk parameters at its top; a scenario names a set.
            if isinstance(plain, dict) and "risk" in plain and "params" not in plain:
                kind = "parameter set"
                parse_parameters(document)
            else:
                load_scenario(path, address_of)
    except InputError as error:
        return kind, error
    return kind, None


def describe(error: InputError | None) -> dict[str, str | int] | None:
    """An error as JSON values."""
    if error is None:
        return None
    return {
        "file": error.file,
        "line": error.line,
        "column": error.column,
        "message": error.message,
        "remedy": error.remedy,
    }
