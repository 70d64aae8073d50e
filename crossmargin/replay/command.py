"""``crossmargin replay``: scenarios in, run folders and results out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from contracts_py.errors import NodeUnusable
from crossmargin.errors import Exit, WrongUse
from crossmargin.messages import clean
from crossmargin.output import say, warn
from crossmargin.parameters import ParameterSet
from crossmargin.progress import Progress
from crossmargin.replay.expectations import Missed, check_end, check_step
from crossmargin.replay.fates import describe_fates
from crossmargin.replay.folder import RunFolder
from crossmargin.replay.lockstep import Divergence
from crossmargin.replay.result import build_result
from crossmargin.replay.run import CONFIGURE_TIME, ENGINES, Chain, Replay, count_planned
from crossmargin.replay.story import Story
from crossmargin.replay.summary import Summary
from crossmargin.replay.trace import Trace
from crossmargin.scenario import actors, find_scenarios
from crossmargin.scenario_records import Scenario
from crossmargin.variants import Variant, load_variant
from oracle.sources import Source
from protocol.codec import digest
from protocol.errors import InvariantBroken

Report = Callable[[str, int], None]  # what is being done, and how many actions are done
OUT = Path("out")
CHANGED = "-changed"  # after the name of a changed run, so that it does not replace the run it is compared with
BACKENDS = ("eth-tester", "pyrevm", "anvil")  # a node's URL is one too


@dataclass(frozen=True)
class Run:
    """A finished run: its result, its page, what was wrong, and where it is."""

    result: dict[str, Any]
    summary: str
    missed: tuple[Missed, ...]
    failure: str
    folder: Path

    def to_json(self) -> dict[str, Any]:
        """The run as ``--json`` prints it."""
        return {
            **self.result,
            "ok": self.exit_code == Exit.OK,
            "missed": [str(miss) for miss in self.missed],
            "failure": self.failure,
            "run_folder": str(self.folder),
        }

    @property
    def exit_code(self) -> Exit:
        """What the run says about the scenario and the twins."""
        if self.failure:
            return Exit.DIVERGENCE
        return Exit.CHECK_FAILED if self.missed else Exit.OK


def replay(scenario: Scenario, engine: str, backend: str, out: Path, report: Report) -> Run:
    """Replay a scenario and keep its run folder at ``out``.

    A divergence or a broken invariant ends the run; its folder is kept as well, up to the action that showed it.
    Raises ``InputError`` if the folder cannot be written and ``NodeUnusable`` if the backend cannot be used.
    """
    with RunFolder(out) as folder, ExitStack() as stack:
        report("preparing the chain (the first time it compiles)" if engine != "model" else "starting", 0)
        chain = stack.enter_context(open_chain(scenario, backend)) if engine != "model" else None
        run = Replay(scenario, engine, chain)
        shown_backend = backend if chain else "none"
        story = Story()
        facts = describe_inputs(scenario, engine, shown_backend)
        with folder.writing():
            trace = Trace(folder.file("trace.sqlite"), [feed.name for feed in scenario.params.feeds])
            trace.put_run((key, json.dumps(value, sort_keys=True)) for key, value in facts.items())
            for spec in scenario.accounts.values():
                trace.put_account(spec)
        missed: list[Missed] = []
        failure, divergences, last, planned = "", 0, None, 0
        try:
            for done in run.play():
                last = done
                with folder.writing():
                    trace.put_action(done)
                story.take(done)
                if not scenario.changes:
                    missed.extend(check_step(done))
                planned += done.planned.kind != "keeper"
                report("replaying", planned)
        except Divergence as found:
            failure, divergences = str(found), 1
        except InvariantBroken as broken:
            failure = f"an invariant does not hold after {last.number if last else 0} actions: {broken}"
        result = build_result(run, shown_backend, divergences)
        if last and not failure and not scenario.changes:
            missed.extend(check_end(scenario, last, result, story.liquidated))
        page = Summary(scenario, story, run.totals.cascade).render(last, result, missed) if last else ""
        with folder.writing():
            trace.close()
            folder.file("summary.txt").write_text(page + (f"\n{failure}\n" if failure else ""), "utf-8")
            folder.file("timings.json").write_text(json.dumps(result["seconds"]) + "\n", "utf-8")
        fates = describe_fates(scenario, story, last) if last else {}
        folder.keep(
            {
                **facts,
                "accounts": fates,
                "result": _timeless(result),
                "missed": [str(m) for m in missed],
                "failure": failure,
            }
        )
    return Run(result, page, tuple(missed), failure, out)


@contextmanager
def open_chain(scenario: Scenario, backend: str) -> Iterator[Chain]:
    """The contracts on a chain, ready for the scenario's first action; an anvil of our own ends with the block.

    Whatever the node or the machine fails at in the block is a ``NodeUnusable``.
    """
    # Imported here: web3 takes seconds to load, and the model alone never needs it.
    from web3.exceptions import BadResponseFormat, TimeExhausted

    from contracts_py.anvil import run_anvil
    from contracts_py.deploy import TokenPlan
    from crossmargin.replay.chain import SETUP_TIME, ChainEngine

    begin = scenario.start - CONFIGURE_TIME
    try:
        with run_anvil(begin - SETUP_TIME) if backend == "anvil" else nullcontext(backend) as node:
            yield ChainEngine(
                node,
                begin,
                [TokenPlan(token.name, token.decimals) for token in scenario.params.tokens],
                [feed.description for feed in scenario.params.feeds],
                actors(scenario),
                with_graph=scenario.params.has_graph,
                sources={
                    spec.name: scenario.params.genesis_sources().get(spec.name) for spec in scenario.params.sources
                },
            )
    except (OSError, BadResponseFormat, TimeExhausted) as problem:
        raise NodeUnusable(f"the backend failed: {problem}") from None


def planned_sources(params: ParameterSet) -> dict[str, Source | None]:
    """All sources by name; None for one that a step creates."""
    present = params.genesis_sources()
    return {spec.name: present.get(spec.name) for spec in params.sources}


def describe_inputs(scenario: Scenario, engine: str, backend: str) -> dict[str, Any]:
    """What a run was made from: inputs by digest of what they say, so that a manifest names no machine."""
    inputs = {
        "scenario": "sha256:" + scenario.digest,
        "params": digest(scenario.params),
    }
    if scenario.tape:
        inputs["tape"] = digest(scenario.tape.rounds)
    if scenario.population:
        inputs["profile"] = digest(scenario.population.profile)
    return {
        "scenario": scenario.name,
        "title": scenario.title,
        "engine": engine,
        "backend": backend,
        "changes": list(scenario.changes),
        "version": version("crossmargin"),
        "inputs": inputs,
    }


def replay_all(texts: list[str], variant: Variant, engine: str, backend: str, out: Path | None, as_json: bool) -> Exit:
    """The command: every scenario that ``texts`` mean, as the variant changes it; the worst exit code of them.

    All scenarios are read before the first is run, so a mistake in the last one costs no waiting. Raises ``WrongUse``,
    ``InputError`` and ``NodeUnusable``.
    """
    check_options(engine, backend)
    scenarios = [load_variant(path, variant) for text in texts for path in find_scenarios(text)]
    check_names(scenarios)
    worst = Exit.OK
    for scenario in scenarios:
        folder = scenario.name + (CHANGED if variant.texts and out is None else "")
        target = (out or OUT) / folder if out is None or len(scenarios) > 1 else out
        with Progress(scenario.name, count_planned(scenario)) as report:
            run = replay(scenario, engine, backend, target, report)
        show(run, scenario.path, as_json)
        worst = max(worst, run.exit_code)
    return worst


def check_options(engine: str, backend: str) -> None:
    """Raise ``WrongUse`` for options that name nothing or do not go together."""
    if engine not in ENGINES:
        raise WrongUse(f"there is no engine {engine!r}; choose from {', '.join(ENGINES)}")
    if backend not in BACKENDS and "://" not in backend:
        raise WrongUse(f"there is no backend {backend!r}; use {', '.join(BACKENDS)}, or a URL")
    if backend != "eth-tester" and engine == "model":
        raise WrongUse("the model runs on no backend; choose --engine chain or lockstep")


def check_names(scenarios: list[Scenario]) -> None:
    """Raise ``WrongUse`` for scenarios that would have the same run folder."""
    paths: dict[str, Path] = {}
    for scenario in scenarios:
        other = paths.setdefault(scenario.name, scenario.path)
        if other is not scenario.path:
            raise WrongUse(f"{other} and {scenario.path} would have the same run folder; replay them apart")


def show(run: Run, path: Path, as_json: bool) -> None:
    """Print a finished run, and on standard error what was wrong with it."""
    if as_json:
        say(json.dumps(run.to_json()))
    else:
        say(run.summary)
        say(f"run folder: {clean(str(run.folder))}")
    name = clean(str(path))
    if run.failure:
        warn(f"{name}: {run.failure}")
    for miss in run.missed:
        warn(f"{name}:{miss.place.line}:{miss.place.column}: {miss.what}")


def _timeless(result: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in result.items() if key != "seconds"}
