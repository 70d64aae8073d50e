"""Steps of governance."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from crossmargin.fields import Flag, Integer
from crossmargin.known import Known
from crossmargin.parameter_file import (
    EquityTierModel,
    HaircutModel,
    Haircuts,
    MarketModel,
    RiskModel,
    TierModel,
    UsdField,
    to_haircuts,
)
from crossmargin.quantities import write_decimal
from crossmargin.steps.base import ActionModel, AmountField, AnyAction, ReferenceField
from crossmargin.steps.pool import ClaimRedemptionModel
from crossmargin.yamltext import Loc
from protocol import actions
from protocol.params import CollateralParams, MarketParams, RiskParams


class SetRiskModel(ActionModel, RiskModel):
    """Replace the risk parameters."""

    sender = "admin"

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """All of them at once."""
        feed = 0 if self.usdc_feed is None else known.feed(self.usdc_feed, (*loc, "usdc_feed")) + 1
        return actions.SetRisk(self.to_record(feed))

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """The record's fields have the same names."""
        params: RiskParams = action.params
        values = {name: getattr(params, name) for name in cls.model_fields}
        values["usdc_feed"] = known.feed_text(params.usdc_feed - 1) if params.usdc_feed else None
        values["equity_tiers"] = tuple(
            EquityTierModel.model_construct(lower=row.lower, leverage=row.leverage) for row in params.equity_tiers
        )
        return cls.model_construct(**values)


class SetMarketModel(ActionModel, MarketModel):
    """List the next market or replace a market's parameters."""

    sender = "admin"
    market: ReferenceField = Field(description="The market, by name or id.")

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """All parameters at once."""
        feed = known.feed(self.feed, (*loc, "feed"))
        return actions.SetMarket(known.market(self.market, (*loc, "market")), self.to_record(feed))

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """Exact."""
        params: MarketParams = action.params
        values = {name: getattr(params, name) for name in MarketModel.model_fields if name not in {"feed", "tiers"}}
        return cls.model_construct(
            market=known.market_text(action.market),
            feed=known.feed_text(params.feed),
            tiers=tuple(
                TierModel.model_construct(lower=row.lower, mm=row.mm_rate, im=row.im_rate) for row in params.brackets
            ),
            **values,
        )


class SetCollateralModel(ActionModel):
    """List the next token as collateral or replace a collateral's parameters."""

    sender = "admin"
    token: ReferenceField = Field(description="The token, by name or id.")
    feed: ReferenceField = Field(description="The feed that prices it, by name or id.")
    decimals: Annotated[int, Integer()] = Field(description="Decimals of the token's units.")
    ceiling: UsdField = Field(description="USD at which maintenance counts one token while there is no price.")
    account_cap: AmountField = Field(description="Most that one account may hold, in whole tokens.")
    global_cap: AmountField = Field(description="Most that all may hold, in whole tokens.")
    haircuts: Haircuts = Field(description="Weights by value.")

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """All parameters at once."""
        feed = known.feed(self.feed, (*loc, "feed"))
        token = known.token(self.token, (*loc, "token"))
        params = CollateralParams(
            feed=feed,
            decimals=self.decimals,
            ceiling=self.ceiling,
            account_cap=known.units(self.account_cap, token, (*loc, "account_cap")),
            global_cap=known.units(self.global_cap, token, (*loc, "global_cap")),
            brackets=to_haircuts(self.haircuts),
        )
        return actions.SetCollateral(token, params)

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """Exact."""
        params: CollateralParams = action.params
        return cls.model_construct(
            token=known.token_text(action.token),
            feed=known.feed_text(params.feed),
            decimals=params.decimals,
            ceiling=params.ceiling,
            account_cap=write_decimal(params.account_cap, known.token_decimals(action.token)),
            global_cap=write_decimal(params.global_cap, known.token_decimals(action.token)),
            haircuts=tuple(
                HaircutModel.model_construct(lower=row.lower, mm=row.mm_weight, im=row.im_weight)
                for row in params.brackets
            ),
        )


class PauseOpeningModel(ActionModel):
    """Stop or resume the growth of positions."""

    sender = "admin"
    paused: Annotated[bool, Flag()] = Field(description="true stops, false resumes.")

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """The guardian may only stop."""
        return actions.PauseOpening(self.paused)

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """Exact."""
        return cls.model_construct(paused=action.paused)


class ProposeAdminModel(ActionModel):
    """Name the next admin, who must accept."""

    sender = "admin"
    admin: ReferenceField = Field(description="The actor, by name or address; 0 for nobody.")

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """Only the admin may."""
        return actions.ProposeAdmin(known.actor(self.admin, (*loc, "admin")))

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """By address."""
        return cls.model_construct(admin=hex(action.admin))


class AcceptAdminModel(ClaimRedemptionModel):
    """Become admin. Written `accept_admin: {}`."""

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """The sender was proposed."""
        return actions.AcceptAdmin()


class SetGuardianModel(ActionModel):
    """Name the guardian."""

    sender = "admin"
    guardian: ReferenceField = Field(description="The actor, by name or address; 0 for nobody.")

    def to_action(self, known: Known, loc: Loc) -> AnyAction:
        """Only the admin may."""
        return actions.SetGuardian(known.actor(self.guardian, (*loc, "guardian")))

    @classmethod
    def from_action(cls, action: Any, known: Known) -> ActionModel:
        """By address."""
        return cls.model_construct(guardian=hex(action.guardian))
