"""States as people write them, and their codes."""

import re
from functools import cache
from pathlib import Path

import yaml

FILE = Path(__file__).with_name("places.yaml")


def state_code(text: str, country: str) -> str:
    """The ISO 3166-2 code, without the country, of a state of that country; raises ValueError if there is none."""
    spellings = _spellings().get(country)
    plain = re.sub(r"[.\s]+", " ", text.lower()).strip().removeprefix(f"{country.lower()}-")
    if spellings is not None:
        if plain in spellings:
            return spellings[plain]
        raise ValueError(f"is not a state of {country}, such as MA or Massachusetts.")
    if re.fullmatch(r"[a-z0-9]{1,3}", plain, re.ASCII):
        return plain.upper()
    raise ValueError("is not an ISO 3166-2 code without the country, of at most three signs.")


@cache
def _spellings() -> dict[str, dict[str, str]]:
    """For each country with known states: every spelling, in small letters without points, and its code."""
    data = yaml.safe_load(FILE.read_text())
    return {
        country: {spelling.lower(): code for code, names in states.items() for spelling in (code, *names)}
        for country, states in data["states"].items()
    }
