"""What staff may reach who were given nothing, or may only look."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import get_resolver, reverse

from loyaltyflow.models import ApiKey
from messaging import outbox
from messaging.models import Message
from segments.conditions.all_of import AllOf
from segments.models import Segment
from tests import factories
from tests.messaging import world
from tests.segments.tree import segment
from tests.staff import signed_in

pytestmark = pytest.mark.django_db
# What everybody who signs in may open: no fact of the shop stands there.
OPEN_TO_STAFF = {
    "/",
    "/api/v1/docs/",
    "/api/v1/schema",
    "/jsi18n/",
    "/password_change/",
    "/password_change/done/",
    "/search/",
}


def addresses(resolver: Any, before: str = "/") -> Iterator[str]:
    """Every address of the URLconf, with 1 for each number or text in it."""
    for pattern in resolver.url_patterns:
        address = before + re.sub(r"<[^>]*>|\(\?P<[^)]*\)", "1", str(pattern.pattern)).strip("^$")
        if hasattr(pattern, "url_patterns"):
            yield from addresses(pattern, address)
        elif "logout" not in address:
            yield address


def test_staff_without_permissions_see_nothing_of_the_shop(settings, tmp_path, now):
    # given rows whose number is 1, so that no page is merely missing
    settings.EMAIL_FILE_PATH = str(tmp_path)
    template = world.template(id=1)
    world.post(template, now, world.fan(now, id=1, email="ann@example.com"))
    Message.objects.update(id=1)
    outbox.deliver(now)

    # when somebody who was given no permission opens every address there is
    client = signed_in()
    answers = {address: client.get(address).status_code for address in addresses(get_resolver())}

    # then only the pages without facts open
    assert {address for address, status in answers.items() if status == 200} == OPEN_TO_STAFF
    assert answers["/messaging/message/1/body/"] == answers["/messaging/emailtemplate/1/sample/"] == 403
    assert len(answers) > 250


def test_who_may_only_look_at_keys_cannot_revoke_them():
    key = ApiKey.issue("Web shop", ["orders"])[0]
    client = signed_in("view_apikey")
    form = {"action": "revoke", "_selected_action": [key.pk]}

    client.post(reverse("admin:loyaltyflow_apikey_changelist"), form)

    assert ApiKey.objects.get().revoked_at is None


@pytest.mark.parametrize(("action", "is_active"), [("activate", False), ("deactivate", True)])
def test_who_may_only_look_at_segments_cannot_switch_them(action, is_active):
    one = segment(is_active=is_active)
    client = signed_in("view_segment")

    client.post(reverse("admin:segments_segment_changelist"), {"action": action, "_selected_action": [one.pk]})

    assert Segment.objects.get().is_active is is_active


@pytest.mark.parametrize(("permissions", "is_told"), [([], False), (["view_customer"], True)])
def test_only_who_may_see_customers_is_told_why_one_is_in_a_segment(permissions, is_told):
    who = factories.customer(first_name="Zoe")
    address = reverse("admin:segments_segment_change", args=[segment(AllOf.objects.create()).pk])

    page = signed_in("view_segment", *permissions).get(address, {"customer": f"{who.pk}\0"}).content.decode()

    assert ("Why is somebody in or out?" in page) is is_told
    assert ("Zoe" in page) is is_told


def test_nobody_may_schedule_a_function_by_hand(admin_client: Client) -> None:
    assert admin_client.get("/django_q/schedule/").status_code == 200
    assert admin_client.get("/django_q/schedule/add/").status_code == 403
