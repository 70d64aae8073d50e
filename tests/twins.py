"""Model and contracts side by side, for tests: every action goes to both, and both must answer alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from contracts_py.addresses import feed_addresses
from contracts_py.compile import Artifact
from contracts_py.deploy import TokenPlan
from contracts_py.errors import UnknownRevert
from contracts_py.keys import address_of
from crossmargin.replay.books import Books
from crossmargin.replay.chain import ChainEngine
from crossmargin.replay.lockstep import compare_results, compare_worlds
from crossmargin.replay.world import World, new_world
from oracle.feeds import Push, SetFeed, SetRateFeed
from protocol.actions import Deposit, DepositToPool, FundInsurance, SetCollateral, SetMarket, SetRisk
from protocol.errors import Refusal
from protocol.invariants import check_all
from protocol.params import CollateralParams, EquityTier, HaircutBracket, MarginBracket, MarketParams, RiskParams
from protocol.state import account_id
from protocol.units import USDC_TO_W, W
from tests.asking import compare_views
from tests.moments import moments_of

START = 1_600_000_000
TOKENS = (TokenPlan("USDC", 6), TokenPlan("WETH", 18), TokenPlan("WBTC", 8), TokenPlan("WSTETH", 18))
FEEDS = ("BTC / USD", "ETH / USD", "wstETH / ETH", "wstETH / USD")
BTC, ETH = 0, 1  # markets, and the feeds of the same numbers
RATE_FEED, WSTETH_FEED = 2, 3
USDC, WETH, WBTC, WSTETH = range(4)
RATE = W * 105 // 100  # ETH for one wstETH
ACTORS = ("admin", "guardian", "poster", "treasury", "lender", "borrower", "trader", "liquidator", "stranger")

RISK = RiskParams(
    keeper_reserve=10 * W,
    margin_call_buffer=W // 4,
    liquidation_buffer=W // 10,
    backstop_ratio=6_667,
    fixed_reward=5 * W,
    reward_ratio=W // 1_000,
    reward_ratio_max=W // 400,
    reward_ramp=W // 10**6,
    reward_grace=60,
    max_reward=1_000 * W,
    reward_cap=100,
    penalty_ratio=W // 100,
    impact_cap_ratio=W // 200,
    debt_cap=100_000 * W,
    insurance_fee_share=1_000,
    insurance_penalty_share=5_000,
    sale_discount=500,
    margin_call_fee=W,
    phase_in=86_400,
    lock_ratio=2_000,
    stale_band=1_000,
    usdc_feed=0,
    depeg_threshold=0,
    depeg_factor=0,
    redemption_delay=3_600,
    redemption_window=86_400,
    equity_tiers=tuple(EquityTier(low * W, leverage * W) for low, leverage in ((0, 20), (10**6, 10), (10**7, 5))),
)


def get_ceiling(feed: int) -> int:
    """Twice the price with which twins begin; that of BTC for a feed of another kind."""
    return {ETH: 400 * W, WSTETH_FEED: 420 * W}.get(feed, 16_000 * W)


def market_params(feed: int, lot: int = W // 1_000, scale: int = 10_000) -> MarketParams:
    """The reference tiers over a feed; ``scale`` is the skew scale in whole base units."""
    rows = ((0, 25, 50), (10**6, 40, 80), (5 * 10**6, 75, 150), (20 * 10**6, 150, 300))
    return MarketParams(
        feed=feed,
        ceiling=get_ceiling(feed),
        lot=lot,
        min_notional=1_000 * W,
        maker_fee=W // 5_000,
        taker_fee=W // 2_000,
        skew_scale=scale * W,
        max_premium=500,
        rebate_ratio=9_000,
        oi_cap=scale * W,
        oi_cap_usd=10**9 * W,
        skew_cap=scale * W // 2,
        funding_cap=W * 3 // 100,
        funding_velocity=W * 9 // 100,
        funding_decay=W * 9 // 100,
        dead_band=100,
        oi_lower=10**7 * W,
        oi_upper=10**9 * W,
        window=3_600,
        window_notional=10**6 * W,
        brackets=tuple(MarginBracket(low * W, mm * W // 1_000, im * W // 1_000) for low, mm, im in rows),
    )


def weth_params() -> CollateralParams:
    """The reference haircuts over the ETH feed."""
    rows = ((0, 90, 85), (10**6, 80, 70), (5 * 10**6, 50, 40))
    return collateral_params(ETH, 18, 10**5, rows)


def wbtc_params() -> CollateralParams:
    """The reference haircuts over the BTC feed; a token of 8 decimals."""
    rows = ((0, 90, 85), (10**6, 80, 70), (5 * 10**6, 50, 40))
    return collateral_params(BTC, 8, 10**3, rows)


def wsteth_params() -> CollateralParams:
    """The reference haircuts over a rate feed: rate times ETH."""
    rows = ((0, 85, 75), (10**6, 70, 60), (5 * 10**6, 40, 30))
    return collateral_params(WSTETH_FEED, 18, 10**4, rows)


def collateral_params(feed: int, decimals: int, cap: int, rows: Sequence[tuple[int, int, int]]) -> CollateralParams:
    """A collateral of which one account may hold ``cap`` whole tokens; rows in dollars and per cent."""
    return CollateralParams(
        feed=feed,
        decimals=decimals,
        ceiling=get_ceiling(feed),
        account_cap=cap * 10**decimals,
        global_cap=10 * cap * 10**decimals,
        brackets=tuple(HaircutBracket(low * W, mm * W // 100, im * W // 100) for low, mm, im in rows),
    )


class Disagreement(AssertionError):
    """Model and contracts answered differently."""


@dataclass(frozen=True)
class Checkpoint:
    """A moment to go back to."""

    world: World
    books: Books
    now: int


@dataclass(frozen=True)
class ChainCheckpoint(Checkpoint):
    """A moment of both twins."""

    chain_books: Books
    chain: Any  # what the node needs to go back


class Model:
    """The model alone, with the conveniences of the twins."""

    def __init__(
        self, tokens: Sequence[TokenPlan] = TOKENS, feeds: Sequence[str] = FEEDS, *, with_graph: bool = False
    ) -> None:
        admin, guardian, poster = (address_of(role) for role in ("admin", "guardian", "poster"))
        contracts = feed_addresses(len(feeds)) if with_graph else None
        self.world: World = new_world(admin, guardian, poster, len(tokens), contracts)
        self.books = Books()
        self.now = START
        self.events: tuple[Any, ...] = ()

    def save(self) -> Checkpoint:
        """This moment, to go back to with ``restore``, any number of times."""
        return Checkpoint(self.world, deepcopy(self.books), self.now)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go back."""
        self.world, self.now, self.events = checkpoint.world, checkpoint.now, ()
        self.books = deepcopy(checkpoint.books)

    def do(self, sender: str, action: Any, refused: str | None = None, after: int = 1) -> tuple[Any, ...]:
        """Apply an action ``after`` seconds; assert that it succeeds, or is refused with ``refused``."""
        code = self.attempt(sender, action, after)
        assert code == (refused or "ok"), f"{action} by {sender}: {code}, expected {refused or 'ok'}"
        return self.events

    def attempt(self, sender: str, action: Any, after: int = 1) -> str:
        """Apply an action ``after`` seconds; its outcome: ``ok`` or the refusal's code."""
        self.now += after
        return self._apply(sender, action)

    def _apply(self, sender: str, action: Any) -> str:
        self.events = ()
        before = self.world
        try:
            self.world, self.events = self.world.apply(self.now, address_of(sender), action)
        except Refusal as refusal:
            assert self.world is before
            return refusal.code
        self.books.take(self.events)
        check_all(self.world.protocol)
        return "ok"

    def configure(self) -> None:
        """Feeds, risk, two markets and three collaterals; BTC at 8,000 and ETH at 200 dollars, wstETH at 1.05 ETH."""
        self.do("admin", SetFeed(BTC, 8, 7_200))
        self.do("admin", SetFeed(ETH, 8, 7_200))
        self.do("admin", SetFeed(RATE_FEED, 18, 259_200))
        self.do("admin", SetRateFeed(WSTETH_FEED, RATE_FEED, ETH))
        self.do("admin", SetRisk(RISK))
        self.do("admin", SetMarket(BTC, market_params(BTC)))
        self.do("admin", SetMarket(ETH, market_params(ETH, W // 100, 1_000_000)))
        self.do("admin", SetCollateral(WETH, weth_params()))
        self.do("admin", SetCollateral(WBTC, wbtc_params()))
        self.do("admin", SetCollateral(WSTETH, wsteth_params()))
        self.price(BTC=8_000, ETH=200, rate=RATE)

    def price(self, after: int = 1, rate: int = 0, **prices: int) -> None:
        """Push whole-dollar prices of BTC and ETH, and what one wstETH is worth in ETH at scale W."""
        answers = {{"BTC": BTC, "ETH": ETH}[name]: price * 10**8 for name, price in prices.items()}
        if rate:
            answers[RATE_FEED] = rate
        feeds = tuple(sorted(answers))
        self.do("poster", Push(feeds, tuple(answers[feed] for feed in feeds)), after=after)

    def fund(self, pool: int = 1_000_000, insurance: int = 10_000) -> None:
        """Whole dollars for the pool and the insurance fund."""
        if pool:
            self.do("lender", DepositToPool(pool * 10**6))
        if insurance:
            self.do("treasury", FundInsurance(insurance * 10**6))

    def deposit(self, owner: str, usd: int = 0, weth: int = 0, wbtc: int = 0, wsteth: int = 0, sub: int = 0) -> int:
        """Whole dollars and whole tokens into an account; its id."""
        account = account_id(address_of(owner), sub)
        for token, whole in enumerate((usd, weth, wbtc, wsteth)):
            if whole:
                self.do(owner, Deposit(account, token, whole * 10 ** TOKENS[token].decimals))
        return account

    def cash(self, account: int) -> int:
        """An account balance."""
        cash: int = self.world.protocol.accounts[account].cash
        return cash

    def event(self, name: str) -> Any:
        """The only event of that name in the newest action."""
        (found,) = (event for event in self.events if type(event).__name__ == name)
        return found


class Twins(Model):
    """Model and contracts: ``do`` compares outcome, code and events, the checks everything.

    ``backend`` is ``pyrevm``, which is fast, or ``eth-tester``, which has blocks, signatures and gas.
    """

    def __init__(
        self,
        artifacts: dict[str, Artifact],
        backend: str = "pyrevm",
        actors: Sequence[str] = ACTORS,
        tokens: Sequence[TokenPlan] = TOKENS,
        feeds: Sequence[str] = FEEDS,
        *,
        with_graph: bool = False,
    ) -> None:
        super().__init__(tokens, feeds, with_graph=with_graph)
        self.chain = ChainEngine(backend, START, tokens, feeds, actors, artifacts, with_graph)
        self.backend = backend
        self.gas = 0
        self._moments = moments_of(self.chain.contracts.node)

    def save(self) -> ChainCheckpoint:
        """This moment of both, to go back to with ``restore``, any number of times.

        On pyrevm, going back to an earlier moment ends the later ones.
        """
        return ChainCheckpoint(
            **vars(super().save()), chain_books=deepcopy(self.chain.books), chain=self._moments.save()
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go back with both."""
        assert isinstance(checkpoint, ChainCheckpoint)
        super().restore(checkpoint)
        self._moments.restore(checkpoint.chain)
        self.chain.books = deepcopy(checkpoint.chain_books)

    def _apply(self, sender: str, action: Any) -> str:
        code = super()._apply(sender, action)
        chain_code, chain_events, self.gas = "ok", (), 0
        try:
            chain_events, self.gas = self.chain.execute(self.now, sender, action)
        except Refusal as refusal:
            chain_code = refusal.code
        except UnknownRevert as revert:
            chain_code = str(revert)
        difference = compare_results(code, self.events, chain_code, chain_events)
        if difference:
            raise Disagreement(f"{action} by {sender}: {difference}")
        self.chain.audit(chain_events)
        return code

    def check_states(self) -> None:
        """The complete state of both, field by field."""
        difference = compare_worlds(self.world, self.chain.read())
        if difference:
            raise Disagreement(str(difference))

    def check_views(self, accounts: Iterable[int] | None = None, sizes: Iterable[int] | None = None) -> None:
        """S5, S6: what every view answers of all accounts, or of these, is what the model measures.

        ``max_size`` and the preview of that trade are asked of ``sizes`` if it is given: they search, so they take
        more time than all the others together.
        """
        chosen = tuple(self.world.protocol.accounts if accounts is None else accounts)
        searched = chosen if sizes is None else tuple(sizes)
        for difference in compare_views(self.chain.contracts, self.world, self.now, chosen, searched):
            raise Disagreement(difference)


def wei(dollars: int) -> int:
    """Whole dollars at scale W."""
    return dollars * W


def usdc(dollars: int) -> int:
    """Whole dollars as USDC units."""
    return dollars * W // USDC_TO_W
