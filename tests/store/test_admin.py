"""The pages of the shop's facts."""

import pytest
from django.urls import reverse
from django.utils import timezone

from loyaltyflow.models import ApiKey
from loyaltyflow.store.models import Consent, Customer, Event, EventType, StoreSettings, Tag, Tagging
from tests import factories

PAGES = ["customer", "product", "order", "event", "eventtype", "tag", "consent"]


@pytest.fixture
def some_facts(db, now):
    def make(count):
        for number in range(count):
            who = factories.customer(first_name="Ann", loyalty_joined_at=now)
            factories.consent(who, now)
            factories.order(who, now, "10.00", factories.product(price="1.00"))
            Tag.objects.get_or_create(name=f"tag {number}")

    return make


@pytest.mark.parametrize("page", PAGES)
def test_a_list_takes_the_same_number_of_queries_however_many_rows(
    admin_client, some_facts, page, django_assert_max_num_queries
):
    def queries():
        with django_assert_max_num_queries(40) as counted:
            response = admin_client.get(reverse(f"admin:store_{page}_changelist"))
            assert response.status_code == 200
        return len(counted)

    some_facts(3)
    queries()
    few = queries()
    some_facts(30)
    assert queries() == few


def test_an_order_with_its_lines(admin_client, now):
    order = factories.order(
        factories.customer(), now, "19.50", factories.product(name="Tea"), factories.product(name="Mug")
    )
    page = admin_client.get(reverse("admin:store_order_change", args=[order.pk])).content.decode()
    assert "Tea" in page
    assert "$19.50" in page


def form_of(page):
    """What a browser would send back of the page's forms."""
    fields = {}
    forms = [page.context["adminform"].form, *(each.formset for each in page.context["inline_admin_formsets"])]
    for form in forms:
        parts = [form] if not hasattr(form, "forms") else [form.management_form, *form.forms]
        for part in parts:
            for bound in part:
                if (value := bound.value()) not in (None, ""):
                    fields[bound.html_name] = value
    return fields


def test_editing_a_customer_records_it_and_reads_cells_as_imports_do(admin_client):
    who = factories.customer(email="ann@example.com")
    address = reverse("admin:store_customer_edit", args=[who.pk])
    sent = form_of(admin_client.get(address))
    sent |= {"email": "Ann.Lee@Example.com", "phone": "617 555 0117", "state": "mass."}
    response = admin_client.post(address, sent)
    assert response.status_code == 302, response.context["errors"]

    who.refresh_from_db()
    assert (who.email, who.phone, who.state) == ("ann.lee@example.com", "+16175550117", "MA")
    assert Event.objects.get().name == "customer_updated"

    refused = admin_client.post(address, sent | {"phone": "abc", "birth_month": "2", "birth_day": "30"})
    assert refused.status_code == 200
    assert "“abc” is not a phone number" in refused.content.decode()
    assert "There is no such day" in refused.content.decode()
    assert Event.objects.count() == 1


def test_tags_and_consents_are_added_on_the_customers_page(admin_client, admin_user):
    who, tag = factories.customer(), Tag.objects.create(name="vip")
    address = reverse("admin:store_customer_edit", args=[who.pk])
    sent = form_of(admin_client.get(address))
    sent |= {"taggings-TOTAL_FORMS": "1", "taggings-0-tag": tag.pk, "taggings-0-customer": who.pk}
    sent |= {"consents-TOTAL_FORMS": "1", "consents-0-channel": "email", "consents-0-status": "opted_in"}
    sent |= {"consents-0-source": "phone call", "consents-0-customer": who.pk}
    assert admin_client.post(address, sent).status_code == 302

    assert Tagging.objects.get().added_by == admin_user
    assert Consent.objects.get().source == "phone call"
    assert sorted(Event.objects.values_list("name", flat=True)) == ["consent_changed", "tag_added"]


def test_facts_cannot_be_changed_by_hand(admin_client, now):
    consent = factories.consent(factories.customer(), now)
    factories.order(consent.customer, now)
    for page, row in (("consent", consent), ("event", Event.objects.get())):
        assert admin_client.post(reverse(f"admin:store_{page}_change", args=[row.pk]), {}).status_code == 403
        assert admin_client.post(reverse(f"admin:store_{page}_delete", args=[row.pk]), {}).status_code == 403
        assert admin_client.get(reverse(f"admin:store_{page}_add")).status_code == 403


def test_the_settings_open_on_their_form(admin_client):
    response = admin_client.get(reverse("admin:store_storesettings_changelist"))
    assert response.url == reverse("admin:store_storesettings_change", args=[1])
    assert admin_client.get(response.url).status_code == 200
    assert admin_client.get(reverse("admin:store_storesettings_add")).status_code == 403
    assert StoreSettings.objects.count() == 1


def test_staff_add_event_types_in_words(admin_client):
    address = reverse("admin:store_eventtype_add")
    kind = {"name": "coffee_tasted", "label": "Coffee tasted", "is_sent_in": "on"}
    refused = admin_client.post(address, kind | {"known": "score: stars"})
    assert "is not a name and one of the types" in refused.content.decode()
    assert admin_client.post(address, kind | {"known": "score: number\nwords: text"}).status_code == 302
    assert EventType.objects.get(name="coffee_tasted").properties == {"score": "number", "words": "text"}

    built_in = EventType.objects.get(name="page_visited")
    assert admin_client.post(reverse("admin:store_eventtype_change", args=[built_in.pk]), kind).status_code == 403


def test_a_new_key_is_shown_once_and_can_be_revoked(admin_client):
    made = admin_client.post(
        reverse("admin:loyaltyflow_apikey_add"), {"name": "Till", "scopes": ["orders"]}, follow=True
    ).content.decode()
    key = ApiKey.objects.get()
    secret = made.split("it is not shown again: ")[1].split("<")[0].strip()
    assert key.digest == ApiKey.digest_of(secret)
    assert secret not in admin_client.get(reverse("admin:loyaltyflow_apikey_change", args=[key.pk])).content.decode()

    action = {"action": "revoke", "_selected_action": [key.pk]}
    admin_client.post(reverse("admin:loyaltyflow_apikey_changelist"), action)
    assert ApiKey.objects.get().revoked_at <= timezone.now()


@pytest.mark.parametrize("change", [{"category": "Tea"}, {"brand": "Harbor"}, {"sku": "TEA-9"}])
def test_a_product_of_another_category_or_brand_is_told_to_its_buyers(change, admin_client, now):
    tea, buyer = factories.product(category="Gifts"), factories.customer()
    factories.order(buyer, now, "20.00", tea)
    address = reverse("admin:store_product_change", args=[tea.pk])
    fields = {"sku": tea.sku, "name": tea.name, "brand": "", "price": "", "image_url": "", "url": "", "is_active": "on"}

    assert admin_client.post(address, fields | {"category": "Gifts", "name": "Fine tea"}).status_code == 302
    assert not Event.objects.filter(name="product_changed").exists()
    assert admin_client.post(address, fields | {"category": "Gifts"} | change).status_code == 302
    assert list(Event.objects.filter(name="product_changed").values_list("customer", "source")) == [(buyer.pk, "admin")]


def test_a_new_customer_needs_something_to_be_known_by(admin_client):
    factories.customer(first_name="Ann", email="ann@example.com")
    address = reverse("admin:store_customer_add")
    page = admin_client.get(address)
    assert "object at 0x" not in page.content.decode()
    blank = form_of(page)

    nobody = admin_client.post(address, blank)
    twice = admin_client.post(address, blank | {"email": "ANN@example.com"})

    assert "Give a name, an e-mail address or a phone number." in nobody.content.decode()
    assert "Ann has this address already." in twice.content.decode()
    assert Customer.objects.count() == 1


@pytest.mark.parametrize("written", ["+1 617-555-0188", "(617) 555-0188", "6175550188"])
def test_a_phone_number_is_found_however_it_is_written(admin_client, written):
    who = factories.customer(phone="+16175550188")
    factories.customer(phone="+16175550189")

    page = admin_client.get(reverse("admin:store_customer_changelist"), {"q": written})

    assert [each.pk for each in page.context["cl"].result_list] == [who.pk]


@pytest.mark.parametrize(("field", "wrong"), [("locale", "xx_YY"), ("currency", "ZZZ"), ("country", "QQ")])
def test_settings_that_no_page_could_be_written_with_are_refused(admin_client, field, wrong):
    address = reverse("admin:store_storesettings_change", args=[StoreSettings.load().pk])
    sent = form_of(admin_client.get(address))

    refused = admin_client.post(address, sent | {field: wrong})

    assert f"“{wrong}” is not a " in refused.content.decode()
    assert getattr(StoreSettings.load(), field) != wrong


def test_the_list_of_events_opens_with_any_name_in_its_address(admin_client):
    assert admin_client.get("/store/event/", {"name": "\0page_visited"}).status_code == 200


@pytest.mark.django_db
def test_a_product_is_not_deleted_but_sold_no_more(admin_client):
    """What is for it alone, such as a rule of points, would be for all products without it."""
    product = factories.product()

    assert admin_client.post(f"/store/product/{product.pk}/delete/", {"post": "yes"}).status_code == 403
    admin_client.post("/store/product/", {"action": "delete_selected", "_selected_action": product.pk, "post": "yes"})

    product.refresh_from_db()
