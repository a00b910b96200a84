from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models

from loyaltyflow.store.models import EventType
from loyaltyflow.store.templatetags.figures import count
from loyaltyflow.words import plain
from segments.conditions.did_event import WRITTEN_BY_SEGMENTS
from segments.properties import questions
from segments.properties.field import Questions

from ..points import EVENTS
from .base import EarningRule


class PointsPerEvent(EarningRule):
    """The same points each time something happens to members, such as a survey answered or a login in the app.

    Multipliers are for purchases; they do not count here.
    """

    icon = "bolt"

    class Period(models.TextChoices):
        EVER = "ever", "Ever"
        DAY = "day", "A day"
        WEEK = "week", "A week"
        MONTH = "month", "A month"
        YEAR = "year", "A year"

    points = models.PositiveIntegerField(default=10, validators=[MinValueValidator(1)])
    event_type = models.ForeignKey(EventType, on_delete=models.PROTECT, related_name="+", verbose_name="event")
    where = Questions(verbose_name="with")
    times = models.PositiveSmallIntegerField(
        "times at most",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="For each customer. Empty: every time.",
    )
    period = models.CharField("within", max_length=5, choices=Period.choices, default=Period.EVER)

    class Meta:
        verbose_name = "points for an event"
        verbose_name_plural = "points for events"

    def clean(self) -> None:
        """Refuse events that points or segments cause themselves, and questions that the event cannot answer."""
        super().clean()
        if self.event_type_id is None:
            return
        if self.event_type.name in (*EVENTS.values(), *WRITTEN_BY_SEGMENTS):
            reason = f"“{self.event_type.label}” follows from points or segments themselves. Choose another event."
            raise ValidationError({"event_type": reason})
        try:
            self.where = questions.checked(self.where, self.event_type.properties, self.event_type.label)
        except ValidationError as error:
            raise ValidationError({"where": error.messages}) from error

    def summary(self) -> str:
        said = f"{count(self.points)} {'point' if self.points == 1 else 'points'}"
        when = f"each time “{self.event_type.label}” happens{plain(questions.said(self.where))}"
        if self.times is None:
            return f"{said} {when}"
        often = "once" if self.times == 1 else f"{count(self.times)} times"
        within = "" if self.period == self.Period.EVER else f" {self.get_period_display().lower()}"
        return f"{said} {when}, at most {often}{within}"
