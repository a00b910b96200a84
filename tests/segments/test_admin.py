import pytest
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from loyaltyflow.store.models import StoreSettings
from segments.checks import condition_types
from segments.conditions.all_of import AllOf
from segments.conditions.any_of import AnyOf
from segments.conditions.customer_field import CustomerField
from segments.conditions.in_segment import InSegment
from segments.conditions.made_purchase import MadePurchase
from segments.models import Membership, Segment
from tests import factories

from .tree import grow, read, segment

pytestmark = pytest.mark.django_db
LIST = "/segments/segment/"


@pytest.fixture
def staff() -> Client:
    StoreSettings.load()
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("staff"))
    return client


def page(one: Segment) -> str:
    return reverse("admin:segments_segment_change", args=[one.pk])


def test_a_new_segment_gets_a_group_to_fill(staff):
    form = {"name": "Local", "description": "", "kind": "dynamic"}
    answer = staff.post(reverse("admin:segments_segment_add"), form)

    made = Segment.objects.get()
    assert (answer.status_code, answer.url) == (302, f"/segments/segment/{made.pk}/conditions/")
    assert isinstance(read(made.root), AllOf)
    assert not made.is_active


def test_a_condition_is_chosen_added_changed_and_removed(staff):
    made = segment(grow(AllOf), "Local", is_active=False)
    add = reverse("admin:segments_condition_add")
    kind = ContentType.objects.get_for_model(CustomerField).pk

    choice = staff.post(f"{add}?parent={made.root.pk}", {"ct_id": kind})
    assert choice.url == f"?ct_id={kind}&parent={made.root.pk}"
    form = staff.get(f"{add}{choice.url}")
    assert f'name="parent" value="{made.root.pk}"' in form.content.decode()
    values = {"parent": made.root.pk, "field": "state", "operator": "is", "value": "MA"}
    assert staff.post(f"{add}{choice.url}", values).url == page(made)
    part = CustomerField.objects.get()
    assert (part.parent_id, part.tree_id, part.position) == (made.root.pk, made.root.pk, 0)

    change = reverse("admin:segments_condition_change", args=[part.pk])
    assert staff.get(change).status_code == 200
    assert "needs a value to compare with" in staff.post(change, {**values, "value": ""}).content.decode()
    assert staff.post(change, {**values, "value": "NH"}).url == page(made)
    assert CustomerField.objects.get().value == "NH"

    remove = reverse("admin:segments_condition_delete", args=[part.pk])
    assert staff.post(remove, {"post": "yes"}).url == page(made)
    assert not CustomerField.objects.exists()


def test_the_top_of_a_tree_is_not_removed_by_itself(staff):
    made = segment(grow(AllOf))

    answer = staff.post(reverse("admin:segments_condition_delete", args=[made.root.pk]), {"post": "yes"})

    assert answer.status_code == 403
    assert AllOf.objects.count() == 1


@pytest.mark.parametrize("kind", condition_types(), ids=lambda kind: kind.__name__)
def test_every_type_has_a_form(kind, staff):
    made = segment(grow(AllOf))
    number = ContentType.objects.get_for_model(kind).pk

    answer = staff.get(f"{reverse('admin:segments_condition_add')}?ct_id={number}&parent={made.root.pk}")

    assert answer.status_code == 200


def test_only_what_makes_sense_of_a_segment_is_offered(staff):
    text = staff.get(reverse("admin:segments_condition_add")).content.decode()

    offered = {kind for kind in condition_types() if f'value="{ContentType.objects.get_for_model(kind).pk}"' in text}
    assert offered == {kind for kind in condition_types() if kind.asked_of_segments}


def test_a_new_segment_that_is_filled_by_hand_opens_on_its_page(staff):
    answer = staff.post(reverse("admin:segments_segment_add"), {"name": "VIPs", "description": "", "kind": "static"})

    made = Segment.objects.get()
    assert (answer.status_code, answer.url) == (302, page(made))
    assert (made.kind, made.root, made.is_active) == ("static", None, False)


def test_activating_builds_and_deactivating_keeps_the_members(staff):
    factories.customer(state="MA")
    made = segment(grow(AllOf, CustomerField.objects.create(value="MA")), "Local", is_active=False)
    bare = segment(grow(AllOf), "Bare", is_active=False)

    chosen = {"action": "activate", "_selected_action": [made.pk, bare.pk]}
    text = staff.post(LIST, chosen, follow=True).content.decode()

    assert "“Bare” has no conditions, so everybody would be in it. Add one first." in text
    assert list(Segment.objects.values_list("name", "is_active", "members_now")) == [
        ("Bare", False, 0),
        ("Local", True, 1),
    ]
    staff.post(LIST, {"action": "deactivate", "_selected_action": [made.pk]})
    made.refresh_from_db()
    assert (made.is_active, made.built_at, Membership.objects.open().count()) == (False, None, 1)


def test_the_list_takes_as_many_statements_for_two_segments_as_for_twenty(staff):
    statements = []
    staff.get(LIST)  # what Django looks up once and keeps
    product, other = factories.product(), segment(grow(AnyOf), "Other")
    for names in (range(2), range(2, 20)):
        for number in names:
            parts = (
                MadePurchase.objects.create(product=product),
                grow(AnyOf, CustomerField.objects.create(value="MA"), InSegment.objects.create(other=other)),
            )
            segment(grow(AllOf, *parts), f"Number {number}")
        ContentType.objects.get_for_models(*condition_types(), for_concrete_models=False)
        with CaptureQueriesContext(connection) as captured:
            answer = staff.get(LIST)
        assert answer.status_code == 200
        statements.append(len(captured))

    assert "made <b>at least 1</b> purchase of <b>Product" in answer.content.decode()
    assert statements[0] == statements[1]


def test_members_are_listed_and_not_edited(staff):
    made = segment(grow(AllOf, CustomerField.objects.create(value="MA")), "Local")
    stay = Membership.objects.create(
        segment=made, customer=factories.customer(first_name="Anna"), joined_at=timezone.now()
    )

    answer = staff.get("/segments/membership/", {"segment__id__exact": made.pk, "left_at__isempty": 1})

    assert "Anna" in answer.content.decode()
    assert staff.post(f"/segments/membership/{stay.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_segment_is_searched_for_not_picked_from_a_list_of_all(staff):
    made = segment(grow(AllOf), "Local")
    kind = ContentType.objects.get_for_model(InSegment).pk

    form = staff.get(f"{reverse('admin:segments_condition_add')}?ct_id={kind}&parent={made.root.pk}").content.decode()
    query = {"app_label": "segments", "model_name": "insegment", "field_name": "other", "term": "loc"}

    assert "admin-autocomplete" in form
    assert staff.get(reverse("admin:autocomplete"), query).json()["results"] == [{"id": str(made.pk), "text": "Local"}]
