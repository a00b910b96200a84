from typing import Any

import pgtrigger
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Now

from loyaltyflow.only_added import append_only
from loyaltyflow.sql import TransactionId

ONLY_ADDED = "The audit is only added to."


# Only the triggers of the audit may add to a row, within the transaction that wrote it.
OURS = "TG_OP = 'UPDATE' AND pg_trigger_depth() > 1 AND OLD.transaction = pg_current_xact_id()::text::bigint"


class ChangeQuerySet(models.QuerySet["Change"]):
    def of(self, labels: list[str], pk: int) -> "ChangeQuerySet":
        """What became of one object, the latest first; it may be known by the names of several models."""
        return self.filter(model__in=labels, object_id=pk).order_by("-at", "-pk")

    def update(self, **fields: Any) -> int:
        """Refused: the audit is only added to."""
        raise ValidationError(ONLY_ADDED)

    def delete(self) -> tuple[int, dict[str, int]]:
        """Refused: the audit is only added to."""
        raise ValidationError(ONLY_ADDED)


class Change(models.Model):
    """What one transaction made of one object, and who was behind it. Triggers write it; nothing changes it."""

    class Action(models.TextChoices):
        ADDED = "added", "Added"
        CHANGED = "changed", "Changed"
        DELETED = "deleted", "Deleted"
        EXPORTED = "exported", "Exported"

    at = models.DateTimeField(db_default=Now())
    action = models.CharField(max_length=10, choices=Action.choices)
    model = models.CharField(max_length=60, help_text="Such as rewards.tier.")
    object_id = models.BigIntegerField(null=True)
    name = models.CharField(max_length=200, help_text="What the object was called then.")
    before = models.JSONField(default=dict, db_default={})
    after = models.JSONField(default=dict, db_default={})
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.DO_NOTHING, null=True, db_constraint=False, related_name="+"
    )
    actor = models.CharField(max_length=150, help_text="What the person or the API key was called then.")
    role = models.CharField(max_length=300, help_text="The groups that the person was in then.")
    address = models.CharField(max_length=45, help_text="The network address that the request came from.")
    path = models.CharField(max_length=300, help_text="The page or the address of the API.")
    reason = models.CharField(max_length=300)
    transaction = models.BigIntegerField(db_default=TransactionId())

    objects = ChangeQuerySet.as_manager()

    class Meta:
        app_label = "loyaltyflow"
        verbose_name = "change"
        ordering = ["-at", "-pk"]
        constraints = [
            # The time too: the numbers of transactions begin anew on another server.
            models.UniqueConstraint(
                fields=["model", "object_id", "at", "transaction"], name="one_change_per_object_and_transaction"
            )
        ]
        indexes = [
            models.Index(fields=["-at"], name="change_by_time"),
            models.Index(fields=["user", "-at"], name="change_by_person"),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="only_added",
                when=pgtrigger.Before,
                operation=pgtrigger.Update | pgtrigger.Delete,
                func=f"IF {OURS} THEN RETURN NEW; END IF; RAISE EXCEPTION '{ONLY_ADDED}';",
            ),
            *(each for each in append_only(ONLY_ADDED) if each.name == "never_emptied"),
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()}: {self.name}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Refused: only the database writes it."""
        raise ValidationError(ONLY_ADDED)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refused: the audit is only added to."""
        raise ValidationError(ONLY_ADDED)
