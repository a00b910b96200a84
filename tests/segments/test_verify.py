from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from loyaltyflow.store.models import Event
from segments import refresh
from segments.conditions.customer_field import CustomerField
from segments.conditions.made_purchase import MadePurchase
from segments.models import Membership, Recheck
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
    assert verified() == ("Local: 1 member, as they should be\n", 0)


def test_who_is_missing_and_who_is_too_many_is_named(local, now):
    ben = factories.Customer.objects.get(first_name="Ben")
    Membership.objects.update(customer=ben)
    anna = factories.Customer.objects.get(first_name="Anna")

    assert verified() == (f"Local: 1 member, 1 missing: Anna ({anna.pk}); 1 too many: Ben ({ben.pk})\n", 1)


def test_a_wrong_count_is_named(local):
    type(local).objects.update(members_now=7)

    assert verified() == ("Local: 1 member, its count says 7\n", 1)


def test_another_moment(local, now):
    anna = factories.Customer.objects.get(first_name="Anna")
    earlier = (now - timedelta(days=1)).isoformat()

    assert verified("--now", earlier) == (f"Local: 0 members, 1 missing: Anna ({anna.pk})\n", 1)


def test_a_moment_without_an_offset_is_the_stores(local):
    assert verified("--now", "2026-11-23T14:14:00") == verified("--now", "2026-11-23T19:14:00+00:00")
    assert verified("--now", "2026-11-23T14:14:00") == ("Local: 1 member, as they should be\n", 0)


def test_a_moment_without_meaning_is_refused(db):
    with pytest.raises(CommandError, match="--now expects a moment such as 2026-11-23T14:00, .* not “yesterday”"):
        call_command("verify_segments", "--now", "yesterday")


@pytest.fixture
def dora(now):
    """Bought 3 days ago, and so is in the built segment of those who bought in the past 7 days, for 5 days more."""
    dora = factories.customer(first_name="Dora")
    factories.order(dora, now - timedelta(days=3))
    segment(MadePurchase.objects.create(window_days=7), "Recent")
    refresh.refresh(now)
    return dora


def test_who_is_looked_at_too_late_or_never_is_named(dora):
    assert verified() == ("Recent: 1 member, as they should be\n", 0)

    Recheck.objects.update(due_at=Recheck.objects.get().due_at - timedelta(days=1))
    assert verified() == ("Recent: 1 member, as they should be\n", 0)
    Recheck.objects.update(due_at=Recheck.objects.get().due_at + timedelta(days=1, microseconds=1))
    late = f"Recent: 1 member, 1 looked at too late: Dora ({dora.pk})\n"
    assert verified() == (late, 1)
    Recheck.objects.all().delete()
    assert verified() == (late, 1)
    assert not Recheck.objects.exists()


def told() -> list[tuple[str, str]]:
    names = ["segment_entered", "segment_left"]
    return sorted(Event.objects.filter(name__in=names).values_list("name", "customer__first_name"))


def test_members_are_mended_with_events(local, now):
    ben = factories.Customer.objects.get(first_name="Ben")
    anna = factories.Customer.objects.get(first_name="Anna")
    Membership.objects.update(customer=ben)
    type(local).objects.update(members_now=7)

    said, code = verified("--repair")

    assert said.splitlines() == [
        f"Local: 1 member, 1 missing: Anna ({anna.pk}); 1 too many: Ben ({ben.pk}); its count says 7",
        "Mended: 1 entered and 1 left, each with its event.",
        "Local: 1 member, as they should be",
    ]
    assert code == 0
    local.refresh_from_db()
    assert local.members_now == 1
    assert [stay.customer for stay in Membership.objects.open()] == [anna]
    assert told() == [("segment_entered", "Anna"), ("segment_left", "Ben")]
    assert verified() == ("Local: 1 member, as they should be\n", 0)


def test_rechecks_are_mended_without_moving_anybody(dora):
    due = Recheck.objects.get().due_at
    Recheck.objects.all().delete()

    said, code = verified("--repair")

    assert (said.splitlines()[1], code) == ("Mended: 0 entered and 0 left, each with its event.", 0)
    assert Recheck.objects.get().due_at == due
    assert told() == []


def test_repairing_what_is_right_changes_nothing(local):
    built = type(local).objects.values().get()

    assert verified("--repair") == ("Local: 1 member, as they should be\n", 0)
    assert type(local).objects.values().get() == built


def test_only_the_present_is_repaired(local, now):
    with pytest.raises(CommandError, match="--repair mends what is kept at present. Leave --now out."):
        call_command("verify_segments", "--repair", "--now", now.isoformat())
