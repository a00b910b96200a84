"""The event catalogue, consents and tags."""

from datetime import timedelta

import pytest
from django.apps import apps

from loyaltyflow.store import catalogue, consents, tags
from loyaltyflow.store.intake.events import TYPES
from loyaltyflow.store.models import Consent, Customer, Event, EventType, Tagging
from tests import factories

pytestmark = pytest.mark.django_db


def test_the_catalogue_is_there_and_staffs_own_types_stay():
    assert set(EventType.objects.values_list("name", flat=True)) == set(catalogue.built_in())
    EventType.objects.create(name="coffee_tasted", label="Coffee tasted", properties={"score": "number"})
    EventType.objects.filter(name="page_visited").update(label="?", properties={})

    catalogue.write(apps.get_app_config("store"))

    own = EventType.objects.get(name="coffee_tasted")
    assert (own.is_built_in, own.properties) == (False, {"score": "number"})
    assert EventType.objects.get(name="page_visited").properties == {"url": "text", "title": "text"}
    assert EventType.objects.count() == len(catalogue.built_in()) + 1


def test_every_property_has_a_type_that_exists():
    used = {kind for entry in catalogue.built_in().values() for kind in entry.get("properties", {}).values()}
    assert used <= set(TYPES)


def test_a_consent_is_written_once_for_each_change(now):
    ann, ben = factories.customer(), factories.customer()
    factories.consent(ben, now - timedelta(days=1))
    both = Customer.objects.all()

    assert consents.record(both, "email", Consent.Status.OPTED_IN, now, "sign-up form", "I agree") == 1
    assert consents.record(both, "email", Consent.Status.OPTED_IN, now, "sign-up form") == 0
    assert consents.record(both, "email", Consent.Status.OPTED_OUT, now + timedelta(days=1), "link") == 2

    assert list(ann.consents.order_by("pk").values_list("status", "proof")) == [
        ("opted_in", "I agree"),
        ("opted_out", ""),
    ]
    events = Event.objects.filter(name="consent_changed").order_by("pk")
    assert [(event.customer_id, event.properties["status"]) for event in events] == [
        (ann.pk, "opted_in"),
        (ann.pk, "opted_out"),
        (ben.pk, "opted_out"),
    ]


def test_a_tag_is_added_once_and_every_attempt_is_told(now, django_user_model):
    ann = factories.customer()
    staff = django_user_model.objects.create_user("kim")
    assert tags.add(Customer.objects.all(), "  VIP! ", now, "admin", staff) == 1
    assert tags.add(Customer.objects.all(), "vip", now + timedelta(hours=1), "winback") == 0
    tagging = Tagging.objects.get()
    assert (tagging.customer, tagging.tag.name, tagging.added_by, tagging.added_at) == (ann, "vip", staff, now)
    told = Event.objects.filter(name="tag_added").order_by("occurred_at").values_list("source", "properties__tag")
    assert list(told) == [("admin", "vip"), ("winback", "vip")]
