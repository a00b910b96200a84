"""What an edit of a live segment does to the workflows that start with it."""

from datetime import timedelta

import pytest

from segments import refresh
from segments.conditions.all_of import AllOf
from segments.conditions.customer_field import CustomerField
from segments.editing import drafts, publishing
from segments.editing.differences import digest
from tests import factories
from tests.segments.tree import grow, segment
from workflows import engine
from workflows.enrolments import Enrolment

from . import flows

# What has just been committed is seen by a feed reader, what the test's own transaction wrote is not.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("start_workflows", [False, True])
def test_who_leaves_by_an_edit_is_dropped_and_who_enters_starts_only_if_asked(start_workflows, now):
    factories.customer(first_name="Stays", state="MA")
    factories.customer(first_name="Comes", state="NH")
    of = segment(grow(AllOf, CustomerField.objects.create(operator="in_list", value="MA, VT")), "New England")
    refresh.refresh(now)
    draft = flows.workflow(name="Welcome").draft()
    flows.live(now, flows.on_segment(draft, of), flows.email(draft), flows.end(draft))
    factories.customer(first_name="Leaves", state="VT")
    later, row = now + timedelta(minutes=1), drafts.row(of, of.root.parts()[0].number)
    refresh.build(of, now)  # without events: nobody is in the workflow by it
    leaver = of.memberships.get(customer__first_name="Leaves").customer
    revision = draft.workflow.live
    node = next(each for each in revision.steps().values() if not each.is_trigger)
    when = {"entered_at": now, "arrived_at": now, "due_at": now + timedelta(days=1)}
    Enrolment.objects.create(workflow=draft.workflow, revision=revision, customer=leaver, node=node, **when)
    seen, row.value = drafts.own_digest(row), "MA, NH"
    drafts.save(of, row, seen, None, later)

    done = publishing.publish(of, later, None, digest(of.draft), start_workflows)
    counts = engine.enrol(later + timedelta(minutes=1))

    assert (done.enter, done.leave, done.stay) == (1, 1, 1)
    assert [use.name for use in done.starts] == [use.name for use in done.drops] == ["Welcome"]
    assert counts == {"exited": 1, "entered": int(start_workflows)}
    inside = Enrolment.objects.filter(status="active").values_list("customer__first_name", flat=True)
    assert list(inside) == (["Comes"] if start_workflows else [])
