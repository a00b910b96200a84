from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils import dates
from polymorphic.models import PolymorphicModel

from loyaltyflow.store.models import Product
from loyaltyflow.store.templatetags.figures import hour
from loyaltyflow.words import listed, plain
from segments.models import Segment

from ..bill import Bill, Off
from ..budgets import Budget
from ..tiers import Tier


class Discount(PolymorphicModel):
    """What customers get off a bill, for whom, when and how often. Vouchers are codes for it.

    Each kind is one class in one file: its docstring is the help text that staff read, its fields are its form,
    `summary()` is its sentence, and `off()` says what it takes off a bill.
    """

    icon: ClassVar[str] = "sell"
    takes_off_lines: ClassVar[bool] = False  # such ones come before those that take off the whole bill
    needs_customer: ClassVar[bool] = False
    examples: ClassVar[list[dict[str, Any]]] = []  # what its fields may say, for the palette and the tests
    named_by: ClassVar[str] = "name"

    # The ids of what it is restricted to, where `claims.read` has read it.
    only_products: list[int]
    only_segments: list[int]
    only_tiers: list[int]

    name = models.CharField(max_length=100, unique=True, help_text="Only staff see it.")
    title = models.CharField(max_length=100, help_text="As customers read it, such as $10.00 off your next purchase.")
    is_active = models.BooleanField("active", default=False, help_text="On: it can be given and redeemed.")
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    weekdays = ArrayField(
        models.PositiveSmallIntegerField(),
        default=list,
        blank=True,
        help_text="1 is Monday, 7 is Sunday. Empty: every day.",
    )
    from_hour = models.TimeField(null=True, blank=True, help_text="On the store's clock.")
    until_hour = models.TimeField(null=True, blank=True, help_text="On the store's clock; may be after midnight.")
    min_spend = models.DecimalField(
        "least spent",
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="On the bill's goods, before this discount.",
    )
    products = models.ManyToManyField(
        Product, blank=True, related_name="+", help_text="Only with one of these on the bill. Empty: any."
    )
    categories = ArrayField(
        models.CharField(max_length=120),
        default=list,
        blank=True,
        help_text="Only with a product of one of these categories on the bill, with commas between them. Empty: any.",
    )
    stores = ArrayField(
        models.CharField(max_length=60),
        default=list,
        blank=True,
        help_text="Only at these stores, with commas between them. Empty: at all.",
    )
    segments = models.ManyToManyField(
        Segment, blank=True, related_name="discounts", help_text="Only for members of one of these. Empty: everybody."
    )
    tiers = models.ManyToManyField(
        Tier, blank=True, related_name="discounts", help_text="Only for these tiers. Empty: everybody."
    )
    is_for_first_order = models.BooleanField("for a first order only", default=False)
    is_for_next_order = models.BooleanField(
        "not for the order that brought it", default=True, help_text="A voucher given with an order waits for the next."
    )
    combines = models.BooleanField("together with others", default=False)
    supersedes = models.BooleanField(
        "replaces earlier vouchers",
        default=False,
        help_text="A voucher of this discount replaces the customer's unused one from the same workflow.",
    )
    uses_allowed = models.PositiveIntegerField(
        "uses by all customers", null=True, blank=True, validators=[MinValueValidator(1)], help_text="Empty: no limit."
    )
    uses_per_customer = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)], help_text="Empty: no limit."
    )
    uses = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    budget = models.ForeignKey(Budget, on_delete=models.PROTECT, null=True, blank=True, related_name="discounts")
    valid_days = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="A voucher can be used until the end of so many days after it was given. Empty: no end of its own.",
    )
    code_prefix = models.CharField(
        "codes begin with",
        max_length=10,
        blank=True,
        default="",
        db_default="",
        validators=[RegexValidator(r"^[0-9A-Z]*$", "Capital letters and digits only, such as CLUB.")],
        help_text="Capital letters and digits, such as CLUB for codes like CLUB-4HW9D-7KX2M.",
    )
    makes_codes = models.BooleanField(
        "make codes as they are needed",
        default=True,
        db_default=True,
        help_text="Off: only codes of its pools are given, and nobody gets one when they have run out.",
    )
    points_price = models.PositiveIntegerField(
        "price in points",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="What members pay for it in points. Empty: it cannot be had for points.",
    )

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(starts_at__isnull=True) | Q(ends_at__gt=F("starts_at")),
                name="a_discount_ends_after_it_starts",
            ),
            models.CheckConstraint(
                condition=Q(uses_allowed__isnull=True) | Q(uses__lte=F("uses_allowed")),
                name="no_discount_is_used_more_than_allowed",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def can_be_given(self, now: datetime) -> bool:
        """Whether customers can get vouchers of it at `now`."""
        return self.is_active and (self.ends_at is None or self.ends_at > now)

    def summary(self) -> str:
        """What it takes off, as a sentence."""
        raise NotImplementedError(f"{type(self).__name__} must define summary().")

    @property
    def is_personal(self) -> bool:
        """Whether one must know who the customer is to say if they may have it."""
        restricted = self.only_segments or self.only_tiers or self.uses_per_customer
        return self.needs_customer or self.is_for_first_order or bool(restricted)

    @property
    def asks_of_customer(self) -> bool:
        """Whether the customer's orders or tier decide on it."""
        return bool(self.starts_at or self.only_tiers or self.is_for_first_order)

    def is_open(self, now: datetime) -> bool:
        """Whether `now`, on the store's clock, lies within its days and hours.

        Hours after midnight belong to the day on whose evening they began.
        """
        start, end, hour, date = self.from_hour or time.min, self.until_hour or time.max, now.time(), now.date()
        is_past_midnight = end <= start and hour < end
        if end <= start:
            is_within = hour >= start or is_past_midnight
        else:
            is_within = start <= hour and (hour < end or self.until_hour is None)
        began = date - timedelta(days=1) if is_past_midnight else date
        return is_within and (not self.weekdays or began.isoweekday() in self.weekdays)

    def hours(self) -> str:
        """Its days and hours in words, such as “on Tuesday or Friday from 4:00 pm to 6:00 pm”."""
        days = [str(dates.WEEKDAYS[each - 1]) for each in sorted(self.weekdays)]
        said = [f"on {plain(listed(days))}"] if days else []
        if self.from_hour:
            said.append(f"from {hour(self.from_hour)}")
        if self.until_hour:
            said.append(f"{'to' if self.from_hour else 'until'} {hour(self.until_hour)}")
        return " ".join(said) or "at any time"

    def is_met_by(self, bill: Bill) -> bool:
        """Whether one of the products that it needs is on the bill."""
        if not self.only_products and not self.categories:
            return True
        return any(line.product in self.only_products for line in bill.lines) or bool(
            bill.of_categories(self.categories)
        )

    def needed_goods(self) -> str:
        """The products that it needs on a bill, in words."""
        return plain(listed([*self.products.all(), *self.categories]))

    @property
    def money_budget(self) -> Budget | None:
        """The budget that what it takes off bills is taken from, if there is one."""
        return self.budget if self.budget and self.budget.unit == Budget.Unit.MONEY else None

    @property
    def voucher_budget(self) -> Budget | None:
        """The budget that says how many vouchers of it may be given, if there is one."""
        return self.budget if self.budget and self.budget.unit == Budget.Unit.VOUCHERS else None

    def spent_on(self, bill: Bill) -> Decimal:
        """What of the bill's goods counts for the least that must be spent."""
        return bill.goods

    def off(self, bill: Bill) -> Off:
        """What it takes off the bill, never more than there is to pay. Raises Refused if nothing on the bill fits."""
        raise NotImplementedError(f"{type(self).__name__} must define off(bill).")
