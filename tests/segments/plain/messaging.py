"""Messages and addresses, in plain Python."""

import re

from messaging.conditions import MessageEngagement, ReachableBy

from . import answers
from .comparing import inside
from .events import times


@answers(ReachableBy)
def reachable_by(condition, facts, now):
    said = [each for each in facts["consents"] if each["channel"] == condition.channel and each["given_at"] <= now]
    last = max(said, key=lambda each: (each["given_at"], each["id"]), default=None)
    if last is None or last["status"] != "opted_in":
        return False
    if condition.channel == "sms":
        return re.fullmatch(r"\+[1-9]\d{6,14}", facts.customer["phone"]) is not None
    blocked = any(each["added_at"] <= now and each["channel"] == "email" for each in facts["blocked"])
    return "@" in facts.customer["email"] and not blocked


@answers(MessageEngagement)
def message_engagement(condition, facts, now):
    def counts(row, prefix, at):
        return (
            inside(condition, row[at], facts, now)
            and condition.campaign_id in (None, row[f"{prefix}campaign_id"])
            and condition.template_id in (None, row[f"{prefix}template_id"])
        )

    if condition.act == "sent":
        return times(condition, sum(counts(row, "", "sent_at") for row in facts["messages"]))
    kind = {"opened": "open", "clicked": "click"}[condition.act]
    acts = [row for row in facts["engagements"] if row["kind"] == kind and not row["is_machine"]]
    return times(condition, len({row["message_id"] for row in acts if counts(row, "message__", "at")}))
