from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from unfold.views import ChangeList

from loyaltyflow.store.admin.base import FormAdmin
from loyaltyflow.store.models import Customer
from loyaltyflow.store.templatetags.figures import count, percent, signed, width

from .. import history
from ..comparisons.dates import midnight
from ..conditions.all_of import AllOf
from ..conditions.base import prefetch_references
from ..models import Segment, SegmentQuerySet
from ..uses import uses_of
from . import editor, exchange, members, page, states

# The modules with further pages about a segment; the paths of each go before the admin's own.
PAGES = [
    editor,
    exchange,
    members,
    states,
]
WEEK = 7  # days


class StateFilter(admin.SimpleListFilter):
    """How it stands with them; who asks for nothing sees all but those that were put away."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("active", "Active"), ("off", "Off"), ("by_hand", "By hand"), ("archived", "Archived")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Segment]) -> QuerySet[Segment]:
        if self.value() == "archived":
            return queryset.filter(archived_at__isnull=False)
        shown = queryset.filter(archived_at=None)
        ways: dict[str, dict[str, Any]] = {
            "active": {"kind": Segment.Kind.DYNAMIC, "is_active": True},
            "off": {"kind": Segment.Kind.DYNAMIC, "is_active": False},
            "by_hand": {"kind": Segment.Kind.STATIC},
        }
        return shown.filter(**ways.get(self.value() or "", {}))


class SegmentList(ChangeList):
    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        """The rows of the page, each with its condition tree, what that names, its moves of a week and its uses."""
        super().get_results(request)
        self.full_result_count = self.result_count  # those that were put away are not left out, but asked for
        segments: SegmentQuerySet = self.result_list
        rows: list[Any] = segments.with_trees()
        self.result_list = rows
        prefetch_references(part for each in rows if each.root for part in each.root.walk())
        now = states.now()
        moved = history.moved_since(rows, midnight(now.date(), now.tzinfo, 1 - WEEK))
        uses = uses_of([each.pk for each in rows], Segment.uses)
        everybody = Customer.objects.count()
        for each in rows:
            each.week = moved.get(each.pk, (0, 0))
            each.uses_now = [use for use in uses[each.pk] if not use.is_past]
            each.share = each.members_now / everybody if everybody else None


@admin.register(Segment)
class SegmentAdmin(FormAdmin):
    list_display = ["title", "in_words", "members", "state", "week", "used"]
    list_filter = [StateFilter]
    search_fields = ["name", "description"]
    fields = ["name", "description", "kind"]
    radio_fields = {"kind": admin.VERTICAL}
    actions = ["activate", "deactivate", "show_at_tills", "hide_from_tills", exchange.export_chosen]
    list_before_template = "admin/segments/segment/import_button.html"

    def get_urls(self) -> list[URLPattern]:
        return [path for module in PAGES for path in module.paths(self)] + super().get_urls()

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **options)
        if field and db_field.name == "description":
            field.widget.attrs["rows"] = 2
        if field and db_field.name == "kind":
            field.label = "How it is filled"
        return field

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return SegmentList

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Those found by the words; where one is chosen, none that was put away."""
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        is_choice = "/autocomplete/" in request.path
        return (found.filter(archived_at=None) if is_choice else found), may_repeat

    @admin.display(description="segment", ordering="name")
    def title(self, segment: Segment) -> SafeString:
        note = format_html('<span class="lf-note">{}</span>', segment.description) if segment.description else ""
        return format_html("<div><b>{}</b>{}</div>", segment.name, note)

    @admin.display(description="in words")
    def in_words(self, segment: Segment) -> SafeString:
        return format_html("<div>{}</div>", page.sentence(segment))

    @admin.display(description="members", ordering="members_now")
    def members(self, segment: Any) -> SafeString:
        """How many there are and their share of all customers; nothing of a segment that was never filled."""
        if not segment.members_now and states.state_of(segment) == states.OFF:
            return mark_safe("–")  # noqa: S308 (no text of anybody's)
        share = format_html(
            '<span class="lf-note">{}</span><span class="lf-track"><i style="--w:{}"></i></span>',
            f"{percent(segment.share)} of all",
            width(segment.share),
        )
        return format_html("<div><b>{}</b>{}</div>", count(segment.members_now), share)

    @admin.display(description="state")
    def state(self, segment: Segment) -> SafeString:
        known = {"state": states.state_of(segment)}
        return mark_safe(render_to_string("admin/segments/segment/state.html", known))  # noqa: S308 (a template's)

    @admin.display(description="in 7 days")
    def week(self, segment: Any) -> str:
        entered, left = segment.week
        return signed(entered - left) if entered or left else "0"

    @admin.display(description="used by")
    def used(self, segment: Any) -> str:
        return count(len(segment.uses_now))

    def save_model(self, request: HttpRequest, obj: Segment, form: Any, change: bool) -> None:
        """Give a new dynamic segment its top group, to which staff add conditions."""
        if not obj.is_static and obj.root is None:
            obj.root = AllOf.objects.create()
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: Segment, post_url_continue: str | None = None) -> HttpResponse:
        """To where the new segment is filled: its conditions, or its page on which customers are put in."""
        if obj.is_static:
            messages.success(request, f"“{obj}” was added. Put customers into it here, or with a file or a workflow.")
            return HttpResponseRedirect(reverse("admin:segments_segment_change", args=[obj.pk]))
        messages.success(request, f"“{obj}” was added. Say who belongs in it, then activate it.")
        return HttpResponseRedirect(page.conditions_of(obj))

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The form with one way on: to where the segment is filled."""
        one_way = {"show_save_and_continue": False, "show_save_and_add_another": False}
        answer: HttpResponse = super().add_view(request, form_url, {**(extra_context or {}), **one_way})
        return answer

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The segment's own page; what is sent there is its name and description."""
        segment = self.get_object(request, unquote(object_id))
        if segment is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        may = self.has_change_permission if request.method == "POST" else self.has_view_permission
        if not may(request, segment):
            raise PermissionDenied
        form = states.rename(self, request, segment) if request.method == "POST" else None
        if request.method == "POST" and form is None:
            return HttpResponseRedirect(reverse("admin:segments_segment_change", args=[segment.pk]))
        return page.show(self, request, segment, form)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What would go with the segment, or by whom it is used."""
        segment = self.get_object(request, unquote(object_id))
        if segment is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        if not self.has_delete_permission(request, segment):
            raise PermissionDenied
        return states.delete(self, request, segment)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """A segment is deleted on its own page, which says what goes with it and by whom it is used."""
        return {name: each for name, each in super().get_actions(request).items() if name != "delete_selected"}

    @admin.action(description="Activate: build and keep up to date", permissions=["change"])
    def activate(self, request: HttpRequest, queryset: SegmentQuerySet) -> None:
        states.activate(request, queryset)

    @admin.action(description="Deactivate: leave the members as they are", permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: SegmentQuerySet) -> None:
        states.deactivate(request, queryset)

    @admin.action(description="Show at the till", permissions=["change"])
    def show_at_tills(self, request: HttpRequest, queryset: SegmentQuerySet) -> None:
        number = queryset.update(tells_tills=True)
        self.message_user(
            request, f"The till tells who is in {count(number)} {'segment' if number == 1 else 'segments'}."
        )

    @admin.action(description="Do not show at the till", permissions=["change"])
    def hide_from_tills(self, request: HttpRequest, queryset: SegmentQuerySet) -> None:
        number = queryset.update(tells_tills=False)
        self.message_user(
            request, f"The till no longer tells who is in {count(number)} {'segment' if number == 1 else 'segments'}."
        )
