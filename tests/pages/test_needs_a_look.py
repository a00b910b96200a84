from datetime import timedelta

import pytest
from django.utils import timezone

from loyaltyflow.models import TickRun
from loyaltyflow.store.models import StoreSettings
from messaging.models import Campaign
from segments.models import Segment
from tests import factories
from workflows.models import Enrolment, Revision, Workflow
from workflows.nodes.end import End

pytestmark = pytest.mark.browser


def paused(name, people, now):
    """A paused workflow that so many people stand in, their step due an hour ago."""
    workflow = Workflow.objects.create(name=name, campaign=Campaign.objects.create(name=name), status="paused")
    revision = Revision.objects.create(workflow=workflow)
    node = End.objects.create(revision=revision)
    Revision.objects.filter(pk=revision.pk).update(status="live")
    for _ in range(people):
        Enrolment.objects.create(
            workflow=workflow,
            revision=revision,
            customer=factories.customer(),
            node=node,
            entered_at=now,
            arrived_at=now,
            due_at=now - timedelta(hours=1),
        )
    return workflow


def test_a_paused_workflow_that_holds_people_is_named_with_its_page(browse):
    now = timezone.now()
    workflow = paused("Points about to expire", 2, now)
    paused("Nobody in it", 0, now)
    page = browse()
    card = page.locator("[aria-label='Needs a look']")

    assert card.locator("li").count() == 1
    assert "“Points about to expire” is paused and holds 2 people." in card.inner_text()
    assert card.locator("a").get_attribute("href") == f"/workflows/workflow/{workflow.pk}/change/"
    assert page.complaints == []


def test_a_segment_that_cannot_be_judged_is_named_and_its_page_says_why(browse):
    failing = Segment.objects.create(name="From Maine", is_active=True, fault="DataError: division by zero")
    Segment.objects.create(name="Put away", is_active=False, fault="DataError: division by zero")
    page = browse()
    card = page.locator("[aria-label='Needs a look']")

    assert card.locator("li").count() == 1
    assert "The segment “From Maine” cannot be kept up to date" in card.inner_text()
    card.locator("a").click()
    page.wait_for_url(f"**/segments/segment/{failing.pk}/change/")
    assert "The database said: DataError: division by zero" in page.locator("[role=alert]").inner_text()
    assert page.complaints == []


def test_a_step_that_waits_for_the_engine_is_told_by_its_age(browse):
    workflow = paused("Winback", 1, timezone.now())
    Workflow.objects.filter(pk=workflow.pk).update(status="live")
    page = browse()

    assert page.locator("dt:has-text('Oldest step overdue') + dd").inner_text() == "1 h !"
    assert page.locator("dt:has-text('Last tick') + dd").inner_text() == "never ran !"


def test_a_tick_that_failed_and_an_engine_that_stands_still_are_told(browse):
    now = timezone.now()
    TickRun.objects.create(now=now, seconds=0.5, has_failed=True)
    late = TickRun.objects.create(now=now, seconds=0.5)
    TickRun.objects.filter(pk=late.pk).update(started_at=now - timedelta(minutes=35, seconds=5))
    page = browse()

    assert "1 tick failed in the last hour" in page.locator("[aria-label='Needs a look']").inner_text()
    assert "the engine is 35 min behind" in page.locator(".lf-bar").first.inner_text()


def test_the_demo_store_says_what_is_made_up(browse):
    StoreSettings.load()
    StoreSettings.objects.update(is_demo=True)

    told = browse().locator(".lf-callout").inner_text()

    assert "28.0% of messages are opened, 16.0% of those clicked" in told
    assert "real retailer’s" in told


def test_a_click_on_a_week_opens_its_messages(browse):
    page = browse()
    chart = page.locator("canvas[data-chart=weekly]")
    box = chart.bounding_box()

    chart.click(position={"x": box["width"] * 0.6, "y": box["height"] * 0.5})
    page.wait_for_url("**/messaging/message/?sent_at__gte=*")

    assert page.complaints == []
