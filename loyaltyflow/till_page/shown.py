"""What the page shows of a sale: who, what fits the bill, what it comes to, and what was done here."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from analytics.links import rows_of
from loyaltyflow.store.clock import store
from loyaltyflow.store.models import Order
from rewards import till
from rewards.bill import Bill, Refusal, Refused
from rewards.checks import must_be_allowed, taken_off
from rewards.claims import Claim, claims
from rewards.facts import facts
from rewards.models import Notice
from rewards.till import telling

from . import rewarding
from .after import After
from .sale import SOURCE, Line, Place, Sale

DONE = 4
UNREACHED = (Notice.Exemption.NO_ADDRESS, Notice.Exemption.SUPPRESSED, Notice.Exemption.NOT_SENT)
RECENT = timedelta(hours=12)
EXPIRING = timedelta(days=30)  # before that it is said which points expire first


@dataclass(frozen=True, slots=True)
class Own:
    """A voucher of the customer: on this bill, or why it does not fit it."""

    voucher: Any
    title: str
    is_on: bool
    refusal: Refusal | None


def context(after: After, place: Place, now: datetime) -> dict[str, Any]:
    """All that the sale's part of the page needs."""
    sale = after.sale
    about: dict[str, Any] = {"after": after, "said": after.said, "place": place, "done": _done(place, now)}
    about["all_link"] = rows_of(Order, source__exact=SOURCE)
    try:
        ask = sale.ask(place, now)
    except Refused:
        sale = sale.with_(customer=None, codes=(), points=0, hold="")
        ask = sale.ask(place, now)
    person = till.look_up(ask.customer, now) if ask.customer else None
    quoted = till.quote(ask, now) if sale.is_priced else None
    if quoted:
        about |= _quoted(quoted, sale)
    points = [each for each in quoted.refusals if each.code == "points"] if quoted else []
    if quoted and not points and quoted.points != sale.points:
        sale = sale.with_(points=quoted.points)
    about |= rewarding.shown(person, sale, now) if person else {}
    return about | {
        "sale": sale,
        "lines": _lines(sale, quoted),
        "person": person,
        "unreached": _unreached(person) if person else "",
        "is_member": bool(person and person.customer.belongs(now)),
        "expiring": _expiring(person, now) if person else None,
        "own": _own(person, ask.bill if sale.is_priced else None, quoted, now) if person else [],
        "quote": quoted,
        "worth": sale.points * store().point_value,
        "points_refused": points[0] if points else None,
        "may_complete": bool(quoted and not quoted.refusals and person and not sale.unread),
    }


def _quoted(quoted: till.Quote, sale: Sale) -> dict[str, Any]:
    """What comes off, what is refused, and the balance afterwards."""
    return {
        "taken": [
            {"code": claim.code, "title": claim.discount.title, "off": off.total, "gift": off.gift}
            for claim, off in quoted.taken
        ],
        "codes_refused": [each for each in quoted.refusals if each.code != "points"],
        "after_it": telling.after(quoted),
        "exact": f"{quoted.to_pay:.2f}",
    }


def _lines(sale: Sale, quoted: till.Quote | None) -> list[tuple[Line, Any]]:
    """Each line with what codes take off it."""
    off = quoted.off_lines if quoted else {}
    return [(line, off.get(number)) for number, line in enumerate(sale.lines, 1)]


def _own(person: till.Person, bill: Bill | None, quoted: till.Quote | None, now: datetime) -> list[Own]:
    """The customer's vouchers, each with what is missing on this bill; the statements do not grow with their number."""
    on = {claim.voucher.pk for claim, _off in quoted.taken if claim.voucher} if quoted else set()
    if bill is None:
        return [Own(each.voucher, each.title, False, each.refusal) for each in person.vouchers]
    asked = claims(each.voucher for each in person.vouchers)
    known = facts(asked, None, person.customer.pk, store().local(now))
    return [
        Own(claim.voucher, claim.discount.title, claim.voucher.pk in on, _against(claim, bill, known))
        for claim in asked
        if claim.voucher
    ]


def _against(claim: Claim, bill: Bill, known: Any) -> Refusal | None:
    """What is against the claim on the bill, were it alone."""
    try:
        must_be_allowed(claim, bill, known)
        taken_off(claim, bill, known.funds)
    except Refused as refused:
        return refused.refusal
    return None


def named(by: Any) -> str:
    """What one of staff is called; empty if nobody is known."""
    return str(by.get_full_name() or by.get_username()) if by else ""


def _expiring(person: till.Person, now: datetime) -> tuple[int, date] | None:
    """So many points that expire first, and the last day to spend them; None if that is far away."""
    soon = store().local(now).date() + EXPIRING
    return next((each for each in person.expiring if each[1] < soon), None)


def _unreached(person: till.Person) -> str:
    """Why the last movement of the customer's points could not be told to them; empty if it could."""
    last = Notice.objects.filter(entry__customer=person.customer).order_by("-entry").first()
    return last.get_exemption_display() if last and last.exemption in UNREACHED else ""


def _done(place: Place, now: datetime) -> list[dict[str, Any]]:
    """The last sales at this till, with what they came to; found by when they were completed, as there is an index."""
    orders = Order.objects.filter(source=SOURCE, completed_at__gte=now - RECENT, receipt__till=place.till)
    here = orders.filter(store_location=place.store).select_related("customer", "receipt__by")
    return [
        {
            "order": each,
            "paid": Decimal(each.receipt.told["totals"]["to_pay"]),
            "earned": each.receipt.told["points_to_earn"],
            "by": named(each.receipt.by),
            "is_undone": each.cancelled_at is not None,
        }
        for each in here.order_by("-completed_at", "-pk")[:DONE]
    ]
