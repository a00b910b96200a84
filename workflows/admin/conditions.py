from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from segments.admin.conditions import ConditionAdmin
from segments.conditions import Condition

from ..conditions import BoughtSince, GotMessage, VisitedPageSince
from ..nodes.if_ import If


class StepConditionAdmin(ConditionAdmin):
    """The form of a condition about an earlier step, which is one of the same workflow."""

    def get_autocomplete_fields(self, request: HttpRequest) -> list[str]:
        return [name for name in super().get_autocomplete_fields(request) if name != "step"]

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Only the steps of the revision that the condition stands in are offered."""
        if db_field.name == "step":
            kwargs["queryset"] = db_field.related_model.objects.filter(revision__nodes__in=_askers(request))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


def _askers(request: HttpRequest) -> Any:
    """The steps that ask the tree in which the condition stands or will stand."""
    match = request.resolver_match
    known = (match.kwargs.get("object_id") if match else None) or request.GET.get("parent", "")
    near = Condition.objects.filter(pk=known).first() if str(known).isdecimal() else None
    return If.objects.filter(condition=(near.tree_id or near.pk) if near else None)


for kind in (GotMessage, BoughtSince, VisitedPageSince):
    admin.site.unregister(kind)
    admin.site.register(kind, StepConditionAdmin)
