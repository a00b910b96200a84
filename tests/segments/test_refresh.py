from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, transaction
from django.db.models import Q
from django.db.models.expressions import RawSQL
from django.test.utils import CaptureQueriesContext

from loyaltyflow.store.events import happened
from loyaltyflow.store.intake import PRODUCTS, Context, Intake
from loyaltyflow.store.models import Customer, Event, StoreSettings
from segments import by_hand, refresh
from segments.conditions.all_of import AllOf
from segments.conditions.any_of import AnyOf
from segments.conditions.customer_field import CustomerField
from segments.conditions.in_segment import InSegment
from segments.conditions.joined_loyalty import JoinedLoyalty
from segments.conditions.made_purchase import Count, MadePurchase
from segments.conditions.none_of import NoneOf
from segments.models import Membership, Recheck, Segment
from tests import factories

from .tree import grow, segment

# What has just been committed is seen by a feed reader, what the test's own transaction wrote is not.
pytestmark = pytest.mark.django_db(transaction=True)


def dormant(name="Dormant", days=21):
    return segment(MadePurchase.objects.create(operator=Count.NONE, window_days=days), name)


def told(now=None) -> list[tuple[str, str, str]]:
    events = Event.objects.filter(source__startswith="segments").order_by("occurred_at", "name", "customer__first_name")
    names = dict(Segment.objects.values_list("pk", "name"))
    return [
        (each.name, names[each.properties["segment"]], each.customer.first_name)
        for each in events.select_related("customer")
        if now is None or each.occurred_at == now
    ]


def members(of: Segment) -> set[str]:
    return set(Membership.objects.open().filter(segment=of).values_list("customer__first_name", flat=True))


def everything() -> list:
    return [list(model.objects.order_by("pk").values()) for model in (Membership, Recheck, Segment, Event)]


def test_in_the_hour_that_the_clock_shows_twice_no_refresh_goes_back():
    """Ten past one in winter time is twenty minutes after ten to two in summer time."""
    zone = ZoneInfo("America/New_York")
    summer, winter = datetime(2026, 11, 1, 1, 50, tzinfo=zone), datetime(2026, 11, 1, 1, 10, tzinfo=zone, fold=1)
    lives_here = segment(CustomerField.objects.create(field="state", operator="is", value="MA"), "Here")
    refresh.refresh(summer)
    who = factories.customer(first_name="Mover", state="MA")
    happened("customer_updated", who.pk, summer + timedelta(minutes=1), "moved")

    assert refresh.refresh(winter)["entered"] == 1

    lives_here.refresh_from_db()
    assert [each.joined_at for each in Membership.objects.filter(segment=lives_here)] == [winter.astimezone(UTC)]


def test_a_build_takes_in_whom_it_finds_and_tells_nobody(now):
    factories.order(factories.customer(first_name="Buyer"), now - timedelta(days=5))
    factories.customer(first_name="Sleeper")
    lost = dormant()

    assert refresh.build(lost, now) == 1

    assert members(lost) == {"Sleeper"}
    assert (lost.members_now, lost.built_at) == (1, now)
    assert list(Recheck.objects.values_list("customer__first_name", "due_at")) == [
        ("Buyer", datetime(2026, 12, 10, 5, tzinfo=UTC))
    ]
    assert told() == []


def test_a_live_segment_that_is_not_built_is_built_first(now):
    factories.customer(first_name="Sleeper")
    lost = dormant()

    assert refresh.refresh(now) == {"built": 1, "entered": 0, "left": 0}
    assert members(lost) == {"Sleeper"}
    assert told() == []


def test_a_purchase_takes_a_customer_out_and_time_brings_them_back(now):
    buyer = factories.customer(first_name="Buyer")
    factories.customer(first_name="Sleeper")
    lost = dormant()
    refresh.refresh(now - timedelta(days=1))

    factories.order(buyer, now)
    assert refresh.refresh(now) == {"built": 0, "entered": 0, "left": 1}
    assert members(lost) == {"Sleeper"}
    assert refresh.refresh(now + timedelta(days=21)) == {"built": 0, "entered": 0, "left": 0}
    midnight = now.replace(hour=0, minute=0) + timedelta(days=22)
    assert refresh.refresh(midnight) == {"built": 0, "entered": 1, "left": 0}

    assert members(lost) == {"Buyer", "Sleeper"}
    assert told() == [("segment_left", "Dormant", "Buyer"), ("segment_entered", "Dormant", "Buyer")]
    assert not Recheck.objects.exists()
    stays = Membership.objects.filter(customer=buyer).order_by("joined_at").values_list("joined_at", "left_at")
    assert list(stays) == [(now - timedelta(days=1), now), (midnight, None)]
    entry = Event.objects.get(name="segment_entered")
    assert entry.key == f"segment_entered:{lost.pk}:{buyer.pk}:{midnight.astimezone(UTC).isoformat()}"
    assert entry.properties == {"segment": lost.pk}


def test_the_same_now_twice_changes_no_row(now):
    for days in (3, 30):
        factories.order(factories.customer(), now - timedelta(days=days))
    dormant()
    refresh.refresh(now - timedelta(days=1))
    factories.order(Customer.objects.latest("pk"), now)
    refresh.refresh(now)
    before = everything()

    assert refresh.refresh(now) == {"built": 0, "entered": 0, "left": 0}
    assert everything() == before


def test_an_earlier_now_changes_no_row(now):
    lost = dormant()
    refresh.refresh(now)
    factories.order(factories.customer(first_name="Late"), now - timedelta(hours=2))

    assert refresh.refresh(now - timedelta(hours=1)) == {"built": 0, "entered": 0, "left": 0}
    assert members(lost) == set()


def test_while_another_tick_refreshes_nothing_happens(now, another_connection):
    dormant()
    refresh.refresh(now - timedelta(days=1))
    factories.order(factories.customer(), now)
    another_connection.execute("SELECT 1 FROM store_feedreader WHERE name = 'segments' FOR UPDATE")

    assert refresh.refresh(now) == {"built": 0, "entered": 0, "left": 0}
    another_connection.rollback()
    factories.order(factories.customer(first_name="Sleeper"), now - timedelta(days=22))
    assert refresh.refresh(now) == {"built": 0, "entered": 1, "left": 0}


def killed(*_):
    raise KeyboardInterrupt


def test_a_refresh_that_breaks_off_is_done_again_whole(now, monkeypatch):
    buyer = factories.customer(first_name="Buyer")
    lost = dormant()
    refresh.refresh(now - timedelta(days=1))
    factories.order(buyer, now)
    monkeypatch.setattr(refresh, "_schedule", killed)

    with pytest.raises(KeyboardInterrupt):
        refresh.refresh(now)
    assert (members(lost), told()) == ({"Buyer"}, [])
    monkeypatch.undo()

    assert refresh.refresh(now)["left"] == 1
    assert told() == [("segment_left", "Dormant", "Buyer")]


def test_a_segment_of_segments_follows_in_the_same_refresh(now):
    buyer = factories.customer(first_name="Buyer", state="MA")
    lost = dormant()
    local = grow(AllOf, InSegment.objects.create(other=lost), CustomerField.objects.create(value="MA"))
    outer = segment(grow(NoneOf, InSegment.objects.create(other=segment(local, "Lost in MA"))), "A: the others")
    refresh.refresh(now - timedelta(days=1))
    assert members(outer) == set()

    factories.order(buyer, now)

    assert refresh.refresh(now) == {"built": 0, "entered": 1, "left": 2}
    assert set(told(now)) == {
        ("segment_entered", "A: the others", "Buyer"),
        ("segment_left", "Lost in MA", "Buyer"),
        ("segment_left", "Dormant", "Buyer"),
    }

    by_time_alone = now.replace(hour=0, minute=0) + timedelta(days=22)
    assert refresh.refresh(by_time_alone) == {"built": 0, "entered": 2, "left": 1}
    assert members(outer) == set()


def test_new_conditions_of_a_live_segment_move_people_with_events(now):
    for name, state in (("Anna", "MA"), ("Ben", "NH"), ("Cleo", "NH")):
        factories.customer(first_name=name, state=state)
    local = segment(CustomerField.objects.create(value="MA"), "Local")
    refresh.refresh(now)

    CustomerField.objects.update(value="NH")

    assert refresh.refresh(now + timedelta(minutes=1)) == {"built": 0, "entered": 2, "left": 1}
    assert members(local) == {"Ben", "Cleo"}
    assert told() == [
        ("segment_entered", "Local", "Ben"),
        ("segment_entered", "Local", "Cleo"),
        ("segment_left", "Local", "Anna"),
    ]
    assert Segment.objects.get().members_now == 2
    assert refresh.refresh(now + timedelta(minutes=2)) == {"built": 0, "entered": 0, "left": 0}


def test_another_time_zone_of_the_store_judges_everybody_again(now):
    factories.order(factories.customer(first_name="Anna"), datetime(2026, 11, 2, 4, 30, tzinfo=UTC))
    recent = segment(MadePurchase.objects.create(window_days=21), "Recent")
    refresh.refresh(now)
    assert members(recent) == set()  # it was November 1, 23:30, in New York

    refresh.refresh((now + timedelta(minutes=1)).astimezone(ZoneInfo("Europe/Berlin")))

    assert members(recent) == {"Anna"}


def test_so_many_candidates_that_everybody_is_judged(now, monkeypatch):
    monkeypatch.setattr(refresh, "EVERYBODY_FROM", 3)
    lost = dormant()
    refresh.refresh(now - timedelta(days=1))
    for name, days in (("Anna", 1), ("Ben", 30), ("Cleo", 40), ("Dan", 50)):
        factories.order(factories.customer(first_name=name), now - timedelta(days=days))

    assert refresh.refresh(now) == {"built": 0, "entered": 3, "left": 0}
    assert members(lost) == {"Ben", "Cleo", "Dan"}
    assert Recheck.objects.get().customer.first_name == "Anna"


def test_people_of_a_static_segment_come_and_go_by_hand(now):
    anna, ben = (factories.customer(first_name=name) for name in ("Anna", "Ben"))
    club = segment(name="Club", kind=Segment.Kind.STATIC)
    outside = segment(grow(NoneOf, InSegment.objects.create(other=club)), "Outside")
    refresh.refresh(now - timedelta(days=1))
    assert members(outside) == {"Anna", "Ben"}

    assert by_hand.put_in(club, Customer.objects.all(), now - timedelta(hours=2)) == 2
    assert by_hand.put_in(club, Customer.objects.filter(pk=anna.pk), now - timedelta(hours=1)) == 0
    assert by_hand.take_out(club, Customer.objects.filter(pk=ben.pk), now - timedelta(hours=1)) == 1
    club.refresh_from_db()
    assert (members(club), club.members_now) == ({"Anna"}, 1)
    assert [name for name, *_ in told()] == ["segment_entered", "segment_entered", "segment_left"]
    assert refresh.refresh(now) == {"built": 0, "entered": 0, "left": 1}
    assert members(outside) == {"Ben"}


def test_the_number_of_statements_is_that_of_segments_not_of_customers(now):
    inner = segment(MadePurchase.objects.create(operator=Count.NONE, window_days=21), "Inner")
    people = AnyOf, InSegment.objects.create(other=inner), JoinedLoyalty.objects.create(window_days=5)
    segment(grow(*people), "Outer")
    refresh.refresh(now - timedelta(days=30))

    statements = []
    for number, customers in enumerate((2, 60)):
        moment = now + timedelta(hours=number)
        for _ in range(customers):
            who = factories.customer(loyalty_joined_at=moment)
            happened("loyalty_joined", who.pk, moment, f"loyalty_joined:{who.pk}")
            factories.order(who, moment - timedelta(days=1))
            factories.order(factories.customer(), moment - timedelta(days=25))
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert refresh.refresh(moment) == {"built": 0, "entered": 3 * customers, "left": 0}
        statements.append(len(captured))

    assert statements[0] == statements[1]


def test_a_segment_that_cannot_be_judged_holds_up_no_other_and_catches_up_when_it_can(now, monkeypatch):
    eve, moved = factories.customer(first_name="Eve"), factories.customer(first_name="Ben", state="NH")
    from_maine = segment(CustomerField.objects.create(field="state", value="ME"), "From Maine")
    asking = segment(InSegment.objects.create(other=from_maine), "Asks for it")
    lost = dormant()
    refresh.refresh(now - timedelta(days=1))
    for who in (eve, moved):
        Customer.objects.filter(pk=who.pk).update(state="ME")
        factories.order(who, now)
        happened("profile_updated", who.pk, now, f"profile_updated:{who.pk}")
    whole, divided = CustomerField.q, RawSQL("1 / (length(store_customer.first_name) - 3)", [])
    monkeypatch.setattr(CustomerField, "q", lambda self, now: whole(self, now) & Q(pk__gt=divided))

    assert refresh.refresh(now) == {"built": 0, "entered": 0, "left": 2, "failed": 1}
    from_maine.refresh_from_db()
    assert (members(from_maine), members(asking), members(lost)) == (set(), set(), set())
    assert from_maine.fault == "DataError: division by zero"
    assert list(Segment.objects.failing()) == [from_maine]

    monkeypatch.undo()
    assert refresh.refresh(now + timedelta(minutes=1)) == {"built": 0, "entered": 4, "left": 0}
    assert (members(from_maine), members(asking)) == ({"Eve", "Ben"}, {"Eve", "Ben"})
    assert not Segment.objects.failing().exists()


@pytest.fixture
def another_connection():
    """A second real connection to the test's database, in a transaction of its own."""
    other = connection.copy()
    other.ensure_connection()
    raw = other.connection
    other.set_autocommit(False)
    yield raw
    raw.rollback()
    other.close()


def test_put_in_is_undone_with_its_transaction(now):
    club = segment(name="Club", kind=Segment.Kind.STATIC)
    factories.customer()

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        by_hand.put_in(club, Customer.objects.all(), now)
        raise ZeroDivisionError

    assert everything()[0] == []
    assert told() == []


def test_a_product_in_a_new_category_has_its_buyers_judged_again(now):
    tea = factories.product(category="Gifts")
    factories.order(factories.customer(first_name="Buyer"), now - timedelta(days=5), "20.00", tea)
    tea_drinkers = segment(
        MadePurchase.objects.create(operator=Count.AT_LEAST, count=1, category="Tea"), "Tea drinkers"
    )
    refresh.refresh(now)
    assert members(tea_drinkers) == set()

    later = now + timedelta(minutes=1)
    with transaction.atomic():
        intake = Intake(PRODUCTS, Context.of(StoreSettings.load(), later, "till"))
        intake.add([1], {"sku": [tea.sku], "category": ["Tea"]})
        intake.merge()
    assert refresh.refresh(later)["entered"] == 1
    assert members(tea_drinkers) == {"Buyer"}


def test_a_segment_that_is_activated_has_those_that_ask_for_it_judged_again(now):
    factories.order(factories.customer(first_name="Buyer"), now - timedelta(days=5))
    factories.customer(first_name="Sleeper")
    lost = dormant()
    Segment.objects.filter(pk=lost.pk).update(is_active=False)
    asking = segment(InSegment.objects.create(other=lost), "Asks for it")
    refresh.refresh(now)
    assert members(asking) == set()

    refresh.activate(Segment.objects.filter(pk=lost.pk), now + timedelta(minutes=1))
    refresh.refresh(now + timedelta(minutes=2))

    assert members(asking) == {"Sleeper"}
    assert told() == [("segment_entered", "Asks for it", "Sleeper")]


def test_a_refresh_for_a_moment_just_before_a_build_does_no_harm(now):
    who = factories.customer(first_name="Sleeper")
    lost = dormant()
    refresh.build(lost, now)
    factories.order(who, now - timedelta(seconds=9))

    refresh.refresh(now - timedelta(seconds=5))

    stay = Membership.objects.get()
    assert (stay.joined_at, stay.left_at) == (now, now)
