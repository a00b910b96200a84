"""Saving, discarding and activating in the editor, each after it has said what will happen."""

from django.core.exceptions import ValidationError
from django.http import HttpResponse

from loyaltyflow.sql import TooSlow
from loyaltyflow.store.templatetags.figures import count

from .. import counting, refresh
from ..editing import drafts, publishing
from ..editing.conflicts import Changed
from ..models import Segment
from .answers import PARTS, Panel, answer, told_by
from .owner import SegmentTree


def in_words(owner: SegmentTree) -> HttpResponse:
    """The whole tree as one sentence."""
    return answer(owner, _text("In words", "All of it as one sentence.", "?words=1", "words", owner.words))


def save(owner: SegmentTree) -> HttpResponse:
    """Make the draft what the segment is judged by; for an active segment, after saying who moves."""
    posted = owner.request.method == "POST"
    if not owner.changes:
        return answer(owner, _text("Saved", "There is nothing more to save.", "?save=1", "words", _state(owner)))
    if owner.faults:
        return answer(owner, _confirm(owner, told=_faults(owner)), status=409 if posted else 200)
    if not posted or (owner.is_live and "sure" not in owner.request.POST):
        return answer(owner, _confirm(owner))
    return _published(owner)


def _published(owner: SegmentTree) -> HttpResponse:
    seen, starts = owner.request.POST.get("seen", ""), "start" in owner.request.POST
    try:
        done = publishing.publish(owner.segment, owner.now, owner.by, seen, start_workflows=starts)
    except Changed as conflict:
        owner.forget()
        told = f"{told_by(conflict, 'changed the conditions')} Look at them again, then save."
        return answer(owner, _confirm(owner, told=told), with_rows=True, status=409)
    except ValidationError as refusal:
        owner.forget()
        return answer(owner, _confirm(owner, told=" ".join(refusal.messages)), status=409)
    owner.forget()
    text = f"{_people(done.enter, 'joined')}, {_people(done.leave, 'left')}." if owner.is_live else _state(owner)
    panel = _text("Saved", "The conditions are saved.", "", text=text, kind="words")
    return answer(owner, panel, with_rows=True, changed=True)


def _confirm(owner: SegmentTree, told: str = "") -> Panel:
    """What saving will do, and the button for it."""
    panel = _text("Save the changes", f"{owner.unsaved}.", "?save=1", kind="save")
    panel |= {"post": f"{owner.address}save/", "seen": drafts.digest(owner.tree), "apply": "Save", "told": told}
    if owner.is_live and not owner.faults:
        found = publishing.impact(owner.segment, owner.now)
        panel |= {"impact": found, "starts": found.starts, "drops": found.drops}
    else:
        panel["text"] = "Nobody is moved: the segment is not active." if not owner.is_live else ""
    return panel


def discard(owner: SegmentTree) -> HttpResponse:
    """Forget the changes that are not saved."""
    if owner.request.method == "POST":
        drafts.discard(owner.segment)
        owner.forget()
        return answer(owner, with_rows=True, changed=True)
    text = f"{owner.unsaved}. The conditions will be again what was saved last."
    panel = _text("Discard changes", "This cannot be undone.", "?discard=1", text=text, kind="save")
    return answer(owner, panel | {"post": f"{owner.address}discard/", "apply": "Discard"})


def activate(owner: SegmentTree) -> HttpResponse:
    """Save what is not saved, build the segment, and keep it up to date from now on."""
    if owner.request.method == "POST":
        return _activated(owner)
    if owner.faults:
        return answer(owner, _activation(owner, "") | {"told": _faults(owner)})
    try:
        number = counting.counted(owner.tree, owner.now)
    except TooSlow:
        who = "Customers who match now"
    else:
        noun = "customer matches" if number.number == 1 else "customers match"
        who = f"{'About ' if number.is_about else ''}{count(number.number)} {noun} now and"
    return answer(owner, _activation(owner, f"{who} will be in it. Workflows start with those who come later."))


def _activation(owner: SegmentTree, text: str) -> Panel:
    panel = _text("Activate", "From then on its members are kept up to date each minute.", "?activate=1", kind="save")
    panel |= {"post": f"{owner.address}activate/", "seen": drafts.digest(owner.tree), "text": text}
    return panel | {"apply": "Save and activate" if owner.changes else "Activate"}


def _activated(owner: SegmentTree) -> HttpResponse:
    try:
        if owner.changes:
            publishing.publish(owner.segment, owner.now, owner.by, owner.request.POST.get("seen", ""))
        elif owner.segment.holds_everybody():
            raise ValidationError(f"“{owner.name}” has no conditions, so everybody would be in it. Add one first.")
    except (ValidationError, Changed) as refusal:
        owner.forget()
        told = " ".join(refusal.messages) if isinstance(refusal, ValidationError) else told_by(refusal, "changed this")
        return answer(owner, _activation(owner, "") | {"told": told}, with_rows=True, status=409)
    refresh.activate(Segment.objects.filter(pk=owner.pk), owner.now)
    owner.forget()
    text = f"{_people(owner.segment.members_now, 'are in it')}. Who comes or goes from now on is known within a minute."
    panel = _text("Active", "The segment is kept up to date.", "", text=text, kind="words")
    return answer(owner, panel, with_rows=True, changed=True)


def _text(title: str, help: str, address: str, kind: str, text: str = "") -> Panel:
    return {"template": f"{PARTS}/{kind}.html", "title": title, "help": help, "address": address, "text": text}


def _faults(owner: SegmentTree) -> str:
    return " ".join(sentence for sentences in owner.faults.values() for sentence in sentences)


def _state(owner: SegmentTree) -> str:
    if owner.is_live:
        return f"{_people(owner.segment.members_now, 'are in it')}."
    return "Nobody is in it yet: it is not active. Activate it when you are ready."


def _people(number: int, did: str) -> str:
    if not number:
        return f"Nobody {did.replace('are', 'is')}"
    one = did.replace("are", "is")
    return f"1 customer {one}" if number == 1 else f"{count(number)} customers {did}"
