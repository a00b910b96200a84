from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from rewards.admin.discounts import kinds, state
from rewards.discounts import Discount
from rewards.discounts.amount_off_bill import AmountOffBill
from rewards.discounts.amount_off_category import AmountOffCategory
from rewards.discounts.amount_off_item import AmountOffItem
from rewards.discounts.free_product import FreeProduct
from rewards.models import Budget, Multiplier, Redemption, Spending
from segments.models import Segment
from tests import factories
from tests.staff import signed_in

from .bills import discount, voucher

pytestmark = pytest.mark.django_db
LIST = "admin:rewards_discount_changelist"


def page_of(made):
    return reverse(f"admin:rewards_{made._meta.model_name}_change", args=[made.pk])


def fields(**more):
    return {"name": "Ten off", "title": "$10.00 off", "amount": "10", "is_active": "on", **more}


def test_the_list_says_what_each_takes_off_and_what_it_cost(now, admin_client):
    made = discount(uses_allowed=100, uses=2)
    item = discount(AmountOffItem, amount=Decimal(5))
    item.off_products.add(factories.product(name="Beans"))
    one = voucher(made)
    voucher(made, state="redeemed")
    for back in (None, now):
        use = {"discount": made, "customer": None, "amount": Decimal("9.50"), "redeemed_at": now, "is_single": False}
        Redemption.objects.create(**use, order=factories.order(factories.customer(), now), reversed_at=back)

    page = admin_client.get(reverse(LIST)).content.decode()
    for said in ("$10.00 off the bill.", "$5.00 off one item of Beans.", "2 of 100", "$9.50", page_of(made)):
        assert said in page
    assert one.state == "issued"


def test_the_statements_of_the_list_do_not_depend_on_its_length(admin_client):
    def statements():
        with CaptureQueriesContext(connection) as captured:
            assert admin_client.get(reverse(LIST)).status_code == 200
        return len(captured)

    for _each in range(2):
        made = discount(AmountOffItem, amount=Decimal(5))
        made.off_products.add(factories.product())
    statements()
    few = statements()
    for _each in range(10):
        made = discount(AmountOffItem, amount=Decimal(5))
        made.off_products.add(factories.product())
    assert statements() == few


def test_the_palette_offers_every_kind(admin_client):
    page = admin_client.get(reverse("admin:rewards_discount_add")).content.decode()
    assert len(kinds()) == 9
    for kind in kinds():
        assert reverse(f"admin:rewards_{kind._meta.model_name}_add") in page
        assert admin_client.get(reverse(f"admin:rewards_{kind._meta.model_name}_add")).status_code == 200


def test_a_discount_is_made_and_changed(admin_client):
    made = admin_client.post(reverse("admin:rewards_amountoffbill_add"), fields(weekdays=["2", "5"], min_spend="75"))
    discount = AmountOffBill.objects.get()
    assert made.url == page_of(discount)
    assert (discount.amount, discount.weekdays, discount.min_spend, discount.is_active) == (10, [2, 5], 75, True)

    assert admin_client.get(reverse("admin:rewards_discount_change", args=[discount.pk])).url == page_of(discount)
    assert admin_client.post(page_of(discount), fields(amount="12")).url == reverse(LIST)
    discount.refresh_from_db()
    assert (discount.amount, discount.weekdays) == (12, [])


def test_a_category_must_be_named(admin_client):
    page = admin_client.post(reverse("admin:rewards_amountoffcategory_add"), fields(off_categories=""))
    assert page.status_code == 200
    assert page.context["errors"]
    assert not AmountOffCategory.objects.exists()


def test_a_discount_is_tried_on_a_sample_bill(admin_client):
    coffee, bag = (factories.product(name=name, price=Decimal(price)) for name, price in (("Coffee", 8), ("Bag", 20)))
    made = discount(FreeProduct, product=coffee, min_spend=Decimal(25))

    page = admin_client.get(page_of(made)).content.decode()
    assert "It needs $5.00 more on this bill." in page
    page = admin_client.get(page_of(made), {f"quantity_{bag.pk}": "2", "shipping": "0"}).content.decode()
    assert "−$8.00" in page
    assert "To pay instead of $48.00" in page
    assert "$40.00" in page
    assert admin_client.get(page_of(made), {f"quantity_{bag.pk}": "many", "shipping": "NaN"}).status_code == 200


@pytest.mark.parametrize("has_voucher", [True, False])
def test_what_customers_have_vouchers_of_is_not_deleted(admin_client, has_voucher):
    made = discount()
    if has_voucher:
        voucher(made)
    answer = admin_client.post(reverse("admin:rewards_amountoffbill_delete", args=[made.pk]), {"post": "yes"})
    assert (answer.status_code, Discount.objects.exists()) == ((403, True) if has_voucher else (302, False))


def test_who_may_only_look_changes_nothing():
    client = signed_in("view_discount")
    made = discount()
    assert client.get(reverse(LIST)).status_code == 200
    assert client.get(page_of(made)).status_code == 200
    assert client.get(reverse("admin:rewards_discount_add")).status_code == 403
    assert client.post(page_of(made), fields(amount="99")).status_code == 403
    made.refresh_from_db()
    assert made.amount == 10


def test_states(now):
    day = timedelta(days=1)
    assert [
        state(Discount(is_active=is_active, starts_at=starts_at, ends_at=ends_at), now)
        for is_active, starts_at, ends_at in (
            (False, None, None),
            (True, None, None),
            (True, now + day, None),
            (True, now - day, now),
        )
    ] == ["Off", "On", "Not yet", "Ended"]


def test_the_list_of_budgets_shows_what_is_used(admin_client):
    month = Budget.objects.create(name="Autumn", unit="money", amount=Decimal(500), period="ever")
    Budget.objects.create(name="Winter", unit="points", amount=Decimal(1000), period="day")
    Spending.objects.create(budget=month, period_start="1970-01-01", used=Decimal("120.50"))
    page = admin_client.get(reverse("admin:rewards_budget_changelist")).content.decode()
    assert "$120.50 of $500.00" in page
    assert "0 pts of 1,000 pts" in page
    assert 'max="500.00" value="120.50"' in page
    address = reverse("admin:rewards_budget_delete", args=[month.pk])
    assert (admin_client.post(address, {"post": "yes"}).status_code, Budget.objects.count()) == (403, 2)


@pytest.mark.parametrize("kind", ["discount", "multiplier"])
def test_a_segment_whose_members_get_something_is_kept(admin_client, kind):
    regulars = Segment.objects.create(name="Regulars", kind="static")
    made = discount(name="Theirs") if kind == "discount" else Multiplier.objects.create(name="Theirs")
    made.segments.add(regulars)
    [use] = regulars.used_by()
    assert (str(use), use.is_live) == (f"{kind} “Theirs”", True)
    assert admin_client.get(use.url, follow=True).status_code == 200
    with pytest.raises(ValidationError, match=f"is used by {kind} “Theirs”"):
        regulars.archive(timezone.now())
    assert admin_client.post(reverse("admin:segments_segment_delete", args=[regulars.pk])).status_code == 409
    assert list(made.segments.all()) == [regulars]
