from collections.abc import Iterator
from typing import Any

from django.db import models
from django.db.models import OuterRef, Subquery, TextField, Value
from django.db.models.functions import Cast, Concat

from messaging import outbox
from messaging.models import EmailTemplate
from messaging.render import compiled
from rewards import notifying
from rewards.models import Voucher

from .base import Batch, Node


class SendEmail(Node):
    """Sends an e-mail."""

    icon = "mail"
    is_message = True

    template = models.ForeignKey(EmailTemplate, on_delete=models.PROTECT, related_name="nodes")

    tells_of_points = models.BooleanField(
        "tells of points given before it",
        default=True,
        db_default=True,
        help_text="It is the notice of points that steps before it gave. Off: such steps need another message.",
    )

    class Meta:
        verbose_name = verbose_name_plural = "send an e-mail"

    def summary(self) -> str:
        return f"Send the e-mail “{self.template}”"

    @property
    def is_notice(self) -> bool:
        return self.tells_of_points

    @property
    def label(self) -> str:
        return self.name or str(self.template)

    def problems(self) -> list[str]:
        if not self.template.html:
            sentence = f"“{self}” sends “{self.template}”, which is empty. Write the e-mail and save it."
            return [*super().problems(), sentence]
        return super().problems()

    @property
    def origin(self) -> str:
        """What the outbox calls this step."""
        return f"node:{self.pk}"

    def run(self, batch: Batch) -> Iterator[tuple[str, list[int]]]:
        outbox.post(
            batch.enrolments,
            campaign=self.revision.workflow.campaign_id,
            template=self.template,
            origin=self.origin,
            customer="customer_id",
            visit="pk",
            due_at=batch.now,
            values=self._values(),
        )
        yield "next", batch.ids

    def mentions(self) -> frozenset[str]:
        return compiled(self.template.pk, self.template.updated_at).prefixes

    def _values(self) -> dict[str, Any]:
        """The voucher that this walk brought last, if the e-mail speaks of one: no other will do."""
        if "voucher" not in self.mentions():
            return {}
        mine = Voucher.objects.filter(
            workflow=OuterRef("workflow"), customer=OuterRef("customer"), assigned_at__gte=OuterRef("entered_at")
        )
        return {"voucher": Subquery(mine.order_by("-assigned_at", "-pk").values("pk")[:1])}


def _notices() -> models.QuerySet[Any, Any]:
    """What the outbox calls the steps that tell of points."""
    origin = Concat(Value("node:"), Cast("pk", TextField()), output_field=TextField())
    return SendEmail.objects.filter(tells_of_points=True).values_list(origin)


notifying.TELLERS.append(_notices)
