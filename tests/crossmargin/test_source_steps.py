"""Steps of sources: what is signed, what is meant by default, and that every action has a text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from contracts_py.addresses import CHAIN_ID, source_address, source_deployer
from contracts_py.keys import address_of, private_key
from crossmargin.library import PARAMETERS
from crossmargin.parameters import load_parameters
from crossmargin.render import render_scenario
from crossmargin.scenario import load_scenario
from crossmargin.scenario_records import SUCCESS, Step
from crossmargin.source_file import CapPlan
from crossmargin.steps.pull import sign_report
from oracle.averages import Update
from oracle.growth_cap import Advance, SetSnapshot, Snapshot
from oracle.median import Submit
from oracle.pull import (
    ParsePriceFeedUpdatesUnique,
    SetBand,
    SetSigners,
    SetTerms,
    UpdatePriceFeeds,
    WithdrawFees,
)
from oracle.signing import PriceReport, hash_domain, verify_payload
from oracle.sources import AtSource, CreateGrowthCap, SourceAction
from tests.crossmargin.loading import START, Loader

PARAMS = load_parameters(PARAMETERS.find("sources"))
SPECS = {spec.name: spec for spec in PARAMS.sources}
MEDIAN, PULL, SLOW, CAP = (source_address(name) for name in ("btc_reporters", "eth_reports", "eth_slow", "wsteth_cap"))
HEADER = "title: t\nparams: sources\nstart: 2020-03-12T00:00:00Z\nsteps:\n"  # steps begin at line 5
ETH = b"ETH/USD".ljust(32, b"\0")
SIGNERS = SPECS["eth_reports"].people
REPORT = PriceReport(ETH, 200_050_000_000, 1, -8, START + 9, START)
PLAN = SPECS["wsteth_cap"].plan
assert isinstance(PLAN, CapPlan)
ACTIONS: tuple[tuple[int, SourceAction], ...] = (
    (MEDIAN, Submit(-(2**255), 2**64 - 1)),
    (MEDIAN, Submit(7_000_000_000_001, 0)),
    (PULL, UpdatePriceFeeds((), 0)),
    (PULL, UpdatePriceFeeds((sign_report(REPORT, PULL, SIGNERS[:3]), b"", b"\x01" * 1_038), 2**96 - 1)),
    (PULL, UpdatePriceFeeds((sign_report(REPORT, PULL, SIGNERS[:3])[::-1], sign_report(REPORT, 5, SIGNERS)), 1)),
    (PULL, ParsePriceFeedUpdatesUnique((), (ETH, bytes(32), b"\xff" * 32, b"a\0b".ljust(32, b"\0")), 0, 2**64 - 1, 3)),
    (PULL, SetSigners((9, 2**160 - 1, 9), 2**256 - 1, 0)),
    (PULL, SetTerms(2**256 - 1, 2**256 - 1)),
    (PULL, SetBand(ETH, 0)),
    (PULL, WithdrawFees()),
    (SLOW, Update()),
    (CAP, CreateGrowthCap(PLAN.admin, PLAN.target, PLAN.key, PLAN.config, Snapshot(2**256 - 1, 2**48 - 1))),
    (CAP, SetSnapshot(0, 0)),
    (CAP, Advance()),
)


def action_of(scenario: Any) -> Any:
    """The action of the only step."""
    (step,) = scenario.steps
    assert isinstance(step.action, AtSource)
    return step.action.action


def test_every_kind_of_action_is_tried() -> None:
    assert {type(action) for _, action in ACTIONS} == set(SourceAction.__args__)


@pytest.mark.parametrize(("source", "action"), ACTIONS, ids=lambda value: type(value).__name__)
def test_an_action_survives_a_round_trip(tmp_path: Path, source: int, action: SourceAction) -> None:
    sender = source_deployer("wsteth_cap") if isinstance(action, CreateGrowthCap) else "somebody"
    steps = [Step(START, 0, sender, AtSource(source, action), None, SUCCESS)]
    path = tmp_path / "told.yaml"
    path.write_text(render_scenario("t", "sources", START, {}, steps, params=PARAMS), encoding="utf-8")
    assert [step.action for step in load_scenario(path, address_of, PARAMS).steps] == [AtSource(source, action)]


def test_a_report_is_signed_for_the_contract_by_as_many_as_it_takes(load: Loader) -> None:
    """PUL-1, PUL-2: at the time of the step, by the first three by address, whose keys follow from their names."""
    action = action_of(
        load(
            HEADER
            + "  - {at: 9s, by: x, update_price_feeds: {source: eth_reports, payloads: [{feed_id: ETH/USD, price: 2}]}}"
        )
    )
    addresses = tuple(sorted(address_of(name) for name in SIGNERS))
    report = verify_payload(action.payloads[0], hash_domain(CHAIN_ID, PULL), addresses[:3], 3)
    assert report == PriceReport(ETH, 2 * 10**8, 0, -8, START + 9, 0)
    assert private_key(SIGNERS[0]) != private_key(SIGNERS[1])


def test_a_report_is_of_the_time_of_its_step(load: Loader) -> None:
    action = action_of(load(HEADER + "  - {at: 7s, by: reporter_1, submit: {source: btc_reporters, price: 0.5}}"))
    assert action == Submit(50_000_000, START + 7)


WRONG = {
    "by: x, submit: {source: btc, price: 1}": "unknown source `btc`",
    "by: x, submit: {source: eth_slow, price: 1}": "`eth_slow` is another kind of source",
    "by: x, submit: {source: btc_reporters, price: 0.000000001}": "decimals",
    "submit: {source: btc_reporters, price: 1}": "the step has no sender: anyone may `submit`",
    "by: x, create_growth_cap: {source: wsteth_cap, ratio: 1, time: 0}": "only deployer_wsteth_cap creates this source",
    "by: x, update_price_feeds: {source: eth_reports, payloads: [0x1]}": "`0x1` is not up to 1038 bytes",
}


@pytest.mark.parametrize(("step", "message"), WRONG.items())
def test_what_is_wrong_with_a_step_is_said(load: Loader, step: str, message: str) -> None:
    error = load.failure(HEADER + f"  - {{at: 0s, {step}}}")
    assert error.line == 5
    assert message in str(error)


def test_a_cap_is_created_once(load: Loader) -> None:
    line = "  - {at: 0s, create_growth_cap: {source: wsteth_cap, ratio: 1, time: 0}}\n"
    assert "was created above" in str(load.failure(HEADER + line + line))
