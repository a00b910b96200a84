"""The forms of earning rules and multipliers, which say while they are filled in what they come to."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.options import IS_POPUP_VAR
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminTextInputWidget

from loyaltyflow.store.admin.base import FormAdmin
from loyaltyflow.store.models import StoreSettings
from loyaltyflow.store.templatetags.figures import count, money
from segments.forms.filters import FilterField
from segments.properties.field import Questions

from ..earning import examples
from ..models import EarningRule, Entry, Multiplier
from ..multipliers import DAYS
from ..rules.points_per_event import PointsPerEvent
from ..rules.points_per_order import PointsPerOrder
from ..rules.points_per_spend import PointsPerSpend
from ..rules.points_per_unit import PointsPerUnit
from .unknown import warn_of_unknown

GOODS = ("Only for some goods", {"fields": ["products", "categories"]})
WHEN = ("When", {"fields": ["starts_at", "ends_at", "is_active"]})


class TriedAdmin(FormAdmin):
    """A form that asks, while it is filled in, what would come of it: saved for a moment, and taken back."""

    autocomplete_fields = ["products"]
    change_form_before_template = "admin/rewards/programme/said.html"
    formfield_overrides = {ArrayField: {"widget": UnfoldAdminTextInputWidget}}
    money_fields = ("unit", "min_spend")
    permissions_of: Any = None

    class Media:
        js = ["loyaltyflow/filters.js", "loyaltyflow/programme.js"]

    def get_urls(self) -> list[URLPattern]:
        name = f"rewards_{self.opts.model_name}_try"
        view = self.admin_site.admin_view(require_POST(self.try_out))
        return [path("try/", view, name=name), *super().get_urls()]

    def get_model_perms(self, request: HttpRequest) -> dict[str, bool]:
        """Nothing: the programme's page leads to it, not the menu."""
        return {}

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, "view") or self._may(request, "change")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may(request, "add")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, "change")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, "delete")

    def _may(self, request: HttpRequest, verb: str) -> bool:
        return request.user.has_perm(f"rewards.{verb}_{self.permissions_of._meta.model_name}")

    def try_out(self, request: HttpRequest) -> HttpResponse:
        """What the form comes to as it stands: a sentence and an example, or nothing while it cannot be saved."""
        if not self.has_add_permission(request) and not self.has_change_permission(request):
            raise PermissionDenied
        number = request.POST.get("tried", "")
        row = self.model.objects.filter(pk=number).first() if number.isdecimal() else None
        form = self.get_form(request, row, change=row is not None)(request.POST, instance=row)
        if not form.is_valid():
            return JsonResponse({"said": "", "example": ""})
        return JsonResponse(examples.tried(lambda: self.comes_to(form.save())))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save it, and warn of what it names that is not there."""
        super().save_model(request, obj, form, change)
        warn_of_unknown(request, obj)

    def comes_to(self, row: Any) -> dict[str, str]:
        """The sentence and the example of the row."""
        raise NotImplementedError(f"{type(self).__name__} must define comes_to(row).")

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        about = {"try_at": reverse(f"admin:rewards_{self.opts.model_name}_try")}
        return super().changeform_view(request, object_id, form_url, {**(extra_context or {}), **about})

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, object] | None = None) -> HttpResponse:
        if IS_POPUP_VAR in request.GET:
            return super().changelist_view(request, extra_context)
        return HttpResponseRedirect(reverse("admin:rewards_programme_changelist"))


class RuleAdmin(TriedAdmin):
    permissions_of = EarningRule

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A rule that gave points is switched off, not deleted: entries say which rule gave them.

        They are found by their keys, which there is an index of, however many there are.
        """
        has_given = obj is not None and Entry.objects.filter(key__startswith=f"earn:{obj.pk}:").exists()
        return not has_given and super().has_delete_permission(request, obj)

    def comes_to(self, row: EarningRule) -> dict[str, str]:
        example = examples.of_rule(row, StoreSettings.load().local(timezone.now()))
        return {"said": f"{row.summary()}.", "example": f"For example: {example}" if example else ""}


@admin.register(PointsPerSpend)
class PointsPerSpendAdmin(RuleAdmin):
    fieldsets = [(None, {"fields": ["name", ("points_per_unit", "unit")]}), GOODS, WHEN]


@admin.register(PointsPerUnit)
class PointsPerUnitAdmin(RuleAdmin):
    fieldsets = [(None, {"fields": ["name", "points", "products", "categories"]}), WHEN]


@admin.register(PointsPerOrder)
class PointsPerOrderAdmin(RuleAdmin):
    fieldsets = [(None, {"fields": ["name", ("points", "min_spend")]}), GOODS, WHEN]


@admin.register(PointsPerEvent)
class PointsPerEventAdmin(RuleAdmin):
    autocomplete_fields: list[str] = []
    fieldsets = [(None, {"fields": ["name", "points", "event_type", "where", ("times", "period")]}), WHEN]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if isinstance(db_field, Questions):
            return FilterField(label=str(db_field.verbose_name), required=False, help_text=db_field.help_text)
        return super().formfield_for_dbfield(db_field, request, **kwargs)


class MultiplierForm(forms.ModelForm):  # type: ignore[type-arg]
    weekdays = forms.TypedMultipleChoiceField(
        choices=list(DAYS.items()),
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="On these days",
        help_text="None: every day.",
    )


@admin.register(Multiplier)
class MultiplierAdmin(TriedAdmin):
    permissions_of = Multiplier
    form = MultiplierForm
    autocomplete_fields = ["products", "segments"]
    fieldsets = [
        (None, {"fields": ["name", "factor"]}),
        ("Only for some customers", {"fields": ["segments", "tiers"]}),
        GOODS,
        ("Only at some times", {"fields": ["weekdays", ("from_hour", "until_hour"), "starts_at", "ends_at"]}),
        (None, {"fields": ["is_active"]}),
    ]

    def comes_to(self, row: Multiplier) -> dict[str, str]:
        said = f"{row.summary()}."
        before, after = examples.of_multiplier(row, StoreSettings.load().local(timezone.now()))
        example = f"For example: {money(examples.SPENT)} earns {count(after)} points instead of {count(before)}."
        return {"said": said, "example": example if before else ""}
