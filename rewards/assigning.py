"""Gives customers codes of their own: once for each cause, out of the discount's pools or made for them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection, models, transaction
from django.db.models import Value

from loyaltyflow.store.models import StoreSettings
from segments.comparisons.dates import midnight

from . import budgets, codes, endings, ledger
from .discounts.base import Discount
from .vouchers import Voucher

TRIES = 5  # Two codes are the same once in ten thousand million times.


class WhyNone(models.TextChoices):
    """Why a customer got no voucher."""

    OFF = "off", "The discount is off or over"
    NONE_LEFT = "none_left", "No code was left"
    BUDGET = "budget", "The budget is spent"


@dataclass
class Assigned:
    """What became of an assignment: how many vouchers are new, and for which origins there is none, and why."""

    new: int = 0
    without: dict[str, WhyNone] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wish:
    """One voucher that is to be given."""

    origin: str
    customer: int
    order: int | None


# A code of the pools becomes a customer's own.
HAND_OUT = """
UPDATE rewards_voucher v
SET state = 'issued', customer_id = w.customer, origin = w.origin, order_id = w.order_id, workflow = %(workflow)s,
    budget_id = %(budget)s, budget_period = %(period)s, assigned_at = %(now)s,
    expires_at = least(v.expires_at, %(expires_at)s)
FROM unnest(%(codes)s::bigint[], %(origins)s::text[], %(customers)s::bigint[], %(orders)s::bigint[])
    AS w (id, origin, customer, order_id)
WHERE v.id = w.id AND v.state = 'free'
RETURNING v.id, v.origin
"""
MAKE = """
INSERT INTO rewards_voucher
    (code, discount_id, customer_id, origin, order_id, workflow, budget_id, budget_period, assigned_at, expires_at)
SELECT w.code, %(discount)s, w.customer, w.origin, w.order_id, %(workflow)s, %(budget)s, %(period)s::date, %(now)s,
    %(expires_at)s
FROM unnest(%(codes)s::text[], %(origins)s::text[], %(customers)s::bigint[], %(orders)s::bigint[])
    AS w (code, origin, customer, order_id)
ON CONFLICT DO NOTHING
RETURNING id, origin
"""
TELL = """
INSERT INTO store_event (name, customer_id, occurred_at, source, key, properties)
SELECT 'voucher_assigned', customer_id, assigned_at, 'rewards', 'voucher_assigned:' || id,
    jsonb_build_object('voucher', id, 'discount', discount_id)
FROM rewards_voucher WHERE id = ANY(%s)
ON CONFLICT DO NOTHING
"""


def assign(
    rows: models.QuerySet[Any, Any],
    discount: Discount,
    *,
    origin: Any,
    customer: str,
    now: datetime,
    workflow: int | None = None,
    order: Any = None,
) -> Assigned:
    """One voucher of the discount for each of `rows`, unless its origin has brought one already.

    `customer` names a field of `rows`; `origin` and `order` (the order that brings it) are expressions over them. The
    number of statements does not depend on how many rows there are. All or nothing: it is one transaction.
    """
    nothing = Value(None, models.BigIntegerField())
    known = rows.order_by("pk").annotate(_origin=origin, _order=nothing if order is None else order)
    wishes = [Wish(*row) for row in known.values_list("_origin", customer, "_order")]
    if not wishes:
        return Assigned()
    with transaction.atomic():
        ledger.lock(wish.customer for wish in wishes)
        brought = Voucher.objects.filter(origin__any=[wish.origin for wish in wishes])
        there = set(brought.values_list("origin", flat=True))
        return _give([wish for wish in wishes if wish.origin not in there], discount, now, workflow)


def _give(wishes: list[Wish], discount: Discount, now: datetime, workflow: int | None) -> Assigned:
    """Hand out what there is, make the rest, tell the customers, and replace what they had from the workflow."""
    discount = Discount.objects.non_polymorphic().get(pk=discount.pk)
    if not discount.can_be_given(now):
        return Assigned(0, {wish.origin: WhyNone.OFF for wish in wishes})
    asked = {wish.origin for wish in wishes}
    # Vouchers before budgets, as everywhere: who holds one of them may be about to ask for the budget.
    free = _free(discount, len(wishes), now)
    if discount.supersedes and workflow is not None:
        _hold_former(wishes, workflow)
    wishes = _within_budget(wishes, discount, now)
    unpaid = dict.fromkeys(asked - {wish.origin for wish in wishes}, WhyNone.BUDGET)
    common = {"workflow": workflow, "now": now, "expires_at": last_instant(discount, now), "discount": discount.pk}
    budget = discount.voucher_budget
    period = budgets.current_periods([budget], now)[budget] if budget else None
    common |= {"budget": budget and budget.pk, "period": period}
    given = _written(HAND_OUT, free, wishes[: len(free)], common) if free and wishes else {}
    if discount.makes_codes:
        given |= _make([wish for wish in wishes if wish.origin not in given], discount, common)
    with connection.cursor() as cursor:
        cursor.execute(TELL, [list(given.values())])
    if discount.supersedes and workflow is not None:
        endings.supersede(list(given.values()), now)
    short = [wish for wish in wishes if wish.origin not in given]
    if short and period:
        budgets.give_back((_one(discount, wish), period) for wish in short)
    return Assigned(len(given), unpaid | {wish.origin: WhyNone.NONE_LEFT for wish in short})


def _within_budget(wishes: list[Wish], discount: Discount, now: datetime) -> list[Wish]:
    """Those of the wishes for which the discount's budget has a voucher left; all if it has no budget of vouchers."""
    if not discount.voucher_budget:
        return wishes
    drawn = budgets.draw_each([_one(discount, wish) for wish in wishes], now)
    return [wish for wish, given in zip(wishes, drawn, strict=True) if given]


def _one(discount: Discount, wish: Wish) -> budgets.Wish:
    """One voucher of the discount's budget."""
    assert discount.voucher_budget
    return budgets.Wish(discount.voucher_budget, wish.customer, Decimal(1))


def last_instant(discount: Discount, now: datetime) -> datetime | None:
    """From when on a voucher that is given now is refused: the midnight after its last day, or the discount's end."""
    ends = [] if discount.ends_at is None else [discount.ends_at]
    if discount.valid_days is not None:
        local = StoreSettings.load().local(now)
        ends.append(midnight(local.date(), local.tzinfo, discount.valid_days + 1))
    return min(ends, default=None)


def _hold_former(wishes: list[Wish], workflow: int) -> None:
    """Keep from others what the workflow gave these customers before, and what may be replaced now."""
    former = Voucher.objects.filter(customer__any=[wish.customer for wish in wishes], workflow=workflow)
    list(former.filter(state=Voucher.State.ISSUED).order_by("pk").select_for_update().values_list("pk", flat=True))


def _free(discount: Discount, count: int, now: datetime) -> list[int]:
    """Up to so many free codes, held for this transaction.

    Codes that others hold are passed over; if there are not enough without them, it waits to see what becomes of
    those, with none held itself.
    """
    free = Voucher.objects.free_for(discount, now)
    before = transaction.savepoint()
    held = list(free.select_for_update(skip_locked=True).values_list("pk", flat=True)[:count])
    if len(held) == count:
        transaction.savepoint_commit(before)
        return held
    transaction.savepoint_rollback(before)
    return list(free.select_for_update().values_list("pk", flat=True)[:count])


def _make(wishes: list[Wish], discount: Discount, common: dict[str, Any]) -> dict[str, int]:
    """Origin → voucher, each with a code that nobody has had."""
    made: dict[str, int] = {}
    for _ in range(TRIES):
        if wishes:
            made |= _written(MAKE, list(codes.generated(discount.code_prefix, len(wishes))), wishes, common)
            wishes = [wish for wish in wishes if wish.origin not in made]
    return made


def _written(sql: str, found: Sequence[Any], wishes: Sequence[Wish], common: dict[str, Any]) -> dict[str, int]:
    columns = {
        "codes": list(found[: len(wishes)]),
        "origins": [wish.origin for wish in wishes],
        "customers": [wish.customer for wish in wishes],
        "orders": [wish.order for wish in wishes],
    }
    with connection.cursor() as cursor:
        cursor.execute(sql, common | columns)
        return {origin: pk for pk, origin in cursor.fetchall()}
