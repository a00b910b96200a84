"""The changes of a segment's conditions that are not saved yet."""

import pytest
from django.contrib.auth.models import User

from segments import drafts
from segments.conditions import Condition
from segments.conditions.all_of import AllOf
from segments.conditions.any_of import AnyOf
from segments.conditions.customer_field import CustomerField
from segments.conditions.joined_loyalty import JoinedLoyalty
from segments.conditions.made_purchase import MadePurchase
from segments.models import Segment

from .tree import grow, segment

pytestmark = pytest.mark.django_db


def lives_in(state: str) -> Condition:
    return CustomerField.objects.create(field="state", operator="is", value=state)


@pytest.fixture
def erin() -> User:
    return User.objects.create(username="erin")


@pytest.fixture
def shoppers() -> Segment:
    """All of: bought twice, any of (MA, NH)."""
    root = grow(AllOf, MadePurchase.objects.create(count=2), grow(AnyOf, lives_in("MA"), lives_in("NH")))
    return segment(root, "Shoppers")


def said(tree: Condition):
    """The tree in short: nested lists that begin with the group's type."""
    if not tree.takes_parts:
        return tree.value if isinstance(tree, CustomerField) else tree.type_name()
    return [tree.type_name(), *(said(part) for part in tree.parts())]


def numbers(of: Segment) -> dict[str, int]:
    return {str(said(each)): each.number for each in of.edited().walk() if not each.takes_parts}


def drawn(of: Segment) -> list:
    """What the editor shows."""
    return said(Segment.objects.get(pk=of.pk).edited())


def saved(of: Segment) -> list:
    return said(Segment.objects.get(pk=of.pk).root)


def test_the_first_change_goes_to_a_draft_under_the_same_numbers(shoppers, erin, now):
    number = numbers(shoppers)["MA"]
    row = drafts.row(shoppers, number)
    seen, row.value = drafts.own_digest(row), "VT"

    stored = drafts.save(shoppers, row, seen, erin, now)

    assert (stored.number, stored.value, stored.changed_by, stored.changed_at) == (number, "VT", erin, now)
    assert stored.pk != number
    assert saved(shoppers) == ["all_of", "made_purchase", ["any_of", "MA", "NH"]]
    assert drawn(shoppers) == ["all_of", "made_purchase", ["any_of", "VT", "NH"]]
    assert (drafts.changes(shoppers), shoppers.draft_changed_by, shoppers.draft_changed_at) == (1, erin, now)


def test_changing_it_back_leaves_no_draft(shoppers, erin, now):
    number = numbers(shoppers)["MA"]
    before = Condition.objects.count()
    for value in ("VT", "MA"):
        row = drafts.row(shoppers, number)
        seen, row.value = drafts.own_digest(row), value
        drafts.save(shoppers, row, seen, erin, now)

    assert (shoppers.draft, shoppers.draft_changed_at, drafts.changes(shoppers)) == (None, None, 0)
    assert Condition.objects.count() == before


def test_discarding_forgets_every_change(shoppers, erin, now):
    before = sorted(Condition.objects.values_list("pk", flat=True))
    drafts.add(shoppers, 0, JoinedLoyalty(), erin, now)
    drafts.delete(shoppers, numbers(shoppers)["NH"], erin, now)

    assert drafts.discard(shoppers)
    assert not drafts.discard(shoppers)
    assert sorted(Condition.objects.values_list("pk", flat=True)) == before
    assert (shoppers.draft, drawn(shoppers)) == (None, ["all_of", "made_purchase", ["any_of", "MA", "NH"]])
