import inspect
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import action, display
from unfold.views import ChangeList
from unfold.widgets import UnfoldAdminSelectWidget

from loyaltyflow.store.admin.base import FormAdmin
from loyaltyflow.store.models import EventType, StoreSettings
from loyaltyflow.store.templatetags.figures import count

from ..graph import Revision, Workflow
from ..nodes import Node
from ..nodes.base import load_references
from ..outline import outline
from .steps import node_types

STATES = {
    Workflow.Status.LIVE.label: "success",
    Workflow.Status.PAUSED.label: "warning",
    Workflow.Status.FINISHING.label: "info",
}
# What may be done in which state.
BUTTONS = {
    "publish": set(Workflow.Status),
    "new_draft": set(Workflow.Status) - {Workflow.Status.DRAFT},
    "pause": {Workflow.Status.LIVE, Workflow.Status.FINISHING},
    "resume": {Workflow.Status.PAUSED, Workflow.Status.FINISHING},
    "finish": {Workflow.Status.LIVE, Workflow.Status.PAUSED},
}


class WorkflowList(ChangeList):
    def get_results(self, request: HttpRequest) -> None:
        """The rows of the page, each with the start of its live revision or, without one, of its draft."""
        super().get_results(request)
        starts = Node.objects.instance_of(*[kind for kind in node_types() if kind.is_trigger])
        shown = starts.filter(revision__workflow__in=list(self.result_list)).select_related("revision")
        triggers = list(shown.exclude(revision__status=Revision.Status.RETIRED).order_by("-revision__status"))
        load_references(triggers)
        by_workflow = {trigger.revision.workflow_id: trigger.summary() for trigger in reversed(triggers)}
        for workflow in self.result_list:
            workflow.starts = by_workflow.get(workflow.pk, "")


class WorkflowForm(forms.ModelForm):  # type: ignore[type-arg]
    """The goal's event is chosen by its label."""

    class Meta:
        model = Workflow
        fields = ["name", "goal", "goal_event", "goal_days", "reentry", "reentry_days", "owner"]
        labels = {"goal_days": "Within days", "reentry": "A customer may enter", "reentry_days": "After days"}
        help_texts = {
            "goal_event": "What counts as achieving it.",
            "goal_days": "Days after entering in which it must happen.",
            "reentry_days": "For “again after some days”: days since entering it last.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "goal_event" in self.fields:
            chosen = str(self.instance.goal_event)
            events = dict(EventType.objects.values_list("name", "label"))
            choices = [("", "Nothing"), *({chosen: chosen} | events if chosen else events).items()]
            self.fields["goal_event"].widget = UnfoldAdminSelectWidget(choices=choices)


@admin.register(Workflow)
class WorkflowAdmin(FormAdmin):
    form = WorkflowForm
    list_display = ["name", "state", "starts", "inside", "entered", "completed"]
    list_filter = ["status"]
    search_fields = ["name", "goal"]
    fields = ["name", "goal", ("goal_event", "goal_days"), ("reentry", "reentry_days"), "owner"]
    autocomplete_fields = ["owner"]
    actions_submit_line = list(BUTTONS)
    change_form_outer_after_template = "admin/workflows/workflow/steps.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Workflow]:
        return Workflow.objects.with_counts()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return WorkflowList

    def get_actions_submit_line(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """The buttons that mean something in the workflow's state."""
        workflow = self.get_object(request, object_id)
        if workflow is None:
            return []
        has_draft = workflow.revisions.filter(status=Revision.Status.DRAFT).exists()
        useless = "new_draft" if has_draft else "publish"
        offered = {f"workflows_workflow_{name}" for name, states in BUTTONS.items() if workflow.status in states}
        offered.discard(f"workflows_workflow_{useless}")
        return [each for each in super().get_actions_submit_line(request, object_id) if each.action_name in offered]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The workflow with the steps of its live revision and of its draft."""
        workflow = Workflow.objects.filter(pk=object_id).first() if object_id.isdecimal() else None
        about = {"workflow": workflow, "step_types": _step_types()} if workflow else {}
        if workflow:
            about |= {"editions": _editions(workflow), "goal": _goal(workflow)}
        page: HttpResponse = super().change_view(request, object_id, form_url, {**(extra_context or {}), **about})
        return page

    def save_model(self, request: HttpRequest, obj: Workflow, form: Any, change: bool) -> None:
        """A new workflow begins with an empty draft."""
        super().save_model(request, obj, form, change)
        if not change:
            obj.draft()

    def response_add(self, request: HttpRequest, obj: Workflow, post_url_continue: str | None = None) -> HttpResponse:
        """To the page of the new workflow, where steps are added."""
        messages.success(request, f"“{obj}” was made. Add its steps, then publish it.")
        return HttpResponseRedirect(_page(obj))

    def response_change(self, request: HttpRequest, obj: Workflow) -> HttpResponse:
        """After one of the buttons, the same page: the button has said what became of it."""
        if any(f"workflows_workflow_{name}" in request.POST for name in BUTTONS):
            return HttpResponseRedirect(_page(obj))
        return super().response_change(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Workflow | None = None) -> bool:
        """Only what never went live may be deleted: figures are for ever."""
        is_fresh = obj is None or not obj.revisions.exclude(status=Revision.Status.DRAFT).exists()
        return is_fresh and bool(super().has_delete_permission(request, obj))

    @display(description="state", label=STATES, ordering="status")
    def state(self, workflow: Workflow) -> str:
        return workflow.get_status_display()

    @display(description="starts")
    def starts(self, workflow: Workflow) -> str:
        return workflow.starts  # type: ignore[attr-defined]

    @display(description="in it now", ordering="inside")
    def inside(self, workflow: Workflow) -> str:
        return count(workflow.inside)  # type: ignore[attr-defined]

    @display(description="entered", ordering="entered")
    def entered(self, workflow: Workflow) -> str:
        return count(workflow.entered)  # type: ignore[attr-defined]

    @display(description="came to an end", ordering="completed")
    def completed(self, workflow: Workflow) -> str:
        return count(workflow.completed)  # type: ignore[attr-defined]

    @action(description="Save and publish", permissions=["change"])
    def publish(self, request: HttpRequest, obj: Workflow) -> None:
        try:
            obj.publish(_now(), request.user)  # type: ignore[arg-type]
        except ValidationError as refusal:
            for sentence in refusal.messages:
                messages.error(request, sentence)
        else:
            paused = " It is still paused." if obj.status == Workflow.Status.PAUSED else ""
            messages.success(
                request, f"“{obj}” is published. Publishing sends nothing: it waits for its start.{paused}"
            )

    @action(description="New draft", permissions=["change"])
    def new_draft(self, request: HttpRequest, obj: Workflow) -> None:
        messages.success(request, f"Revision {obj.draft().number} is a copy that you can change. The live one goes on.")

    @action(description="Pause", permissions=["change"])
    def pause(self, request: HttpRequest, obj: Workflow) -> None:
        _say(request, obj.pause(), f"“{obj}” is paused: nobody enters, and nobody in it goes on.")

    @action(description="Resume", permissions=["change"])
    def resume(self, request: HttpRequest, obj: Workflow) -> None:
        _say(request, obj.resume(), f"“{obj}” is live again. Steps that came due meanwhile are taken now.")

    @action(description="Finish", permissions=["change"])
    def finish(self, request: HttpRequest, obj: Workflow) -> None:
        _say(request, obj.finish(), f"“{obj}” takes nobody new. Those in it go on to their end.")


def _page(workflow: Workflow) -> str:
    return reverse("admin:workflows_workflow_change", args=[workflow.pk])


def _say(request: HttpRequest, is_done: bool, sentence: str) -> None:
    if is_done:
        messages.success(request, sentence)
    else:
        messages.error(request, "Nothing was changed: somebody else changed its state first. Look at it again.")


def _editions(workflow: Workflow) -> list[dict[str, Any]]:
    """The revisions to show, the draft first, each with its outline and, for a draft, what stands against it."""
    shown = workflow.revisions.exclude(status=Revision.Status.RETIRED)
    return [
        {
            "revision": revision,
            "lines": outline(revision),
            "problems": revision.problems() if revision.status == Revision.Status.DRAFT else [],
            "warnings": revision.warnings() if revision.status == Revision.Status.DRAFT else [],
        }
        for revision in shown
    ]


def _goal(workflow: Workflow) -> dict[str, Any]:
    """How many of all who ever entered did what the workflow is for, and what that is called."""
    reached = workflow.enrolments.that_reached(workflow.goal_event, workflow.goal_days)
    entered = workflow.enrolments.count() if workflow.goal_event else 0
    event = EventType.objects.filter(name=workflow.goal_event).first()
    count = reached.count() if entered else 0
    share = count / entered if entered else None
    return {"event": str(event or workflow.goal_event), "entered": entered, "reached": count, "share": share}


def _step_types() -> list[dict[str, str]]:
    """What may be added to a draft: name, help text and the address of the form."""
    return [
        {
            "name": str(kind._meta.verbose_name),
            "help": inspect.getdoc(kind) or "",
            "address": reverse(f"admin:workflows_{kind._meta.model_name}_add"),
        }
        for kind in node_types()
    ]


def _now() -> datetime:
    return StoreSettings.load().local(timezone.now())
