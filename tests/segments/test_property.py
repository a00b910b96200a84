"""Whatever happens in whatever order, the refreshed members are those of a full evaluation."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyaltyflow.store.events import happened
from loyaltyflow.store.models import Customer, Event, Order
from segments import refresh
from segments.conditions.all_of import AllOf
from segments.conditions.any_of import AnyOf
from segments.conditions.customer_field import CustomerField
from segments.conditions.has_consent import HasConsent
from segments.conditions.in_segment import InSegment
from segments.conditions.joined_loyalty import JoinedLoyalty
from segments.conditions.made_purchase import Count, MadePurchase
from segments.conditions.none_of import NoneOf
from segments.models import Membership, Segment
from tests import factories

from .tree import grow, segment

pytestmark = pytest.mark.django_db(transaction=True)
# The clock goes back on November 1 and the steps lead across it.
START = datetime(2026, 10, 27, 12, tzinfo=ZoneInfo("America/New_York"))
PEOPLE = 3
who, hours = st.integers(0, PEOPLE - 1), st.integers(-80, 60)
facts = st.one_of(
    st.tuples(st.just("order"), who, hours),
    st.tuples(st.just("refund"), who, st.integers(0, 60)),
    st.tuples(st.just("move"), who, st.sampled_from(["MA", "NH", ""])),
    st.tuples(st.just("consent"), who, st.sampled_from(["opted_in", "opted_out"])),
    st.tuples(st.just("join"), who, hours),
    st.tuples(st.just("leave"), who, st.just(0)),
)
steps = st.lists(st.tuples(st.lists(facts, max_size=3), st.integers(1, 80)), min_size=1, max_size=6)


def plant_segments() -> None:
    made = segment(MadePurchase.objects.create(operator=Count.NONE, window_days=2), "None in 2 days")
    twice = segment(MadePurchase.objects.create(count=2, window_days=3), "Twice in 3 days")
    segment(MadePurchase.objects.create(operator=Count.EXACTLY, count=1, window_days=1), "Once since yesterday")
    segment(JoinedLoyalty.objects.create(window_days=2), "New members")
    local = grow(AllOf, CustomerField.objects.create(value="MA"), HasConsent.objects.create())
    segment(grow(AnyOf, local, InSegment.objects.create(other=twice)), "Local or often")
    segment(
        grow(NoneOf, InSegment.objects.create(other=made), MadePurchase.objects.create(operator="at_most", count=1)),
        "A first name, judged last",
    )


def wipe() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE store_customer, store_feedreader, segments_segment, segments_condition CASCADE")


def happen(fact: tuple, people: list[Customer], now: datetime, number: int) -> None:
    kind, index, value = fact
    one = people[index]
    match kind:
        case "order":
            factories.order(one, now + timedelta(hours=value))
        case "refund":
            made = Order.objects.filter(customer=one, refunded_at=None).order_by("-completed_at").first()
            if made:
                at = now + timedelta(hours=value)
                Order.objects.filter(pk=made.pk).update(refunded_at=at, refunded=made.net)
                happened("order_refunded", one.pk, at, f"order_refunded:{made.pk}")
        case "move":
            Customer.objects.filter(pk=one.pk).update(state=value)
            happened("customer_updated", one.pk, now, f"customer_updated:{number}")
        case "consent":
            factories.consent(one, now, value)
            happened("consent_changed", one.pk, now, f"consent_changed:{number}")
        case "join":
            at = now + timedelta(hours=value)
            Customer.objects.filter(pk=one.pk).update(loyalty_joined_at=at, loyalty_left_at=None)
            happened("loyalty_joined", one.pk, now, f"loyalty_joined:{number}")
        case "leave":
            if Customer.objects.filter(pk=one.pk, loyalty_joined_at__lte=now).update(loyalty_left_at=now):
                happened("loyalty_left", one.pk, now, f"loyalty_left:{number}")


def gone_astray(now: datetime) -> dict[str, tuple[list[str], list[str]]]:
    found = {}
    for each in Segment.objects.live().with_trees():
        missing, extra = (list(rows.values_list("first_name", flat=True)) for rows in each.astray(now))
        if missing or extra:
            found[each.name] = (missing, extra)
    return found


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_a_refresh_equals_a_full_evaluation(steps):
    wipe()
    people = [factories.customer(first_name=f"Number {number}", state="MA") for number in range(PEOPLE)]
    plant_segments()
    now, number = START, 0
    refresh.refresh(now)
    for happening, onward in steps:
        for fact in happening:
            number += 1
            happen(fact, people, now, number)
        now = (now.astimezone(ZoneInfo("UTC")) + timedelta(hours=onward)).astimezone(START.tzinfo)
        refresh.refresh(now)
        assert gone_astray(now) == {}
        assert all(each.members_now == each.memberships.open().count() for each in Segment.objects.all())
    stays = Membership.objects.exclude(joined_at=START).count()
    assert Event.objects.filter(name="segment_entered").count() == stays
    assert Event.objects.filter(name="segment_left").count() == Membership.objects.exclude(left_at=None).count()
