from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q

from loyaltyflow.store.models import Customer, Order


class Tier(models.Model):
    """A level of the loyalty programme; higher ones are harder to reach."""

    named_by: ClassVar[str] = "name"

    name = models.CharField(max_length=60, unique=True)
    threshold = models.DecimalField(
        max_digits=14,
        decimal_places=2,
        unique=True,
        validators=[MinValueValidator(0)],
        help_text="Points earned, or money spent, within the programme's window. 0: every member is in it.",
    )
    bonus_points = models.PositiveIntegerField(default=0, help_text="Given once to each customer who reaches it.")
    early_hours = models.PositiveSmallIntegerField(
        "early access", default=0, help_text="So many hours before others, members of this tier can use new offers."
    )
    benefits = ArrayField(
        models.CharField(max_length=200),
        default=list,
        blank=True,
        help_text="What members of this tier get, as they read it.",
    )
    content_url = models.URLField(
        max_length=500, blank=True, help_text="A page for members of this tier and of those above."
    )

    class Meta:
        ordering = ["threshold"]

    def __str__(self) -> str:
        return self.name


class StandingQuerySet(models.QuerySet["Standing"]):
    def open(self) -> "StandingQuerySet":
        """The tiers that customers are in now."""
        return self.filter(until=None)

    def at(self, now: datetime) -> "StandingQuerySet":
        """The tiers that customers were in at `now`."""
        return self.filter(Q(until=None) | Q(until__gt=now), since__lte=now)


class Standing(models.Model):
    """That a customer is, or was, in a tier; who never reached one has none."""

    class Reason(models.TextChoices):
        REACHED = "reached", "Reached it"
        RENEWED = "renewed", "Kept it for another term"
        LOWERED = "lowered", "Came down from a higher one"
        RETURNED = "returned", "The order that brought a higher one was returned"
        BY_HAND = "by_hand", "Set by staff"

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="standings", db_index=False)
    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="standings")
    since = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="When it is looked at again; empty: never.")
    reason = models.CharField(max_length=10, choices=Reason.choices)
    note = models.CharField(max_length=200, blank=True, help_text="Why, if staff set it.")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    order = models.ForeignKey(
        Order,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="The purchase that brought it.",
    )

    objects = StandingQuerySet.as_manager()

    class Meta:
        verbose_name = "customer's tier"
        verbose_name_plural = "changes of tier"
        constraints = [
            models.UniqueConstraint(
                fields=["customer"], condition=Q(until__isnull=True), name="one_open_standing_per_customer"
            ),
            models.CheckConstraint(
                condition=Q(until__isnull=True) | Q(until__gte=F("since")), name="no_standing_ends_before_it_begins"
            ),
        ]
        indexes = [
            models.Index(fields=["customer", "since"], name="standing_by_customer"),
            models.Index(fields=["expires_at"], name="standing_that_ends", condition=Q(until__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.customer}: {self.tier}"


def early_hours(customer_id: int | None, now: datetime) -> int:
    """So many hours before others the customer may use new offers at `now`; 0 for who is in no tier."""
    if customer_id is None:
        return 0
    hours = Standing.objects.at(now).filter(customer=customer_id).values_list("tier__early_hours", flat=True)
    return hours.first() or 0
