"""Moves customers between tiers: up at once, down at the end of a term or with the order that brought them up."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, models, transaction
from django.db.models import BigIntegerField, Exists, F, OuterRef, Subquery, Sum, TextField, Value, Window
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Concat, Substr

from loyaltyflow.sql import compiled
from loyaltyflow.store.events import EventQuerySet, FeedReader, happened
from loyaltyflow.store.models import Customer, StoreSettings

from . import ledger
from .models import Entry, Programme, Standing, Tier
from .progress import counting, sum_in_window, term_end, window_at_end, window_start

TELLING = (
    "points_earned",
    "points_given",
    "points_taken_back",
    "points_given_back",
    "points_adjusted",
    "order_completed",
    "order_refunded",
    "order_cancelled",
    "order_updated",
    "loyalty_joined",
    "loyalty_left",
    "customers_merged",
)
REFUNDS = ("order_refunded", "order_cancelled", "order_updated")

# `why` says what becomes of each customer's standing; NULL: it stays. What stood before it is gone back to if its own
# term is not over and its own order was kept. Standings are opened only after all that end are closed, since a
# customer has one open standing; who was moved by somebody else meanwhile is left alone.
JUDGE = """
WITH people AS MATERIALIZED ({people}),
judged AS (
    SELECT people.customer, people.counted, standing.id AS standing, standing.tier_id AS tier, tier.threshold,
        tier.name, reached.id AS reached, reached.threshold AS reached_at, before.tier_id AS before,
        before.threshold AS before_at, before.expires_at AS before_until,
        CASE
            WHEN NOT people.is_member THEN CASE WHEN standing.id IS NOT NULL THEN 'left' END
            WHEN standing.reason = 'by_hand' AND (standing.expires_at IS NULL OR standing.expires_at > %(now)s)
                THEN NULL
            WHEN reached.threshold > coalesce(tier.threshold, -1) THEN 'reached'
            WHEN standing.order_id = ANY(%(returned)s) AND people.counted < tier.threshold THEN 'returned'
            WHEN standing.expires_at <= %(now)s AND people.counted >= tier.threshold THEN 'renewed'
            WHEN standing.reason = 'by_hand' THEN 'over'
            WHEN standing.expires_at + %(grace)s <= %(now)s THEN 'lowered'
        END AS why
    FROM people
    LEFT JOIN rewards_standing standing ON standing.customer_id = people.customer AND standing.until IS NULL
    LEFT JOIN rewards_tier tier ON tier.id = standing.tier_id
    LEFT JOIN LATERAL (
        SELECT id, threshold FROM rewards_tier WHERE threshold <= people.counted ORDER BY threshold DESC LIMIT 1
    ) reached ON true
    LEFT JOIN LATERAL (
        SELECT former.tier_id, former.expires_at, stood.threshold
        FROM rewards_standing former JOIN rewards_tier stood ON stood.id = former.tier_id
        LEFT JOIN store_order brought ON brought.id = former.order_id
        WHERE former.customer_id = people.customer AND former.until = standing.since
            AND (former.expires_at IS NULL OR former.expires_at > %(now)s)
            AND coalesce(brought.refunded, 0) = 0 AND brought.cancelled_at IS NULL
        ORDER BY former.id DESC LIMIT 1
    ) before ON true
),
moved AS MATERIALIZED (
    SELECT *, goes_back AND before IS NOT NULL AND before_at > coalesce(reached_at, -1) AS is_as_before,
        CASE
            WHEN why = 'reached' THEN reached
            WHEN why = 'renewed' THEN tier
            WHEN why = 'lowered' AND %(one_down)s THEN (
                SELECT id FROM rewards_tier WHERE threshold < judged.threshold ORDER BY threshold DESC LIMIT 1
            )
            WHEN goes_back AND before_at > coalesce(reached_at, -1) THEN before
            WHEN why <> 'left' THEN reached
        END AS goal
    FROM judged, LATERAL (SELECT why IN ('returned', 'over') AS goes_back) AS back
    WHERE why IS NOT NULL
),
closed AS (
    UPDATE rewards_standing SET until = %(now)s FROM moved
    WHERE rewards_standing.id = moved.standing AND rewards_standing.until IS NULL
    RETURNING rewards_standing.id
),
opened AS (
    INSERT INTO rewards_standing (customer_id, tier_id, since, expires_at, reason, note)
    SELECT moved.customer, goal.id, %(now)s,
        CASE WHEN is_as_before THEN before_until WHEN goal.threshold > 0 THEN %(term_end)s END,
        CASE
            WHEN why <> 'over' THEN why WHEN goal.threshold < moved.threshold THEN 'lowered'
            WHEN goal.id = moved.tier THEN 'renewed' ELSE 'reached'
        END, ''
    FROM moved JOIN rewards_tier goal ON goal.id = moved.goal
    WHERE (SELECT count(*) FROM closed) >= 0 AND (standing IS NULL OR standing IN (SELECT id FROM closed))
    ORDER BY moved.customer
    ON CONFLICT DO NOTHING
    RETURNING id, customer_id, tier_id, reason
),
told AS (
    INSERT INTO store_event (name, customer_id, occurred_at, key, properties)
    SELECT 'tier_changed', moved.customer, %(now)s,
        'tier_changed:' || coalesce(opened.id::text, moved.standing || ':out'),
        jsonb_build_object('tier', coalesce(tier.name, ''), 'before', coalesce(moved.name, ''),
            'reason', coalesce(opened.reason, moved.why))
    FROM moved LEFT JOIN opened ON opened.customer_id = moved.customer
    LEFT JOIN rewards_tier tier ON tier.id = opened.tier_id
    WHERE opened.tier_id IS DISTINCT FROM moved.tier
        AND (opened.id IS NOT NULL OR (goal IS NULL AND standing IN (SELECT id FROM closed)))
    ON CONFLICT DO NOTHING
)
SELECT reason, count(*) FROM opened GROUP BY reason
UNION ALL
SELECT 'out', count(*) FROM moved WHERE goal IS NULL AND standing IN (SELECT id FROM closed) HAVING count(*) > 0
"""


def settle(now: datetime) -> dict[str, int]:
    """How many customers were moved, by reason: those of whom something is new, and those whose term is over.

    Everybody is judged after the tiers themselves, or what counts towards them, were changed.
    """
    now = StoreSettings.load().local(now)
    with FeedReader.read("tiers", now) as events:
        programme = Programme.load()
        terms = _terms(programme)
        customers = _to_judge(events, now)
        if programme.tiers_as_settled != terms:
            Programme.objects.update(tiers_as_settled=terms)
            customers = customers.union(Customer.objects.members(now).values_list("pk", flat=True))
        return judge(list(customers), now, programme, _returned(events)) if terms["tiers"] else {}


def _to_judge(events: EventQuerySet, now: datetime) -> models.QuerySet[Any, int]:
    """The ids of the customers of whom the events tell something that counts, and of those whose term is over."""
    due = Standing.objects.open().filter(expires_at__lte=now).order_by()
    telling = events.named(*TELLING).order_by()
    return telling.values_list("customer_id", flat=True).union(due.values_list("customer_id", flat=True))


def _terms(programme: Programme) -> dict[str, Any]:
    """What everybody's tier depends on besides what they did."""
    tiers = [
        [pk, str(threshold)] for pk, threshold in Tier.objects.order_by("threshold").values_list("pk", "threshold")
    ]
    counted = ["tier_basis", "tier_counts_gifts", "tier_window", "tier_months"]
    return {"tiers": tiers, **{name: getattr(programme, name) for name in counted}}


def _returned(events: EventQuerySet) -> list[int]:
    """The orders of which something was returned, as the events tell."""
    told = events.named(*REFUNDS).values_list(Cast(KT("properties__order"), BigIntegerField()), flat=True)
    entry = Cast(Substr("key", len("points_taken_back:") + 1), BigIntegerField())
    taken = events.named("points_taken_back").filter(key__regex=r"^points_taken_back:[0-9]{1,18}$").values(entry=entry)
    entries = Entry.objects.filter(pk__in=taken, order__isnull=False)
    return list(told.order_by().union(entries.order_by().values_list("order_id", flat=True)))


def judge(customers: list[int], now: datetime, programme: Programme, returned: Iterable[int] = ()) -> dict[str, int]:
    """How many of the customers were moved, by reason; their bonus points are given with it.

    `returned`: orders of which something was refunded just now; who came up by one of them may come down again.
    """
    if not customers:
        return {}
    sql, parameters = _judgement(customers, now, programme)
    rest = {
        "now": now,
        "returned": list(returned),
        "grace": timedelta(days=programme.tier_grace_days),
        "one_down": programme.tier_downgrade == Programme.Downgrade.ONE_DOWN,
        "term_end": term_end(programme, now),
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, parameters | rest)
        moved: dict[str, int] = dict(cursor.fetchall())
        if Standing.Reason.REACHED in moved:
            _tell_which_order(customers, now, programme)
            _give_bonus(customers, now)
    return moved


def _judgement(customers: list[int], now: datetime, programme: Programme) -> tuple[str, dict[str, Any]]:
    """The statement that judges the customers, and the parameters by which it finds what counts for each of them."""
    people = (
        Customer.objects.filter(pk__any=customers)
        .annotate(start=window_at_end(programme, now))
        .annotate(counted=sum_in_window(programme, now, OuterRef("start")))
        .annotate(is_member=Exists(Customer.objects.members(now).filter(pk=OuterRef("pk"))), customer=F("pk"))
        .values("customer", "counted", "is_member")
    )
    select, values = compiled(people)
    named = [f"people_{number}" for number in range(len(values))]
    select = select % tuple(f"%({name})s" for name in named)
    return JUDGE.format(people=select), dict(zip(named, values, strict=True))


def _opened(customers: list[int], now: datetime) -> Any:
    return Standing.objects.open().filter(customer__any=customers, since=now, reason=Standing.Reason.REACHED)


def _tell_which_order(customers: list[int], now: datetime, programme: Programme) -> int:
    """Write down which order brought each customer up: that with which the sum came to the tier's threshold."""
    threshold = Subquery(Tier.objects.filter(pk=OuterRef("tier")).values("threshold"))
    rows = counting(programme, now, window_start(programme, now), OuterRef("customer"))
    rows = rows.annotate(so_far=Window(Sum("worth"), order_by=["at", "pk"]))
    crossing = rows.annotate(least=OuterRef("least")).filter(so_far__gte=F("least")).order_by("at", "pk")
    opened = _opened(customers, now).annotate(least=threshold)
    return int(opened.update(order=Subquery(crossing.values("order")[:1])))


def _give_bonus(customers: list[int], now: datetime) -> int:
    """Give the points for reaching a tier to those who reached it now, once to each of them ever.

    Who had them before they turned out to be somebody else has had them.
    """
    tier, customer = Cast("tier", TextField()), Cast("customer", TextField())
    of_tier = Concat(
        Value("tier_bonus:"), Cast(OuterRef("tier"), TextField()), Value(":"), customer, output_field=TextField()
    )
    as_another = Entry.objects.filter(
        kind=Entry.Kind.TIER_BONUS, customer__merged_into=OuterRef("customer"), key=of_tier
    )
    return ledger.award(
        _opened(customers, now).filter(~Exists(as_another), tier__bonus_points__gt=0),
        kind=Entry.Kind.TIER_BONUS,
        points="tier__bonus_points",
        key=Concat(Value("tier_bonus:"), tier, Value(":"), customer, output_field=TextField()),
        customer="customer",
        explanation=Concat(Value("For reaching "), "tier__name", output_field=TextField()),
        now=now,
    )


@transaction.atomic
def set_by_hand(
    customer: Customer, tier: Tier, *, note: str, until: datetime | None, by: AbstractBaseUser, now: datetime
) -> Standing:
    """The customer's new standing, which no purchase or return changes until it ends."""
    Customer.objects.select_for_update().get(pk=customer.pk)
    former = Standing.objects.open().filter(customer=customer).select_related("tier").first()
    Standing.objects.open().filter(customer=customer).update(until=now)
    made = Standing.objects.create(
        customer=customer,
        tier=tier,
        since=now,
        expires_at=until,
        reason=Standing.Reason.BY_HAND,
        note=note,
        by_id=by.pk,
    )
    before = former.tier.name if former else ""
    happened(
        "tier_changed", customer.pk, now, f"tier_changed:{made.pk}", tier=tier.name, before=before, reason="by_hand"
    )
    return made
