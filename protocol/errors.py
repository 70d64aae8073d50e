"""Why an action is refused. One class per reason; its code is the contract's revert string.

A refusal leaves the state as it was and may be caught. A broken invariant is a defect of the protocol and
has another base. Codes are at most 31 characters, ``area/reason``.
"""

from __future__ import annotations

from typing import ClassVar

REFUSALS: dict[str, type[Refusal]] = {}


class Refusal(Exception):
    """An action that the rules do not allow, with the numbers that decided it."""

    code: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        if len(cls.code) > 31 or "/" not in cls.code or cls.code in REFUSALS:
            raise TypeError(f"refusal code {cls.code!r} is malformed or taken")
        REFUSALS[cls.code] = cls

    def __init__(self, **facts: int) -> None:
        super().__init__(self.code)
        self.facts = facts

    def __str__(self) -> str:
        facts = ", ".join(f"{name} {value}" for name, value in self.facts.items())
        reason = (self.__doc__ or "").strip().splitlines()[0]
        return f"{self.code}: {reason}" + (f" ({facts})" if facts else "")


class InvariantBroken(AssertionError):
    """The state violates a statement of the specification: a defect, never a refusal."""


class OutOfDomain(Refusal):
    """A number lies outside the range the protocol stores."""

    code = "sys/domain"


class NotAdmin(Refusal):
    """Only the admin may do this."""

    code = "role/not-admin"


class NotPendingAdmin(Refusal):
    """Only the admin who was proposed may accept."""

    code = "role/not-pending"


class NotGuardian(Refusal):
    """Only the guardian or the admin may pause, and only the admin may unpause."""

    code = "role/not-guardian"


class NotPoster(Refusal):
    """Only the poster may push prices."""

    code = "role/not-poster"


class NotOwner(Refusal):
    """Only the owner of an account may act for it."""

    code = "account/not-owner"


class NotTrader(Refusal):
    """Only the owner of an account or its operator may trade for it."""

    code = "account/not-trader"


class OtherOwner(Refusal):
    """A transfer stays between accounts of one owner."""

    code = "account/other-owner"


class SelfTransfer(Refusal):
    """Source and target of a transfer are the same account."""

    code = "account/self-transfer"


class AccountExists(Refusal):
    """An account is isolated from its beginning or never."""

    code = "account/exists"


class IsolatedAccount(Refusal):
    """An isolated account holds only USDC and trades only its own market."""

    code = "account/isolated"


class NoPositions(Refusal):
    """The account has no position to close."""

    code = "account/no-positions"


class TooManyPositions(Refusal):
    """An account holds positions in at most sixteen markets."""

    code = "account/positions"


class UnknownAccount(Refusal):
    """The account does not exist: nothing was ever credited to it."""

    code = "account/unknown"


class NoOwner(Refusal):
    """The account has the zero address as its owner, so nobody could ever withdraw."""

    code = "account/no-owner"


class UnknownMarket(Refusal):
    """No market has this id."""

    code = "market/unknown"


class UnknownToken(Refusal):
    """No token has this id."""

    code = "token/unknown"


class ZeroAmount(Refusal):
    """The amount is zero."""

    code = "amount/zero"


class NotWholeLots(Refusal):
    """The size is not a multiple of the market's lot."""

    code = "market/lot"


class BelowMinimumNotional(Refusal):
    """The position would be left smaller than the market's minimum notional."""

    code = "market/min-notional"


class PremiumTooHigh(Refusal):
    """Growing the skew further would trade at more than the market's maximum premium."""

    code = "market/premium"


class SkewCapReached(Refusal):
    """The fill would grow the skew beyond the market's cap."""

    code = "market/skew-cap"


class OpenInterestCapReached(Refusal):
    """The fill would grow its side's open interest beyond the market's cap."""

    code = "market/oi-cap"


class OpeningPaused(Refusal):
    """The guardian has paused opening; reducing and closing stay possible."""

    code = "market/opening-paused"


class PriceNotAcceptable(Refusal):
    """The price with its impact, the balance after closing, or the cost is worse than the sender accepts."""

    code = "trade/price"


class CommitOnly(Refusal):
    """The market trades by committed orders only."""

    code = "order/commit-only"


class InstantOnly(Refusal):
    """The market trades at once and takes no orders."""

    code = "order/instant-only"


class OrderPending(Refusal):
    """The account has a pending order, and a further one, or less margin, could change what becomes of it."""

    code = "order/pending"


class FeeNotCovered(Refusal):
    """The account balance is smaller than the order's fee, which is never lent."""

    code = "order/fee"


class NoOrder(Refusal):
    """The account has no pending order in the market."""

    code = "order/none"


class OrderTooEarly(Refusal):
    """The order's delay is not over."""

    code = "order/too-early"


class OrderExpired(Refusal):
    """The order was not settled in time and can only be cancelled."""

    code = "order/expired"


class OrderNotExpired(Refusal):
    """The order can still be settled, so nobody may cancel it."""

    code = "order/not-expired"


class AccountCapReached(Refusal):
    """The account would hold more units of the token than one account may."""

    code = "token/account-cap"


class GlobalCapReached(Refusal):
    """The vault would hold more units of the token than it may."""

    code = "token/global-cap"


class NegativeCash(Refusal):
    """A withdrawal or a transfer may not leave the account balance below zero."""

    code = "vault/negative-cash"


class InsufficientCollateral(Refusal):
    """The account holds fewer units of the token."""

    code = "vault/insufficient-units"


class TransferFailed(Refusal):
    """The token contract failed or answered false. Only the contracts raise it: tokens are outside the model."""

    code = "token/transfer-failed"


class AmountMismatch(Refusal):
    """The token delivered another amount than it was asked for. Only the contracts raise it."""

    code = "token/amount-mismatch"


class InsufficientCash(Refusal):
    """The vault holds fewer tokens than the payout; profits of others are not yet paid in."""

    code = "vault/insufficient-cash"


class BelowInitialMargin(Refusal):
    """An action that adds risk must leave equity_im at or above the initial margin."""

    code = "margin/initial"


class BelowEquityTier(Refusal):
    """The account's equity supports less notional than it would hold."""

    code = "margin/equity-tier"


class NoMarginCall(Refusal):
    """The account is not in the margin-call zone."""

    code = "margin/no-call"


class JustCalled(Refusal):
    """The account was called less than an hour ago."""

    code = "margin/just-called"


class ReductionLowersHealth(Refusal):
    """A reduction must not lower equity_mm less maintenance margin, unless it closes a solvent account."""

    code = "margin/reduce"


class DebtCapReached(Refusal):
    """The account owes more than the debt cap, so it may not add risk."""

    code = "margin/debt-cap"


class NotLiquidatable(Refusal):
    """The account meets its maintenance margin."""

    code = "liq/not-liquidatable"


class AlreadyFlagged(Refusal):
    """The account is flagged and not yet well above maintenance."""

    code = "liq/flagged"


class WindowEmpty(Refusal):
    """The liquidation windows of the account's markets allow no further partial liquidation now."""

    code = "liq/rate-limit"


class SelfLiquidation(Refusal):
    """The sender's account 0, which the reward goes to, cannot be the one liquidated or called."""

    code = "liq/self"


class BatchTooLong(Refusal):
    """One call liquidates at most so many accounts."""

    code = "liq/batch"


class PoolReserved(Refusal):
    """The pool must keep what it lent to traders and what open interest reserves."""

    code = "pool/reserved"


class InsufficientShares(Refusal):
    """The sender has fewer pool shares."""

    code = "pool/insufficient-shares"


class NoRequest(Refusal):
    """No redemption was requested."""

    code = "pool/no-request"


class TooEarly(Refusal):
    """The redemption can be claimed only after its delay."""

    code = "pool/too-early"


class RequestExpired(Refusal):
    """The redemption was not claimed in its window and must be requested again."""

    code = "pool/expired"


class InsufficientInventory(Refusal):
    """The pool has fewer units of the token to sell."""

    code = "pool/inventory"


class PoolInDeficit(Refusal):
    """The pool owes traders more than it has; a new deposit would pay the past."""

    code = "pool/deficit"


class PoolWorthless(Refusal):
    """A share is worth less than a millionth of a dollar, so a deposit has no fair price."""

    code = "pool/no-value"


class NoShares(Refusal):
    """The deposit is too small to buy a single share unit."""

    code = "pool/no-shares"


class PriceUnavailable(Refusal):
    """A price the action needs was never pushed or its feed does not exist."""

    code = "oracle/unavailable"


class PriceNotPositive(Refusal):
    """A price the action needs is zero or negative."""

    code = "oracle/non-positive"


class PriceOutOfBounds(Refusal):
    """A price the action needs is larger than the protocol stores."""

    code = "oracle/out-of-bounds"


class PriceStale(Refusal):
    """A price the action needs is older than its feed allows."""

    code = "oracle/stale"


class PriceFuture(Refusal):
    """A price the action needs was published later than now."""

    code = "oracle/future"


class NoQuorum(Refusal):
    """Too few sources of a price the action needs are usable."""

    code = "oracle/no-quorum"


class PriceHalted(Refusal):
    """A price the action needs is halted by the guardian or by a breaker."""

    code = "oracle/halted"


class SequencerDown(Refusal):
    """The sequencer of the chain is reported down."""

    code = "oracle/sequencer-down"


class PriceDeviated(Refusal):
    """Two live sources of a price the action needs disagree."""

    code = "oracle/deviated"


class SequencerGrace(Refusal):
    """The sequencer of the chain has been back for less than its grace period."""

    code = "oracle/sequencer-grace"


class MarketClosed(Refusal):
    """The market of a price the action needs is closed."""

    code = "oracle/market-closed"


class PriceCapped(Refusal):
    """A price the action needs is held below its live rate by a cap."""

    code = "oracle/capped"


class PriceUncertain(Refusal):
    """A price the action needs has a wide spread, is near a bound, or is not confirmed by its reference."""

    code = "oracle/uncertain"


class UnknownFeed(Refusal):
    """No push feed has this id, or a new feed does not take the next free one."""

    code = "oracle/unknown-feed"


class UnknownRound(Refusal):
    """The round is not among the last 64 of the feed."""

    code = "oracle/unknown-round"


class NotFirstRound(Refusal):
    """The round is not the feed's first from the time asked for."""

    code = "oracle/not-first"


class MalformedPush(Refusal):
    """A push names at least one feed, each feed once, in ascending order, with one answer each."""

    code = "oracle/malformed-push"


class BadFeedConfig(Refusal):
    """A feed's decimals, max_age or kind is not allowed, or a rate feed does not name two push feeds."""

    code = "oracle/config"


class BadRiskConfig(Refusal):
    """A number of the risk parameters is outside its range, or none were ever set."""

    code = "config/risk"


class BadBrackets(Refusal):
    """Brackets start at zero, rise strictly, and number one to eight."""

    code = "config/brackets"


class BadMarginRates(Refusal):
    """Margin rates rise strictly, stay within 100 %, and leave room for what a liquidation costs."""

    code = "config/margin-rates"


class BadFundingConfig(Refusal):
    """Funding's cap is at most 100 % a day, its speeds at most 1,000 % a day per day, its dead band the scale."""

    code = "config/funding"


class BadEquityTiers(Refusal):
    """Equity tiers have leverages of at least 1 that never rise."""

    code = "config/equity-tiers"


class PhaseInProgress(Refusal):
    """A change of maintenance parameters waits for the one before to be phased in."""

    code = "config/phase-in"


class BadHaircuts(Refusal):
    """Haircut weights never rise, IM at most MM, the sale discount leaves room for them, and caps are in range."""

    code = "config/haircuts"


class BadMarketConfig(Refusal):
    """A market's lot, minimum notional, fees, caps, skew scale, window or open-interest bounds are out of range."""

    code = "config/market"


class BadOrderConfig(Refusal):
    """Rules of a market's orders are out of range, or ask for more when an order is cancelled than it has paid."""

    code = "config/orders"


class BadListing(Refusal):
    """A new market or token takes the next free id; feed, decimals and whole lots of a listed one never change."""

    code = "config/listing"
