"""What keeps a tree of conditions from being used, and how a new condition gets what it must name."""

from django.core.exceptions import ValidationError
from django.db import models

from ..conditions import Condition
from ..exchange.trees import DEEPEST, MOST

TRIED = 50  # rows that a new condition could name; one of the first always fits but in made-up cases
KNOWN_FROM_THE_TREE = ["parent", "tree", "position", "condition_ptr"]


def must_fit(tree: Condition) -> None:
    """Raise ValidationError if the tree has become so large that its own text could not be read in again."""
    if (many := sum(1 for _ in tree.walk())) > MOST:
        raise ValidationError(f"There is room for {MOST} conditions, and these would be {many:,}. Split the segment.")
    if _depth(tree) > DEEPEST:
        raise ValidationError(f"There is room for {DEEPEST} groups inside each other. Choose a place further out.")


def _depth(row: Condition) -> int:
    """How many groups are inside each other."""
    return row.takes_parts + max((_depth(part) for part in row.parts()), default=0)


def faults(tree: Condition) -> dict[int, list[str]]:
    """What is wrong, each as a sentence, by the number of the row at fault; empty if nothing is."""
    found: dict[int, list[str]] = {}
    for each in tree.walk():
        if each.takes_parts and not each.parts() and each is not tree:
            found[each.number] = ["This group asks nothing yet. Add a condition to it, or delete it."]
        elif wrong := _wrong(each):
            found[each.number] = wrong
    return found


def _wrong(row: Condition) -> list[str]:
    try:
        row.full_clean(exclude=KNOWN_FROM_THE_TREE)
    except ValidationError as error:
        return error.messages
    return []


def completed(row: Condition) -> None:
    """Let a new row name something where it must: the first that makes sense. Refused if there is nothing to name."""
    for field in row._meta.concrete_fields:
        is_own = field.model is not Condition and not field.primary_key
        if is_own and isinstance(field, models.ForeignKey) and not field.null and getattr(row, field.attname) is None:
            _name(row, field)


def _name(row: Condition, field: "models.ForeignKey[models.Model, models.Model]") -> None:
    known = field.related_model._default_manager.all()[:TRIED]
    for each in known:
        setattr(row, field.name, each)
        if not _wrong_at(row, field.name):
            return
    kind = field.verbose_name
    reason = f"There is no {kind} that it could name. Make one first, then add this condition."
    raise ValidationError(reason)


def _wrong_at(row: Condition, name: str) -> bool:
    try:
        row.full_clean(exclude=KNOWN_FROM_THE_TREE)
    except ValidationError as error:
        return name in error.message_dict
    return False
