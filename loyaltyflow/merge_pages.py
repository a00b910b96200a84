"""Where staff find customers who are there twice, see what merging them would do, and merge them."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.views.decorators.http import require_POST

from loyaltyflow import merging
from loyaltyflow.again import again
from loyaltyflow.store import duplicates
from loyaltyflow.store.admin.base import ReadOnlyAdmin
from loyaltyflow.store.clock import store
from loyaltyflow.store.models import Customer, Merge
from loyaltyflow.store.people import known_as
from loyaltyflow.store.templatetags import figures

SHOWN = 50
FOUND = 10
LATEST = 10
COMPARED = {
    "name": "Name",
    "email": "E-mail",
    "phone": "Phone",
    "birthday": "Birthday",
    "address": "Lives in",
    "registered_at": "Account since",
    "loyalty_joined_at": "Member since",
}


@admin.register(Merge)
class MergeAdmin(ReadOnlyAdmin):
    """Possible duplicates, and what was merged lately."""

    list_display = ["kept", "merged"]

    def get_urls(self) -> list[URLPattern]:
        """The list, and the pages about two customers."""
        own = [
            path("<int:kept>/with/", self.admin_site.admin_view(self.compare), name="store_merge_with"),
            path("apart/", self.admin_site.admin_view(require_POST(self.apart)), name="store_merge_apart"),
        ]
        urls: list[URLPattern] = super().get_urls()
        return own + urls

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        """The likeliest pairs first, then what was merged."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        lately = Merge.objects.select_related("kept", "merged", "by").order_by("-pk")[:LATEST]
        return self._page(
            request,
            "duplicates",
            title="Duplicates",
            pairs=duplicates.found(SHOWN),
            most=SHOWN,
            lately=lately,
            may_merge=may_merge(request),
        )

    def compare(self, request: HttpRequest, kept: int) -> HttpResponseBase:
        """The customer beside another one, and what merging the two would do; or whom to choose as the other one."""
        if not may_merge(request):
            raise PermissionDenied
        customer = get_object_or_404(Customer, pk=kept)
        other = _other(request)
        if other is None or other.pk == customer.pk:
            return self._choose(request, customer)
        now = timezone.now()
        if request.method == "POST":
            return self._merge(request, customer, other)
        try:
            would = again(lambda: merging.preview(customer, other, now))
        except merging.NotMerged as refused:
            raise Http404(str(refused)) from refused
        rows = _compared(customer, other, would.kept)
        return self._page(
            request,
            "compare",
            title=f"Merge {other} into {customer}",
            kept_name=_told_apart(customer, other),
            other_name=_told_apart(other, customer),
            kept=customer,
            other=other,
            rows=rows,
            moved=[(kind, number) for kind, number in would.moved.items() if number],
        )

    def apart(self, request: HttpRequest) -> HttpResponseBase:
        """Two customers are not the same person."""
        if not may_merge(request):
            raise PermissionDenied
        one, other = (get_object_or_404(Customer, pk=_number(request.POST.get(name))) for name in ("one", "other"))
        if one != other:
            merging.tell_apart(one, other, timezone.now(), _who(request))
            messages.success(request, f"{one} and {other} are not offered as duplicates any more.")
        return HttpResponseRedirect(reverse("admin:store_merge_changelist"))

    def _merge(self, request: HttpRequest, kept: Customer, other: Customer) -> HttpResponseBase:
        try:
            again(lambda: merging.merge(kept, other, timezone.now(), _who(request)))
        except merging.NotMerged as refused:
            messages.error(request, str(refused))
            return HttpResponseRedirect(reverse("admin:store_merge_changelist"))
        messages.success(request, format_html("<b>{}</b> and <b>{}</b> are one customer now.", other, kept))
        return HttpResponseRedirect(reverse("admin:store_customer_change", args=[kept.pk]))

    def _choose(self, request: HttpRequest, customer: Customer) -> HttpResponseBase:
        wanted = request.GET.get("find", "").strip()
        found = known_as(wanted, store(), timezone.now()).exclude(pk=customer.pk).order_by("last_name", "pk")
        people = list(found[: FOUND + 1])
        return self._page(
            request,
            "choose",
            title=f"Merge {customer} with a duplicate",
            kept=customer,
            pairs=duplicates.of(customer),
            wanted=wanted,
            people=people[:FOUND],
            more=len(people) > FOUND,
        )

    def _page(self, request: HttpRequest, name: str, **shown: Any) -> HttpResponseBase:
        context = {**self.admin_site.each_context(request), "opts": self.opts, **shown}
        return TemplateResponse(request, f"admin/store/merge/{name}.html", context)


def may_merge(request: HttpRequest) -> bool:
    """Whether the person may make one customer of two, which changes points, consents and much more."""
    return request.user.has_perm("store.add_merge") and request.user.has_perm("store.change_customer")


def _who(request: HttpRequest) -> AbstractBaseUser | None:
    return request.user if isinstance(request.user, AbstractBaseUser) else None


def _other(request: HttpRequest) -> Customer | None:
    wanted = request.POST.get("other") or request.GET.get("other")
    return get_object_or_404(Customer, pk=_number(wanted)) if wanted else None


def _number(text: str | None) -> int:
    if not text or not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Http404("There is no such customer.")
    return int(text)


def _compared(one: Customer, other: Customer, merged: Customer) -> list[dict[str, Any]]:
    """A row for each thing that any of them has: as it is on both, and as it will be."""
    said = [_said(each) for each in (one, other, merged)]
    return [
        {"label": label, "one": said[0][name], "other": said[1][name], "merged": said[2][name]}
        for name, label in COMPARED.items()
        if any(each[name] for each in said)
    ]


def _told_apart(one: Customer, other: Customer) -> str:
    """What one is called beside the other: of two of the same name, with what only they have."""
    if str(one) != str(other):
        return str(one)
    own = one.email if one.email and one.email != other.email else one.phone or f"no. {one.pk}"
    return f"{one} ({own})"


def _said(customer: Customer) -> dict[str, str]:
    moments = {name: getattr(customer, name) for name in ("registered_at", "loyalty_joined_at")}
    return {
        "name": customer.name,
        "email": customer.email,
        "phone": figures.phone(customer.phone) if customer.phone else "",
        "birthday": figures.birthday(customer.birth_month, customer.birth_day, customer.birth_year),
        "address": " ".join(part for part in (customer.postal_code, customer.state, customer.country) if part),
        **{name: figures.moment(at) if at else "" for name, at in moments.items()},
    }
