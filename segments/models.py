from collections.abc import Collection, Iterable
from datetime import datetime
from hashlib import sha256
from json import dumps
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Exists, OuterRef, Q
from django.urls import reverse

from loyaltyflow import words
from loyaltyflow.store.models import Customer

from .conditions import Condition
from .conditions.all_of import AllOf
from .conditions.base import Explanation, plant
from .conditions.groups import by_itself
from .memberships import Membership, Recheck
from .uploads import RejectedRow, Upload
from .uses import Teller, Use, trees_naming, uses_of

__all__ = ["Membership", "Recheck", "RejectedRow", "Segment", "Upload", "Use"]


class SegmentQuerySet(models.QuerySet["Segment"]):
    def live(self) -> "SegmentQuerySet":
        """Dynamic segments whose membership is kept up to date."""
        return self.filter(is_active=True, kind=Segment.Kind.DYNAMIC)

    def failing(self) -> "SegmentQuerySet":
        """Live segments that the last refresh could not judge."""
        return self.live().exclude(fault="")

    def archived(self) -> "SegmentQuerySet":
        """Segments that staff put away; nobody's lists offer them."""
        return self.filter(archived_at__isnull=False)

    def shown(self) -> "SegmentQuerySet":
        """Segments that nobody put away."""
        return self.filter(archived_at__isnull=True)

    def by_hand(self) -> "SegmentQuerySet":
        """Static segments that customers can be put into."""
        return self.shown().filter(kind=Segment.Kind.STATIC)

    def with_trees(self, *also: str) -> list["Segment"]:
        """The segments, each with its whole condition tree; the statements depend only on the types in the trees.

        With "draft", also the tree that staff are changing.
        """
        found, names = list(self), ["root", *also]
        ids = {getattr(each, f"{name}_id") for each in found for name in names} - {None}
        tops = {top.pk: top for top in Condition.objects.filter(pk__any=sorted(ids))}
        plant(tops.values())
        for each in found:
            for name in names:
                setattr(each, name, tops.get(getattr(each, f"{name}_id")))
        return found

    @transaction.atomic
    def delete(self) -> tuple[int, dict[str, int]]:
        """Delete the segments and the conditions that only they ask."""
        held = Segment.objects.select_for_update().filter(pk__in=list(self.values_list("pk", flat=True)))
        trees = [pk for pair in held.values_list("root", "draft") for pk in pair if pk]
        done = super().delete()
        fell(trees)
        return done

    delete.queryset_only = delete.alters_data = True  # type: ignore[attr-defined]  # as Django's own is


class Segment(models.Model):
    """A group of customers: those who meet a condition, or those whom somebody put in by hand.

    A dynamic segment is built when it is activated, without events. From then on each refresh records who entered and
    who left, and if its conditions (or the store's time zone) are no longer those it was last judged by, everybody is
    judged again, with events.
    """

    class Kind(models.TextChoices):
        DYNAMIC = "dynamic", "Kept up to date by conditions"
        STATIC = "static", "Filled by hand, import or workflow"

    name = models.CharField(max_length=100, unique=True)
    description = models.TextField(blank=True)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.DYNAMIC)
    root = models.OneToOneField(
        Condition, on_delete=models.PROTECT, null=True, blank=True, related_name="segment", verbose_name="condition"
    )
    # What staff are changing: there only while something is not saved, and one for all of them.
    draft = models.OneToOneField(
        Condition, on_delete=models.PROTECT, null=True, blank=True, editable=False, related_name="draft_of"
    )
    draft_changed_at = models.DateTimeField(null=True, blank=True, editable=False)
    draft_changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    saved_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="When a draft became the root.")
    saved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    is_active = models.BooleanField("active", default=False, help_text="Members are kept up to date each minute.")
    built_at = models.DateTimeField("built", null=True, blank=True, editable=False)
    built_from = models.CharField(
        max_length=64, blank=True, editable=False, help_text="Digest of the conditions and zone it was judged by last."
    )
    tells_tills = models.BooleanField(
        "shown at the till",
        default=True,
        db_default=True,
        help_text="The people at the till see whether a customer is in it. Off for what is better not said aloud.",
    )
    fault = models.TextField(
        blank=True, default="", editable=False, help_text="What kept the last refresh from judging it."
    )
    members_now = models.PositiveIntegerField(
        "members", default=0, db_default=0, editable=False, help_text="Kept with each change of membership."
    )
    archived_at = models.DateTimeField("archived", null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    # Each tells what asks who is in the segment; the apps above add theirs.
    uses: ClassVar[list[Teller]] = []

    objects = SegmentQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="static", root__isnull=True, draft__isnull=True) | Q(kind="dynamic"),
                name="a_static_segment_has_no_condition",
            ),
            models.CheckConstraint(
                condition=Q(archived_at__isnull=True) | Q(is_active=False), name="an_archived_segment_is_not_active"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_static(self) -> bool:
        """Whether it is filled by hand, import or workflow, and asks no conditions."""
        return self.kind == self.Kind.STATIC

    def must_be_static(self) -> None:
        """Raise ValidationError if it fills itself by its conditions."""
        if not self.is_static:
            raise ValidationError(
                f"“{self}” is kept up to date by its conditions. Choose a segment that is filled by hand, or add one."
            )

    def must_be_filled_by_hand(self) -> None:
        """Raise ValidationError if customers cannot be put into it one by one."""
        self.must_be_static()
        if self.archived_at:
            raise ValidationError(f"“{self}” is archived. Bring it back first, or choose another segment.")

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Delete it and the conditions that only it asks."""
        with transaction.atomic():
            held = Segment.objects.select_for_update().filter(pk=self.pk)  # it may have been published meanwhile
            trees = [pk for pair in held.values_list("root", "draft") for pk in pair if pk]
            done = super().delete(*args, **kwargs)
            fell(trees)
        return done

    def used_by(self) -> list[Use]:
        """What names it, the live ones first."""
        return uses_of([self.pk], Segment.uses)[self.pk]

    def archive(self, now: datetime) -> bool:
        """Whether it was put away just now, as nothing uses it; its members are no longer kept up to date.

        Raises ValidationError with what uses it.
        """
        if used := [use for use in self.used_by() if not use.is_past]:
            raise ValidationError(
                f"“{self}” is used by {words.plain(words.listed(used, 'and'))}. Detach it there first."
            )
        rows = Segment.objects.filter(pk=self.pk, archived_at=None)
        archived = rows.update(archived_at=now, is_active=False, built_at=None, built_from="")
        self.refresh_from_db(fields=["archived_at", "is_active", "built_at", "built_from"])
        return archived == 1

    def bring_back(self) -> bool:
        """Whether it was archived and is on the lists again, not active."""
        back = Segment.objects.filter(pk=self.pk, archived_at__isnull=False).update(archived_at=None)
        self.refresh_from_db(fields=["archived_at"])
        return back == 1

    def edited(self) -> Condition:
        """The top group of the tree that staff see in the editor: the draft's, or the saved one's if there is none.

        It is not stored if there are no conditions yet, or only one that stands in no group.
        """
        tree = self.draft or self.root
        if tree is not None and tree.takes_parts:
            return tree
        top = AllOf()
        top.__dict__["_parts"] = [tree] if tree else []
        return top

    def holds_everybody(self) -> bool:
        """Whether it has groups without conditions where conditions should be, so that nobody would be left out."""
        return not self.is_static and self.root is not None and by_itself(self.root) is True

    def summary(self) -> str:
        """Who is in it, in words."""
        if self.is_static:
            return "Customers who were put in by hand, import or workflow."
        return f"Customers who {self.root.summary()}." if self.root else "Nobody yet: it has no conditions."

    def matching(self, now: datetime) -> models.QuerySet[Customer]:
        """Customers who belong in it at `now`, by its conditions; for a static segment, those who are in."""
        if self.is_static:
            return Customer.objects.filter(Exists(self.memberships.at(now).filter(customer=OuterRef("pk"))))
        return Customer.objects.filter(self.root.q(now)) if self.root else Customer.objects.none()

    def matching_of_all(self, now: datetime) -> models.QuerySet[Customer]:
        """The same customers as `matching`, found quickest when nobody is left out."""
        if self.is_static or not self.root:
            return self.matching(now)
        return Customer.objects.filter(self.root.q_of_everybody(now))

    def explain(self, customer: Customer, now: datetime) -> Explanation:
        """Why the customer belongs in it at `now`, or does not; a static segment says only whether they are in."""
        if self.root:
            return self.root.explain(customer, now)
        is_in = self.memberships.at(now).filter(customer=customer).exists()
        return Explanation(words.drawn(self.summary()), is_in, "was put in" if is_in else "was not put in")

    def count(self, now: datetime) -> int:
        """How many customers meet its conditions at `now`, counted afresh."""
        return self.matching_of_all(now).count()

    def asks_for(self) -> Iterable[int]:
        """The ids of the segments whose members its conditions ask for."""
        return self.root.segments() if self.root else ()

    def digest(self, now: datetime) -> str:
        """A text that changes with the conditions, what they rest on, and the zone in which `now` counts its days."""
        wording = self.root.wording() if self.root else []
        rests_on = [each.rests_on() for each in self.root.walk()] if self.root else []
        return sha256(dumps([str(now.tzinfo), wording, rests_on]).encode()).hexdigest()

    def astray(self, now: datetime) -> tuple[models.QuerySet[Customer], models.QuerySet[Customer]]:
        """Customers who belong in it at `now` but are not in, and those who are in but do not belong."""
        stay = Exists(self.memberships.at(now).filter(customer=OuterRef("pk")))
        matching = self.matching(now)
        missing = matching.exclude(stay)
        return missing, Customer.objects.filter(stay).exclude(Exists(matching.filter(pk=OuterRef("pk"))))


def fell(tops: Iterable[int]) -> None:
    """Delete the trees with these ids at their tops."""
    known = list(tops)
    if known:
        Condition.objects.filter(Q(pk__in=known) | Q(tree__in=known)).delete()


def _asking_segments(segments: Collection[int]) -> Iterable[tuple[int, Use]]:
    """The other segments whose conditions, or drafts of them, name these."""
    trees = trees_naming(segments)
    tops = list(trees)
    for each in Segment.objects.filter(Q(root__any=tops) | Q(draft__any=tops)):
        saved, drafted = (trees.get(top or 0, set()) for top in (each.root_id, each.draft_id))
        url = reverse("admin:segments_segment_change", args=[each.pk])
        for named in (saved | drafted) - {each.pk}:
            yield named, Use("segment", each.name, url, each.is_active and named in saved, segment=each.pk)


Segment.uses.append(_asking_segments)
