"""Lists that may have millions of rows do not count them all."""

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from loyaltyflow.store.admin import base
from tests import factories

pytestmark = pytest.mark.django_db
MILLIONS = (
    "store.customer store.order store.event store.product store.consent segments.membership messaging.message "
    "messaging.engagement rewards.entry rewards.account workflows.enrolment analytics.conversion"
)


@pytest.mark.parametrize("model", MILLIONS.split())
def test_a_big_table_is_counted_up_to_a_limit(model, admin_client):
    with CaptureQueriesContext(connection) as queries:
        page = admin_client.get(reverse(f"admin:{model.replace('.', '_')}_changelist"))

    counts = [each["sql"] for each in queries if f'FROM "{model.replace(".", "_")}"' in each["sql"]]
    assert page.status_code == 200
    assert [each for each in counts if "COUNT(" in each and f"LIMIT {base.COUNTED + 1}" not in each] == []


def test_every_read_only_list_is_one_of_them():
    lists = [page for page in admin.site._registry.values() if isinstance(page, base.ReadOnlyAdmin)]

    assert {page.paginator for page in lists} == {base.QuickPaginator}


def test_a_long_list_has_a_next_page_instead_of_numbers(admin_client, monkeypatch):
    monkeypatch.setattr(base, "COUNTED", 51)
    for number in range(103):
        factories.customer(first_name=f"Number {number}")
    address = reverse("admin:store_customer_changelist")

    def shown(query: str = "") -> tuple[int, bool]:
        text = admin_client.get(f"{address}{query}").content.decode()
        return text.count(">Number "), "Next" in text

    assert (shown(), shown("?p=2"), shown("?p=3"), shown("?p=4")) == ((50, True), (50, True), (3, True), (0, True))
    monkeypatch.undo()
    assert (shown(), shown("?p=3")) == ((50, False), (3, False))
