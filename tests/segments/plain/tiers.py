"""Tiers, in plain Python."""

from datetime import timedelta

from rewards.conditions import InTier

from . import answers, local_day


@answers(InTier)
def in_tier(condition, facts, now):
    known = [each for each in facts["standings"] if each["since"] <= now]
    standing = [each for each in known if each["until"] is None or each["until"] > now]
    inside = any(each["tier_id"] == condition.tier_id for each in standing)
    edge = now.date() - timedelta(days=condition.days or 0)
    match condition.operator:
        case "is":
            return inside
        case "is_not":
            return not inside
        case "at_least":
            return any(each["tier__threshold"] >= condition.tier.threshold for each in standing)
        case "lowered":
            down = [each["since"] for each in known if each["reason"] in ("lowered", "returned")]
            return any(local_day(at, now) >= edge for at in down)
    came = [each["since"] for each in known if each["tier_id"] == condition.tier_id and each["reason"] != "renewed"]
    return inside and all(local_day(at, now) <= edge for at in came)
