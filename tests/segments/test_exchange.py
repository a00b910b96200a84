"""Segments as YAML: written, read, refused."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User

from loyaltyflow.store.models import Tag
from segments.conditions import Condition
from segments.conditions.all_of import AllOf
from segments.conditions.any_of import AnyOf
from segments.conditions.customer_field import CustomerField
from segments.conditions.in_segment import InSegment
from segments.conditions.made_purchase import MadePurchase
from segments.conditions.none_of import NoneOf
from segments.editing.differences import changes
from segments.exchange import documents
from segments.exchange.documents import Refused
from segments.exchange.importing import What, rehearsed, take_in, tried
from segments.exchange.trees import DEEPEST, MOST, Unreadable, dumped, grown
from segments.models import Segment
from tests import factories

from .tree import grow, segment

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 19, 14, tzinfo=UTC)
WIN_BACK = """\
name: Win back
description: |-
  Bought before,
  but not lately.
conditions:
  all_of:
    - made_purchase: {}
    - made_purchase:
        operator: none
        window_days: 21
        product: '021'
    - any_of:
        - customer_field:
            value: 'NO'
        - none_of: []
"""


def taken(text):
    return take_in(documents.read(text), None, NOW)


def everything() -> list:
    return [*Segment.objects.values_list("name", "description", "is_active"), Condition.objects.count()]


def test_a_segment_is_written_and_made_again_the_same():
    product = factories.product(sku="021")
    parts = [
        MadePurchase.objects.create(),
        MadePurchase.objects.create(operator="none", window_days=21, product=product),
        grow(AnyOf, CustomerField.objects.create(value="NO"), grow(NoneOf)),
    ]
    made = segment(grow(AllOf, *parts), "Win back", description="Bought before,\r\nbut not lately.")
    wording = made.root.wording()

    assert documents.written(Segment.objects.all()) == WIN_BACK

    Segment.objects.all().delete()
    taken(WIN_BACK)
    again = Segment.objects.get()
    assert (again.name, again.description) == ("Win back", "Bought before,\nbut not lately.")
    assert (again.kind, again.is_active, again.members_now) == ("dynamic", False, 0)
    assert again.root.wording() == wording
    assert documents.written(Segment.objects.all()) == WIN_BACK


def test_segments_that_others_ask_for_are_written_before_them_and_may_be_read_in_any_order():
    hand = segment(None, "Z by hand", kind=Segment.Kind.STATIC, is_active=False)
    middle = segment(grow(AllOf, InSegment.objects.create(other=hand)), "Middle", is_active=False)
    segment(grow(AllOf, InSegment.objects.create(other=middle)), "Asking", is_active=False)

    text = documents.written(Segment.objects.all())

    assert [line for line in text.splitlines() if line.startswith("name")] == [
        "name: Z by hand",
        "name: Middle",
        "name: Asking",
    ]
    InSegment.objects.all().delete()
    Segment.objects.all().delete()
    taken("---\n" + "\n---\n".join(reversed(text.removeprefix("---\n").split("\n---\n"))))
    assert documents.written(Segment.objects.all()) == text


def test_a_question_alone_is_put_into_a_group():
    taken("name: Local\nconditions:\n  customer_field: {value: MA}")

    assert documents.plain(Segment.objects.get())["conditions"] == {"all_of": [{"customer_field": {"value": "MA"}}]}


def test_a_segment_without_conditions_gets_a_group_to_fill():
    taken("name: Local")

    assert documents.plain(Segment.objects.get()) == {"name": "Local", "conditions": {"all_of": []}}


def test_what_is_tried_is_not_kept():
    before = everything()

    with tried(documents.read(WIN_BACK.replace("product: '021'", ""))) as [made]:
        assert made.summary().startswith("Customers who made at least 1 purchase and made no purchase in the past 21")

    assert everything() == before


CONDITION = "name: Local\nconditions:\n  all_of:\n    - "


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expected at least one segment. Found nothing"),
        ("# only a comment\n---\n", "Expected at least one segment. Found nothing"),
        ("a: b: c", "Line 1 cannot be read: mapping values"),
        ("- name: Local", "Line 1: expected a segment with name, description, kind, conditions. Found a list"),
        ("Local", "Line 1: expected a segment with name, description, kind, conditions. Found “Local”"),
        ("description: Nobody", "Line 1: its name is missing."),
        ("name: ''", "Line 1: name: This field cannot be blank."),
        ("name: ' Local'", "Line 1: name: expected no space at either end"),
        (f"name: {'x' * 101}", "Line 1: name: Ensure this value has at most 100 characters"),
        ("name: [a]", "Line 1: name: expected a text."),
        ("name: Local\nowner: Dana", "Line 2: owner: “owner” is not a part of a segment. Known are name,"),
        ("name: Local\nkind: fast", "Line 2: kind: expected dynamic or static. Found “fast”."),
        ("name: A\nkind: static\nconditions: {all_of: []}", "Line 3: conditions: a static segment is filled by hand"),
        ("name: A\n---\nname: A", "Line 3: “A” has a place already: Line 1. Rename one of them."),
        ("name: A\nconditions: MA", "Line 2: conditions: expected one condition, such as .* Found “MA”."),
        ("name: A\nconditions: {a: 1, b: 2}", "Line 2: conditions: expected one condition, .* Found 2 keys: a, b."),
        ("name: A\nconditions: {all_of: 5}", "Line 2: conditions › all_of: expected a list .* Found “5”."),
        (CONDITION + "made_purchas: {}", "Line 4: conditions › all_of › 1: .* Did you mean made_purchase?"),
        (
            CONDITION + "qqqq: {}",
            "Line 4: conditions › all_of › 1: “qqqq” is not a type of condition. Known are .*all_of,",
        ),
        (CONDITION + "made_purchase: 3", "Line 4: .* made_purchase: expected fields with their values. Found “3”."),
        (CONDITION + "made_purchase: {counts: 3}", "Line 4: .* counts: “counts” is not a field .* mean count?"),
        (CONDITION + "made_purchase:\n        count: 2.5", "Line 5: .* count: expected a whole number, .* “2.5”."),
        (CONDITION + "made_purchase: {count: many}", "Line 4: .* count: “many” value must be an integer."),
        (CONDITION + "made_purchase: {count: -1}", "Line 4: .* count: Ensure this value is greater than or equal to 0"),
        (CONDITION + "made_purchase: {count: [1]}", "Line 4: .* count: expected one value. Found a list of 1."),
        (CONDITION + "made_purchase: {count: true}", "Line 4: .* count: expected a whole number"),
        (CONDITION + "made_purchase: {count: }", "Line 4: .* count: expected a value. Found nothing."),
        (CONDITION + "made_purchase: {product: X1}", "Line 4: .* product: no product has the SKU “X1”."),
        (CONDITION + "customer_field: {operator: was}", "Line 4: .* operator: “was” is not one of is, is_not, "),
        (CONDITION + "customer_field: {}", "Line 4: .* customer_field: value: “is” needs a value to compare with"),
        (CONDITION + "customer_field: {value: '(', operator: matches}", "Line 4: .* value: “\\(” is not a pattern"),
        (
            CONDITION + "customer_field: {operator: is_set, value: MA}",
            "Line 4: .* value: is not asked for where operator is is_set. Leave it out.",
        ),
        (CONDITION + "in_segment: {}", "Line 4: .* in_segment: other is missing."),
        (CONDITION + "in_segment: {other: Gone}", "Line 4: .* other: no segment has the name “Gone”."),
        (CONDITION + "in_segment: {other: Local}", "Segments cannot ask for each other: “Local” asks for “Local”."),
        (
            "name: A\nconditions: {in_segment: {other: B}}\n---\nname: B\nconditions: {in_segment: {other: A}}",
            "Segments cannot ask for each other: “.” asks for “.”, and “.” asks for “.”.",
        ),
        (CONDITION + "got_message: {step: x}", "Line 4: .* step: “x” cannot be found: steps of workflows"),
    ],
)
def test_what_is_wrong_is_refused_with_its_line(text, reason):
    before = everything()

    with pytest.raises(Refused, match=f"^{reason}"):
        taken(text)

    assert everything() == before


def test_all_faults_of_a_file_are_told_at_once():
    text = (
        "name: A\nconditions:\n  any_of:\n    - made_purchase: {count: x, window_days: y}\n    - z: {}\n---\nname: B\n"
    )
    text += "conditions: 5\n"

    with pytest.raises(Refused) as refused:
        taken(text)

    assert [reason.partition(":")[0] for reason in refused.value.reasons] == ["Line 4", "Line 4", "Line 5", "Line 8"]


def test_a_type_that_only_makes_sense_in_a_workflow_is_refused(monkeypatch):
    monkeypatch.setattr(CustomerField, "asked_of_segments", False)

    with pytest.raises(Refused, match="Line 1: customer_field asks about a customer's walk through a workflow"):
        taken("name: Local\nconditions: {customer_field: {value: MA}}")


def nested(depth: int) -> dict:
    return {"all_of": [nested(depth - 1)] if depth > 1 else []}


def test_trees_have_bounds():
    many = {"any_of": [{"customer_field": {"value": "MA"}}] * (MOST - 1)}

    assert dumped(grown(nested(DEEPEST))) == nested(DEEPEST)
    assert dumped(grown(many)) == many
    with pytest.raises(Unreadable, match="expected at most 12 groups inside each other"):
        grown(nested(DEEPEST + 1))
    with pytest.raises(Unreadable, match="expected at most 500 conditions. Found 501"):
        grown({"any_of": [*many["any_of"], {"customer_field": {"value": "MA"}}]})


def test_nothing_is_saved_by_growing():
    Tag.objects.create(name="vip")
    before = everything()

    tree = grown({"none_of": [{"made_purchase": {"count": 2}}, {"all_of": []}]})

    assert (tree.pk, [part.position for part in tree.parts()]) == (None, [0, 1])
    assert everything() == before


LOCAL = """\
name: Local
conditions:
  all_of:
    - customer_field: {value: MA}
    - made_purchase: {count: 2}
"""


@pytest.fixture
def local():
    """The segment of the text above, active, in a shop with a customer in MA."""
    factories.customer(state="MA")
    taken(LOCAL)
    made = Segment.objects.get()
    Segment.objects.update(is_active=True)
    return made


def as_it_is(pk):
    return Segment.objects.filter(pk=pk).with_trees("draft")[0]


def test_what_is_said_of_a_segment_that_is_here_becomes_its_draft(local):
    dana = User.objects.create_user("dana")
    before = local.root.wording()

    [change] = take_in(documents.read(LOCAL.replace("count: 2", "count: 3")), dana, NOW)

    found = as_it_is(local.pk)
    assert (change.what, change.notes) == (What.CHANGED, [])
    assert change.summary == "Customers who live in Massachusetts and made at least 3 purchases."
    assert (found.root.wording(), found.is_active) == (before, True)
    assert (found.draft_changed_by, found.draft_changed_at) == (dana, NOW)
    kept, changed = found.draft.parts()
    assert (kept.number, dumped(kept)) == (found.root.parts()[0].number, {"customer_field": {"value": "MA"}})
    assert dumped(changed) == {"made_purchase": {"count": 3}}
    assert changed.number not in [row.number for row in found.root.walk()]
    assert changed.changed_by == dana
    assert changes(found) == 2


def test_a_second_import_replaces_the_draft_and_one_of_what_is_here_takes_it_back(local):
    taken(LOCAL.replace("count: 2", "count: 3"))

    [change] = taken(LOCAL.replace("all_of", "any_of"))

    found = as_it_is(local.pk)
    assert (change.what, change.notes) == (What.CHANGED, ["Replaces the unsaved changes of somebody."])
    assert found.draft.type_name() == "any_of"
    assert [row.number for row in found.draft.parts()] == [row.number for row in found.root.parts()]
    [change] = taken(LOCAL.replace("all_of", "any_of"))
    assert (change.what, change.notes) == (What.SAME, [])

    [change] = taken(LOCAL)

    assert (change.what, change.notes) == (What.CHANGED, ["Takes back the unsaved changes of somebody."])
    found = as_it_is(local.pk)
    assert (found.draft, dumped(found.root)["all_of"][1]) == (None, {"made_purchase": {"count": 2}})
    assert Condition.objects.count() == 3


def test_what_is_here_already_stays_as_it_is(local):
    before = Segment.objects.values().get()

    [change] = taken(LOCAL)

    assert (change.what, change.notes) == (What.SAME, [])
    assert Segment.objects.values().get() == before
    assert Condition.objects.count() == 3


def test_a_description_changes_at_once(local):
    [change] = taken(LOCAL.replace("conditions", "description: Near us\nconditions"))

    found = as_it_is(local.pk)
    assert (change.what, change.notes) == (What.CHANGED, ["Its description changes at once."])
    assert (found.description, found.draft) == ("Near us", None)


def test_what_would_be_done_is_said_and_not_done(local):
    before = everything()
    text = LOCAL.replace("MA", "NH") + "---\nname: New\nconditions: {in_segment: {other: Local}}\n"

    assert [(change.segment.name, change.what) for change in rehearsed(documents.read(text), NOW)] == [
        ("Local", What.CHANGED),
        ("New", What.NEW),
    ]
    assert everything() == before
    assert as_it_is(local.pk).draft is None


@pytest.mark.parametrize(
    ("_case", "fields", "reason"),
    [
        ("archived", {"archived_at": NOW, "is_active": False}, "Line 1: “Local” is archived. Bring it back first"),
        ("by hand", {"kind": "static", "root": None}, "Line 1: “Local” is a static segment here, and dynamic in the"),
    ],
)
def test_what_cannot_be_changed_is_refused(_case, fields, reason, local):
    Segment.objects.update(**fields)
    before = Segment.objects.values().get()

    with pytest.raises(Refused, match=reason):
        taken(LOCAL.replace("MA", "NH"))

    assert Segment.objects.values().get() == before


def test_what_staff_had_better_look_at_is_said(local):
    [change] = rehearsed(documents.read("name: Far\nconditions: {customer_field: {value: ZZ}}"), NOW)

    assert (change.what, change.notes) == (What.NEW, ["No customer has the state “ZZ” yet."])


def test_a_circle_through_segments_that_are_here_is_refused(local):
    segment(grow(AllOf, InSegment.objects.create(other=local)), "Asking")
    before = everything()

    with pytest.raises(Refused, match="“.+” asks for “.+”, and “.+” asks for “.+”."):
        taken("name: Local\nconditions: {in_segment: {other: Asking}}")

    assert everything() == before
