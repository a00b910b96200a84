"""What events say of themselves, in words and with links instead of keys."""

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from django.apps import apps
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from loyaltyflow.store.models import Event, EventType

from ..templatetags import figures as written

# Properties that hold the key of a row, and the model of that row.
ROWS = {
    "order": "store.order",
    "message": "messaging.message",
    "campaign": "messaging.campaign",
    "segment": "segments.segment",
    "workflow": "workflows.workflow",
}


def tell(events: Iterable[Event]) -> list[dict[str, Any]]:
    """Each event with its label and what is known of it; a fixed number of queries however many events."""
    events = list(events)
    labels = dict(EventType.objects.filter(name__in={each.name for each in events}).values_list("name", "label"))
    rows = {name: _rows(name, events) for name in ROWS}
    return [
        {"event": each, "label": labels.get(each.name, str(each)), "known": _known(each.properties, rows)}
        for each in events
    ]


def _rows(name: str, events: list[Event]) -> dict[int, Any]:
    keys = {each.properties[name] for each in events if isinstance(each.properties.get(name), int)}
    model = apps.get_model(ROWS[name])
    related = [field.name for field in model._meta.fields if field.is_relation and field.name == "customer"]
    return model._default_manager.select_related(*related).in_bulk(keys) if keys else {}


def _known(properties: dict[str, Any], rows: dict[str, dict[int, Any]]) -> SafeString:
    """The properties as a phrase, the rows before the figures."""
    ordered = sorted(properties.items(), key=lambda each: each[0] not in rows)
    return format_html_join(", ", "{}", ((_value(name, value, rows),) for name, value in ordered))


def _value(name: str, value: Any, rows: dict[str, dict[int, Any]]) -> str | SafeString:
    if name in rows:
        row = rows[name].get(value) if isinstance(value, int) else None
        return _link(row) if row else f"{name} that is gone"
    if name == "points" and isinstance(value, int):
        return written.points(value)
    if name == "net":
        try:
            return written.money(Decimal(value))
        except (InvalidOperation, TypeError):
            return str(value)
    words = ", ".join(map(str, value)) if isinstance(value, list) else str(value).replace("_", " ")
    return f"{name.replace('_', ' ')}: {words}"


def _link(row: Any) -> str | SafeString:
    try:
        address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    except NoReverseMatch:
        return str(row)
    return format_html('<a href="{}">{}</a>', address, row)
