"""The audit as people read it, and what the pages that change something leave in it."""

import csv
import io
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from loyaltyflow.audit.words import tell
from loyaltyflow.models import ApiKey, Change
from loyaltyflow.store.models import Consent, StoreSettings
from rewards.discounts import Discount
from rewards.models import AdjustmentLimit, AdjustmentReason, Programme, Tier, Voucher
from segments.models import Segment
from tests import factories
from tests.staff import signed_in
from workflows.models import Workflow

seen_after_commit = pytest.mark.django_db(transaction=True)
LOG = "admin:loyaltyflow_change_changelist"


def cashiers():
    return Group.objects.create(name="Cashiers")


def reason():
    return AdjustmentReason.objects.create(code="gift", title="A gift")


def live():
    return Workflow.objects.create(name="Welcome", goal="Greet them.", status="live")


def ten_off():
    return Discount.objects.create(name="Ten off", title="$10.00 off", is_active=True)


def voucher():
    return Voucher.objects.create(code="TEN", discount=ten_off())


def own_code(row):
    return {"discount": row.pk, "customer": factories.customer().pk, "code": "", "uses_allowed": "", "once": "staff:1"}


def common_code(row):
    return {"discount": row.pk, "customer": "", "code": "WELCOME10", "uses_allowed": "", "once": "staff:1"}


FLOW = {"name": "Welcome", "goal": "Greet them.", "goal_days": 30, "reentry": "once"}
# What there is before, the page, what is sent to it (made from the row there), and the change that it leaves.
VIEWS = [
    (cashiers, "auth_group_change", lambda row: {"name": "Tills"}, {"name": "Tills"}),
    (reason, "rewards_adjustmentreason_change", lambda row: {"code": "gift", "title": "Sorry"}, None),
    (cashiers, "rewards_adjustmentlimit_add", lambda row: {"group": row.pk, "points": 500}, None),
    (reason, "loyaltyflow_apikey_add", lambda row: {"name": "Till 1", "scopes": ["orders"]}, None),
    (ten_off, "rewards_voucher_add", own_code, None),
    (ten_off, "rewards_voucher_add", common_code, None),
    (voucher, "rewards_voucher_revoke", lambda row: {"reason": "Lost"}, {"note": "Lost", "state": "revoked"}),
    (live, "workflows_workflow_change", lambda row: FLOW | {"workflows_workflow_pause": ""}, None),
]


@seen_after_commit
@pytest.mark.parametrize(("make", "page", "sent", "after"), VIEWS, ids=[view[1] for view in VIEWS])
def test_a_page_that_changes_something_leaves_one_change_with_who_and_from_where(client, make, page, sent, after):
    boss = User.objects.create_superuser("dana")
    client.force_login(boss)
    StoreSettings.load()
    row = make()
    seen = Change.objects.latest("pk").pk
    address = reverse(f"admin:{page}", args=[] if page.endswith("_add") else [row.pk])

    answer = client.post(address, sent(row), REMOTE_ADDR="10.0.0.7")

    assert answer.status_code == 302, answer.content.decode()
    [change] = Change.objects.filter(pk__gt=seen)
    assert (change.user, change.actor, change.role) == (boss, "dana", "superuser")
    assert (change.address, change.path) == ("10.0.0.7", address)
    assert after is None or change.after.items() >= after.items()


@seen_after_commit
def test_what_an_api_key_changes_is_the_keys(now):
    StoreSettings.load()
    secret = ApiKey.issue("Web shop", ["customers"])[1]
    seen = Change.objects.latest("pk").pk
    row = {"email": "ann@example.com", "consent_email": True}
    headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": "k1"}
    answer = Client().post("/api/v1/customers", [row], content_type="application/json", headers=headers)
    assert answer.status_code == 200, answer.content
    assert Consent.objects.count() == 1, answer.content
    [change] = Change.objects.filter(pk__gt=seen)
    assert (change.actor, change.user, change.path) == ("API key Web shop", None, "/api/v1/customers")
    assert change.after["consent email: status"] == "opted_in"


def lines(row):
    """What the object's last change says."""
    change = Change.objects.filter(object_id=row.pk, model=row._meta.label_lower).latest("pk")
    return [(line.label, line.was, line.is_now) for line in tell([change])[0].lines]


@seen_after_commit
def test_changes_are_told_in_words(now):
    group = cashiers()
    limit = AdjustmentLimit.objects.create(group=group, points=500)
    assert lines(limit) == [("Points", "–", "500"), ("Group", "–", "Cashiers")]
    flow = live()
    Workflow.objects.filter(pk=flow.pk).update(status="paused")
    assert lines(flow) == [("Status", "Live", "Paused")]
    one = ApiKey.issue("Till 1", ["orders", "events"])[0]
    ApiKey.objects.filter(pk=one.pk).update(scopes=["orders"], revoked_at=now)
    assert lines(one) == [("Scopes", "Orders, Events", "Orders"), ("Revoked at", "–", "Nov 23, 2:14 pm")]
    user = User.objects.create_user("carl")
    User.objects.filter(pk=user.pk).update(is_staff=True)
    assert lines(user) == [("Staff status", "no", "yes")]
    user.groups.add(group)
    assert lines(user) == [("Groups", "–", "Cashiers")]
    who = factories.customer()
    factories.consent(who, now)
    assert ("Consent email: status", "–", "Opted in") in lines(who)


@seen_after_commit
def test_every_object_has_a_page_of_its_changes(admin_client):
    gold = Tier.objects.create(name="Gold", threshold=500)
    Tier.objects.filter(pk=gold.pk).update(name="Platinum")
    regulars = Segment.objects.create(name="Regulars")
    page = admin_client.get(reverse("admin:segments_segment_history", args=[regulars.pk])).content.decode()
    assert "Added" in page and "The program" in page
    page = admin_client.get(reverse("admin:segments_segment_change", args=[regulars.pk])).content.decode()
    assert reverse("admin:segments_segment_history", args=[regulars.pk]) in page
    log = admin_client.get(reverse(LOG)).content.decode()
    assert "Gold → <b>Platinum</b>" in log


@seen_after_commit
def test_the_log_is_filtered_by_person_object_and_period(admin_client, admin_user):
    StoreSettings.load()
    Tier.objects.create(name="Gold", threshold=500)
    reason()
    labels = {"rewards.tier", "rewards.adjustmentreason", "auth.user"}

    def shown(**filters):
        return {each.model for each in admin_client.get(reverse(LOG), filters).context["cl"].result_list}

    day = Change.objects.latest("pk").at.date()
    assert shown() >= labels
    assert shown(object="rewards.tier") == {"rewards.tier"}
    assert shown(user__id__exact=admin_user.pk) == set()
    assert shown(at_from=day + timedelta(days=2)) == set()
    assert shown(at_from=day - timedelta(days=1)) >= labels
    assert shown(q="Gold") == {"rewards.tier"}


@seen_after_commit
def test_the_log_takes_as_many_statements_for_many_changes_as_for_few(admin_client):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert admin_client.get(reverse(LOG)).status_code == 200
        return len(captured)

    for number in range(3):
        AdjustmentLimit.objects.create(group=Group.objects.create(name=f"Group {number}"), points=500)
    admin_client.get(reverse(LOG))
    few = queries()
    for number in range(3, 15):
        AdjustmentLimit.objects.create(group=Group.objects.create(name=f"Group {number}"), points=500)
    assert queries() == few


@seen_after_commit
def test_the_file_of_the_log_holds_what_the_filters_leave_and_is_in_the_log_itself(admin_client):
    Tier.objects.create(name="=Gold", threshold=500)
    address = reverse("admin:loyaltyflow_change_export")
    answer = admin_client.get(address, {"object": "rewards.tier"})
    head, *rows = csv.reader(io.StringIO(b"".join(answer.streaming_content).decode()))
    assert head[:2] == ["When", "Who"]
    assert [(row[1], row[4], row[6]) for row in rows] == [("The program", "Added", "'=Gold")]
    exported = Change.objects.latest("pk")
    assert (exported.action, exported.actor, exported.after) == ("exported", "admin", {"rows": 1})


@pytest.mark.django_db
def test_only_who_may_see_the_audit_sees_it():
    nobody = signed_in("view_tier")
    assert nobody.get(reverse(LOG)).status_code == 403
    assert nobody.get(reverse("admin:loyaltyflow_change_export")).status_code == 403
    User.objects.all().delete()
    auditor = signed_in("view_change")
    assert auditor.get(reverse(LOG)).status_code == 200
    assert auditor.post(reverse("admin:loyaltyflow_change_add")).status_code == 403


@pytest.mark.django_db
def test_what_a_change_holds_in_a_structure_is_told_in_words():
    after = {"tiers_as_settled": {"tier_basis": "points", "tiers": [[1, "0.00"]], "counts_gifts": False}, "nothing": {}}

    [told] = tell([Change(action="changed", model="rewards.programme", after=after)])

    assert [(line.was, line.is_now) for line in told.lines] == [
        ("–", "tier basis: points, tiers: 1, 0.00, counts gifts: no"),
        ("–", "–"),
    ]


@seen_after_commit
def test_what_the_tick_notes_of_the_tiers_is_no_change_of_the_programme():
    programme = Programme.load()
    seen = Change.objects.latest("pk").pk

    Programme.objects.filter(pk=programme.pk).update(tiers_as_settled={"tiers": [[1, "0.00"]]})

    assert not Change.objects.filter(pk__gt=seen).exists()


@seen_after_commit
def test_a_change_of_a_customers_consent_is_told_with_the_customers_name():
    who = factories.customer(first_name="Ann", last_name="Lee")
    Consent.objects.create(customer=who, channel="email", status="opted_in", given_at=timezone.now())

    [told] = tell([Change.objects.latest("pk")])

    assert told.did == "Changed customer Ann Lee"
