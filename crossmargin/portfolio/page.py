"""A measured book as a page a person reads."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from crossmargin.portfolio.capital import Capital
from crossmargin.portfolio.measure import Closing, Measure, Row
from crossmargin.text import decimal, dollars
from protocol.account_state import AccountState
from protocol.errors import Refusal
from protocol.state import USDC
from protocol.units import USDC_TO_W, Price, Size, Units

WIDTH = 118
MEANING = {
    AccountState.BANKRUPT: "account value below 0",
    AccountState.BACKSTOP: "far below maintenance margin: a liquidation closes everything",
    AccountState.LIQUIDATABLE: "below maintenance margin: a liquidation closes what is needed",
    AccountState.MARGIN_CALL: "close to maintenance margin: anyone may announce it",
    AccountState.RESTRICTED: "below initial margin or equity tier: no new risk, no withdrawal",
    AccountState.HEALTHY: "the test of no other state holds",
}


def render(measure: Measure) -> str:
    """The page."""
    params = measure.book.params
    lines = [
        measure.book.title or measure.book.name,
        f"parameter set {params.name}, version {params.version}; dollars are cut to the cent, prices to six decimals",
        *(f"assumed: {text}" for text in measure.book.assumed),
        "",
        *_tell_prices(measure),
        "",
        *_tell_account(measure),
        "",
        *_tell_holdings(measure),
        *_tell_orders(measure),
        *_tell_capital(measure),
        *_tell_rows(measure),
    ]
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"


def _tell_prices(measure: Measure) -> Iterator[str]:
    yield f"{'Prices':<14}{'bid':>16}{'price':>16}{'ask':>16}"
    for spec, quote in zip(measure.book.params.feeds, measure.book.env.quotes, strict=True):
        if quote.mid:
            yield f"  {spec.name:<12}{_price(quote.bid):>16}{_price(quote.mid):>16}{_price(quote.ask):>16}"


def _tell_account(measure: Measure) -> Iterator[str]:
    standing = measure.now.standing
    health = standing.health
    yield "Account"
    for name, amount in (
        ("account balance", measure.book.account.cash),
        ("account value (equity_raw)", health.equity_raw),
        ("equity_mm", health.equity_mm),
        ("maintenance margin (MM)", health.maintenance_margin),
        ("equity_im", health.equity_im),
        ("initial margin (IM)", health.initial_margin),
        ("asked by the equity tiers", standing.required),
        ("keeper reserve, part of MM and IM", health.reserve),
        ("gross notional", health.gross_notional),
    ):
        yield f"  {name:<36}{dollars(amount):>18}"
    yield f"  {'state':<36}{standing.state.name:>18}  {MEANING[standing.state]}"
    most = ", ".join(_units(measure, token, units) for token, units in measure.withdrawable.items())
    yield f"  withdrawable now, each alone: {most}"


def _tell_holdings(measure: Measure) -> Iterator[str]:
    if measure.holdings:
        yield (
            f"{'Positions':<13}{'size':>14}{'notional':>18}{'profit':>16}{'MM':>14}{'IM':>14}"
            f"{'liquidated at':>15}{'bankrupt at':>14}"
        )
        for market, held in measure.holdings.items():
            yield (
                f"  {measure.book.market(market):<11}{_size(held.position.size):>14}{dollars(held.notional):>18}"
                f"{dollars(held.pnl):>16}{dollars(held.maintenance_margin):>14}{dollars(held.initial_margin):>14}"
                f"{_end(held.liquidation_price):>15}{_end(held.bankruptcy_price):>14}"
            )
        yield ""
    if measure.pledges:
        yield f"{'Collateral':<13}{'units':>14}{'value':>18}{'in equity_mm':>16}{'in equity_im':>14}"
        for token, pledge in measure.pledges.items():
            units = decimal(pledge.units, measure.book.params.tokens[token].decimals, 0, grouped=True)
            yield (
                f"  {measure.book.token(token):<11}{units:>14}{dollars(pledge.value):>18}{dollars(pledge.mm_value):>16}"
                f"{dollars(pledge.im_value):>14}"
            )
        yield ""


def _tell_orders(measure: Measure) -> Iterator[str]:
    yield f"{'Largest further order':<22}{'size':>13}{'notional':>16}  what refuses more"
    for order in measure.orders:
        name = f"{'buy' if order.is_long else 'sell'} {measure.book.market(order.market)}"
        told = f"{order.limit} ({order.rule}): {_size(order.refused)} would mean {order.reason}"
        first, *more = wrap(told, WIDTH - 53)
        yield f"  {name:<20}{_size(order.size):>13}{dollars(order.notional):>16}  {first}"
        yield from (f"{'':<55}{line}" for line in more)
    yield ""


def _tell_capital(measure: Measure) -> Iterator[str]:
    if not measure.holdings:
        return
    yield f"{'Least USDC for this book':<36}{'one cross account':>18}{'isolated accounts':>18}{'difference':>16}"
    if isinstance(measure.opening, Refusal):
        yield f"  to open it now: {measure.opening.code}"
    else:
        yield _capital_line("to open it now", measure.opening)
    for row in (measure.now, *measure.rows):
        yield _capital_line(f"to hold it {_where(measure, row)}", row.holding)
    yield from wrap(compare(measure), WIDTH, initial_indent="  ", subsequent_indent="  ")
    yield ""


def _capital_line(name: str, capital: Capital) -> str:
    difference = dollars((capital.total - capital.cross) * USDC_TO_W, signed=True)
    return f"  {name:<34}{_usdc(capital.cross):>18}{_usdc(capital.total):>18}{difference:>16}"


def compare(measure: Measure) -> str:
    """What it is worth to have the book in one account, where that is worth most, and what it costs."""
    count = len(measure.holdings)
    if count == 1:
        return "With one position there is nothing to share: both ways are the same."
    row = max((measure.now, *measure.rows), key=lambda row: row.holding.total - row.holding.cross)
    saved = row.holding.total - row.holding.cross
    reserve = (count - 1) * row.standing.health.reserve // USDC_TO_W
    told = [f"One account holds the book {_where(measure, row)} with {_usdc(saved)} USDC less."]
    if saved == 0:
        told = ["Either way the book needs nothing to be held."]
    if saved > reserve:
        told.append(
            f"Of that {_usdc(reserve)} is the keeper reserve, held once, and {_usdc(saved - reserve)} is profit of one "
            "market that stands behind losses of another."
        )
    opening = measure.opening
    if isinstance(opening, Capital) and opening.cross > opening.total:
        dearer = _usdc(opening.cross - opening.total)
        told.append(f"To open it one account needs {dearer} more: the equity tiers ask more of a larger one.")
    told.append("Isolated, a loss beyond the USDC of its own account takes nothing from the other markets.")
    return " ".join(told)


def _where(measure: Measure, row: Row) -> str:
    return "now" if row is measure.now else f"at {row.text}"


def _tell_rows(measure: Measure) -> Iterator[str]:
    if not measure.rows:
        return
    yield (
        f"{'If prices were':<22}{'account value':>16}{'equity_mm':>16}{'MM':>14}{'equity_im':>16}{'IM':>14}"
        f"  {'state':<12}"
    )
    for row in (measure.now, *measure.rows):
        health = row.standing.health
        yield (
            f"  {row.text:<20}{dollars(health.equity_raw):>16}{dollars(health.equity_mm):>16}"
            f"{dollars(health.maintenance_margin):>14}{dollars(health.equity_im):>16}{dollars(health.initial_margin):>14}"
            f"  {row.standing.state.name:<12}"
        )
        if row is not measure.now:
            yield from wrap(_moved(measure, row), WIDTH, initial_indent="    ", subsequent_indent="    ")
        if row.closing:
            told = f"a liquidation closes {_closing(measure, row.closing)}"
            yield from wrap(told, WIDTH, initial_indent="    ", subsequent_indent="    ")


def _moved(measure: Measure, row: Row) -> str:
    """The prices of a row that differ from the present ones."""
    feeds = zip(measure.book.params.feeds, measure.book.env.quotes, row.env.quotes, strict=True)
    return ", ".join(f"{spec.name} {_price(quote.mid)}" for spec, before, quote in feeds if quote != before)


def _closing(measure: Measure, closing: Closing) -> str:
    closed = ", ".join(
        f"{'long' if size > 0 else 'short'} {_size(abs(size))} {measure.book.market(market)}"
        for market, size in closing.closed.items()
    )
    sold = ", ".join(_units(measure, token, units) for token, units in closing.sold.items())
    report = closing.report
    costs = f"reward {dollars(report.reward)}, penalty {dollars(report.penalty)}, bad debt {dollars(report.bad_debt)}"
    return f"{closed or 'nothing'}{f' and sells {sold}' if sold else ''}; {costs}"


def _units(measure: Measure, token: int, units: Units) -> str:
    spec = measure.book.params.tokens[token]
    if token == USDC:
        return f"{_usdc(units)} {spec.name}"
    return f"{decimal(units, spec.decimals, 0, grouped=True)} {spec.name}"


def _usdc(units: Units) -> str:
    """USDC units to the cent, cut."""
    return dollars(units * USDC_TO_W)


def _size(size: Size) -> str:
    return decimal(size, places=0, grouped=True)


def _price(price: Price) -> str:
    return decimal(price // 10**12, 6, grouped=True)


def _end(price: Price) -> str:
    return _price(price) if price else "none"
