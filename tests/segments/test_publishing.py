"""What saving the changed conditions of a segment does, and what it says beforehand that it will do."""

import threading
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from loyaltyflow.store.models import Customer, Event, FeedReader
from segments import refresh
from segments.conditions import Condition
from segments.conditions.all_of import AllOf
from segments.conditions.any_of import AnyOf
from segments.conditions.customer_field import CustomerField
from segments.conditions.in_segment import InSegment
from segments.conditions.made_purchase import Count, MadePurchase
from segments.editing import drafts, publishing
from segments.editing.conflicts import Changed
from segments.editing.differences import digest
from segments.editing.publishing import Impact
from segments.models import Membership, Recheck, Segment
from tests import factories

from .tree import grow, segment

# What has just been committed is seen by a feed reader, what the test's own transaction wrote is not.
pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = timedelta(minutes=1)


@pytest.fixture
def erin() -> User:
    return User.objects.create(username="erin")


@pytest.fixture
def people() -> None:
    """Three in MA, two in NH, one in VT."""
    for name, state in [("Ada", "MA"), ("Ben", "MA"), ("Cy", "MA"), ("Dot", "NH"), ("Eve", "NH"), ("Fay", "VT")]:
        factories.customer(first_name=name, state=state)


def lives_in(states: str, name: str = "New England", **fields) -> Segment:
    root = grow(AllOf, CustomerField.objects.create(operator="in_list", value=states))
    return segment(root, name, **fields)


def change(of: Segment, states: str, by: User | None, now) -> str:
    """The digest of the draft in which it asks for other states."""
    of.refresh_from_db()
    row = drafts.row(of, of.edited().parts()[0].number)
    seen, row.value = drafts.own_digest(row), states
    drafts.save(of, row, seen, by, now)
    return digest(of.draft)


def members(of: Segment) -> str:
    rows = Membership.objects.open().filter(segment=of).order_by("customer__first_name")
    return " ".join(rows.values_list("customer__first_name", flat=True))


def told(since) -> list[tuple[str, str, str]]:
    names = dict(Segment.objects.values_list("pk", "name"))
    rows = Event.objects.filter(name__startswith="segment_", occurred_at__gte=since).select_related("customer")
    return sorted((each.name[8:], names[each.properties["segment"]], each.customer.first_name) for each in rows)


def everything() -> list:
    return [list(m.objects.order_by("pk").values()) for m in (Membership, Recheck, Segment, Event, Condition)]


def test_the_impact_foretold_is_what_happens_and_no_workflow_starts(people, erin, now):
    of = lives_in("MA, VT")
    refresh.refresh(now)
    later = now + MINUTE
    seen = change(of, "MA, NH", erin, later)

    foretold = publishing.impact(of, later)
    done = publishing.publish(of, later, erin, seen)

    assert foretold == done == Impact(enter=2, leave=1, stay=3)
    assert members(of) == "Ada Ben Cy Dot Eve"
    assert told(later) == [("left", "New England", "Fay")]
    assert (of.members_now, of.built_at, of.draft, of.saved_by, of.saved_at) == (5, later, None, erin, later)
    assert of.root.parts()[0].value == "MA, NH"
    assert Condition.objects.count() == 2


def test_workflows_start_with_those_who_enter_if_asked(people, erin, now):
    of = lives_in("MA")
    refresh.refresh(now)
    later = now + MINUTE

    publishing.publish(of, later, erin, change(of, "NH", erin, later), start_workflows=True)

    assert told(later) == [
        *(("entered", "New England", name) for name in ("Dot", "Eve")),
        *(("left", "New England", name) for name in ("Ada", "Ben", "Cy")),
    ]


@pytest.mark.parametrize("start_workflows", [False, True])
def test_a_refresh_afterwards_moves_and_tells_nobody(start_workflows, people, erin, now):
    of = lives_in("MA")
    refresh.refresh(now)
    later = now + MINUTE
    publishing.publish(of, later, erin, change(of, "NH, VT", erin, later), start_workflows)
    before = told(later)

    assert refresh.refresh(later + MINUTE) == {"built": 0, "entered": 0, "left": 0}
    assert (told(later), members(of)) == (before, "Dot Eve Fay")


def test_a_refresh_that_began_earlier_but_comes_later_takes_nothing_back(people, erin, now):
    of = lives_in("MA")
    above = segment(grow(AllOf, InSegment.objects.create(other=of)), "Above")
    refresh.refresh(now)
    publishing.publish(of, now + 2 * MINUTE, erin, change(of, "NH", erin, now))
    moving = Customer.objects.get(first_name="Dot")
    factories.order(moving, now)

    refresh.refresh(now + MINUTE)

    assert (members(of), members(above)) == ("Dot Eve", "Dot Eve")


def test_who_comes_in_without_the_change_is_still_an_event(people, erin, now):
    of = lives_in("MA")
    refresh.refresh(now)
    later = now + MINUTE
    for name in ("Dot", "Eve"):
        Customer.objects.filter(first_name=name).update(state="MA" if name == "Dot" else "NH")
    seen = change(of, "MA, NH", erin, later)

    foretold = publishing.impact(of, later)
    done = publishing.publish(of, later, erin, seen)

    assert (foretold.enter, done.enter) == (1, 1)
    assert told(later) == [("entered", "New England", "Dot")]
    assert members(of) == "Ada Ben Cy Dot Eve"


@pytest.mark.parametrize("start_workflows", [False, True])
def test_segments_that_ask_for_it_follow_in_order(start_workflows, people, erin, now):
    of = lives_in("MA")
    above = segment(grow(AllOf, InSegment.objects.create(other=of)), "Above")
    top = segment(grow(AllOf, InSegment.objects.create(other=above)), "And above that")
    asleep = segment(grow(AllOf, InSegment.objects.create(other=of)), "Asleep", is_active=False)
    refresh.refresh(now)
    later = now + MINUTE

    done = publishing.publish(of, later, erin, change(of, "MA, VT", erin, later), start_workflows)

    assert [members(each) for each in (of, above, top, asleep)] == ["Ada Ben Cy Fay"] * 3 + [""]
    entered = [("entered", name, "Fay") for name in ("Above", "And above that", "New England")]
    assert told(later) == (entered if start_workflows else [])
    assert [use.name for use in done.asked_by] == ["Above"]
    assert refresh.refresh(later + MINUTE) == {"built": 0, "entered": 0, "left": 0}


def test_an_inactive_segment_takes_over_its_conditions_and_nobody_moves(people, erin, now):
    of = lives_in("MA", is_active=False)
    seen = change(of, "NH", erin, now)

    assert publishing.impact(of, now) == Impact()
    assert publishing.publish(of, now, erin, seen) == Impact()

    assert (of.root.parts()[0].value, of.draft, of.built_at, members(of)) == ("NH", None, None, "")


def test_what_comes_due_by_time_follows_the_new_conditions(people, erin, now):
    ada = Customer.objects.get(first_name="Ada")
    factories.order(ada, now - timedelta(days=5))
    of = segment(grow(AllOf, MadePurchase.objects.create(operator=Count.NONE, window_days=21)), "Dormant")
    refresh.refresh(now)
    later = now + MINUTE
    row = drafts.row(of, of.root.parts()[0].number)
    seen, row.window_days = drafts.own_digest(row), 7
    drafts.save(of, row, seen, erin, later)

    publishing.publish(of, later, erin, digest(of.draft))

    due = Recheck.objects.get(segment=of, customer=ada).due_at
    assert due == (now + timedelta(days=3)).replace(hour=0, minute=0)
    refresh.refresh(due.astimezone(now.tzinfo))
    assert ("entered", "Dormant", "Ada") in told(due)


def test_publishing_what_is_published_already_changes_nothing(people, erin, now):
    of = lives_in("MA")
    refresh.refresh(now)
    later = now + MINUTE
    seen = change(of, "NH", erin, later)
    stale = Segment.objects.get(pk=of.pk)
    publishing.publish(of, later, erin, seen)
    before = everything()

    again = publishing.publish(stale, later, erin, seen)

    assert (again.enter, again.leave, again.stay) == (0, 0, 2)
    assert everything() == before


def test_a_draft_that_another_changed_meanwhile_is_not_published(people, erin, now):
    of = lives_in("MA")
    refresh.refresh(now)
    seen_by_omar = change(of, "NH", User.objects.create(username="omar"), now)
    change(of, "VT", erin, now + MINUTE)
    before = everything()

    with pytest.raises(Changed, match="erin changed this") as told:
        publishing.publish(of, now + MINUTE, None, seen_by_omar)

    assert (told.value.by, told.value.at) == (erin, now + MINUTE)
    assert told.value.theirs.parts()[0].value == "VT"
    assert everything() == before


def test_a_draft_that_another_discarded_is_not_published(people, erin, now):
    of = lives_in("MA")
    seen = change(of, "NH", erin, now)
    drafts.discard(of)

    with pytest.raises(Changed):
        publishing.publish(of, now, erin, seen)

    assert of.root.parts()[0].value == "MA"


EMPTY = [
    ("no condition", lambda of, now: drafts.delete(of, of.edited().parts()[0].number, None, now), "everybody"),
    ("any of, with all of nothing", lambda of, now: empty_all_in_any(of, now), "everybody"),
    ("an empty group beside a condition", lambda of, now: drafts.add(of, 0, AnyOf(), None, now), "asks nothing yet"),
    ("a value that is missing", lambda of, now: drafts.add(of, 0, CustomerField(value=""), None, now), "value"),
]


def empty_all_in_any(of: Segment, now) -> None:
    drafts.set_mode(of, 0, AnyOf, None, now)
    drafts.add(of, 0, AllOf(), None, now)


@pytest.mark.parametrize(("_case", "edit", "reason"), EMPTY, ids=[each[0] for each in EMPTY])
def test_a_tree_with_nothing_where_something_must_be_is_refused(_case, edit, reason, people, now):
    of = lives_in("MA")
    refresh.refresh(now)
    edit(of, now)
    before = everything()

    with pytest.raises(ValidationError, match=reason):
        publishing.publish(of, now, None, digest(of.draft))

    assert everything() == before


def test_two_segments_whose_drafts_ask_for_each_other_are_not_both_published(people, now):
    first, second = lives_in("MA", "First"), lives_in("NH", "Second")
    drafts.add(first, 0, InSegment(other=second), None, now)
    drafts.add(second, 0, InSegment(other=first), None, now)
    publishing.publish(first, now, None, digest(first.draft))
    before = everything()

    with pytest.raises(ValidationError, match="“Second” cannot ask who is in “First”"):
        publishing.publish(second, now, None, digest(second.draft))

    assert everything() == before


def in_another_connection(job) -> threading.Thread:
    """The job, begun in a thread that has a connection of its own."""

    def run() -> None:
        try:
            job()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_publication_waits_for_the_refresh_that_runs(people, erin, now):
    of = lives_in("MA")
    refresh.refresh(now)
    later = now + MINUTE
    seen = change(of, "NH", erin, later)
    done: list[Impact] = []
    with transaction.atomic():
        FeedReader.objects.select_for_update().get(name=refresh.READER)
        thread = in_another_connection(
            lambda: done.append(publishing.publish(Segment.objects.get(pk=of.pk), later, erin, seen))
        )
        thread.join(timeout=1)
        waited = thread.is_alive() and not done and members(of) == "Ada Ben Cy"
    thread.join(timeout=90)

    assert waited
    assert (done, members(of)) == ([Impact(enter=2, leave=3, stay=0)], "Dot Eve")


def test_no_refresh_runs_beside_a_publication(people, erin, now):
    of = lives_in("MA")
    refresh.refresh(now)
    later = now + MINUTE
    seen = change(of, "NH", erin, later)
    counts: list[dict[str, int]] = []
    with transaction.atomic():
        publishing.publish(of, later, erin, seen)
        in_another_connection(lambda: counts.append(refresh.refresh(later + MINUTE))).join(timeout=90)

    assert counts == [{"built": 0, "entered": 0, "left": 0}]
    assert told(later) == [("left", "New England", name) for name in ("Ada", "Ben", "Cy")]
    assert refresh.refresh(later + 2 * MINUTE) == {"built": 0, "entered": 0, "left": 0}


def test_of_two_who_publish_at_once_one_does(people, erin, now):
    of = lives_in("MA")
    refresh.refresh(now)
    later = now + MINUTE
    seen = change(of, "NH", erin, later)
    done: list[Impact] = []
    start = threading.Barrier(2)

    def publish() -> None:
        mine = Segment.objects.get(pk=of.pk)
        start.wait(timeout=90)
        done.append(publishing.publish(mine, later, erin, seen))

    for thread in [in_another_connection(publish) for _ in range(2)]:
        thread.join(timeout=90)

    assert sorted(each.enter for each in done) == [0, 2]
    assert members(of) == "Dot Eve"
    assert told(later) == [("left", "New England", name) for name in ("Ada", "Ben", "Cy")]


def test_of_two_who_save_a_row_at_once_one_is_told(people, erin, now):
    of = lives_in("MA")
    number = of.root.parts()[0].number
    told_so: list[Changed] = []
    start = threading.Barrier(2)

    def save(state: str) -> None:
        mine = Segment.objects.get(pk=of.pk)
        row = drafts.row(mine, number)
        seen, row.value = drafts.own_digest(row), state
        start.wait(timeout=90)
        try:
            drafts.save(mine, row, seen, erin, now)
        except Changed as changed:
            told_so.append(changed)

    for thread in [in_another_connection(lambda state=state: save(state)) for state in ("NH", "VT")]:
        thread.join(timeout=90)

    of.refresh_from_db()
    kept = of.draft.parts()[0].value
    assert [(each.theirs.value, each.mine.value) for each in told_so] == [(kept, ({"NH", "VT"} - {kept}).pop())]
    assert Condition.objects.filter(tree=of.draft).count() == 1


def statements(size: int, now) -> int:
    """How many statements a publication takes with that many customers on each side."""
    for state in ("MA", "NH"):
        Customer.objects.bulk_create(Customer(email=f"{state}{n}-{size}@example.com", state=state) for n in range(size))
    of = lives_in("MA", f"Segment {size}")
    refresh.refresh(now)
    seen = change(of, "NH", None, now)
    with CaptureQueriesContext(connection) as queries:
        done = publishing.publish(of, now + MINUTE, None, seen)
    assert done.enter >= size
    Segment.objects.all().delete()
    return len(queries)


def test_the_number_of_statements_does_not_depend_on_that_of_customers(now):
    statements(1, now)  # after this, what Django asks once and keeps is known

    assert statements(2, now) == statements(200, now)
