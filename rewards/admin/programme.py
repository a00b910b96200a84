"""The loyalty programme on one page: its numbers, what earns points, and what multiplies them."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from loyaltyflow.store.admin.base import FormAdmin
from loyaltyflow.store.models import StoreSettings

from ..earning import examples
from ..models import EarningRule, Multiplier, Programme
from .redating import redate_points

OF_STORE = ("point_value", "return_window_days")
OF_EXPIRY = {"expiry", "expiry_months", "expires_at_month_end", "expiry_month", "expiry_day"}
KEPT = (
    "A change is for points that are earned from then on. "
    '<a class="text-primary-600 dark:text-primary-500 font-medium" href="../../redate/">New dates for points that '
    "customers have</a> first shows what they would change."
)
BY_MONTHS = "expiry == 'months' || expiry == 'inactivity'"
MADE_OF: dict[str, Any] = {"rule": EarningRule, "multiplier": Multiplier}


class ProgrammeForm(forms.ModelForm):  # type: ignore[type-arg]
    """The programme's numbers, and the two of them that the whole store knows."""

    class Meta:
        model = Programme
        exclude: list[str] = []
        labels = {
            "expiry_months": "After so many months",
            "expiry_month": "Month of the date",
            "expiry_day": "Day of the date",
            "tier_months": "How many months count",
            "tier_validity_months": "Months for which a tier is kept",
        }
        help_texts = {"expiry_month": "1 to 12: 12 is December.", "tier_months": "", "tier_validity_months": ""}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        store = StoreSettings.load()
        for name in OF_STORE:
            if name in self.fields:
                self.fields[name].initial = getattr(store, name)

    def clean(self) -> dict[str, Any]:
        """Check the store's numbers as its own page would."""
        said = super().clean() or self.cleaned_data
        for name in set(OF_STORE) & set(said):
            column: Any = StoreSettings._meta.get_field(name)
            try:
                column.clean(said[name], None)
            except ValidationError as error:
                self.add_error(name, error)
        return said


@admin.register(Programme)
class ProgrammeAdmin(FormAdmin):
    """One row; the menu opens its form, with the rules and multipliers below."""

    form = ProgrammeForm
    money_fields = ("point_value",)
    change_form_outer_after_template = "admin/rewards/programme/rules.html"
    conditional_fields = {
        "expiry_months": BY_MONTHS,
        "expires_at_month_end": BY_MONTHS,
        "expiry_month": "expiry == 'date'",
        "expiry_day": "expiry == 'date'",
        "tier_counts_gifts": "tier_basis == 'points'",
        "tier_months": "tier_window == 'rolling'",
    }
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "is_active",
                    ("point_value", "return_window_days"),
                    ("welcome_points", "earns_before_joining"),
                    "combination",
                ]
            },
        ),
        (
            "When purchases are returned",
            {"classes": ["collapse"], "fields": ["shortfall", "restores_partly"]},
        ),
        (
            "When points expire",
            {
                "classes": ["collapse"],
                "description": KEPT,
                "fields": [
                    "expiry",
                    ("expiry_months", "expires_at_month_end"),
                    ("expiry_month", "expiry_day"),
                    "grace_days",
                ],
            },
        ),
        (
            "Tiers",
            {
                "classes": ["collapse"],
                "fields": [
                    ("tier_basis", "tier_counts_gifts"),
                    ("tier_window", "tier_months"),
                    ("tier_validity_months", "tier_lasts_to_month_end"),
                    ("tier_downgrade", "tier_grace_days"),
                ],
            },
        ),
        (
            "Tills, staff and messages",
            {"classes": ["collapse"], "fields": ["hold_minutes", ("largest_gift", "approval_above"), "notices"]},
        ),
    ]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.switch))
        return [
            path("switch/<str:of>/<int:pk>/", view, name="rewards_programme_switch"),
            path("redate/", self.admin_site.admin_view(redate_points), name="rewards_programme_redate"),
            *super().get_urls(),
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Programme | None = None) -> bool:
        return False

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form with the store's two numbers, written and checked as the store's own."""
        if not self.has_change_permission(request, obj):
            return super().get_form(request, obj, change, **kwargs)
        columns = {name: StoreSettings._meta.get_field(name) for name in OF_STORE}
        declared = {name: self.formfield_for_dbfield(column, request) for name, column in columns.items()}
        kwargs["form"] = type("ProgrammeForm", (ProgrammeForm,), declared)
        return super().get_form(request, obj, change, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """For who may only look, the store's numbers are shown as well."""
        return () if self.has_change_permission(request, obj) else OF_STORE

    @admin.display(description="What one point is worth")
    def point_value(self, programme: Programme) -> str:
        return str(StoreSettings.load().point_value)

    @admin.display(description="Days in which a purchase may be returned")
    def return_window_days(self, programme: Programme) -> str:
        return str(StoreSettings.load().return_window_days)

    def save_model(self, request: HttpRequest, obj: Programme, form: Any, change: bool) -> None:
        """Save the programme, and the store's two numbers with it."""
        super().save_model(request, obj, form, change)
        store = StoreSettings.load()
        for name in OF_STORE:
            setattr(store, name, form.cleaned_data[name])
        store.save(update_fields=OF_STORE)
        if OF_EXPIRY & set(form.changed_data):
            kept = "Points that customers have keep their dates. New ones can be given under “When points expire”."
            messages.info(request, kept)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, object] | None = None) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:rewards_programme_change", args=[Programme.load().pk]))

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        Programme.load()
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **_rows(request)})

    def switch(self, request: HttpRequest, of: str, pk: int) -> HttpResponse:
        """Turn a rule or a multiplier on or off, as the button said that was pressed."""
        model = MADE_OF.get(of)
        if model is None or not request.user.has_perm(f"rewards.change_{model._meta.model_name}"):
            raise PermissionDenied
        row = get_object_or_404(model, pk=pk)
        is_active = request.POST.get("turn") == "on"
        model.objects.filter(pk=pk).update(is_active=is_active)
        said = "on: it counts from now on" if is_active else "off: what it gave stays"
        messages.success(request, f"“{row}” is {said}.")
        return HttpResponseRedirect(reverse("admin:rewards_programme_change", args=[1]) + "#earning")


def _rows(request: HttpRequest) -> dict[str, Any]:
    """What the lists below the form show."""
    may = request.user.has_perm
    shown = examples.of_all(timezone.now()) if may("rewards.view_earningrule") else {}
    rules = EarningRule.objects.prefetch_related("products") if may("rewards.view_earningrule") else ()
    named = ("segments", "tiers", "products")
    multipliers = Multiplier.objects.prefetch_related(*named) if may("rewards.view_multiplier") else ()
    return {
        "spent": examples.SPENT,
        "rules": [_row(rule, "rule", may, example=shown.get(rule.pk, "")) for rule in rules],
        "multipliers": [_row(each, "multiplier", may) for each in multipliers],
        "kinds": [_kind(kind) for kind in EarningRule.kinds()] if may("rewards.add_earningrule") else [],
        "may_multiply": may("rewards.add_multiplier"),
    }


def _kind(kind: type[EarningRule]) -> dict[str, str]:
    """One kind of rule in the list of those that can be added."""
    return {
        "address": reverse(f"admin:rewards_{kind._meta.model_name}_add"),
        "label": str(kind._meta.verbose_name).capitalize(),
        "icon": kind.icon,
        "help": (kind.__doc__ or "").split("\n\n")[0],
    }


def _row(row: Any, of: str, may: Any, example: str = "") -> dict[str, Any]:
    """One line of a list, with where it is edited and switched."""
    model = MADE_OF[of]._meta.model_name
    return {
        "row": row,
        "example": example,
        "address": reverse(f"admin:rewards_{row._meta.model_name}_change", args=[row.pk]),
        "switch": reverse("admin:rewards_programme_switch", args=[of, row.pk])
        if may(f"rewards.change_{model}")
        else "",
    }
