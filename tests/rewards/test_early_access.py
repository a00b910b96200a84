"""Members of a tier use new offers some hours before others, and what messages say of tiers."""

from datetime import UTC, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from rewards import standings, till
from rewards.bill import Reason
from rewards.models import Discount, Redemption, Standing, Tier
from rewards.offers import open_to
from rewards.tiers import early_hours
from rewards.till.lookup import look_up
from rewards.values import TierValues
from tests import factories
from tests.till import shop

from .ladder import DAY, earn, member, programme, tiers

pytestmark = pytest.mark.django_db
INSTANT = timedelta(microseconds=1)
HOUR = timedelta(hours=1)

seen_after_commit = pytest.mark.django_db(transaction=True)


def stand(who, tier, since, until=None):
    return Standing.objects.create(customer=who, tier=tier, since=since, expires_at=until, reason="reached")


@pytest.fixture
def people(now):
    """Who is in Gold, which may use offers 24 hours before others, who is in Silver, who in none."""
    gold = tiers(early_hours=24)
    found = {name: member(now) for name in ("Gold", "Silver", "none")}
    stand(found["Gold"], gold, now)
    stand(found["Silver"], Tier.objects.get(name="Silver"), now)
    return found


@pytest.mark.parametrize(
    ("tier", "before", "is_off"),
    [
        ("Gold", 24 * HOUR + INSTANT, False),
        ("Gold", 24 * HOUR, True),
        ("Gold", timedelta(0), True),
        ("Silver", 24 * HOUR, False),
        ("Silver", INSTANT, False),
        ("Silver", timedelta(0), True),
        ("none", INSTANT, False),
        ("none", timedelta(0), True),
    ],
    ids=str,
)
def test_a_code_works_for_members_of_a_tier_some_hours_before_it_does_for_others(people, tier, before, is_off, now):
    starts = now + 48 * HOUR
    shop.code("SALE", shop.off("10.00", starts_at=starts))
    at = starts - before
    items = [till.Item("TEA", Decimal(1), Decimal(50))]

    told = till.quote(till.ask(items, at, customer=people[tier].pk, codes=["SALE"]), at)

    assert told.to_pay == Decimal("40.00" if is_off else "50.00")
    assert [each.reason for each in told.refusals] == ([] if is_off else [Reason.NOT_STARTED])
    if not is_off:
        assert told.refusals[0].current == {"starts_at": starts.astimezone(UTC).isoformat()}


def test_who_is_not_known_waits_for_the_start(people, now):
    shop.code("SALE", shop.off("10.00", starts_at=now + HOUR))
    items = [till.Item("TEA", Decimal(1), Decimal(50))]
    stranger = till.quote(till.ask(items, now, codes=["SALE"]), now)
    known = till.quote(till.ask(items, now, customer=people["Gold"].pk, codes=["SALE"]), now)

    assert [each.reason for each in stranger.refusals] == [Reason.NOT_STARTED]
    assert (stranger.discount, known.discount) == (Decimal(0), Decimal(10))
    assert Redemption.objects.count() == 0


def test_the_till_offers_for_points_what_this_customer_may_have_already(people, now):
    starts = now + 24 * HOUR
    shop.off("5.00", title="Early treat", points_price=100, starts_at=starts)
    shop.off("5.00", title="Treat", points_price=200)
    only = shop.off("5.00", title="Gold treat", points_price=300)
    only.tiers.add(Tier.objects.get(name="Gold"))

    def offered(who, at):
        return [offer.title for offer in look_up(who, at).offers]

    assert offered(people["Gold"], now) == ["Early treat", "Treat", "Gold treat"]
    assert offered(people["Gold"], now - INSTANT) == ["Treat"]  # not in the tier yet
    assert offered(people["Silver"], now) == offered(people["Silver"], starts - INSTANT) == ["Treat"]
    assert offered(people["Silver"], starts) == offered(people["none"], starts) == ["Early treat", "Treat"]


def test_tiers_in_messages(now):
    gold = tiers(content_url="https://example.com/gold")
    silver = Tier.objects.get(name="Silver")
    top, middle, stranger = member(now), member(now), factories.customer()
    Tier.objects.filter(pk=silver.pk).update(content_url="https://example.com/silver")
    platinum = Tier.objects.create(name="Platinum", threshold=1000)
    earn(middle, 260, now)
    stand(middle, silver, now, now.replace(year=2027, month=12, day=1, hour=0, minute=0))
    earn(top, 1200, now)
    stand(top, platinum, now)

    assert TierValues().for_customers([top.pk, middle.pk, stranger.pk], now) == {
        top.pk: {"name": "Platinum", "content_url": gold.content_url},  # the page of the highest that has one
        middle.pk: {
            "name": "Silver",
            "until": "Nov 30, 2027",
            "next": "Gold",
            "missing": "240 pts",
            "content_url": "https://example.com/silver",
        },
        stranger.pk: {"next": "Bronze", "missing": "0 pts"},
    }


def test_what_is_missing_is_money_where_money_counts(now):
    programme(tier_basis="spend")
    tiers()
    who = member(now)
    factories.order(who, now - HOUR, "260.50")
    stand(who, Tier.objects.get(name="Silver"), now)
    assert TierValues().for_customers([who.pk], now)[who.pk] == {"name": "Silver", "next": "Gold", "missing": "$239.50"}


@seen_after_commit
def test_early_access_by_tier(now):
    tiers(early_hours=24)
    gold, bronze = member(now), member(now)
    earn(gold, 500, now)
    standings.settle(now)
    assert (early_hours(gold.pk, now), early_hours(bronze.pk, now), early_hours(None, now)) == (24, 0, 0)


@seen_after_commit
def test_who_may_use_a_discount_and_from_when(now):
    """A sale that starts at T is open to Gold at T - 24 h, to others at T."""
    gold_tier = tiers(early_hours=24)
    gold, silver = member(now), member(now)
    earn(gold, 500, now)
    earn(silver, 250, now)
    standings.settle(now)
    at = now + 30 * DAY
    Discount.objects.create(name="Sale", title="Sale", is_active=True, starts_at=at)
    Discount.objects.create(name="Switched off", title="Sale", is_active=False)
    Discount.objects.create(name="Over", title="Sale", is_active=True, ends_at=now)
    Discount.objects.create(name="For Gold", title="A treat", is_active=True).tiers.add(gold_tier)

    def open_then(who, moment):
        return list(open_to(who and who.pk, moment).values_list("name", flat=True))

    assert open_then(gold, at - DAY - timedelta(microseconds=1)) == ["For Gold"]
    assert open_then(gold, at - DAY) == ["For Gold", "Sale"]
    assert open_then(silver, at - timedelta(microseconds=1)) == []
    assert open_then(silver, at) == ["Sale"]
    assert open_then(None, at) == ["Sale"]


def test_what_messages_say_of_tiers_takes_the_same_statements_for_many_customers_as_for_a_few(now):
    tiers()
    silver = Tier.objects.get(name="Silver")

    def statements(size):
        who = [member(now) for _ in range(size)]
        for each in who:
            earn(each, 260, now)
            stand(each, silver, now)
        with CaptureQueriesContext(connection) as captured:
            known = TierValues().for_customers([each.pk for each in who], now)
        assert [each["missing"] for each in known.values()] == ["240 pts"] * size
        return len(captured)

    statements(1)  # the settings are there from now on
    assert statements(2) == statements(40)
