import re
from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction

from loyaltyflow.store.intake import CUSTOMERS, Context, Intake
from loyaltyflow.store.models import Event, StoreSettings
from segments.comparisons.attributes import DAY, names
from segments.conditions.attribute_date import AttributeDate
from segments.conditions.attribute_list import AttributeList
from segments.conditions.attribute_number import AttributeNumber
from segments.conditions.attribute_text import AttributeText
from segments.conditions.attribute_yes_no import AttributeYesNo
from tests import factories

from .tree import flips_at, met_by

pytestmark = pytest.mark.django_db
ODD = ["2026", "a.b", "it's “so”", "50%", "%s", "{0}", "→ ☕", "a__b", "$.x", "\\", " "]
TYPES = [
    ("a text", "5"),
    ("a number", 5),
    ("yes", True),
    ("no", False),
    ("a list", ["5"]),
    ("an object", {"5": 5}),
    ("nothing", None),
    ("a day", "2026-11-23"),
    ("a day that is none", "2026-02-30"),
    ("a huge number", 10**300),
]


@pytest.mark.parametrize("name", ODD)
def test_an_attribute_of_any_name_is_found(name, now):
    factories.customer(first_name="Anna", attributes={name: "dark"})
    factories.customer(first_name="Ben", attributes={"other": "dark"})

    assert met_by(AttributeText(attribute=name, value="DARK"), now) == {"Anna"}
    assert AttributeText(attribute=name, value="dark").warnings() == []
    assert AttributeText(attribute="so", value="dark").warnings() == ["No customer has the attribute “so” yet."]


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        (AttributeText, {"a text", "a day", "a day that is none"}),
        (AttributeNumber, {"a number", "a huge number"}),
        (AttributeDate, {"a day"}),
        (AttributeYesNo, {"yes", "no"}),
        (AttributeList, {"a list"}),
    ],
)
def test_a_value_of_another_type_is_not_known(kind, known, now):
    everybody = {name for name, _ in TYPES} | {"nobody asked"}
    for name, value in TYPES:
        factories.customer(first_name=name, attributes={"x": value})
    factories.customer(first_name="nobody asked")

    assert met_by(kind(attribute="x", operator="is_set"), now) == known
    assert met_by(kind(attribute="x", operator="is_not_set"), now) == everybody - known
    customer = factories.customer(attributes={"x": {"a": 1}})
    seen = kind(attribute="x", operator="is_set").explain(customer, now).seen
    assert seen == 'x: {"a": 1}, which is an object'


@pytest.mark.parametrize(
    ("_case", "said", "instant"),
    [
        ("a day", "2026-11-23", datetime(2026, 11, 23, 5, tzinfo=UTC)),
        ("a day that begins later", "2026-07-01", datetime(2026, 7, 1, 4, tzinfo=UTC)),
        ("a time on the store's clock", "2026-11-23T14:05", datetime(2026, 11, 23, 19, 5, tzinfo=UTC)),
        ("a time elsewhere", "2026-11-23 14:05:30.5+01:00", datetime(2026, 11, 23, 13, 5, 30, 500_000, tzinfo=UTC)),
        ("a time in UTC", "2026-11-23T14:05:00Z", datetime(2026, 11, 23, 14, 5, tzinfo=UTC)),
        ("a leap day", "2028-02-29", datetime(2028, 2, 29, 5, tzinfo=UTC)),
        ("a day that is none", "2026-02-29", None),
        ("a month that is none", "2026-13-01", None),
        ("an hour that is none", "2026-11-23T25:00", None),
        ("another way of writing", "11/23/2026", None),
        ("a day of long ago", "0001-01-01", None),
        ("a word", "infinity", None),
    ],
)
def test_what_is_read_as_a_day(_case, said, instant, now):
    factories.customer(first_name="Anna", attributes={"expires": said})
    day = instant and instant.astimezone(now.tzinfo).date()

    assert bool(met_by(AttributeDate(attribute="expires", operator="is_set"), now)) is (instant is not None)
    if day:
        assert met_by(AttributeDate(attribute="expires", operator="on", date=day), now) == {"Anna"}
        local = instant.astimezone(now.tzinfo)
        today = AttributeDate(attribute="expires", operator="past_days", days=0)
        assert met_by(today, local) == {"Anna"}
        assert met_by(today, local - timedelta(microseconds=1)) == set()


def test_only_days_that_exist_are_read():
    first, last = date(1896, 1, 1), date(2204, 12, 31)
    exist = {f"{first + timedelta(days=days)}" for days in range((last - first).days)}
    every = {f"{year}-{month:02}-{day:02}" for year in range(1896, 2204) for month in range(14) for day in range(33)}
    read = {each for each in every if re.fullmatch(DAY, each)}

    assert read == {each for each in exist if "1900" <= each[:4] < "2200"}


def test_a_document_that_expires_comes_into_sight(now):
    who = factories.customer(first_name="Anna", attributes={"document_expires": "2026-12-31"})
    soon = AttributeDate(attribute="document_expires", operator="next_days", days=30)

    assert met_by(soon, now) == set()
    assert flips_at(soon, who, now) == datetime(2026, 12, 1, 5, tzinfo=UTC)
    assert soon.summary() == "have a day in the attribute “document_expires” that is in the next 30 days"


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("has_any", {"Tea", "Both"}),
        ("has_all", {"Both"}),
        ("has_none", {"Neither", "Empty"}),
        ("is_empty", {"Empty"}),
        ("is_not_empty", {"Tea", "Both", "Neither"}),
    ],
)
def test_lists(operator, expected, now):
    lists = {"Tea": ["TEA"], "Both": ["coffee", "tea", 5], "Neither": [["tea"], {"tea": 1}], "Empty": [], "None": "tea"}
    for name, value in lists.items():
        factories.customer(first_name=name, attributes={"interests": value})
    includes = "tea, Coffee," if operator.startswith("has") else ""

    assert met_by(AttributeList(attribute="interests", operator=operator, includes=includes), now) == expected


@pytest.mark.parametrize(
    ("_case", "condition", "message"),
    [
        ("a list of nothing", AttributeList(attribute="x", includes=" , "), "“includes any of” needs values"),
        ("no name", AttributeText(value="x"), "This field cannot be blank"),
        ("what cannot be stored", AttributeYesNo(attribute="a\0b"), "Null characters are not allowed"),
    ],
)
def test_what_is_refused(_case, condition, message):
    with pytest.raises(ValidationError, match=message):
        condition.full_clean()


def test_the_names_of_attributes_are_suggested():
    factories.customer(attributes={"roast": "dark", "children": 2})
    factories.customer(attributes={"roast": "light"})

    assert names() == ["children", "roast"]


def test_an_import_that_changes_an_attribute_or_a_birthday_tells_so(now):
    def take_in(moment, **cells):
        with transaction.atomic():
            intake = Intake(CUSTOMERS, Context.of(StoreSettings.load(), moment, "till"))
            intake.add([1], {"email": ["anna@example.com"], **{name: [cell] for name, cell in cells.items()}})
            return intake.merge().counts

    take_in(now, attributes='{"roast": "dark"}', birthday="04-30")
    for minute, cells in enumerate(
        [{"attributes": '{"roast": "light"}'}, {"attributes": '{"dog": true}'}, {"birthday": "1990-04-30"}], 1
    ):
        assert take_in(now + timedelta(minutes=minute), **cells)["updated"] == 1
        assert Event.objects.filter(name="customer_updated", occurred_at=now + timedelta(minutes=minute)).count() == 1
    assert take_in(now + timedelta(minutes=9), attributes='{"dog": true}', birthday="04-30")["unchanged"] == 1
    assert Event.objects.filter(name="customer_updated").count() == 3
