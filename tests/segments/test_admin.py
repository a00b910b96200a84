import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from loyaltyflow.store.models import StoreSettings
from segments.checks import condition_types
from segments.conditions import Condition
from segments.conditions.all_of import AllOf
from segments.conditions.any_of import AnyOf
from segments.conditions.customer_field import CustomerField
from segments.conditions.in_segment import InSegment
from segments.conditions.made_purchase import MadePurchase
from segments.editing.differences import own_digest
from segments.forms.condition import FEW
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
    editor = f"/segments/segment/{made.pk}/conditions/"

    new = "to=0&after=&type=customer_field"
    assert "Customer field" in staff.get(f"{editor}?new=0&type=customer_field").content.decode()
    refused = staff.post(f"{editor}rows/?{new}", {"field": "state", "operator": "is", "value": ""})
    assert (refused.status_code, read_again(made).draft) == (422, None)
    assert "needs a value to compare with" in refused.content.decode()
    staff.post(f"{editor}rows/?{new}", {"field": "state", "operator": "is", "value": "MA"})
    [part] = edited(made).parts()
    assert part.summary() == "live in Massachusetts"

    seen = own_digest(part)
    staff.post(f"{editor}rows/{part.number}/", {"field": "state", "operator": "is", "value": "NH", "seen": seen})
    assert edited(made).summary() == "live in New Hampshire"
    staff.post(f"{editor}rows/{part.number}/delete/")
    assert edited(made).parts() == []


def test_the_top_of_a_tree_is_not_removed_by_itself(staff):
    made = segment(grow(AllOf))

    answer = staff.post(f"/segments/segment/{made.pk}/conditions/rows/0/delete/", HTTP_HX_REQUEST="true")

    assert answer.status_code == 409
    assert "The outermost group stays as it is." in answer.content.decode()
    assert AllOf.objects.count() == 1


def test_only_what_makes_sense_of_a_segment_is_offered(staff):
    made = segment(grow(AllOf))
    text = staff.get(f"/segments/segment/{made.pk}/conditions/?new=0").content.decode()

    offered = {kind for kind in condition_types() if f'id="pick-{kind.type_name()}"' in text}
    assert offered == {kind for kind in condition_types() if kind.asked_of_segments and not kind.takes_parts}


READERS = ["", "rows/0/", "count/", "hits/", "impact/", "samples/", "why/", "customers/", "words/"]
WRITERS = ["rows/new/", "rows/", "rows/0/move/", "rows/0/copy/", "rows/0/negate/", "rows/0/delete/", "groups/"]
WRITERS += ["groups/0/", "save/", "discard/", "activate/"]


@pytest.mark.parametrize("address", [*READERS, *WRITERS])
def test_the_editor_is_for_those_who_may(address):
    made, page = segment(grow(AllOf)), Client()
    page.force_login(user := get_user_model().objects.create_user("clerk", is_staff=True))
    at = f"/segments/segment/{made.pk}/conditions/{address}"

    assert page.get(at).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_segment"))
    assert page.get(at).status_code == (302 if address == "rows/0/" else 200 if address in READERS else 403)
    assert address in READERS or page.post(at).status_code == 403


def test_who_may_not_see_customers_sees_none_of_them_in_the_editor():
    factories.customer(first_name="Anna", state="MA")
    made, page = segment(grow(AllOf)), Client()
    page.force_login(user := get_user_model().objects.create_user("clerk", is_staff=True))
    user.user_permissions.add(Permission.objects.get(codename="view_segment"))
    editor = f"/segments/segment/{made.pk}/conditions/"

    for address in ("", "samples/", "customers/?customer=An", "why/?customer=An"):
        assert "Anna" not in page.get(f"{editor}{address}").content.decode()


def read_again(made: Segment) -> Segment:
    return Segment.objects.filter(pk=made.pk).with_trees("draft")[0]


def edited(made: Segment) -> Condition:
    return read_again(made).edited()


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


def test_a_segment_is_searched_for_where_there_are_many(staff):
    made = segment(grow(AllOf), "Local")
    Segment.objects.bulk_create(Segment(name=f"Number {each}", kind="static") for each in range(FEW))
    editor = f"/segments/segment/{made.pk}/conditions/"

    form = staff.get(f"{editor}?new=0&type=in_segment").content.decode()
    found = staff.get(f"{editor}options/in_segment/other/", {"other_text": "number 17"}).content.decode()
    new = f"{editor}rows/?to=0&after=&type=in_segment"
    wrong = staff.post(new, {"other": "", "other_text": "Nobody", "operator": "is_in"}).content.decode()

    assert f'hx-get="{editor}options/in_segment/other/"' in form
    assert found.count("data-pick=") == 1 and "Number 17" in found
    assert "No segment is called “Nobody”." in wrong
