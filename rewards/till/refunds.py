"""What is paid back of an order, and orders that are cancelled: earned points go, redeemed ones may come back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Sum

from loyaltyflow.store.clock import store
from loyaltyflow.store.models import Event, Order, OrderLine, Refund

from .. import ledger
from ..bill import ZERO, Reason, Refusal, Refused, rounded, smallest_coin
from ..earning import reverse
from ..points import Entry
from ..programme import Programme
from ..vouchers import Redemption
from . import restoring


@dataclass(frozen=True, slots=True)
class Part:
    """So many, or so much, of one line of an order; without either all that is left of it."""

    number: int
    quantity: Decimal | None = None
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Undone:
    """What a refund, or the cancelling of an order, came to."""

    order: Order
    number: str  # of the refund; empty: the order was cancelled
    amount: Decimal
    taken_back: int
    given_back: int
    codes: tuple[str, ...]
    account: ledger.Points


def refund(
    order_number: str,
    number: str,
    now: datetime,
    *,
    parts: Sequence[Part] = (),
    amount: Decimal | None = None,
    source: str = "till",
) -> Undone:
    """What the refund of that number came to: of the parts, of the amount, or without both of all that is left.

    Asked for again it is the same, and nothing is paid back twice. Raises Refused if there is no such order, if it is
    more than is left of it, or if the number is another refund's.
    """
    order = locked(order_number, source)
    known = list(Refund.objects.filter(order=order, external_id=number))
    if known:
        _must_be_the_same(order, known, parts, amount)
        return _undone(order, number, known[0].at, sum((each.amount for each in known), ZERO), now)
    if order.cancelled_at:
        raise Refused(Refusal(order.external_id, Reason.ORDER_CLOSED, f"{order} was cancelled.", state(order)))
    pieces = _pieces(order, parts, amount)
    total = sum((piece for _, piece in pieces), ZERO)
    _pay_back(order, pieces, total, number, now)
    reverse(Order.objects.filter(pk=order.pk), now)
    if order.net == 0 or Programme.load().restores_partly:
        restoring.restore(order, restoring.returned(order), now)
    return _undone(order, number, now, total, now)


def _pay_back(
    order: Order, pieces: Sequence[tuple[int | None, Decimal]], total: Decimal, number: str, now: datetime
) -> None:
    """Write down the refund of these amounts, by line; raises Refused if it is more than is left of the order."""
    left = order.net - order.refunded
    if total > left or (total <= 0 and order.net != 0) or order.refunded_at:
        raise Refused(_too_much(order, total, left))
    Refund.objects.bulk_create(
        Refund(order=order, line=line, amount=piece, at=now, external_id=number) for line, piece in pieces
    )
    is_whole = total == left and (order.net > 0 or restoring.is_all_returned(order))
    order.refunded, order.refunded_at = order.refunded + total, now if is_whole else order.refunded_at
    order.save(update_fields=["refunded", "refunded_at"])
    _tell(order, now, "order_refunded")


def cancel(order_number: str, now: datetime, *, source: str = "till", by: Any = None) -> Undone:
    """What cancelling the order came to: all that it earned is taken back, all that was redeemed on it comes back.

    Asked for again it is the same; of an order that an import said was cancelled, what was redeemed comes back now.
    Raises Refused if there is no such order.
    """
    order = locked(order_number, source)
    if order.cancelled_at is None:
        order.cancelled_at = now
        order.save(update_fields=["cancelled_at"])
        _tell(order, now, "order_cancelled")
        reverse(Order.objects.filter(pk=order.pk), now, by)
    came_back = restoring.restore(order, restoring.WHOLE, now, by)
    return _undone(order, "", now if came_back else order.cancelled_at, ZERO, now)


def locked(number: str, source: str) -> Order:
    """The order of that number, its customer's account and itself kept from others; raises Refused if there is none."""
    customer = Order.objects.filter(source=source, external_id=number).values_list("customer", flat=True).first()
    if customer is None:
        raise Refused(Refusal(number, Reason.NOT_FOUND, f"There is no order {number}. Look at the number again."))
    ledger.lock([customer])
    order = Order.objects.select_for_update().get(source=source, external_id=number)
    ledger.lock([order.customer_id])  # it may have come to somebody else meanwhile
    return order


def _must_be_the_same(order: Order, known: list[Refund], parts: Sequence[Part], amount: Decimal | None) -> None:
    """Raise Refused if a refund of that number was of something else, as far as what is asked for says of what."""
    paid = {each.line: each.amount for each in known}
    asked: dict[int | None, Decimal | None] = {} if parts else {None: amount}
    for part in parts:
        before = asked.get(part.number, ZERO)
        asked[part.number] = None if before is None or part.amount is None else before + part.amount
    asked = {line: wanted for line, wanted in asked.items() if wanted is None or wanted or line in paid}
    is_as_asked = all(paid.get(line) == wanted for line, wanted in asked.items() if wanted is not None)
    if not is_as_asked or not paid.keys() <= asked.keys():
        number, total = known[0].external_id, sum(paid.values(), ZERO)
        detail = f"Refund {number} of {order} is there already, of {total}. Take a new number for each."
        raise Refused(Refusal(number, Reason.NUMBER_TAKEN, detail, {**state(order), "amount": str(total)}))


def _pieces(order: Order, parts: Sequence[Part], amount: Decimal | None) -> list[tuple[int | None, Decimal]]:
    """How much is paid back for which line (None: for the order as a whole)."""
    if order.net == 0 and not amount and not any(part.amount for part in parts):
        return restoring.lines_of_nothing(order, [(part.number, _is_all(order, part)) for part in parts])
    if not parts:
        return [(None, order.net - order.refunded if amount is None else amount)]
    lines = {line.number: line for line in OrderLine.objects.filter(order=order)}
    paid = Refund.objects.filter(order=order, line__isnull=False).order_by().values("line")
    back = dict(paid.annotate(sum=Sum("amount")).values_list("line", "sum"))
    pieces: dict[int | None, Decimal] = {}
    for part in parts:
        line = lines.get(part.number)
        if line is None:
            raise Refused(Refusal(f"line {part.number}", Reason.NOT_FOUND, f"{order} has no line {part.number}."))
        left = line.net - back.get(part.number, ZERO) - pieces.get(part.number, ZERO)
        piece = _piece(part, line, left)
        if piece > left:
            raise Refused(_too_much(order, piece, left, part.number))
        pieces[part.number] = pieces.get(part.number, ZERO) + piece
    return [(number, piece) for number, piece in pieces.items() if piece]


def _is_all(order: Order, part: Part) -> bool:
    """Whether the part is no less than the line."""
    return (
        part.quantity is None
        or OrderLine.objects.filter(order=order, number=part.number, quantity=part.quantity).exists()
    )


def _piece(part: Part, line: OrderLine, left: Decimal) -> Decimal:
    if part.amount is not None:
        return part.amount
    if part.quantity is None:
        return left
    if part.quantity > line.quantity:
        return line.net + 1  # more than there ever was
    exact = line.net * part.quantity / line.quantity
    return min(rounded(exact, smallest_coin(store().currency)), left) if left else exact


def _too_much(order: Order, asked: Decimal, left: Decimal, line: int | None = None) -> Refusal:
    of = f"line {line} of {order}" if line else str(order)
    detail = f"Of {of} {left} can still be paid back, not {asked}."
    return Refusal(order.external_id, Reason.REFUND_TOO_LARGE, detail, {**state(order), "left": str(left)})


def state(order: Order) -> dict[str, str]:
    """How an order stands, as a refusal tells it."""
    return {"status": status(order), "net": str(order.net), "refunded": str(order.refunded)}


def status(order: Order) -> str:
    """How far the order is."""
    if order.cancelled_at:
        return "cancelled"
    if order.refunded_at:
        return "refunded"
    return "completed" if order.completed_at else "placed"


def _tell(order: Order, now: datetime, name: str) -> None:
    """The event, once for the order, and another one each time that makes segments judge the customer again."""
    again = order_event(order, "order_updated", now)
    again.key = f"order_updated:{order.pk}:{order.customer_id}:{now.isoformat()}"
    Event.objects.bulk_create([order_event(order, name, now), again], ignore_conflicts=True)


def order_event(order: Order, name: str, now: datetime) -> Event:
    """What happened to the order, as the intake of orders tells it."""
    return Event(
        name=name,
        customer_id=order.customer_id,
        occurred_at=now,
        source=order.source,
        key=f"{name}:{order.pk}",
        properties={"order": order.pk, "net": str(order.net)},
    )


def _undone(order: Order, number: str, at: datetime, amount: Decimal, now: datetime) -> Undone:
    """What was done at that moment, with the customer's account as it is now."""
    moved = Entry.objects.filter(order=order, occurred_at=at).order_by().values("kind")
    points = dict(moved.annotate(sum=Sum("points")).values_list("kind", "sum"))
    codes = Redemption.objects.filter(order=order, reversed_at=at, voucher__isnull=False).order_by("pk")
    return Undone(
        order,
        number,
        amount,
        -points.get(Entry.Kind.REFUND_REVERSAL, 0),
        points.get(Entry.Kind.REDEEM_REVERSAL, 0),
        tuple(codes.values_list("voucher__code", flat=True)),
        ledger.spendable([order.customer_id], now)[order.customer_id],
    )
