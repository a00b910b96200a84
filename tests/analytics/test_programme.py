from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from analytics import programme
from analytics.periods import chosen
from loyaltyflow.store.models import StoreSettings
from rewards import ledger, standings
from rewards.models import Entry, Lot
from tests import factories
from tests.rewards.ladder import DAY, earn, member, tiers
from tests.rewards.points import give

pytestmark = pytest.mark.django_db(transaction=True)


def said(lines):
    return {each.label: each.text for each in lines}


def test_what_the_programme_did(now):
    """Four members: one buys twice lately, one once lately, one long ago, one never; a stranger buys too."""
    tiers()
    often, once, away, _never = (member(now) for _ in range(4))
    for who, days, net in ((often, 2, "100.00"), (often, 9, "50.00"), (once, 89, "50.00"), (away, 91, "40.00")):
        factories.order(who, now - days * DAY, net)
    factories.order(factories.customer(), now - DAY, "1000.00")
    earn(often, 500, now)
    earn(once, 300, now + timedelta(seconds=-1))
    standings.settle(now)

    with CaptureQueriesContext(connection) as captured:
        found = programme.read(chosen({}, now), now)

    assert said(found["members"]) == {
        "Active members": "2",
        "Bought again": "33.3%",
        "No purchase for 90 days": "33.3%",
        "Spent by each who bought": "$80.00",
    }
    value = StoreSettings.load().point_value
    assert sum(lot.remaining for lot in Lot.objects.all()) * value == 40
    assert said(found["fate"])["Points liability"] == "$40.00"
    assert [(each["name"], each["people"], each["share"]) for each in found["tiers"]["lines"]] == [
        ("Gold", 1, 0.25),
        ("Silver", 1, 0.25),
        ("Bronze", 2, 0.5),
    ]
    assert (found["tiers"]["up"], found["tiers"]["down"]) == (4, 0)
    for _ in range(5):
        factories.order(member(now), now - DAY)
    with CaptureQueriesContext(connection) as later:
        programme.read(chosen({}, now), now)
    assert len(later) == len(captured)


def test_what_became_of_the_points_that_were_given(now):
    """Of 500 and of 300 that were brought along, 200 are redeemed, 50 of them come back, and 100 expire."""
    who = member(now)
    give(who, 100, "old", now - 9 * DAY, expires_at=now - DAY)
    give(who, 400, "gift", now - 9 * DAY)
    give(who, 300, "brought", now - 9 * DAY, kind=Entry.Kind.MIGRATION)
    assert ledger.expire(now) == 1
    spent = ledger.redeem(who.pk, 200, key="till:1", explanation="Money off", now=now)
    assert ledger.give_back(spent, key="back", now=now, points=50)

    fate = said(programme.read(chosen({}, now), now)["fate"])

    assert fate == {"Points liability": "$27.50", "Points redeemed": "18.8%", "Points expired": "12.5%"}


def test_each_figure_opens_its_rows(admin_client, now):
    tiers()
    who = member(now)
    factories.order(who, now - DAY)
    standings.settle(now)
    found = programme.read(chosen({}, now), now)
    lines = [*found["members"], *found["fate"]]
    links = [each.link for each in lines] + [each["link"] for each in found["tiers"]["lines"]]
    for link in [*links, *found["tiers"]["history"].values()]:
        page = admin_client.get(link)
        assert page.status_code == 200, link
    customers = reverse("admin:store_customer_changelist")
    assert admin_client.get(f"{customers}?bought=ever").context["cl"].result_count == 1
    assert admin_client.get(f"{customers}?bought=again").context["cl"].result_count == 0
