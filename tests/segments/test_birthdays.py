from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from segments.comparisons.dates import midnight
from segments.conditions.age import Age
from segments.conditions.anniversary import Anniversary
from segments.conditions.birthday import Birthday
from tests import factories
from tests.conftest import STORE_ZONE

from .tree import flips_at, met_by

pytestmark = pytest.mark.django_db
SEPTEMBER = {"operator": "between", "month": 9, "day": 1, "last_month": 9, "last_day": 30}
NEW_YEAR = {"operator": "between", "month": 12, "day": 15, "last_month": 1, "last_day": 15}


def noon(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, 12, tzinfo=STORE_ZONE)


def born(*days: tuple[int, int], **fields) -> None:
    for month, day in days:
        factories.customer(first_name=f"{month}-{day}", birth_month=month, birth_day=day, **fields)


@pytest.mark.parametrize(
    ("_case", "asked", "days", "expected"),
    [
        ("in September", SEPTEMBER, [(8, 31), (9, 1), (9, 30), (10, 1)], {"9-1", "9-30"}),
        ("around New Year", NEW_YEAR, [(12, 14), (12, 15), (1, 15), (1, 16), (7, 1)], {"12-15", "1-15"}),
        ("in a month", {"operator": "in_month", "month": 9}, [(8, 31), (9, 1), (9, 30), (10, 1)], {"9-1", "9-30"}),
        ("today", {"operator": "today"}, [(11, 22), (11, 23), (11, 24)], {"11-23"}),
        ("soon", {"operator": "next_days", "days": 7}, [(11, 22), (11, 23), (11, 30), (12, 1)], {"11-23", "11-30"}),
        ("next year", {"operator": "next_days", "days": 50}, [(1, 12), (1, 13)], {"1-12"}),
        ("lately", {"operator": "past_days", "days": 7}, [(11, 15), (11, 16), (11, 23), (11, 24)], {"11-16", "11-23"}),
        (
            "last year",
            {"operator": "past_days", "days": 364},
            [(11, 23), (11, 24), (11, 25)],
            {"11-23", "11-24", "11-25"},
        ),
    ],
)
def test_birthdays(_case, asked, days, expected, now):
    born(*days)
    factories.customer(first_name="Nobody knows")
    condition = Birthday(**asked)
    condition.full_clean()

    assert met_by(condition, now) == expected


@pytest.mark.parametrize(
    ("_case", "asked", "today", "expected"),
    [
        ("on February 28 of a year like most", {"operator": "today"}, (2025, 2, 28), {"2-28", "2-29"}),
        ("on February 28 of a leap year", {"operator": "today"}, (2028, 2, 28), {"2-28"}),
        ("on February 29", {"operator": "today"}, (2028, 2, 29), {"2-29"}),
        ("on March 1", {"operator": "today"}, (2025, 3, 1), {"3-1"}),
        ("ahead", {"operator": "next_days", "days": 1}, (2025, 2, 27), {"2-28", "2-29"}),
        ("ahead in a leap year", {"operator": "next_days", "days": 1}, (2028, 2, 27), {"2-28"}),
        ("behind", {"operator": "past_days", "days": 1}, (2025, 3, 1), {"2-28", "2-29", "3-1"}),
        (
            "in the year's last days of February",
            {"operator": "between", "month": 2, "day": 20, "last_month": 2, "last_day": 28},
            (2025, 7, 1),
            {"2-28", "2-29"},
        ),
        (
            "in a leap year's February before the 29th",
            {"operator": "between", "month": 2, "day": 20, "last_month": 2, "last_day": 28},
            (2028, 7, 1),
            {"2-28"},
        ),
        (
            "from a day on that the year has not",
            {"operator": "between", "month": 2, "day": 29, "last_month": 3, "last_day": 1},
            (2025, 7, 1),
            {"2-28", "2-29", "3-1"},
        ),
    ],
)
def test_who_was_born_on_february_29(_case, asked, today, expected):
    born((2, 28), (2, 29), (3, 1))

    assert met_by(Birthday(**asked), noon(*today)) == expected


def test_a_birthday_comes_and_goes_at_midnight(now):
    who = factories.customer(first_name="Anna", birth_month=11, birth_day=30)
    soon = Birthday(operator="next_days", days=3)

    assert flips_at(soon, who, now) == midnight(date(2026, 11, 27), STORE_ZONE) == datetime(2026, 11, 27, 5, tzinfo=UTC)
    assert flips_at(soon, who, noon(2026, 11, 28)) == midnight(date(2026, 12, 1), STORE_ZONE)
    assert flips_at(Birthday(**SEPTEMBER), who, now) is None
    leap = factories.customer(birth_month=2, birth_day=29)
    assert flips_at(Birthday(**SEPTEMBER), leap, now) == midnight(date(2027, 1, 1), STORE_ZONE)
    assert flips_at(soon, factories.customer(), now) is None


@pytest.mark.parametrize(
    ("_case", "fields", "message"),
    [
        ("no number of days", {"operator": "next_days"}, "“in the next days” needs a number of days, such as 7"),
        ("no month", {"operator": "in_month"}, "“in the month” needs a month. None was given."),
        ("no last day", {**SEPTEMBER, "last_day": None}, "needs the last day that counts. None was given."),
        ("a day that no year has", {**SEPTEMBER, "last_day": 31}, "September has no day 31. Its last day is 30."),
        ("a year round", {"operator": "next_days", "days": 365}, "less than or equal to 364"),
    ],
)
def test_what_is_refused(_case, fields, message):
    with pytest.raises(ValidationError, match=message):
        Birthday(**fields).full_clean()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"operator": "today"}, "Has a birthday <b>today</b>"),
        ({"operator": "next_days", "days": 1}, "Has a birthday in the next <b>1 day</b>"),
        (NEW_YEAR, "Has a birthday between <b>Dec 15</b> and <b>Jan 15</b>"),
        ({"operator": "in_month", "month": 9}, "Has a birthday in <b>September</b>"),
        ({"operator": "is_not_set"}, "Has <b>no known birthday</b>"),
    ],
)
def test_it_says_what_it_asks(asked, said):
    assert Birthday(**asked).sentence() == said


@pytest.mark.parametrize(
    ("_case", "registered", "today", "in_a_week", "in_november"),
    [
        ("a year ago", (2025, 11, 23), True, True, True),
        ("today", (2026, 11, 23), False, False, True),
        ("a year ago, a week on", (2025, 11, 30), False, True, True),
        ("a week ago", (2026, 11, 16), False, False, True),
        ("years ago, more than a week on", (2020, 12, 1), False, False, False),
    ],
)
def test_anniversaries_begin_a_year_after(_case, registered, today, in_a_week, in_november, now):
    factories.customer(first_name="Anna", registered_at=noon(*registered))

    assert bool(met_by(Anniversary(operator="today"), now)) is today
    assert bool(met_by(Anniversary(operator="next_days", days=7), now)) is in_a_week
    assert bool(met_by(Anniversary(operator="in_month", month=11), now)) is in_november


def test_the_anniversary_of_the_first_purchase_that_counts(now):
    who = factories.customer(first_name="Anna")
    factories.order(who, now - timedelta(days=400), cancelled_at=now)
    factories.order(who, now - timedelta(days=365))
    factories.order(who, now - timedelta(days=30))
    today = Anniversary(field="first_purchase", operator="today")

    assert met_by(today, now) == {"Anna"}
    assert met_by(today, now - timedelta(days=1)) == set()
    assert today.sentence() == "Has an anniversary <b>today</b> of the day they <b>first bought</b>"
    assert today.explain(who, now).seen == "first bought: Nov 23, 2025, 2:14 pm"


def test_an_anniversary_is_of_the_store_s_day(now):
    factories.customer(first_name="Anna", registered_at=datetime(2025, 11, 24, 4, 59, tzinfo=UTC))
    factories.customer(first_name="Ben", registered_at=datetime(2025, 11, 24, 5, tzinfo=UTC))

    assert met_by(Anniversary(operator="today"), now) == {"Anna"}


@pytest.mark.parametrize(
    ("_case", "birthday", "today", "years"),
    [
        ("the day before", (2008, 11, 24), (2026, 11, 23), 17),
        ("the day", (2008, 11, 23), (2026, 11, 23), 18),
        ("a leap day, the day before", (2008, 2, 29), (2026, 2, 27), 17),
        ("a leap day", (2008, 2, 29), (2026, 2, 28), 18),
        ("a leap day in a leap year", (2008, 2, 29), (2028, 2, 28), 19),
        ("the day of birth", (2026, 11, 23), (2026, 11, 23), 0),
        ("not born yet", (2026, 11, 24), (2026, 11, 23), None),
        ("no year", (None, 11, 24), (2026, 11, 23), None),
    ],
)
def test_ages(_case, birthday, today, years):
    year, month, day = birthday
    factories.customer(first_name="Anna", birth_year=year, birth_month=month, birth_day=day)

    for asked in range(25):
        assert bool(met_by(Age(operator="is", value=Decimal(asked)), noon(*today))) is (asked == years)
    assert bool(met_by(Age(operator="is_set"), noon(*today))) is (years is not None)


def test_a_year_without_a_day_is_no_age(now):
    who = factories.customer(birth_year=1990)

    assert met_by(Age(operator="at_least", value=Decimal(1)), now) == set()
    assert flips_at(Age(operator="at_least", value=Decimal(1)), who, now) is None


def test_an_age_rises_at_the_next_birthday(now):
    who = factories.customer(first_name="Anna", birth_year=2008, birth_month=12, birth_day=1)
    adult = Age(operator="at_least", value=Decimal(18))

    at = flips_at(adult, who, now)

    assert at == midnight(date(2026, 12, 1), STORE_ZONE)
    assert met_by(adult, (at - timedelta(microseconds=1)).astimezone(STORE_ZONE)) == set()
    assert met_by(adult, at.astimezone(STORE_ZONE)) == {"Anna"}
    assert adult.sentence() == "Is <b>at least 18</b> years old"
