from datetime import datetime
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Exists, OuterRef, Q, Subquery
from django.db.models.expressions import Combinable

from loyaltyflow.sql import LocalDayStart
from loyaltyflow.store.models import Customer, Tag, Tagging
from loyaltyflow.store.templatetags.figures import moment
from loyaltyflow.words import number, strong

from ..comparisons.dates import LONGEST, midnight
from .base import Condition


class HasTag(Condition):
    """A tag is pinned to the customer, or is not; it may also be asked since when.

    Who lost the tag and got it again has had it since then.
    """

    icon = "sell"
    shelf = "About them"
    labels: ClassVar[dict[str, str]] = {"operator": "The customer"}
    units: ClassVar[dict[str, str]] = {"days": "days"}
    examples: ClassVar[list[dict[str, Any]]] = [
        {"tag": "vip", "operator": "has"},
        {"tag": "vip", "operator": "has_not"},
        {"tag": "vip", "operator": "got_in_past_days", "days": 30},
        {"tag": "regular", "operator": "has_had_for_days", "days": 7},
    ]

    class Operator(models.TextChoices):
        HAS = "has", "has it"
        HAS_NOT = "has_not", "does not have it"
        GOT = "got_in_past_days", "has it and got it in the past days"
        HAS_HAD = "has_had_for_days", "has had it for at least so many days"

    operator = models.CharField(max_length=20, choices=Operator.choices, default=Operator.HAS)
    tag = models.ForeignKey(Tag, on_delete=models.PROTECT, related_name="+")
    days = models.PositiveIntegerField(
        null=True, blank=True, validators=[MaxValueValidator(LONGEST)], help_text="0: today."
    )

    asked_with: ClassVar[dict[str, tuple[str, set[str]]]] = {"days": ("operator", {Operator.GOT, Operator.HAS_HAD})}

    class Meta:
        verbose_name = "tag"

    def clean(self) -> None:
        """Refuse a question about a time without its number of days."""
        super().clean()
        if self.asks("days") and self.days is None:
            raise ValidationError({"days": "Give a number of days, such as 30. None was given."})

    def q(self, now: datetime) -> Q:
        had, days = self._taggings(now), self.days or 0
        match self.operator:
            case self.Operator.HAS_NOT:
                return ~Q(Exists(had))
            case self.Operator.GOT:
                had = had.filter(added_at__gte=midnight(now.date(), now.tzinfo, -days))
            case self.Operator.HAS_HAD:
                had = had.filter(added_at__lt=midnight(now.date(), now.tzinfo, 1 - days))
        return Q(Exists(had))

    def flips(self, now: datetime) -> Combinable | None:
        """At the midnight that decides about the day on which the tag was added; removing it is an event."""
        if self.days is None or not self.asks("days"):
            return None
        days = self.days + (1 if self.operator == self.Operator.GOT else 0)
        turns = midnight(now.date(), now.tzinfo, 1 - days)  # those of earlier days have had their midnight
        had = self._taggings(now).filter(added_at__gte=turns).values("added_at")[:1]
        return LocalDayStart(Subquery(had), now.tzinfo.key, days)  # type: ignore[union-attr]

    def phrase(self) -> str:
        many, tag = strong(number(self.days or 0, "day")), f"the tag {strong(self.tag)}"
        match self.operator:
            case self.Operator.HAS_NOT:
                return f"do {strong('not')} have {tag}"
            case self.Operator.GOT:
                return f"got {tag} {f'in the past {many}' if self.days else strong('today')} and kept it"
            case self.Operator.HAS_HAD:
                return f"have had {tag} for {strong('at least')} {many}"
        return f"have {tag}"

    def seen(self, customer: Customer, now: datetime) -> str:
        found = Tagging.objects.at(now).filter(customer=customer, tag=self.tag_id).first()
        if found is None:
            return "does not have it"
        return f"has it since {moment(found.added_at)}{f', from {found.added_by}' if found.added_by else ''}"

    def _taggings(self, now: datetime) -> models.QuerySet[Tagging]:
        return Tagging.objects.at(now).filter(customer=OuterRef("pk"), tag=self.tag_id)
