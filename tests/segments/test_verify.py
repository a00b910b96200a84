from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from segments import refresh
from segments.conditions.customer_field import CustomerField
from segments.models import Membership
from tests import factories

from .tree import segment

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def local(now):
    """A built segment of everybody in MA: Anna."""
    factories.customer(first_name="Anna", state="MA")
    factories.customer(first_name="Ben", state="NH")
    made = segment(CustomerField.objects.create(value="MA"), "Local")
    refresh.refresh(now)
    return made


def verified(*arguments: str) -> tuple[str, int]:
    out = StringIO()
    try:
        call_command("verify_segments", *arguments, stdout=out)
    except SystemExit as end:
        return out.getvalue(), int(end.code or 0)
    return out.getvalue(), 0


def test_members_as_they_should_be(local):
    assert verified() == ("Local: 1 members, as they should be\n", 0)


def test_who_is_missing_and_who_is_too_many_is_named(local, now):
    ben = factories.Customer.objects.get(first_name="Ben")
    Membership.objects.update(customer=ben)
    anna = factories.Customer.objects.get(first_name="Anna")

    assert verified() == (f"Local: 1 members, 1 missing: Anna ({anna.pk}); 1 too many: Ben ({ben.pk})\n", 1)


def test_a_wrong_count_is_named(local):
    type(local).objects.update(members_now=7)

    assert verified() == ("Local: 1 members, its count says 7\n", 1)


def test_another_moment(local, now):
    anna = factories.Customer.objects.get(first_name="Anna")
    earlier = (now - timedelta(days=1)).isoformat()

    assert verified("--now", earlier) == (f"Local: 0 members, 1 missing: Anna ({anna.pk})\n", 1)


@pytest.mark.parametrize("wrong", ["yesterday", "2026-11-23T14:00"])
def test_a_moment_without_meaning_is_refused(db, wrong):
    with pytest.raises(CommandError, match=f"--now is “{wrong}”. Write a time with its offset"):
        call_command("verify_segments", "--now", wrong)
