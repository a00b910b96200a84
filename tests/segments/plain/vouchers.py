"""Vouchers, in plain Python."""

from datetime import timedelta

from rewards.conditions import HoldsVoucher, RedeemedVouchers, VoucherExpires

from . import answers, local_day
from .comparing import inside, number


@answers(HoldsVoucher)
def holds_voucher(condition, facts, now):
    return any(usable(condition, facts, now)) == (condition.operator == "has")


@answers(RedeemedVouchers)
def redeemed_vouchers(condition, facts, now):
    uses = [each for each in standing(facts, now) if each["voucher_id"] and is_of(condition, each)]
    return number(condition, sum(inside(condition, each["redeemed_at"], facts, now) for each in uses))


@answers(VoucherExpires)
def voucher_expires(condition, facts, now):
    ends = [each["expires_at"] for each in usable(condition, facts, now) if each["expires_at"]]
    last_days = [local_day(each - timedelta(microseconds=1), now) for each in ends]
    return any(each <= now.date() + timedelta(days=condition.days) for each in last_days)


def usable(condition, facts, now):
    """The vouchers that are as asked, and that the customer could use."""
    used = [each["voucher_id"] for each in standing(facts, now)]
    return [
        each
        for each in facts["vouchers"]
        if is_of(condition, each)
        and (each["assigned_at"] is not None and each["assigned_at"] <= now)
        and (each["valid_from"] is None or each["valid_from"] <= now)
        and (each["expires_at"] is None or now < each["expires_at"])
        and (each["ended_at"] is None or now < each["ended_at"])
        and (each["uses_allowed"] is None or used.count(each["id"]) < each["uses_allowed"])
    ]


def standing(facts, now):
    """The uses that were not undone by then."""
    known = [each for each in facts["redemptions"] if each["redeemed_at"] <= now]
    return [each for each in known if each["reversed_at"] is None or each["reversed_at"] > now]


def is_of(condition, row):
    return condition.discount_id in (None, row["discount_id"])
