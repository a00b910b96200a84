"""Points for what happens to members: events, and joining."""

from datetime import datetime

from django.db import models
from django.db.models import BigIntegerField, Exists, OuterRef, TextField, Value
from django.db.models.functions import Cast, Concat

from loyaltyflow.sql import compiled
from loyaltyflow.store.events import EventQuerySet
from loyaltyflow.store.models import Customer, StoreSettings
from segments.properties import questions

from .. import ledger
from ..models import Entry, Movement, Programme
from ..rules.points_per_event import PointsPerEvent

# Which event counts for which rule is known; what is left to see is whether its customer was a member then, and how
# often the rule gave something already within the same day, week, month or year of the store.
GIVEN = """
terms AS (SELECT %s::text AS zone),
happened AS ({happened}),
met AS MATERIALIZED (
    SELECT r.id AS rule, r.name, p.points, p.times, t.label, e.id AS event, e.customer_id, e.occurred_at,
        p.period, {began} AS began
    FROM happened AS h JOIN store_event AS e ON e.id = h.id CROSS JOIN terms
    JOIN rewards_pointsperevent AS p ON p.earningrule_ptr_id = h.rule
    JOIN rewards_earningrule AS r ON r.id = h.rule JOIN store_eventtype AS t ON t.id = p.event_type_id
    JOIN store_customer AS c ON c.id = e.customer_id AND c.loyalty_joined_at <= e.occurred_at
        AND (c.loyalty_left_at IS NULL OR c.loyalty_left_at > e.occurred_at)
    WHERE r.starts_at <= e.occurred_at AND (r.ends_at IS NULL OR r.ends_at > e.occurred_at)
        AND NOT EXISTS (SELECT FROM rewards_entry AS k WHERE k.key = 'earn:' || r.id || ':event:' || e.id)
),
counted AS (
    SELECT m.*, row_number() OVER (PARTITION BY rule, customer_id, began ORDER BY occurred_at, event) + CASE
        WHEN m.times IS NULL THEN 0 ELSE (
            SELECT count(*) FROM rewards_entry AS e CROSS JOIN terms
            WHERE e.customer_id = m.customer_id AND e.kind = 'earn' AND e.order_id IS NULL
                AND e.rule ->> 'rule' = m.rule::text AND {began_before} IS NOT DISTINCT FROM m.began
        ) END AS number
    FROM met AS m
),
movements AS (
    SELECT 'earn:' || rule || ':event:' || event AS key, customer_id AS customer, occurred_at, points::bigint AS points,
        NULL::bigint AS "order", NULL::bigint AS entry,
        points || CASE WHEN points = 1 THEN ' point' ELSE ' points' END || ' for “' || label || '”' AS explanation,
        jsonb_build_object('rule', rule, 'name', name, 'kind', 'pointsperevent', 'points', points, 'event', event)
            AS rule
    FROM counted WHERE times IS NULL OR number <= times
)
"""
BEGAN = "CASE WHEN {period} <> 'ever' THEN date_trunc({period}, {at} AT TIME ZONE terms.zone) END"


def reward(events: EventQuerySet, now: datetime) -> int:
    """How many credits were new: one for each of the events and each rule that asks for such an event."""
    # Rules are few. To ask first which of them the events fit would read most of all the events there ever were.
    rules = PointsPerEvent.objects.filter(is_active=True)
    found = [
        compiled(
            events.filter(questions.asked(rule.where, now), name=rule.event_type.name)
            .order_by()
            .values_list("pk", Value(rule.pk, output_field=BigIntegerField()))
        )
        for rule in rules.select_related("event_type")
    ]
    if not found or not Programme.load().is_active:
        return 0
    sql = GIVEN.format(
        happened=" UNION ALL ".join(f"SELECT * FROM ({one}) AS one (id, rule)" for one, _ in found),
        began=BEGAN.format(period="p.period", at="e.occurred_at"),
        began_before=BEGAN.format(period="m.period", at="e.occurred_at"),
    )
    parameters = [each for _, known in found for each in known]
    return _award(Movement.over(sql, [StoreSettings.load().time_zone, *parameters]), now)


def _award(movements: models.QuerySet[Movement], now: datetime) -> int:
    return ledger.award(
        movements,
        kind=Entry.Kind.EARN,
        points="points",
        key="key",
        customer="customer",
        explanation="explanation",
        now=now,
        occurred_at="occurred_at",
        rule="rule",
    )


def welcome(events: EventQuerySet, now: datetime) -> int:
    """How many of the customers who joined got the welcome points: each once, also if they leave and join again.

    Who had them before they turned out to be somebody else has had them.
    """
    programme = Programme.load()
    if not programme.is_active or not programme.welcome_points:
        return 0
    joined = events.named("loyalty_joined").values("customer")
    as_another = Entry.objects.filter(kind=Entry.Kind.WELCOME, customer__merged_into=OuterRef("pk"))
    return ledger.award(
        Customer.objects.members(now).filter(~Exists(as_another), pk__in=joined),
        kind=Entry.Kind.WELCOME,
        points=Value(programme.welcome_points),
        key=Concat(Value("welcome:"), Cast("pk", TextField()), output_field=TextField()),
        customer="pk",
        explanation=Value("Welcome to the programme"),
        now=now,
    )
