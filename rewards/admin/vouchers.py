"""Vouchers: found, looked at, given to a customer or to everybody, and revoked."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import OuterRef, QuerySet, Subquery, TextField, Value
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import action, display

from loyaltyflow.store.admin.base import StoreAdmin
from loyaltyflow.store.clock import store
from loyaltyflow.store.models import Customer
from loyaltyflow.store.people import known_as
from loyaltyflow.store.templatetags.figures import count, day, moment, money
from loyaltyflow.words import number

from .. import assigning, codes, endings
from ..discounts import Discount
from ..vouchers import Redemption, Voucher, VoucherQuerySet

STATES = {
    Voucher.State.ISSUED.label: "success",
    Voucher.State.REDEEMED.label: "info",
    Voucher.State.REVOKED.label: "danger",
    Voucher.State.EXPIRED.label: "warning",
}


class VoucherForm(forms.ModelForm):  # type: ignore[type-arg]
    """A voucher for a customer, with a code that is made; or a code that everybody may use."""

    once = forms.CharField(max_length=100, widget=forms.HiddenInput)

    class Meta:
        model = Voucher
        fields = ["discount", "customer", "code", "uses_allowed"]
        labels = {"uses_allowed": "Uses"}
        help_texts = {
            "customer": "Whose it shall be. Empty: everybody who knows the code may use it.",
            "code": "For everybody's code only, such as WELCOME10. A customer's own code is made by itself.",
            "uses_allowed": "Of everybody's code, by all customers together. Empty: any number.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        active = Discount.objects.non_polymorphic().filter(is_active=True)
        self.fields["discount"].queryset = active  # type: ignore[attr-defined]
        self.fields["code"].required = False
        self.fields["uses_allowed"].initial = None
        self.fields["once"].initial = f"staff:{timezone.now().timestamp()}"

    def clean_code(self) -> str:
        return "".join(self.cleaned_data["code"].upper().split())

    def clean(self) -> dict[str, Any]:
        """Refuse a code beside a customer, neither of them, and a code that reads like another."""
        known = super().clean() or self.cleaned_data
        code, customer = known.get("code"), known.get("customer")
        if self.errors:
            return known
        if customer and code:
            raise ValidationError({"code": "A customer's own code is made by itself. Leave this empty."})
        if not customer and not code:
            raise ValidationError({"code": "Write a code that everybody may use, or choose a customer."})
        if code and (like := Voucher.objects.coded(code).select_related("discount").first()):
            reason = f"“{like.code}” of “{like.discount}” is there already and reads the same. Choose another."
            raise ValidationError({"code": reason})
        return known


@admin.register(Voucher)
class VoucherAdmin(StoreAdmin):
    form = VoucherForm
    list_display = ["code", "discount", "whose", "state_now", "valid_through", "used"]
    list_filter = [("state", ChoicesDropdownFilter), ("discount", RelatedDropdownFilter)]
    list_select_related = ["customer", "discount"]
    search_fields = ["code"]
    search_help_text = "A code, or a customer's name, e-mail address or phone number"
    ordering = ["-pk"]
    autocomplete_fields = ["customer"]
    actions = ["revoke_chosen"]
    change_form_outer_after_template = "admin/rewards/voucher/history.html"
    asked = ["discount", "customer", "code", "uses_allowed", "once"]
    shown = ["code", "discount", "whose", "state_now", "valid_through", "used_up", "given", "brought_by"]

    def get_urls(self) -> list[URLPattern]:
        revoke = self.admin_site.admin_view(require_POST(self.revoke))
        return [path("<int:pk>/revoke/", revoke, name="rewards_voucher_revoke"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> VoucherQuerySet:
        last = Redemption.objects.standing().filter(voucher=OuterRef("pk")).order_by("-redeemed_at")
        return Voucher.objects.annotate(
            used_at=Subquery(last.values("redeemed_at")[:1]), used_where=Subquery(last.values("store_location")[:1])
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Voucher], search_term: str
    ) -> tuple[QuerySet[Voucher], bool]:
        """The voucher with that code; else those of the customers who are called so; else codes that begin so."""
        key = codes.key(search_term)
        if not key and not search_term.strip():
            return queryset, False
        if key and Voucher.objects.filter(key=key).exists():
            return queryset.filter(key=key), False
        people = known_as(search_term, store(), timezone.now())
        if people.exists():
            return queryset.filter(customer__in=people), False
        return queryset.filter(key__startswith=key) if key else queryset.none(), False

    def get_fields(self, request: HttpRequest, obj: Voucher | None = None) -> Any:
        return self.shown if obj else self.asked

    def get_readonly_fields(self, request: HttpRequest, obj: Voucher | None = None) -> Any:
        return self.shown if obj else []

    def get_form(self, request: HttpRequest, obj: Voucher | None = None, change: bool = False, **kwargs: Any) -> Any:
        """The form of a new one; what is there is only shown."""
        return super().get_form(request, obj, change, **(kwargs | {"form": forms.ModelForm} if obj else kwargs))

    def has_change_permission(self, request: HttpRequest, obj: Voucher | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Voucher | None = None) -> bool:
        return False

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("rewards.revoke_voucher"))

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        told = {"title": "Give a voucher", "show_save_and_continue": False, "show_save_and_add_another": False}
        page: HttpResponse = super().add_view(request, form_url, {**(extra_context or {}), **told})
        return page

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The voucher with what happened to it."""
        voucher = self.get_object(request, object_id)
        told: dict[str, Any] = {}
        if voucher is not None:
            told["history"] = _history(voucher)
            is_open = voucher.state in (Voucher.State.ISSUED, Voucher.State.FREE)
            told["may_revoke"] = is_open and self.has_revoke_permission(request)
        page: HttpResponse = super().change_view(request, object_id, form_url, {**(extra_context or {}), **told})
        return page

    def save_model(self, request: HttpRequest, obj: Voucher, form: Any, change: bool) -> None:
        """Write everybody's code; or give the customer one, once however often the form is sent."""
        if obj.customer_id is None:
            now = timezone.now()
            obj.expires_at = assigning.last_instant(obj.discount, now) if obj.discount.ends_at else None
            obj.assigned_at = now
            obj.save()
            return
        origin = f"{form.cleaned_data['once']}:{obj.customer_id}"
        people = Customer.objects.filter(pk=obj.customer_id)
        given = assigning.assign(
            people, obj.discount, origin=Value(origin, TextField()), customer="pk", now=timezone.now()
        )
        if not given.without:
            made = Voucher.objects.get(origin=origin)
            obj.pk, obj.code = made.pk, made.code

    def log_addition(self, request: HttpRequest, obj: Voucher, message: Any) -> Any:
        """Nothing where nothing was given."""
        return super().log_addition(request, obj, message) if obj.pk else None

    def response_add(self, request: HttpRequest, obj: Voucher, post_url_continue: str | None = None) -> HttpResponse:
        if obj.pk is None:
            messages.error(request, f"{obj.customer} got no voucher: no code is left, or the budget is spent.")
            return HttpResponseRedirect(reverse("admin:rewards_voucher_changelist"))
        whose = f"{obj.customer} has it" if obj.customer_id else "Everybody may use it"
        messages.success(request, f"{obj.code}: {obj.discount.title}. {whose}.")
        return HttpResponseRedirect(reverse("admin:rewards_voucher_change", args=[obj.pk]))

    def revoke(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Take one voucher back, with the reason."""
        if not self.has_revoke_permission(request):
            raise PermissionDenied
        voucher, reason = get_object_or_404(Voucher, pk=pk), _reason(request)
        if not reason:
            messages.error(request, "Say why it is revoked: the reason is kept with the voucher. Nothing was changed.")
        elif endings.revoke(Voucher.objects.filter(pk=pk), reason, timezone.now()):
            messages.success(request, f"{voucher} is revoked.")
        else:
            voucher.refresh_from_db()
            state = voucher.get_state_display().lower()
            messages.error(request, f"Nothing was changed: {voucher} is not open any more ({state}).")
        return HttpResponseRedirect(reverse("admin:rewards_voucher_change", args=[pk]))

    @action(description="Revoke …", permissions=["revoke"])
    def revoke_chosen(self, request: HttpRequest, queryset: VoucherQuerySet) -> HttpResponse | None:
        """Ask for the reason, then take the chosen vouchers back."""
        chosen = Voucher.objects.filter(pk__in=queryset.values("pk"))
        reason = _reason(request)
        if reason:
            revoked = endings.revoke(chosen, reason, timezone.now())
            messages.success(request, f"{number(revoked, 'voucher')} revoked.")
            return None
        context = self.admin_site.each_context(request) | {
            "title": "Revoke vouchers",
            "opts": self.opts,
            "chosen": list(chosen.values_list("pk", flat=True)),
            "open": chosen.filter(state__in=[Voucher.State.ISSUED, Voucher.State.FREE]).count(),
            "is_missing": "reason" in request.POST,
        }
        return TemplateResponse(request, "admin/rewards/voucher/revoke.html", context)

    @display(description="whose", ordering="customer")
    def whose(self, voucher: Voucher) -> str:
        if voucher.customer_id:
            return str(voucher.customer)
        return "nobody's yet" if voucher.state == Voucher.State.FREE else "everybody's"

    @display(description="state", label=STATES, ordering="state")
    def state_now(self, voucher: Voucher) -> str:
        return voucher.get_state_display()

    @display(description="valid through", ordering="expires_at")
    def valid_through(self, voucher: Voucher) -> str:
        return day(voucher.expires_at - timedelta(microseconds=1)) if voucher.expires_at else "no end"

    @display(description="used", ordering="used_at")
    def used(self, voucher: Any) -> str:
        if voucher.uses_allowed != 1 and voucher.uses:
            return f"{count(voucher.uses)} times"
        return " · ".join(filter(None, [moment(voucher.used_at), voucher.used_where])) if voucher.used_at else "–"

    @display(description="uses")
    def used_up(self, voucher: Voucher) -> str:
        allowed = "any number" if voucher.uses_allowed is None else count(voucher.uses_allowed)
        return f"{count(voucher.uses)} of {allowed}"

    @display(description="given")
    def given(self, voucher: Voucher) -> str:
        return moment(voucher.assigned_at)

    @display(description="brought by order")
    def brought_by(self, voucher: Voucher) -> str:
        return str(voucher.order) if voucher.order else "–"


def _reason(request: HttpRequest) -> str:
    """Why it is revoked, as the form says it, without what no database keeps."""
    return request.POST.get("reason", "").replace("\0", "").strip()[:200]


def _history(voucher: Voucher) -> list[dict[str, Any]]:
    """What happened to the voucher, the newest first: when, what, and by or on what."""
    told: list[tuple[Any, str, str]] = [(voucher.created_at, "Made", f"pool {voucher.pool}" if voucher.pool else "")]
    if voucher.assigned_at and voucher.customer:
        told.append((voucher.assigned_at, f"Given to {voucher.customer}", ""))
    for each in voucher.redemptions.select_related("order", "customer"):
        where = " · ".join(filter(None, [each.store_location, each.till]))
        on = f"{each.order}, {money(each.amount)} off" + (f" · {where}" if where else "")
        told.append((each.redeemed_at, f"Used{f' by {each.customer}' if each.customer else ''}", on))
        if each.reversed_at:
            told.append((each.reversed_at, "Given back", str(each.order)))
    if voucher.state == Voucher.State.REVOKED:
        told.append((voucher.ended_at, "Revoked", voucher.note))
    if voucher.superseded_by:
        told.append((voucher.ended_at, "Replaced", f"by {voucher.superseded_by}"))
    if voucher.state == Voucher.State.EXPIRED:
        told.append((voucher.expires_at, "Expired", ""))
    ordered = sorted(told, key=lambda each: (each[0] is None, each[0]), reverse=True)
    return [{"at": at, "what": what, "about": about} for at, what, about in ordered]
