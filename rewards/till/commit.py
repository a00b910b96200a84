"""A purchase at a till: redeemed, written down and earned in one transaction."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

from loyaltyflow import planned
from loyaltyflow.store.models import Customer, Event, Order, Product
from loyaltyflow.store.templatetags.figures import money

from .. import earning, ledger
from ..bill import ZERO, Reason, Refusal, Refused
from ..earning import Earned
from ..holds import Hold
from ..programme import Programme
from ..receipts import Receipt
from ..redeeming import use
from . import telling
from .asking import Ask, locked_account
from .quote import Quote, earns, held, in_turn, price, vouchers
from .refunds import order_event, state, status

ORDER_COLUMNS = [
    *("customer_id", "source", "external_id", "placed_at", "completed_at"),
    *("net", "discount", "tax", "shipping", "discount_code", "channel", "store_location"),
]
# An order with its lines, and the events that tell of it.
WRITE = f"""
WITH made AS (
    INSERT INTO store_order ({", ".join(ORDER_COLUMNS)})
    VALUES ({", ".join(f"%({column})s" for column in ORDER_COLUMNS)}) RETURNING *
),
lines AS (
    INSERT INTO store_orderline (order_id, number, product_id, quantity, net, discount)
    SELECT made.id, line.* FROM made, unnest(%(numbers)s::int[], %(products)s::bigint[], %(quantities)s::numeric[],
        %(nets)s::numeric[], %(discounts)s::numeric[]) AS line
),
told AS (
    INSERT INTO store_event (name, customer_id, occurred_at, source, key, properties)
    SELECT event, customer_id, %(now)s, source, event || ':' || id, jsonb_build_object('order', id, 'net', net::text)
    FROM made, unnest(%(events)s::text[]) AS event ON CONFLICT DO NOTHING
)
SELECT id FROM made
"""
RECEIPT = "INSERT INTO rewards_receipt (order_id, asked, told, till, by_id) VALUES (%s, %s, %s::jsonb, %s, %s)"


@dataclass(frozen=True)
class Sale:
    """An order as it was written down, what the till is told of it, and the customer's account after it."""

    order: Order
    told: dict[str, Any]
    account: ledger.Points


def commit(ask: Ask, number: str, now: datetime, *, is_completed: bool = True) -> Sale:
    """The purchase of that number, with all that is redeemed and earned by it.

    Sent again it is the same, and one that was placed is completed if that is said now. Raises Refused, with nothing
    written, if any code or the points cannot be used, or if the number is another purchase's.
    """
    if ask.customer is None:
        raise Refused(Refusal("customer", Reason.NOT_FOUND, "A purchase needs a customer. Look them up first."))
    customer = locked_account(ask.customer)
    ask = replace(ask, customer=customer)
    before = planned.first(Order, "source = %s AND external_id = %s", [ask.source, number])
    if before is not None:
        return _again(before, ask, now, is_completed)
    hold = held(ask, now)
    priced = price(ask, vouchers(ask, for_update=True), hold, now)
    if priced.refusals:
        raise Refused(priced.refusals[0])
    order = _written(priced, customer.pk, number, now, is_completed)
    use(priced.taken, order, customer.pk, now, store_location=ask.bill.store_location, till=ask.till)
    _spend(priced, order, hold, now)
    earned = _earned(order, priced.factor, ask.programme, now) if is_completed else earns(priced, now)
    told = {**telling.told(priced), **telling.earning(earned)}
    by = ask.by.pk if ask.by else None
    planned.rows(RECEIPT, [order.pk, _digest(ask, customer.pk), json.dumps(told), ask.till, by])
    return _sale(order, told, now)


def _sale(order: Order, told: dict[str, Any], now: datetime) -> Sale:
    return Sale(order, told, ledger.spendable([order.customer_id], now)[order.customer_id])


def _written(priced: Quote, customer: int, number: str, now: datetime, is_completed: bool) -> Order:
    """The order with its lines, and the events that tell of it."""
    ask = priced.ask
    order = Order(
        customer_id=customer,
        source=ask.source,
        external_id=number,
        placed_at=now,
        completed_at=now if is_completed else None,
        net=priced.net,
        discount=priced.discount + priced.worth,
        tax=ask.tax,
        shipping=priced.left.shipping,
        discount_code=next((claim.code for claim, _off in priced.taken), ""),
        channel=ask.bill.channel,
        store_location=ask.bill.store_location,
    )
    events = ["order_placed", "order_completed"] if is_completed else ["order_placed"]
    known = {column: getattr(order, column) for column in ORDER_COLUMNS}
    [(order.pk,)] = planned.rows(WRITE, {**known, **_lines(priced), "events": events, "now": now})
    order._state.adding = False
    return order


def _lines(priced: Quote) -> dict[str, list[Any]]:
    """The columns of the order's lines."""
    lines, products = priced.ask.bill.lines, _products(priced.ask)
    off = [priced.off_lines[line.number] + priced.by_points.get(line.number, ZERO) for line in lines]
    return {
        "numbers": [line.number for line in lines],
        "products": [products[line.sku] for line in lines],
        "quantities": [line.quantity for line in lines],
        "nets": [line.amount - less for line, less in zip(lines, off, strict=True)],
        "discounts": off,
    }


def _products(ask: Ask) -> dict[str, int]:
    """The product of each SKU on the bill; those that are not known yet are made."""
    products = {line.sku: line.product for line in ask.bill.lines if line.product is not None}
    new = {line.sku: line.name for line in ask.bill.lines if line.product is None}
    if new:
        Product.objects.bulk_create((Product(sku=sku, name=new[sku]) for sku in sorted(new)), ignore_conflicts=True)
        products |= dict(Product.objects.filter(sku__any=list(new)).values_list("sku", "pk"))
    return products


def _tell(order: Order, names: Iterable[str], now: datetime) -> None:
    Event.objects.bulk_create((order_event(order, name, now) for name in names), ignore_conflicts=True)


def _spend(priced: Quote, order: Order, hold: Hold | None, now: datetime) -> None:
    """Take the points that are used, and end the till's hold: it has served."""
    if priced.points:
        ledger.redeem(
            order.customer_id,
            priced.points,
            key=f"redeem:{order.pk}",
            explanation=f"{priced.points:,} points for {money(priced.worth)} off {order}"[:200],
            now=now,
            order=order,
            by=priced.ask.by,
            hold=hold,
        )
    if hold is not None:
        Hold.objects.filter(pk=hold.pk, ended_at=None).update(ended_at=now)


def _earned(order: Order, factor: Decimal, programme: Programme, now: datetime) -> tuple[Earned, ...]:
    """What the completed order has earned."""
    return in_turn(earning.earn_one(order.pk, now, factor, programme))


def _again(order: Order, ask: Ask, now: datetime, is_completed: bool) -> Sale:
    """The purchase that was sent before, completed now if it was not."""
    receipt = getattr(order, "receipt", None)
    if receipt is None or not _is_the_same(receipt, ask):
        said = f"{order} is there already, and is another purchase. Take a new number for each."
        raise Refused(Refusal(order.external_id, Reason.NUMBER_TAKEN, said, state(order)))
    if status(order) in ("cancelled", "refunded"):
        said = f"{order} is {status(order)}. Sell again under a new number."
        raise Refused(Refusal(order.external_id, Reason.ORDER_CLOSED, said, state(order)))
    if is_completed and Order.objects.filter(pk=order.pk, completed_at=None).update(completed_at=now):
        order.completed_at = now
        _tell(order, ["order_completed"], now)
        factor = Decimal(receipt.told["points_factor"])
        receipt.told |= telling.earning(_earned(order, factor, ask.programme, now))
        earning.reverse(Order.objects.filter(pk=order.pk), now)  # what was paid back before it was completed
        receipt.save(update_fields=["told"])
    return _sale(order, receipt.told, now)


def _is_the_same(receipt: Receipt, ask: Ask) -> bool:
    """Whether the receipt is of this purchase, by the customer or by one who turned out to be them."""
    if ask.customer is None or receipt.asked == _digest(ask, ask.customer.pk):
        return ask.customer is not None
    merged = Customer.everyone.filter(merged_into=ask.customer).values_list("pk", flat=True)
    return receipt.asked in {_digest(ask, pk) for pk in merged}


def _digest(ask: Ask, customer: int) -> str:
    """What tells this purchase from another one, whenever and at whichever till it is sent."""
    bill = ask.bill
    lines = [(line.sku, f"{line.quantity.normalize():f}", f"{line.amount:.2f}") for line in bill.lines]
    whole = [customer, lines, f"{bill.shipping:.2f}", f"{ask.tax:.2f}", sorted(ask.codes), ask.points]
    return sha256(repr(whole).encode()).hexdigest()
