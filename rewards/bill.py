"""What a customer is about to pay, and what discounts take off it: plain values, no rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import TextChoices

ZERO = Decimal("0.00")


class Reason(TextChoices):
    """Why a code, points or a whole bill is refused, as machines read it."""

    NOT_FOUND = "not_found", "Not known"
    NOT_STARTED = "not_started", "Not yet valid"
    EXPIRED = "expired", "Expired"
    ALREADY_REDEEMED = "already_redeemed", "Already used"
    LIMIT_REACHED = "limit_reached", "Used up"
    CUSTOMER_LIMIT_REACHED = "customer_limit_reached", "Used as often as one customer may"
    WRONG_CUSTOMER = "wrong_customer", "Belongs to somebody else"
    NOT_ELIGIBLE = "not_eligible", "Not for this customer"
    NOT_FIRST_ORDER = "not_first_order", "For a first order only"
    SAME_ORDER = "same_order", "Not for the order that brought it"
    MIN_SPEND = "min_spend", "The bill is too small"
    PRODUCT_NOT_IN_BILL = "product_not_in_bill", "No such product on the bill"
    NOT_COMBINABLE = "not_combinable", "Not together with another"
    STORE_NOT_ALLOWED = "store_not_allowed", "Not at this store"
    TIME_NOT_ALLOWED = "time_not_allowed", "Not at this time"
    SUPERSEDED = "superseded", "Replaced by a newer one"
    INSUFFICIENT_POINTS = "insufficient_points", "Not enough points"
    PROGRAMME_INACTIVE = "programme_inactive", "The programme is switched off"
    LOCKED_BY_OTHER_TILL = "locked_by_other_till", "Held at another till"


@dataclass(frozen=True, slots=True)
class Line:
    """One product of a bill. Amounts are in the store's currency, without tax, before any discount."""

    number: int
    sku: str
    product: int | None
    name: str
    category: str
    brand: str
    quantity: Decimal
    amount: Decimal

    @property
    def unit_price(self) -> Decimal:
        return self.amount / self.quantity if self.quantity else ZERO


@dataclass(frozen=True, slots=True)
class Bill:
    """What is to be paid, where and when."""

    lines: tuple[Line, ...]
    at: datetime
    shipping: Decimal = ZERO
    store_location: str = ""
    channel: str = "till"
    order: int | None = None  # the order that it became, if it has

    @property
    def goods(self) -> Decimal:
        return sum((line.amount for line in self.lines), ZERO)


@dataclass(frozen=True, slots=True)
class Off:
    """What one discount takes off a bill: so much of each line (by its number), so much of shipping.

    `factor` multiplies the points that the bill earns; `gift` is the SKU of what is to be handed over besides.
    """

    lines: Mapping[int, Decimal] = field(default_factory=dict)
    shipping: Decimal = ZERO
    factor: Decimal = Decimal(1)
    gift: str = ""

    @property
    def total(self) -> Decimal:
        return sum(self.lines.values(), ZERO) + self.shipping


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something cannot be used: the reason as machines read it, and as a sentence that says what is missing.

    `current` tells the state as it is now, such as who used a voucher where and when, or how many points are left.
    """

    code: str
    reason: Reason
    detail: str
    current: Mapping[str, Any] = field(default_factory=dict)


class Refused(Exception):
    """Something that was asked for cannot be done; nothing was changed."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal
