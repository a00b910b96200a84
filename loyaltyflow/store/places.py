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


def state_name(code: str, country: str) -> str:
    """The name of the state of that country that has the code: Massachusetts; the code itself if none has it."""
    return _names().get(country, {}).get(code.upper(), code)


@cache
def _names() -> dict[str, dict[str, str]]:
    """For each country with known states: every code, and the name that stands first among its spellings."""
    data = yaml.safe_load(FILE.read_text())
    return {
        country: {code: titled(names[0]) for code, names in states.items()}
        for country, states in data["states"].items()
    }


def titled(name: str) -> str:
    """The name as it is written, if every word but “of” and “and” begins with a capital: District of Columbia."""
    return " ".join(word if word in {"of", "and"} else word.capitalize() for word in name.split())


@cache
def _spellings() -> dict[str, dict[str, str]]:
    """For each country with known states: every spelling, in small letters without points, and its code."""
    data = yaml.safe_load(FILE.read_text())
    return {
        country: {spelling.lower(): code for code, names in states.items() for spelling in (code, *names)}
        for country, states in data["states"].items()
    }
