"""What a tick costs the database does not depend on how many customers it moves."""

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyaltyflow import tick
from loyaltyflow.store.models import Consent, Customer, Event, EventType
from messaging.models import EmailTemplate, Message
from messaging.starters import starter
from rewards.models import Entry
from segments.conditions.customer_field import CustomerField
from segments.models import Segment
from workflows.models import Enrolment, Revision, Workflow
from workflows.nodes.award_points import AwardPoints
from workflows.nodes.end import End
from workflows.nodes.if_ import If
from workflows.nodes.on_event import OnEvent
from workflows.nodes.send_email import SendEmail


def of_massachusetts() -> CustomerField:
    return CustomerField.objects.create(field="state", operator="is", value="MA")


def publish(now: datetime) -> None:
    """A segment, and a workflow that gives points and writes to all who log in, but those of another state."""
    Segment.objects.create(name="Massachusetts", root=of_massachusetts(), is_active=True)
    workflow = Workflow.objects.create(name="Welcome to the app", goal="Bring them to the shop.", reentry="every_time")
    draft = Revision.objects.create(workflow=workflow)
    start = OnEvent.objects.create(revision=draft, event_type=EventType.objects.get(name="mobile_login"))
    check = If.objects.create(revision=draft, condition=of_massachusetts())
    gift = AwardPoints.objects.create(revision=draft, points=5)
    template = EmailTemplate.objects.create(name="Points for you", **starter("points_boost"))
    notice = SendEmail.objects.create(revision=draft, template=template)
    start.leads_to(check).leads_to(gift, "yes").leads_to(notice).leads_to(End.objects.create(revision=draft))
    check.leads_to(End.objects.create(revision=draft), "no")
    workflow.publish(now)


def log_in(at: datetime, count: int) -> None:
    """So many customers, new but for their consent, log in."""
    known = [Customer(email=f"{count}.{number}@example.com", state="MA") for number in range(count)]
    people = Customer.objects.bulk_create(known)
    Consent.objects.bulk_create(
        Consent(customer=who, channel="email", status="opted_in", source="test", given_at=at) for who in people
    )
    Event.objects.bulk_create(
        Event(name="mobile_login", customer=who, occurred_at=at, key=f"login:{who.email}") for who in people
    )


def statements_of_a_tick(now: datetime) -> int:
    with CaptureQueriesContext(connection) as captured:
        record = tick.run(now)
    assert not record.has_failed, record.stages
    return len(captured)


@pytest.mark.django_db(transaction=True)
def test_a_tick_takes_as_many_statements_for_100_enrolments_as_for_3_000(now: datetime) -> None:
    publish(now)
    counts = {}
    for minute, size in enumerate([10, 100, 3_000], 1):
        log_in(now + timedelta(minutes=minute), size)
        counts[size] = statements_of_a_tick(now + timedelta(minutes=minute))

    assert Enrolment.objects.count() == Entry.objects.count() == Message.objects.count() == 3_110
    assert counts[100] == counts[3_000]
