"""What staff do with a whole segment: name it, switch it on and off, put it away, delete it."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.options import get_content_type_for_model
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import ProtectedError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils import timezone
from unfold.admin import ModelAdmin

from loyaltyflow.store.clock import store
from loyaltyflow.store.templatetags.figures import clock, count

from .. import refresh
from ..models import Segment, SegmentQuerySet
from .paths import page_of


@dataclass(frozen=True)
class State:
    """How it stands with a segment, as a word with its sign."""

    word: str
    icon: str
    look: str = ""


ACTIVE = State("Active", "check_circle", "lf-pill-good")
OFF = State("Off", "radio_button_unchecked")
BY_HAND = State("By hand", "front_hand")
ARCHIVED = State("Archived", "inventory_2")


def state_of(segment: Segment) -> State:
    if segment.archived_at:
        return ARCHIVED
    if segment.is_static:
        return BY_HAND
    return ACTIVE if segment.is_active else OFF


def paths(segments: ModelAdmin) -> list[URLPattern]:
    """What stands at addresses of its own."""
    return [page_of(segments, "become/", become, "become", may="change")]


def now() -> datetime:
    """This moment on the store's clock."""
    return store().local(timezone.now())


class NameForm(forms.ModelForm):  # type: ignore[type-arg]
    """What the segment is called, and what it is for; `seen` is the digest of what stood there when it was opened."""

    seen = forms.CharField(widget=forms.HiddenInput)

    class Meta:
        model = Segment
        fields = ["name", "description"]
        widgets = {
            "name": forms.TextInput(attrs={"class": "lf-input", "autocomplete": "off"}),
            "description": forms.Textarea(attrs={"class": "lf-input", "rows": 2}),
        }


def form_of(segment: Segment) -> NameForm:
    """The form as it is opened."""
    return NameForm(instance=segment, initial={"seen": wording(segment)})


def wording(segment: Segment) -> str:
    """A text that changes with the name or the description."""
    return sha256(f"{segment.name}\0{segment.description}".encode()).hexdigest()


def rename(segments: ModelAdmin, request: HttpRequest, segment: Segment) -> NameForm | None:
    """The form with what is wrong with it, or None when it was saved; who comes second is told and nothing is lost."""
    with transaction.atomic():
        held = Segment.objects.select_for_update(no_key=True).get(pk=segment.pk)
        before, was = wording(held), (held.name, held.description)
        form = NameForm(request.POST, instance=held)
        if not form.is_valid():
            return form
        if form.cleaned_data["seen"] != before:
            form.add_error(None, _meanwhile(segment, *was))
            form.data = {**request.POST.dict(), "seen": before}
            return form
        held.save(update_fields=["name", "description"])
    segments.log_change(request, held, [{"changed": {"fields": form.changed_data}}])
    messages.success(request, f"“{held}” was saved.")
    return None


def _meanwhile(segment: Segment, name: str, description: str) -> str:
    """Who changed the name or description while another did, and what stands there now."""
    last = LogEntry.objects.filter(
        content_type=get_content_type_for_model(segment), object_id=segment.pk, action_flag=CHANGE
    ).first()
    who = f"{last.user} changed it at {clock(last.action_time)}" if last else "Somebody else changed it meanwhile"
    there = f"“{name}”" + (f", “{description}”" if description else ", without a description")
    return f"{who}. It now says: {there}. Yours is not saved: save again to put it in its place."


def become(segments: Any, request: HttpRequest, segment: Segment) -> HttpResponseBase:
    """Switch the segment on or off, put it away or bring it back, as the button said."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    ways = {"active": _activate, "off": _deactivate, "archived": _archive, "back": _bring_back}
    way = ways.get(request.POST.get("state", ""))
    if way is None:
        messages.error(request, "There is no such button. Use one of those on this page.")
    else:
        way(request, segment)
    return HttpResponseRedirect(reverse("admin:segments_segment_change", args=[segment.pk]))


def _activate(request: HttpRequest, segment: Segment) -> None:
    activate(request, Segment.objects.filter(pk=segment.pk))


def _deactivate(request: HttpRequest, segment: Segment) -> None:
    deactivate(request, Segment.objects.filter(pk=segment.pk))


def _archive(request: HttpRequest, segment: Segment) -> None:
    try:
        archived = segment.archive(timezone.now())
    except ValidationError as error:
        messages.error(request, f"It was not archived. {' '.join(error.messages)}")
        return
    if archived:
        messages.success(request, f"“{segment}” is archived, with its history. Lists and choices no longer show it.")


def _bring_back(request: HttpRequest, segment: Segment) -> None:
    if segment.bring_back():
        more = "" if segment.is_static else " It is off: activate it when it should be kept up to date."
        messages.success(request, f"“{segment}” is back.{more}")


def activate(request: HttpRequest, chosen: SegmentQuerySet) -> None:
    """Activate those that are dynamic and ask something, and say what came of it."""
    known = chosen.shown().filter(kind=Segment.Kind.DYNAMIC).with_trees()
    bare = [each for each in known if each.root is None or each.holds_everybody()]
    for each in bare:
        messages.error(request, f"“{each}” has no conditions, so everybody would be in it. Add one first.")
    wanted = chosen.filter(pk__in={each.pk for each in known} - {each.pk for each in bare})
    if activated := refresh.activate(wanted, now()):
        messages.success(
            request,
            f"{activated} activated. Those who meet the conditions now are in; "
            "workflows start with those who come from here on.",
        )


def deactivate(request: HttpRequest, chosen: SegmentQuerySet) -> None:
    messages.success(request, f"{refresh.deactivate(chosen)} deactivated. The members stay as they are.")


def delete(segments: ModelAdmin, request: HttpRequest, segment: Segment) -> HttpResponse:
    """Delete the segment once that is confirmed; what is used stays, and the page says by whom it is used."""
    uses = segment.used_by()
    if request.method == "POST" and not uses:
        try:
            with transaction.atomic():
                segments.log_deletions(request, Segment.objects.filter(pk=segment.pk))
                segment.delete()
        except ProtectedError:
            uses = segment.used_by()
        else:
            messages.success(request, f"“{segment}” was deleted, with its history.")
            return HttpResponseRedirect(reverse("admin:segments_segment_changelist"))
    goes = {"stays": segment.memberships.count(), "members": segment.members_now, "uploads": segment.uploads.count()}
    context = segments.admin_site.each_context(request) | {
        "title": f"Delete “{segment}”",
        "opts": segments.opts,
        "original": segment,
        "segment": segment,
        "uses": uses,
        "can_be_archived": segment.archived_at is None and all(use.is_past for use in uses),
        **{name: count(number) for name, number in goes.items()},
    }
    template = "admin/segments/segment/delete.html"
    return TemplateResponse(request, template, context, status=409 if uses and request.method == "POST" else 200)
