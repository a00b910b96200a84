"""What every page of the admin shows, and its first page, the dashboard: it knows of all apps."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Count, Min
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from analytics import dashboard as figures
from analytics import programme
from analytics.links import page_of, rows_of
from analytics.periods import CHOICES, chosen
from loyaltyflow.demo.engagement import CLICK_RATE_OF_OPENERS, OPEN_RATE
from loyaltyflow.models import TickRun
from loyaltyflow.navigation import FOLDED, MENU, address_of
from loyaltyflow.store.clock import store
from loyaltyflow.store.models import Customer
from loyaltyflow.till_page import views as till_page
from messaging.models import EmailTemplate, Message
from rewards import notifying
from rewards.models import Adjustment, CodePool, Entry, Proof
from rewards.pools import run_out
from segments.models import Segment
from workflows.models import Enrolment, Workflow

# The tick runs each minute: these are the times after which it is late, and after which the page says so at the top.
TICK_IS_LATE_AFTER = timedelta(minutes=3)
FIGURES_ARE_LATE_AFTER = timedelta(minutes=10)
STEP_IS_LATE_AFTER = timedelta(seconds=60)

PAGES = {"till": till_page.MAY}  # pages that are no lists of rows, and who may open them


def store_name(request: HttpRequest) -> str:
    """The store's name, which stands under ours."""
    return store().name


def menu(request: HttpRequest) -> list[dict[str, Any]]:
    """The groups of the menu, with the entries that there are and that the person may open."""
    shown = {
        model._meta.label_lower for model, page in admin.site._registry.items() if page.has_view_permission(request)
    }
    shown |= {"admin:index"} | {name for name, right in PAGES.items() if request.user.has_perm(right)}
    groups: list[dict[str, Any]] = []
    for title, entries in MENU.items():
        items = [_entry(*entry) for entry in entries if entry[2] in shown]
        groups.append({"title": title, "items": items, "collapsible": title in FOLDED})
    return [group for group in groups if group["items"]]


def _entry(title: str, icon: str, place: str) -> dict[str, str]:
    return {"title": title, "icon": icon, "link": reverse(address_of(place))}


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The context of the admin's first page."""
    context["title"] = "Dashboard"
    context["may_see"] = request.user.has_perm("analytics.view_dailyfigure")
    if not context["may_see"]:
        return context
    now = store().local(timezone.now())
    period = chosen(request.GET, now)
    health = _health(now)
    return (
        context
        | figures.read(period, now)
        | {
            "store": store(),
            "drawn": {"opened": OPEN_RATE, "clicked": CLICK_RATE_OF_OPENERS},
            "period": period,
            "periods": [(name, label) for name, label in CHOICES.items() if name != "custom"],
            "today": now.date(),
            "is_custom": request.GET.get("period") == "custom",
            "health": health,
            "programme": programme.read(period, now),
            "needs_a_look": _needs_a_look(health),
            "first_steps": _first_steps(),
        }
    )


def _health(now: datetime) -> dict[str, Any]:
    """How the engine is: its last tick, the step that waits longest, messages of unknown fate, the ledger's proof."""
    tick = TickRun.objects.filter(seconds__isnull=False).order_by("-pk").first()
    recent = TickRun.objects.filter(started_at__gte=now - timedelta(hours=1))
    overdue = Enrolment.objects.due(now).aggregate(since=Min("due_at"))["since"]
    since_tick = now - tick.started_at if tick else None
    return {
        "tick": tick,
        "tick_age": since_tick.total_seconds() if since_tick else None,
        "tick_is_late": since_tick is None or since_tick > TICK_IS_LATE_AFTER,
        "figures_are_late": since_tick is not None and since_tick > FIGURES_ARE_LATE_AFTER,
        "failed": recent.filter(has_failed=True).count(),
        "overdue": (now - overdue).total_seconds() if overdue else 0,
        "step_is_late": bool(overdue and now - overdue > STEP_IS_LATE_AFTER),
        "uncertain": Message.objects.filter(status=Message.Status.UNCERTAIN).count(),
        "proof": Proof.objects.order_by("-at").first(),
        "proofs_link": rows_of(Proof),
        "unnoticed": notifying.missing(now).count(),
        "unnoticed_link": rows_of(Entry, notice="missing"),
        "ticks_link": rows_of(TickRun),
        "uncertain_link": rows_of(Message, status__exact=Message.Status.UNCERTAIN),
        "overdue_link": rows_of(Enrolment, status__exact=Enrolment.Status.ACTIVE, due_at__lte=now.isoformat()),
    }


def _needs_a_look(health: dict[str, Any]) -> list[dict[str, Any]]:
    """What a person has to decide or mend, each with the one page where that is done."""
    found: list[dict[str, Any]] = []
    if health["failed"]:
        link = rows_of(TickRun, has_failed__exact=1)
        found.append({"kind": "failed", "number": health["failed"], "link": link})
    if health["uncertain"]:
        found.append({"kind": "uncertain", "number": health["uncertain"], "link": health["uncertain_link"]})
    if asked := Adjustment.objects.pending().count():
        link = rows_of(Adjustment, state__exact=Adjustment.State.PENDING)
        found.append({"kind": "adjustments", "number": asked, "link": link})
    if health["unnoticed"]:
        found.append({"kind": "unnoticed", "number": health["unnoticed"], "link": health["unnoticed_link"]})
    found += [
        {"kind": "segment", "name": each.name, "link": page_of(Segment, each.pk)}
        for each in Segment.objects.failing()[:5]
    ]
    found += [
        {"kind": "codes", "name": name, "link": rows_of(CodePool, discount__id__exact=pk)}
        for pk, name in run_out(timezone.now()).values_list("pk", "name")[:5]
    ]
    held = Enrolment.objects.active().filter(workflow__status=Workflow.Status.PAUSED)
    by_workflow = held.order_by("workflow__name").values_list("workflow", "workflow__name").annotate(Count("pk"))
    return found + [
        {"kind": "paused", "name": name, "number": people, "link": page_of(Workflow, pk)}
        for pk, name, people in by_workflow[:5]
    ]


def _first_steps() -> list[dict[str, str]]:
    steps = [
        ("Bring in customers and orders", "From a file or by the API, as the guide to importing says.", Customer),
        ("Write an e-mail", "Start with the subject and one thing to say.", EmailTemplate),
        ("Set a workflow live", "It then writes to those who fit. Activating sends nothing by itself.", Workflow),
    ]
    return [{"title": title, "text": text, "link": rows_of(model)} for title, text, model in steps]
