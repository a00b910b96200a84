"""The conditions that a step asks, as the editor changes them: at once, as the revision is itself a draft."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from django.db import transaction

from segments.conditions import Condition
from segments.conditions.all_of import AllOf
from segments.editing import owners

from .graph import Revision
from .nodes.if_ import If

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class Asked:
    """The tree of one step."""

    # Who changed which condition last is known of each; of the tree as a whole nobody is said to have.
    draft_changed_by = draft_changed_at = saved_by = saved_at = draft_id = None

    def __init__(self, step: If) -> None:
        self.step = step

    @cached_property
    def tree(self) -> Condition:
        return Condition.objects.get(pk=If.objects.values_list("condition", flat=True).get(pk=self.step.pk))

    def edited(self) -> Condition:
        """The top of the tree; a group that is not stored, around a single question."""
        if self.tree.takes_parts:
            return self.tree
        top = AllOf()
        top.__dict__["_parts"] = [self.tree]
        return top

    def forget(self) -> None:
        """Read the tree afresh when it is asked for next."""
        self.__dict__.pop("tree", None)


@owners.editing.register(Asked)
@contextmanager
def _editing(asked: Asked, by: "User | None", now: datetime) -> Iterator[Asked]:
    """The step's tree, held while the block changes it; refused unless its revision is a draft."""
    with transaction.atomic():
        Revision.objects.select_for_update(no_key=True).get(pk=asked.step.revision_id)
        Revision.must_be_draft(asked.step.revision_id)
        held = Asked(asked.step)
        if not held.tree.takes_parts:
            _grouped(held)
        yield held
    asked.forget()


@owners.topped.register(Asked)
def _topped(asked: Asked, top: Condition) -> None:
    If.objects.non_polymorphic().filter(pk=asked.step.pk).update(condition=top)


def _grouped(asked: Asked) -> None:
    """Put a single question into a group, so that others can be asked beside it."""
    group = AllOf.objects.create()
    Condition.objects.filter(pk=asked.tree.pk).update(parent=group, tree=group)
    _topped(asked, group)
    asked.forget()
