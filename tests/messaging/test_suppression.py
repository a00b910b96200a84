"""Blocking an address, and freeing it, is told of each customer who has it."""

from datetime import timedelta

import pytest

from loyaltyflow.store.models import Event
from messaging.conditions import ReachableBy
from messaging.models import Suppression
from tests import factories
from tests.segments.tree import met_by

pytestmark = pytest.mark.django_db


def told():
    return list(Event.objects.order_by("pk").values_list("name", "customer", "properties"))


def test_a_block_by_staff_and_its_end_are_events(now):
    who = factories.customer(first_name="Ann", email="Ann@Example.com")
    factories.customer(email="other@example.com")
    factories.consent(who, now - timedelta(days=1))
    asks = ReachableBy(channel="email")
    assert met_by(asks, now) == {"Ann"}

    block = Suppression(address="ann@example.com", added_at=now)
    block.save()
    block.reason = "complaint"
    block.save()

    assert not met_by(asks, now)
    assert met_by(asks, now - timedelta(minutes=1)) == {"Ann"}
    assert Event.objects.get().occurred_at == now
    known = {"channel": "email"}
    assert told() == [("address_blocked", who.pk, known | {"reason": "staff"})]
    Suppression.objects.filter(pk=block.pk).delete()
    assert told()[1:] == [("address_unblocked", who.pk, known | {"reason": "complaint"})]
    assert met_by(asks, now) == {"Ann"}


def test_many_addresses_are_blocked_once_each(now):
    people = [factories.customer(phone="+16175550123"), factories.customer(phone="+16175550123")]

    blocked = Suppression.objects.block(["+16175550123", "+16175550124"], "sms", "staff", now)
    again = Suppression.objects.block(["+16175550123"], "sms", "staff", now + timedelta(days=1))

    assert (blocked, again) == (2, 0)
    assert {each.customer_id for each in Event.objects.named("address_blocked")} == {each.pk for each in people}
    assert Suppression.objects.filter(channel="sms").unblock(now + timedelta(days=2)) == 2
    assert not Suppression.objects.exists()


def test_an_address_that_nobody_has_is_blocked_without_an_event():
    Suppression.objects.create(address="nobody@example.com").delete()

    assert told() == []
