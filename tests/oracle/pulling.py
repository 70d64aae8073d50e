"""Reporters who sign, and the model and contract of pull reports side by side."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

from eth_abi import decode, encode
from eth_utils import keccak

from contracts_py.addresses import CHAIN_ID
from contracts_py.bindings import call_data
from contracts_py.compile import EVM_VERSION, Artifact, compile_all
from contracts_py.errors import Reverted
from contracts_py.keys import address_of, private_key, to_hex
from contracts_py.node import GAS_LIMIT, Log
from contracts_py.revm import RevmNode, read_log, read_reason
from oracle.pull import (
    ParsePriceFeedUpdatesUnique,
    PullFeed,
    SetBand,
    SetSigners,
    SetTerms,
    UpdatePriceFeeds,
    WithdrawFees,
    apply_pull,
    get_band,
    get_price_no_older_than,
    get_price_unsafe,
    get_update_fee,
    make_pull_feed,
    process_parse_price_feed_updates_unique,
    quote,
)
from oracle.signing import (
    CURVE_ORDER,
    PriceReport,
    encode_payload,
    hash_domain,
    hash_report,
    hash_typed_data,
    sign_digest,
)
from protocol.errors import Refusal

START = 1_600_000_000
ETH, BTC = keccak(text="ETH/USD"), keccak(text="BTC/USD")
CONTRACT = 0xC0FFEE
# Ascending by address, so that the first m of them sign in the right order.
REPORTERS = tuple(sorted((f"reporter {i}" for i in range(14)), key=address_of))
ADDRESSES = tuple(map(address_of, REPORTERS))
OPEN_TERMS = SetTerms(fee=0, ahead=0)

Action = SetSigners | SetTerms | SetBand | WithdrawFees | UpdatePriceFeeds | ParsePriceFeedUpdatesUnique

PRICE = "(int64,uint64,int32,uint256)"
REPORT = "(bytes32,int256,uint256,int256,uint256,uint256)"
EVENTS = {
    "SignersSet": ((), ("address[]", "uint256", "uint256")),
    "TermsSet": ((), ("uint256", "uint256")),
    "BandSet": (("bytes32",), ("uint256",)),
    "FeesWithdrawn": ((), ("uint256",)),
    "ReportStored": (("bytes32",), ("int256", "uint256", "int256", "uint256", "uint256")),
}
TOPICS = {
    keccak(text=f"{name}({','.join((*indexed, *data))})"): (name, indexed, data)
    for name, (indexed, data) in EVENTS.items()
}


def compile_pull() -> Artifact:
    """The contract, alone: it needs none of the others."""
    return compile_all(names=("oracles/PullFeed",))["oracles/PullFeed"]


def signing_of(threshold: int, faults: int = 0, count: int | None = None) -> SetSigners:
    """The first ``count`` reporters as signers, or as many as the threshold."""
    return SetSigners(ADDRESSES[: threshold if count is None else count], threshold, faults)


def report_of(price: int = 200 * 10**8, time: int = START, *, feed_id: bytes = ETH, **fields: int) -> PriceReport:
    """A report of ETH at 200 dollars with 8 decimals, the first after 10 seconds, unless told otherwise."""
    return PriceReport(
        feed_id,
        price,
        fields.get("conf", 10**7),
        fields.get("expo", -8),
        time,
        fields.get("prev", max(time - 10, 0)),
    )


def digest_of(report: PriceReport, chain_id: int = CHAIN_ID, contract: int = CONTRACT) -> bytes:
    """What signers of a report sign for a contract on a chain."""
    return hash_typed_data(hash_domain(chain_id, contract), hash_report(report))


def sign(digest: bytes, *names: str) -> tuple[bytes, ...]:
    """The signatures of some reporters, in this order."""
    return tuple(sign_digest(digest, private_key(name)) for name in names)


def payload_of(
    report: PriceReport, threshold: int = 1, *, chain_id: int = CHAIN_ID, contract: int = CONTRACT, first: int = 0
) -> bytes:
    """A report signed by as many reporters as are needed, from the ``first`` on."""
    names = REPORTERS[first : first + threshold]
    return encode_payload(report, sign(digest_of(report, chain_id, contract), *names))


def malleate(signature: bytes) -> bytes:
    """The other signature of the same message by the same key, which needs no key to make."""
    s = CURVE_ORDER - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([27 + 28 - signature[64]])


def outcome_of(feed: PullFeed, now: int, sender: int, action: Action) -> tuple[str, PullFeed, tuple[Any, ...], Any]:
    """Code, state, events and answer of an action on the model; a refused one leaves the state."""
    try:
        if isinstance(action, ParsePriceFeedUpdatesUnique):
            return "ok", *process_parse_price_feed_updates_unique(feed, now, sender, action)
        return "ok", *apply_pull(feed, now, sender, action), ()
    except Refusal as refusal:
        return refusal.code, feed, (), ()


def encode_action(action: Action) -> tuple[bytes, int]:
    """Call data and value of an action."""
    match action:
        case SetSigners(signers, threshold, faults):
            return call_data("set_signers(address[],uint256,uint256)", [*map(to_hex, signers)], threshold, faults), 0
        case SetTerms(fee, ahead):
            return call_data("set_terms(uint256,uint256)", fee, ahead), 0
        case SetBand(feed_id, band):
            return call_data("set_band(bytes32,uint256)", feed_id, band), 0
        case UpdatePriceFeeds(payloads, value):
            return call_data("updatePriceFeeds(bytes[])", payloads), value
        case ParsePriceFeedUpdatesUnique(payloads, feed_ids, t_min, t_max, value):
            signature = "parsePriceFeedUpdatesUnique(bytes[],bytes32[],uint64,uint64)"
            return call_data(signature, payloads, feed_ids, t_min, t_max), value
        case WithdrawFees():
            return call_data("withdraw_fees()"), 0


def read_event(log: Log) -> tuple[Any, ...]:
    """An event as its name and the values of the model's record."""
    name, indexed, data = TOPICS[log.topics[0]]
    values = (*log.topics[1 : 1 + len(indexed)], *decode(data, log.data))
    return name, *(tuple(int(one, 16) for one in value) if isinstance(value, tuple) else value for value in values)


def as_told(events: tuple[Any, ...]) -> tuple[Any, ...]:
    """Events of the model as ``read_event`` gives those of the contract."""
    return tuple((type(event).__name__, *astuple(event)) for event in events)


class PullChain:
    """The contract alone, on a chain of its own."""

    def __init__(self, artifact: Artifact, signing: SetSigners, terms: SetTerms = OPEN_TERMS) -> None:
        self.node: Any = RevmNode(START)
        kinds = ["address", "address[]", "uint256", "uint256", "uint256", "uint256"]
        signers = [*map(to_hex, signing.signers)]
        admin = to_hex(address_of("admin"))
        values = [admin, signers, signing.threshold, signing.faults, terms.fee, terms.ahead]
        self.admin = address_of("admin")
        self.address = self.node.deploy(private_key("admin"), artifact.bytecode, encode(kinds, values))
        self.deployed = tuple(read_event(read_log(log)) for log in self.evm.result.logs)

    @property
    def evm(self) -> Any:
        """The machine itself."""
        return self.node._evm

    def execute(self, now: int, sender: int, action: Action) -> tuple[str, tuple[Any, ...], bytes]:
        """Code, events and answer of an action."""
        data, value = encode_action(action)
        self.node._set_time(now)
        self.evm.reset_transient_storage()
        self.evm.set_balance(to_hex(sender), self.evm.get_balance(to_hex(sender)) + value)
        try:
            target = to_hex(self.address)
            answer = self.evm.message_call(to_hex(sender), target, data, value=value, gas=GAS_LIMIT)
        except RuntimeError as failure:
            return read_reason(str(failure)), (), b""
        return "ok", tuple(read_event(read_log(log)) for log in self.evm.result.logs), bytes(answer)

    def view(self, signature: str, kinds: str, *arguments: Any) -> Any:
        """What a view answers."""
        answer = self.node.call(self.address, call_data(signature, *arguments))
        return decode([kinds], answer)[0]

    def split(self, chain_id: int) -> None:
        """Go on as a fork of the chain, with another id: the same code, with what was fixed when it was deployed."""
        from pyrevm import EVM, AccountInfo, BlockEnv, CfgEnv, Env

        signers, (threshold, faults, fee, ahead) = self.view("signers()", "address[]"), self.terms()
        code, balance = self.evm.get_code(to_hex(self.address)), self.balance()
        self.node._evm = EVM(env=Env(cfg=CfgEnv(chain_id=chain_id), block=BlockEnv()), spec_id=EVM_VERSION.upper())
        self.evm.insert_account_info(to_hex(self.address), AccountInfo(code=code))
        self.evm.set_balance(to_hex(self.address), balance)
        signing = SetSigners(tuple(int(one, 16) for one in signers), threshold, faults)
        for action in (signing, SetTerms(fee, ahead)):
            assert self.execute(self.node.now, self.admin, action)[0] == "ok"

    def terms(self) -> tuple[int, ...]:
        """Threshold, faults, fee and seconds ahead."""
        answer: tuple[int, ...] = self.view("terms()", "(uint256,uint256,uint256,uint256)")
        return answer

    def balance(self) -> int:
        """The coin that the contract holds."""
        return int(self.evm.get_balance(to_hex(self.address)))

    def quote(self, feed_id: bytes) -> tuple[int, ...]:
        """Bid, mid, ask, publish time and status."""
        answer: tuple[int, ...] = self.view("quote(bytes32)", "(uint256,uint256,uint256,uint256,uint256)", feed_id)
        return answer


class PullTwins:
    """Model and contract: ``do`` compares outcome, code, events, answer and balance."""

    def __init__(self, artifact: Artifact, signing: SetSigners, terms: SetTerms = OPEN_TERMS) -> None:
        self.chain = PullChain(artifact, signing, terms)
        self.model, events = make_pull_feed(CHAIN_ID, self.chain.address, self.chain.admin, signing, terms)
        assert self.chain.deployed == as_told(events)
        self.now = START

    def do(self, sender: str, action: Action, after: int = 1) -> str:
        """Apply an action to both, ``after`` seconds later; the code of a refusal, or ``ok``."""
        self.now += after
        address = address_of(sender)
        code, self.model, events, reports = outcome_of(self.model, self.now, address, action)
        told, logs, answer = self.chain.execute(self.now, address, action)
        assert told == code, action
        assert logs == as_told(events)
        assert self.chain.balance() == self.model.balance
        if isinstance(action, ParsePriceFeedUpdatesUnique) and code == "ok":
            assert decode([f"(bytes32,{PRICE})[]"], answer)[0] == tuple(
                (one.feed_id, (one.price, one.conf, one.expo, one.publish_time)) for one in reports
            )
        return code

    def sign(self, report: PriceReport, first: int = 0) -> bytes:
        """A payload for this contract."""
        return payload_of(report, self.model.threshold, contract=self.chain.address, first=first)

    def update(self, *reports: PriceReport, after: int = 1) -> str:
        """Bring some reports, well signed and paid for."""
        payloads = tuple(self.sign(report) for report in reports)
        return self.do("keeper", UpdatePriceFeeds(payloads, get_update_fee(self.model, payloads)), after)

    def check_views(self, *feed_ids: bytes, ages: tuple[int, ...] = (0, 60)) -> None:
        """Every view of the configuration and of some feeds."""
        chain, model = self.chain, self.model
        assert tuple(int(one, 16) for one in chain.view("signers()", "address[]")) == model.signers
        terms = (model.threshold, model.faults, model.fee, model.ahead)
        assert chain.terms() == terms
        for feed_id in feed_ids:
            assert chain.quote(feed_id) == astuple(quote(model, feed_id))
            assert chain.view("band(bytes32)", "uint256", feed_id) == get_band(model, feed_id)
            self._compare_read(feed_id, None)
            for age in ages:
                self._compare_read(feed_id, age)

    def _compare_read(self, feed_id: bytes, age: int | None) -> None:
        try:
            if age is None:
                found = get_price_unsafe(self.model, feed_id)
            else:
                found = get_price_no_older_than(self.model, self.now, feed_id, age)
        except Refusal as refusal:
            expected: Any = refusal.code
        else:
            expected = (found.price, found.conf, found.expo, found.publish_time)
        signature = "getPriceUnsafe(bytes32)" if age is None else "getPriceNoOlderThan(bytes32,uint256)"
        arguments = (feed_id,) if age is None else (feed_id, age)
        try:
            assert self.chain.view(signature, PRICE, *arguments) == expected
            assert self.chain.view("latest_report(bytes32)", REPORT, feed_id) == astuple(
                get_price_unsafe(self.model, feed_id)
            )
        except Reverted as reverted:
            assert reverted.reason == expected
