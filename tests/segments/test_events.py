"""Conditions about events: what their generated tests do not reach."""

from datetime import date, timedelta

import pytest
from django.core.exceptions import ValidationError

from loyaltyflow.store.events import happened
from loyaltyflow.store.models import Customer, Event, EventType
from segments.conditions.did_event import DidEvent
from segments.conditions.event_date import EventDate
from segments.conditions.visited_page import VisitedPage
from segments.exchange.trees import Unreadable, dumped, grown
from tests import factories

from .plain.events import is_as_asked
from .tree import flips_at, met_by

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def kind(**properties: str) -> EventType:
    return EventType.objects.create(name="coffee_tasted", label="Coffee tasted", properties=properties)


def asked(kind: EventType, **question) -> DidEvent:
    made = DidEvent(event_type=kind, where=[question])
    made.full_clean(exclude=["condition_ptr"])
    return made


VALUES = [None, "", "red", "Dark RED", "7", "7.0", 7, 6.5, -1, 10**30, True, False, ["Red", 7], [], {"red": 7}]
VALUES += [
    "2026-11-23",
    "2026-11-23T23:30:00+09:00",
    "2026-11-16",
    "2026-12-01",
    "2026-99-99",
    "20261123",
    "1e9",
    "NaN",
]
QUESTIONS = [
    *(("text", operator, "red") for operator in ("is", "is_not", "contains", "does_not_contain", "starts_with")),
    *(("text", operator, "red") for operator in ("does_not_start_with", "ends_with", "matches", "in_list")),
    ("text", "not_in_list", ["red", "blue"]),
    *((kind, operator, None) for kind in ("text", "number", "date") for operator in ("is_set", "is_not_set")),
    *(("number", operator, 7) for operator in ("at_least", "at_most", "more_than", "less_than", "is", "is_not")),
    ("number", "between", [6, 7]),
    ("yes_no", "is", True),
    ("yes_no", "is", False),
    *(("date", operator, 7) for operator in ("past_days", "next_days", "more_than_days_ago", "more_than_days_ahead")),
    *(("date", operator, "2026-11-23") for operator in ("on", "not_on", "before", "on_or_before", "after")),
    ("date", "on_or_after", "2026-11-23"),
    ("date", "between", ["2026-11-16", "2026-11-23"]),
    ("list", "includes", "red"),
    ("list", "does_not_include", "red"),
    ("list", "includes", "7"),
]


@pytest.mark.parametrize(("of", "operator", "value"), QUESTIONS)
def test_a_property_of_any_type_gives_an_answer_and_no_error(of, operator, value, now):
    coffee = kind(taste=of)
    expected = set()
    question = {"property": "taste", "operator": operator} | ({} if value is None else {"value": value})
    condition = asked(coffee, **question)
    for number, each in enumerate(VALUES):
        who = factories.customer(first_name=f"{number}: {each!r}")
        happened("coffee_tasted", who.pk, now, f"coffee:{number}", taste=each)
        if "99" not in str(each) and is_as_asked(condition.where[0], {"taste": each}, now):
            expected.add(who.first_name)

    assert {name for name in met_by(condition, now) if "99" not in name} == expected
    assert len(expected) < len(VALUES)


@pytest.mark.parametrize(
    ("_case", "of", "question", "message"),
    [
        ("no such property", "text", {"property": "colour"}, "“colour” is not a property of “Coffee tasted”. It has"),
        ("no such operator", "number", {"operator": "contains"}, "“contains” cannot be asked of taste. Choose one of"),
        ("no number", "number", {"operator": "at_most", "value": "three"}, "needs a number, such as 3. Found “three”"),
        ("no value", "number", {"operator": "at_most"}, "“taste is at most” needs a number, such as 3. None was given"),
        ("one number", "number", {"operator": "between", "value": [3]}, "needs two numbers, such as 1 and 5"),
        ("wrong order", "number", {"operator": "between", "value": [3, 1]}, "the smaller number first"),
        ("no day", "date", {"operator": "on", "value": "yesterday"}, "needs a day, such as 2026-09-01"),
        ("wrong days", "date", {"operator": "between", "value": ["2026-09-02", "2026-09-01"]}, "the earlier day first"),
        ("no days", "date", {"operator": "past_days", "value": "some"}, "needs a number of days up to 36,500"),
        ("neither yes nor no", "yes_no", {"operator": "is", "value": "maybe"}, "needs yes or no. Found “maybe”"),
        ("no pattern", "text", {"operator": "matches", "value": "("}, "“(” is not a pattern"),
        ("an empty list", "text", {"operator": "in_list", "value": " , "}, "needs texts with commas between them"),
        (
            "an unknown part",
            "text",
            {"operator": "is", "value": "x", "or": 1},
            "“or” is none of property, operator and",
        ),
    ],
)
def test_a_question_that_the_event_cannot_answer_is_refused(_case, of, question, message):
    coffee = kind(taste=of)

    with pytest.raises(ValidationError) as refusal:
        asked(coffee, **{"property": "taste", **question})

    assert refusal.value.message_dict.keys() == {"where"}
    assert message in refusal.value.messages[0]


@pytest.mark.parametrize("where", ["score", {"score": 3}, ["score"], [3]])
def test_questions_are_a_list(where):
    with pytest.raises(ValidationError, match="Expected a list of questions"):
        DidEvent(event_type=kind(), where=where).full_clean(exclude=["condition_ptr"])


def test_yaml_says_days_and_numbers_as_people_write_them(now):
    kind(bought="date", price="number")
    said = [
        {"property": "bought", "operator": "between", "value": [date(2026, 9, 1), date(2026, 9, 30)]},
        {"property": "price", "operator": "at_most", "value": "12.50"},
    ]

    condition = grown({"did_event": {"event_type": "coffee_tasted", "where": said}})

    assert condition.where == [
        {"property": "bought", "operator": "between", "value": ["2026-09-01", "2026-09-30"]},
        {"property": "price", "operator": "at_most", "value": 12.5},
    ]
    assert dumped(grown(dumped(condition))) == dumped(condition)
    assert condition.summary() == (
        "had “Coffee tasted” at least 1 time where bought is between Sep 1 and Sep 30 and price is at most 12.5"
    )


@pytest.mark.parametrize("made", [DidEvent, EventDate])
def test_events_that_segments_write_are_refused_with_what_to_use_instead(made):
    entered = EventType.objects.get(name="segment_entered")

    with pytest.raises(ValidationError) as refusal:
        made(event_type=entered, **({"days": 3} if made is EventDate else {})).full_clean(exclude=["condition_ptr"])

    assert "Use the condition “in segment” instead" in refusal.value.message_dict["event_type"][0]


def test_an_unknown_event_is_refused_by_its_name():
    with pytest.raises(Unreadable, match="no event type has the name “coffee_spilt”"):
        grown({"did_event": {"event_type": "coffee_spilt"}})


# The first of its kind


def test_the_first_login_is_the_first_of_its_kind_also_if_it_is_told_last(now):
    who, other = factories.customer(), factories.customer()
    for at, key in ((now - DAY, "second"), (now, "third")):
        happened("mobile_login", who.pk, at, key)
    happened("mobile_purchase", who.pk, now - 9 * DAY, "another kind")
    happened("mobile_login", other.pk, now - 9 * DAY, "another customer")
    logins = Event.objects.filter(customer=who).named("mobile_login").order_by("occurred_at")
    assert [each in logins.first_of_kind() for each in logins] == [True, False]

    happened("mobile_login", who.pk, now - 2 * DAY, "first, told late")

    assert [each in logins.first_of_kind() for each in logins.all()] == [True, False, False]
    assert {each.key for each in Event.objects.first_of_kind()} == {
        "first, told late",
        "another kind",
        "another customer",
    }


def test_of_two_logins_at_the_same_moment_one_is_the_first(now):
    who = factories.customer()
    for key in ("one", "two"):
        happened("mobile_login", who.pk, now, key)

    assert [each.key for each in Event.objects.first_of_kind()] == ["one"]


def test_for_the_first_time_in_the_past_seven_days(now):
    new, old = factories.customer(first_name="New"), factories.customer(first_name="Old")
    for who, days in ((new, 7), (new, 1), (old, 8), (old, 1)):
        happened("mobile_purchase", who.pk, now - days * DAY, f"{who.pk}:{days}")
    condition = grown({"did_event": {"event_type": "mobile_purchase", "occurrence": "first", "window_days": 7}})

    assert met_by(condition, now) == {"New"}
    assert condition.summary() == "had “Bought in the mobile app” for the first time ever in the past 7 days"
    assert flips_at(condition, old, now) is None
    happened("mobile_purchase", new.pk, now - 30 * DAY, "told late")
    assert met_by(condition, now) == set()


def test_the_last_survey_they_answered(now):
    asks = {"property": "score", "operator": "at_most", "value": 3}
    condition = grown({"did_event": {"event_type": "survey_answered", "occurrence": "last", "where": [asks]}})
    for name, scores in {"Content": [2, 5], "Annoyed": [5, 2], "Silent": []}.items():
        who = factories.customer(first_name=name)
        for number, score in enumerate(scores):
            happened("survey_answered", who.pk, now - (9 - number) * DAY, f"{name}:{number}", score=score)

    assert met_by(condition, now) == {"Annoyed"}
    annoyed = Customer.objects.get(first_name="Annoyed")
    assert condition.explain(annoyed, now).seen == "the last on 2026-11-15; score: 2"


# Dates of events


@pytest.mark.parametrize(
    ("day", "expected"), [("2026-08-31", False), ("2026-09-01", True), ("2026-09-30", True), ("2026-10-01", False)]
)
def test_the_last_login_between_two_days_both_counted(day, expected, now):
    who, never = factories.customer(first_name="Who"), factories.customer(first_name="Never")
    last = now.replace(month=int(day[5:7]), day=int(day[8:]), hour=23, minute=59)
    for at in (last - 60 * DAY, last):
        happened("mobile_login", who.pk, at, f"login:{at}")
    condition = EventDate(
        event_type=EventType.objects.get(name="mobile_login"),
        operator="between",
        date=date(2026, 9, 1),
        until=date(2026, 9, 30),
    )

    assert met_by(condition, now) == ({"Who"} if expected else set())
    assert condition.explain(never, now).seen == "never"
    assert condition.summary() == "had “Logged into the mobile app” for the last time between Sep 1 and Sep 30"


# Pages


@pytest.mark.parametrize(
    ("pattern", "page", "expected"),
    [
        ("/tea", "https://shop.example.com/tea", True),
        ("/tea", "http://www.shop.example.com/TEA/", True),
        ("/tea", "https://shop.example.com/tea?sort=price#top", True),
        ("/tea", "https://shop.example.com/green/tea", False),
        ("/tea", "https://shop.example.com/teapot", False),
        ("/tea*", "https://shop.example.com/teapot", True),
        ("/tea/*", "https://shop.example.com/tea/green/mild", True),
        ("/tea/*", "https://shop.example.com/tea/", False),
        ("*/tea", "https://shop.example.com/green/tea", True),
        ("/", "https://shop.example.com", True),
        ("/", "https://shop.example.com/?from=mail", True),
        ("/", "https://shop.example.com/tea", False),
        ("shop.example.com/sale", "https://www.shop.example.com/sale", True),
        ("https://www.shop.example.com/sale/", "shop.example.com/sale", True),
        ("shop.example.com/sale", "https://my.shop.example.com/sale", False),
        ("*shop.example.com/sale", "https://my.shop.example.com/sale", True),
        ("/tea?sort=price", "https://shop.example.com/tea/?sort=price", True),
        ("/tea?sort=price", "https://shop.example.com/tea", False),
        ("*?*utm_source=mail*", "https://shop.example.com/tea?x=1&utm_source=mail", True),
        ("/a.b", "https://shop.example.com/axb", False),
        ("/a+b(c)", "https://shop.example.com/a+b(c)", True),
        ("*", "/anything", True),
    ],
)
def test_which_page_a_pattern_means(pattern, page, expected, now):
    who = factories.customer(first_name="Who")
    happened("page_visited", who.pk, now, "visit", url=page)

    assert bool(met_by(VisitedPage(pattern=pattern), now)) is expected


def test_a_page_has_no_space_in_it():
    with pytest.raises(ValidationError, match="has a space in it"):
        VisitedPage(pattern="/green tea").full_clean(exclude=["condition_ptr"])
