from datetime import datetime

from django.db.models import Q

from .groups import Group


class NoneOf(Group):
    """Not one of its conditions holds. Without any, it is everybody."""

    icon = "join_left"

    class Meta:
        verbose_name = verbose_name_plural = "none of"

    def q(self, now: datetime) -> Q:
        """Each part is turned round by itself, as PostgreSQL joins on “not A and not B” but not on “not (A or B)”."""
        return Q(*(opposite(part.q(now)) for part in self.parts()))

    def holds(self, answers: list[bool]) -> bool:
        return not any(answers)

    def phrase(self) -> str:
        return f"meet none of these: {self.joined('or')}" if self.parts() else "are customers of any kind"


def opposite(q: Q) -> Q:
    """Everybody else; nobody, if `q` is empty and so means everybody."""
    return ~q if q else Q(pk__in=[])
