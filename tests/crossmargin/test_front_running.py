"""What knowing the next round is worth: everything where trades are made at once, nothing where orders settle later."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import pytest

from contracts_py.keys import address_of
from crossmargin.library import PARAMETERS, SCENARIOS
from crossmargin.parameters import genesis_actions, load_parameters
from crossmargin.replay.keepers import find_round
from crossmargin.replay.run import Replay
from crossmargin.scenario import load_scenario
from crossmargin.scenario_records import Scenario
from crossmargin.text import dollars
from oracle.feeds import Push
from protocol.actions import CommitOrder, Deposit, DepositToPool, SetOrders, SettleOrder, Trade
from protocol.events import OrderSettled
from protocol.orders import LONGEST_WINDOW
from protocol.params import OrderParams
from protocol.state import account_id
from protocol.trading import NO_LIMIT
from protocol.units import W
from tests.specs.pages import SPECS
from tests.twins import Model

NAME = "front_running"
INSTANT, PATIENT = (account_id(address_of(name)) for name in ("instant", "patient"))


@cache
def load() -> Scenario:
    """The scenario of the page."""
    return load_scenario(SCENARIOS.find(NAME), address_of)


@cache
def gains() -> dict[str, int]:
    """What both of its traders gain, with nothing open at the end."""
    scenario = load()
    replay = Replay(scenario, "model", None)
    for _ in replay.play():
        pass
    accounts = replay.world.protocol.accounts
    assert not any(account.positions or account.orders for account in accounts.values())
    return {name: accounts[scenario.accounts[name].id].cash - 20_000 * W for name in ("instant", "patient")}


def test_the_two_markets_differ_in_orders_alone() -> None:
    """ORD-2: the feed and every parameter of the market is the same."""
    replay = Replay(load(), "model", None)
    for _ in replay.play():
        pass
    state = replay.world.protocol
    assert state.market_params[2] == state.market_params[0]
    assert state.order_params[2].feed == state.market_params[0].feed
    assert state.order_params[0].delay == 0 < state.order_params[2].delay


def test_both_ask_for_the_same_trades() -> None:
    """ORD-3: the patient one a second later, and knowing as much."""
    actions = [step.action for step in load().steps]
    trades = [action.size_delta for action in actions if isinstance(action, Trade) and action.account == INSTANT]
    orders = [action.size_delta for action in actions if isinstance(action, CommitOrder) and action.account == PATIENT]
    assert trades == orders != []
    assert sum(trades) == 0


def test_knowing_the_next_round_pays_at_once_and_not_after_a_delay() -> None:
    """ORD-4: the figures of the page and of decision 0014."""
    assert (gains()["instant"], gains()["patient"]) == (16_584_285_949_500_000_000_000, -3_446_599_415_000_000_000_000)
    for path in ("scenarios/README.md", "decisions/0014-committed-orders.md"):
        text = (SPECS / path).read_text("utf-8")
        assert dollars(gains()["instant"]) in text
        assert dollars(-gains()["patient"]) in text


@cache
def rounds_of(feed: str) -> tuple[tuple[int, int], ...]:
    """All rounds of a feed on Black Thursday."""
    tape = load_scenario(SCENARIOS.find("black_thursday"), address_of).tape
    assert tape is not None
    return tuple((time, answers[feed]) for time, answers in tape.pushes() if feed in answers)


def play_tape(feed: str, size: int, *, patient: bool) -> int:
    """What a trader gains over the whole tape who is always long or short so much as the next round says."""
    params = load_parameters(PARAMETERS.find("reference"))
    market = [spec.name for spec in params.markets].index(feed)
    rounds = rounds_of(feed)
    model = Model()
    model.now = rounds[0][0] - 3_600
    for role, action in genesis_actions(params):
        model.do(role, action)
    feed_id = params.markets[market].params.feed
    if patient:
        model.do("admin", SetOrders(market, OrderParams(feed_id, 5, LONGEST_WINDOW, 1, 0)))
    account = account_id(address_of("trader"))
    model.do("lender", DepositToPool(10**8 * 10**6))
    model.do("trader", Deposit(account, 0, 10**7 * 10**6))
    held = 0
    for (time, answer), (_, following) in pairwise(rounds):
        model.do("poster", Push((feed_id,), (answer,)), after=time - model.now)
        if patient and model.world.protocol.accounts[account].orders:
            number = find_round(model.world, account, market)
            model.do("lender", SettleOrder(account, market, number), after=0)
            assert any(isinstance(event, OrderSettled) and not event.code for event in model.events)
        target = size if following > answer else -size if following < answer else held
        if target != held:
            kind = CommitOrder if patient else Trade
            price = NO_LIMIT if target > held else 0
            model.do("trader", kind(account, market, target - held, price))
            held = target
    position = model.world.protocol.accounts[account].positions[market]
    worth = position.size * rounds[-2][1] * 10**10 // W - position.cost
    return model.cash(account) + worth - 10**7 * W


@pytest.mark.parametrize(("feed", "size", "gain", "loss"), [("BTC", W, 44_691, 2_205), ("ETH", 20 * W, 37_406, 8_420)])
def test_over_a_whole_crash_foresight_earns_nothing_after_a_delay(feed: str, size: int, gain: int, loss: int) -> None:
    """ORD-4: even with a fee of a wei; at once it earns what decision 0014 says, in dollars that are cut."""
    assert play_tape(feed, size, patient=True) // -W == loss
    assert play_tape(feed, size, patient=False) // W == gain
    text = (SPECS / "decisions" / "0014-committed-orders.md").read_text("utf-8")
    assert f"{gain:,}" in text
    assert f"{loss:,}" in text
