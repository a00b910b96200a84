"""What the checks of discounts rest on, read once for a whole bill."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import BigIntegerField, Count, IntegerField, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from loyaltyflow.store.models import Customer, Order
from segments.models import Segment

from .budgets import left
from .claims import Claim
from .programme import Programme
from .tiers import Standing
from .vouchers import Redemption, Voucher


@dataclass(frozen=True)
class Facts:
    """What is known at `now`, which is on the store's clock, of the customer and of what they ask for."""

    now: datetime
    programme: Programme
    customer: Customer | None = None
    orders: int = 0  # the customer's, without the one that is made of this bill
    tier: int | None = None
    early_hours: int = 0  # by which the tier may use discounts before others
    segments: frozenset[int] = frozenset()  # of those asked for, the ones that the customer belongs to at this moment
    held: frozenset[int] = frozenset()  # vouchers that a till keeps for the customer: who may have them was asked then
    used: dict[int, int] = field(default_factory=dict)  # discount → how often the customer used it
    funds: dict[int, Decimal] = field(default_factory=dict)  # budget → what is left of it, for this customer
    last_uses: dict[int, Redemption] = field(default_factory=dict)  # voucher → its last use

    @property
    def name(self) -> str:
        """What a sentence calls the customer."""
        return (self.customer and (self.customer.first_name or str(self.customer))) or "This customer"


def facts(
    claims: Sequence[Claim],
    order: int | None,
    customer_id: int | None,
    now: datetime,
    programme: Programme | None = None,
    customer: Customer | None = None,
) -> Facts:
    """What the checks of the claims rest on; `order` is the one that is made of the bill, if there is one already.

    The programme and the customer are read unless they are given.
    """
    budgets = {budget for claim in claims if (budget := claim.discount.money_budget)}
    known: dict[str, Any] = {"last_uses": _last_uses(claims), "funds": left(budgets, customer_id, now)}
    if customer_id is not None:
        known |= _of_customer(claims, customer or customer_id, order, now)
        known |= {"segments": _segments(claims, customer_id, now), "used": _used(claims, customer_id)}
    return Facts(now, programme or Programme.load(), **known)


def _of_customer(claims: Sequence[Claim], who: Customer | int, order: int | None, now: datetime) -> dict[str, Any]:
    """The customer, with the orders and the tier if any of the claims asks for them."""
    if not any(claim.discount.asks_of_customer for claim in claims):
        return {"customer": who if isinstance(who, Customer) else Customer.objects.get(pk=who)}
    customer = _customers(order, now).get(pk=who.pk if isinstance(who, Customer) else who)
    known = {"customer": customer, "orders": customer.orders_made}
    return known | {"tier": customer.tier, "early_hours": customer.early_hours}


def _customers(order: int | None, now: datetime) -> QuerySet[Any, Any]:
    """Customers with what can be known of each in one statement."""
    cancelled = Q(cancelled_at__lte=now) | Q(refunded_at__lte=now)
    made = Order.objects.filter(placed_at__lte=now, customer=OuterRef("pk")).exclude(cancelled).exclude(pk=order or 0)
    number = made.order_by().values("customer").values(number=Count("pk"))
    standing = Standing.objects.open().filter(customer=OuterRef("pk"))
    return Customer.objects.annotate(
        orders_made=Coalesce(Subquery(number), 0, output_field=IntegerField()),
        tier=Subquery(standing.values("tier")),
        early_hours=Coalesce(Subquery(standing.values("tier__early_hours")), 0, output_field=IntegerField()),
    )


def _segments(claims: Sequence[Claim], customer_id: int, now: datetime) -> frozenset[int]:
    """Of the segments that the claims ask for, those whose conditions the customer meets at this moment.

    Memberships are as old as the last refresh; who has just left by what they did must not get in.
    """
    asked = {pk for claim in claims for pk in claim.discount.only_segments}
    if not asked:
        return frozenset()
    segments = Segment.objects.filter(pk__any=sorted(asked)).with_trees()
    number = BigIntegerField()
    answers = [
        each.matching(now).filter(pk=customer_id).values_list(Value(each.pk, output_field=number)) for each in segments
    ]
    return frozenset(pk for (pk,) in answers[0].union(*answers[1:], all=True))


def _used(claims: Sequence[Claim], customer_id: int) -> dict[int, int]:
    limited = sorted({claim.discount.pk for claim in claims if claim.discount.uses_per_customer})
    if not limited:
        return {}
    uses = Redemption.objects.standing().filter(customer=customer_id, discount__any=limited).order_by()
    return dict(uses.values_list("discount").annotate(uses=Count("pk")))


def _last_uses(claims: Sequence[Claim]) -> dict[int, Redemption]:
    spent = [claim.voucher.pk for claim in claims if claim.voucher and claim.voucher.state == Voucher.State.REDEEMED]
    if not spent:
        return {}
    uses = Redemption.objects.standing().filter(voucher__any=spent).select_related("order")
    return {use.voucher_id: use for use in uses.order_by("redeemed_at", "pk") if use.voucher_id}
