import inspect
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db.models import Max, Model, OneToOneRel, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from polymorphic.admin import PolymorphicChildModelAdmin, PolymorphicParentModelAdmin
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.views import ChangeList

from loyaltyflow.store.admin.base import ReadOnlyAdmin
from loyaltyflow.store.models import Customer, StoreSettings
from loyaltyflow.store.templatetags.figures import count, moment

from . import refresh
from .checks import condition_types
from .conditions import Condition
from .conditions.all_of import AllOf
from .conditions.base import prefetch_references
from .models import Membership, Segment, SegmentQuerySet


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
        page: HttpResponse = super().change_view(request, object_id, form_url, {**(extra_context or {}), **about})
        return page

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


class ConditionAdmin(PolymorphicChildModelAdmin, ModelAdmin):
    """The form of one condition; it leads back to the segment that the condition belongs to."""

    base_model = Condition
    exclude = ["position"]

    def get_autocomplete_fields(self, request: HttpRequest) -> list[str]:
        """Everything that a condition names and that staff can search for, as there may be many products."""
        named = [each for each in self.model._meta.concrete_fields if each.is_relation and each.model is not Condition]
        known = self.admin_site._registry
        return [each.name for each in named if getattr(known.get(each.related_model), "search_fields", None)]

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """The group it stands in is known from the link and is not asked for."""
        if db_field.name == "parent":
            kwargs["widget"] = forms.HiddenInput()
            return db_field.formfield(**kwargs)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Condition, form: Any, change: bool) -> None:
        """A new condition stands last in its group."""
        if not change:
            last = Condition.objects.filter(parent=obj.parent_id).aggregate(last=Max("position"))["last"]
            obj.position = 0 if last is None else last + 1
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: Condition, post_url_continue: str | None = None) -> HttpResponse:
        return HttpResponseRedirect(_home(obj))

    def response_change(self, request: HttpRequest, obj: Condition) -> HttpResponse:
        return HttpResponseRedirect(_home(obj))

    def has_change_permission(self, request: HttpRequest, obj: Condition | None = None) -> bool:
        return _may_change(obj) and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Condition | None = None) -> bool:
        """The top of a tree goes with what it belongs to."""
        is_part = obj is None or obj.parent_id is not None
        return is_part and _may_change(obj) and bool(super().has_delete_permission(request, obj))

    def delete_model(self, request: HttpRequest, obj: Condition) -> None:
        request.home = _home(obj)  # type: ignore[attr-defined]  # asked for when it is gone
        super().delete_model(request, obj)

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: int) -> HttpResponse:
        messages.success(request, f"Removed: {obj_display}.")
        return HttpResponseRedirect(request.home)  # type: ignore[attr-defined]


def _may_change(condition: Condition | None) -> bool:
    """Whether nobody walks through what the condition belongs to."""
    try:
        if condition is not None:
            condition.must_be_free()
    except ValidationError:
        return False
    return True


def _home(condition: Condition) -> str:
    """The page of what the condition's tree belongs to, such as a segment; of all segments if to nothing."""
    owner = _owner(condition)
    if owner is None:
        return reverse("admin:segments_segment_changelist")
    return reverse(f"admin:{owner._meta.app_label}_{owner._meta.model_name}_change", args=[owner.pk])


def _described(kind: type[Condition]) -> str:
    """The type's name and the first sentence of its help."""
    help_text = " ".join((inspect.getdoc(kind) or "").split())
    return f"{str(kind._meta.verbose_name).capitalize()}: {help_text.partition('. ')[0].rstrip('.')}."


def _owner(condition: Condition) -> Model | None:
    """The segment, or the thing of another app, whose condition is the top of the tree."""
    top = condition.tree_id or condition.pk
    uses = [each for each in Condition._meta.get_fields(include_hidden=True) if isinstance(each, OneToOneRel)]
    owners = [each for each in uses if not issubclass(each.related_model, Condition)]
    found = (each.related_model._default_manager.filter(**{each.field.name: top}).first() for each in owners)
    return next((owner for owner in found if owner), None)


@admin.register(Condition)
class AnyConditionAdmin(PolymorphicParentModelAdmin, ModelAdmin):
    """Which type of condition to add; each type has its own form."""

    base_model = Condition
    child_models = condition_types()

    def get_child_type_choices(self, request: HttpRequest, action: str) -> list[tuple[int, str]]:
        """The types that make sense of a segment; in a workflow, all."""
        group = request.GET.get("parent", "")
        parent = Condition.objects.filter(pk=group).first() if group.isdecimal() else None
        in_a_workflow = parent is not None and not isinstance(_owner(parent), Segment)
        offered = [kind for kind in condition_types() if kind.asked_of_segments or in_a_workflow]
        types = ContentType.objects.get_for_models(*offered, for_concrete_models=False)
        return [(types[kind].pk, _described(kind)) for kind in offered]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return False


for kind in condition_types():
    admin.site.register(kind, ConditionAdmin)


@admin.register(Membership)
class MembershipAdmin(ReadOnlyAdmin):
    list_display = ["customer", "segment", "joined", "left"]
    list_filter = ["segment", ("left_at", admin.EmptyFieldListFilter)]
    list_select_related = ["customer", "segment"]
    search_fields = ["customer__email", "customer__last_name"]
    fields = ["customer", "segment", "joined", "left"]
    readonly_fields = fields

    @admin.display(description="joined", ordering="joined_at")
    def joined(self, membership: Membership) -> str:
        return moment(membership.joined_at)

    @admin.display(description="left", ordering="left_at")
    def left(self, membership: Membership) -> str:
        return moment(membership.left_at)
