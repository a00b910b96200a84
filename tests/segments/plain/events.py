"""Events and pages, in plain Python."""

import re
from datetime import date, timedelta
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from segments.conditions.did_event import DidEvent
from segments.conditions.event_date import EventDate
from segments.conditions.visited_page import VisitedPage

from . import answers
from .comparing import inside, instant


def times(condition, count):
    return {
        "at_least": count >= condition.count,
        "at_most": count <= condition.count,
        "exactly": count == condition.count,
        "none": count == 0,
    }[condition.operator]


def happened(facts, name, now):
    """The events of the name up to now, in the order in which they happened."""
    found = [each for each in facts["events"] if each["name"] == name and each["occurred_at"] <= now]
    return sorted(found, key=lambda each: (each["occurred_at"], each["id"]))


@answers(DidEvent)
def did_event(condition, facts, now):
    found = happened(facts, condition.event_type.name, now)
    if condition.occurrence != "any":
        found = found[:1] if condition.occurrence == "first" else found[-1:]
    count = sum(
        inside(condition, each["occurred_at"], facts, now)
        and all(is_as_asked(question, each["properties"], now) for question in condition.where)
        for each in found
    )
    return times(condition, count) if condition.occurrence == "any" else count == 1


@answers(EventDate)
def event_date(condition, facts, now):
    found = happened(facts, condition.event_type.name, now)
    at = found[0 if condition.which == "first" else -1]["occurred_at"] if found else None
    return instant(condition, at, now)


def is_as_asked(question, properties, now):
    operator, value = question["operator"], properties.get(question["property"])
    if operator in ("is_set", "is_not_set"):
        return (value not in (None, "")) == (operator == "is_set")
    asked = question["value"]
    if isinstance(asked, bool):
        return value is asked
    if operator in ("includes", "does_not_include"):
        known = [str(each).lower() for each in value] if isinstance(value, list) else None
        return known is not None and (asked.lower() in known) == (operator == "includes")
    first = asked[0] if isinstance(asked, list) else asked
    if operator in DAYS and (operator not in ("between",) or isinstance(first, str)):
        return is_on(operator, asked, as_day(value), now.date())
    if isinstance(first, int | float):
        return is_number(operator, asked, as_number(value))
    return is_text(operator, asked, value)


def is_text(operator, asked, value):
    if not isinstance(value, str) or value == "":
        return False
    low = value.lower()
    if operator in ("in_list", "not_in_list"):
        return (low in [each.lower() for each in asked]) == (operator == "in_list")
    want = asked.lower()
    return {
        "is": low == want,
        "is_not": low != want,
        "contains": want in low,
        "does_not_contain": want not in low,
        "starts_with": low.startswith(want),
        "does_not_start_with": not low.startswith(want),
        "ends_with": low.endswith(want),
        "matches": want.strip("^$") in low,
    }[operator]


def as_number(value):
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    is_one = isinstance(value, int | float) or re.fullmatch(r"-?\d{1,18}(\.\d{1,9})?", value)
    return float(value) if is_one else None


def is_number(operator, asked, value):
    if value is None:
        return False
    low, high = asked if isinstance(asked, list) else (asked, asked)
    return {
        "at_least": value >= low,
        "at_most": value <= low,
        "more_than": value > low,
        "less_than": value < low,
        "is": value == low,
        "is_not": value != low,
        "between": low <= value <= high,
    }[operator]


def as_day(value):
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) and value[4:5] == "-" else None
    except ValueError:
        return None


DAYS = {
    "past_days": lambda day, asked, today: today - timedelta(days=asked) <= day <= today,
    "next_days": lambda day, asked, today: today <= day <= today + timedelta(days=asked),
    "more_than_days_ago": lambda day, asked, today: day < today - timedelta(days=asked),
    "more_than_days_ahead": lambda day, asked, today: day > today + timedelta(days=asked),
    "on": lambda day, asked, today: day == date.fromisoformat(asked),
    "not_on": lambda day, asked, today: day != date.fromisoformat(asked),
    "before": lambda day, asked, today: day < date.fromisoformat(asked),
    "on_or_before": lambda day, asked, today: day <= date.fromisoformat(asked),
    "after": lambda day, asked, today: day > date.fromisoformat(asked),
    "on_or_after": lambda day, asked, today: day >= date.fromisoformat(asked),
    "between": lambda day, asked, today: date.fromisoformat(asked[0]) <= day <= date.fromisoformat(asked[1]),
}


def is_on(operator, asked, day, today):
    return day is not None and DAYS[operator](day, asked, today)


@answers(VisitedPage)
def visited_page(condition, facts, now):
    visits = [
        each
        for each in happened(facts, "page_visited", now)
        if inside(condition, each["occurred_at"], facts, now) and is_page(condition.pattern, each["properties"])
    ]
    return times(condition, len(visits))


def is_page(pattern, properties):
    url = properties.get("url")
    if not isinstance(url, str):
        return False
    site, path, query = address(url)
    wanted_site, wanted_path, wanted_query = address(pattern)
    if wanted_query is not None and (query is None or not fnmatchcase(query, wanted_query)):
        return False
    if pattern.startswith("/"):
        return fnmatchcase(path, wanted_path)
    return fnmatchcase(site + path, wanted_site + wanted_path)


def address(text):
    """Site, path without its last slash, and query (None if there is none), in small letters."""
    parts = urlsplit(text.lower() if "//" in text or text.startswith("/") else f"//{text.lower()}")
    query = parts.query if "?" in text.partition("#")[0] else None
    return parts.netloc.removeprefix("www."), parts.path.rstrip("/"), query
