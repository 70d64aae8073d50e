"""``crossmargin check``: reading input files without running anything."""

from __future__ import annotations

import json
from pathlib import Path

from contracts_py.keys import address_of
from crossmargin.errors import Exit, InputError
from crossmargin.messages import clean
from crossmargin.output import say, warn
from crossmargin.parameters import parse_parameters
from crossmargin.population.profile import TABLES, parse_profile
from crossmargin.portfolio.book import parse_book
from crossmargin.scenario import parse_scenario
from crossmargin.study.plan import check_variants, parse_study, prepare
from crossmargin.tape import load_tape
from crossmargin.textfile import list_folder
from crossmargin.yamltext import read_yaml

SUFFIXES = (".yaml", ".csv")
SHOWN_MISTAKES = 20  # of one file; more are mostly one mistake again and again


def check_files(texts: list[str], as_json: bool) -> Exit:
    """The command: every file that ``texts`` mean is read, and every mistake found is reported."""
    code = Exit.OK
    for path in [path for text in texts for path in expand(Path(text))]:
        kind, errors = check_file(path)
        if as_json:
            say(json.dumps({"file": str(path), "kind": kind, "errors": [error.to_json() for error in errors]}))
        elif not errors:
            say(f"{clean(str(path))}: a valid {kind}")
        else:
            warn("\n".join(map(str, errors[:SHOWN_MISTAKES])))
            if len(errors) > SHOWN_MISTAKES:
                warn(f"{clean(str(path))}: and {len(errors) - SHOWN_MISTAKES} more; --json has them all")
        if errors:
            code = Exit.INPUT_INVALID
    return code


def expand(path: Path) -> list[Path]:
    """A file, or the files of a folder that can be checked, in order of name. Refuses a folder without any."""
    try:
        is_folder = path.is_dir()
    except OSError:
        is_folder = False  # reading it says what is wrong
    return list_folder(path, SUFFIXES, "nothing to check") if is_folder else [path]


def check_file(path: Path) -> tuple[str, list[InputError]]:
    """What kind of file this is, and what is wrong with it. A pipe can be read only once, and is."""
    kind = "tape" if path.suffix == ".csv" else "scenario"
    try:
        if kind == "tape":
            load_tape(path)
        else:
            document = read_yaml(path)
            plain = document.plain()
            # A parameter set has risk parameters at its top, a profile its tables, a study its question; a scenario and
            # a portfolio name a set, one of them with prices.
            keys = set(plain) if isinstance(plain, dict) else set()
            if "risk" in keys and "params" not in keys:
                kind = "parameter set"
                parse_parameters(document)
            elif keys & set(TABLES) and "params" not in keys:
                kind = "profile"
                parse_profile(document)
            elif "question" in keys:
                kind = "study"
                study = parse_study(document)
                prepare(study)
                check_variants(study)
            elif "prices" in keys:
                kind = "portfolio"
                parse_book(document)
            else:
                parse_scenario(document, address_of)
    except InputError as error:
        return kind, [error, *error.others]
    return kind, []
