"""The tiers of the programme, who was in which of them when, and putting a customer into one by hand."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import capfirst
from unfold.contrib.filters.admin import RangeDateTimeFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminURLInputWidget

from loyaltyflow.store.admin.base import FormAdmin, StoreAdmin
from loyaltyflow.store.clock import store
from loyaltyflow.store.templatetags import figures as written
from loyaltyflow.words import number

from .. import standings
from ..models import Discount, Multiplier, Programme, Standing, Tier
from ..progress import UNITS

HISTORY_SHOWN = 10


class TierForm(forms.ModelForm):  # type: ignore[type-arg]
    """Takes the benefits as lines of a text."""

    benefits = forms.CharField(
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 4}),
        help_text="What members of this tier get, as they read it. One on each line.",
    )

    content_url = forms.URLField(
        label="Page for members",
        required=False,
        max_length=500,
        assume_scheme="https",
        widget=UnfoldAdminURLInputWidget,
        help_text="For members of this tier and of those above; messages lead there by tier.content_url.",
    )

    class Meta:
        model = Tier
        fields = ["name", "threshold", "bonus_points", "early_hours", "benefits", "content_url"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["benefits"] = "\n".join(self.instance.benefits)
        money = Programme.load().tier_basis == Programme.TierBasis.SPEND
        counted = f"Money spent, in {store().currency}," if money else "Points earned"
        if "threshold" in self.fields:
            self.fields["threshold"].label = "Reached with"
            self.fields["threshold"].help_text = f"{counted} within the programme's window. 0: every member is in it."

    def clean_benefits(self) -> list[str]:
        lines = [line.strip() for line in self.cleaned_data["benefits"].splitlines()]
        for line in lines:
            if len(line) > 200:
                raise forms.ValidationError(f"A line may have 200 signs. “{line[:40]}…” has {len(line)}.")
        return [line for line in lines if line]


def _only_for(tiers: list[int]) -> list[Any]:
    """The discounts and the multipliers that only members of the tiers get, as links."""
    links: list[Any] = []
    for model in (Discount, Multiplier):
        named = model._meta.verbose_name
        for pk, name in model.objects.filter(tiers__any=tiers).order_by("name").values_list("pk", "name").distinct():
            address = reverse(f"admin:rewards_{model._meta.model_name}_change", args=[pk])
            links.append(format_html('{}: <a class="lf-link" href="{}">{}</a>', capfirst(str(named)), address, name))
    return links


@admin.register(Tier)
class TierAdmin(FormAdmin):
    form = TierForm
    list_display = ["name", "reached_with", "members_now", "share", "early_access", "bonus", "gets"]
    list_display_links = ["name"]
    search_fields = ["name"]
    ordering = ["threshold"]
    compressed_fields = True
    fieldsets = [
        (None, {"fields": ["name", "threshold"]}),
        ("What its members get", {"fields": [("bonus_points", "early_hours"), "benefits", "content_url"]}),
    ]
    change_form_outer_after_template = "admin/rewards/tier/history.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tier]:
        inside = Standing.objects.open().filter(tier=OuterRef("pk")).order_by().values("tier").annotate(n=Count("pk"))
        every = Standing.objects.open().order_by().values("until").annotate(n=Count("pk"))
        return (
            super()
            .get_queryset(request)
            .annotate(inside=Coalesce(Subquery(inside.values("n")), 0), every=Coalesce(Subquery(every.values("n")), 0))
            .annotate(basis=Subquery(Programme.objects.values("tier_basis")))
        )

    @display(description="reached with", ordering="threshold")
    def reached_with(self, tier: Any) -> str:
        if not tier.threshold:
            return "nothing: every member"
        return UNITS[tier.basis or Programme.TierBasis.POINTS](tier.threshold)

    @display(description="members now", ordering="inside")
    def members_now(self, tier: Any) -> str:
        address = reverse("admin:rewards_standing_changelist")
        link = f"{address}?tier__id__exact={tier.pk}&now=yes"
        return format_html('<a class="lf-link" href="{}">{}</a>', link, written.count(tier.inside))

    @display(description="share")
    def share(self, tier: Any) -> str:
        return written.percent(tier.inside / tier.every) if tier.every else written.NONE

    @display(description="early access", ordering="early_hours")
    def early_access(self, tier: Tier) -> str:
        return f"{number(tier.early_hours, 'hour')} before others" if tier.early_hours else written.NONE

    @display(description="for reaching it", ordering="bonus_points")
    def bonus(self, tier: Tier) -> str:
        return written.points(tier.bonus_points) if tier.bonus_points else written.NONE

    @display(description="benefits")
    def gets(self, tier: Tier) -> str:
        return "; ".join(tier.benefits) or written.NONE

    def has_delete_permission(self, request: HttpRequest, obj: Tier | None = None) -> bool:
        """A tier that somebody is in, or was in, is kept: their history names it."""
        stood = obj is not None and Standing.objects.filter(tier=obj.pk).exists()
        return not stood and bool(super().has_delete_permission(request, obj))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[list[Any], Any, set[str], list[Any]]:
        """What goes with the tiers; what is for their members only keeps them: without them it were for everybody."""
        gone, counts, lacking, protected = super().get_deleted_objects(objs, request)
        return gone, counts, lacking, [*protected, *_only_for([each.pk for each in objs])]

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        """The tier's form, with who came into it last."""
        came = Standing.objects.filter(tier=int(object_id)) if object_id.isdecimal() else Standing.objects.none()
        shown = came.select_related("customer", "by").order_by("-since", "-pk")[:HISTORY_SHOWN]
        more = {
            "came": shown if request.user.has_perm("rewards.view_standing") else None,
            "all_of_them": f"{reverse('admin:rewards_standing_changelist')}?tier__id__exact={object_id}",
        }
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **more})


class NowFilter(admin.SimpleListFilter):
    """Those who are in the tier now, or those who were."""

    title = "when"
    parameter_name = "now"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        return [("yes", "Now"), ("no", "Before")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Standing]) -> QuerySet[Standing]:
        chosen = {"yes": Q(until=None), "no": Q(until__isnull=False)}
        return queryset.filter(chosen.get(self.value() or "", Q()))


class ByHandForm(forms.ModelForm):  # type: ignore[type-arg]
    """Which tier a customer is given, why, and for how long."""

    class Meta:
        model = Standing
        fields = ["customer", "tier", "expires_at", "note"]
        labels = {"expires_at": "Until", "note": "Why"}
        help_texts = {
            "expires_at": "Until then no purchase and no return changes it. Empty: until staff set another.",
            "note": "Staff read it in the history.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "note" in self.fields:
            self.fields["note"].required = True

    def clean_customer(self) -> Any:
        customer = self.cleaned_data["customer"]
        joined, left, now = customer.loyalty_joined_at, customer.loyalty_left_at, timezone.now()
        if joined is None or joined > now or (left and left <= now):
            raise forms.ValidationError(
                f"{customer} is not a member of the loyalty programme. Only members have tiers."
            )
        return customer

    def clean_expires_at(self) -> datetime | None:
        until: datetime | None = self.cleaned_data["expires_at"]
        if until and until <= timezone.now():
            raise forms.ValidationError(f"{written.moment(until)} is over. Choose a time to come.")
        return until


@admin.register(Standing)
class StandingAdmin(StoreAdmin):
    form = ByHandForm
    list_display = ["customer", "tier", "came", "left", "looked_at", "reason", "note", "by"]
    list_filter = [("tier", RelatedDropdownFilter), NowFilter, "reason", ("since", RangeDateTimeFilter)]
    list_select_related = ["customer", "tier", "by"]
    search_fields = ["customer__email", "customer__last_name", "customer__phone"]
    search_help_text = "Name, e-mail address or phone number"
    ordering = ["-since", "-pk"]
    autocomplete_fields = ["customer"]
    list_before_template = "admin/rewards/standing/head.html"

    def get_fields(self, request: HttpRequest, obj: Standing | None = None) -> list[Any]:
        if obj is None:
            return ["customer", "tier", "expires_at", "note"]
        return ["customer", "tier", "came", "left", "looked_at", "reason", "order", "note", "by"]

    def get_readonly_fields(self, request: HttpRequest, obj: Standing | None = None) -> list[Any]:
        return self.get_fields(request, obj) if obj else []

    @display(description="since", ordering="since")
    def came(self, standing: Standing) -> str:
        return written.moment(standing.since)

    @display(description="until", ordering="until")
    def left(self, standing: Standing) -> str:
        return written.moment(standing.until) if standing.until else "now"

    @display(description="kept until", ordering="expires_at")
    def looked_at(self, standing: Standing) -> str:
        return written.last_day(standing.expires_at) if standing.expires_at else "no end"

    def has_change_permission(self, request: HttpRequest, obj: Standing | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Standing | None = None) -> bool:
        return False

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        """The form, under the words for what it does."""
        return super().add_view(request, form_url, {**(extra_context or {}), "title": "Set a tier by hand"})

    def save_model(self, request: HttpRequest, obj: Standing, form: Any, change: bool) -> None:
        """Put the customer into the tier, and write down who did it."""
        chosen, by, now = form.cleaned_data, request.user, timezone.now()
        assert by.is_authenticated  # the admin asks for that
        made = standings.set_by_hand(
            chosen["customer"], chosen["tier"], note=chosen["note"], until=chosen["expires_at"], by=by, now=now
        )
        obj.__dict__.update(made.__dict__)
