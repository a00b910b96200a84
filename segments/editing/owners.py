"""What conditions belong to, such as a segment: how its tree is held while it changes, and where its top is."""

from contextlib import AbstractContextManager
from datetime import datetime
from functools import singledispatch
from typing import TYPE_CHECKING, Any

from ..conditions import Condition

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@singledispatch
def editing(owner: Any, by: "User | None", now: datetime) -> AbstractContextManager[Any]:
    """What the tree belongs to, held while the block changes it."""
    raise NotImplementedError(f"Nobody has said how the conditions of {owner!r} are changed.")


@singledispatch
def topped(owner: Any, top: Condition) -> None:
    """Let the condition be the top of the tree."""
    raise NotImplementedError(f"Nobody has said where {owner!r} keeps its conditions.")
