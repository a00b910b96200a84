from collections.abc import Iterator

from django.db import models

from .base import Batch, Node


class End(Node):
    """The end of the way."""

    icon = "flag"
    outlets = ()

    outcome = models.CharField(max_length=60, default="Completed", help_text="What it means to end here.")

    class Meta:
        verbose_name = verbose_name_plural = "end"

    def summary(self) -> str:
        return f"End: {self.outcome}"

    def run(self, batch: Batch) -> Iterator[tuple[str, list[int]]]:
        batch.enrolments.complete(self.outcome, batch.now)
        yield "", batch.ids
