"""The comparisons that types of conditions share, in plain Python."""

import re
from datetime import timedelta

from . import local_day


def text(condition, value):
    value, asked = value or "", condition.value.strip()
    low, want = value.lower(), asked.lower()
    wanted = [each.strip().lower() for each in asked.split(",") if each.strip()]
    if condition.operator == "is_set":
        return value != ""
    if condition.operator == "is_not_set":
        return value == ""
    return (
        value != ""
        and {
            "is": lambda: low == want,
            "is_not": lambda: low != want,
            "contains": lambda: want in low,
            "does_not_contain": lambda: want not in low,
            "starts_with": lambda: low.startswith(want),
            "does_not_start_with": lambda: not low.startswith(want),
            "ends_with": lambda: low.endswith(want),
            "in_list": lambda: low in wanted,
            "not_in_list": lambda: low not in wanted,
            "matches": lambda: re.search(asked, value[:1_000], re.IGNORECASE) is not None,
        }[condition.operator]()
    )


def number(condition, value):
    if condition.operator == "is_set":
        return value is not None
    if condition.operator == "is_not_set":
        return value is None
    return (
        value is not None
        and {
            "at_least": lambda: value >= condition.value,
            "at_most": lambda: value <= condition.value,
            "more_than": lambda: value > condition.value,
            "less_than": lambda: value < condition.value,
            "is": lambda: value == condition.value,
            "is_not": lambda: value != condition.value,
            "between": lambda: condition.value <= value <= condition.upper,
        }[condition.operator]()
    )


def instant(condition, value, now):
    if condition.operator == "is_set":
        return value is not None
    if condition.operator == "is_not_set":
        return value is None
    if value is None:
        return False
    day, today, days = local_day(value, now), now.date(), timedelta(days=condition.days or 0)
    return {
        "past_days": lambda: today - days <= day and value <= now,
        "next_days": lambda: today <= day <= today + days,
        "more_than_days_ago": lambda: day < today - days,
        "more_than_days_ahead": lambda: day > today + days,
        "on": lambda: day == condition.date,
        "not_on": lambda: day != condition.date,
        "before": lambda: day < condition.date,
        "on_or_before": lambda: day <= condition.date,
        "after": lambda: day > condition.date,
        "on_or_after": lambda: day >= condition.date,
        "between": lambda: condition.date <= day <= condition.until,
    }[condition.operator]()


def inside(condition, moment, facts, now):
    """Whether what happened at the moment lies in the condition's time."""
    if moment is None or moment > now:
        return False
    day = local_day(moment, now)
    if condition.window_days is not None and day < now.date() - timedelta(days=condition.window_days):
        return False
    if condition.since and day < condition.since:
        return False
    if condition.until and day > condition.until:
        return False
    if condition.since_own:
        own = facts.customer[condition.since_own]
        return own is not None and moment >= own
    return True
