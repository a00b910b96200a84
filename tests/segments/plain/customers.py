"""The conditions about the customer, in plain Python."""

import re

from loyaltyflow.store.models import StoreSettings
from segments.conditions.customer_date import CustomerDate
from segments.conditions.customer_field import CustomerField
from segments.conditions.has_consent import HasConsent
from segments.conditions.joined_loyalty import JoinedLoyalty
from segments.conditions.lives_out_of_state import LivesOutOfState

from . import answers, comparing, local_day


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
