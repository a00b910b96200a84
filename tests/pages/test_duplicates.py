from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from loyaltyflow.store.models import Apart, Customer, Merge
from tests import factories
from tests.staff import signed_in

pytestmark = pytest.mark.browser
DAY = timedelta(days=1)


@pytest.fixture
def twins(transactional_db, now):
    """A customer who is there twice, once with an order."""
    one = factories.customer(first_name="Ann", last_name="Lee", email="ann@example.com", phone="+12025550143")
    other = factories.customer(
        first_name="Anna", last_name="Lee", email="anna@example.com", phone="+12025550143", loyalty_joined_at=now
    )
    factories.order(other, now - DAY, "30.95")
    return one, other


@pytest.mark.parametrize("width", [1280, 390])
def test_staff_merge_two_customers_who_share_a_phone_number(browse, twins, width):
    one, other = twins
    page = browse(reverse("admin:store_merge_changelist"), width=width)
    assert "Same phone number" in page.inner_text("#pairs")

    page.click("text=Compare")
    page.wait_for_load_state("networkidle")
    assert "Anna Lee" in page.inner_text("#profiles")
    assert "Orders" in page.inner_text("#moves")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert Customer.objects.count() == 2

    page.click("text=Merge Anna Lee into Ann Lee")
    page.wait_for_load_state("networkidle")
    assert "are one customer now" in page.inner_text("body")
    assert page.url.endswith(reverse("admin:store_customer_change", args=[one.pk]))
    assert list(Customer.objects.all()) == [one]
    assert [order.customer for order in one.orders.all()] == [one]
    assert Merge.objects.get().by.username == "dana"
    assert page.complaints == []

    page.goto(page.url.split("/store/")[0] + reverse("admin:store_merge_changelist"))
    assert "took in Anna Lee, anna@example.com · events: 1 · orders: 1" in page.inner_text("#lately")


def test_two_people_are_not_offered_again(browse, twins):
    page = browse(reverse("admin:store_merge_changelist"))
    page.click("text=Two people")
    page.wait_for_load_state("networkidle")
    assert "No two customers share" in page.inner_text("#pairs")
    assert Apart.objects.count() == 1
    assert page.complaints == []


def test_the_other_one_is_found_by_name(browse, twins):
    one, other = twins
    Customer.objects.filter(pk=other.pk).update(phone="")
    page = browse(reverse("admin:store_merge_with", args=[one.pk]))
    assert "Nobody shares" in page.inner_text("#content")
    page.fill("[name=find]", "anna lee")
    page.click("text=Find")
    page.wait_for_load_state("networkidle")
    page.click("text=Compare")
    page.wait_for_load_state("networkidle")
    assert "Merge Anna Lee into Ann Lee" in page.inner_text("#moves")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("_case", "held", "seen", "merges"),
    [
        ("may look", ["view_merge"], 200, 403),
        ("may merge, but not change customers", ["view_merge", "add_merge"], 200, 403),
        ("may merge", ["view_merge", "add_merge", "change_customer"], 200, 302),
        ("nothing", [], 403, 403),
    ],
)
def test_who_may_merge(now, _case, held, seen, merges):
    one, other = factories.customer(phone="+12025550143"), factories.customer(phone="+12025550143")
    client = signed_in(*held)

    assert client.get(reverse("admin:store_merge_changelist")).status_code == seen
    answer = client.post(reverse("admin:store_merge_with", args=[one.pk]), {"other": other.pk})
    assert answer.status_code == merges
    assert Merge.objects.count() == (merges == 302)


@pytest.mark.django_db
@pytest.mark.parametrize("other", ["abc", "99999999999999999999", "-1"])
def test_a_customer_who_is_not_there(client, now, other):
    client.force_login(User.objects.create_superuser("dana"))
    address = reverse("admin:store_merge_with", args=[factories.customer().pk])
    assert client.get(address, {"other": other}).status_code == 404
    assert client.post(reverse("admin:store_merge_apart"), {"one": other, "other": other}).status_code == 404


@pytest.mark.parametrize("width", [1280, 390])
def test_two_of_the_same_long_name_fit_the_window(browse, transactional_db, width):
    known = {"first_name": "Maximiliana", "last_name": "Featherstonehaugh", "phone": "+12025550143"}
    for number in (1, 2):
        factories.customer(**known, email=f"maximiliana.featherstonehaugh.{number}@averylongmaildomain.example.com")
    page = browse(reverse("admin:store_merge_changelist"), width=width)

    page.click("text=Compare")
    page.wait_for_load_state("networkidle")

    assert page.evaluate("document.documentElement.scrollWidth") == width
    for part in page.locator("#profiles a, #moves button").all():
        assert part.bounding_box()["x"] + part.bounding_box()["width"] <= width
