"""Addresses that ask for what cannot be read: the page opens without it, or says so."""

import pytest
from django.contrib import admin
from django.urls import reverse

from loyaltyflow.store.admin.base import StoreAdmin
from tests.till import shop

pytestmark = pytest.mark.django_db
UNREADABLE = ["1\0", "²", str(10**30)]
# Every page that people fill in with references to other rows, and those fields.
FILLED_IN = [
    (model, page, [field.name for field in model._meta.get_fields() if field.concrete and field.related_model])
    for model, page in admin.site._registry.items()
    if isinstance(page, StoreAdmin)
]


@pytest.mark.parametrize("value", UNREADABLE)
def test_what_no_row_has_as_its_number_is_not_filled_in(value, admin_client, rf, admin_user):
    request = rf.get("/")
    request.user = admin_user
    opened = set()
    for model, page, fields in FILLED_IN:
        if fields and page.has_add_permission(request):
            address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add")
            answer = admin_client.get(address, dict.fromkeys(fields, value))
            assert answer.status_code in (200, 302), (address, value)
            opened.add(model._meta.model_name)
    assert opened >= {"adjustment", "standing", "voucher"}


@pytest.mark.parametrize("value", UNREADABLE)
@pytest.mark.parametrize("name", ["rewards_entry", "loyaltyflow_change"])
def test_what_is_searched_for_may_be_anything(name, value, admin_client):
    shop.member()
    address = reverse(f"admin:{name}_changelist")
    for asked in ("q", "p", "customer__id__exact", "kind__exact", "unknown"):
        assert admin_client.get(address, {asked: value}, follow=True).status_code == 200, (asked, value)


@pytest.mark.parametrize("asked", [{"unknown": "1"}, {"user__id__exact": "x"}, {"p": "-1"}, {"q": "\0"}])
def test_the_file_of_the_audit_is_asked_for_with_anything(asked, admin_client):
    assert admin_client.get(reverse("admin:loyaltyflow_change_export"), asked, follow=True).status_code == 200


def test_a_customer_filled_in_is_still_filled_in(admin_client):
    who = shop.member(first_name="Zoe", last_name="Quill")
    page = admin_client.get(reverse("admin:rewards_adjustment_add"), {"customer": f"{who.pk}\0"}).content.decode()
    assert f'<option value="{who.pk}" selected>' in page
