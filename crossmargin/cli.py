"""The command line. Each command imports what it needs when it runs, so that help answers at once."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from contracts_py.errors import NodeUnusable
from crossmargin.errors import Exit, InputError, WrongUse
from crossmargin.messages import clean
from crossmargin.output import OutputLost, lose, prepare, say, warn

app = typer.Typer(
    name="crossmargin",
    help="A cross-margin protocol as a reference implementation: model and contracts, equal to the wei.",
    epilog=(
        "Exit codes: 0 ok, 1 a check or an expectation failed, 2 wrong use, 3 an input is invalid or an output cannot "
        "be written, 4 the engine or backend is missing, 5 model and contracts diverged."
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
tape_app = typer.Typer(help="Oracle price tapes.", no_args_is_help=True)
app.add_typer(tape_app, name="tape")

MisusedCommand: type[typer.BadParameter] = typer.BadParameter.__bases__[0]  # typer has no name for it
T = TypeVar("T")
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change a value of the parameter set or the scenario, such as markets.BTC.tiers.1.mm=0.05, "
        "switches.tiers=off or insurance=0. Repeat it for more.",
    ),
]
Params = Annotated[
    str, typer.Option(help="Another parameter set than the scenario's: a file, or a bare name under specs/params.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON only, one object per line.")]


@app.callback(invoke_without_command=True)
def show_version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)] = False,
) -> None:
    """Answer --version."""
    if version:
        from importlib.metadata import version as version_of

        say(version_of("crossmargin"))
        raise typer.Exit


@app.command()
def replay(
    scenarios: Annotated[
        list[str],
        typer.Argument(help="Scenario files, folders, or bare names under specs/scenarios.", metavar="SCENARIO..."),
    ],
    engine: Annotated[
        str, typer.Option(help="model, chain, or lockstep: both, compared after every action.")
    ] = "lockstep",
    backend: Annotated[
        str,
        typer.Option(
            help="eth-tester or pyrevm (both in process; pyrevm is faster and counts no gas), anvil (a fresh one is "
            "started if the program is found), or the JSON-RPC URL of a development chain."
        ),
    ] = "eth-tester",
    out: Annotated[
        Path | None,
        typer.Option(
            help="Run folder, replacing an earlier run; with several scenarios, the folder that holds one each. "
            "By default out/ and the scenario's name, with -changed after it if --set or --params is given."
        ),
    ] = None,
    changed: Settings = None,
    params: Params = "",
    as_json: Json = False,
) -> None:
    """Replay scenarios and keep a run folder with manifest, trace and summary for each."""
    from crossmargin.replay.command import replay_all
    from crossmargin.variants import read_variant

    variant = read_variant(changed or (), params)
    raise typer.Exit(replay_all(scenarios, variant, engine, backend, out, as_json))


@app.command()
def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            help="Run folders, and scenarios with changes: NAME,PATH=VALUE,... The others are held against the first.",
            metavar="RUN...",
        ),
    ],
    changed: Settings = None,
    params: Params = "",
    html: Annotated[Path | None, typer.Option(help="Also write the comparison as a page of HTML.")] = None,
    as_json: Json = False,
) -> None:
    """Show where runs part, what became of each account, and totals; scenarios are replayed on the model.

    With --set or --params, one scenario is compared with itself as they change it.
    """
    from crossmargin.compare.command import compare_all

    raise typer.Exit(compare_all(runs, changed or [], params, html, as_json))


@app.command()
def study(
    text: Annotated[str, typer.Argument(help="A study file, or a bare name under specs/studies.", metavar="STUDY")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for its results, page and pictures; by default out/studies.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Another number of seeds than the study's.", metavar="N")] = None,
    as_json: Json = False,
) -> None:
    """Run scenarios in variants over many seeds on the model, and write what came out, as tables and pictures."""
    from crossmargin.study.command import make_study

    raise typer.Exit(make_study(text, out, seeds, as_json))


@app.command()
def check(
    files: Annotated[
        list[str],
        typer.Argument(
            help="Scenarios, parameter sets, portfolios, profiles, studies or tapes, or folders of them.",
            metavar="FILE...",
        ),
    ],
    as_json: Json = False,
) -> None:
    """Read input files and report what is wrong with them, without running anything."""
    from crossmargin.checking import check_files

    raise typer.Exit(check_files(files, as_json))


@app.command()
def margin(
    portfolio: Annotated[
        str, typer.Argument(help="A portfolio file, or a bare name under specs/portfolios.", metavar="PORTFOLIO")
    ],
    at: Annotated[
        list[str] | None,
        typer.Option(help="Prices that might be, such as BTC=7500 or BTC=7500,ETH=180; a row for each."),
    ] = None,
    shock: Annotated[
        list[str] | None, typer.Option(help="Changes of prices, such as BTC=-20% or all=-20%; a row for each.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure an account's book: margins, liquidation prices, largest orders, capital cross and isolated."""
    from crossmargin.portfolio.command import show_margin

    raise typer.Exit(show_margin(portfolio, at or [], shock or [], as_json))


@app.command("eval")
def evaluate(
    rule: Annotated[
        str | None, typer.Argument(help="A rule's id, such as MRG-3, or a function's name.", metavar="RULE")
    ] = None,
    values: Annotated[
        str | None,
        typer.Argument(
            help="The arguments as JSON: a file, - for standard input, or the object itself.", metavar="INPUT"
        ),
    ] = None,
    list_all: Annotated[bool, typer.Option("--list", help="List the formulas.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schemas of input and answer.")] = False,
    as_json: Json = False,
) -> None:
    """Answer a numbered formula on JSON input: integers at their scale, or decimals in quotes."""
    from crossmargin.rules.evaluate import evaluate as answer
    from crossmargin.rules.evaluate import list_formulas, show_schema

    if list_all:
        raise typer.Exit(list_formulas(as_json))
    if rule is None:
        raise WrongUse("name a rule, such as MRG-3", "crossmargin eval --list shows those with a formula")
    raise typer.Exit(show_schema(rule) if schema else answer(rule, values, as_json))


@app.command()
def explain(
    rule: Annotated[
        str | None,
        typer.Argument(
            help="A rule's id, such as MRG-3, a function's name, the letters of a family, such as MRG, or a refusal's "
            "code.",
            metavar="RULE",
        ),
    ] = None,
    list_all: Annotated[bool, typer.Option("--list", help="List the rules.")] = False,
    as_json: Json = False,
) -> None:
    """Tell what a numbered rule says: text, formula, rounding, worked example, and where the code is."""
    from crossmargin.rules.explain import explain as tell
    from crossmargin.rules.explain import list_rules

    if list_all:
        raise typer.Exit(list_rules(as_json))
    if rule is None:
        raise WrongUse("name a rule, such as MRG-3", "crossmargin explain --list shows all of them")
    raise typer.Exit(tell(rule, as_json))


@app.command()
def schema(kind: Annotated[str, typer.Argument(help="scenario, parameters, portfolio, profile or study.")]) -> None:
    """Print the JSON Schema of a kind of input file."""
    from crossmargin.schema import KINDS, schema_text

    if kind not in KINDS:
        raise typer.BadParameter(f"there is no schema of {kind!r}; choose from {', '.join(KINDS)}")
    say(schema_text(kind), end="")


@tape_app.command("record")
def tape_record(
    out: Annotated[Path, typer.Option(help="The tape file to write.")],
    title: Annotated[str, typer.Option(help="What the tape shows.")],
    start: Annotated[str, typer.Option(help="Begin of the window, such as 2020-03-12T00:00:00Z.")],
    end: Annotated[str, typer.Option(help="End of the window, excluded.")],
    feed: Annotated[
        list[str], typer.Option(help="NAME=FILE[,FILE\\[@TIME]...]: bars of a feed; a later file takes over at TIME.")
    ],
    venue: Annotated[str, typer.Option(help="Where the bars were traded.")],
    instruments: Annotated[str, typer.Option(help="The venue's names of what was traded.")] = "",
    decimals: Annotated[int, typer.Option(help="Decimals of the prices written.")] = 8,
    deviation: Annotated[str, typer.Option(help="A move from the last round that makes a new one.")] = "1%",
    heartbeat: Annotated[str, typer.Option(help="Time after which a round comes without a move.")] = "1h",
    max_step: Annotated[str, typer.Option(help="The largest step between two rounds; larger moves are walked.")] = "3%",
    as_json: Json = False,
) -> None:
    """Make an oracle tape from market bars."""
    from crossmargin.bars import read_feed_source
    from crossmargin.quantities import read_duration, read_percent, read_time
    from crossmargin.recorder import RecordRequest, Rule, record_to_file

    request = RecordRequest(
        title=title,
        venue=venue,
        start=_read("--start", read_time, start),
        end=_read("--end", read_time, end),
        feeds=tuple(_read("--feed", read_feed_source, text) for text in feed),
        instruments=instruments,
        rule=Rule(
            deviation=_read("--deviation", read_percent, deviation),
            heartbeat=_read("--heartbeat", read_duration, heartbeat),
            max_step=_read("--max-step", read_percent, max_step),
            decimals=decimals,
        ),
    )
    rounds = record_to_file(request, out)
    if as_json:
        say(json.dumps({"tape": str(out), "rounds": rounds}))
    else:
        counted = ", ".join(f"{count} of {name}" for name, count in rounds.items())
        say(f"{clean(str(out))}: {sum(rounds.values())} rounds ({counted})")


def _read(option: str, reader: Callable[[str], T], text: str) -> T:
    """The value of an option; text that has none is an error of that option."""
    from crossmargin.quantities import BadText

    try:
        return reader(text)
    except BadText as problem:
        raise InputError(option, problem.message, remedy=problem.remedy) from None


def main() -> None:
    """Run the command line and end with its code."""
    prepare()
    try:
        code = run()
    except OutputLost as lost:
        code = Exit.INPUT_INVALID if lost.reason else Exit.READER_GONE
        if lost.reason:
            warn(f"standard output: cannot be written: {lost.reason}")
    sys.exit(code)


def run() -> int:
    """The code of a command; whatever is wrong is one message, with ``--json`` one object."""
    try:
        code: int = app(standalone_mode=False) or Exit.OK
    except InputError as error:
        more = f"\nand {len(error.others)} more: `crossmargin check` shows them all" if error.others else ""
        return fail(Exit.INPUT_INVALID, f"{error}{more}", error.to_json())
    except MisusedCommand as error:
        text = StringIO()
        error.show(text)
        return fail(Exit.USAGE, text.getvalue().rstrip(), {"message": error.format_message()})
    except WrongUse as error:
        return fail(Exit.USAGE, str(error), error.to_json())
    except NodeUnusable as error:
        return fail(Exit.ENGINE_MISSING, str(error), {"message": str(error)})
    except OSError as problem:  # of help, which typer prints
        raise lose(problem) from None
    return code


def fail(code: Exit, text: str, facts: dict[str, str | int]) -> Exit:
    """Tell people what is wrong, and with ``--json`` programs too."""
    if text:  # without a command, help was printed
        warn(text)
    if "--json" in sys.argv:
        say(json.dumps({"ok": False, "error": facts}))
    return code


if __name__ == "__main__":
    main()
