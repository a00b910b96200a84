"""Points, in plain Python."""

from rewards.conditions import PointsBalance, PointsEarned

from . import answers
from .comparing import inside, number


@answers(PointsBalance)
def points_balance(condition, facts, now):
    return number(condition, sum(each["points"] for each in facts["points"] if each["occurred_at"] <= now))


@answers(PointsEarned)
def points_earned(condition, facts, now):
    got = [each for each in facts["points"] if each["points"] > 0 and condition.kind in ("", each["kind"])]
    return number(condition, sum(each["points"] for each in got if inside(condition, each["occurred_at"], facts, now)))
