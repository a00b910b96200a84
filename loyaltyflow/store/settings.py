from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo, available_timezones

from babel import Locale, UnknownLocaleError
from babel.numbers import list_currencies
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models

from loyaltyflow import planned

from .places import state_code


def is_time_zone(value: str) -> None:
    """Raise ValidationError unless the value is a zone of the IANA time zone database."""
    if value not in available_timezones():
        raise ValidationError(f"“{value}” is not a time zone. Write it as Area/City, such as America/New_York.")


class StoreSettings(models.Model):
    """What the store is called, where it is, and the numbers that staff may change."""

    name = models.CharField(max_length=100, default="My store", help_text="As customers know it.")
    time_zone = models.CharField(
        max_length=64,
        default="America/New_York",
        validators=[is_time_zone],
        help_text="Days, weeks and hours are counted in this zone, such as America/New_York.",
    )
    locale = models.CharField(
        max_length=12, default="en_US", help_text="How numbers, money and dates are written, such as en_US or de_DE."
    )
    currency = models.CharField(
        max_length=3,
        default="USD",
        validators=[RegexValidator(r"^[A-Z]{3}$", "Three capital letters, such as USD.")],
        help_text="ISO 4217 code of the currency that all amounts are in, such as USD.",
    )
    country = models.CharField(
        max_length=2,
        default="US",
        validators=[RegexValidator(r"^[A-Z]{2}$", "Two capital letters, such as US.")],
        help_text="ISO 3166-1 code, such as US. Phone numbers without a country code are read as from here.",
    )
    state = models.CharField(
        max_length=3,
        blank=True,
        default="MA",
        help_text="Where the store is, such as MA; customers of other states live out of state.",
    )
    postal_address = models.CharField(
        max_length=200, blank=True, help_text="Stands at the foot of every marketing e-mail, as the law asks."
    )
    sender_name = models.CharField(max_length=100, blank=True, help_text="Empty: the store's name.")
    sender_email = models.EmailField(default="hello@example.com", help_text="E-mail to customers comes from here.")
    return_window_days = models.PositiveSmallIntegerField(
        default=0, help_text="Days in which a purchase may be returned; points of the purchase wait until it is over."
    )
    point_value = models.DecimalField(
        max_digits=8,
        decimal_places=4,
        default=Decimal("0.05"),
        validators=[MinValueValidator(Decimal("0.0001"))],
        help_text="What one point is worth in the store's currency: 0.05 means that 100 points are worth 5.00.",
    )
    click_window_days = models.PositiveSmallIntegerField(
        default=7,
        validators=[MinValueValidator(1), MaxValueValidator(90)],
        help_text="A purchase within so many days of a click is credited to the message.",
    )
    open_window_days = models.PositiveSmallIntegerField(
        default=3,
        validators=[MaxValueValidator(90)],
        help_text="Without a click, a purchase within so many days of opening is credited to the message. 0: never.",
    )
    cart_idle_minutes = models.PositiveSmallIntegerField(
        default=240,
        validators=[MinValueValidator(5), MaxValueValidator(24 * 60)],
        help_text="A cart that nobody touches for so many minutes (5 to 1,440) counts as left behind.",
    )
    is_demo = models.BooleanField(default=False, editable=False)

    class Meta:
        verbose_name = verbose_name_plural = "store settings"
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="there_is_one_row_of_store_settings")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse what no page could be written with, and a state that the country does not have."""
        refused = {}
        try:
            Locale.parse(self.locale)
        except (UnknownLocaleError, ValueError):
            refused["locale"] = f"“{self.locale}” is not a locale. Write it as language_COUNTRY, such as en_US."
        territories = Locale("en").territories
        if self.country and self.country not in territories:
            refused["country"] = f"“{self.country}” is not a country. Write its code, such as US."
        if self.currency and self.currency not in list_currencies():
            refused["currency"] = f"“{self.currency}” is not a currency. Write its code, such as USD."
        try:
            self.state = state_code(self.state, self.country) if self.state else ""
        except ValueError as error:
            refused["state"] = f"“{self.state}” {error}"
        if refused:
            raise ValidationError(refused)

    @classmethod
    def load(cls) -> "StoreSettings":
        """The store's one row of settings, made with the defaults if it is not there yet."""
        return planned.first(cls, "id = 1") or cls.objects.get_or_create(pk=1)[0]

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def local(self, moment: datetime) -> datetime:
        """The same instant on the store's clock; conditions count their days in the zone that `now` carries."""
        return moment.astimezone(self.zone)

    def moment(self, text: str) -> datetime:
        """The instant that the text names, on the store's clock; without an offset it is read there.

        Raises ValueError with what was expected.
        """
        expected = "a moment such as 2026-11-23T14:00, or with an offset, 2026-11-23T14:00-05:00"
        try:
            named = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"expects {expected}, not “{text}”.") from None
        if not 1900 <= named.year <= 2200:
            raise ValueError(f"expects {expected}, in a year from 1900 to 2200, not “{text}”.")
        return self.local(named) if named.tzinfo else named.replace(tzinfo=self.zone)
