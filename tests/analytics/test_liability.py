"""What all customers together may still spend."""

from datetime import timedelta
from decimal import Decimal

import pytest

from analytics import dashboard
from analytics.periods import Period
from loyaltyflow.store.models import Customer, Order, StoreSettings
from rewards import earning, ledger, totals
from rewards.ledger.proof import checked
from rewards.models import LedgerTotals, Programme
from rewards.rules.points_per_spend import PointsPerSpend
from tests import factories
from tests.rewards.points import give, skip_a_number

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def test_the_liability_on_the_dashboard_is_what_all_customers_together_may_still_spend(now):
    """Added up without the ledger: what each customer got and did not lose again."""
    StoreSettings.objects.update_or_create(pk=1, defaults={"return_window_days": 14, "point_value": Decimal("0.05")})
    Programme.load()
    PointsPerSpend.objects.create(name="Spend", starts_at=now - 400 * DAY)
    keeps, returns, spends, expired = (factories.customer(loyalty_joined_at=now - 300 * DAY) for _ in range(4))
    factories.order(keeps, now - DAY, "30.95")
    factories.order(keeps, now - 100 * DAY, "12.50")
    returned = factories.order(returns, now - 2 * DAY, "80.00")
    spent = factories.order(spends, now - 50 * DAY, "40.00")
    earning.earn(Order.objects.all(), now)
    give(expired, 700, "old", now - 100 * DAY, expires_at=now - DAY)
    ledger.redeem(spends.pk, 15, key="till:1", explanation="Spent", now=now)
    Order.objects.filter(pk=returned.pk).update(cancelled_at=now)
    earning.reverse(Order.objects.all(), now)
    waiting, active = 30, 12 + (40 - 15)

    points = dashboard.read(Period(now.date() - 7 * DAY, now.date()), now)["points"]
    assert points["liability"] == {"points": waiting + active, "worth": Decimal("3.35"), "waiting": waiting}

    Order.objects.filter(pk=spent.pk).update(refunded_at=now)
    earning.reverse(Order.objects.all(), now)
    points = dashboard.read(Period(now.date() - 7 * DAY, now.date()), now)["points"]
    assert points["liability"]["points"] == waiting + 12
    assert sum(each.spendable + each.pending for each in ledger.spendable(pks(), now).values()) == waiting + 12
    assert ledger.verify() == []


@pytest.mark.parametrize("is_rolled_up", [False, True])
def test_the_programmes_sums_read_no_more_of_a_longer_ledger(now, is_rolled_up):
    """Entries of more than an hour ago are read once, whoever looks how often."""
    who = factories.customer()
    give(who, 100, "first", now, recorded_at=now - 400 * DAY)
    ledger.redeem(who.pk, 30, key="till:1", explanation="Spent", now=now)
    give(who, 7, "lapsed", now, recorded_at=now - 399 * DAY, expires_at=now + DAY)
    if is_rolled_up:
        assert totals.roll_up(now) == {"entries": 1}  # up to the first that a transaction may yet come before
        assert totals.roll_up(now) == {"entries": 0}
        assert (LedgerTotals.objects.get().points, dict(checked())["totals"]) == ({"boost": 100}, [])
        LedgerTotals.objects.update(points={"boost": 99})
        assert len(dict(checked())["totals"]) == 1
        LedgerTotals.objects.update(points={"boost": 100})

    assert totals.moved() == {"boost": 107, "redeem": -30}
    assert (totals.left(now), totals.left(now + DAY)) == (77, 70)


def test_what_is_written_down_meanwhile_under_a_lower_number_is_added_too(now):
    who = factories.customer()
    give(who, 100, "first", now, recorded_at=now - 400 * DAY)
    under_way = skip_a_number()
    give(who, 7, "second", now)
    assert totals.roll_up(now) == {"entries": 1}

    give(who, 20, "under way", now, id=under_way)

    assert totals.moved() == {"boost": 127}
    assert totals.roll_up(now) == {"entries": 0}
    assert dict(checked())["totals"] == []


def pks():
    return list(Customer.objects.values_list("pk", flat=True))
