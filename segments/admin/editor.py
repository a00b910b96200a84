"""The editor of a segment's conditions. Each answer is a page, or those parts of it that htmx asked for."""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.http import HttpResponseNotAllowed as NotAllowed
from django.http import HttpResponseRedirect as Redirect
from django.urls import URLPattern
from django.utils.html import format_html
from unfold.admin import ModelAdmin

from ..checks import condition_types
from ..conditions import Condition
from ..editing import drafts
from ..editing.conflicts import Changed, Conflict, Gone
from ..editing.differences import TOP, find
from ..forms.condition import condition_form
from ..forms.lookups import RowField, found, note
from ..models import Segment
from . import counted, saving
from .answers import POSTED, Panel, answer, number_of, part, row_panel, told_by
from .owner import Owner, SegmentTree
from .paths import page_of
from .rows import MODES, Place, offered, title

FOUND = 12  # rows that a search shows
LAST = 10_000  # behind all rows of a group

View = Callable[..., HttpResponseBase]


def paths(segments: ModelAdmin) -> list[URLPattern]:
    """The editor, at segments/segment/<pk>/conditions/."""

    def at(address: str, view: View, name: str, may: str) -> URLPattern:
        def answered(page: ModelAdmin, request: HttpRequest, segment: Segment, **more: Any) -> HttpResponseBase:
            if segment.is_static:
                raise Http404("This segment is filled by hand: it has no conditions.")
            return shown(view, SegmentTree(page, request, segment), **more)

        return page_of(segments, f"conditions/{address}", answered, f"conditions{name}", may)

    return [at(*each) for each in [*views(), *OF_SEGMENTS]]


def shown(view: View, owner: Owner, **more: Any) -> HttpResponseBase:
    """What the view answers; what only does something answers only to what is sent."""
    if view in POSTED and owner.request.method != "POST":
        return NotAllowed(["POST"])
    return view(owner, **more)


def views() -> list[tuple[str, View, str, str]]:
    """The addresses below the editor's own: what answers, its name, and what one must be allowed to do."""
    return [
        ("", page, "", "view"),
        ("rows/new/", palette, "_new", "change"),
        ("rows/", add, "_add", "change"),
        ("rows/count/", counted.new_row, "_count_new", "change"),
        ("rows/<int:number>/", row, "_row", "view"),
        ("rows/<int:number>/count/", counted.row, "_count_row", "view"),
        ("rows/<int:number>/move/", move, "_move", "change"),
        ("rows/<int:number>/copy/", copy, "_copy", "change"),
        ("rows/<int:number>/negate/", negate, "_negate", "change"),
        ("rows/<int:number>/delete/", delete, "_delete", "change"),
        ("groups/", add_group, "_add_group", "change"),
        ("groups/<int:number>/", set_mode, "_mode", "change"),
        ("options/<str:kind>/<str:name>/", options, "_options", "view"),
        ("count/", counted.strip, "_count", "view"),
        ("hits/", counted.hits, "_hits", "view"),
        ("samples/", counted.samples, "_samples", "view"),
        ("customers/", counted.customers, "_customers", "view"),
        ("why/", counted.why, "_why", "view"),
    ]


PANELS: dict[str, View] = {
    "words": saving.in_words,
    "save": saving.save,
    "discard": saving.discard,
    "activate": saving.activate,
}
OF_SEGMENTS: list[tuple[str, View, str, str]] = [
    ("impact/", counted.impact, "_impact", "view"),
    ("words/", saving.in_words, "_words", "view"),
    ("save/", saving.save, "_save", "change"),
    ("discard/", saving.discard, "_discard", "change"),
    ("activate/", saving.activate, "_activate", "change"),
]


def page(owner: Owner) -> HttpResponseBase:
    """The editor, with the panel that the address names: ?row=7, ?new=0&type=…, ?words=1, ?save=1."""
    asked = owner.request.GET
    if "row" in asked:
        return row(owner, number_of(asked, "row"))
    if "new" in asked and owner.may_change:
        return palette(owner)
    for name, view in PANELS.items() if isinstance(owner, SegmentTree) else []:
        if name in asked and (owner.may_change or name == "words"):
            return view(owner)
    return answer(owner)


def palette(owner: Owner) -> HttpResponse:
    """What can be added to the group, or, once a type is chosen, its form."""
    asked = owner.request.GET
    group, after = number_of(asked, "to" if "to" in asked else "new"), number_of(asked, "after")
    place = Place(group, after)
    if kind := _kind(owner, asked.get("type", "")):
        form = _form(owner, kind(), place=place)
        named = Place(group, after, f"New: {title(kind)}")
        return answer(owner, row_panel(owner, form, place=place), place=named, with_rows=True)
    return answer(owner, _palette(owner, place), place=place, with_rows=True)


def _palette(owner: Owner, place: Place) -> Panel:
    behind = find(owner.tree, place.after) if place.after else None
    last = "Last in the list." if place.group == TOP else "Last in its group."
    where = format_html("After “{}”.", behind.sentence()) if behind else last
    return {
        "template": "editor/palette.html",
        "address": f"?new={place.group}" + (f"&after={place.after}" if place.after else ""),
        "title": "Add a condition",
        "help": where,
        "hint": "Search conditions, such as “bought”",
        "nothing": "No condition is called that. Try another word, such as “bought”, “tag” or “birthday”.",
        "columns": offered(owner.kinds()),
        "base": owner.address,
        "page": "",
        "to": place.group,
        "after": place.after or "",
    }


def _kind(owner: Owner, name: str) -> type[Condition] | None:
    return next((kind for kind in owner.kinds() if kind.type_name() == name and not kind.takes_parts), None)


def _form(owner: Owner, condition: Condition, data: Any = None, place: Place | None = None) -> Any:
    options: dict[str, Any] = {"now": owner.now, "address": owner.address, "offered": owner.choices(type(condition))}
    form = condition_form(type(condition))
    if place is not None and condition.parent_id is None:
        group = find(owner.tree, place.group)
        condition.parent = group if group is not None and group.pk else None
    return form(data, instance=condition, **options) if data is not None else form(instance=condition, **options)


def add(owner: Owner) -> HttpResponse:
    """A new condition of the type, saved in the draft, once its form is right."""
    data = owner.request.POST
    place = Place(number_of(owner.request.GET, "to"), number_of(owner.request.GET, "after"))
    kind = _kind(owner, owner.request.GET.get("type", ""))
    if kind is None:
        return answer(owner, told="This type of condition is not known. Choose another one.", status=409)
    form = _form(owner, kind(), data, place)
    if not form.is_valid():
        return answer(owner, row_panel(owner, form, place=place), place=place, status=422)
    try:
        made = owner.add(place.group, form.instance, place.after)
    except Gone:
        made = owner.add(TOP, form.instance, 0)
    except ValidationError as refusal:
        form.add_error(None, refusal.messages)
        return answer(owner, row_panel(owner, form, place=place), place=place, status=422)
    owner.forget()
    return _opened(owner, made, changed=True)


def row(owner: Owner, number: int) -> HttpResponse:
    """The form of one condition; what was typed is saved in the draft, once it is right."""
    if owner.request.method == "POST" and owner.may_change:
        return _save(owner, number)
    if owner.request.method == "GET" and "row" not in owner.request.GET and not owner.request.htmx:  # type: ignore[attr-defined]
        return Redirect(f"{owner.address}?row={number}")
    found = find(owner.tree, number)
    if found is None or found.takes_parts:
        return answer(owner, told="This condition is not there any more. Somebody deleted it.")
    return _opened(owner, found)


def _opened(owner: Owner, condition: Condition, changed: bool = False) -> HttpResponse:
    panel = row_panel(owner, _form(owner, owner.row(condition.number)))
    return answer(owner, panel, with_rows=changed, changed=changed)


def _save(owner: Owner, number: int) -> HttpResponse:
    data = owner.request.POST
    try:
        form = _form(owner, owner.row(number), data)
    except Gone as gone:
        return _deleted_meanwhile(owner, gone)
    if not form.is_valid():
        return answer(owner, row_panel(owner, form), status=422)
    try:
        saved = owner.save(form.instance, data.get("seen", ""))
    except Changed as conflict:
        return _changed_meanwhile(owner, form, conflict)
    except Gone as gone:
        return _deleted_meanwhile(owner, gone)
    except ValidationError as refusal:
        form.add_error(None, refusal.messages)
        return answer(owner, row_panel(owner, form), status=422)
    owner.forget()
    return _opened(owner, saved, changed=True)


def _changed_meanwhile(owner: Owner, form: Any, conflict: Changed) -> HttpResponse:
    """What somebody else saved and what was typed, to choose from."""
    told = told_by(conflict, "saved this condition")
    panel = row_panel(owner, form)
    theirs = conflict.theirs.sentence() if conflict.theirs else ""
    panel["conflict"] = {"sentence": told, "theirs": theirs, "theirs_title": "Theirs", "mine": form.instance.sentence()}
    panel["seen"] = drafts.own_digest(conflict.theirs) if conflict.theirs else ""
    owner.forget()
    return answer(owner, panel | {"is_dirty": True}, with_rows=True, changed=True, status=409)


def _deleted_meanwhile(owner: Owner, gone: Gone) -> HttpResponse:
    """What was typed, in the form of a new condition."""
    kind = _kind(owner, owner.request.POST.get("type", ""))
    owner.forget()
    if kind is None:
        return answer(owner, told=told_by(gone, "deleted this condition"), with_rows=True, changed=True, status=409)
    place = Place(TOP, 0)
    form = _form(owner, kind(), owner.request.POST, place)
    panel = row_panel(owner, form, place=place) | {"is_dirty": True, "apply": "Add it again"}
    panel["conflict"] = {"sentence": f"{told_by(gone, 'deleted this condition')} What you typed is still here."}
    return answer(owner, panel, place=place, with_rows=True, changed=True, status=409)


def _done(owner: Owner, do: Callable[[], Any], gone: int = 0) -> HttpResponse:
    """The rows after the change, or as they are with what speaks against it."""
    try:
        do()
    except ValidationError as refusal:
        owner.forget()
        return answer(owner, told=" ".join(refusal.messages), with_rows=True, changed=True, status=409)
    except Conflict as conflict:
        owner.forget()
        return answer(owner, told=told_by(conflict, "deleted this condition"), with_rows=True, changed=True, status=409)
    owner.forget()
    return answer(owner, with_rows=True, changed=True, gone=gone)


def move(owner: Owner, number: int) -> HttpResponse:
    # A menu says it in the address, dragging in the form.
    asked = {**owner.request.GET.dict(), **owner.request.POST.dict()}
    place = number_of(asked, "position") if "position" in asked else LAST
    return _done(owner, lambda: owner.move(number, number_of(asked, "to"), place))


def copy(owner: Owner, number: int) -> HttpResponse:
    return _done(owner, lambda: owner.copy(number))


def negate(owner: Owner, number: int) -> HttpResponse:
    return _done(owner, lambda: owner.negate(number))


def delete(owner: Owner, number: int) -> HttpResponse:
    return _done(owner, lambda: owner.delete(number), gone=number)


def add_group(owner: Owner) -> HttpResponse:
    """An empty group, asked the way its outer group is not."""
    to = number_of(owner.request.GET, "to")
    outer = find(owner.tree, to)
    kind = next(mode.kind for mode in MODES[::-1][1:] if not isinstance(outer, mode.kind))
    return _done(owner, lambda: owner.add(to, kind(), 0))


def set_mode(owner: Owner, number: int) -> HttpResponse:
    asked = owner.request.GET.get("mode", "")
    mode = next((mode for mode in MODES if mode.type == asked), MODES[0])
    return _done(owner, lambda: owner.set_mode(number, mode.kind))


def options(owner: Owner, kind: str, name: str) -> HttpResponse:
    """The rows that are called like what was typed."""
    known = {each.type_name(): each for each in condition_types()}
    form = _form(owner, known[kind]()) if kind in known else None
    field = form.fields.get(name) if form else None
    if not isinstance(field, RowField):
        raise Http404
    words = owner.request.GET.get(f"{name}_text", "").replace("\0", "").strip()
    rows = list(found(field.queryset, words)[: FOUND + 1])
    noted = [(each, note(each)) for each in rows[:FOUND]]
    about = {"rows": noted, "more": len(rows) > FOUND, "words": words, "field": name}
    return part(owner, "editor/options.html", about)


POSTED.update({add, move, copy, negate, delete, add_group, set_mode, counted.new_row})
