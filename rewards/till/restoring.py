"""What comes back of the points and vouchers that paid for an order, as far as it is returned."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db.models import Sum

from loyaltyflow.store.models import Order, OrderLine, Refund

from .. import ledger
from ..bill import ZERO, Reason, Refusal, Refused
from ..points import Entry
from ..receipts import Receipt
from ..redeeming import undone
from ..vouchers import Redemption

WHOLE = Fraction(1)


def restore(order: Order, share: Fraction, now: datetime, by: Any = None) -> bool:
    """Whether anything came back: that share of the points that were spent on the order, as far as they had not yet.

    Vouchers can be used again when the whole of it is returned: there is no half of a voucher.
    """
    came_back = False
    for spent in Entry.objects.filter(order=order, kind=Entry.Kind.REDEEM):
        given = Entry.objects.filter(reverses=spent, kind=Entry.Kind.REDEEM_REVERSAL)
        due, before = int(-spent.points * share), given.aggregate(sum=Sum("points", default=0))["sum"]
        if due > before:
            key, said = f"give_back:{spent.pk}:{due}", f"Given back, as {order} was returned"[:200]
            ledger.give_back(spent, key=key, now=now, points=due - before, explanation=said, by=by)
            came_back = True
    if share == WHOLE:
        came_back |= bool(undone(Redemption.objects.standing().filter(order=order), now))
    return came_back


def returned(order: Order) -> Fraction:
    """The share of the order that was returned: of its money or, if points and vouchers paid all, of its lines."""
    if order.refunded_at is not None:
        return WHOLE
    if order.net:
        return Fraction(order.refunded) / Fraction(order.net)
    paid = _paid_by_points(order)
    back = set(Refund.objects.filter(order=order).values_list("line", flat=True))
    total = sum(paid.values(), ZERO)
    return (
        Fraction(sum((paid.get(line, ZERO) for line in back if line), ZERO)) / Fraction(total) if total else Fraction(0)
    )


def lines_of_nothing(order: Order, lines: Sequence[tuple[int, bool]]) -> list[tuple[int | None, Decimal]]:
    """The refunds, of no money, of lines of an order for which none was paid; without lines that of all of it.

    `lines` says of each whether all of it is returned, as it has to be. Raises Refused if any cannot be.
    """
    numbers = set(OrderLine.objects.filter(order=order).values_list("number", flat=True))
    back = set(Refund.objects.filter(order=order).values_list("line", flat=True))
    for number, is_all in lines:
        if number not in numbers:
            raise Refused(Refusal(f"line {number}", Reason.NOT_FOUND, f"{order} has no line {number}."))
        if number in back or not is_all:
            said = "was returned already" if number in back else "was not paid with money: return all of it"
            detail = f"Line {number} of {order} {said}."
            raise Refused(Refusal(order.external_id, Reason.REFUND_TOO_LARGE, detail, {"left": "0.00"}))
    return [(number, ZERO) for number in dict.fromkeys(number for number, _ in lines)] or [(None, ZERO)]


def is_all_returned(order: Order) -> bool:
    """Whether every line of an order for which no money was paid, or all of it at once, is returned."""
    back = set(Refund.objects.filter(order=order).values_list("line", flat=True))
    lines = set(OrderLine.objects.filter(order=order).values_list("number", flat=True))
    return None in back or lines <= back


def _paid_by_points(order: Order) -> dict[int, Decimal]:
    """What points paid of each line, as the till was told."""
    receipt = Receipt.objects.filter(order=order).first()
    return {line["number"]: Decimal(line["paid_by_points"]) for line in receipt.told["lines"]} if receipt else {}
