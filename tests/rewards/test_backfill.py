"""Points for purchases of the past."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from loyaltyflow.store.models import Order
from rewards import earning, ledger
from rewards.earning import backfill
from rewards.models import Entry, Lot
from rewards.rules.points_per_spend import PointsPerSpend
from tests import factories

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def shop(now):
    """Two members with three purchases, of which one is half refunded, and somebody who never joined."""
    PointsPerSpend.objects.create(name="Spend", starts_at=now - 400 * DAY)
    for nets in (["30.95", "10.00"], ["20.00"]):
        who = factories.customer(loyalty_joined_at=now - 300 * DAY)
        for number, net in enumerate(nets):
            half = {"refunded": Decimal("10.00")} if net == "20.00" else {}
            factories.order(who, now - (200 - number) * DAY, net, **half)
    factories.order(factories.customer(), now - 100 * DAY, "99.00")
    factories.order(who, now - 250 * DAY, "500.00")
    return now


def backfilled(shop, capsys, *more):
    call_command("backfill_points", "--since", (shop - 210 * DAY).date().isoformat(), *more)
    return capsys.readouterr().out


def test_a_rehearsal_says_the_totals_and_gives_nothing(shop, capsys):
    totals = "60 points to 2 customers for 3 of 4 purchases, 10 of them taken back for refunds: worth $2.50.\n"
    assert backfilled(shop, capsys, "--dry-run") == f"Would give {totals}"
    assert Entry.objects.count() == Lot.objects.count() == 0
    assert backfilled(shop, capsys) == f"Gave {totals}"
    assert sorted(Entry.objects.values_list("points", flat=True)) == [-10, 10, 20, 30]
    assert ledger.verify() == []


def test_a_purchase_of_the_past_earns_once_however_often_it_is_looked_at(shop, capsys, monkeypatch):
    monkeypatch.setattr(backfill, "BATCH", 2)
    earning.earn(Order.objects.all(), shop)
    earning.reverse(Order.objects.all(), shop)
    before = list(Entry.objects.order_by("pk").values_list("key", "points"))
    assert backfilled(shop, capsys) == "Gave 0 points to 0 customers for 0 of 4 purchases: worth $0.00.\n"
    assert list(Entry.objects.order_by("pk").values_list("key", "points")) == before


def test_a_day_that_is_none_is_refused():
    with pytest.raises(CommandError, match="--since"):
        call_command("backfill_points", "--since", "soon")
    assert Entry.objects.count() == 0
