from collections.abc import Sequence
from typing import Self

from django.db import models, transaction
from django.db.models import Case, Value, When
from django.db.models.functions import Cast, Concat, JSONObject, Now

from loyaltyflow.sql import insert_select
from loyaltyflow.store.models import Event

from .emails import Link
from .messages import Message


class Engagement(models.Model):
    """One thing a customer did with a message; rows are only added."""

    class Kind(models.TextChoices):
        OPEN = "open", "Opened"
        CLICK = "click", "Clicked"
        UNSUBSCRIBE = "unsubscribe", "Unsubscribed"

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="engagements", db_index=False)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    at = models.DateTimeField(db_default=Now())
    link = models.ForeignKey(Link, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    is_machine = models.BooleanField(default=False, db_default=False, help_text="By a mail scanner or privacy proxy.")
    is_demo = models.BooleanField(
        default=False, db_default=False, help_text="Drawn at a stated rate for the demo store."
    )

    class Meta:
        verbose_name = "open or click"
        verbose_name_plural = "opens and clicks"
        indexes = [
            models.Index(fields=["message", "kind", "at"], name="engagement_by_message"),
            models.Index(fields=["kind", "at"], name="engagement_by_time"),
        ]

    def __str__(self) -> str:
        return self.get_kind_display()

    @classmethod
    def record(cls, acts: Sequence[Self]) -> int:
        """The number of acts that were written, each open and click with its event, in two statements."""
        names = {cls.Kind.OPEN: "message_opened", cls.Kind.CLICK: "message_clicked"}
        with transaction.atomic():
            made = cls.objects.bulk_create(acts)
            rows = cls.objects.filter(pk__any=[act.pk for act in made], kind__in=names)
            name = Case(*(When(kind=kind, then=Value(name)) for kind, name in names.items()))
            insert_select(
                Event,
                rows.annotate(name=name),
                {
                    "name": "name",
                    "customer": "message__customer_id",
                    "occurred_at": "at",
                    "source": Value("messaging"),
                    "key": Concat("name", Value(":"), Cast("pk", models.TextField()), output_field=models.TextField()),
                    "properties": JSONObject(
                        message="message_id", campaign="message__campaign_id", is_machine="is_machine"
                    ),
                },
                ignore_conflicts=True,
            )
        return len(made)
