"""Where one is, in the words of the menu: a thing has one name in the menu, in the trail and in the window's title."""

from contextlib import suppress
from functools import cache
from typing import Any

from django import template
from django.apps import apps
from django.urls import NoReverseMatch, reverse

from ..navigation import MENU, address_of

register = template.Library()


@register.filter
def in_menu(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The trail's parts, called as in the menu; the first one is the group in which the list stands, and no link."""
    named = _names()
    found = [named.get(str(part["link"])) for part in parts if part.get("link")]
    group = next((each[0] for each in found if each), "")
    if not group:
        return parts
    lists = [{**part, "title": each[1]} if (each := named.get(str(part.get("link")))) else part for part in parts[1:]]
    return [{"title": group, "link": ""}, *lists]


@register.filter
def name_in_menu(opts: Any) -> str:
    """What the menu calls the list of the model; its own name where it has no entry."""
    return next(
        (title for entries in MENU.values() for title, _icon, place in entries if place == opts.label_lower),
        str(opts.verbose_name_plural).capitalize(),
    )


@cache
def _names() -> dict[str, tuple[str, str]]:
    """Address of a list → its group and its name in the menu."""
    names: dict[str, tuple[str, str]] = {}
    for group, entries in MENU.items():
        for title, _icon, place in entries:
            for label in _kinds(place) if "." in place else ():
                with suppress(NoReverseMatch):  # of a kind without a list of its own
                    names[reverse(address_of(label))] = (group, title)
    return names


def _kinds(place: str) -> list[str]:
    """The model and its kinds, such as those of discounts, which stand in one list."""
    whole = apps.get_model(place)
    return [each._meta.label_lower for each in apps.get_models() if issubclass(each, whole)]
