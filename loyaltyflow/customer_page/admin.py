"""The customer's page in the admin, and the form behind “Edit details”."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin.options import IS_POPUP_VAR
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from loyaltyflow.merge_pages import may_merge
from loyaltyflow.store.admin.customers import CustomerAdmin
from loyaltyflow.store.clock import store
from loyaltyflow.store.models import Customer
from rewards.models import Notice
from rewards.progress import progress

from . import has, head, timeline, why

LONGEST = 18  # digits, of which no customer has more
Button = Callable[[HttpRequest, Customer], tuple[str, str] | None]
# What the user may see of a customer, by the name that the page asks for it.
RIGHTS = {
    "points": "rewards.view_account",
    "tier": "rewards.view_standing",
    "vouchers": "rewards.view_voucher",
    "orders": "store.view_order",
    "consents": "store.view_consent",
    "segments": "segments.view_segment",
    "workflows": "workflows.view_enrolment",
}


def _edit(request: HttpRequest, customer: Customer) -> tuple[str, str]:
    may = request.user.has_perm("store.change_customer")
    return ("Edit details" if may else "Details", reverse("admin:store_customer_edit", args=[customer.pk]))


def _adjust(request: HttpRequest, customer: Customer) -> tuple[str, str] | None:
    if not request.user.has_perm("rewards.add_adjustment"):
        return None
    return "Adjust points", f"{reverse('admin:rewards_adjustment_add')}?customer={customer.pk}"


def _give(request: HttpRequest, customer: Customer) -> tuple[str, str] | None:
    if not request.user.has_perm("rewards.add_voucher"):
        return None
    return "Give voucher", f"{reverse('admin:rewards_voucher_add')}?customer={customer.pk}"


def _sell(request: HttpRequest, customer: Customer) -> tuple[str, str] | None:
    if not request.user.has_perm("rewards.use_till"):
        return None
    return "Open at till", f"{reverse('till')}?customer={customer.pk}"


def _merge(request: HttpRequest, customer: Customer) -> tuple[str, str] | None:
    if not may_merge(request):
        return None
    return "Merge with a duplicate", reverse("admin:store_merge_with", args=[customer.pk])


def _changes(request: HttpRequest, customer: Customer) -> tuple[str, str]:
    return "Changes", reverse("admin:store_customer_history", args=[customer.pk])


class CustomerPage(CustomerAdmin):
    """All that is known of a customer; the form has a page of its own."""

    # What can be done with a customer: each gives its label and address, or None to who may not.
    buttons: ClassVar[list[Button]] = [_adjust, _give, _sell, _merge, _edit, _changes]
    change_form_outer_before_template = "pages/customer/back.html"

    def get_urls(self) -> list[URLPattern]:
        edit = self.admin_site.admin_view(self.edit_view)
        return [path("<path:object_id>/edit/", edit, name="store_customer_edit"), *super().get_urls()]

    def edit_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The form with the customer's details, tags, consents and numbers."""
        return super().change_view(request, object_id)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The page; the form where one is sent, or opened to choose from."""
        if request.method == "POST" or IS_POPUP_VAR in request.GET:
            return super().change_view(request, object_id, form_url, extra_context)
        customer = self.get_object(request, unquote(object_id))
        if customer is None and self.has_view_permission(request) and (gone := _merged(unquote(object_id))):
            messages.info(request, f"{gone} was merged: this is the one customer now.")
            return HttpResponseRedirect(reverse("admin:store_customer_change", args=[gone.merged_into_id]))
        if customer is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        if not self.has_view_permission(request, customer):
            raise PermissionDenied
        return TemplateResponse(request, "pages/customer/page.html", self._context(request, customer))

    def response_post_save_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """Back to the customer's page."""
        return HttpResponseRedirect(reverse("admin:store_customer_change", args=[obj.pk]))

    def _context(self, request: HttpRequest, customer: Customer) -> dict[str, Any]:
        now = store().local(timezone.now())
        user, asked = request.user, request.GET
        page = asked.get("page", "")
        buttons = [button(request, customer) for button in self.buttons]
        return {
            **self.admin_site.each_context(request),
            "title": str(customer),
            "opts": self.opts,
            "original": customer,
            "customer": customer,
            "now": now,
            "buttons": [each for each in buttons if each],
            "untold": Notice.objects.filter(entry__customer=customer).exclude(exemption="").order_by("-pk").first(),
            "timeline": timeline.read(
                customer, user, asked.get("show", ""), int(page) if page.isdecimal() and len(page) < 9 else 1, now
            ),
            "why_choices": why.choices(user),
            "why_wanted": asked.get("why", ""),
            "why": why.answer(customer, user, asked.get("why", ""), now),
            **head.who(customer, user, now),
            **_seen_by(user, customer, now),
        }


def _merged(number: str) -> Customer | None:
    """The customer of that number if they were merged into another: old links still name them."""
    if not number.isdecimal() or len(number) > LONGEST:
        return None
    return Customer.everyone.filter(pk=int(number), merged_into__isnull=False).first()


def _seen_by(user: Any, customer: Customer, now: Any) -> dict[str, Any]:
    """The cards that the user may see."""
    may = {name: user.has_perm(right) for name, right in RIGHTS.items()}
    about: dict[str, Any] = {"may": may}
    if may["points"]:
        points = has.points(customer, now)
        about |= {"points": points, "expiring": points.expiring(now), "ledger": has.ledger_of(customer)}
    if may["tier"]:
        about["progress"] = progress([customer.pk], now)[customer.pk]
    if may["vouchers"]:
        about["vouchers"] = has.vouchers(customer, now)
    if may["orders"]:
        about |= {"purchases": head.purchases(customer, now), "products": has.products(customer, now)}
    if may["consents"]:
        about["consents"] = head.consents(customer)
    if may["workflows"]:
        about["walks"] = has.workflows(customer, now)
    return about | (has.segments(customer, user) if may["segments"] else {})
