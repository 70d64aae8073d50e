"""What averages and growth caps give the source they follow: enough, and no more (SRC-2)."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi import decode, encode

from contracts_py.bindings import call_data
from contracts_py.compile import Artifact
from contracts_py.keys import address_of, private_key, to_hex
from contracts_py.revm import RevmNode, read_reason
from oracle.errors import TooLittleGas
from protocol.env import Status
from protocol.units import DAY, W
from tests.oracle.following import START, compile_here
from tests.switches import switch_guards, take_out

FOLLOWED = "modules/followed_source.vy"
AVERAGES, CAP, MOCK = "oracles/Averages", "oracles/GrowthCap", "mocks/QuoteSource"
GUARDS = {
    "a source has a limit": (
        (FOLLOWED, "        gas=most,\n", "        gas=max_value(uint256) if REMOVED else most,\n"),
    ),
    "too little gas is refused": ((FOLLOWED, "    assert msg.gas >=", "    assert REMOVED or msg.gas >="),),
}
KEY = (7).to_bytes(32, "big")
WORKS, RUNS_OUT, TOILS = 0, 2, 3
PLENTY = 15_000_000
CALLER = to_hex(address_of("caller"))


@pytest.fixture(scope="module")
def switched() -> dict[str, Artifact]:
    """Both contracts with a switch for every guard, and a source that can burn all it gets."""
    return compile_here(AVERAGES, CAP, MOCK, changed=switch_guards(GUARDS))


class Followed:
    """A source, and one contract over it, with all guards or without one."""

    def __init__(self, switched: dict[str, Artifact], name: str, guard: str = "") -> None:
        self.node, key = RevmNode(START), private_key("deployer")
        self.source = self.node.deploy(key, switched[MOCK].bytecode)
        self.answer(WORKS)
        follows = encode(["address", "bytes32"], [to_hex(self.source), KEY])
        arguments = follows + encode(["uint256"] * 4, [10, 600, 600, 1_000])
        if name == CAP:
            limits = encode(["uint256"] * 7 + ["uint48"], [1_000, DAY, 30 * DAY, 100, 500, 0, W, START - DAY])
            arguments = encode(["address"], [CALLER]) + follows + limits
        self.contract = self.node.deploy(key, switched[name].bytecode, arguments)
        take_out(self.node, self.contract, GUARDS, guard)

    def answer(self, fault: int) -> None:
        """A rate of 1 from now on, or a fault."""
        words = encode(["uint256"] * 5, [W, W, W, START, 0])
        data = call_data("set_answer(bytes32,bytes,uint256)", KEY, words, fault)
        assert self.node.send(private_key("deployer"), self.source, data).succeeded

    def call(self, data: bytes, gas: int) -> tuple[bytes, int]:
        """What a call answers, and what it used."""
        evm: Any = self.node._evm
        evm.reset_transient_storage()
        answer = bytes(evm.message_call(CALLER, to_hex(self.contract), data, gas=gas))
        return answer, evm.result.gas_used

    def answers_by_gas(self, data: bytes, amounts: range) -> set[int | str]:
        """What is answered with each amount of gas, or why it fails; nothing stays."""
        found: set[int | str] = set()
        for gas in amounts:
            moment = self.node._evm.snapshot()
            try:
                found.add(int.from_bytes(self.call(data, gas)[0], "big"))
            except RuntimeError as failure:
                found.add(read_reason(str(failure)))
            self.node._evm.revert(moment)
        return found


UPDATE, QUOTE = call_data("update()"), call_data("quote(bytes32)", KEY)


def test_a_source_burns_all_it_gets(switched: dict[str, Artifact]) -> None:
    """SRC-2: an average records nothing, and whoever asked pays for a bounded amount; without the limit for all."""
    for guard, least, most in (("", 4_000_000, 4_100_000), ("a source has a limit", 14_000_000, PLENTY)):
        followed = Followed(switched, AVERAGES, guard)
        followed.answer(RUNS_OUT)
        answer, used = followed.call(UPDATE, PLENTY)
        assert int.from_bytes(answer, "big") == 0
        assert least < used < most


def test_a_cap_over_such_a_source_answers_within_what_the_graph_gives_it(switched: dict[str, Artifact]) -> None:
    """SRC-2: within 250,000 gas: that there is no rate, and what there is once the source is well."""
    followed = Followed(switched, CAP)
    followed.answer(RUNS_OUT)
    answer, used = followed.call(QUOTE, 250_000)
    assert decode(["uint256"] * 5, answer) == (0, 0, 0, 0, Status.UNAVAILABLE | Status.NON_POSITIVE)
    assert 150_000 < used < 200_000
    followed.answer(WORKS)
    assert decode(["uint256"] * 5, followed.call(QUOTE, 250_000)[0]) == (W, W, W, START, 0)


def test_a_sound_source_starved_of_gas(switched: dict[str, Artifact]) -> None:
    """SRC-2: a source that needs 150,000 gas, and an update that is sent with little.

    With the guard it has its effect or is refused; without it some amounts make it succeed without an effect, and the
    price of before goes on holding.
    """
    amounts = range(60_000, 400_000, 1_000)
    for guard, found in (("", {TooLittleGas.code}), ("too little gas is refused", {0, 1, ""})):
        followed = Followed(switched, AVERAGES, guard)
        followed.answer(TOILS)
        assert followed.answers_by_gas(UPDATE, amounts) == found


def test_an_update_with_too_little_gas_is_refused(switched: dict[str, Artifact]) -> None:
    """SRC-2: and with enough it has its effect."""
    followed = Followed(switched, AVERAGES)
    with pytest.raises(RuntimeError) as failure:
        followed.call(UPDATE, 4_000_000)
    assert read_reason(str(failure.value)) == TooLittleGas.code
    assert int.from_bytes(followed.call(UPDATE, 4_200_000)[0], "big") == 1
