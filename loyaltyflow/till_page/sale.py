"""A sale under way, as the page's form carries it from press to press."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.http import QueryDict

from loyaltyflow.store.clock import store
from rewards import till
from rewards.bill import rounded, smallest_coin

SOURCE = "till page"  # the system in which the page's orders and holds have their numbers
LINES_ALLOWED = 200
CODES_ALLOWED = 10
MOST = 999_999  # of a product on one line
MOST_POINTS = 1_000_000_000
NUMBER = re.compile(r"[A-Za-z0-9-]{8,40}")


@dataclass(frozen=True, slots=True)
class Place:
    """Which till it is; chosen once for each browser."""

    store: str = ""
    till: str = ""

    def __str__(self) -> str:
        return " · ".join(part for part in (self.store, self.till) if part)


@dataclass(frozen=True, slots=True)
class Line:
    """One product on the bill, with quantity and price as they were typed."""

    sku: str
    name: str
    quantity: str = "1"
    price: str = ""

    @property
    def amount(self) -> Decimal | None:
        """Quantity times price, in whole coins; None if one of them cannot be read."""
        quantity, price = read(self.quantity, 6, 3), read(self.price, 7, 2)
        if self.fault or not quantity or price is None:
            return None
        return rounded(quantity * price, smallest_coin(store().currency))

    @property
    def fault(self) -> str:
        """What is wrong with what was typed."""
        if re.fullmatch(r"[0-9]{1,3}(,[0-9]{3})+|[0-9]{7,}([.,][0-9]*)?", self.quantity.strip()):
            return f"“{self.quantity}” is too many, or has a comma. Type up to {MOST:,} without one, such as {MOST}."
        if not read(self.quantity, 6, 3):
            return f"“{self.quantity}” is no quantity. Type a number above 0, such as 2 or 0.750."
        if read(self.price, 7, 2) is None:
            return f"“{self.price}” is no price. Type one such as 4.79." if self.price else "It has no price. Type one."
        return ""

    def item(self) -> till.Item:
        """The line as it is asked about; only if nothing is wrong with it."""
        return till.Item(self.sku, read(self.quantity, 6, 3) or Decimal(1), self.amount or Decimal(0), self.name)


@dataclass(frozen=True, slots=True)
class Sale:
    """Who buys what, with which codes and points; its number makes that it is written down once."""

    number: str
    customer: int | None = None
    lines: tuple[Line, ...] = field(default_factory=tuple)
    codes: tuple[str, ...] = field(default_factory=tuple)
    points: int = 0
    unread: str = ""  # what was typed for the points and is no number of points
    hold: str = ""

    @property
    def is_priced(self) -> bool:
        """Whether there is something on the bill, and nothing wrong with it."""
        return bool(self.lines) and not any(line.fault for line in self.lines)

    def with_(self, **changes: Any) -> "Sale":
        """The same sale but for the changes."""
        return replace(self, **changes)

    def ask(self, place: Place, now: datetime, by: User | None = None) -> till.Ask:
        """What the till is asked; raises Refused if the customer is gone."""
        return till.ask(
            [line.item() for line in self.lines],
            now,
            customer=self.customer,
            codes=self.codes,
            points=self.points,
            store_location=place.store,
            source=SOURCE,
            till=place.till,
            hold=self.hold,
            by=by,
        )


def new(now: datetime, **known: Any) -> Sale:
    """A sale with nothing in it yet, under a number of its own."""
    return Sale(f"{now:%y%m%d}-{secrets.token_hex(4).upper()}", **known)


def sent(form: QueryDict, now: datetime) -> Sale:
    """The sale as the form carries it."""
    number = form.get("number", "")
    if not NUMBER.fullmatch(number):
        return new(now)
    customer = form.get("customer", "")
    points = form.get("points", "").replace("\0", "").strip()
    many = points_in(points)
    columns = [form.getlist(name) for name in ("sku", "name", "quantity", "price")]
    lines = [Line(*(text.replace("\0", "").strip()[:200] for text in row)) for row in zip(*columns, strict=False)]
    return Sale(
        number,
        int(customer) if customer.isdecimal() and len(customer) < 19 else None,
        tuple(line for line in lines if line.sku)[:LINES_ALLOWED],
        tuple(code.replace("\0", "")[:60] for code in form.getlist("code") if code)[:CODES_ALLOWED],
        many or 0,
        points[:20] if many is None else "",
        form.get("hold", "") if NUMBER.fullmatch(form.get("hold", "")) else "",
    )


def points_in(typed: str) -> int | None:
    """The points that were typed, with signs between thousands or without; none if nothing was; None if unreadable."""
    if not re.fullmatch(r"[0-9]{0,18}|[0-9]{1,3}([,. \u00a0\u202f][0-9]{3}){1,5}", typed):
        return None
    return min(int(re.sub(r"[^0-9]", "", typed) or 0), MOST_POINTS)


def read(text: str, digits: int, decimals: int) -> Decimal | None:
    """The number that was typed, with a point or a comma; None if it is none."""
    found = re.fullmatch(rf"([0-9]{{1,{digits}}})(?:[.,]([0-9]{{1,{decimals}}}))?", text.strip())
    return Decimal(f"{found[1]}.{found[2] or 0}") if found else None


def place_of(session: Mapping[str, Any]) -> Place:
    """The till that this browser is; without a name if it was not chosen yet."""
    known = session.get("till") or {}
    return Place(str(known.get("store", "")), str(known.get("till", "")))
