from typing import Any

from django.contrib import admin, messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.views import ChangeList

from loyaltyflow.store.models import Customer, StoreSettings
from loyaltyflow.store.templatetags.figures import count, moment

from .. import refresh
from ..conditions.all_of import AllOf
from ..conditions.base import prefetch_references
from ..models import Segment, SegmentQuerySet
from . import editor, page

# The modules with further pages about a segment; the paths of each go before the admin's own.
PAGES = [
    editor,
    page,
]


class SegmentList(ChangeList):
    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        """The rows of the page, each with its condition tree and what that names."""
        super().get_results(request)
        segments: SegmentQuerySet = self.result_list
        self.result_list = rows = segments.with_trees()
        prefetch_references(part for each in rows if each.root for part in each.root.walk())


@admin.register(Segment)
class SegmentAdmin(ModelAdmin):
    list_display = ["name", "in_words", "members", "is_active", "built"]
    list_filter = ["is_active"]
    search_fields = ["name", "description"]
    fields = ["name", "description", "is_active", "built"]
    readonly_fields = ["is_active", "built"]
    actions = ["activate", "deactivate"]
    actions_submit_line = ["switch_on", "switch_off"]
    change_form_outer_after_template = "admin/segments/segment/conditions.html"

    def get_urls(self) -> list[URLPattern]:
        return [path for module in PAGES for path in module.paths(self)] + super().get_urls()

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **options)
        if field and db_field.name == "description":
            field.widget.attrs["rows"] = 2
        return field

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return SegmentList

    @admin.display(description="in words")
    def in_words(self, segment: Segment) -> str:
        return segment.summary()

    @admin.display(description="members", ordering="members_now")
    def members(self, segment: Segment) -> str:
        return count(segment.members_now)

    @admin.display(description="built", ordering="built_at")
    def built(self, segment: Segment) -> str:
        return moment(segment.built_at)

    def get_actions_submit_line(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """To activate what is not active, and the other way round; a static segment is neither."""
        segment = self.get_object(request, object_id)
        if segment is None or segment.kind == Segment.Kind.STATIC:
            return []
        offered = f"segments_segment_{'switch_off' if segment.is_active else 'switch_on'}"
        return [each for each in super().get_actions_submit_line(request, object_id) if each.action_name == offered]

    @action(description="Save and activate", permissions=["change"])
    def switch_on(self, request: HttpRequest, obj: Segment) -> None:
        self.activate(request, Segment.objects.filter(pk=obj.pk))

    @action(description="Deactivate", permissions=["change"])
    def switch_off(self, request: HttpRequest, obj: Segment) -> None:
        self.deactivate(request, Segment.objects.filter(pk=obj.pk))

    def response_change(self, request: HttpRequest, obj: Segment) -> HttpResponse:
        """After one of the buttons, the same page: the button has said what became of it."""
        if any(f"segments_segment_{name}" in request.POST for name in self.actions_submit_line):
            return HttpResponseRedirect(reverse("admin:segments_segment_change", args=[obj.pk]))
        return super().response_change(request, obj)

    def save_model(self, request: HttpRequest, obj: Segment, form: Any, change: bool) -> None:
        """Give a new dynamic segment its top group, to which staff add conditions."""
        if obj.kind == Segment.Kind.DYNAMIC and obj.root is None:
            obj.root = AllOf.objects.create()
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: Segment, post_url_continue: str | None = None) -> HttpResponse:
        """To the page of the new segment, where conditions are added."""
        messages.success(request, f"“{obj}” was made. Add its conditions, then activate it.")
        return HttpResponseRedirect(reverse("admin:segments_segment_change", args=[obj.pk]))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The segment with its conditions, how many customers meet them now and, if asked, why one of them does."""
        segment = Segment.objects.filter(pk=object_id).first() if object_id.isdecimal() else None
        may_ask = request.user.has_perm("store.view_customer")
        wanted = request.GET.get("customer", "").replace("\0", "").strip() if may_ask else ""
        about = _about(segment, wanted) | {"may_ask": may_ask} if segment else {}
        answer: HttpResponse = super().change_view(request, object_id, form_url, {**(extra_context or {}), **about})
        return answer

    @admin.action(description="Activate: build and keep up to date", permissions=["change"])
    def activate(self, request: HttpRequest, queryset: SegmentQuerySet) -> None:
        roots = [(each, each.root) for each in queryset.with_trees()]
        bare = [each for each, root in roots if root is not None and root.takes_parts and not root.parts()]
        for each in bare:
            messages.error(request, f"“{each}” has no conditions, so everybody would be in it. Add one first.")
        if activated := refresh.activate(queryset.exclude(pk__in=[each.pk for each in bare]), _now()):
            messages.success(
                request,
                f"{activated} activated. Those who meet the conditions now are in; "
                "workflows start with those who come from here on.",
            )

    @admin.action(description="Deactivate: leave the members as they are", permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: SegmentQuerySet) -> None:
        messages.success(request, f"{refresh.deactivate(queryset)} deactivated.")


def _now() -> Any:
    return StoreSettings.load().local(timezone.now())


def _about(segment: Segment, wanted: str) -> dict[str, Any]:
    """What the segment's page shows beside its form; `wanted` is the e-mail address or number of a customer."""
    now = _now()
    about: dict[str, Any] = {"segment": segment, "meeting": segment.count(now), "wanted": wanted}
    if wanted:
        named = Q(email__iexact=wanted) | (Q(pk=int(wanted)) if wanted.isdecimal() and len(wanted) < 19 else Q())
        customer = Customer.objects.filter(named).first()
        about["customer"] = customer
        about["why"] = segment.explain(customer, now) if customer else None
    return about
