from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError

from workflows.nodes.wait import Wait

from .flows import workflow

NEW_YORK = ZoneInfo("America/New_York")
BEFORE_SUMMER_TIME = datetime(2026, 3, 7, 10, 30, tzinfo=NEW_YORK)  # the clocks go forward on March 8
BEFORE_WINTER_TIME = datetime(2026, 10, 31, 10, 30, tzinfo=NEW_YORK)  # and back on November 1


@pytest.mark.parametrize(
    ("_case", "amount", "unit", "arrival", "due"),
    [
        ("a day is the same time of day in spring", 1, "days", BEFORE_SUMMER_TIME, "2026-03-08T14:30"),
        ("24 hours are elapsed time in spring", 24, "hours", BEFORE_SUMMER_TIME, "2026-03-08T15:30"),
        ("a day is the same time of day in autumn", 1, "days", BEFORE_WINTER_TIME, "2026-11-01T15:30"),
        ("24 hours are elapsed time in autumn", 24, "hours", BEFORE_WINTER_TIME, "2026-11-01T14:30"),
        ("minutes are elapsed time", 90, "minutes", BEFORE_SUMMER_TIME, "2026-03-07T17:00"),
        ("a week", 1, "weeks", BEFORE_SUMMER_TIME, "2026-03-14T14:30"),
        ("a month", 1, "months", BEFORE_SUMMER_TIME, "2026-04-07T14:30"),
        ("a month that is too short", 1, "months", datetime(2026, 1, 31, 9, tzinfo=NEW_YORK), "2026-02-28T14:00"),
        ("twelve months", 12, "months", datetime(2026, 12, 5, 9, tzinfo=NEW_YORK), "2027-12-05T14:00"),
        ("a time that does not exist", 1, "days", datetime(2026, 3, 7, 2, 30, tzinfo=NEW_YORK), "2026-03-08T07:30"),
    ],
)
def test_the_end_of_a_wait(_case, amount, unit, arrival, due):
    assert Wait(amount=amount, unit=unit).due(arrival).astimezone(UTC) == datetime.fromisoformat(due).replace(
        tzinfo=UTC
    )


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("amount", "unit", "is_allowed"),
    [(365, "days", True), (366, "days", False), (13, "months", False), (525_600, "minutes", True), (0, "days", False)],
)
def test_a_wait_is_at_most_a_year(amount, unit, is_allowed):
    node = Wait(amount=amount, unit=unit, revision=workflow().draft())
    if is_allowed:
        node.full_clean()
        return
    with pytest.raises(ValidationError) as refusal:
        node.full_clean()
    assert list(refusal.value.message_dict) == ["amount"]


@pytest.mark.parametrize(
    ("amount", "unit", "sentence"), [(1, "days", "Wait 1 day"), (1500, "hours", "Wait 1,500 hours")]
)
def test_it_says_how_long_it_waits(amount, unit, sentence):
    assert str(Wait(amount=amount, unit=unit)) == sentence
