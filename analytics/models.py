from django.db import models

from loyaltyflow.store.models import Channel, Order
from messaging.models import Campaign, Message


class Conversion(models.Model):
    """An order credited to the message that the customer touched last before it."""

    class Touch(models.TextChoices):
        CLICK = "click", "Clicked"
        OPEN = "open", "Opened"

    order = models.OneToOneField(Order, on_delete=models.PROTECT, primary_key=True, related_name="conversion")
    message = models.ForeignKey(Message, on_delete=models.PROTECT, related_name="conversions")
    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="conversions", db_index=False)
    touch = models.CharField(max_length=6, choices=Touch.choices)
    touched_at = models.DateTimeField()
    ordered_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["ordered_at"], name="conversion_by_time"),
            models.Index(fields=["campaign", "ordered_at"], name="conversion_by_campaign"),
        ]

    def __str__(self) -> str:
        return f"{self.order} by {self.campaign}"


class DailyFigure(models.Model):
    """What one campaign did on one channel on one day of the store's calendar."""

    day = models.DateField()
    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="figures")
    channel = models.CharField(max_length=10, choices=Channel.choices)
    sent = models.PositiveIntegerField(default=0, db_default=0)
    delivered = models.PositiveIntegerField(default=0, db_default=0, help_text="Of those sent on the day.")
    bounced = models.PositiveIntegerField(default=0, db_default=0, help_text="Of those sent on the day.")
    opened = models.PositiveIntegerField(default=0, db_default=0, help_text="Of those sent on the day, ever since.")
    clicked = models.PositiveIntegerField(default=0, db_default=0, help_text="Of those sent on the day, ever since.")
    opens = models.PositiveIntegerField(default=0, db_default=0)
    clicks = models.PositiveIntegerField(default=0, db_default=0)
    machine_opens = models.PositiveIntegerField(default=0, db_default=0, help_text="By scanners and proxies.")
    machine_clicks = models.PositiveIntegerField(default=0, db_default=0, help_text="By scanners and proxies.")
    unsubscribes = models.PositiveIntegerField(default=0, db_default=0)
    blocked = models.PositiveIntegerField(default=0, db_default=0)
    conversions = models.PositiveIntegerField(default=0, db_default=0)
    revenue = models.DecimalField(max_digits=14, decimal_places=2, default=0, db_default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["day", "campaign", "channel"], name="one_figure_per_day_campaign_and_channel"
            )
        ]

    def __str__(self) -> str:
        return f"{self.campaign} on {self.day}"


class StaleDay(models.Model):
    """A day whose figures are to be counted again."""

    day = models.DateField(unique=True)

    def __str__(self) -> str:
        return str(self.day)
