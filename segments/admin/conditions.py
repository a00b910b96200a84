import inspect
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db.models import Max, Model, OneToOneRel
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from polymorphic.admin import PolymorphicChildModelAdmin, PolymorphicParentModelAdmin
from unfold.admin import ModelAdmin

from ..checks import condition_types
from ..conditions import Condition
from ..models import Segment


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
