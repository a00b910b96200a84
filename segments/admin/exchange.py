"""Segments go out as YAML files and come in again, in two steps: what the file would do, then doing it."""

from collections import Counter
from hashlib import sha256
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminFileFieldWidget

from loyaltyflow.store.clock import store
from loyaltyflow.words import number

from ..exchange import documents
from ..exchange.documents import Refused
from ..exchange.importing import Change, What, rehearsed, take_in
from ..exchange.notation import LARGEST
from ..models import Segment, SegmentQuerySet
from .paths import page_of


class ImportForm(forms.Form):
    """A file, or what stands in one."""

    file = forms.FileField(
        label="A YAML file",
        required=False,
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".yaml,.yml,text/yaml,application/yaml"}),
    )
    text = forms.CharField(
        label="Or its text",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 16, "spellcheck": "false", "class": "lf-input lf-code"}),
    )


def paths(segments: ModelAdmin) -> list[URLPattern]:
    """Import for the list, export for each segment."""

    def bring_in(request: HttpRequest) -> HttpResponseBase:
        if not (segments.has_add_permission(request) and segments.has_change_permission(request)):
            raise PermissionDenied
        return imported(segments, request)

    return [
        path("import/", segments.admin_site.admin_view(bring_in), name="segments_segment_import"),
        page_of(segments, "segment.yaml", export, "yaml"),
    ]


def export(segments: ModelAdmin, request: HttpRequest, segment: Segment) -> HttpResponse:
    """The segment as a file."""
    return _file(Segment.objects.filter(pk=segment.pk), segment.name)


@admin.action(description="Export as YAML", permissions=["view"])
def export_chosen(segments: Any, request: HttpRequest, chosen: SegmentQuerySet) -> HttpResponse:
    """The chosen segments as one file."""
    names = list(chosen.values_list("name", flat=True)[:2])
    return _file(chosen, names[0] if len(names) == 1 else "segments")


def _file(segments: SegmentQuerySet, name: str) -> HttpResponse:
    header = content_disposition_header(True, f"{name.replace('/', '-')}.yaml")
    answer = HttpResponse(documents.written(segments), content_type="application/yaml; charset=utf-8")
    answer["Content-Disposition"] = header or "attachment"
    return answer


def imported(segments: ModelAdmin, request: HttpRequest) -> HttpResponseBase:
    """The form; what its file would do; or, when that was seen, the list after it was done."""
    form = ImportForm(request.POST or None, request.FILES or None)
    context: dict[str, Any] = {"title": "Import segments", "opts": segments.opts, "form": form}
    if request.method == "POST" and form.is_valid():
        text, now = _text(form), store().local(timezone.now())
        try:
            read = documents.read(text)
            changes = rehearsed(read, now)
            shown = text if isinstance(text, str) else text.decode("utf-8-sig")
            if request.POST.get("seen") == (seen := _digest(shown, changes)):
                by = request.user if request.user.is_authenticated else None
                return _done(request, take_in(documents.read(text), by, now))
            context |= {"changes": changes, "does": said(changes), "seen": seen}
            context |= {"has_changed": bool(request.POST.get("seen"))}
            context["form"] = ImportForm(initial={"text": shown})
        except Refused as error:
            context["reasons"] = error.reasons
            context["form"] = ImportForm(initial={"text": _shown(text)})
    context = segments.admin_site.each_context(request) | context
    return TemplateResponse(request, "admin/segments/segment/import.html", context)


def said(changes: list[Change]) -> str:
    """What all of them come to, in words."""
    counts = Counter(change.what for change in changes)
    new, changed, same = counts[What.NEW], counts[What.CHANGED], counts[What.SAME]
    parts = [f"{new:,} new"] if new else []
    if changed:
        becomes = "what the file says becomes its unsaved changes" if changed == 1 else "each gets unsaved changes"
        parts.append(f"{number(changed, 'changes one that is here', 'change ones that are here')}: {becomes}")
    if same:
        parts.append(f"{same:,} {'is' if same == 1 else 'are'} here as {'it is' if same == 1 else 'they are'}")
    return "; ".join(parts)


def _done(request: HttpRequest, changes: list[Change]) -> HttpResponse:
    messages.success(request, f"Imported: {said(changes)}. New segments are off until you activate them.")
    return HttpResponseRedirect(reverse("admin:segments_segment_changelist"))


def _text(form: ImportForm) -> str | bytes:
    """What is in the file, else what was typed, its lines ended as in files."""
    file = form.cleaned_data["file"]
    if file:
        return bytes(file.read(LARGEST + 1))
    return str(form.cleaned_data["text"]).replace("\r\n", "\n")


def _shown(text: str | bytes) -> str:
    """The text for the form, as far as it is one and not far too long."""
    return (text if isinstance(text, str) else text.decode("utf-8-sig", "replace"))[: LARGEST + 1].replace("\0", "")


def _digest(text: str, changes: list[Change]) -> str:
    """What the page hands back, so that nothing else is done than it has shown."""
    told = [(change.segment.name, str(change.what), change.notes) for change in changes]
    return sha256(repr((text, told)).encode()).hexdigest()
