"""The segment's own page: how many are in it, who, since when and why."""

from contextlib import suppress
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from loyaltyflow import words
from loyaltyflow.sql import TooSlow
from loyaltyflow.store.clock import store
from loyaltyflow.store.models import Customer, Event
from loyaltyflow.store.people import known_as
from loyaltyflow.store.templatetags.figures import day

from .. import history
from ..conditions.base import Explanation
from ..counting import Count, counted
from ..models import Segment
from . import members, states
from .counted import reasons, turned
from .rows import MODES

PERIODS = {"30d": ("30 days", 30), "90d": ("90 days", 90), "12m": ("12 months", 365)}
DEFAULT = "90d"
CHOICES = 8  # customers of one name, to choose one of
OUTSTANDING = 4  # a day with so many times the moves of the second largest would make all others invisible


def show(
    segments: ModelAdmin, request: HttpRequest, segment: Segment, form: states.NameForm | None = None
) -> HttpResponse:
    """The whole page; `form` is the name's, if what was sent could not be saved."""
    moment = states.now()
    may_see = request.user.has_perm("store.view_customer")
    period = request.GET.get("period", "")
    period = period if period in PERIODS else DEFAULT
    days = history.days(segment, PERIODS[period][1], moment)
    everybody = Customer.objects.count()
    context = segments.admin_site.each_context(request) | {
        "title": str(segment),
        "opts": segments.opts,
        "original": segment,
        "segment": segment,
        "state": states.state_of(segment),
        "sentence": sentence(segment),
        "conditions": conditions_of(segment),
        "is_static": segment.is_static,
        "may_change": segments.has_change_permission(request),
        "may_delete": segments.has_delete_permission(request),
        "may_see": may_see,
        "form": form or states.form_of(segment),
        "everybody": everybody,
        "share": segment.members_now / everybody if everybody else None,
        "has_conditions": segment.root is not None and not _is_bare(segment),
        "would_hold": _would_hold(segment, moment),
        "uses": segment.used_by(),
        "periods": [(name, label) for name, (label, _) in PERIODS.items()],
        "period": period,
        "days": days[::-1],
        "week": _moves(days[-7:]),
        "charts": charts(segment, days),
    }
    if may_see:
        context |= members.listed(request, segment) | _why(request, segment, moment)
        if segment.is_static:
            context |= members.candidates(request, segment)
    return TemplateResponse(
        request, "admin/segments/segment/page.html", context, status=409 if form and form.non_field_errors() else 200
    )


def _would_hold(segment: Segment, now: datetime) -> Count | None:
    """How many would be in the segment, which is not kept up to date; None if it takes too long to count."""
    if segment.is_active or segment.root is None or _is_bare(segment):
        return None
    with suppress(TooSlow):
        return counted(segment.root, now)
    return None


def sentence(segment: Segment) -> SafeString:
    """Who is in it, in words, with what staff chose in bold."""
    if segment.is_static or segment.root is None or _is_bare(segment):
        return words.drawn(segment.summary() if segment.is_static else "It has no conditions yet.")
    return words.drawn(f"Customers who {segment.root.phrase()}.")


def conditions_of(segment: Segment) -> str:
    """The address where the segment's conditions are changed."""
    return reverse("admin:segments_segment_conditions", args=[segment.pk])


def _is_bare(segment: Segment) -> bool:
    return segment.root is not None and segment.root.takes_parts and not segment.root.parts()


def _moves(days: list[history.Day]) -> dict[str, int]:
    entered, left = sum(each.entered for each in days), sum(each.left for each in days)
    return {"entered": entered, "left": left, "grown": entered - left}


def charts(segment: Segment, days: list[history.Day]) -> dict[str, Any]:
    """The size and the moves of each day as the script draws them; there is no size before the segment was made."""
    made = store().local(segment.created_at).date()
    labels, locale = [day(each.day) for each in days], store().locale.replace("_", "-")
    sizes = [each.size if each.day >= made or each.size else None for each in days]
    top = _top(days)
    return {
        "size": {"kind": "size", "labels": labels, "values": sizes, "locale": locale},
        "moves": {
            "kind": "moves",
            "labels": labels,
            "locale": locale,
            "entered": [each.entered for each in days],
            "left": [each.left for each in days],
            "top": top,
        },
        "is_empty": not any(each.size or each.entered or each.left for each in days),
        "beyond": [each for each in days if top and max(each.entered, each.left) > top],
    }


def _top(days: list[history.Day]) -> int | None:
    """Where the axis of the moves ends, if one day would dwarf all others, as the day of the activation does."""
    heights = sorted((max(each.entered, each.left) for each in days), reverse=True)
    ordinary = heights[1] if len(heights) > 1 else 0
    return round(ordinary * 1.25) or None if ordinary and heights[0] > OUTSTANDING * ordinary else None


def _why(request: HttpRequest, segment: Segment, moment: datetime) -> dict[str, Any]:
    """Why the customer whom the address names is in or out; several customers of one name are there to choose from."""
    wanted = request.GET.get("customer", "").replace("\0", "").strip()
    people = list(known_as(wanted, store(), moment).order_by("last_name", "pk")[: CHOICES + 1])
    about: dict[str, Any] = {"wanted": wanted, "namesakes": people if len(people) > 1 else []}
    if len(people) == 1:
        who = people[0]
        about["customer"] = who
        about["why"] = why = segment.explain(who, moment)
        about |= answers(segment, why)
        about["stay"] = segment.memberships.at(moment).filter(customer=who).first()
        about["turned"] = turned(segment.root, who, moment) if segment.root and not segment.archived_at else ""
        about["put_by"] = _put_by(segment, who) if segment.is_static else ""
    return about


def answers(segment: Segment, why: Explanation) -> dict[str, Any]:
    """Each condition with its answer, and how they are asked together."""
    root = segment.root
    if root is None or not root.takes_parts:
        return {"reasons": [{"holds": why.holds, "sentence": why.sentence, "seen": why.seen}], "asked": ""}
    asked = next(f"{mode.word} {mode.rest}" for mode in MODES if isinstance(root, mode.kind))
    return {"reasons": reasons(root, why), "asked": asked}


def _put_by(segment: Segment, who: Customer) -> str:
    """Who or what put the customer into the static segment last."""
    told = Event.objects.named("segment_entered").filter(customer=who, properties__segment=segment.pk)
    last = told.order_by("-occurred_at", "-pk").first()
    return str(last.properties.get("by", "")) if last else ""
