"""Discounts: the list of them, a palette of their kinds, and one form for each kind."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, DecimalField, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import dates, timezone
from unfold.decorators import display
from unfold.views import ChangeList
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from loyaltyflow.store.admin.base import FormAdmin
from loyaltyflow.store.models import Product
from loyaltyflow.store.templatetags.figures import count, money

from ..claims import prefetch_references, read
from ..discounts import Discount
from ..vouchers import Redemption, Voucher
from .trials import trial
from .unknown import warn_of_unknown

STATES = {"On": "success", "Not yet": "info", "Ended": "default", "Off": "default"}
# What a form asks, in the order in which people think of it; what a kind has of its own comes first of all.
GROUPS: list[tuple[str, tuple[str, ...]]] = [
    ("When", ("starts_at", "ends_at", "weekdays", "from_hour", "until_hour", "min_spend", "products", "categories")),
    ("For whom", ("stores", "segments", "tiers", "is_for_first_order", "is_for_next_order")),
    (
        "How often",
        (
            "uses_allowed",
            "uses_per_customer",
            "budget",
            "combines",
            "supersedes",
            "valid_days",
            "points_price",
            "makes_codes",
            "code_prefix",
        ),
    ),
]


def kinds() -> list[type[Discount]]:
    """Every kind of discount, by name."""
    return sorted(Discount.__subclasses__(), key=lambda kind: str(kind._meta.verbose_name))


def address(discount: Discount) -> str:
    """The page of the discount's own kind."""
    return reverse(f"admin:rewards_{discount._meta.model_name}_change", args=[discount.pk])


class DiscountList(ChangeList):
    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        """The rows of the page, each with what its sentence names."""
        super().get_results(request)
        self.result_list = list(self.result_list)
        prefetch_references(self.result_list)

    def url_for_result(self, result: Discount) -> str:
        return address(result)


@admin.register(Discount)
class DiscountAdmin(FormAdmin):
    """What customers can get off their bills."""

    list_display = ["name", "takes_off", "state", "used", "redeemed", "out"]
    list_filter = ["is_active"]
    search_fields = ["name", "title"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Discount]:
        """The discounts with what they have cost so far, and the vouchers that customers still have."""
        uses = Redemption.objects.standing().filter(discount=OuterRef("pk")).order_by().values("discount")
        held = Voucher.objects.filter(discount=OuterRef("pk"), state=Voucher.State.ISSUED).order_by().values("discount")
        amount = Coalesce(Subquery(uses.values(sum=Sum("amount"))), 0, output_field=DecimalField())
        return Discount.objects.annotate(
            redeemed_amount=amount, vouchers_out=Coalesce(Subquery(held.values(number=Count("pk"))), 0)
        )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return DiscountList

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The palette of kinds."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        palette = [
            {
                "name": str(kind._meta.verbose_name),
                "icon": kind.icon,
                "help": str(kind.__doc__),
                "address": reverse(f"admin:rewards_{kind._meta.model_name}_add"),
            }
            for kind in kinds()
        ]
        about = {"title": "What do they get?", "palette": palette, "opts": self.opts}
        return TemplateResponse(
            request, "admin/rewards/discount/palette.html", {**self.admin_site.each_context(request), **about}
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The page of its own kind."""
        found = Discount.objects.filter(pk=object_id).first() if object_id.isdecimal() else None
        if found is None:
            return super().change_view(request, object_id, form_url, extra_context)
        return HttpResponseRedirect(address(found))

    def has_delete_permission(self, request: HttpRequest, obj: Discount | None = None) -> bool:
        """What customers have vouchers of, or have used, is switched off instead."""
        return (obj is None or is_fresh(obj)) and bool(super().has_delete_permission(request, obj))

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Each is deleted on its own page."""
        return {name: each for name, each in super().get_actions(request).items() if name != "delete_selected"}

    @display(description="takes off")
    def takes_off(self, discount: Discount) -> str:
        return discount.summary()

    @display(description="state", label=STATES)
    def state(self, discount: Discount) -> str:
        return state(discount, timezone.now())

    @display(description="used", ordering="uses")
    def used(self, discount: Discount) -> str:
        allowed = discount.uses_allowed
        return f"{count(discount.uses)} of {count(allowed)}" if allowed else count(discount.uses)

    @display(description="taken off", ordering="redeemed_amount")
    def redeemed(self, discount: Discount) -> str:
        return money(discount.redeemed_amount)

    @display(description="vouchers out", ordering="vouchers_out")
    def out(self, discount: Discount) -> str:
        return count(discount.vouchers_out)


def state(discount: Discount, now: datetime) -> str:
    """Whether it can be used, in a word or two."""
    if not discount.is_active:
        return "Off"
    if discount.ends_at and discount.ends_at <= now:
        return "Ended"
    return "Not yet" if discount.starts_at and discount.starts_at > now else "On"


def is_fresh(discount: Discount) -> bool:
    """Whether nobody has got or used it yet."""
    return not (discount.vouchers.exists() or discount.redemptions.exists() or discount.pools.exists())


class KindForm(forms.ModelForm):  # type: ignore[type-arg]
    """The days of the week are ticked."""

    weekdays = forms.TypedMultipleChoiceField(
        label="Days",
        coerce=int,
        required=False,
        choices=[(number + 1, name) for number, name in dates.WEEKDAYS.items()],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="None ticked: every day.",
    )


class KindAdmin(FormAdmin):
    """The form of one kind of discount, and a bill on which it can be tried."""

    form = KindForm
    money_fields = ("amount", "min_spend", "most")
    change_form_outer_after_template = "admin/rewards/discount/try_it.html"
    search_fields = ["name"]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save it, and warn of what it names that is not there."""
        super().save_model(request, obj, form, change)
        warn_of_unknown(request, obj)

    def get_autocomplete_fields(self, request: HttpRequest) -> list[str]:
        """Products are too many to list."""
        known = [*self.model._meta.fields, *self.model._meta.many_to_many]
        return [field.name for field in known if field.is_relation and field.related_model is Product]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        own = [*self.model._meta.local_fields, *self.model._meta.local_many_to_many]
        names = [field.name for field in own if field.name != "discount_ptr"]
        what = ("What they get", {"fields": ["name", "title", *names, "is_active"]})
        return [what, *((title, {"fields": fields}) for title, fields in GROUPS)]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The form, what has come of it so far, and what it takes off a sample bill."""
        found = read([int(object_id)]) if object_id.isdecimal() else {}
        discount = found.get(int(object_id)) if found else None
        about = {"trial": trial(discount, request), "discount": discount} if discount else {}
        page: HttpResponse = super().change_view(request, object_id, form_url, {**(extra_context or {}), **about})
        return page

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Reached from the list of discounts, not from the menu."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("rewards.view_discount")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("rewards.add_discount")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("rewards.change_discount")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What customers have vouchers of, or have used, is switched off instead."""
        return (obj is None or is_fresh(obj)) and request.user.has_perm("rewards.delete_discount")

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """To its page, where it can be tried."""
        super().response_add(request, obj, post_url_continue)
        return HttpResponseRedirect(address(obj))

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        super().response_change(request, obj)
        return HttpResponseRedirect(
            address(obj) if "_continue" in request.POST else reverse("admin:rewards_discount_changelist")
        )

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: int) -> HttpResponse:
        super().response_delete(request, obj_display, obj_id)
        return HttpResponseRedirect(reverse("admin:rewards_discount_changelist"))


for each in kinds():
    admin.site.register(each, KindAdmin)
