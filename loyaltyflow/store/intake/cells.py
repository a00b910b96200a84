"""How the text of one cell is read: each returns what PostgreSQL shall read, or raises ValueError saying why."""

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any
from zoneinfo import available_timezones

import phonenumbers
from babel import Locale
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator, validate_email

from loyaltyflow.store.consent import Consent
from loyaltyflow.store.customers import Tag
from loyaltyflow.store.places import state_code

from .base import Context

Cleaner = Callable[[str, Context], str]
FUTURE_ALLOWED = timedelta(minutes=5)
JSON_LIMIT = 20_000
JSON_LAYERS = 20
TAGS_LIMIT = 50
# What most addresses look like: the validator says yes to all of them, but takes several times as long.
PLAIN_EMAIL = re.compile(r"[a-z0-9]+([._+-][a-z0-9]+)*@([a-z0-9]+(-[a-z0-9]+)*\.)+[a-z]{2,24}", re.ASCII)
YES = {"yes", "y", "true", "t", "1", "on"}
NO = {"no", "n", "false", "f", "0", "off"}


def shown(text: str) -> str:
    """The text in quotes, cut to what fits a sentence."""
    return f"“{text}”" if len(text) <= 60 else f"“{text[:57]}…”"


def text(longest: int) -> Cleaner:
    """Any text of at most so many characters."""

    def clean(cell: str, context: Context) -> str:
        if len(cell) > longest:
            raise ValueError(f"has {len(cell):,} characters; at most {longest} fit.")
        return cell

    return clean


def number(digits: int, places: int, lowest: Decimal | None = None) -> Cleaner:
    """A decimal number written with a point, with so many digits before it and so many places after it."""
    shape = re.compile(rf"[+-]?\d{{1,{digits}}}(\.\d{{1,{places}}}0*)?", re.ASCII)

    def clean(cell: str, context: Context) -> str:
        if len(cell) > 60 or not shape.fullmatch(cell):
            raise ValueError(
                f"{shown(cell)} is not a number such as 12.34 with at most {digits} digits and {places} decimals."
            )
        if lowest is not None and Decimal(cell) < lowest:
            raise ValueError(f"{shown(cell)} is less than {lowest}.")
        return cell

    return clean


def whole_number(lowest: int, highest: int) -> Cleaner:
    def clean(cell: str, context: Context) -> str:
        if not re.fullmatch(r"\d{1,9}", cell, re.ASCII) or not lowest <= int(cell) <= highest:
            raise ValueError(f"{shown(cell)} is not a whole number from {lowest} to {highest:,}.")
        return cell

    return clean


def moment(cell: str, context: Context) -> str:
    """An ISO 8601 time; without an offset it is on the store's clock. The future is refused."""
    try:
        value = datetime.fromisoformat(cell)
    except ValueError:
        raise ValueError(f"{shown(cell)} is not a time such as 2026-11-23T14:05:00 or 2026-11-23 14:05.") from None
    if not 1900 <= value.year <= 9000:
        raise ValueError(f"{shown(cell)} has a year before 1900 or after 9000.")
    value = (value if value.tzinfo else value.replace(tzinfo=context.zone)).astimezone(UTC)
    if value > context.now + FUTURE_ALLOWED:
        raise ValueError(f"{shown(cell)} lies in the future.")
    return value.isoformat()


def email(cell: str, context: Context) -> str:
    address = cell.lower()
    if len(address) <= 60 and PLAIN_EMAIL.fullmatch(address):
        return address
    try:
        validate_email(address)
        address.rpartition("@")[2].encode("idna")  # what mail servers are asked for
    except (ValidationError, UnicodeError):
        raise ValueError(f"{shown(cell)} is not an e-mail address.") from None
    if len(address) > 254:
        raise ValueError(f"has {len(address)} characters; at most 254 fit.")
    return address


def phone(cell: str, context: Context) -> str:
    """The number in E.164; without a country code it is read as from the store's country."""
    try:
        parsed = phonenumbers.parse(cell, context.country)
    except phonenumbers.NumberParseException:
        raise ValueError(f"{shown(cell)} is not a phone number.") from None
    if phonenumbers.is_possible_number_with_reason(parsed) != phonenumbers.ValidationResult.IS_POSSIBLE:
        raise ValueError(f"{shown(cell)} is not a phone number of a possible length.")
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def birthday(cell: str, context: Context) -> str:
    """YYYY-MM-DD; the year is 0000 where only month and day are known."""
    found = re.fullmatch(r"(?:(?!0000)(\d{4})-|--)?(\d{2})-(\d{2})", cell, re.ASCII)
    try:
        year, month, day = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
        known = date(year or 2000, month, day)
    except ValueError:
        raise ValueError(f"{shown(cell)} is not a birthday such as 1990-04-30, or 04-30 without the year.") from None
    if year and (year < 1900 or known > context.now.date()):
        raise ValueError(f"{shown(cell)} lies before 1900 or in the future.")
    return f"{year:04}-{month:02}-{day:02}"


def yes_no(cell: str, context: Context) -> str:
    if cell.lower() in YES | NO:
        return "true" if cell.lower() in YES else "false"
    raise ValueError(f"{shown(cell)} is neither yes nor no.")


def consent(cell: str, context: Context) -> str:
    word = cell.lower().replace(" ", "_").replace("-", "_")
    if word in YES | NO:
        return str(Consent.Status.OPTED_IN if word in YES else Consent.Status.OPTED_OUT)
    if word in Consent.Status.values:
        return word
    raise ValueError(f"{shown(cell)} is none of yes, no, {', '.join(Consent.Status.values)}.")


def time_zone(cell: str, context: Context) -> str:
    if cell not in available_timezones():
        raise ValueError(f"{shown(cell)} is not a time zone such as America/New_York.")
    return cell


def language(cell: str, context: Context) -> str:
    if len(cell) > 12 or not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", cell, re.ASCII):
        raise ValueError(f"{shown(cell)} is not a language tag such as en or pt-BR.")
    return cell


def country(cell: str, context: Context) -> str:
    """The ISO 3166-1 code of a country given by code or English name."""
    if code := _countries().get(cell.upper().replace(".", "")):
        return code
    raise ValueError(f"{shown(cell)} is not a country code such as US.")


def state(cell: str, country_code: str) -> str:
    """The ISO 3166-2 code, without the country, of a state of that country."""
    try:
        return state_code(cell, country_code)
    except ValueError as error:
        raise ValueError(f"state: {shown(cell)} {error}") from None


def tags(cell: str, context: Context) -> str:
    """The tags in their normal form, with semicolons between them."""
    names = [Tag.normalise(name) for name in re.split(r"[;,]", cell) if name.strip()]
    if not all(names):
        raise ValueError(f"{shown(cell)} holds a tag without letters or digits.")
    if len(names) > TAGS_LIMIT:
        raise ValueError(f"has {len(names):,} tags; at most {TAGS_LIMIT} fit.")
    return ";".join(dict.fromkeys(name.strip() for name in names))


def url(cell: str, context: Context) -> str:
    try:
        URLValidator(schemes=["http", "https"])(cell)
    except ValidationError:
        raise ValueError(f"{shown(cell)} is not a web address such as https://shop.example.com/tea.") from None
    if len(cell) > 500:
        raise ValueError(f"has {len(cell)} characters; at most 500 fit.")
    return cell


def json_object(cell: str, context: Context) -> str:
    """The object in JSON as PostgreSQL can store it."""
    if len(cell) > JSON_LIMIT:
        raise ValueError(f"has {len(cell):,} characters; at most {JSON_LIMIT:,} fit.")
    try:
        value = json.loads(cell)
        written = json.dumps(value, allow_nan=False, ensure_ascii=False)
        written.encode()
    except (ValueError, RecursionError):
        raise ValueError(f"{shown(cell)} is not an object in JSON.") from None
    if not isinstance(value, dict):
        raise ValueError(f'{shown(cell)} is not an object in JSON, such as {{"colour": "red"}}.')
    if _layers(value) > JSON_LAYERS:
        raise ValueError(f"is nested in more than {JSON_LAYERS} layers.")
    if "\\u0000" in written:
        raise ValueError("has the character NUL in it, which cannot be stored.")
    return written


def _layers(value: Any) -> int:
    """How many values lie in one another, the innermost included."""
    layers, inside = 0, [value]
    while inside:
        layers += 1
        groups = [each.values() if isinstance(each, dict) else each for each in inside if isinstance(each, dict | list)]
        inside = [each for group in groups for each in group]
    return layers


@cache
def _countries() -> dict[str, str]:
    territories = {code: name for code, name in Locale("en").territories.items() if re.fullmatch("[A-Z]{2}", code)}
    named = {name.upper().replace(".", ""): code for code, name in territories.items()}
    return named | {code: code for code in territories} | {"USA": "US", "GBR": "GB", "CAN": "CA", "DEU": "DE"}
