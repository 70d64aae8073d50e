"""The lockstep can fail: one flipped detail in a twin ends the run with code 5, naming where and both values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from contracts_py.compile import Artifact, compile_all, read_sources
from tests.crossmargin.commands import Answer, run

DATA = Path(__file__).parent / "data"
SCENARIO = DATA / "twins.yaml"
ON_PYREVM = ("--backend", "pyrevm")
IMPACT, RECORDS, CHECKS, SIZING = (f"modules/{name}.vy" for name in ("impact", "records", "checks", "sizing"))


pytestmark = pytest.mark.skipif(find_spec("pyrevm") is None, reason="pyrevm is not installed")


@pytest.fixture
def replay_with(
    artifacts: dict[str, Artifact],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Answer]:
    """Replay a scenario in lockstep with one text of a Vyper source replaced in some engines."""

    def replay(engines: tuple[str, ...], path: str, old: str, new: str, scenario: Path) -> Answer:
        source = read_sources()[path]
        assert source.count(old) == 1, f"{path} has the text {source.count(old)} times"
        flipped = {**artifacts, **compile_all({path: source.replace(old, new)}, engines)}
        monkeypatch.setattr("crossmargin.replay.chain.compile_all", lambda: flipped)
        return run(capsys, monkeypatch, "replay", scenario, *ON_PYREVM, "--out", tmp_path / "run", "--json")

    return replay


def test_without_a_flip_the_run_agrees(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = run(capsys, monkeypatch, "replay", SCENARIO, *ON_PYREVM, "--out", tmp_path / "run", "--json")
    assert answer.code == 0
    assert json.loads(answer.out)["divergences"] == 0


@pytest.mark.parametrize(
    ("engines", "path", "old", "new", "told"),
    [
        pytest.param(
            ("Fills",),
            IMPACT,
            "calc.ucdiv(size * price * rate, calc.W * calc.W)",
            "(size * price * rate - min(size, 1)) // (calc.W * calc.W)",
            "Trade at 1583971203: event 0 PositionUpdated, field fee: "
            "model 3893173050000000000, chain 3893173049999999999",
            id="a rounding",
        ),
        pytest.param(
            ("Vault",),
            RECORDS,
            "cash=calc.signed_high(accounts.headers[account]))",
            "cash=calc.signed_high(accounts.headers[account]) + 1)",
            "Deposit at 1583971202: event 1 AccountUpdated, field cash: "
            "model 1000000000000000000000, chain 1000000000000000000001",
            id="an event field",
        ),
        pytest.param(
            ("Trading",),
            CHECKS,
            '"margin/initial"',
            '"margin/debt-cap"',
            "Trade at 1583971204: outcome, field code: model margin/initial, chain margin/debt-cap",
            id="a refusal code",
        ),
        pytest.param(
            ("Trading",),
            CHECKS,
            '"margin/initial"',
            '"margin/unheard-of"',
            "field code: model margin/initial, chain trade: margin/unheard-of",
            id="a revert that is no refusal",
        ),
        pytest.param(
            ("Pool",),
            RECORDS,
            "    treasury.stakes[owner] = calc.pack(amount, requested)\n",
            "    treasury.stakes[owner] = calc.pack(amount + 1, requested)\n",
            "end of run at 1583971206: state protocol stakes[0][1], field shares: "
            "model 100000000000000000000000, chain 100000000000000000000001",
            id="a stored word that no event shows",
        ),
    ],
)
def test_one_flipped_detail_ends_the_run(
    replay_with: Callable[..., Answer],
    tmp_path: Path,
    engines: tuple[str, ...],
    path: str,
    old: str,
    new: str,
    told: str,
) -> None:
    answer = replay_with(engines, path, old, new, SCENARIO)
    assert answer.code == 5
    assert ": action " in answer.err
    assert told in answer.err
    assert json.loads(answer.out)["divergences"] == 1
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert told in manifest["failure"]


@pytest.mark.parametrize(
    ("path", "old", "new", "told"),
    [
        pytest.param(
            SIZING,
            "calc.ucdiv(calc.ucdiv(needed * calc.W, exposure.price), lot) * lot",
            "calc.ucdiv(calc.ucdiv(needed * calc.W, exposure.price), lot) * lot + lot",
            r"LiquidateMany at \d+: event 0 PositionUpdated, field size: model \d+, chain \d+$",
            id="one lot more of a partial liquidation",
        ),
        pytest.param(
            "Liquidation.vy",
            "convert(slice(response, 68, 32), bytes32))",
            'convert(b"liq/self", bytes32))',
            r"event \d+ LiquidationRefused, field code: model liq/not-liquidatable, chain liq/self$",
            id="why a batch passes over an account",
        ),
    ],
)
def test_one_flipped_rule_of_liquidation_ends_a_run(
    replay_with: Callable[..., Answer], path: str, old: str, new: str, told: str
) -> None:
    answer = replay_with(("Liquidation",), path, old, new, DATA / "rulebook.yaml")
    assert answer.code == 5
    assert re.search(told, answer.err.strip())
    assert json.loads(answer.out)["divergences"] == 1
