"""What a till asks about."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.contrib.auth.models import User

from loyaltyflow import planned
from loyaltyflow.store.clock import store
from loyaltyflow.store.models import Customer

from .. import ledger
from ..bill import ZERO, Bill, Line, Reason, Refusal, Refused, smallest_coin
from ..codes import key
from ..programme import Programme

SOLD = "SELECT sku, id, name, category, brand FROM store_product WHERE sku = ANY(%s)"
WHO_IT_IS = "id = (SELECT coalesce(merged_into_id, id) FROM store_customer WHERE id = %s)"


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a bill as a till tells it. The amount is for all of the quantity, without tax, before discounts."""

    sku: str
    quantity: Decimal
    amount: Decimal
    name: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """A bill, who pays it, with which codes and points, which till asks, and by which programme it is judged.

    `source` is the system of the till, in which orders and holds have their numbers; `hold` is such a number.
    Who sells (`by`) is known at the Till page only.
    """

    bill: Bill
    programme: Programme
    customer: Customer | None = None
    codes: tuple[str, ...] = ()
    points: int = 0
    tax: Decimal = ZERO
    source: str = "till"
    till: str = ""
    hold: str = ""
    by: User | None = None


def ask(
    items: Iterable[Item],
    now: datetime,
    *,
    customer: int | None = None,
    codes: Iterable[str] = (),
    points: int = 0,
    tax: Decimal = ZERO,
    shipping: Decimal = ZERO,
    channel: str = "till",
    store_location: str = "",
    source: str = "till",
    till: str = "",
    hold: str = "",
    by: User | None = None,
) -> Ask:
    """What is asked, with what is known of products and customer; raises Refused if there is no such customer."""
    places = smallest_coin(store().currency)
    bill = Bill(tuple(lines_of(list(items))), now, shipping, store_location, channel, places=places)
    said = tuple({key(code): code for code in codes}.values())
    return Ask(bill, Programme.load(), person(customer), said, points, tax, source, till, hold, by)


def person(customer: int | None) -> Customer | None:
    """The customer of that number, None if none is given; raises Refused if there is none."""
    return None if customer is None else known(customer)


def known(customer: int) -> Customer:
    """The customer of that number, or whom they turned out to be; raises Refused if there is none."""
    found = planned.first(Customer, WHO_IT_IS, [customer])
    if found is None:
        raise Refused(Refusal("customer", Reason.NOT_FOUND, f"There is no customer {customer}. Look them up again."))
    return found


def no_member(customer: Customer, now: datetime) -> Refusal | None:
    """That they cannot pay with points, as they are not in the programme; None if they are."""
    if customer.belongs(now):
        return None
    return Refusal("points", Reason.NOT_ELIGIBLE, f"{customer} is not a member of the loyalty programme.")


def locked_account(customer: Customer) -> Customer:
    """The customer as they are once their account is kept from others: they may have been merged before it was."""
    ledger.lock([customer.pk])
    now_known = known(customer.pk)
    if now_known.pk != customer.pk:
        ledger.lock([now_known.pk])
    return now_known


def lines_of(items: list[Item]) -> Iterable[Line]:
    """The lines of a bill, numbered from 1, with what is known of their products."""
    products = {row[0]: row[1:] for row in planned.rows(SOLD, [[item.sku for item in items]])}
    for number, item in enumerate(items, 1):
        product, name, category, brand = products.get(item.sku, (None, item.name or item.sku, "", ""))
        yield Line(number, item.sku, product, name, category, brand, item.quantity, item.amount)
