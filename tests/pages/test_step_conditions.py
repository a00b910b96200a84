"""The conditions of a workflow's step, in the same editor as those of segments."""

import pytest
from playwright.sync_api import expect

from segments.conditions.all_of import AllOf
from tests.workflows import flows
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
