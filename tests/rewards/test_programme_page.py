"""The programme's page and the forms of its rules."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from loyaltyflow.store.models import EventType, StoreSettings
from rewards import earning
from rewards.models import EarningRule, Entry, Multiplier, Programme
from rewards.rules.points_per_event import PointsPerEvent
from rewards.rules.points_per_spend import PointsPerSpend
from segments.models import Segment
from tests import factories
from tests.staff import signed_in

pytestmark = pytest.mark.django_db
PAGE = "/rewards/programme/1/change/"


def per_dollar(now, **fields):
    return PointsPerSpend.objects.create(**{"name": "Basic", "starts_at": now - timedelta(days=9), **fields})


@pytest.fixture
def clerk(db):
    """Somebody who may look at the programme and change nothing."""
    return signed_in("view_programme", "view_earningrule", "view_multiplier")


def test_the_menu_leads_to_the_one_page_with_rules_and_multipliers_as_sentences(admin_client, now):
    per_dollar(now)
    Multiplier.objects.create(name="Tea week", factor=2, categories=["Tea"], weekdays=[1, 2])
    page = admin_client.get("/rewards/programme/", follow=True).content.decode()
    assert "1 point for every $1.00 spent" in page
    assert "2 times the points on Tea on Monday or Tuesday" in page
    assert "1 point per $1 on $30.95 net = 30" in page
    assert [kind for kind in ("pointsperspend", "pointsperunit", "pointsperorder", "pointsperevent") if kind in page]


def test_the_page_takes_as_many_statements_for_many_rules_as_for_few(admin_client, now):
    def statements():
        with CaptureQueriesContext(connection) as captured:
            assert admin_client.get(PAGE).status_code == 200
        return len(captured)

    Programme.load()
    per_dollar(now)
    Multiplier.objects.create(name="Double")
    statements()
    few = statements()
    for number in range(20):
        per_dollar(now, name=f"Basic {number}").products.add(factories.product())
        Multiplier.objects.create(name=f"Double {number}")
    assert statements() == few


def test_the_stores_two_numbers_are_kept_with_the_programmes(admin_client):
    page = admin_client.get("/rewards/programme/", follow=True)
    known = page.context["adminform"].form.initial
    sent = {name: "" if value is None else value for name, value in known.items() if value is not False}
    sent |= {"point_value": "0.10", "return_window_days": "14", "welcome_points": "25"}
    assert admin_client.post(PAGE, sent).status_code == 302
    assert StoreSettings.objects.values_list("point_value", "return_window_days").get() == (Decimal("0.10"), 14)
    assert Programme.load().welcome_points == 25
    assert "return_window_days" not in admin_client.get("/store/storesettings/1/change/").content.decode()

    refused = admin_client.post(PAGE, sent | {"point_value": "0"})
    assert "greater than or equal to 0.0001" in refused.content.decode()
    assert StoreSettings.load().point_value == Decimal("0.10")


def test_a_rule_is_switched_off_and_on(admin_client, now):
    rule = per_dollar(now)
    address = reverse("admin:rewards_programme_switch", args=["rule", rule.pk])
    for turn, is_active in (("off", False), ("off", False), ("on", True)):
        assert admin_client.post(address, {"turn": turn}).status_code == 302
        assert EarningRule.objects.get().is_active is is_active
    assert admin_client.get(address).status_code == 405
    assert admin_client.post(address.replace("rule", "programme", 1), {"turn": "off"}).status_code in (403, 404)
    assert EarningRule.objects.get().is_active


def test_who_may_only_look_changes_nothing(clerk, now):
    rule = per_dollar(now)
    Programme.load()
    page = clerk.get(PAGE).content.decode()
    assert "1 point for every $1.00 spent" in page
    assert "Add a rule" not in page
    assert 'role="switch"' not in page
    assert clerk.get(f"/rewards/pointsperspend/{rule.pk}/change/").status_code == 200

    for address in (
        reverse("admin:rewards_programme_switch", args=["rule", rule.pk]),
        f"/rewards/pointsperspend/{rule.pk}/change/",
        f"/rewards/pointsperspend/{rule.pk}/delete/",
        "/rewards/pointsperspend/add/",
        "/rewards/pointsperspend/try/",
        PAGE,
    ):
        assert clerk.post(address, {"turn": "off", "name": "Other"}).status_code == 403
    assert EarningRule.objects.values_list("name", "is_active").get() == ("Basic", True)


def test_a_form_says_what_it_comes_to_and_keeps_nothing_of_it(admin_client, now):
    said = admin_client.post(
        "/rewards/pointsperspend/try/",
        {"name": "New", "points_per_unit": "2", "unit": "1", "starts_at_0": "2026-11-01", "starts_at_1": "09:00"},
    ).json()
    assert said == {
        "said": "2 points for every $1.00 spent.",
        "example": "For example: 2 points per $1 on $30.95 net = 61",
    }
    assert EarningRule.objects.count() == 0
    assert admin_client.post("/rewards/pointsperspend/try/", {"name": "New"}).json() == {"said": "", "example": ""}


def test_a_rule_of_some_goods_is_tried_on_those(admin_client, now):
    tea = factories.product(category="Tea", name="Mint tea")
    sent = {"name": "Tea", "points": "10", "products": [tea.pk], "starts_at_0": "2026-11-01", "starts_at_1": "09:00"}
    assert admin_client.post("/rewards/pointsperunit/try/", sent).json() == {
        "said": "10 points for each Mint tea bought.",
        "example": "For example: 10 points for each of 1 unit = 10",
    }


def test_a_multiplier_says_what_it_makes_of_a_purchase(admin_client, now):
    per_dollar(now)
    segment = Segment.objects.create(name="VIP", kind=Segment.Kind.STATIC)
    sent = {"name": "VIP", "factor": "2", "segments": [segment.pk], "weekdays": ["1"], "is_active": "on"}
    assert admin_client.post("/rewards/multiplier/try/", sent).json() == {
        "said": "2 times the points for members of “VIP” on Monday.",
        "example": "For example: $30.95 earns 61 points instead of 30.",
    }
    assert Multiplier.objects.count() == 0
    refused = admin_client.post("/rewards/multiplier/add/", sent | {"factor": "101"})
    assert "less than or equal to 100" in refused.content.decode()
    assert admin_client.post("/rewards/multiplier/add/", sent).status_code == 302
    made = Multiplier.objects.get()
    assert (made.factor, made.weekdays) == (Decimal(2), [1])
    assert list(made.segments.all()) == [segment]


def test_a_rule_for_an_event_asks_only_what_is_known_of_it(admin_client):
    kind = EventType.objects.get(name="survey_answered")
    sent = {
        "name": "Survey",
        "points": "10",
        "event_type": kind.pk,
        "where_property": ["score", ""],
        "where_operator": ["at_least", "is"],
        "where_value": ["9", ""],
        "times": "1",
        "period": "day",
        "starts_at_0": "2026-11-01",
        "starts_at_1": "09:00",
        "is_active": "on",
    }
    said = admin_client.post("/rewards/pointsperevent/try/", sent).json()["said"]
    assert said == "10 points each time “Survey answered” happens where score is at least 9, at most once a day."
    assert admin_client.post("/rewards/pointsperevent/add/", sent).status_code == 302
    assert PointsPerEvent.objects.get().where == [{"property": "score", "operator": "at_least", "value": 9}]

    refused = admin_client.post(
        "/rewards/pointsperevent/add/", sent | {"name": "Two", "where_property": ["colour", ""]}
    ).content.decode()
    assert "is not a property of" in refused
    circle = EventType.objects.get_or_create(name="points_earned", defaults={"label": "Points earned"})[0]
    refused = admin_client.post(
        "/rewards/pointsperevent/add/", sent | {"name": "Two", "event_type": circle.pk, "where_property": ["", ""]}
    ).content.decode()
    assert "follows from points or segments themselves" in refused
    assert PointsPerEvent.objects.count() == 1


def test_a_rule_that_gave_points_is_not_deleted(admin_client, now):
    rule = per_dollar(now)
    order = factories.order(factories.customer(loyalty_joined_at=now - timedelta(days=9)), now)
    address = f"/rewards/pointsperspend/{rule.pk}/delete/"
    assert admin_client.get(address).status_code == 200
    earning.earn(type(order).objects.all(), now)
    assert Entry.objects.count() == 1
    assert admin_client.post(address, {"post": "yes"}).status_code == 403
    assert EarningRule.objects.count() == 1


def test_whether_a_rule_gave_points_is_found_by_an_index(admin_client, now):
    rule = PointsPerSpend.objects.create(name="Spend", starts_at=now)
    with CaptureQueriesContext(connection) as captured:
        admin_client.get(f"/rewards/pointsperspend/{rule.pk}/delete/")
    asked = {each["sql"] for each in captured if 'FROM "rewards_entry"' in each["sql"]}
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        for sql in asked:
            cursor.execute("EXPLAIN " + sql.replace("%", "%%"), [])
            plan = "\n".join(line for (line,) in cursor.fetchall())
            assert re.search(r"Index Cond: \(\(\(?key\)?(::text)? (~>=~|>=) 'earn:", plan), plan
    assert asked
