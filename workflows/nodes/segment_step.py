from typing import Any

from django.db import models

from segments.models import Segment


class SegmentStep(models.Model):
    """Names a segment that is filled by hand."""

    segment = models.ForeignKey(
        Segment,
        on_delete=models.PROTECT,
        related_name="+",
        limit_choices_to={"kind": Segment.Kind.STATIC, "archived_at": None},
        error_messages={
            "invalid": "Choose a segment that is filled by hand and not archived; others fill themselves by their "
            "conditions."
        },
        help_text="One that is filled by hand.",
    )

    class Meta:
        abstract = True

    def problems(self) -> list[str]:
        others: list[str] = super().problems()  # type: ignore[misc]  # of Node, which stands beside it
        if not self.segment.archived_at:
            return others
        sentence = f"“{self}” names the segment “{self.segment}”, which is archived. Bring it back, or choose another."
        return [*others, sentence]

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Refuse a segment that fills itself, however the step is made."""
        self.segment.must_be_static()
        super().save(*args, **kwargs)
