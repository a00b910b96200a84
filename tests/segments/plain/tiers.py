"""Tiers, in plain Python."""

from calendar import monthrange
from datetime import date, timedelta

from rewards.conditions import InTier, NearNextTier

from . import answers, local_day
from .purchases import is_purchase


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


@answers(NearNextTier)
def near_next_tier(condition, facts, now):
    joined, left = facts.customer["loyalty_joined_at"], facts.customer["loyalty_left_at"]
    if joined is None or joined > now or (left is not None and left <= now):
        return False
    standing = [each for each in facts["standings"] if each["since"] <= now]
    inside = [each["tier__threshold"] for each in standing if each["until"] is None or each["until"] > now]
    above = [each["threshold"] for each in facts["tiers"] if not inside or each["threshold"] > inside[0]]
    return bool(above) and min(above) - counted(facts, now) <= condition.value


def counted(facts, now):
    """What counts towards a tier: points earned or money kept, as the programme has it."""
    [programme] = facts["programme"]
    if programme["tier_basis"] == "spend":
        bought = [each for each in facts["orders"] if is_purchase(each, now)]
        return sum(kept(each, facts, now) for each in bought if is_inside(each["completed_at"], programme, now))
    kinds = {"earn"} | ({"boost", "welcome", "manual_add"} if programme["tier_counts_gifts"] else set())
    entries = [each for each in facts["points"] if each["occurred_at"] <= now]
    inside = [each for each in entries if is_inside(each["occurred_at"], programme, now)]
    gained = {each["id"]: each["points"] for each in inside if each["kind"] in kinds}
    taken = [each for each in inside if each["kind"] == "refund_reversal"]
    return sum(gained.values()) + sum(
        each["points"] for each in taken if each["reverses_id"] is None or each["reverses_id"] in gained
    )


def kept(order, facts, now):
    refunds = [each for each in facts["refunds"] if each["order_id"] == order["id"] and each["at"] <= now]
    return order["net"] - sum(each["amount"] for each in refunds)


def is_inside(at, programme, now):
    day, today = local_day(at, now), now.date()
    if programme["tier_window"] == "year":
        return day.year == today.year
    months = today.year * 12 + today.month - 1 - programme["tier_months"]
    year, month = months // 12, months % 12 + 1
    return day >= date(year, month, min(today.day, monthrange(year, month)[1]))
