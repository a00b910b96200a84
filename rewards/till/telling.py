"""What a till is told, as plain values: money as text with the currency's decimals."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from loyaltyflow.store.clock import store

from ..bill import Line, Off, Refusal, rounded
from ..claims import Claim
from ..earning import Earned
from ..ledger import Points
from .quote import Quote


def told(quote: Quote) -> dict[str, Any]:
    """Lines, codes, totals and what the bill earns."""
    ask = quote.ask
    customer = ask.customer
    who = {"id": customer.pk, "name": str(customer), "is_member": customer.belongs(ask.bill.at)} if customer else None
    return {
        "customer": who,
        "lines": [_line(line, quote) for line in ask.bill.lines],
        "codes": [_code(claim, off, quote) for claim, off in quote.taken],
        "refusals": [refusal(each) for each in quote.refusals],
        "totals": _totals(quote),
        "points_to_use": quote.points,
        "points_factor": f"{quote.factor.normalize():f}",
        **earning(quote.earned),
    }


def _line(line: Line, quote: Quote) -> dict[str, Any]:
    places = quote.ask.bill.places
    discount, by_points = quote.off_lines.get(line.number, 0), quote.by_points.get(line.number, 0)
    return {
        "number": line.number,
        "sku": line.sku,
        "name": line.name,
        "quantity": f"{line.quantity.normalize():f}",
        "amount": money(line.amount, places),
        "discount": money(discount, places),
        "paid_by_points": money(by_points, places),
        "net": money(line.amount - discount - by_points, places),
    }


def _code(claim: Claim, off: Off, quote: Quote) -> dict[str, Any]:
    return {
        "code": claim.code,
        "title": claim.discount.title,
        "amount": money(off.total, quote.ask.bill.places),
        "gift": off.gift,
        "points_factor": f"{off.factor.normalize():f}",
    }


def _totals(quote: Quote) -> dict[str, str]:
    bill = quote.ask.bill
    amounts = {
        "goods": bill.goods,
        "discount": quote.discount,
        "paid_by_points": quote.worth,
        "net": quote.net,
        "shipping": quote.left.shipping,
        "tax": quote.ask.tax,
        "to_pay": quote.to_pay,
    }
    return {name: money(amount, bill.places) for name, amount in amounts.items()} | {"currency": store().currency}


def earning(earned: tuple[Earned, ...]) -> dict[str, Any]:
    """What a bill earns, rule by rule."""
    rules = [{"rule": each.rule, "points": each.points, "explanation": each.explanation} for each in earned]
    return {"points_to_earn": sum(each.points for each in earned), "earning": rules}


def balance(account: Points) -> dict[str, int]:
    """What can be spent and what waits."""
    return {"active": account.spendable, "pending": account.pending}


def after(quote: Quote) -> dict[str, int] | None:
    """The balance if the bill is paid now; nothing without a customer."""
    if quote.ask.customer is None:
        return None
    waits = store().return_window_days > 0
    now, later = (0, quote.to_earn) if waits else (quote.to_earn, 0)
    account = quote.account
    active = account.active - quote.points + now
    return balance(replace(account, active=active, pending=account.pending + later))


def refusal(each: Refusal) -> dict[str, Any]:
    """Why something cannot be used."""
    return {"code": each.code, "reason": str(each.reason), "detail": each.detail, "current": dict(each.current)}


def money(amount: Decimal | int, places: int) -> str:
    """The amount with so many decimals."""
    return str(rounded(Decimal(amount), places))
