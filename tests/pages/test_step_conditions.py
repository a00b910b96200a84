"""The conditions of a workflow's step, in the same editor as those of segments."""

import pytest
from playwright.sync_api import expect

from loyaltyflow.store.models import EventType
from segments.conditions.all_of import AllOf
from segments.conditions.customer_field import CustomerField
from segments.models import Segment
from tests.workflows import flows
from workflows.graph import Revision
from workflows.nodes.if_ import If

pytestmark = pytest.mark.browser


def test_a_step_asks_of_the_workflow_and_of_the_customer(browse, transactional_db):
    revision = flows.workflow().draft()
    mail = flows.email(revision)
    step = If.objects.create(revision=revision, condition=AllOf.objects.create())
    page = browse(f"/workflows/if/{step.pk}/conditions/")
    expect(page.locator("#rows")).to_contain_text("Everyone who comes here.")
    expect(page.locator("#strip .count")).to_have_text("0 customers")

    page.click("#add-first")
    page.locator("#panel [data-search]").fill("got message")
    page.keyboard.press("Enter")
    page.select_option("[name=step]", str(mail.pk))
    page.locator(".panel-foot .btn.primary").click()
    expect(page.locator("#rows .row-link")).to_have_text(f"Got “{mail.label}”")
    page.reload()
    expect(page.locator("#strip")).to_contain_text("it cannot be counted")
    page.wait_for_load_state("networkidle")

    assert If.objects.get(pk=step.pk).condition.summary() == f"got “{mail.label}”"
    assert page.complaints == []


def test_nothing_is_wrong_with_what_a_live_step_asks(client, boss, now):
    client.force_login(boss)
    revision = flows.workflow().draft()
    asked = AllOf.objects.create()
    CustomerField.objects.create(value="MA", parent=asked)
    step = If.objects.create(revision=revision, condition=asked)
    draft = client.get(f"/workflows/if/{step.pk}/conditions/").content.decode()
    Revision.objects.filter(pk=revision.pk).update(status=Revision.Status.LIVE)

    live = client.get(f"/workflows/if/{step.pk}/conditions/").content.decode()

    assert ("Lives in <b>Massachusetts</b>" in draft, "has-problem" in draft) == (True, False)
    assert ("Lives in <b>Massachusetts</b>" in live, "has-problem" in live) == (True, False)
    assert "This revision no longer changes" in live
    assert "Make a new draft" not in live


def test_events_that_segments_write_are_not_offered(client, boss):
    client.force_login(boss)
    step = If.objects.create(revision=flows.workflow().draft(), condition=AllOf.objects.create())
    segment = Segment.objects.create(name="All", root=AllOf.objects.create())
    EventType.objects.get_or_create(name="left_a_review", defaults={"label": "Left a review"})

    for page in (f"/workflows/if/{step.pk}/conditions/", f"/segments/segment/{segment.pk}/conditions/"):
        shown = client.get(f"{page}options/did_event/event_type/?event_type_text=left").content.decode()
        assert "Left a review" in shown
        assert "Left a segment" not in shown
