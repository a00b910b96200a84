"""The changes of a segment's conditions that are not saved yet."""

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

from segments.checks import condition_types
from segments.conditions import Condition
from segments.conditions.all_of import AllOf
from segments.conditions.any_of import AnyOf
from segments.conditions.customer_field import CustomerField
from segments.conditions.in_segment import InSegment
from segments.conditions.joined_loyalty import JoinedLoyalty
from segments.conditions.made_purchase import MadePurchase
from segments.conditions.none_of import NoneOf
from segments.editing import drafts
from segments.editing.conflicts import Changed, Gone
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


MADE = "made_purchase"


def n(of: Segment, what: str) -> int:
    """The number of the row that says this; of the first group of this type."""
    rows = Segment.objects.get(pk=of.pk).edited().walk()
    return next(each.number for each in rows if what in (said(each), each.type_name()))


CHANGES = [
    ("add to the top", lambda s, by, now: drafts.add(s, 0, JoinedLoyalty(), by, now),
     ["all_of", MADE, ["any_of", "MA", "NH"], "joined_loyalty"], 1),
    ("add after a row", lambda s, by, now: drafts.add(s, 0, JoinedLoyalty(), by, now, after=n(s, MADE)),
     ["all_of", MADE, "joined_loyalty", ["any_of", "MA", "NH"]], 1),
    ("add to a group", lambda s, by, now: drafts.add(s, n(s, "any_of"), CustomerField(value="VT"), by, now),
     ["all_of", MADE, ["any_of", "MA", "NH", "VT"]], 1),
    ("add a group", lambda s, by, now: drafts.add(s, 0, NoneOf(), by, now, after=n(s, MADE)),
     ["all_of", MADE, ["none_of"], ["any_of", "MA", "NH"]], 1),
    ("move within its group", lambda s, by, now: drafts.move(s, n(s, "NH"), n(s, "any_of"), 0, by, now),
     ["all_of", MADE, ["any_of", "NH", "MA"]], 1),
    ("move to the top", lambda s, by, now: drafts.move(s, n(s, "MA"), 0, 1, by, now),
     ["all_of", MADE, "MA", ["any_of", "NH"]], 1),
    ("move far down", lambda s, by, now: drafts.move(s, n(s, MADE), n(s, "any_of"), 99, by, now),
     ["all_of", ["any_of", "MA", "NH", MADE]], 1),
    ("copy a row", lambda s, by, now: drafts.copy(s, n(s, MADE), by, now),
     ["all_of", MADE, MADE, ["any_of", "MA", "NH"]], 1),
    ("copy a group", lambda s, by, now: drafts.copy(s, n(s, "any_of"), by, now),
     ["all_of", MADE, ["any_of", "MA", "NH"], ["any_of", "MA", "NH"]], 3),
    ("delete a row", lambda s, by, now: drafts.delete(s, n(s, "MA"), by, now),
     ["all_of", MADE, ["any_of", "NH"]], 1),
    ("delete a group", lambda s, by, now: drafts.delete(s, n(s, "any_of"), by, now), ["all_of", MADE], 3),
    ("ask for none", lambda s, by, now: drafts.set_mode(s, n(s, "any_of"), NoneOf, by, now),
     ["all_of", MADE, ["none_of", "MA", "NH"]], 1),
    ("ask for any at the top", lambda s, by, now: drafts.set_mode(s, 0, AnyOf, by, now),
     ["any_of", MADE, ["any_of", "MA", "NH"]], 1),
    ("negate a row", lambda s, by, now: drafts.negate(s, n(s, MADE), by, now),
     ["all_of", ["none_of", MADE], ["any_of", "MA", "NH"]], 2),
    ("negate any of", lambda s, by, now: drafts.negate(s, n(s, "any_of"), by, now),
     ["all_of", MADE, ["none_of", "MA", "NH"]], 1),
]  # fmt: skip


@pytest.mark.parametrize(("_case", "change", "expected", "differing"), CHANGES, ids=[each[0] for each in CHANGES])
def test_each_change_is_drawn_counted_and_published(_case, change, expected, differing, shoppers, erin, now):
    change(shoppers, erin, now)

    assert drawn(shoppers) == expected
    assert drafts.changes(shoppers) == differing
    assert saved(shoppers) == ["all_of", MADE, ["any_of", "MA", "NH"]]
    assert (shoppers.draft_changed_by, shoppers.draft_changed_at) == (erin, now)
    rows = [each for each in Condition.objects.all() if each.tree_id == shoppers.draft_id]
    assert {each.parent_id for each in rows} <= {each.pk for each in rows} | {shoppers.draft_id}
    assert len(rows) == len(list(shoppers.edited().walk())) - 1


def test_negating_twice_asks_the_same_as_before(shoppers, erin, now):
    for _ in range(2):
        drafts.negate(shoppers, n(shoppers, MADE), erin, now)

    assert (drawn(shoppers), shoppers.draft) == (["all_of", MADE, ["any_of", "MA", "NH"]], None)


def test_the_only_row_of_a_none_of_at_the_top_comes_out_of_it(erin, now):
    of = segment(grow(NoneOf, lives_in("MA")))

    drafts.negate(of, n(of, "MA"), erin, now)

    assert drawn(of) == ["all_of", "MA"]


REFUSED = [
    ("move the top", lambda s, by, now: drafts.move(s, 0, n(s, "any_of"), 0, by, now), "outermost group"),
    ("move the top by its number", lambda s, by, now: drafts.move(s, s.root_id, 0, 0, by, now), "outermost"),
    ("move into itself", lambda s, by, now: drafts.move(s, n(s, "any_of"), n(s, "any_of"), 0, by, now), "into itself"),
    ("move into a row", lambda s, by, now: drafts.move(s, n(s, "MA"), n(s, MADE), 0, by, now), "not a group"),
    ("add to a row", lambda s, by, now: drafts.add(s, n(s, MADE), JoinedLoyalty(), by, now), "not a group"),
    ("delete the top", lambda s, by, now: drafts.delete(s, 0, by, now), "outermost group"),
    ("copy the top", lambda s, by, now: drafts.copy(s, 0, by, now), "outermost group"),
    ("negate the top", lambda s, by, now: drafts.negate(s, 0, by, now), "outermost group"),
    ("turn a row into a group", lambda s, by, now: drafts.set_mode(s, n(s, MADE), AllOf, by, now), "not a group"),
    ("name nothing", lambda s, by, now: drafts.add(s, 0, InSegment(), by, now), "There is no segment"),
]  # fmt: skip


@pytest.mark.parametrize(("_case", "change", "reason"), REFUSED, ids=[each[0] for each in REFUSED])
def test_what_makes_no_sense_is_refused_and_changes_nothing(_case, change, reason, shoppers, erin, now):
    before = list(Condition.objects.order_by("pk").values())

    with pytest.raises(ValidationError, match=reason):
        change(shoppers, erin, now)

    assert list(Condition.objects.order_by("pk").values()) == before
    assert Segment.objects.get(pk=shoppers.pk).draft is None


def test_a_group_does_not_go_below_a_group_that_it_holds(shoppers, erin, now):
    inner = drafts.add(shoppers, n(shoppers, "any_of"), AllOf(), erin, now)
    before = drawn(shoppers)

    with pytest.raises(ValidationError, match="into itself"):
        drafts.move(shoppers, n(shoppers, "any_of"), inner.number, 0, erin, now)

    assert drawn(shoppers) == before


def test_a_new_row_names_the_first_that_does_not_lead_back_to_its_own_segment(shoppers, erin, now):
    segment(grow(AllOf, InSegment.objects.create(other=shoppers)), "Asks for shoppers")
    free = segment(grow(AllOf), "Zebras")

    assert drafts.add(shoppers, 0, InSegment(), erin, now).other == free


def test_a_static_segment_has_nothing_to_draft(erin, now):
    by_hand = segment(None, "By hand", kind=Segment.Kind.STATIC)

    with pytest.raises(ValidationError, match="filled by hand"):
        drafts.add(by_hand, 0, JoinedLoyalty(), erin, now)

    assert Condition.objects.count() == 0


@pytest.mark.parametrize("has_one", [False, True], ids=["no condition", "one without a group"])
def test_a_segment_without_a_top_group_gets_one_in_its_draft(has_one, erin, now):
    of = segment(lives_in("MA") if has_one else None)

    drafts.add(of, 0, JoinedLoyalty(), erin, now)

    assert drawn(of) == ["all_of", *(["MA"] if has_one else []), "joined_loyalty"]
    assert drafts.changes(of) == 1


def test_an_emptied_group_stays_until_it_is_deleted(shoppers, erin, now):
    for state in ("MA", "NH"):
        drafts.delete(shoppers, n(shoppers, state), erin, now)

    assert drawn(shoppers) == ["all_of", MADE, ["any_of"]]


def test_numbers_stay_when_the_group_around_a_row_changes_its_type(shoppers, erin, now):
    before = {n(shoppers, what) for what in (MADE, "MA", "NH", "any_of", "all_of")}

    drafts.set_mode(shoppers, 0, NoneOf, erin, now)
    drafts.set_mode(shoppers, n(shoppers, "any_of"), AllOf, erin, now)

    assert {each.number for each in shoppers.edited().walk()} == before


def test_the_top_group_is_named_by_its_own_number_even_when_that_goes_with_the_draft(erin, now):
    bare = Segment.objects.create(name="Bare", root=MadePurchase.objects.create())
    drafts.set_mode(bare, 0, AnyOf, erin, now)

    assert type(drafts.set_mode(bare, n(bare, "any_of"), AllOf, erin, now)) is AllOf
    assert bare.draft is None


def edited_by(who: User, of: Segment, value: str, seen: str, now) -> Condition:
    row = drafts.row(Segment.objects.get(pk=of.pk), n(of, "MA"))
    row.value = value
    return drafts.save(of, row, seen, who, now)


def test_who_saves_over_another_ones_change_is_told_and_both_values_are_known(shoppers, erin, now):
    omar = User.objects.create(username="omar")
    number = n(shoppers, "MA")
    seen_by_both = drafts.own_digest(drafts.row(shoppers, number))
    mine = drafts.row(shoppers, number)
    mine.value = "ME"
    edited_by(erin, shoppers, "VT", seen_by_both, now)

    with pytest.raises(Changed, match="erin changed this") as told:
        drafts.save(shoppers, mine, seen_by_both, omar, now)

    assert (told.value.by, told.value.at) == (erin, now)
    assert (told.value.theirs.value, told.value.mine.value) == ("VT", "ME")
    assert drawn(shoppers) == ["all_of", MADE, ["any_of", "VT", "NH"]]

    drafts.save(shoppers, mine, drafts.own_digest(told.value.theirs), omar, now)

    assert drawn(shoppers) == ["all_of", MADE, ["any_of", "ME", "NH"]]


def test_two_who_save_the_same_have_nothing_to_settle(shoppers, erin, now):
    omar = User.objects.create(username="omar")
    mine = drafts.row(shoppers, n(shoppers, "MA"))
    seen, mine.value = drafts.own_digest(mine), "VT"
    edited_by(erin, shoppers, "VT", seen, now)

    assert drafts.save(shoppers, mine, seen, omar, now).changed_by == erin


@pytest.mark.parametrize("verb", ["save", "move", "delete", "copy", "negate", "row"])
def test_whoever_is_at_a_row_that_another_deleted_is_told_by_whom(verb, shoppers, erin, now):
    omar = User.objects.create(username="omar")
    mine = drafts.row(shoppers, n(shoppers, "MA"))
    drafts.delete(shoppers, mine.number, erin, now)
    late = {
        "save": lambda: drafts.save(shoppers, mine, drafts.own_digest(mine), omar, now),
        "move": lambda: drafts.move(shoppers, mine.number, 0, 0, omar, now),
        "delete": lambda: drafts.delete(shoppers, mine.number, omar, now),
        "copy": lambda: drafts.copy(shoppers, mine.number, omar, now),
        "negate": lambda: drafts.negate(shoppers, mine.number, omar, now),
        "row": lambda: drafts.row(shoppers, mine.number),
    }

    with pytest.raises(Gone, match="erin deleted this") as told:
        late[verb]()

    assert (told.value.by, told.value.at) == (erin, now)
    assert drawn(shoppers) == ["all_of", MADE, ["any_of", "NH"]]
    assert Segment.objects.get(pk=shoppers.pk).draft_changed_by == erin


def test_a_row_that_another_changed_is_not_deleted_unseen(shoppers, erin, now):
    mine = drafts.row(shoppers, n(shoppers, "MA"))
    seen = drafts.own_digest(mine)
    edited_by(erin, shoppers, "VT", seen, now)

    with pytest.raises(Changed):
        drafts.delete(shoppers, mine.number, erin, now, seen)

    assert drawn(shoppers) == ["all_of", MADE, ["any_of", "VT", "NH"]]


@pytest.mark.parametrize(
    "kind", [each for each in condition_types() if each.asked_of_segments], ids=lambda kind: kind.type_name()
)
def test_a_row_of_each_type_is_added_or_refused_with_a_sentence(kind, shoppers, erin, now):
    before = drawn(shoppers)
    try:
        added = drafts.add(shoppers, 0, kind(), erin, now)
    except ValidationError as refusal:
        assert "Make one first" in refusal.message
        assert drawn(shoppers) == before
    else:
        assert drafts.row(shoppers, added.number) == added
        assert len(drawn(shoppers)) == len(before) + 1
