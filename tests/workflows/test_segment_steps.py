"""The steps that put customers into segments and take them out."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import ProtectedError
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from loyaltyflow.store.models import Customer, Event
from segments import by_hand
from segments.models import Membership, Segment
from tests import factories
from workflows import engine
from workflows.models import Enrolment, Node
from workflows.nodes.add_to_segment import AddToSegment
from workflows.nodes.remove_from_segment import RemoveFromSegment

from . import flows

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def by_hand_segment(name="VIPs", **fields):
    return Segment.objects.create(name=name, kind=Segment.Kind.STATIC, **fields)


@pytest.fixture
def draft():
    return flows.workflow(name="Thank you").draft()


def stays(segment):
    """Who is or was in the segment, when they came and when they left."""
    rows = Membership.objects.filter(segment=segment).order_by("pk")
    return list(rows.values_list("customer", "joined_at", "left_at"))


def told():
    moves = Event.objects.named("segment_entered", "segment_left")
    return list(moves.order_by("pk").values_list("name", "customer", "occurred_at", "source", "properties"))


def test_the_step_puts_the_customer_in_and_says_so(now, draft):
    club = by_hand_segment()
    step = AddToSegment.objects.create(revision=draft, segment=club)
    flows.live(now, flows.on_event(draft), step, flows.end(draft))
    who = factories.customer()
    flows.stand_at(step, now, who)

    assert engine.advance(now) == {"moved": 2, "exited": 0, "failed": 0}

    club.refresh_from_db()
    assert (stays(club), club.members_now) == ([(who.pk, now, None)], 1)
    properties = {"segment": club.pk, "by": "workflow “Thank you”"}
    assert told() == [("segment_entered", who.pk, now, "segments: by hand", properties)]


def test_adding_twice_makes_one_membership(now, draft):
    club = by_hand_segment()
    first, second = (AddToSegment.objects.create(revision=draft, segment=club) for _ in range(2))
    flows.live(now, flows.on_event(draft), first, second, flows.end(draft))
    new, member = factories.customer(), factories.customer()
    by_hand.put_in(club, Customer.objects.filter(pk=member.pk), now - HOUR)
    flows.stand_at(first, now, new, member)

    assert engine.advance(now)["moved"] == 6

    club.refresh_from_db()
    assert stays(club) == [(member.pk, now - HOUR, None), (new.pk, now, None)]
    assert (club.members_now, len(told())) == (2, 2)


def test_the_step_takes_the_customer_out_and_others_go_on(now, draft):
    club = by_hand_segment()
    step = RemoveFromSegment.objects.create(revision=draft, segment=club)
    flows.live(now, flows.on_event(draft), step, flows.end(draft))
    member, outsider, other = (factories.customer() for _ in range(3))
    by_hand.put_in(club, Customer.objects.filter(pk__in=[member.pk, other.pk]), now - HOUR)
    flows.stand_at(step, now, member, outsider)

    assert engine.advance(now)["moved"] == 4

    club.refresh_from_db()
    assert dict(Membership.objects.values_list("customer", "left_at")) == {member.pk: now, other.pk: None}
    assert (club.members_now, [name for name, *_ in told()][2:]) == (1, ["segment_left"])


def test_in_out_and_in_again_at_one_moment_is_told_each_time(now, draft):
    club = by_hand_segment()
    kinds = (AddToSegment, RemoveFromSegment, AddToSegment)
    steps = [kind.objects.create(revision=draft, segment=club) for kind in kinds]
    flows.live(now, flows.on_event(draft), *steps, flows.end(draft))
    who = factories.customer()
    flows.stand_at(steps[0], now, who)

    engine.advance(now)

    assert stays(club) == [(who.pk, now, now), (who.pk, now, None)]
    assert [name for name, *_ in told()] == ["segment_entered", "segment_left", "segment_entered"]


@pytest.mark.parametrize("kind", [AddToSegment, RemoveFromSegment])
def test_a_failure_after_the_effect_undoes_it(kind, now, draft, monkeypatch):
    club = by_hand_segment()
    step = kind.objects.create(revision=draft, segment=club)
    flows.live(now, flows.on_event(draft), step, flows.end(draft))
    who = factories.customer()
    if kind is RemoveFromSegment:
        by_hand.put_in(club, Customer.objects.all(), now - HOUR)
    flows.stand_at(step, now, who)
    before = (stays(club), told(), Segment.objects.get().members_now)

    def broken(*args):
        assert (stays(club), told(), Segment.objects.get().members_now) != before
        raise RuntimeError("the power is gone")

    monkeypatch.setattr(engine, "_log", broken)

    assert engine.advance(now) == {"moved": 0, "exited": 0, "failed": 1}
    assert (stays(club), told(), Segment.objects.get().members_now) == before

    monkeypatch.undo()
    assert engine.advance(now)["moved"] == 2
    assert Segment.objects.get().members_now == (1 if kind is AddToSegment else 0)
    assert len(told()) == len(before[1]) + 1


@pytest.mark.parametrize("kind", [AddToSegment, RemoveFromSegment])
def test_only_segments_that_are_filled_by_hand_are_offered(kind, admin_client, now, draft):
    by_hand_segment("VIPs")
    by_hand_segment("Old VIPs", archived_at=now)
    lost = Segment.objects.create(name="Lost")
    address = f"{reverse(f'admin:workflows_{kind._meta.model_name}_add')}?revision={draft.pk}"

    page = admin_client.get(address)
    offered = [label for _, label in page.context["adminform"].form.fields["segment"].choices][1:]
    refused = admin_client.post(address, {"segment": lost.pk, "revision": draft.pk})

    assert offered == ["VIPs"]
    assert "Choose a segment that is filled by hand" in refused.content.decode()
    assert not Node.objects.exists()


def test_a_start_is_not_offered_a_segment_that_was_put_away(admin_client, now, draft):
    by_hand_segment("Old VIPs", archived_at=now)
    Segment.objects.create(name="Lost")

    page = admin_client.get(f"{reverse('admin:workflows_onsegmententered_add')}?revision={draft.pk}")

    choices = page.context["adminform"].form.fields["segment"].choices
    assert [label for _, label in choices][1:] == ["Lost"]


@pytest.mark.parametrize("kind", [AddToSegment, RemoveFromSegment])
def test_a_segment_that_fills_itself_is_refused_however_the_step_is_made(kind, draft):
    lost = Segment.objects.create(name="Lost")

    with pytest.raises(ValidationError) as told_by_save:
        kind.objects.create(revision=draft, segment=lost)
    with pytest.raises(ValidationError) as told_by_form:
        kind(revision=draft, segment=lost).full_clean()

    assert "“Lost” is kept up to date by its conditions. Choose a segment that is filled" in str(told_by_save.value)
    assert "Choose a segment that is filled by hand" in str(told_by_form.value)
    assert not Node.objects.exists()


def test_a_step_with_an_archived_segment_keeps_the_workflow_from_going_live(now, draft):
    club = by_hand_segment()
    step = AddToSegment.objects.create(revision=draft, segment=club)
    flows.chain(flows.on_event(draft), step, flows.end(draft))
    Segment.objects.update(archived_at=now)

    with pytest.raises(ValidationError) as refusal:
        draft.workflow.publish(now)

    assert "which is archived. Bring it back, or choose another." in refusal.value.messages[0]


def test_the_segment_of_a_step_is_protected(draft):
    club = by_hand_segment()
    AddToSegment.objects.create(revision=draft, segment=club)

    with pytest.raises(ProtectedError):
        club.delete()
    assert Segment.objects.count() == 1


def statements(now, count):
    draft = flows.workflow().draft()
    club = by_hand_segment(f"Club {count}")
    add = AddToSegment.objects.create(revision=draft, segment=club)
    remove = RemoveFromSegment.objects.create(revision=draft, segment=club)
    flows.live(now, flows.on_event(draft), add, remove, flows.end(draft))
    people = Customer.objects.bulk_create(Customer(email=f"{count}.{n}@example.com") for n in range(count))
    moments = {"entered_at": now, "arrived_at": now, "due_at": now}
    Enrolment.objects.bulk_create(
        Enrolment(workflow=draft.workflow, revision=draft, customer=who, node=add, **moments) for who in people
    )
    with CaptureQueriesContext(connection) as captured:
        assert engine.advance(now) == {"moved": 3 * count, "exited": 0, "failed": 0}
    return len(captured)


def test_the_number_of_statements_does_not_depend_on_the_number_of_customers(now):
    statements(now, 1)  # what Django looks up once and keeps
    few, many = statements(now, 50), statements(now, 5_000)

    assert few == many
    assert Membership.objects.exclude(left_at=None).count() == 5_051
