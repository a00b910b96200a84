"""What shops want to see happen, from the fact to the step, tick by tick."""

from datetime import timedelta

import pytest

from loyaltyflow import tick
from loyaltyflow.store import tags
from loyaltyflow.store.models import Customer, Tag
from segments.conditions.has_tag import HasTag
from segments.exchange.trees import grown
from segments.models import Membership, Segment
from tests import factories
from workflows.models import Enrolment
from workflows.nodes.if_ import If
from workflows.nodes.wait import Wait

from . import flows

pytestmark = pytest.mark.django_db(transaction=True)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def kept(plain) -> Segment:
    return Segment.objects.create(name="Kept", root=grown(plain).copy(), is_active=True)


def started() -> list[str]:
    return list(Enrolment.objects.order_by("pk").values_list("customer__first_name", flat=True))


def test_who_buys_is_a_member_and_starts_the_workflow_within_a_minute(now):
    """Who buys again while a member starts nothing; who left and comes back starts again."""
    anna = factories.customer(first_name="Anna", loyalty_joined_at=now - 90 * DAY)
    buyers = kept({"all_of": [{"joined_loyalty": {}}, {"made_purchase": {"window_days": 3}}]})
    draft = flows.workflow(reentry="every_time").draft()
    flows.live(now - DAY, flows.on_segment(draft, buyers), flows.end(draft))
    tick.run(now - MINUTE)
    assert started() == []

    factories.order(anna, now - MINUTE / 2)
    tick.run(now)
    assert (Membership.objects.open().count(), started()) == (1, ["Anna"])

    factories.order(anna, now + DAY)
    tick.run(now + DAY)
    assert started() == ["Anna"]

    tick.run(now + 5 * DAY)
    assert (Membership.objects.open().count(), started()) == (0, ["Anna"])
    factories.order(anna, now + 6 * DAY)
    tick.run(now + 6 * DAY)
    assert started() == ["Anna", "Anna"]


def test_the_22nd_day_brings_the_customer_into_the_workflow_at_midnight(now):
    factories.order(factories.customer(first_name="Anna"), now)
    dormant = kept({"all_of": [{"made_purchase": {}}, {"made_purchase": {"operator": "none", "window_days": 21}}]})
    draft = flows.workflow().draft()
    flows.live(now, flows.on_segment(draft, dormant), flows.end(draft))
    midnight = now.replace(hour=0, minute=0) + 22 * DAY

    for at in (now, now + 21 * DAY, midnight - MINUTE):
        tick.run(at)
        assert started() == []
    tick.run(midnight)

    assert started() == ["Anna"]


@pytest.mark.parametrize(("tagged", "outcome"), [(True, "Thanked"), (False, "Asked again")])
def test_a_tag_that_staff_add_while_the_customer_waits_decides_the_way(tagged, outcome, now):
    review = Tag.objects.create(name="left a review")
    draft = flows.workflow().draft()
    wait = Wait.objects.create(revision=draft, amount=1, unit="days")
    branch = If.objects.create(revision=draft, condition=HasTag.objects.create(tag=review))
    branch.leads_to(flows.end(draft, "Thanked"), "yes")
    branch.leads_to(flows.end(draft, "Asked again"), "no")
    flows.live(now - DAY, flows.on_event(draft), wait, branch)
    flows.join(factories.customer(), now)
    tick.run(now)

    if tagged:
        tags.add(Customer.objects.all(), "Left a Review", now + DAY / 2, "admin")
    tick.run(now + DAY)

    assert Enrolment.objects.get().outcome == outcome
