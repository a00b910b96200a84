"""What nobody means to do to segments, and somebody does: odd files, odd forms, far too much of everything."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ValidationError

from loyaltyflow.store.models import Customer, EventType
from segments.checks import condition_types
from segments.conditions import Condition
from segments.conditions.all_of import AllOf
from segments.conditions.any_of import AnyOf
from segments.conditions.customer_field import CustomerField
from segments.conditions.did_event import DidEvent
from segments.conditions.in_segment import InSegment
from segments.conditions.made_purchase import MadePurchase
from segments.conditions.none_of import NoneOf
from segments.editing import drafts, publishing
from segments.exchange.trees import DEEPEST, MOST, Unreadable, grown, own_fields
from segments.forms.condition import condition_form
from segments.models import Segment
from tests import factories
from tests.staff import signed_in

from .test_forms import world  # noqa: F401 (what the examples name)
from .tree import grow, segment

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 15, tzinfo=UTC).astimezone(ZoneInfo("America/New_York"))
KINDS = [kind for kind in condition_types() if kind.asked_of_segments and not kind.takes_parts]


@pytest.mark.parametrize("nothing", [None, ""])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.type_name())
def test_a_field_of_a_file_that_says_nothing_is_refused_or_can_be_saved_and_asked(kind, nothing):
    for example in kind.examples[:2]:
        for field in own_fields(kind):
            try:
                made = grown({kind.type_name(): {**example, field.name: nothing}})
            except Unreadable as error:
                assert error.faults
                continue
            made.save()
            assert made.summary() == Condition.objects.get(pk=made.pk).summary()
            Customer.objects.filter(made.q(NOW)).count()


def visits(**question: str):
    """The form of a condition about an event with the question that somebody sends."""
    kind = EventType.objects.create(name="booked", label="Booked", properties={"day": "date", "who": "text"})
    sent = {"event_type": str(kind.pk), "operator": "at_least", "count": "1", "when": "ever", "occurrence": "any"}
    name = next(each.name for each in own_fields(DidEvent) if each.get_internal_type() == "JSONField")
    sent |= {f"{name}_{part}": [said] for part, said in question.items()}
    return condition_form(DidEvent)(sent, instance=DidEvent(), now=NOW)


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "1899-12-31", "2201-01-01"])
@pytest.mark.parametrize("operator", ["before", "after"])
def test_a_day_far_away_is_refused_where_it_is_written(day, operator):
    form = visits(property="day", operator=operator, value=day)

    assert not form.is_valid()
    assert "needs a day from 1900 to 2200" in str(form.errors)


@pytest.mark.parametrize(
    "odd", [{"property": ["who"]}, {"property": {}, "operator": "is"}, {"property": "who", "operator": {"is": 1}}]
)
def test_a_question_in_a_file_of_which_a_part_is_no_text_is_refused(odd):
    EventType.objects.create(name="booked", label="Booked", properties={"who": "text"})

    with pytest.raises(Unreadable, match="is not a property|cannot be asked"):
        grown({"did_event": {"event_type": "booked", "where": [{"value": "x", **odd}]}})


def test_a_question_with_a_nul_in_it_is_stored_without():
    form = visits(property="who\0", operator="is", value="Dan\0a")

    assert form.is_valid(), form.errors
    form.save()
    assert "who is “Dana”" in Condition.objects.get(pk=form.instance.pk).summary()


def test_the_number_of_a_row_may_be_as_long_as_it_likes():
    from_list = condition_form(DidEvent)({"event_type": "9" * 5_000}, instance=DidEvent(), now=NOW)

    assert not from_list.is_valid()


def test_the_page_of_members_may_be_as_far_as_it_likes():
    idle = segment(MadePurchase.objects.create(), is_active=False)

    page = signed_in("view_segment", "view_customer").get(f"/segments/segment/{idle.pk}/change/?members={'9' * 5_000}")

    assert page.status_code == 200


def test_groups_cannot_be_put_inside_each_other_without_end(now):
    deep = segment(AllOf.objects.create())
    for number in range(DEEPEST - 1):
        inner = [each.number for each in deep.edited().walk()][-1] if number else 0
        drafts.add(deep, inner, AnyOf(), None, now)
    innermost = [each.number for each in deep.edited().walk()][-1]

    with pytest.raises(ValidationError, match="room for 12 groups inside each other"):
        drafts.add(deep, innermost, NoneOf(), None, now)
    leaf = drafts.add(deep, innermost, MadePurchase(), None, now)
    with pytest.raises(ValidationError, match="room for 12 groups inside each other"):
        drafts.negate(deep, leaf.number, None, now)
    assert len(list(Segment.objects.get(pk=deep.pk).edited().walk())) == DEEPEST + 1


def test_copies_of_copies_end_somewhere(now):
    rows = [CustomerField(value=str(number), position=number) for number in range(MOST // 2 - 1)]
    group = AnyOf.objects.create(parent=AllOf.objects.create())
    for each in rows:
        each.parent = group
        each.save()
    many = segment(Condition.objects.get(pk=group.parent_id))
    before = Condition.objects.count()

    with pytest.raises(ValidationError, match="room for 500 conditions, and these would be 501"):
        drafts.copy(many, group.pk, None, now)
    assert (Condition.objects.count(), Segment.objects.get(pk=many.pk).draft) == (before, None)


def test_a_file_of_far_too_many_conditions_is_refused_without_a_look_at_each(django_assert_max_num_queries):
    slow = {"customer_field": {"field": "city", "operator": "matches", "value": "^B"}}

    with django_assert_max_num_queries(3 * MOST + 20), pytest.raises(Unreadable) as refused:
        grown({"all_of": [slow] * 5_000})
    assert "expected at most 500 conditions" in str(refused.value.faults[0])


def test_who_may_only_look_counts_the_conditions_as_they_are_and_not_by_their_own():
    factories.customer(email="dana@example.com", last_name="Dover")
    for _ in range(3):
        factories.customer(last_name="Boston")
    local = segment(grow(AllOf, CustomerField.objects.create(field="last_name", value="Boston")), is_active=False)
    row = local.edited().parts()[0].number
    probe = {"field": "email", "operator": "is", "value": "dana@example.com"}

    answer = signed_in("view_segment").post(f"/segments/segment/{local.pk}/conditions/rows/{row}/count/", probe)

    assert answer.status_code == 200
    assert "<b>Boston</b>" in answer.content.decode()
    assert "dana@example.com" not in answer.content.decode()


def test_a_segment_deleted_just_after_others_published_it_leaves_no_conditions_behind(now):
    before = Condition.objects.count()
    shoppers = segment(grow(AllOf, MadePurchase.objects.create()), is_active=False)
    drafts.add(shoppers, 0, CustomerField(value="MA"), None, now)
    as_others_saw_it = Segment.objects.get(pk=shoppers.pk)
    publishing.publish(shoppers, now, None, drafts.digest(shoppers.edited()))

    as_others_saw_it.delete()

    assert not Segment.objects.filter(pk=shoppers.pk).exists()
    assert Condition.objects.count() == before


def test_a_deletion_that_is_refused_at_the_last_moment_is_not_in_the_log(monkeypatch):
    named = segment(MadePurchase.objects.create(), "Named")
    segment(InSegment.objects.create(other=named), "Names it")
    client, used = signed_in("view_segment", "delete_segment"), Segment.used_by
    calls: list[int] = []

    def late(self: Segment) -> list:
        calls.append(1)
        return [] if len(calls) == 1 else used(self)

    monkeypatch.setattr(Segment, "used_by", late)

    answer = client.post(f"/segments/segment/{named.pk}/delete/", {"post": "yes"})

    assert answer.status_code == 409
    assert (Segment.objects.filter(pk=named.pk).exists(), LogEntry.objects.count()) == (True, 0)
