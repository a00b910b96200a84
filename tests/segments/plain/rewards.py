"""Points, in plain Python."""

from datetime import timedelta

from rewards.conditions import PointsBalance, PointsEarned, PointsExpiring

from . import answers, local_day
from .comparing import inside, number


@answers(PointsBalance)
def points_balance(condition, facts, now):
    drawn = [each for each in facts["draws"] if each["at"] <= now]
    left = -sum(each["points"] for each in drawn if each["lot_id"] is None)
    for lot in facts["lots"]:
        begins = max(lot["available_at"], lot["entry__occurred_at"])
        if begins <= now and (lot["expires_at"] is None or lot["expires_at"] > now):
            left += lot["points"] - sum(each["points"] for each in drawn if each["lot_id"] == lot["pk"])
    return number(condition, max(0, left))


@answers(PointsEarned)
def points_earned(condition, facts, now):
    gains = {"earn", "boost", "welcome", "tier_bonus", "manual_add", "migration"}
    got = [each for each in facts["points"] if each["kind"] in gains and condition.kind in ("", each["kind"])]
    return number(condition, sum(each["points"] for each in got if inside(condition, each["occurred_at"], facts, now)))


@answers(PointsExpiring)
def points_expiring(condition, facts, now):
    last_day, left = now.date() + timedelta(days=condition.days), 0
    for lot in facts["lots"]:
        ends = lot["expires_at"]
        if lot["entry__occurred_at"] > now or ends is None or ends <= now:
            continue
        if local_day(ends - timedelta(microseconds=1), now) <= last_day:
            drawn = [each for each in facts["draws"] if each["lot_id"] == lot["pk"] and each["at"] <= now]
            left += lot["points"] - sum(each["points"] for each in drawn)
    return number(condition, left)
