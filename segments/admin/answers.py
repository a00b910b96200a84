"""What the editor of conditions answers: the whole page, or for htmx the panel and what else is no longer as it was."""

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from loyaltyflow.store.templatetags.figures import clock

from ..editing.conflicts import Conflict
from ..editing.differences import own_digest
from .owner import Owner, called
from .rows import MODES, Place, drawn, first_sentence, title

Panel = dict[str, Any]
POSTED: set[Callable[..., Any]] = set()  # views that only answer when something is sent
PARTS = "admin/segments/segment/builder"


def answer(
    owner: Owner,
    panel: Panel | None = None,
    *,
    place: Place | None = None,
    with_rows: bool = False,
    changed: bool = False,
    told: str = "",
    gone: int = 0,
    status: int = 200,
) -> HttpResponse:
    """The answer to a request: `with_rows` draws the tree and the head anew, `gone` closes the panel of that row."""
    request = owner.request
    about: dict[str, Any] = {"owner": owner, "panel": panel, "place": place, "told": told, "modes": MODES}
    about["form"] = panel.get("form") if panel else None
    if not request.htmx and request.method == "POST" and status != 422:  # type: ignore[attr-defined]
        if told:
            messages.error(request, told)
        return HttpResponseRedirect(owner.address + (panel["address"] if panel else ""))
    about["tree"] = drawn(owner.tree, {}, owner.faults)
    if request.htmx:  # type: ignore[attr-defined]
        response = render(request, f"{PARTS}/answer.html", about | {"with_rows": with_rows}, status=status)
        events: dict[str, Any] = {"changed": {}} | ({"gone": {"value": gone}} if gone else {})
        if changed:
            response["HX-Trigger-After-Swap"] = json.dumps(events)
        return response
    about |= admin.site.each_context(request) | {"opts": owner.opts}
    about |= {"title": owner.name, "wanted": request.GET.get("customer", "")}
    return render(request, f"{PARTS}/page.html", about, status=status)


def part(owner: Owner, template: str, about: dict[str, Any]) -> HttpResponse:
    """The answer to a request for one part of the page."""
    return render(owner.request, template, {"owner": owner, **about})


def row_panel(owner: Owner, form: Any, place: Place | None = None) -> Panel:
    """The panel with the form of one condition: of a row of the tree or, with a place for it, of a new one."""
    condition = form.instance
    kind = type(condition)
    panel: Panel = {
        "template": f"{PARTS}/panel.html",
        "form": form,
        "title": title(kind),
        "help": first_sentence(kind),
        "icon": kind.icon,
        "type": kind.type_name(),
        "apply": "Add" if place else "Apply",
        "is_dirty": form.is_bound,
    }
    if place is not None:
        to = urlencode({"type": kind.type_name(), "to": place.group, "after": place.after or ""})
        shown = urlencode({"new": place.group, "after": place.after or "", "type": kind.type_name()})
        return panel | {
            "address": f"?{shown}",
            "post": f"{owner.address}rows/?{to}",
            "count": f"{owner.address}rows/count/?{to}",
        }
    number = condition.number
    lines = drawn(owner.tree, {}, {}).walk()
    post = f"{owner.address}rows/{number}/"
    return panel | {
        "row": number,
        "line": next((line for line in lines if line.number == number), None),
        "address": f"?row={number}",
        "post": post,
        "count": f"{post}count/",
        "seen": form.data.get("seen", "") if form.is_bound else own_digest(condition),
        "warnings": condition.warnings() if not form.errors else [],
    }


def told_by(conflict: Conflict, did: str) -> str:
    """Who did what meanwhile, and when: Erin saved this condition at 10:44 am."""
    at = f" at {clock(conflict.at)}" if conflict.at else " meanwhile"
    return f"{called(conflict.by)} {did}{at}."


def number_of(asked: Mapping[str, Any], name: str) -> int:
    """The number that the request gives by that name; 0, the top group, if it gives none."""
    said = str(asked.get(name, ""))
    return int(said) if said.isdecimal() and len(said) < 19 else 0
