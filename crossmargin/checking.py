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
    """The command: every file that ``texts`` mean is read, and every mistake found is reported."""
    code = Exit.OK
    for path in [path for text in texts for path in expand(Path(text))]:
        kind, errors = check_file(path)
        if as_json:
            print(json.dumps({"file": str(path), "kind": kind, "errors": [error.to_json() for error in errors]}))
        elif not errors:
            print(f"{path}: a valid {kind}")
        for error in () if as_json else errors:
            print(error, file=sys.stderr)
        if errors:
            code = Exit.INPUT_INVALID
    return code


def expand(path: Path) -> list[Path]:
    """A file, or the scenarios, parameter sets and tapes of a folder in order of name. Refuses a folder without any."""
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
    if not found:
        raise InputError(path, "nothing to check is in this folder", remedy=f"files end in {' or '.join(SUFFIXES)}")
    return found


def check_file(path: Path) -> tuple[str, list[InputError]]:
    """What kind of file this is, and what is wrong with it.

    All mistakes of form are found at once; those of meaning, such as an unknown name, one at a time after them.
    """
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
        return kind, [error, *error.others]
    return kind, []
