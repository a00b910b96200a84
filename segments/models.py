from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from json import dumps

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Exists, OuterRef, Q

from loyaltyflow import words
from loyaltyflow.store.models import Customer

from .conditions import Condition
from .conditions.base import Explanation, plant
from .memberships import Membership, Recheck
from .uploads import RejectedRow, Upload

__all__ = ["Membership", "Recheck", "RejectedRow", "Segment", "Upload"]


class SegmentQuerySet(models.QuerySet["Segment"]):
    def live(self) -> "SegmentQuerySet":
        """Dynamic segments whose membership is kept up to date."""
        return self.filter(is_active=True, kind=Segment.Kind.DYNAMIC)

    def archived(self) -> "SegmentQuerySet":
        """Segments that staff put away; nobody's lists offer them."""
        return self.filter(archived_at__isnull=False)

    def shown(self) -> "SegmentQuerySet":
        """Segments that nobody put away."""
        return self.filter(archived_at__isnull=True)

    def by_hand(self) -> "SegmentQuerySet":
        """Static segments that customers can be put into."""
        return self.shown().filter(kind=Segment.Kind.STATIC)

    def with_trees(self) -> list["Segment"]:
        """The segments, each with its whole condition tree; the statements depend only on the types in the trees."""
        found = list(self)
        tops = Condition.objects.filter(pk__any=[each.root_id for each in found if each.root_id])
        roots = {top.pk: top for top in tops}
        plant(roots.values())
        for each in found:
            each.root = roots.get(each.root_id) if each.root_id else None
        return found


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
    is_active = models.BooleanField("active", default=False, help_text="Members are kept up to date each minute.")
    built_at = models.DateTimeField("built", null=True, blank=True, editable=False)
    built_from = models.CharField(
        max_length=64, blank=True, editable=False, help_text="Digest of the conditions and zone it was judged by last."
    )
    members_now = models.PositiveIntegerField(
        "members", default=0, db_default=0, editable=False, help_text="Kept with each change of membership."
    )
    archived_at = models.DateTimeField("archived", null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SegmentQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="static", root__isnull=True) | Q(kind="dynamic"),
                name="a_static_segment_has_no_condition",
            ),
            models.CheckConstraint(
                condition=Q(archived_at__isnull=True) | Q(is_active=False), name="an_archived_segment_is_not_active"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def must_be_static(self) -> None:
        """Raise ValidationError if it fills itself by its conditions."""
        if self.kind != self.Kind.STATIC:
            raise ValidationError(
                f"“{self}” is kept up to date by its conditions. Choose a segment that is filled by hand, or add one."
            )

    def must_be_filled_by_hand(self) -> None:
        """Raise ValidationError if customers cannot be put into it one by one."""
        self.must_be_static()
        if self.archived_at:
            raise ValidationError(f"“{self}” is archived. Bring it back first, or choose another segment.")

    def summary(self) -> str:
        """Who is in it, in words."""
        if self.kind == self.Kind.STATIC:
            return "Customers who were put in by hand, import or workflow."
        return f"Customers who {self.root.summary()}." if self.root else "Nobody yet: it has no conditions."

    def matching(self, now: datetime) -> models.QuerySet[Customer]:
        """Customers who belong in it at `now`, by its conditions; for a static segment, those who are in."""
        if self.kind == self.Kind.STATIC:
            return Customer.objects.filter(Exists(self.memberships.at(now).filter(customer=OuterRef("pk"))))
        return Customer.objects.filter(self.root.q(now)) if self.root else Customer.objects.none()

    def explain(self, customer: Customer, now: datetime) -> Explanation:
        """Why the customer belongs in it at `now`, or does not; a static segment says only whether they are in."""
        if self.root:
            return self.root.explain(customer, now)
        is_in = self.memberships.at(now).filter(customer=customer).exists()
        return Explanation(words.drawn(self.summary()), is_in, "was put in" if is_in else "was not put in")

    def count(self, now: datetime) -> int:
        """How many customers meet its conditions at `now`, counted afresh."""
        return self.matching(now).count()

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
