from datetime import UTC, datetime, timedelta
from hashlib import md5
from importlib import import_module

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import ProtectedError
from django.urls import reverse

from loyaltyflow.store import tags
from loyaltyflow.store.models import Customer, Event, Tag, Tagging
from segments import refresh
from segments.conditions.has_tag import HasTag
from segments.conditions.random_share import RandomShare
from tests import factories

from .tree import flips_at, met_by, segment

pytestmark = pytest.mark.django_db
migration = import_module("loyaltyflow.store.migrations.0003_keep_when_a_tag_was_removed")


@pytest.fixture
def vip() -> Tag:
    return Tag.objects.create(name="vip")


def everybody():
    return Customer.objects.all()


def told() -> list[tuple[str, str]]:
    return list(Event.objects.order_by("occurred_at", "pk").values_list("name", "source"))


def test_a_tag_that_is_removed_was_there_until_then(now, vip):
    who = factories.customer(first_name="Anna")
    tags.add(everybody(), "vip", now - timedelta(days=9), "admin")

    assert tags.remove(everybody(), " VIP ", now - timedelta(days=3), "winback") == 1
    assert tags.remove(everybody(), "vip", now, "winback") == 0
    assert tags.remove(everybody(), "unheard of", now, "winback") == 0

    assert told() == [("tag_added", "admin"), ("tag_removed", "winback")]
    assert Event.objects.get(name="tag_removed").properties == {"tag": "vip"}
    has, has_not = HasTag(tag=vip), HasTag(tag=vip, operator="has_not")
    for days, is_there in ((10, False), (9, True), (4, True), (3, False), (0, False)):
        at = now - timedelta(days=days)
        assert (bool(met_by(has, at)), bool(met_by(has_not, at))) == (is_there, not is_there)
    assert tags.add(everybody(), "vip", now, "admin") == 1
    assert list(who.taggings.order_by("pk").values_list("added_at", "removed_at")) == [
        (now - timedelta(days=9), now - timedelta(days=3)),
        (now, None),
    ]


def test_without_the_time_of_removal_a_removed_tag_does_not_come_back(now, vip):
    for name, was_removed in {"Anna": True, "Ben": False, "Cleo": True}.items():
        who = factories.customer(first_name=name)
        Tagging.objects.create(customer=who, tag=vip, added_at=now, removed_at=now if was_removed else None)
    Tagging.objects.create(customer=Customer.objects.get(first_name="Cleo"), tag=vip, added_at=now)

    with connection.cursor() as cursor:
        cursor.execute(migration.FORGET)

    assert list(Tagging.objects.order_by("pk").values_list("customer__first_name", "removed_at")) == [
        ("Ben", None),
        ("Cleo", None),
    ]


@pytest.mark.parametrize(
    ("_case", "added", "got_lately", "for_a_week"),
    [
        ("today", datetime(2026, 11, 23, 5, tzinfo=UTC), True, False),
        ("six days ago", datetime(2026, 11, 17, 5, tzinfo=UTC), True, False),
        ("the last second of a week ago", datetime(2026, 11, 17, 4, 59, 59, tzinfo=UTC), True, True),
        ("a week ago", datetime(2026, 11, 16, 5, tzinfo=UTC), True, True),
        ("earlier", datetime(2026, 11, 16, 4, 59, 59, tzinfo=UTC), False, True),
    ],
)
def test_since_when(_case, added, got_lately, for_a_week, now, vip):
    who = factories.customer(first_name="Anna")
    tags.add(everybody(), "vip", added, "admin")
    got, had = (
        HasTag(tag=vip, operator="got_in_past_days", days=7),
        HasTag(tag=vip, operator="has_had_for_days", days=7),
    )

    assert (bool(met_by(got, now)), bool(met_by(had, now))) == (got_lately, for_a_week)
    for condition in (got, had):
        if due := flips_at(condition, who, now):
            before = (due - timedelta(microseconds=1)).astimezone(now.tzinfo)
            assert bool(met_by(condition, before)) is bool(met_by(condition, now))
            assert bool(met_by(condition, due.astimezone(now.tzinfo))) is not bool(met_by(condition, now))
        else:
            assert bool(met_by(condition, now + timedelta(days=400))) is bool(met_by(condition, now))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "Has the tag <b>vip</b>"),
        ({"operator": "has_not"}, "Does <b>not</b> have the tag <b>vip</b>"),
        ({"operator": "got_in_past_days", "days": 0}, "Got the tag <b>vip</b> <b>today</b> and kept it"),
        ({"operator": "has_had_for_days", "days": 7}, "Has had the tag <b>vip</b> for <b>at least</b> <b>7 days</b>"),
    ],
)
def test_it_says_what_it_asks(fields, said, vip):
    assert HasTag(tag=vip, **fields).sentence() == said


def test_a_time_needs_its_days_and_a_tag_in_use_stays(vip):
    with pytest.raises(ValidationError, match="Give a number of days, such as 30. None was given."):
        HasTag(tag=vip, operator="has_had_for_days").full_clean()
    HasTag.objects.create(tag=vip)
    with pytest.raises(ProtectedError):
        vip.delete()


@pytest.mark.django_db(transaction=True)
def test_adding_and_removing_a_tag_moves_the_customer(now, vip):
    factories.customer(first_name="Anna")
    club = segment(HasTag.objects.create(tag=vip), "Club")
    refresh.refresh(now)
    tags.add(everybody(), "vip", now + timedelta(minutes=1), "admin")
    assert refresh.refresh(now + timedelta(minutes=1))["entered"] == 1
    tags.remove(everybody(), "vip", now + timedelta(minutes=2), "admin")
    assert refresh.refresh(now + timedelta(minutes=2))["left"] == 1
    assert not club.memberships.open().exists()


# The pages


def page_of(who: Customer) -> str:
    return reverse("admin:store_customer_edit", args=[who.pk])


def form_of(response) -> dict:
    forms = [response.context["adminform"].form, *(each.formset.management_form for each in inlines(response))]
    forms += [form for each in inlines(response) for form in each.formset.initial_forms]
    bound = {field.html_name: field.value() for form in forms for field in form}
    sent = {name: value for name, value in bound.items() if value not in (None, "")}
    for each in ("registered_at", "profile_completed_at", "loyalty_joined_at", "loyalty_left_at"):
        sent.pop(each, None)
    return sent


def inlines(response) -> list:
    return response.context["inline_admin_formsets"]


def test_staff_add_and_remove_tags_on_the_customer_s_page(admin_client, admin_user, vip):
    who = factories.customer(first_name="Anna")
    sent = form_of(admin_client.get(page_of(who)))
    new = {"taggings-TOTAL_FORMS": "1", "taggings-0-tag": vip.pk, "taggings-0-customer": who.pk}

    for _twice in range(2):
        assert admin_client.post(page_of(who), sent | new).status_code == 302
    tagging = Tagging.objects.get()
    assert (tagging.added_by, tagging.removed_at) == (admin_user, None)
    assert [name for name, _ in told()] == ["tag_added", "tag_added"]

    sent = form_of(admin_client.get(page_of(who)))
    assert sent["taggings-INITIAL_FORMS"] == 1
    response = admin_client.post(page_of(who), sent | {"taggings-0-DELETE": "on"})
    assert response.status_code == 302, response.context["errors"]

    tagging.refresh_from_db()
    assert tagging.removed_by == admin_user
    assert told()[2:] == [("tag_removed", "admin")]
    assert form_of(admin_client.get(page_of(who)))["taggings-INITIAL_FORMS"] == 0


def test_staff_tag_chosen_customers_in_the_list(admin_client, vip):
    anna, ben, cleo = (factories.customer(first_name=name) for name in ("Anna", "Ben", "Cleo"))
    address = reverse("admin:store_customer_changelist")

    def choose(action, tag, *chosen):
        sent = {"action": action, "tag": tag, "_selected_action": [each.pk for each in chosen], "index": 0}
        return admin_client.post(address, sent, follow=True).content.decode()

    assert "2 customers got the tag “vip”." in choose("add_tag", " VIP! ", anna, ben)
    assert "1 customer got the tag “vip”." in choose("add_tag", "vip", ben, cleo)
    assert "1 customer lost the tag “vip”." in choose("remove_tag", "vip", anna)
    assert "No tag was given. Write one beside the action, such as vip." in choose("remove_tag", " ! ", ben)

    assert set(Tagging.objects.open().values_list("customer__first_name", flat=True)) == {"Ben", "Cleo"}
    listed = admin_client.get(address, {"tag": vip.pk}).context["cl"].result_list
    assert {each.first_name for each in listed} == {"Ben", "Cleo"}


@pytest.mark.parametrize(
    ("_case", "name", "said"),
    [
        ("there is one already", "VIP!", "already exists"),
        ("without letters", "!?", "A tag needs letters or digits, such as vip."),
    ],
)
def test_tags_that_are_refused(_case, name, said, admin_client, vip):
    response = admin_client.post(reverse("admin:store_tag_add"), {"name": name})

    assert said in response.content.decode()
    assert Tag.objects.count() == 1


# RandomShare


def test_a_random_share_is_drawn_once_and_for_good(now):
    Customer.objects.bulk_create(Customer(first_name=str(number)) for number in range(2_000))
    half, more = RandomShare(share=50, seed="spring"), RandomShare(share=60, seed="spring")
    drawn = met_by(half, now)

    assert 900 < len(drawn) < 1_100
    assert drawn == met_by(half, now + timedelta(days=99)) < met_by(more, now)
    assert 400 < len(drawn & met_by(RandomShare(share=50, seed="autumn"), now)) < 600
    expected = {
        each.first_name
        for each in Customer.objects.all()
        if int(md5(f"spring:{each.pk}".encode(), usedforsecurity=False).hexdigest()[:8], 16) % 10_000 < 5_000
    }
    assert drawn == expected
    assert len(met_by(RandomShare(share=100), now)) == 2_000


@pytest.mark.parametrize("share", ["0", "100.1", "12.55"])
def test_shares_that_are_refused(share):
    with pytest.raises(ValidationError):
        RandomShare(share=share).full_clean()
