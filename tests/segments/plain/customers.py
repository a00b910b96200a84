"""The conditions about the customer, in plain Python."""

import re
from calendar import isleap
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import md5

from loyaltyflow.store.models import StoreSettings
from segments.conditions.age import Age
from segments.conditions.anniversary import Anniversary
from segments.conditions.attribute_date import AttributeDate
from segments.conditions.attribute_list import AttributeList
from segments.conditions.attribute_number import AttributeNumber
from segments.conditions.attribute_text import AttributeText
from segments.conditions.attribute_yes_no import AttributeYesNo
from segments.conditions.birthday import Birthday
from segments.conditions.customer_date import CustomerDate
from segments.conditions.customer_field import CustomerField
from segments.conditions.has_consent import HasConsent
from segments.conditions.has_tag import HasTag
from segments.conditions.joined_loyalty import JoinedLoyalty
from segments.conditions.lives_out_of_state import LivesOutOfState
from segments.conditions.random_share import RandomShare

from . import answers, comparing, local_day

LATER = datetime(2300, 1, 1, tzinfo=UTC)  # than anything that happens


@answers(CustomerField)
def customer_field(condition, facts, now):
    value = facts.customer[condition.field]
    is_no_number = condition.field == "phone" and not re.fullmatch(r"\+[1-9][0-9]{6,14}", value)
    return comparing.text(condition, "" if is_no_number else value)


@answers(CustomerDate)
def customer_date(condition, facts, now):
    return comparing.instant(condition, facts.customer[condition.field], now)


@answers(LivesOutOfState)
def lives_out_of_state(condition, facts, now):
    store, state, country = StoreSettings.load(), facts.customer["state"], facts.customer["country"]
    if not store.state or not state:
        return False
    is_inside = state.upper() == store.state and country.upper() in ("", store.country)
    return is_inside == (condition.where == "inside")


@answers(HasConsent)
def has_consent(condition, facts, now):
    said = [each for each in facts["consents"] if each["channel"] == condition.channel and each["given_at"] <= now]
    last = max(said, key=lambda each: (each["given_at"], each["id"]), default={"status": "unknown"})
    return last["status"] == condition.status


@answers(JoinedLoyalty)
def joined_loyalty(condition, facts, now):
    joined, left = facts.customer["loyalty_joined_at"], facts.customer["loyalty_left_at"]
    if joined is None or joined > now or (left is not None and left <= now):
        return False
    days = condition.window_days
    return days is None or (now.date() - local_day(joined, now)).days <= days


@answers(AttributeText)
def attribute_text(condition, facts, now):
    value = facts.customer["attributes"].get(condition.attribute)
    return comparing.text(condition, value if isinstance(value, str) else "")


@answers(AttributeNumber)
def attribute_number(condition, facts, now):
    value = facts.customer["attributes"].get(condition.attribute)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return comparing.number(condition, Decimal(str(value)) if is_number else None)


@answers(AttributeDate)
def attribute_date(condition, facts, now):
    return comparing.instant(condition, said_instant(facts.customer["attributes"].get(condition.attribute), now), now)


def said_instant(said, now):
    """The instant that a text says, or None; of a time that the clock shows twice, the later one."""
    shape = r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-](0\d|1[0-4]):?\d\d)?)?"
    if not isinstance(said, str) or not re.fullmatch(shape, said, re.ASCII):
        return None
    try:
        found = datetime.fromisoformat(said)
    except ValueError:
        return None
    if not 1900 <= found.year < 2200:
        return None
    if found.tzinfo:
        return found
    folds = (0, 0) if len(said) == 10 else (0, 1)
    return max(found.replace(tzinfo=now.tzinfo, fold=fold).astimezone(UTC) for fold in folds)


@answers(AttributeYesNo)
def attribute_yes_no(condition, facts, now):
    value = facts.customer["attributes"].get(condition.attribute)
    return {
        "is_yes": value is True,
        "is_no": value is False,
        "is_set": isinstance(value, bool),
        "is_not_set": not isinstance(value, bool),
    }[condition.operator]


@answers(AttributeList)
def attribute_list(condition, facts, now):
    value = facts.customer["attributes"].get(condition.attribute)
    if not isinstance(value, list):
        return condition.operator == "is_not_set"
    has = {each.lower() for each in value if isinstance(each, str)}
    asked = {each.strip().lower() for each in condition.includes.split(",") if each.strip()}
    return {
        "has_any": bool(has & asked),
        "has_all": has >= asked,
        "has_none": not has & asked,
        "is_empty": value == [],
        "is_not_empty": value != [],
        "is_set": True,
        "is_not_set": False,
    }[condition.operator]


@answers(Birthday)
def birthday(condition, facts, now):
    born = facts.customer["birth_month"], facts.customer["birth_day"]
    return month_day(condition, born if all(born) else None, now)


@answers(Anniversary)
def anniversary(condition, facts, now):
    first = (
        min(purchases(facts, now), default=None)
        if condition.field == "first_purchase"
        else facts.customer[condition.field]
    )
    day = first and local_day(first, now)
    return month_day(condition, day and (day.month, day.day), now, since=day)


def purchases(facts, now):
    """When the customer bought, of what counts as bought at `now`."""
    done = [each for each in facts["orders"] if each["completed_at"] and each["completed_at"] <= now]
    undone = [{each["cancelled_at"] or LATER, each["refunded_at"] or LATER} for each in done]
    return [each["completed_at"] for each, ends in zip(done, undone, strict=True) if min(ends) > now]


def month_day(condition, found, now, since=None):
    """Whether a month and a day, or None, are as asked; an anniversary comes after the day `since`."""
    if condition.operator == "is_set":
        return found is not None
    if condition.operator == "is_not_set":
        return found is None
    if found is None:
        return False
    today, days = now.date(), condition.days or 0
    match condition.operator:
        case "in_month":
            return found[0] == condition.month
        case "between":
            first, last = (condition.month, condition.day), (condition.last_month, condition.last_day)
            wraps = first > last
            found, first, last = (as_kept(each, today.year) for each in (found, first, last))
            return found >= first or found <= last if wraps else first <= found <= last
    ahead = {"today": [0], "next_days": range(days + 1), "past_days": range(-days, 1)}[condition.operator]
    near = [today + timedelta(days=each) for each in ahead]
    return any(as_kept(found, each.year) == (each.month, each.day) and (since is None or each > since) for each in near)


def as_kept(day, year):
    """February 28 for February 29 in a year without it."""
    return (2, 28) if day == (2, 29) and not isleap(year) else day


@answers(Age)
def age(condition, facts, now):
    year, month, day = (facts.customer[f"birth_{part}"] for part in ("year", "month", "day"))
    if not year or not month or not day:
        return comparing.number(condition, None)
    today = now.date()
    years = today.year - year - ((today.month, today.day) < as_kept((month, day), today.year))
    return comparing.number(condition, years if years >= 0 else None)


@answers(HasTag)
def has_tag(condition, facts, now):
    had = [
        local_day(each["added_at"], now)
        for each in facts["taggings"]
        if each["tag_id"] == condition.tag_id
        and each["added_at"] <= now
        and (each["removed_at"] is None or each["removed_at"] > now)
    ]
    days = (now.date() - had[0]).days if had else None
    return {
        "has": days is not None,
        "has_not": days is None,
        "got_in_past_days": days is not None and days <= (condition.days or 0),
        "has_had_for_days": days is not None and days >= (condition.days or 0),
    }[condition.operator]


@answers(RandomShare)
def random_share(condition, facts, now):
    digits = md5(f"{condition.seed}:{facts.customer['id']}".encode(), usedforsecurity=False).hexdigest()
    return int(digits[:8], 16) % 10_000 < condition.share * 100
