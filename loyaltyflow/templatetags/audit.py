"""What pages show of the audit."""

from django import template
from django.db.models import Model

from ..audit.models import Change
from ..audit.words import Told, labels_of, tell

register = template.Library()
SHOWN = 200


@register.simple_tag
def changes_of(row: Model) -> list[Told]:
    """The latest changes of the object, in words."""
    if not isinstance(row.pk, int):
        return []
    return tell(list(Change.objects.of(labels_of(row), row.pk)[:SHOWN]))
