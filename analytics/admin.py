"""The orders behind the dashboard's conversions and revenue; nobody writes here by hand."""

from typing import Any

from django.contrib import admin
from django.db.models import F, Sum
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.contrib.filters.admin import RangeDateTimeFilter, RelatedDropdownFilter

from loyaltyflow.store.admin.base import ReadOnlyAdmin
from loyaltyflow.store.templatetags import figures as written

from .models import Conversion


@admin.register(Conversion)
class ConversionAdmin(ReadOnlyAdmin):
    list_display = ["ordered", "customer", "order_number", "amount", "campaign", "because", "after"]
    list_filter = [("campaign", RelatedDropdownFilter), "touch", ("ordered_at", RangeDateTimeFilter)]
    list_select_related = ["order__customer", "campaign"]
    search_fields = ["order__external_id", "order__customer__email"]
    search_help_text = "An order's number or a customer's e-mail address"
    ordering = ["-ordered_at"]
    list_before_template = "admin/analytics/conversion/total.html"
    fields = ["ordered", "customer", "order_number", "amount", "campaign", "because", "after", "message"]
    readonly_fields = fields

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list, with the sum of what it lists: the figure that led to it."""
        page = super().changelist_view(request, extra_context)
        if isinstance(page, TemplateResponse) and page.context_data and "cl" in page.context_data:
            listed = page.context_data["cl"].queryset.order_by()
            total = listed.aggregate(sum=Sum(F("order__net") - F("order__refunded")))["sum"]
            page.context_data["revenue"] = total or 0
        return page

    @admin.display(description="Ordered", ordering="ordered_at")
    def ordered(self, conversion: Conversion) -> str:
        return written.moment(conversion.ordered_at)

    @admin.display(description="Customer")
    def customer(self, conversion: Conversion) -> str:
        return str(conversion.order.customer)

    @admin.display(description="Order")
    def order_number(self, conversion: Conversion) -> str:
        return conversion.order.external_id

    @admin.display(description="Revenue", ordering="order__net")
    def amount(self, conversion: Conversion) -> str:
        order = conversion.order
        refunded = f", {written.money(order.refunded)} refunded" if order.refunded else ""
        return written.money(order.net - order.refunded) + refunded

    @admin.display(description="Because", ordering="touched_at")
    def because(self, conversion: Conversion) -> str:
        return f"{conversion.get_touch_display()} on {written.moment(conversion.touched_at)}"

    @admin.display(description="After")
    def after(self, conversion: Conversion) -> str:
        return written.duration((conversion.ordered_at - conversion.touched_at).total_seconds())
