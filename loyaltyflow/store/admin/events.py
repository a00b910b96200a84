from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest
from unfold.contrib.filters.admin import RangeDateTimeFilter

from loyaltyflow.store.intake.events import TYPES
from loyaltyflow.store.models import Event, EventType

from ..templatetags import figures as written
from .base import ReadOnlyAdmin, StoreAdmin
from .told import tell


class NameFilter(admin.SimpleListFilter):
    """The event types as choices, by their labels."""

    title = "what happened"
    parameter_name = "name"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(EventType.objects.values_list("name", "label"))

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        name = (self.value() or "").replace("\0", "")
        return queryset.filter(name=name) if name else queryset


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ["what", "customer", "happened_at", "recorded", "source"]
    list_filter = [NameFilter, ("occurred_at", RangeDateTimeFilter)]
    list_select_related = ["customer"]
    search_fields = ["customer__email", "customer__phone"]
    search_help_text = "A customer's e-mail address or phone number"
    ordering = ["-pk"]
    fields = ["what", "customer", "happened_at", "first_time", "recorded", "source", "known"]
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> Any:
        label = EventType.objects.filter(name=OuterRef("name")).values("label")
        return super().get_queryset(request).annotate(label=Subquery(label))

    @admin.display(description="What", ordering="name")
    def what(self, event: Any) -> str:
        return event.label or str(event)

    @admin.display(description="Happened", ordering="occurred_at")
    def happened_at(self, event: Event) -> str:
        return written.moment(event.occurred_at)

    @admin.display(description="For the first time", boolean=True)
    def first_time(self, event: Event) -> bool:
        return Event.objects.first_of_kind().filter(pk=event.pk).exists()

    @admin.display(description="Learned")
    def recorded(self, event: Event) -> str:
        return written.moment(event.recorded_at)

    @admin.display(description="What is known of it")
    def known(self, event: Event) -> str:
        return tell([event])[0]["known"] or "Nothing more"


class EventTypeForm(forms.ModelForm):  # type: ignore[type-arg]
    """The properties as lines of text instead of JSON."""

    known = forms.CharField(
        label="Properties",
        required=False,
        widget=forms.Textarea,
        help_text=f"One on each line, such as “colour: text”. Types: {', '.join(TYPES)}.",
    )

    class Meta:
        model = EventType
        fields = ["name", "label", "known", "is_sent_in"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "known" in self.fields:
            lines = [f"{name}: {kind}" for name, kind in self.instance.properties.items()]
            self.fields["known"].initial = "\n".join(lines)

    def clean_known(self) -> dict[str, str]:
        properties = {}
        for line in self.cleaned_data["known"].splitlines():
            name, _, kind = (part.strip() for part in line.partition(":"))
            if not name and not kind:
                continue
            if not name.isidentifier() or kind not in TYPES:
                raise ValidationError(f"“{line}” is not a name and one of the types {', '.join(TYPES)}.")
            properties[name] = kind
        return properties

    def save(self, commit: bool = True) -> EventType:
        self.instance.properties = self.cleaned_data["known"]
        return super().save(commit)


@admin.register(EventType)
class EventTypeAdmin(StoreAdmin):
    """The event catalogue; the built-in types are as the program needs them."""

    form = EventTypeForm
    list_display = ["label", "name", "knows", "is_sent_in", "is_built_in"]
    list_filter = ["is_built_in", "is_sent_in"]
    search_fields = ["label", "name"]
    fields = ["name", "label", "known", "is_sent_in"]

    @admin.display(description="Properties")
    def knows(self, kind: EventType) -> str:
        return ", ".join(kind.properties)

    def get_fields(self, request: HttpRequest, obj: EventType | None = None) -> Any:
        return ["name", "label", "knows", "is_sent_in"] if obj and obj.is_built_in else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: EventType | None = None) -> Any:
        """The name stays: events carry it, and it is how others ask for them."""
        return ["knows", "name"] if obj else ["knows"]

    def has_change_permission(self, request: HttpRequest, obj: EventType | None = None) -> bool:
        return super().has_change_permission(request, obj) and not (obj and obj.is_built_in)

    def has_delete_permission(self, request: HttpRequest, obj: EventType | None = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and obj.is_built_in)
