"""What customers spent, when they bought and what they like, at the edges."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from loyaltyflow.store.models import Cart, Refund
from segments.conditions.bought_units import BoughtUnits
from segments.conditions.has_cart import HasCart
from segments.conditions.most_bought import MostBought
from segments.conditions.purchase_date import PurchaseDate
from segments.conditions.rfm_band import RfmBand
from segments.conditions.spent import Spent
from segments.conditions.visited_store import VisitedStore
from tests import factories

from .tree import met_by

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def anna():
    return factories.customer(first_name="Anna")


def test_a_part_that_was_paid_back_is_taken_off_from_then_on(now):
    order = factories.order(anna(), now - 9 * DAY, "100.00", refunded=Decimal("40.00"))
    Refund.objects.update(at=now - 2 * DAY)
    at_least_80 = Spent(value=Decimal(80))

    answers = {days: met_by(at_least_80, now - days * DAY) for days in (10, 9, 3, 2, 0)}

    assert answers == {10: set(), 9: {"Anna"}, 3: {"Anna"}, 2: set(), 0: set()}
    assert met_by(Spent(operator="is", value=Decimal(60)), now) == {"Anna"}
    assert order.refunds.count() == 1


def test_tax_shipping_and_cancelled_orders_are_no_spending(now):
    who = anna()
    factories.order(who, now, "30.00", tax=Decimal(3), shipping=Decimal(5), discount=Decimal(7))
    factories.order(who, now, "99.00", cancelled_at=now)

    assert met_by(Spent(operator="is", value=Decimal(30)), now) == {"Anna"}


def test_who_never_bought_has_spent_nothing_but_has_no_average_order(now):
    anna()

    assert met_by(Spent(operator="at_most", value=Decimal(50)), now) == {"Anna"}
    assert met_by(Spent(measure="average", operator="at_most", value=Decimal(50)), now) == set()
    assert met_by(Spent(measure="average", operator="is_not", value=Decimal(50)), now) == set()


def test_two_packs_in_one_order_are_two_units(now):
    tea = factories.product()
    factories.order(anna(), now, "20.00", tea, tea)

    assert met_by(BoughtUnits(value=Decimal(2), skus=tea.sku, window_days=90), now) == {"Anna"}
    assert met_by(BoughtUnits(value=Decimal(3), skus=tea.sku, window_days=90), now) == set()


def test_a_visit_is_a_day_of_the_store(now):
    """23:59 and 0:00 are two days in New York, though one day of the world's clock."""
    midnight = now.replace(hour=0, minute=0)
    who = anna()
    factories.order(who, midnight)
    factories.order(who, now)
    assert met_by(VisitedStore(value=Decimal(2)), now) == set()

    factories.order(who, midnight - timedelta(minutes=1))
    assert met_by(VisitedStore(value=Decimal(2)), now) == {"Anna"}


def test_the_last_purchase_moves_back_when_it_is_refunded(now):
    who = anna()
    factories.order(who, now - 61 * DAY)
    factories.order(who, now - 5 * DAY, refunded_at=now - DAY, refunded=Decimal(20))
    dormant = PurchaseDate(operator="more_than_days_ago", days=60)

    assert met_by(dormant, now) == {"Anna"}
    assert met_by(dormant, now - 2 * DAY) == set()


@pytest.mark.parametrize(
    ("_case", "fields", "expected"),
    [
        ("60 of 100 spent on coffee", {"name": "Coffee"}, {"Anna"}),
        ("40 of 100 on tea", {"name": "Tea"}, set()),
        ("more units of tea", {"name": "Tea", "measure": "units"}, {"Anna"}),
        ("one purchase of each: by name", {"name": "Coffee", "measure": "purchases"}, {"Anna"}),
        ("the brand of the tea has no rival", {"kind": "brand", "name": "Hill"}, {"Anna"}),
        ("nothing lately", {"name": "Coffee", "window_days": 5}, set()),
    ],
)
def test_most_bought(_case, fields, expected, now):
    coffee, tea = factories.product(category="Coffee"), factories.product(category="Tea", brand="Hill")
    order = factories.order(anna(), now - 9 * DAY, "100.00", coffee, tea)
    order.lines.filter(product=coffee).update(net=60)
    order.lines.filter(product=tea).update(net=40, quantity=3)

    assert met_by(MostBought(**fields), now) == expected


@pytest.mark.parametrize(
    ("days", "many", "band"),
    [
        (0, 1, "new"),
        (30, 1, "new"),
        (31, 1, "promising"),
        (30, 2, "promising"),
        (60, 2, "promising"),
        (61, 2, "needs_attention"),
        (120, 1, "needs_attention"),
        (121, 2, "lost"),
        (30, 5, "champions"),
        (31, 5, "loyal"),
        (60, 3, "loyal"),
        (61, 3, "at_risk"),
        (240, 3, "at_risk"),
        (241, 3, "lost"),
        (700, 9, "lost"),
    ],
)
def test_everybody_who_bought_stands_in_one_band(days, many, band, now):
    who = anna()
    factories.customer(first_name="Never bought")
    for _ in range(many):
        factories.order(who, now - days * DAY, "100.00")

    assert [each for each in RfmBand.Band.values if met_by(RfmBand(band=each), now) == {"Anna"}] == [band]


def test_champions_spent_enough(now):
    who = anna()
    for _ in range(5):
        factories.order(who, now, "99.99")

    assert met_by(RfmBand(spend=Decimal("499.95")), now) == {"Anna"}
    assert met_by(RfmBand(spend=Decimal("499.96")), now) == set()
    assert met_by(RfmBand(band="loyal", spend=Decimal("499.96")), now) == {"Anna"}


def cart(now, **fields):
    known = {"source": "web", "external_id": "1", "items": 2, "value": Decimal("50.00"), "updated_at": now - DAY}
    return Cart.objects.create(customer=anna(), **(known | fields))


@pytest.mark.parametrize(
    ("_case", "fields", "expected"),
    [
        ("open", {}, {"Anna"}),
        ("empty", {"items": 0}, set()),
        ("checked out", {"checked_out_at": timedelta()}, set()),
        ("checked out later", {"checked_out_at": DAY}, {"Anna"}),
        ("touched later", {"updated_at": DAY}, set()),
    ],
)
def test_a_cart_is_open(_case, fields, expected, now):
    cart(now, **{name: now + value if isinstance(value, timedelta) else value for name, value in fields.items()})

    assert met_by(HasCart(), now) == expected


def test_an_order_ends_a_cart_that_was_not_touched_since(now):
    made = cart(now)
    factories.order(made.customer, now)

    assert met_by(HasCart(), now - timedelta(seconds=1)) == {"Anna"}
    assert met_by(HasCart(), now) == set()


def test_a_cart_that_was_touched_again_is_no_longer_left_behind(now):
    made = cart(now, abandoned_at=now - timedelta(hours=20))
    assert met_by(HasCart(state="left_behind"), now) == {"Anna"}

    Cart.objects.filter(pk=made.pk).update(updated_at=now)
    assert met_by(HasCart(state="left_behind"), now) == set()
    assert met_by(HasCart(), now) == {"Anna"}


def test_what_is_in_a_cart(now):
    tea = factories.product(category="Tea", brand="Hill")
    cart(now, lines=[{"sku": tea.sku, "quantity": 2}])

    assert met_by(HasCart(product=tea), now) == {"Anna"}
    assert met_by(HasCart(product=factories.product()), now) == set()
    assert met_by(HasCart(category="Tea", brand="Hill"), now) == {"Anna"}
    assert met_by(HasCart(category="Tea", brand="Leaf"), now) == set()
    assert met_by(HasCart(measure="worth", operator="is", value=Decimal(50)), now) == {"Anna"}
    assert met_by(HasCart(measure="items", operator="more_than", value=Decimal(2)), now) == set()


def test_a_number_to_compare_a_cart_with_is_asked_for_only_then():
    HasCart().full_clean(exclude=["condition_ptr"])
    with pytest.raises(ValidationError, match="needs a number to compare with"):
        HasCart(measure="worth").full_clean(exclude=["condition_ptr"])


def test_purchases_are_said_in_plain_words(now):
    tea = factories.product(name="Mint tea")
    said = {
        Spent(value=Decimal(200)).summary(): "spent at least $200.00",
        Spent(measure="average", operator="between", value=Decimal(5), upper=Decimal("9.5"), product=tea).summary(): (
            "spent between $5.00 and $9.50 in an average order on Mint tea"
        ),
        BoughtUnits(operator="is", value=Decimal("1.000"), category="Tea", window_days=1).summary(): (
            "bought exactly 1 unit in the category Tea in the past day"
        ),
        VisitedStore(value=Decimal(3), store_location="Salem").summary(): (
            "made purchases at the store Salem on at least 3 days"
        ),
        PurchaseDate(
            operator="more_than_days_ago", days=60
        ).summary(): "made their last purchase more than 60 days ago",
        MostBought(name="Tea", window_days=180).summary(): "spent most on the category Tea in the past 180 days",
        HasCart(measure="worth", value=Decimal(50), brand="Hill").summary(): (
            "have an open cart worth at least $50.00 that holds something of the brand Hill"
        ),
    }
    assert [*said] == [*said.values()]
