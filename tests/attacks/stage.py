"""Where attacks are played: on both twins with every guard, and on the contracts with one guard taken out.

A story is a function of the twins that ends with what its villain has gained in dollars, or what its victim has lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from eth_abi import encode
from eth_utils import keccak

from contracts_py.compile import Artifact
from contracts_py.errors import UnknownRevert
from contracts_py.keys import address_of, private_key, to_hex
from protocol.actions import ClaimRedemption, RequestRedemption, SetMarket, Trade
from protocol.errors import Refusal
from protocol.params import MarketParams
from protocol.state import account_id, owner_of
from protocol.units import W
from tests.attacks.guards import NUMBERS
from tests.twins import BTC, ETH, RISK, TOKENS, USDC, WBTC, WETH, WSTETH, WSTETH_FEED, Twins, get_ceiling, market_params

Story = Callable[[Twins], int]

HIGH = 2**255  # an acceptable price that accepts every buy
DOLLAR = 10**6  # USDC units
FEED_OF = {WETH: ETH, WBTC: BTC, WSTETH: WSTETH_FEED}
# No funding: it would add fractions of a cent for the seconds that pass between two actions.
QUIET = replace(market_params(BTC), funding_cap=0, funding_velocity=0, funding_decay=0)


class Unguarded(Twins):
    """The contracts alone, with at most one guard taken out: the model has all of its guards, so it cannot follow."""

    def take_out(self, guard: str) -> None:
        """Switch one guard off, or none with an empty name."""
        number = NUMBERS[guard] if guard else 0
        node: Any = self.chain.contracts.node
        for address in (self.chain.deployment.protocol, self.chain.deployment.hub):
            node._evm.set_balance(to_hex(address), number)

    def _apply(self, sender: str, action: Any) -> str:
        self.events = ()
        try:
            self.events, self.gas = self.chain.execute(self.now, sender, action)
        except Refusal as refusal:
            return refusal.code
        except UnknownRevert as revert:
            return str(revert)
        return "ok"

    def cash(self, account: int) -> int:
        """An account balance, as the contracts tell it."""
        return int(self.chain.contracts.view("account_info", account)[0])


class Stage:
    """Both places, set up alike: BTC at 8,000 and ETH at 200 dollars, a pool of a million, an insurance of 10,000."""

    def __init__(self, artifacts: dict[str, Artifact], switched: dict[str, Artifact]) -> None:
        self._twins = Twins(artifacts)
        self._unguarded = Unguarded({**artifacts, **switched})
        for place in (self._twins, self._unguarded):
            place.configure()
            place.do("admin", SetMarket(BTC, QUIET))
            place.do("admin", SetMarket(ETH, quiet_market(ETH)))
            place.fund()
        self._start = self._twins.save()
        self._unguarded_start = self._unguarded.save()

    def guarded(self, story: Story) -> int:
        """The end of a story on both twins, which agree; the contracts with their switches end it alike."""
        self._twins.restore(self._start)
        end = story(self._twins)
        self._twins.check_states()
        assert self._play(story, "") == end, "the switches themselves change the story"
        return end

    def on_contracts(self, story: Story) -> int:
        """The end of a story on the contracts with every guard, for what the model does not know: tokens."""
        return self._play(story, "")

    def without(self, guard: str, story: Story) -> int:
        """The end of the same story on the contracts without one guard."""
        return self._play(story, guard)

    def _play(self, story: Story, guard: str) -> int:
        self._unguarded.restore(self._unguarded_start)
        self._unguarded.take_out(guard)
        return story(self._unguarded)


class Purse:
    """What somebody could walk away with: tokens in the wallet, and accounts worth more than nothing."""

    def __init__(self, twins: Twins, *owners: str) -> None:
        self._twins = twins
        self._owners = owners
        self._wallets = self._read_wallets()

    def wallet_gain(self) -> int:
        """The change of the wallets alone, at prices now."""
        gained = 0
        for token, (now, before) in enumerate(zip(self._read_wallets(), self._wallets, strict=True)):
            gained += (now - before) * self._price(token) // 10 ** TOKENS[token].decimals
        return gained

    def gain(self) -> int:
        """The change since the beginning, when the owners had no account, at prices now. Pool shares count nothing."""
        contracts = self._twins.chain.contracts
        gained = self.wallet_gain()
        owners = [address_of(owner) for owner in self._owners]
        for account in contracts.list_accounts(0, 200):
            if owner_of(account) in owners:
                gained += max(contracts.health(account).equity_raw, 0)
        return gained

    def _read_wallets(self) -> list[int]:
        contracts = self._twins.chain.contracts
        return [
            sum(contracts.token_balance(token, address_of(owner)) for owner in self._owners)
            for token in range(len(TOKENS))
        ]

    def _price(self, token: int) -> int:
        if token == USDC:
            return W
        node, hub = self._twins.chain.contracts.node, self._twins.chain.deployment.hub
        answer = node.call(hub, keccak(text="read(uint256)")[:4] + encode(["uint256"], [FEED_OF[token]]))
        return int.from_bytes(answer[:32], "big")


def dollars(text: str) -> int:
    """Dollars in writing, at scale W."""
    amount = Decimal(text.replace(",", "")) * W
    assert amount == int(amount)
    return int(amount)


def quiet_market(feed: int) -> MarketParams:
    """The reference market of ETH without funding."""
    quiet = replace(QUIET, feed=feed, ceiling=get_ceiling(feed), lot=W // 100)
    return replace(quiet, skew_scale=10**6 * W, oi_cap=10**6 * W, skew_cap=5 * 10**5 * W)


def account_of(owner: str, sub: int = 0) -> int:
    """The id of a named owner's account."""
    return account_id(address_of(owner), sub)


def trade(account: int, size: int, market: int = BTC) -> Trade:
    """A trade at any price."""
    return Trade(account, market, size, HIGH if size > 0 else 0)


def size_of(twins: Twins, account: int, market: int = BTC) -> int:
    """The size of a position, as the contracts tell it."""
    positions = {row[0]: row[1] for row in twins.chain.contracts.view("positions_of", account)}
    return int(positions.get(market, 0))


def close(twins: Twins, owner: str, account: int, market: int = BTC) -> str:
    """Close what is left of a position; the outcome, ``ok`` if there is nothing."""
    size = size_of(twins, account, market)
    return twins.attempt(owner, trade(account, -size, market)) if size else "ok"


def redeem(twins: Twins, owner: str, shares: int) -> None:
    """Ask for a redemption and claim it after the delay."""
    twins.do(owner, RequestRedemption(shares))
    twins.do(owner, ClaimRedemption(), after=RISK.redemption_delay)


def send_call(twins: Twins, sender: str, name: str, *values: Any) -> bool:
    """Call a function of the protocol that is no action; whether it succeeded."""
    contracts = twins.chain.contracts
    receipt = contracts.node.send(private_key(sender), *contracts.encode_call(name, *values))
    twins.now = contracts.node.now
    return receipt.succeeded


def set_mood(twins: Twins, token: int, kept: int = 0, *, fails: bool = False, burns: bool = False) -> None:
    """Tell a moody token what to do (tests/attacks/vyper/MoodyToken.vy)."""
    data = keccak(text="set_mood(uint256,bool,bool)")[:4] + encode(["uint256", "bool", "bool"], [kept, fails, burns])
    node = twins.chain.contracts.node
    assert node.send(private_key("deployer"), twins.chain.deployment.tokens[token], data).succeeded
    twins.now = node.now
