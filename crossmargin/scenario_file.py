"""The shape of a scenario file: what ``scenario.py`` turns into records, and the JSON Schema describes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import ConfigDict, Discriminator, Field, Tag

from crossmargin.fields import (
    ACCOUNT_NAME,
    ACTOR_NAME,
    FEED_NAME,
    Choice,
    DecimalText,
    Duration,
    FileModel,
    Flag,
    Integer,
    Prose,
    Quantity,
    Reference,
    refuse,
)
from crossmargin.moments import Moment, UtcTime, When
from crossmargin.population.file import MOST_MEMBERS, PopulationModel
from crossmargin.price_response import PriceResponseField
from crossmargin.reporting_file import ReportersModel
from crossmargin.steps.accounts import (
    CreateIsolatedModel,
    DepositModel,
    SetLeverageCapModel,
    SetOperatorModel,
    TransferModel,
    WithdrawModel,
)
from crossmargin.steps.base import ActionModel
from crossmargin.steps.feeds import PushModel, RoundModel, SetFeedModel, SetRateFeedModel
from crossmargin.steps.governance import (
    AcceptAdminModel,
    PauseOpeningModel,
    ProposeAdminModel,
    SetCollateralModel,
    SetGuardianModel,
    SetMarketModel,
    SetRiskModel,
)
from crossmargin.steps.graph import (
    HaltNodeModel,
    PokeNodeModel,
    RegisterNodeModel,
    ResetNodeModel,
    SetNodeFeedModel,
)
from crossmargin.steps.liquidation import FlagAccountModel, LiquidateManyModel, LiquidateModel, MarginCallModel
from crossmargin.steps.orders import CancelOrderModel, CommitOrderModel, SetOrdersModel, SettleOrderModel
from crossmargin.steps.pool import (
    BuyInventoryModel,
    ClaimRedemptionModel,
    DepositToPoolModel,
    FundInsuranceModel,
    RequestRedemptionModel,
)
from crossmargin.steps.pull import (
    ParsePriceFeedUpdatesUniqueModel,
    SetBandModel,
    SetSignersModel,
    SetTermsModel,
    UpdatePriceFeedsModel,
    WithdrawFeesModel,
)
from crossmargin.steps.sources import (
    AdvanceModel,
    CreateGrowthCapModel,
    SetSnapshotModel,
    SubmitModel,
    UpdateModel,
)
from crossmargin.steps.trading import CloseAllModel, TradeModel
from oracle.errors import REFUSALS
from protocol.account_state import AccountState
from protocol.env import Status
from protocol.units import UNITS_LIMIT

ActorField = Annotated[str, ACTOR_NAME]
ProseField = Annotated[str, Prose()]
SignedField = Annotated[int, Quantity(18, signed=True)]
StateField = Annotated[str, Choice("account state", tuple(state.name for state in AccountState))]
FaultField = Annotated[str, Choice("fault of a price", tuple(status.name or "" for status in Status))]
CodeField = Annotated[str, Choice("refusal code", tuple(REFUSALS))]


class QuoteExpectModel(FileModel):
    """What a feed says after a step."""

    bid: Annotated[int, Quantity(18)] | None = Field(default=None, description="Its lower side in USD, 0 for none.")
    price: Annotated[int, Quantity(18)] | None = Field(default=None, description="Its price in USD, 0 for none.")
    ask: Annotated[int, Quantity(18)] | None = Field(default=None, description="Its upper side in USD, 0 for none.")
    faults: tuple[FaultField, ...] = Field(default=(), description="All that is wrong with it; by default nothing.")


class StepExpectModel(FileModel):
    """What a step leads to. Values are checked after it, also after a refusal."""

    refused: CodeField | None = Field(default=None, description="The code it is refused with.")
    cash: SignedField | None = Field(default=None, description="The account balance in USD.")
    equity_raw: SignedField | None = Field(default=None, description="The account value in USD.")
    equity_mm: SignedField | None = Field(default=None, description="Equity after maintenance haircuts, USD.")
    equity_im: SignedField | None = Field(default=None, description="Equity after initial haircuts, USD.")
    state: StateField | None = Field(default=None, description="The account's state.")
    size: SignedField | None = Field(default=None, description="The position in the step's market, base units.")
    cost: SignedField | None = Field(default=None, description="The cost of that position, USD.")
    liquidation_price: Annotated[int, Quantity(18)] | None = Field(
        default=None, description="The price of the step's market at which the account becomes liquidatable, USD."
    )
    bankruptcy_price: Annotated[int, Quantity(18)] | None = Field(
        default=None, description="The price of the step's market at which the account value falls below 0, USD."
    )
    max_long: Annotated[int, Quantity(18)] | None = Field(
        default=None, description="The most that could be bought in the step's market, base units."
    )
    max_short: Annotated[int, Quantity(18)] | None = Field(
        default=None, description="The most that could be sold in the step's market, base units."
    )
    units: Annotated[str, DecimalText()] | None = Field(
        default=None, description="What the account holds of the step's token, in whole tokens."
    )
    withdrawable: Annotated[str, DecimalText()] | None = Field(
        default=None, description="The most of the step's token that the owner could withdraw, in whole tokens."
    )
    shares: Annotated[int, Quantity(18)] | None = Field(default=None, description="The sender's pool shares.")
    quotes: dict[Annotated[str, Reference()], QuoteExpectModel] = Field(
        default_factory=dict, description="What feeds say, by name or id."
    )


def _describe_step(schema: dict[str, Any]) -> None:
    schema["oneOf"] = [{"required": [name]} for name in ACTION_KEYS]


class StepModel(FileModel):
    """One action at its time."""

    model_config = ConfigDict(json_schema_extra=_describe_step)

    at: Annotated[When, Moment()] = Field(description="Time since the start (1h30m) or a UTC time.")
    by: ActorField | None = Field(
        default=None, description="Who sends it. By default the account's owner, or the role that may."
    )
    deposit: DepositModel | None = None
    withdraw: WithdrawModel | None = None
    transfer: TransferModel | None = None
    create_isolated: CreateIsolatedModel | None = None
    set_operator: SetOperatorModel | None = None
    set_leverage_cap: SetLeverageCapModel | None = None
    trade: TradeModel | None = None
    close_all: CloseAllModel | None = None
    commit_order: CommitOrderModel | None = None
    settle_order: SettleOrderModel | None = None
    cancel_order: CancelOrderModel | None = None
    margin_call: MarginCallModel | None = None
    flag_account: FlagAccountModel | None = None
    liquidate: LiquidateModel | None = None
    liquidate_many: LiquidateManyModel | None = None
    deposit_to_pool: DepositToPoolModel | None = None
    request_redemption: RequestRedemptionModel | None = None
    claim_redemption: ClaimRedemptionModel | None = None
    buy_inventory: BuyInventoryModel | None = None
    fund_insurance: FundInsuranceModel | None = None
    set_risk: SetRiskModel | None = None
    set_market: SetMarketModel | None = None
    set_orders: SetOrdersModel | None = None
    set_collateral: SetCollateralModel | None = None
    pause_opening: PauseOpeningModel | None = None
    propose_admin: ProposeAdminModel | None = None
    accept_admin: AcceptAdminModel | None = None
    set_guardian: SetGuardianModel | None = None
    set_feed: SetFeedModel | None = None
    set_rate_feed: SetRateFeedModel | None = None
    set_node_feed: SetNodeFeedModel | None = None
    register_node: RegisterNodeModel | None = None
    poke_node: PokeNodeModel | None = None
    halt_node: HaltNodeModel | None = None
    reset_node: ResetNodeModel | None = None
    submit: SubmitModel | None = None
    update_price_feeds: UpdatePriceFeedsModel | None = None
    parse_price_feed_updates_unique: ParsePriceFeedUpdatesUniqueModel | None = None
    set_signers: SetSignersModel | None = None
    set_terms: SetTermsModel | None = None
    set_band: SetBandModel | None = None
    withdraw_fees: WithdrawFeesModel | None = None
    update: UpdateModel | None = None
    create_growth_cap: CreateGrowthCapModel | None = None
    set_snapshot: SetSnapshotModel | None = None
    advance: AdvanceModel | None = None
    push: PushModel | None = Field(
        default=None, description="New prices by feed; or a list of rounds, pushed exactly as it stands."
    )
    expect: StepExpectModel | None = Field(default=None, description="Without it, the step must succeed.")

    @classmethod
    def check_keys(cls, data: dict[str, Any]) -> None:
        """A step is one action."""
        found = [key for key in data if key in ACTION_KEYS]
        if not found:
            refuse("a step needs an action", f"one of: {', '.join(ACTION_KEYS)}")
        if len(found) > 1:
            refuse(f"a step is one action, this one has `{found[0]}` too", "make it two steps", found[1])

    @property
    def action_key(self) -> str:
        """The key of its action."""
        return next(key for key in ACTION_KEYS if getattr(self, key) is not None)

    @property
    def action(self) -> ActionModel | Mapping[str, str] | Sequence[RoundModel]:
        """Its action; a push is a mapping or a list."""
        found: ActionModel | Mapping[str, str] | Sequence[RoundModel] = getattr(self, self.action_key)
        return found


ACTION_KEYS = tuple(key for key in StepModel.model_fields if key not in {"at", "by", "expect"})


class AccountModel(FileModel):
    """A margin account."""

    story: ProseField = Field(default="", description="Whose it is and what for.")
    owner: ActorField | None = Field(default=None, description="The owner; by default, the account's name.")
    sub: Annotated[int, Integer(2**96)] = Field(default=0, description="Number among the owner's accounts.")


class DowntimeModel(FileModel):
    """When a keeper does nothing."""

    begin: Annotated[When, Moment()] = Field(alias="from", description="From this time on.")
    end: Annotated[When, Moment()] = Field(alias="until", description="Until this time, which is excluded.")


class KeeperModel(FileModel):
    """What holds a keeper up. Without any of it, the keeper takes whatever it may, a second after each round."""

    latency: Annotated[int, Duration()] = Field(default=0, description="How long after a round it sees it.")
    capacity: Annotated[int, Integer(MOST_MEMBERS + 1)] | None = Field(
        default=None, description="How many orders and accounts it takes after one round; by default all it finds."
    )
    downtime: tuple[DowntimeModel, ...] = Field(default=(), description="When it does nothing.")


def _keepers_form(value: Any) -> str | None:
    if isinstance(value, dict):
        return "terms"
    return "names" if isinstance(value, list) else None


KeepersModel = Annotated[
    Annotated[tuple[ActorField, ...], Tag("names")] | Annotated[dict[ActorField, KeeperModel], Tag("terms")],
    Discriminator(_keepers_form),
]


class EndAccountModel(FileModel):
    """What an account is at the end."""

    state: StateField | None = Field(default=None, description="Its state.")
    liquidated: Annotated[bool, Flag()] | None = Field(default=None, description="Whether it ever was liquidated.")
    cash: SignedField | None = Field(default=None, description="Its balance in USD.")


class EndModel(FileModel):
    """What the run leads to. Amounts are exact."""

    liquidations: Annotated[int, Integer()] | None = Field(default=None, description="How many.")
    refusals: Annotated[int, Integer()] | None = Field(default=None, description="Actions refused, expected or not.")
    bad_debt: Annotated[int, Quantity(18)] | None = Field(default=None, description="All bad debt of the run, USD.")
    insurance_fund: Annotated[int, Quantity(18)] | None = Field(default=None, description="The fund, USD.")
    pool_value: SignedField | None = Field(default=None, description="The pool's value, USD.")
    deficit: Annotated[int, Quantity(18)] | None = Field(default=None, description="Owed beyond the pool, USD.")
    accounts: dict[Annotated[str, ACCOUNT_NAME], EndAccountModel] = Field(
        default_factory=dict, description="Single accounts, by name."
    )


class ScenarioModel(FileModel):
    """A scenario of crossmargin. Numbers are decimals in human units, read exactly."""

    title: ProseField = Field(description="One line.")
    about: ProseField = Field(default="", description="What happens and why it is told.")
    params: ProseField = Field(description="A name under specs/params, or a path from this file.")
    tape: ProseField | None = Field(default=None, description="A name under specs/tapes, or a path from this file.")
    drives: dict[Annotated[str, FEED_NAME], tuple[Annotated[str, FEED_NAME], ...]] = Field(
        default_factory=dict,
        description="Which pushed feeds a column of the tape drives; by default, the one of its name.",
    )
    start: Annotated[int, UtcTime()] | None = Field(
        default=None, description="When it begins (UTC); by default, with the tape's first round."
    )
    insurance: Annotated[int, Quantity(6, limit=UNITS_LIMIT)] = Field(
        default=0, description="USDC in the insurance fund at the start, from `treasury`."
    )
    accounts: dict[Annotated[str, ACCOUNT_NAME], AccountModel] = Field(
        default_factory=dict, description="Margin accounts by name."
    )
    population: PopulationModel | None = Field(default=None, description="Accounts drawn from a seed, and their steps.")
    keepers: KeepersModel = Field(
        default=(), description="Who settles and liquidates after each round: names, or names with what holds each up."
    )
    price_response: PriceResponseField | None = Field(
        default=None, description="How liquidations move the prices pushed after them; 0 is not at all."
    )
    reporters: tuple[ReportersModel, ...] = Field(
        default=(), description="Who reports to medians and pull sources; each entry stands for steps."
    )
    steps: tuple[StepModel, ...] = Field(default=(), description="Actions in order of time.")
    expect: EndModel | None = Field(default=None, description="What must hold at the end.")
