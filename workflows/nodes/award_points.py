from collections.abc import Iterator

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import TextField, Value
from django.db.models.functions import Cast, Concat

from rewards import ledger
from rewards.models import Entry

from .base import Batch, Node


class AwardPoints(Node):
    """Gives the customer points."""

    icon = "stars"
    needs_message_after = True

    points = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    explanation = models.CharField(
        max_length=200, default="A thank-you from us", help_text="Why, as the customer reads it."
    )

    class Meta:
        verbose_name = verbose_name_plural = "give points"

    def summary(self) -> str:
        return f"Give {self.points:,} {'points' if self.points != 1 else 'point'}"

    def run(self, batch: Batch) -> Iterator[tuple[str, list[int]]]:
        ledger.award(
            batch.enrolments,
            kind=Entry.Kind.BOOST,
            points=Value(self.points),
            key=Concat(Value(f"node:{self.pk}:"), Cast("pk", TextField()), output_field=TextField()),
            customer="customer_id",
            explanation=Value(self.explanation),
            now=batch.now,
        )
        yield "next", batch.ids
