from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.expressions import Combinable

from loyaltyflow.store.models import Customer

from ..memberships import Membership
from .base import Condition

if TYPE_CHECKING:
    from ..models import Segment


class InSegment(Condition):
    """Is in another segment."""

    icon = "groups"
    shelf = "Segments"
    examples: ClassVar[list[dict[str, Any]]] = [{"other": "Regulars"}]

    other = models.ForeignKey(
        "segments.Segment", on_delete=models.PROTECT, related_name="asked_by", verbose_name="segment"
    )

    class Meta:
        verbose_name = verbose_name_plural = "in segment"

    def clean(self) -> None:
        """Refuse a segment whose members depend, directly or through others, on this segment itself."""
        super().clean()
        if self.other_id is None:
            return
        top = self if self.parent is None else self.parent.tree or self.parent
        own: Segment | None = getattr(top, "segment", None) or getattr(top, "draft_of", None)
        path = own and _path(self.other, own)
        if own and path:
            steps = ", and ".join(f"“{one}” asks for “{two}”" for one, two in zip(path, path[1:], strict=False))
            reason = f"{steps}." if steps else "it would ask for itself."
            raise ValidationError({"other": f"“{own}” cannot ask who is in “{self.other}”: {reason}"})

    def q(self, now: datetime) -> Q:
        return Q(Exists(Membership.objects.at(now).filter(segment=self.other_id, customer=OuterRef("pk"))))

    def flips(self, now: datetime) -> Combinable | None:
        """Never by itself: a change of the other segment is followed up in the same refresh."""
        return None

    def segments(self) -> Iterable[int]:
        return (self.other_id,)

    def phrase(self) -> str:
        return f"are in the segment “{self.other}”"

    def seen(self, customer: Customer, now: datetime) -> str:
        stay = Membership.objects.at(now).filter(segment=self.other_id, customer=customer).first()
        return f"in since {stay.joined_at.astimezone(now.tzinfo):%Y-%m-%d}" if stay else "not in"


def _path(start: "Segment", goal: "Segment") -> list["Segment"]:
    """The segments from `start` to `goal`, each asking for the next; empty if `start` does not depend on `goal`."""
    known = {each.pk: each for each in type(start).objects.with_trees()}
    paths, seen = [[known[start.pk]]], {start.pk}
    while paths:
        path = paths.pop(0)
        if path[-1].pk == goal.pk:
            return path
        fresh = {*path[-1].asks_for()} - seen
        seen |= fresh
        paths += [[*path, known[pk]] for pk in sorted(fresh)]
    return []
