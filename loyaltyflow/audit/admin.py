"""The audit as one log: by person, object and period, and as a file."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString, mark_safe
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display
from unfold.views import ChangeList

from loyaltyflow.store import sheets
from loyaltyflow.store.admin.base import PeriodFilter, ReadOnlyAdmin
from loyaltyflow.store.templatetags.figures import moment

from .files import csv_file
from .models import Change
from .tracked import tracked
from .words import Told, kind_of, tell

HEAD = ["When", "Who", "Role", "Address", "What", "Object", "Name", "Changes", "Reason"]
FETCHED = 500  # rows of the file that are told at once


class ObjectFilter(admin.SimpleListFilter):
    """What sort of object it is a change of."""

    title = "object"
    parameter_name = "object"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return sorted(
            ((label, kind_of(label)) for label in {each.label for each in tracked()}), key=lambda pair: pair[1]
        )

    def queryset(self, request: HttpRequest, queryset: QuerySet[Change]) -> QuerySet[Change]:
        return queryset.filter(model=self.value()) if self.value() else queryset


class ChangeLog(ChangeList):
    def get_results(self, request: HttpRequest) -> None:
        """The rows of the page, each told in words."""
        super().get_results(request)
        self.result_list: Any = list(self.result_list)
        for row, told in zip(self.result_list, tell(self.result_list), strict=True):
            row.told = told


@admin.register(Change)
class ChangeAdmin(ReadOnlyAdmin):
    list_display = ["when", "who", "what", "address"]
    list_filter = ["action", ObjectFilter, ("user", RelatedDropdownFilter), ("at", PeriodFilter)]
    search_fields = ["name", "actor", "reason"]
    search_help_text = "The name of an object or of a person, or a reason"
    ordering = ["-at", "-pk"]
    list_before_template = "admin/loyaltyflow/change/export.html"
    list_display_links = None
    fields = ["when", "who", "address", "path", "what", "reason"]
    readonly_fields = fields

    def get_urls(self) -> list[URLPattern]:
        export = self.admin_site.admin_view(self.export)
        return [path("audit.csv", export, name="loyaltyflow_change_export"), *super().get_urls()]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ChangeLog

    @display(description="when", ordering="at")
    def when(self, change: Change) -> str:
        return moment(change.at)

    @display(description="who", ordering="actor")
    def who(self, change: Change) -> SafeString:
        return _drawn("who", change)

    @display(description="what")
    def what(self, change: Change) -> SafeString:
        return _drawn("what", change)

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """The log as the filters of the address leave it, as a CSV file; that it was taken is in the log itself."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            changes = self.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(reverse("admin:loyaltyflow_change_changelist") + "?e=1")
        return csv_file(_lines(changes), "audit", label="loyaltyflow.change", what="Audit", rows=changes.count())


def _drawn(part: str, change: Any) -> SafeString:
    told = getattr(change, "told", None) or tell([change])[0]
    return mark_safe(render_to_string(f"admin/loyaltyflow/change/{part}.html", {"told": told, "change": change}))  # noqa: S308


def _lines(changes: QuerySet[Change]) -> Iterator[str]:
    yield sheets.line(HEAD)
    rows = changes.order_by("-at", "-pk")
    for start in range(0, rows.count(), FETCHED):
        for told in tell(list(rows[start : start + FETCHED])):
            yield sheets.line(_cells(told))


def _cells(told: Told) -> list[str]:
    change = told.change
    about = [change.at.isoformat(), told.who, change.role, change.address, change.get_action_display()]
    return [*about, told.kind, told.name, told.text, change.reason]
