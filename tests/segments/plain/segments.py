"""Stays in segments, in plain Python."""

from datetime import timedelta

from segments.conditions.in_segment import InSegment

from . import answers, local_day


@answers(InSegment)
def in_segment(condition, facts, now):
    stays = [each for each in facts["stays"] if each["segment_id"] == condition.other_id and each["joined_at"] <= now]
    here = [each for each in stays if each["left_at"] is None or each["left_at"] > now]
    earliest = now.date() - timedelta(days=condition.days or 0)

    def is_late(moment):
        return moment is not None and moment <= now and local_day(moment, now) >= earliest

    return {
        "is_in": bool(here),
        "is_not_in": not here,
        "in_for_days": any(local_day(each["joined_at"], now) <= earliest for each in here),
        "entered_past_days": any(is_late(each["joined_at"]) for each in stays),
        "left_past_days": any(is_late(each["left_at"]) for each in stays),
    }[condition.operator]
