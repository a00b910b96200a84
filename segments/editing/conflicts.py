from datetime import datetime
from typing import TYPE_CHECKING

from ..conditions import Condition

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class Conflict(Exception):
    """Somebody else was quicker; `by` and `at` say who and when, None if that is not known."""

    def __init__(self, sentence: str, by: "User | None", at: datetime | None) -> None:
        super().__init__(sentence)
        self.by, self.at = by, at


class Gone(Conflict):
    """The row is not there any more."""

    def __init__(self, by: "User | None", at: datetime | None) -> None:
        super().__init__(f"{by or 'Somebody'} deleted this condition. Nothing of yours was saved.", by, at)


class Changed(Conflict):
    """Somebody else changed it since it was drawn: `theirs` is what it is now, `mine` what was to be saved."""

    def __init__(
        self, by: "User | None", at: datetime | None, theirs: Condition | None, mine: Condition | None = None
    ) -> None:
        super().__init__(f"{by or 'Somebody'} changed this while you did. Choose what to keep.", by, at)
        self.theirs, self.mine = theirs, mine
