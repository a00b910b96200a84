from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from loyaltyflow.store.models import Customer, Order

from .discounts.base import Discount


class CodePool(models.Model):
    """Codes of one discount that were made or brought in at once, to be handed out."""

    discount = models.ForeignKey(Discount, on_delete=models.PROTECT, related_name="pools")
    name = models.CharField(max_length=100, unique=True)
    is_imported = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name


class Voucher(models.Model):
    """A code for a discount: one customer's own, one of a pool, or one that everybody may use."""

    class State(models.TextChoices):
        FREE = "free", "Not given to anybody yet"
        ISSUED = "issued", "Can be used"
        REDEEMED = "redeemed", "Used"
        SUPERSEDED = "superseded", "Replaced by a newer one"
        REVOKED = "revoked", "Revoked"
        EXPIRED = "expired", "Expired"

    code = models.CharField(max_length=40, unique=True, help_text="In capitals.")
    discount = models.ForeignKey(Discount, on_delete=models.PROTECT, related_name="vouchers", db_index=False)
    pool = models.ForeignKey(CodePool, on_delete=models.PROTECT, null=True, blank=True, related_name="vouchers")
    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, null=True, blank=True, related_name="vouchers", help_text="Whose it is."
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.ISSUED, db_default=State.ISSUED)
    uses_allowed = models.PositiveIntegerField(
        null=True,
        blank=True,
        default=1,
        db_default=1,
        validators=[MinValueValidator(1)],
        help_text="Empty: any number.",
    )
    uses = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    assigned_at = models.DateTimeField(null=True, blank=True)
    valid_from = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="From then on it is refused.")
    origin = models.CharField(
        max_length=120, blank=True, default="", db_default="", help_text="What gave it, so that it is given once."
    )
    workflow = models.BigIntegerField(null=True, blank=True, editable=False, help_text="The workflow that gave it.")
    order = models.ForeignKey(
        Order, on_delete=models.PROTECT, null=True, blank=True, related_name="+", help_text="The order that brought it."
    )
    superseded_by = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="supersedes"
    )
    note = models.CharField(max_length=200, blank=True, default="", db_default="", help_text="Why it was revoked.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["origin"], condition=~Q(origin=""), name="one_voucher_per_origin"),
            models.CheckConstraint(
                condition=Q(uses_allowed__isnull=True) | Q(uses__lte=F("uses_allowed")),
                name="no_voucher_is_used_more_than_allowed",
            ),
        ]
        indexes = [
            models.Index(fields=["discount", "state", "id"], name="voucher_by_discount"),
            models.Index(fields=["pool", "id"], name="voucher_to_hand_out", condition=Q(state="free")),
            models.Index(fields=["expires_at"], name="voucher_that_ends", condition=Q(state="issued")),
        ]

    def __str__(self) -> str:
        return self.code


class RedemptionQuerySet(models.QuerySet["Redemption"]):
    def standing(self) -> "RedemptionQuerySet":
        """Those that were not undone."""
        return self.filter(reversed_at=None)


class Redemption(models.Model):
    """One use of a discount on one bill."""

    discount = models.ForeignKey(Discount, on_delete=models.PROTECT, related_name="redemptions", db_index=False)
    voucher = models.ForeignKey(Voucher, on_delete=models.PROTECT, null=True, blank=True, related_name="redemptions")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, null=True, blank=True, related_name="redemptions")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="redemptions")
    amount = models.DecimalField(max_digits=12, decimal_places=2, help_text="Taken off the bill.")
    redeemed_at = models.DateTimeField()
    store_location = models.CharField(max_length=60, blank=True, default="", db_default="")
    till = models.CharField(max_length=60, blank=True, default="", db_default="")
    is_single = models.BooleanField(help_text="Whether its voucher may be used once only.")
    reversed_at = models.DateTimeField(null=True, blank=True)

    objects = RedemptionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["voucher"],
                condition=Q(reversed_at__isnull=True, is_single=True),
                name="a_single_use_voucher_is_used_once",
            ),
            models.UniqueConstraint(
                fields=["order", "voucher"], condition=Q(reversed_at__isnull=True), name="one_use_per_order_and_voucher"
            ),
        ]
        indexes = [models.Index(fields=["discount", "customer"], name="redemption_by_discount")]

    def __str__(self) -> str:
        return f"{self.voucher or self.discount} on {self.order}"
