"""Reads the environment and the `.env` file beside `manage.py`; errors say the variable, its value and what may be."""

from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

env = environ.Env()
env.read_env(Path(__file__).resolve().parent.parent / ".env")


def required(name: str, sentence: str) -> str:
    """The variable's value, or an error that says what to set."""
    if value := env.str(name, default=""):
        return str(value)
    raise ImproperlyConfigured(f"{name} is not set. {sentence} To try LoyaltyFlow on your own machine, set LOCAL=true.")


def chosen(name: str, default: str, *allowed: str) -> str:
    """The variable's value, which must be one of those allowed."""
    if (value := env.str(name, default=default)) in allowed:
        return str(value)
    raise ImproperlyConfigured(f"{name} is {value!r}. Set it to one of: {', '.join(allowed)}.")


def flag(name: str, default: bool) -> bool:
    """Whether the variable says true."""
    return chosen(name, str(default).lower(), "true", "false", "True", "False").lower() == "true"


def number(name: str, default: int, low: int, high: int) -> int:
    """The variable's value as a whole number, which must lie from `low` to `high`."""
    value = env.str(name, default=str(default))
    if value.isdecimal() and low <= int(value) <= high:
        return int(value)
    raise ImproperlyConfigured(f"{name} is {value!r}. Set it to a whole number from {low} to {high}.")
