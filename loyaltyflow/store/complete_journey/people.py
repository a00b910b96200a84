"""Made-up people for the real households: the same ones each time, for the seed is fixed."""

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from .data import SOURCE

SEED = 20_170_101
NEVER_JOINS = 0.12
JOINS_LATER = 0.38  # of those who join: at some purchase later in the year, not at the first
AGES = {"19-24": (19, 24), "25-34": (25, 34), "35-44": (35, 44), "45-54": (45, 54), "55-64": (55, 64), "65+": (65, 84)}


@cache
def facts() -> dict[str, Any]:
    """The lists that the people are drawn from."""
    return dict(yaml.safe_load(Path(__file__).with_name("people.yaml").read_text()))


def households(visits: dict[int, list[datetime]], ages: dict[int, str], end: datetime) -> Iterator[dict[str, str]]:
    """One row for the customer intake for each household; `visits` holds its purchases in the order of time."""
    states = facts()["states"]
    weights = [state["weight"] for state in states.values()]
    for number in sorted(visits):
        dice = random.Random(SEED + number)  # noqa: S311
        state = dice.choices(list(states), weights)[0]
        yield {
            "source": SOURCE,
            "external_id": str(number),
            **_name(dice, number),
            **_birthday(dice, ages.get(number, ""), visits[number][0]),
            **_place(dice, number, state, states[state]),
            **_dates(dice, visits[number], end),
        }


def _name(dice: random.Random, number: int) -> dict[str, str]:
    gender = dice.choices(["female", "male"], [58, 42])[0]
    first, last = dice.choice(facts()[gender]), dice.choice(facts()["last"])
    return {
        "first_name": first,
        "last_name": last,
        "gender": gender if dice.random() < 0.8 else "",
        "email": f"{first}.{last}{number}@example.com".lower(),
        "language": dice.choices(["en", "es", "pt"], [92, 6, 2])[0],
    }


def _birthday(dice: random.Random, age: str, first: datetime) -> dict[str, str]:
    youngest, oldest = AGES.get(age) or dice.choice(list(AGES.values()))
    day = datetime(first.year - dice.randint(youngest, oldest), 1, 1) + timedelta(days=dice.randrange(365))  # noqa: DTZ001
    form = dice.choices(["%Y-%m-%d", "--%m-%d", ""], [68, 14, 18])[0]
    return {"birthday": day.strftime(form)}


def _phone(number: int) -> str:
    """A number that no other household has: two with the same would look like one customer, there twice."""
    line, area = divmod(number - 1, len(facts()["area_codes"]))
    return f"+1{facts()['area_codes'][area]}55501{line % 100:02}"


def _place(dice: random.Random, number: int, state: str, known: dict[str, Any]) -> dict[str, str]:
    postal_code = f"{dice.choice(known['postal_codes'])}{dice.randrange(1, 99):02}"
    return {
        "phone": _phone(number) if dice.random() < 0.85 else "",
        "country": "US",
        "state": state if dice.random() < 0.97 else "",
        "postal_code": postal_code,
    }


def _dates(dice: random.Random, visits: Sequence[datetime], end: datetime) -> dict[str, str]:
    """When the account was made and the programme joined, and what was agreed to on that day."""
    joined = _joined(dice, visits, end)
    had_account = dice.random() < 0.35  # from before the year
    registered = visits[0] - timedelta(days=dice.randrange(1, 700)) if had_account else joined
    agreed = registered or visits[0]
    return {
        "registered_at": registered.isoformat() if registered else "",
        "profile_completed_at": registered.isoformat() if registered and dice.random() < 0.7 else "",
        "loyalty_joined_at": joined.isoformat() if joined else "",
        "consent_email": dice.choices(["opted_in", "opted_out", "pending", ""], [76, 7, 3, 14])[0],
        "consent_sms": dice.choices(["opted_in", "opted_out", ""], [34, 9, 57])[0],
        "consent_at": agreed.isoformat(),
        "consent_source": "sign-up form" if registered else "till",
    }


def _joined(dice: random.Random, visits: Sequence[datetime], end: datetime) -> datetime | None:
    """A moment before one purchase, the way people join at the till; None for those who never do."""
    if dice.random() < NEVER_JOINS:
        return None
    visit = visits[0]
    if dice.random() < JOINS_LATER:
        day = visits[0] + (end - visits[0]) * dice.random()
        visit = next((each for each in visits if each >= day), visits[-1])
    return visit - timedelta(minutes=dice.randrange(2, 9))
