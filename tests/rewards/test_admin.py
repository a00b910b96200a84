import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests import factories

from .points import give_all

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("model", ["entry", "account"])
def test_ledger_and_accounts_are_read_only_lists_with_constant_queries(admin_client, now, model):
    address = reverse(f"admin:rewards_{model}_changelist")

    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert admin_client.get(address).status_code == 200
        return len(captured)

    factories.customer(first_name="Maria")
    give_all(now, 1240)
    admin_client.get(address)
    few = queries()
    for _ in range(5):
        factories.customer()
    give_all(now, 1240)
    assert queries() == few
    assert "1,240 pts" in admin_client.get(address).content.decode()
    assert admin_client.get(reverse(f"admin:rewards_{model}_add")).status_code == 403


def test_an_account_shows_what_its_points_are_worth(admin_client, now):
    factories.customer()
    give_all(now, 1240)
    assert "$62.00" in admin_client.get(reverse("admin:rewards_account_changelist")).content.decode()
