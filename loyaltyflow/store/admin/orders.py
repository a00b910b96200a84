from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import RangeDateTimeFilter

from loyaltyflow.store.models import Order, OrderLine

from ..templatetags import figures as written
from .base import ReadOnlyAdmin


class LineInline(TabularInline):
    model = OrderLine
    fields = ["product", "units", "paid", "off"]
    readonly_fields = fields
    ordering = ["number"]
    extra = 0
    can_delete = False
    hide_title = True

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("product")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="Quantity")
    def units(self, line: OrderLine) -> str:
        return written.count(line.quantity.normalize())

    @admin.display(description="Paid")
    def paid(self, line: OrderLine) -> str:
        return written.money(line.net)

    @admin.display(description="Discount")
    def off(self, line: OrderLine) -> str:
        return written.money(line.discount)


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    """Orders come from the till and the web shop; they are corrected there."""

    list_display = ["external_id", "customer", "placed", "state", "paid", "channel", "store_location"]
    list_filter = [("completed_at", RangeDateTimeFilter), ("placed_at", RangeDateTimeFilter)]
    list_select_related = ["customer"]
    search_fields = ["external_id", "customer__email", "customer__phone"]
    search_help_text = "Order number, or a customer's e-mail address or phone number"
    ordering = ["-pk"]
    inlines = [LineInline]
    fieldsets = [
        (None, {"fields": ["external_id", "customer", "source", "channel", "store_location"]}),
        ("When", {"fields": ["placed_at", "completed_at", "shipped_at", "cancelled_at", "refunded_at"]}),
        ("How much", {"fields": ["paid", "off", "taxed", "shipped", "paid_back", "discount_code"]}),
    ]
    readonly_fields = ["paid", "off", "taxed", "shipped", "paid_back"]

    @admin.display(description="Placed", ordering="placed_at")
    def placed(self, order: Order) -> str:
        return written.moment(order.placed_at)

    @admin.display(description="State")
    def state(self, order: Order) -> str:
        if order.cancelled_at:
            return "Cancelled"
        if order.refunded_at:
            return "Refunded"
        if order.completed_at:
            return "Completed, partly refunded" if order.refunded else "Completed"
        return "Shipped" if order.shipped_at else "Placed"

    @admin.display(description="Net", ordering="net")
    def paid(self, order: Order) -> str:
        return written.money(order.net)

    @admin.display(description="Discount")
    def off(self, order: Order) -> str:
        return written.money(order.discount)

    @admin.display(description="Tax")
    def taxed(self, order: Order) -> str:
        return written.money(order.tax)

    @admin.display(description="Shipping")
    def shipped(self, order: Order) -> str:
        return written.money(order.shipping)

    @admin.display(description="Refunded")
    def paid_back(self, order: Order) -> str:
        return written.money(order.refunded)
