"""What a number of days comes to today, in words."""

from datetime import date, timedelta

from babel.dates import format_skeleton

from loyaltyflow.store.clock import store

from ..comparisons.dates import ComparesDate
from ..comparisons.window import InWindow


def in_window(asked: InWindow, today: date) -> str:
    """The first day of the past days."""
    if asked.window_days is None:
        return ""
    if asked.window_days == 0:
        return f"Today, {written(today)}, store time."
    return f"On or after {written(today - timedelta(days=asked.window_days))}, store time."


def compared(asked: ComparesDate, today: date) -> str:
    """The days that a number of days means today."""
    days = asked.days
    sentences = {
        "past_days": lambda: f"From {written(today - timedelta(days=days or 0))} to today, store time.",
        "next_days": lambda: f"From today to {written(today + timedelta(days=days or 0))}, store time.",
        "more_than_days_ago": lambda: f"Before {written(today - timedelta(days=days or 0))}, store time.",
        "more_than_days_ahead": lambda: f"After {written(today + timedelta(days=days or 0))}, store time.",
    }
    return sentences[asked.operator]() if asked.operator in sentences and days is not None else ""


def written(day: date) -> str:
    """The day with its weekday: Mon, Nov 2, 2026."""
    return str(format_skeleton("yMMMEd", day, locale=store().locale))
