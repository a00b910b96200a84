from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from .questions import PARTS


class Questions(models.JSONField):
    """Questions about the properties of an event, as `questions.checked` keeps them."""

    def __init__(self, **options: Any) -> None:
        known = {"default": list, "blank": True, "encoder": DjangoJSONEncoder, "help_text": "All of them must hold."}
        super().__init__(**{**known, **options})

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """With the parts of each question in the order in which they are said, which PostgreSQL does not keep."""
        found = super().from_db_value(value, expression, connection)
        return [{part: each[part] for part in PARTS if part in each} for each in found] if found else found
