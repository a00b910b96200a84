"""The orders behind the dashboard's conversions and revenue; nobody writes here by hand."""

from django.contrib import admin
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
    fields = ["ordered", "customer", "order_number", "amount", "campaign", "because", "after", "message"]
    readonly_fields = fields

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
