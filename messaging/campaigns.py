from typing import ClassVar

from django.db import models


class Campaign(models.Model):
    """The thing whose results are counted: a workflow, a reward rule, a points notice. Never deleted."""

    named_by: ClassVar[str] = "name"  # files of segments name it so, as long as no two have the same name

    name = models.CharField(max_length=120)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
