"""One customer's copy of a template, from plain values only."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse

from .emails import EmailTemplate, Link
from .language import ADDRESS, HTML, TEXT, LiquidError, Part, UndefinedError, encoded, parse
from .messages import Message
from .tokens import token
from .values import Known, Values, values_for, values_of_rows

SPACES = str.maketrans(dict.fromkeys([*range(32), 0x7F, 0x85, 0x2028, 0x2029], " "))


class NotRendered(ValueError):
    """The template cannot be filled in for this customer; the text says which value is missing or what went wrong."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """What one customer is told."""

    subject: str
    html: str
    text: str
    unsubscribe: str


@dataclass(frozen=True, slots=True)
class CompiledTemplate:
    """A template ready to be filled in: its parts, and the prefixes of the variables it uses."""

    subject: Part
    html: Part
    text: Part
    addresses: tuple[Part, ...]
    prefixes: frozenset[str]


@lru_cache(maxsize=256)
def compiled(template: int, updated_at: datetime) -> CompiledTemplate:
    """The template with that number as of its last change; kept in memory, and read once by each process."""
    row = EmailTemplate.objects.get(pk=template)
    used = [int(number) for number in re.findall(r"\{\{ links\.click \}\}(\d+)", row.html)]
    urls = [url for url in row.links.filter(pk__in=used).values_list("url", flat=True) if "{" in url]
    addresses = tuple(parse(url, ADDRESS) for url in urls)
    subject, html, text = parse(row.subject, TEXT), parse(row.html, HTML), parse(row.text, TEXT)
    roots = {str(name) for part in (subject, html, text, *addresses) for name in part.analyze().globals}
    return CompiledTemplate(subject, html, text, addresses, frozenset(roots & set(Values.registry)))


def templates(ids: Iterable[int]) -> dict[int, CompiledTemplate]:
    """Template id → its latest compiled form; one statement, and two for each that this process has not seen yet."""
    rows = EmailTemplate.objects.filter(pk__in=set(ids)).values_list("pk", "updated_at")
    return {pk: compiled(pk, updated_at) for pk, updated_at in rows}


def values_of(parts: Iterable[CompiledTemplate], customers: Iterable[int], now: datetime) -> dict[str, Known]:
    """Prefix → customer id → values, for all that the templates ask for."""
    prefixes = {prefix for part in parts for prefix in part.prefixes}
    return values_for(prefixes, list(set(customers)), now)


def rows_of(parts: Iterable[CompiledTemplate], messages: Iterable[dict[str, Any]], now: datetime) -> dict[str, Known]:
    """Prefix → row → values, for the rows that the messages name and their templates speak of."""
    return values_of_rows({prefix for part in parts for prefix in part.prefixes}, messages, now)


@lru_cache(maxsize=1)
def _addresses(site: str) -> tuple[str, str, str]:
    names = ("messaging:click", "messaging:open", "messaging:unsubscribe")
    click, opened, unsubscribe = (reverse(name, args=["-"] if "click" not in name else ["-", 0]) for name in names)
    return tuple(f"{site}{path.partition('-')[0]}" for path in (click, opened, unsubscribe))  # type: ignore[return-value]


def links(message: int) -> dict[str, str]:
    """The message's own addresses: open, click (a link's number follows) and unsubscribe."""
    click, opened, unsubscribe = _addresses(settings.SITE_URL)
    mark = token(message)
    return {"click": f"{click}{mark}/", "open": f"{opened}{mark}", "unsubscribe": f"{unsubscribe}{mark}"}


def variables(
    values: dict[str, Known],
    customer: int,
    message: dict[str, Any],
    own: dict[str, str],
    rows: dict[str, Known] | None = None,
) -> dict[str, Any]:
    """Everything that a template may say to one customer in one message; of `rows`, only what the message names."""
    known: dict[str, Any] = {prefix: every.get(customer, {}) for prefix, every in values.items()}
    known |= {prefix: every.get(message[prefix], {}) for prefix, every in (rows or {}).items() if prefix in message}
    known["message"] = message
    known["links"] = own
    return known


def render(template: CompiledTemplate, known: dict[str, Any]) -> Rendered:
    """The template filled in; raises NotRendered if a value is missing or a limit is passed."""
    try:
        if template.addresses:
            in_address = encoded(known)
            for address in template.addresses:
                address.fill_in(in_address)
        return Rendered(
            " ".join(template.subject.fill_in(known).translate(SPACES).split())[:400],
            template.html.fill_in(known),
            template.text.fill_in(known),
            known["links"]["unsubscribe"],
        )
    except UndefinedError as error:
        name = str(error.message).removesuffix(" is undefined")
        raise NotRendered(
            f'{name} is not known of this customer. Give {{{{ {name} | default: "…" }}}} in the template.'
        ) from error
    except LiquidError as error:
        raise NotRendered(f"The template could not be filled in: {error.message}.") from error


def address_of(link: Link, message: Message, now: datetime) -> str:
    """Where the link leads for this message: its authored host, and to that host's root if a value is missing."""
    if "{" not in link.url:
        return link.url
    template = parse(link.url, ADDRESS)
    prefixes = {str(name) for name in template.analyze().globals} & set(Values.registry)
    values = values_for(prefixes, [message.customer_id], now)
    rows = values_of_rows(prefixes, [message.values], now)
    known = variables(values, message.customer_id, message.values, links(message.pk), rows)
    try:
        return template.fill_in(encoded(known))
    except LiquidError:
        parts = urlsplit(link.url)
        return f"{parts.scheme}://{parts.netloc}/"
