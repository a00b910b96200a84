from calendar import monthrange

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from loyaltyflow import planned
from loyaltyflow.store.templatetags.figures import month_day
from loyaltyflow.words import number

LEAP = 2000  # a year whose February has 29 days


class Programme(models.Model):
    """The numbers and policies of the loyalty programme that staff may change."""

    class Combination(models.TextChoices):
        HIGHEST = "highest", "The highest one counts"
        MULTIPLY = "multiply", "They are multiplied"

    class Shortfall(models.TextChoices):
        OWE = "owe", "The customer owes them: what is earned next pays for them first"
        FORGIVE = "forgive", "They are forgiven: the balance never goes below 0"

    class Expiry(models.TextChoices):
        NEVER = "never", "Never"
        MONTHS = "months", "Some months after they were earned"
        DATE = "date", "On a date of the next year"
        INACTIVITY = "inactivity", "Some months after the customer's last purchase"

    class TierBasis(models.TextChoices):
        POINTS = "points", "Points earned"
        SPEND = "spend", "Money spent"

    class TierWindow(models.TextChoices):
        ROLLING = "rolling", "The past months"
        YEAR = "year", "The calendar year"

    class Downgrade(models.TextChoices):
        ONE_DOWN = "one_down", "Down by one tier"
        RECOMPUTE = "recompute", "Down to what was reached in the window"

    class Notices(models.TextChoices):
        AT_ONCE = "at_once", "A message for each movement"
        DAILY = "daily", "One message a day that lists them"

    is_active = models.BooleanField("active", default=True, help_text="Off: nobody earns or redeems anything.")
    earns_before_joining = models.BooleanField(
        "purchases before joining earn", default=False, help_text="On: who joins gets points for earlier purchases too."
    )
    welcome_points = models.PositiveIntegerField(default=0, help_text="Given once to each customer who joins; 0: none.")
    largest_gift = models.PositiveIntegerField(
        default=10_000, validators=[MinValueValidator(1)], help_text="The most points that a workflow may give at once."
    )
    combination = models.CharField(
        "when several multipliers fit", max_length=10, choices=Combination.choices, default=Combination.HIGHEST
    )
    shortfall = models.CharField(
        "points taken back that were spent already",
        max_length=10,
        choices=Shortfall.choices,
        default=Shortfall.OWE,
        help_text="When a purchase is returned whose points are spent.",
    )
    restores_partly = models.BooleanField(
        "give back what was redeemed with refunds",
        default=False,
        help_text="On: points come back as the money does, vouchers with the last of it. Off: both only if the whole "
        "order is cancelled, or if nothing else paid for it.",
    )
    hold_minutes = models.PositiveSmallIntegerField(
        default=15,
        validators=[MinValueValidator(1), MaxValueValidator(15)],
        help_text="For how long a till may hold points or a voucher for a customer.",
    )
    points_redated_at = models.DateTimeField(
        null=True, editable=False, help_text="When points that customers had got new dates last."
    )
    expiry = models.CharField("points expire", max_length=10, choices=Expiry.choices, default=Expiry.NEVER)
    expiry_months = models.PositiveSmallIntegerField(
        default=12, validators=[MinValueValidator(1), MaxValueValidator(120)]
    )
    expires_at_month_end = models.BooleanField("at the end of the month", default=True)
    expiry_month = models.PositiveSmallIntegerField(
        default=12, validators=[MinValueValidator(1), MaxValueValidator(12)]
    )
    expiry_day = models.PositiveSmallIntegerField(default=31, validators=[MinValueValidator(1), MaxValueValidator(31)])
    grace_days = models.PositiveSmallIntegerField(
        default=30,
        validators=[MaxValueValidator(365)],
        help_text="For how long points that come back to a customer after they expired can still be spent.",
    )
    tier_basis = models.CharField(
        "tiers are reached by", max_length=10, choices=TierBasis.choices, default=TierBasis.POINTS
    )
    tier_counts_gifts = models.BooleanField(
        "points given count too", default=False, help_text="Off: only points earned by purchases bring a tier nearer."
    )
    tier_window = models.CharField(
        "counted over",
        max_length=10,
        choices=TierWindow.choices,
        default=TierWindow.ROLLING,
        help_text="By the calendar year, a tier lasts to the end of a year.",
    )
    tier_months = models.PositiveSmallIntegerField(
        default=12, validators=[MinValueValidator(1), MaxValueValidator(60)], help_text="Months that count."
    )
    tier_validity_months = models.PositiveSmallIntegerField(
        default=12, validators=[MinValueValidator(1), MaxValueValidator(60)], help_text="For how long a tier is kept."
    )
    tier_lasts_to_month_end = models.BooleanField("to the end of the month", default=True)
    tier_downgrade = models.CharField(
        "when a tier ends", max_length=10, choices=Downgrade.choices, default=Downgrade.ONE_DOWN
    )
    tier_grace_days = models.PositiveSmallIntegerField(
        default=0, validators=[MaxValueValidator(365)], help_text="Days after its end before a tier is really lost."
    )
    tiers_as_settled = models.JSONField(
        default=dict, editable=False, help_text="The tiers by which everybody was judged last."
    )
    notices = models.CharField(
        "tell customers of their points by", max_length=10, choices=Notices.choices, default=Notices.DAILY
    )
    approval_above = models.PositiveIntegerField(
        default=1_000,
        help_text="More points than that by hand, to one customer within 24 hours, need a second person, whoever asks.",
    )

    class Meta:
        verbose_name = verbose_name_plural = "programme"
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="there_is_one_programme")]

    def __str__(self) -> str:
        return "Loyalty programme"

    @property
    def expiry_in_words(self) -> str:
        """When points expire, such as “12 months after they were earned, at the end of the month”."""
        at_end = ", at the end of the month" if self.expires_at_month_end else ""
        months = number(self.expiry_months, "month")
        last = min(self.expiry_day, monthrange(LEAP, self.expiry_month)[1])
        return {
            Programme.Expiry.NEVER: "never",
            Programme.Expiry.MONTHS: f"{months} after they were earned{at_end}",
            Programme.Expiry.DATE: f"on {month_day(self.expiry_month, last)} of the year after they were earned",
            Programme.Expiry.INACTIVITY: f"{months} after the customer's last purchase{at_end}",
        }[Programme.Expiry(self.expiry)]

    @classmethod
    def load(cls) -> "Programme":
        """The programme's one row, made with the defaults if it is not there yet."""
        return planned.first(cls, "id = 1") or cls.objects.get_or_create(pk=1)[0]
