from datetime import datetime

from django.db.models import Q

from .groups import Group


class AnyOf(Group):
    """At least one of its conditions holds. Without any, it is nobody."""

    icon = "join_full"
    narrows = False

    class Meta:
        verbose_name = verbose_name_plural = "any of"

    def q(self, now: datetime) -> Q:
        found = [part.q(now) for part in self.parts()] or [Q(pk__in=[])]
        return Q(*found, _connector=Q.OR) if all(found) else Q()  # an empty Q among them means everybody

    def holds(self, answers: list[bool]) -> bool:
        return any(answers)

    def phrase(self) -> str:
        return self.joined("or") or "meet one of no conditions (nobody)"
