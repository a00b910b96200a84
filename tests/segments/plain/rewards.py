"""Points, in plain Python."""

from rewards.conditions import PointsBalance, PointsEarned

from . import answers
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
