"""What the editor of conditions edits: the draft of a segment, and what its head says of it."""

from datetime import datetime
from functools import cached_property
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from loyaltyflow.store.clock import store
from loyaltyflow.store.models import Customer, EventType
from loyaltyflow.store.templatetags.figures import clock, count, day
from loyaltyflow.words import drawn

from ..checks import condition_types
from ..conditions import Condition
from ..conditions.base import prefetch_references
from ..conditions.did_event import WRITTEN_BY_SEGMENTS
from ..editing import drafts
from ..editing.faults import faults
from ..models import Segment


class Owner:
    """What a tree of conditions belongs to, as one person edits it at one moment."""

    head = ""  # the template of what stands above the rows
    page = address = strip = ""
    opts: Any = None
    may_ask = keeps_a_draft = False

    def __init__(self, request: HttpRequest, may_change: bool) -> None:
        self.request, self.may_change = request, may_change
        self.now: datetime = store().local(timezone.now())
        self.by: Any = request.user

    @property
    def name(self) -> str:
        """What the editor calls it."""
        raise NotImplementedError

    @property
    def subject(self) -> Any:
        """What the verbs of `drafts` change the conditions of."""
        raise NotImplementedError

    @property
    def is_counted(self) -> bool:
        """Whether its conditions can be asked of all customers."""
        return True

    def forget(self) -> None:
        """Read everything afresh when it is asked for next."""
        for name in ("segment", "subject", "tree", "faults", "changes", "is_counted"):
            self.__dict__.pop(name, None)

    @cached_property
    def tree(self) -> Condition:
        tree: Condition = self.subject.edited()
        prefetch_references(tree.walk())
        for group in tree.walk():
            for part in group.parts() if group.pk else []:
                part.parent = group  # known already, and perhaps deleted by somebody else by the time it is asked for
        return tree

    @cached_property
    def faults(self) -> dict[int, list[str]]:
        return faults(self.tree)

    @property
    def is_empty(self) -> bool:
        return not self.tree.parts()

    @property
    def words(self) -> SafeString:
        """The whole of it as one sentence."""
        return drawn(f"Customers who {self.tree.phrase()}.")

    def kinds(self) -> list[type[Condition]]:
        """The types of conditions that can be added."""
        return [kind for kind in condition_types() if kind.asked_of_segments]

    def choices(self, kind: type[Condition]) -> dict[str, Any]:
        """The rows that a column of the type can name, where they are not simply all."""
        return self.among(kind, {"segments.segment": Segment.objects.shown(), **self.always})

    @property
    def always(self) -> dict[str, Any]:
        """The events that can be asked for: those that segments write are refused."""
        return {"store.eventtype": EventType.objects.exclude(name__in=WRITTEN_BY_SEGMENTS)}

    def among(self, kind: type[Condition], shown: dict[str, Any]) -> dict[str, Any]:
        """The rows of some models, by the columns of the type that name them."""
        named = [each for each in kind._meta.concrete_fields if each.is_relation and each.model is not Condition]
        labels = {each.name: each.related_model._meta.label_lower for each in named}
        return {name: shown[label] for name, label in labels.items() if label in shown}

    def row(self, number: int) -> Condition:
        return drafts.row(self.subject, number)

    def add(self, group: int, new: Condition, after: int) -> Condition:
        return drafts.add(self.subject, group, new, self.by, self.now, after or None)

    def save(self, wanted: Condition, seen: str) -> Condition:
        return drafts.save(self.subject, wanted, seen, self.by, self.now)

    def move(self, number: int, group: int, position: int) -> Condition:
        return drafts.move(self.subject, number, group, position, self.by, self.now)

    def copy(self, number: int) -> Condition:
        return drafts.copy(self.subject, number, self.by, self.now)

    def delete(self, number: int) -> None:
        drafts.delete(self.subject, number, self.by, self.now)

    def negate(self, number: int) -> Condition:
        return drafts.negate(self.subject, number, self.by, self.now)

    def set_mode(self, number: int, kind: Any) -> Condition:
        return drafts.set_mode(self.subject, number, kind, self.by, self.now)


class SegmentTree(Owner):
    """The conditions of a segment: its draft, if something is not saved yet."""

    head = "admin/segments/segment/builder/head.html"
    keeps_a_draft = True
    first_step = "Add a condition to narrow it."
    opts = Segment._meta

    def __init__(self, segments: ModelAdmin, request: HttpRequest, segment: Segment) -> None:
        super().__init__(request, segments.has_change_permission(request))
        self.pk = segment.pk
        self.may_ask = request.user.has_perm("store.view_customer")
        self.page = reverse("admin:segments_segment_change", args=[segment.pk])
        self.address = reverse("admin:segments_segment_conditions", args=[segment.pk])

    @cached_property
    def segment(self) -> Segment:
        return Segment.objects.filter(pk=self.pk).select_related("saved_by").with_trees("draft")[0]

    @property
    def subject(self) -> Segment:
        return self.segment

    @cached_property
    def changes(self) -> int:
        return drafts.changes(self.segment)

    def choices(self, kind: type[Condition]) -> dict[str, Any]:
        """Not the segment itself."""
        others = Segment.objects.shown().exclude(pk=self.pk)
        return self.among(kind, {"segments.segment": others, **self.always})

    @property
    def name(self) -> str:
        return self.segment.name

    @property
    def seen(self) -> str:
        """By which it is known, when the draft is saved, whether somebody changed it meanwhile."""
        return drafts.digest(self.tree)

    @property
    def everyone(self) -> str:
        return f"Everyone ({count(Customer.objects.count())})."

    @property
    def is_live(self) -> bool:
        return self.segment.is_active

    @property
    def state(self) -> str:
        if self.segment.archived_at:
            return "Archived"
        return "Active" if self.is_live else "Off"

    @property
    def is_saved(self) -> bool:
        return self.segment.saved_at is not None

    @property
    def saved(self) -> str:
        """When it was saved last, and by whom: Saved 10:38 am by Erin."""
        at = self.segment.saved_at
        if at is None:
            return ""
        is_today = at.astimezone(self.now.tzinfo).date() == self.now.date()
        return f"Saved {clock(at) if is_today else day(at)}{by(self.segment.saved_by)}"

    @property
    def unsaved(self) -> str:
        if self.changes:
            return f"{count(self.changes)} change{'' if self.changes == 1 else 's'} not saved"
        return "No changes to save" if self.is_saved else ""

    @property
    def can_activate(self) -> bool:
        return not self.is_live and not self.segment.archived_at and not self.is_empty

    @property
    def kept(self) -> str:
        return "Each minute" if self.is_live else "Not yet: it is not active"

    @property
    def used(self) -> str:
        """By what it is used, each kind with its number: 1 live workflow, 2 segments."""
        kinds: dict[str, int] = {}
        for use in self.segment.used_by():
            kind = f"{'live ' if use.is_live else ''}{use.kind}"
            kinds[kind] = kinds.get(kind, 0) + 1
        told = [f"{count(number)} {kind}{'' if number == 1 else 's'}" for kind, number in kinds.items()]
        return ", ".join(told) or "Nothing yet"

    @property
    def outcome_title(self) -> str:
        return "If you save now" if self.changes else "Members"

    @property
    def outcome(self) -> str:
        if self.changes:
            return "Counting …" if self.is_live else "Nobody is moved until it is active"
        return count(self.segment.members_now) if self.is_live else "None until it is active"


def by(person: Any) -> str:
    """“ by Erin”, or nothing if nobody is known."""
    return f" by {called(person)}" if person else ""


def called(person: Any) -> str:
    """What the others call the person."""
    return person.get_short_name() or person.get_username() if person else "Somebody"
