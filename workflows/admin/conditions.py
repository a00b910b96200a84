"""The editor of the conditions that a step asks, the same as that of segments."""

from functools import cached_property
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase
from django.urls import URLPattern, path, reverse
from unfold.admin import ModelAdmin

from segments.admin import editor
from segments.admin.owner import Owner
from segments.checks import condition_types
from segments.conditions import Condition
from segments.editing.faults import faults
from segments.models import Segment

from ..asked import Asked
from ..graph import Revision
from ..nodes import Node
from ..nodes.assign_voucher import AssignVoucher
from ..nodes.if_ import If
from ..nodes.send_email import SendEmail


class StepTree(Owner):
    """The conditions of a step, as one person edits them."""

    head = "admin/workflows/step/head.html"
    everyone = "Everyone who comes here."
    first_step = "Add a condition. Those who meet it go the way “yes”, the others the way “no”."
    strip = "Asked of each customer who comes to this step. Some of it is about this workflow, so it cannot be counted."
    opts = If._meta

    def __init__(self, steps: ModelAdmin, request: HttpRequest, step: If) -> None:
        super().__init__(request, steps.has_change_permission(request, step))
        self.step = step
        self.may_ask = request.user.has_perm("store.view_customer")
        self.page = reverse("admin:workflows_if_change", args=[step.pk])
        self.address = reverse("admin:workflows_if_conditions", args=[step.pk])
        self.workflow = step.revision.workflow
        self.workflow_page = reverse("admin:workflows_workflow_change", args=[step.revision.workflow_id])

    @property
    def name(self) -> str:
        return self.step.name or "If"

    @cached_property
    def subject(self) -> Asked:
        return Asked(self.step)

    @cached_property
    def is_counted(self) -> bool:
        """Whether all of it can be asked of anybody, wherever they stand."""
        return all(each.asked_of_segments for each in self.tree.walk())

    @cached_property
    def faults(self) -> dict[int, list[str]]:
        """None of a revision that no longer changes: it was whole when it went live, and nobody can mend it there."""
        return faults(self.tree) if self.step.revision.status == Revision.Status.DRAFT else {}

    def kinds(self) -> list[type[Condition]]:
        return condition_types()

    def choices(self, kind: type[Condition]) -> dict[str, Any]:
        """Of steps only the others of the same revision."""
        others = self.step.revision.nodes.exclude(pk=self.step.pk)
        mails = SendEmail.objects.filter(revision=self.step.revision_id)
        gifts = AssignVoucher.objects.filter(revision=self.step.revision_id)
        of_the_revision = {"workflows.node": others, "workflows.sendemail": mails, "workflows.assignvoucher": gifts}
        return self.among(kind, {"segments.segment": Segment.objects.shown(), **of_the_revision, **self.always})


def paths(steps: ModelAdmin) -> list[URLPattern]:
    """The editor, at workflows/if/<pk>/conditions/."""

    def at(address: str, view: editor.View, name: str, may: str) -> URLPattern:
        def answer(request: HttpRequest, pk: int, **more: Any) -> HttpResponseBase:
            step = If.objects.select_related("revision__workflow").filter(pk=pk).first()
            if step is None:
                raise Http404("This step is not there any more.")
            if not getattr(steps, f"has_{may}_permission")(request, step):
                raise PermissionDenied
            return editor.shown(view, StepTree(steps, request, step), **more)

        shown = steps.admin_site.admin_view(answer)
        return path(f"<int:pk>/conditions/{address}", shown, name=f"workflows_if_conditions{name}")

    return [at(*each) for each in editor.views()]


def conditions_of(step: Node | None) -> str:
    """The address of the editor of what the step asks; empty if it asks nothing."""
    return reverse("admin:workflows_if_conditions", args=[step.pk]) if isinstance(step, If) else ""
