from datetime import datetime

from django.db.models import Q

from .groups import Group


class AllOf(Group):
    """Every one of its conditions holds. Without any, it is everybody."""

    icon = "join_inner"

    class Meta:
        verbose_name = verbose_name_plural = "all of"

    def q(self, now: datetime) -> Q:
        return Q(*(q for part in self.parts() if (q := part.q(now))))

    def holds(self, answers: list[bool]) -> bool:
        return all(answers)

    def phrase(self) -> str:
        return self.joined("and") or "are customers of any kind"
