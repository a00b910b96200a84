from django.contrib import admin

from loyaltyflow.store.admin.base import ReadOnlyAdmin
from loyaltyflow.store.templatetags.figures import moment

from ..models import Membership


@admin.register(Membership)
class MembershipAdmin(ReadOnlyAdmin):
    list_display = ["customer", "segment", "joined", "left"]
    list_filter = ["segment", ("left_at", admin.EmptyFieldListFilter)]
    list_select_related = ["customer", "segment"]
    search_fields = ["customer__email", "customer__last_name"]
    fields = ["customer", "segment", "joined", "left"]
    readonly_fields = fields

    @admin.display(description="joined", ordering="joined_at")
    def joined(self, membership: Membership) -> str:
        return moment(membership.joined_at)

    @admin.display(description="left", ordering="left_at")
    def left(self, membership: Membership) -> str:
        return moment(membership.left_at)
