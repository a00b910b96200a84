from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from unfold.decorators import display

from loyaltyflow.store.admin.base import ReadOnlyAdmin
from loyaltyflow.store.templatetags.figures import moment

from ..enrolments import Enrolment, Step
from ..nodes import Node
from ..nodes.base import load_references


@admin.register(Enrolment)
class EnrolmentAdmin(ReadOnlyAdmin):
    """Who walked through which workflow, and the path each one took; nobody changes it by hand."""

    list_display = ["customer", "workflow", "state", "outcome", "entered", "ended"]
    list_filter = ["status", "workflow"]
    list_select_related = ["customer", "workflow"]
    search_fields = ["customer__email", "customer__last_name"]
    fields = ["customer", "workflow", "edition", "state", "outcome", "entered", "started_by", "next_step", "ended"]
    readonly_fields = fields
    change_form_outer_after_template = "admin/workflows/enrolment/path.html"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The enrolment with each step it took, when and by which way out."""
        known = int(object_id) if object_id.isdecimal() else 0
        visits = list(Step.objects.filter(enrolment=known).order_by("left_at", "pk"))
        nodes = Node.objects.in_bulk([visit.node_id for visit in visits])
        load_references(nodes.values())
        path = [{"visit": visit, "node": nodes[visit.node_id]} for visit in visits]
        page: HttpResponse = super().change_view(request, object_id, form_url, {**(extra_context or {}), "path": path})
        return page

    @display(description="state", ordering="status", label={"In it": "info", "Came to an end": "success"})
    def state(self, enrolment: Enrolment) -> str:
        return enrolment.get_status_display()

    @display(description="entered", ordering="entered_at")
    def entered(self, enrolment: Enrolment) -> str:
        return moment(enrolment.entered_at)

    @display(description="ended", ordering="ended_at")
    def ended(self, enrolment: Enrolment) -> str:
        return moment(enrolment.ended_at)

    @display(description="revision")
    def edition(self, enrolment: Enrolment) -> str:
        return f"{enrolment.revision.number}"

    @display(description="started by")
    def started_by(self, enrolment: Enrolment) -> str:
        event = enrolment.entry_event
        return f"{event}, {moment(event.occurred_at)}" if event else "–"

    @display(description="next step")
    def next_step(self, enrolment: Enrolment) -> str:
        if enrolment.status != Enrolment.Status.ACTIVE:
            return "–"
        return f"{enrolment.node}, on {moment(enrolment.due_at)}"
