import re
from datetime import datetime

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Lower, Now


class CustomerQuerySet(models.QuerySet["Customer"]):
    def members(self, now: datetime) -> "CustomerQuerySet":
        """Customers who belong to the loyalty programme at `now`."""
        return self.filter(Customer.member_q(now))


class CustomerManager(models.Manager.from_queryset(CustomerQuerySet)):  # type: ignore[misc]
    """Customers as staff mean them: who was merged into another is that other one."""

    def get_queryset(self) -> CustomerQuerySet:
        customers: CustomerQuerySet = super().get_queryset().filter(merged_into=None)
        return customers


class Customer(models.Model):
    """A person who buys from the store."""

    email = models.EmailField(blank=True, help_text="Unique, whatever its capitals.")
    phone = models.CharField(max_length=16, blank=True, db_index=True, help_text="E.164, such as +12025550143.")
    first_name = models.CharField(max_length=100, blank=True)
    last_name = models.CharField(max_length=100, blank=True)
    birth_year = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1900), MaxValueValidator(2200)]
    )
    birth_month = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(12)]
    )
    birth_day = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(31)]
    )
    gender = models.CharField(max_length=20, blank=True)
    state = models.CharField(max_length=3, blank=True, help_text="ISO 3166-2 code without the country, such as MA.")
    country = models.CharField(max_length=2, blank=True, help_text="ISO 3166-1 code, such as US.")
    postal_code = models.CharField(max_length=12, blank=True)
    time_zone = models.CharField(max_length=64, blank=True, help_text="Empty: the store's.")
    language = models.CharField(max_length=12, blank=True, help_text="BCP 47 tag, such as en or pt-BR.")
    registered_at = models.DateTimeField(null=True, blank=True, help_text="When the store account was made.")
    profile_completed_at = models.DateTimeField(null=True, blank=True)
    loyalty_joined_at = models.DateTimeField(null=True, blank=True)
    loyalty_left_at = models.DateTimeField(null=True, blank=True)
    attributes = models.JSONField(default=dict, db_default={}, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    merged_into = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        db_index=False,
        related_name="merged",
        help_text="Who this customer turned out to be; the points ledger still names them apart.",
    )

    objects = CustomerManager()
    everyone = CustomerQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                Lower("email"), condition=~models.Q(email=""), name="one_customer_per_email_without_case"
            ),
            models.CheckConstraint(
                condition=models.Q(birth_month__isnull=True, birth_day__isnull=True)
                | models.Q(birth_month__range=(1, 12), birth_day__range=(1, 31)),
                name="a_birthday_has_a_month_and_a_day",
            ),
            models.CheckConstraint(
                condition=models.Q(loyalty_left_at__isnull=True)
                | models.Q(loyalty_left_at__gte=models.F("loyalty_joined_at")),
                name="nobody_leaves_the_programme_before_joining",
            ),
        ]
        indexes = [
            models.Index(fields=["merged_into"], name="customer_merged", condition=models.Q(merged_into__isnull=False))
        ]

    def __str__(self) -> str:
        return self.name or self.email or self.phone or "Customer without a name"

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()

    def belongs(self, now: datetime) -> bool:
        """Whether they belong to the loyalty programme at `now`."""
        has_joined = self.loyalty_joined_at is not None and self.loyalty_joined_at <= now
        return has_joined and (self.loyalty_left_at is None or self.loyalty_left_at > now)

    @staticmethod
    def member_q(now: datetime) -> models.Q:
        """Belongs to the loyalty programme at `now`: has joined and has not left."""
        return models.Q(loyalty_joined_at__lte=now) & (
            models.Q(loyalty_left_at__isnull=True) | models.Q(loyalty_left_at__gt=now)
        )


class ExternalId(models.Model):
    """What another system calls a customer."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="external_ids")
    source = models.CharField(max_length=40, help_text="The other system, such as shopify.")
    external_id = models.CharField(max_length=120)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "external_id"], name="one_customer_per_external_id"),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.external_id}"


class Tag(models.Model):
    """A word that staff, imports or workflows pin to customers."""

    name = models.CharField(max_length=60, unique=True, help_text="Small letters, digits, spaces and - only.")

    def __str__(self) -> str:
        return self.name

    @staticmethod
    def normalise(text: str) -> str:
        """The text in small letters, other signs than letters, digits and - turned into single spaces."""
        return re.sub(r"[^\w-]+", " ", text.lower()).strip()[:60]


class TaggingQuerySet(models.QuerySet["Tagging"]):
    def open(self) -> "TaggingQuerySet":
        """Tags that customers have now."""
        return self.filter(removed_at=None)

    def at(self, now: datetime) -> "TaggingQuerySet":
        """Tags that customers had at `now`."""
        return self.filter(models.Q(removed_at=None) | models.Q(removed_at__gt=now), added_at__lte=now)


class Tagging(models.Model):
    """One tag on one customer, from when to when and by whom; what was removed is kept, so that the past is known."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="taggings")
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="taggings", db_index=False)
    added_at = models.DateTimeField(db_default=Now())
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True, editable=False)
    removed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )

    objects = TaggingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "tag"],
                condition=models.Q(removed_at__isnull=True),
                name="one_open_tagging_per_customer_and_tag",
            ),
            models.CheckConstraint(
                condition=models.Q(removed_at__isnull=True) | models.Q(removed_at__gte=models.F("added_at")),
                name="no_tag_is_removed_before_it_is_added",
            ),
        ]
        indexes = [
            models.Index(fields=["tag", "customer"], name="tagging_by_tag", include=["added_at", "removed_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.tag} on {self.customer}"
