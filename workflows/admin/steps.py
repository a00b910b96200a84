from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.widgets import UnfoldAdminSelectWidget

from loyaltyflow.store.admin.base import FormAdmin
from segments.conditions import Condition
from segments.conditions.all_of import AllOf
from segments.models import Segment

from ..graph import Edge, Revision
from ..nodes import Node
from .conditions import conditions_of
from .conditions import paths as paths_of_conditions


def node_types() -> list[type[Node]]:
    """Every type of step, the starts first."""
    return sorted(Node.__subclasses__(), key=lambda kind: (not kind.is_trigger, str(kind._meta.verbose_name)))


class StepForm(forms.ModelForm):  # type: ignore[type-arg]
    """The step's own fields, and for each way out of it the step that comes after."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        revision = str(self.instance.revision_id or self.data.get("revision") or self.initial.get("revision"))
        known = int(revision) if revision.isdecimal() else 0
        others = Node.objects.filter(revision=known).exclude(pk=self.instance.pk)
        after = {edge.outlet: edge.target_id for edge in self.instance.edges.all()} if self.instance.pk else {}
        for outlet in self.instance.outlets:
            field = self.fields.get(_field(outlet))
            if isinstance(field, forms.ModelChoiceField):
                field.queryset = others
                field.initial = after.get(outlet)


class StepAdmin(FormAdmin):
    """The form of one step of a draft; it leads back to its workflow.

    A condition is not chosen from those of other steps: a step that asks one begins with an empty group of its own.
    """

    search_fields = ["name"]
    change_form_outer_after_template = "admin/workflows/step/conditions.html"

    def get_urls(self) -> list[Any]:
        own = paths_of_conditions(self) if _asked(self.model) else []
        return [*own, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The step's form, with the way to the conditions that it asks."""
        step = self.get_object(request, object_id)
        about = {"conditions_page": conditions_of(step)}
        page: HttpResponse = super().change_view(request, object_id, form_url, {**(extra_context or {}), **about})
        return page

    def save_model(self, request: HttpRequest, obj: Node, form: Any, change: bool) -> None:
        for name in _asked(self.model):
            if not change:
                setattr(obj, name, AllOf.objects.create())
        super().save_model(request, obj, form, change)

    def get_form(self, request: HttpRequest, obj: Node | None = None, change: bool = False, **kwargs: Any) -> Any:
        """A form with one more field for each outlet: the next step."""
        fields = {_field(outlet): _after(outlet) for outlet in self.model.outlets}
        kwargs["form"] = type("StepForm", (StepForm,), fields)
        kwargs["fields"] = [each for each in self.get_fields(request, obj) if each not in fields]
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Node | None = None) -> list[str]:
        skipped = {"id", "polymorphic_ctype", "node_ptr", "name", "revision", *_asked(self.model)}
        own = [field.name for field in self.model._meta.fields if field.name not in skipped]
        return [*own, *(_field(outlet) for outlet in self.model.outlets), "name", "revision"]

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """The revision is known from the link and is not asked for."""
        if db_field.name == "revision":
            kwargs["widget"] = forms.HiddenInput()
            return db_field.formfield(**kwargs)
        if db_field.related_model is Segment:
            kwargs["queryset"] = Segment.objects.shown()
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.get_limit_choices_to():
            field.error_messages["invalid_choice"] = db_field.error_messages["invalid"]  # it names the cure
        return field

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Connect the step to those that were chosen to come after it."""
        super().save_related(request, form, formsets, change)
        for outlet in form.instance.outlets:
            if target := form.cleaned_data.get(_field(outlet)):
                form.instance.leads_to(target, outlet)
            else:
                Edge.objects.filter(source=form.instance, outlet=outlet).delete()

    def response_add(self, request: HttpRequest, obj: Node, post_url_continue: str | None = None) -> HttpResponse:
        """Back to the workflow, unless the step's conditions are still to be added."""
        if asked := conditions_of(obj):
            messages.success(request, "The step was added. Now add the conditions that it asks.")
            return HttpResponseRedirect(asked)
        return HttpResponseRedirect(_home(obj.revision))

    def response_change(self, request: HttpRequest, obj: Node) -> HttpResponse:
        return HttpResponseRedirect(_home(obj.revision))

    def delete_model(self, request: HttpRequest, obj: Node) -> None:
        self.after_deletion = _home(obj.revision)
        super().delete_model(request, obj)

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: int) -> HttpResponse:
        return HttpResponseRedirect(self.after_deletion)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Steps are reached from their workflow, not from the menu."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Node | None = None) -> bool:
        return _may_change(obj) and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Node | None = None) -> bool:
        return _may_change(obj) and bool(super().has_delete_permission(request, obj))


def _asked(kind: type[Node]) -> list[str]:
    """The fields of the type that hold a condition of its own."""
    own = [field for field in kind._meta.concrete_fields if isinstance(field, models.OneToOneField)]
    return [field.name for field in own if issubclass(field.related_model, Condition)]


def _field(outlet: str) -> str:
    """What the form calls the step that comes after the outlet."""
    return f"after_{outlet.replace(' ', '_')}"


def _after(outlet: str) -> forms.ModelChoiceField:  # type: ignore[type-arg]
    label = "After this" if outlet == "next" else f"If {outlet}"
    nobody = Node.objects.none()
    return forms.ModelChoiceField(nobody, label=label, required=False, widget=UnfoldAdminSelectWidget)


def _may_change(node: Node | None) -> bool:
    return node is None or node.revision.status == Revision.Status.DRAFT


def _home(revision: Revision) -> str:
    return reverse("admin:workflows_workflow_change", args=[revision.workflow_id])


for kind in node_types():
    admin.site.register(kind, StepAdmin)
