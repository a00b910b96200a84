"""What a customer is about to pay, and what discounts take off it: plain values, no rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Any

from babel.numbers import get_currency_precision
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
    REVOKED = "revoked", "Taken back by staff"
    INSUFFICIENT_POINTS = "insufficient_points", "Not enough points"
    PROGRAMME_INACTIVE = "programme_inactive", "The programme is switched off"
    LOCKED_BY_OTHER_TILL = "locked_by_other_till", "Held at another till"
    NUMBER_TAKEN = "number_taken", "The number is another one's"
    PART_OF_SALE = "part_of_sale", "Was part of the sale"
    ORDER_CLOSED = "order_closed", "The order was cancelled or refunded"
    REFUND_TOO_LARGE = "refund_too_large", "More than is left to pay back"


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

    def item_price(self, places: int) -> Decimal:
        """What one piece costs; of goods that are weighed, less than one unit is one piece."""
        return min(rounded(self.unit_price, places), self.amount) if self.quantity > 1 else self.amount


@dataclass(frozen=True, slots=True)
class Bill:
    """What is to be paid, where and when."""

    lines: tuple[Line, ...]
    at: datetime
    shipping: Decimal = ZERO
    store_location: str = ""
    channel: str = "till"
    order: int | None = None  # the order that it became, if it has
    places: int = 2  # digits of the currency's smallest coin; see `smallest_coin`

    @property
    def goods(self) -> Decimal:
        return sum((line.amount for line in self.lines), ZERO)

    def of_categories(self, categories: Sequence[str]) -> list[Line]:
        """The lines whose product is of one of the categories, whatever their capitals."""
        wanted = {each.casefold() for each in categories}
        return [line for line in self.lines if line.category.casefold() in wanted]

    def less(self, off: "Off") -> "Bill":
        """What is left to pay of it after that is taken off."""
        lines = (replace(line, amount=line.amount - off.lines.get(line.number, ZERO)) for line in self.lines)
        return replace(self, lines=tuple(lines), shipping=self.shipping - off.shipping)


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

    def cut_to(self, amount: Decimal, bill: Bill) -> "Off":
        """The same, but no more than that amount: off the lines first, then off shipping."""
        amount = amount.quantize(Decimal(1).scaleb(-bill.places), ROUND_DOWN)
        parts = [replace(line, amount=self.lines[line.number]) for line in bill.lines if line.number in self.lines]
        goods = min(amount, self.total - self.shipping)
        return replace(self, lines=spread(goods, parts, bill.places), shipping=min(self.shipping, amount - goods))

    @property
    def is_nothing(self) -> bool:
        return not self.total and not self.gift and self.factor == 1


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


def smallest_coin(currency: str) -> int:
    """The digits after the point in which amounts of the currency are paid: 2 for USD, 0 for JPY; 2 is the most."""
    return min(get_currency_precision(currency), 2)


def rounded(amount: Decimal, places: int) -> Decimal:
    """The amount in the currency's smallest coin, half of one rounded up."""
    return amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def spread(amount: Decimal, lines: Sequence[Line], places: int) -> dict[int, Decimal]:
    """The amount as so much of each line, in proportion to what it costs; the parts add up to the amount exactly.

    It must not be more than the lines cost together. Coins that are left over go to the lines that were rounded down
    most. Lines that cost nothing, or less as goods that are brought back, have no part in it.
    """
    lines = [line for line in lines if line.amount > 0]
    whole = sum((line.amount for line in lines), ZERO)
    if amount > whole:
        raise ValueError(f"Expected at most {whole}, which the lines cost together, not {amount}.")
    if amount <= 0:
        return {}
    coin = Decimal(1).scaleb(-places)
    exact = {line.number: amount * line.amount / whole for line in lines}
    parts = {number: share.quantize(coin, ROUND_DOWN) for number, share in exact.items()}
    left_over = int((amount - sum(parts.values())) / coin)
    for number in sorted(exact, key=lambda each: (parts[each] - exact[each], each))[:left_over]:
        parts[number] += coin
    return {number: part for number, part in parts.items() if part}
