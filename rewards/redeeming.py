"""Discounts taken off an order: each use written down once, counted exactly, and undone exactly."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Count

from loyaltyflow import planned
from loyaltyflow.store.events import Event
from loyaltyflow.store.models import Order

from .bill import Off, Reason, Refusal, Refused
from .budgets import Wish, current_periods, draw_each, give_back
from .claims import Claim
from .vouchers import Redemption

# Rows are locked in the order of their ids, so that two tills never wait for each other in a circle. What another till
# has changed meanwhile is looked at anew once the row is ours.
TAKE_VOUCHERS = """
WITH held AS MATERIALIZED (SELECT id FROM rewards_voucher WHERE id = ANY(%s) ORDER BY id FOR UPDATE)
UPDATE rewards_voucher AS voucher
SET uses = uses + 1, state = CASE WHEN uses + 1 >= uses_allowed THEN 'redeemed' ELSE state END
FROM held
WHERE held.id = voucher.id AND state IN ('free', 'issued') AND (uses_allowed IS NULL OR uses < uses_allowed)
    AND (expires_at IS NULL OR expires_at > %s)
RETURNING voucher.id
"""
# Uses are no decision of anybody, and the audit leaves them out.
COUNT_DISCOUNTS = """
WITH held AS MATERIALIZED (SELECT id FROM rewards_discount WHERE id = ANY(%s::bigint[]) ORDER BY id FOR UPDATE)
UPDATE rewards_discount AS discount SET uses = uses + asked.times
FROM held JOIN unnest(%s::bigint[], %s::int[]) AS asked (id, times) ON asked.id = held.id
WHERE held.id = discount.id AND (uses_allowed IS NULL OR uses + asked.times <= uses_allowed)
RETURNING discount.id
"""
# Of a voucher that was given to nobody, nobody knows; others are their owners' again. Who has undone a use gets nothing
# that ended in another way meanwhile.
GIVE_BACK_VOUCHERS = """
WITH held AS MATERIALIZED (SELECT id FROM rewards_voucher WHERE id = ANY(%s) ORDER BY id FOR UPDATE)
UPDATE rewards_voucher AS voucher SET uses = uses - asked.times, state = CASE
    WHEN state <> 'redeemed' THEN state
    WHEN pool_id IS NOT NULL AND customer_id IS NULL AND assigned_at IS NULL THEN 'free'
    ELSE 'issued' END
FROM held JOIN unnest(%s::bigint[], %s::int[]) AS asked (id, times) ON asked.id = held.id
WHERE held.id = voucher.id
"""
UNCOUNT_DISCOUNTS = """
WITH held AS MATERIALIZED (SELECT id FROM rewards_discount WHERE id = ANY(%s) ORDER BY id FOR UPDATE)
UPDATE rewards_discount AS discount SET uses = uses - asked.times
FROM held JOIN unnest(%s::bigint[], %s::int[]) AS asked (id, times) ON asked.id = held.id
WHERE held.id = discount.id
"""


# The uses, and one event for each by a known customer.
USE = """
WITH made AS (
    INSERT INTO rewards_redemption (
        discount_id, voucher_id, customer_id, order_id, amount, budget_id, budget_period, redeemed_at, store_location,
        till, is_single
    )
    SELECT discount, voucher, %(customer)s::bigint, %(order)s, amount, budget, period, %(now)s, %(store)s, %(till)s,
        is_single
    FROM unnest(%(discounts)s::bigint[], %(vouchers)s::bigint[], %(amounts)s::numeric[], %(budgets)s::bigint[],
        %(periods)s::date[], %(single)s::boolean[]) AS taken (discount, voucher, amount, budget, period, is_single)
    RETURNING *
),
told AS (
    INSERT INTO store_event (name, customer_id, occurred_at, key, properties)
    SELECT 'voucher_redeemed', customer_id, redeemed_at, 'voucher_redeemed:' || id,
        jsonb_strip_nulls(jsonb_build_object('discount', discount_id, 'voucher', voucher_id))
    FROM made WHERE customer_id IS NOT NULL ORDER BY id
)
"""


@transaction.atomic
def used(
    taken: Sequence[tuple[Claim, Off]],
    order: Order,
    customer_id: int | None,
    now: datetime,
    *,
    store_location: str = "",
    till: str = "",
) -> list[Redemption]:
    """The uses that were written down, after the claims were judged on the order's bill.

    Raises Refused if another till was quicker; then nothing is written. Two at the same time wait for each other, and
    the statements do not depend on how many claims there are.
    """
    return use(taken, order, customer_id, now, store_location=store_location, till=till)


def use(
    taken: Sequence[tuple[Claim, Off]],
    order: Order,
    customer_id: int | None,
    now: datetime,
    *,
    store_location: str = "",
    till: str = "",
) -> list[Redemption]:
    """As `used`, for a caller who gives up the whole transaction when Refused is raised."""
    if not taken:
        return []
    claims = [claim for claim, _off in taken]
    _take_vouchers(claims, now)
    _count_discounts(claims, customer_id)
    _draw(taken, customer_id, now)
    place = {"customer": customer_id, "order": order.pk, "now": now, "store": store_location, "till": till}
    redemptions = planned.made(Redemption, USE, {**place, **_columns(taken, now)})
    for redemption, claim in zip(redemptions, claims, strict=True):
        redemption.order, redemption.discount, redemption.voucher = order, claim.discount, claim.voucher
    return redemptions


def _columns(taken: Sequence[tuple[Claim, Off]], now: datetime) -> dict[str, list[Any]]:
    """What differs from use to use."""
    vouchers = [claim.voucher for claim, _off in taken]
    budgets = [claim.discount.money_budget for claim, _off in taken]
    periods = current_periods(filter(None, budgets), now)
    return {
        "discounts": [claim.discount.pk for claim, _off in taken],
        "vouchers": [voucher and voucher.pk for voucher in vouchers],
        "amounts": [off.total for _claim, off in taken],
        "budgets": [budget and budget.pk for budget in budgets],
        "periods": [budget and periods[budget] for budget in budgets],
        "single": [voucher is not None and voucher.uses_allowed == 1 for voucher in vouchers],
    }


@transaction.atomic
def undone(redemptions: Iterable[Redemption], now: datetime) -> list[Redemption]:
    """Those of the uses that were undone just now: vouchers can be used again, nothing is counted any more."""
    asked = Redemption.objects.standing().filter(pk__in=[each.pk for each in redemptions])
    rows = asked.order_by("pk").select_related("budget").select_for_update(no_key=True, of=("self",))
    standing = list(rows)
    if not standing:
        return []
    Redemption.objects.filter(pk__any=[each.pk for each in standing]).update(reversed_at=now)
    vouchers = Counter(each.voucher_id for each in standing if each.voucher_id)
    _moved(GIVE_BACK_VOUCHERS, vouchers)
    _moved(UNCOUNT_DISCOUNTS, Counter(each.discount_id for each in standing))
    give_back(
        (Wish(each.budget, each.customer_id, each.amount), each.budget_period)
        for each in standing
        if each.budget and each.budget_period
    )
    _tell("voucher_given_back", standing, now)
    return standing


def _take_vouchers(claims: Sequence[Claim], now: datetime) -> None:
    """Make each voucher used. Raises Refused with the first of them that another was quicker to use."""
    by_id = {claim.voucher.pk: claim for claim in claims if claim.voucher}
    if not by_id:
        return
    with connection.cursor() as cursor:
        cursor.execute(TAKE_VOUCHERS, [list(by_id), now])
        mine = {pk for (pk,) in cursor.fetchall()}
    for pk, claim in by_id.items():
        if pk not in mine:
            raise _too_late(claim, Reason.ALREADY_REDEEMED, "It was just used, or ended, at another till.")


def _count_discounts(claims: Sequence[Claim], customer_id: int | None) -> None:
    """Count each use. Raises Refused if a discount was used up meanwhile, by all or by this customer."""
    times = Counter(claim.discount.pk for claim in claims)
    counted = {pk for (pk,) in planned.rows(COUNT_DISCOUNTS, [list(times), list(times), list(times.values())])}
    for claim in claims:
        if claim.discount.pk not in counted:
            raise _too_late(claim, Reason.LIMIT_REACHED, "It was just used up at another till.")
    limited = {claim.discount.pk: claim for claim in claims if claim.discount.uses_per_customer}
    if not limited:
        return
    # The discounts' rows are ours by now, so nobody else adds a use before we have added ours.
    uses = Redemption.objects.standing().filter(customer=customer_id, discount__any=list(limited)).order_by()
    before = dict(uses.values_list("discount").annotate(uses=Count("pk")))
    for pk, claim in limited.items():
        if before.get(pk, 0) + times[pk] > (claim.discount.uses_per_customer or 0):
            said = "The customer has just used it as often as one customer may."
            raise _too_late(claim, Reason.CUSTOMER_LIMIT_REACHED, said)


def _draw(taken: Sequence[tuple[Claim, Off]], customer_id: int | None, now: datetime) -> None:
    """Take what is off from the discounts' budgets. Raises Refused if there is less left than when it was judged."""
    wishes = [
        (claim, Wish(budget, customer_id, off.total)) for claim, off in taken if (budget := claim.discount.money_budget)
    ]
    if not wishes:
        return
    for (claim, wish), given in zip(wishes, draw_each([wish for _claim, wish in wishes], now), strict=True):
        if given < wish.amount:
            raise _too_late(claim, Reason.LIMIT_REACHED, "Its budget was just used up at another till.")


def _moved(statement: str, times: Counter[int]) -> list[tuple[int]]:
    """The rows that the statement returns for ids that are counted so many times."""
    if not times:
        return []
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(times), list(times), list(times.values())])
        return cursor.fetchall() if cursor.description else []


def _too_late(claim: Claim, reason: Reason, detail: str) -> Refused:
    return Refused(Refusal(claim.code, reason, detail))


def _tell(name: str, redemptions: Sequence[Redemption], now: datetime) -> None:
    """One event for each use by a known customer."""
    Event.objects.bulk_create(
        Event(
            name=name,
            customer_id=each.customer_id,
            occurred_at=now,
            key=f"{name}:{each.pk}",
            properties={
                "discount": each.discount_id,
                **({"voucher": each.voucher_id} if each.voucher_id else {}),
            },
        )
        for each in redemptions
        if each.customer_id
    )
