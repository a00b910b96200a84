from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Count, F, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce, Now

from loyaltyflow.store.models import Customer, Order

from . import codes
from .bill import Reason, Refusal, Refused
from .budgets import Budget
from .discounts.base import Discount

IS_A_CODE = r"^[0-9A-Z]([0-9A-Z._-]*[0-9A-Z])?$"


class CodePoolQuerySet(models.QuerySet["CodePool"]):
    def with_counts(self) -> "CodePoolQuerySet":
        """Each with how many of its codes are `free`, were `given`, and of those were `used`."""
        here = Voucher.objects.filter(pool=OuterRef("pk")).order_by().values("pool")

        def counted(rows: models.QuerySet[Any, Any]) -> Coalesce:
            return Coalesce(Subquery(rows.values(count=Count("pk"))), 0)

        free, used = here.filter(state=Voucher.State.FREE), here.filter(state=Voucher.State.REDEEMED)
        return self.annotate(free=counted(free), given=counted(here.exclude(customer=None)), used=counted(used))


class CodePool(models.Model):
    """Codes of one discount that were made or brought in at once, to be handed out."""

    discount = models.ForeignKey(Discount, on_delete=models.PROTECT, related_name="pools")
    name = models.CharField(max_length=100, unique=True)
    is_imported = models.BooleanField(default=False, editable=False)
    wanted = models.PositiveIntegerField(
        "codes", default=0, db_default=0, editable=False, help_text="How many are to be made, or came in."
    )
    made = models.PositiveIntegerField(default=0, db_default=0, editable=False, help_text="How many are there so far.")
    file_name = models.CharField(max_length=200, blank=True, default="", db_default="", editable=False)
    rejected = models.PositiveIntegerField(
        default=0, db_default=0, editable=False, help_text="Rows of the file that brought no code."
    )
    header = models.TextField(blank=True, default="", db_default="", editable=False, help_text="The file's columns.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )

    objects = CodePoolQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        permissions = [("export_codepool", "Can export the codes of a pool")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_whole(self) -> bool:
        """Whether all the codes that were asked for are there."""
        return self.made >= self.wanted


class RejectedCode(models.Model):
    """A row of a file of codes of which nothing came, and why."""

    pool = models.ForeignKey(CodePool, on_delete=models.CASCADE, related_name="rejected_rows", db_index=False)
    line = models.BigIntegerField()
    reason = models.TextField()
    cells = models.TextField(help_text="The row as it was sent, as CSV.")

    class Meta:
        ordering = ["line"]
        constraints = [models.UniqueConstraint(fields=["pool", "line"], name="one_rejection_per_pool_and_line")]

    def __str__(self) -> str:
        return f"Line {self.line}: {self.reason}"


class VoucherQuerySet(models.QuerySet["Voucher"]):
    def coded(self, typed: str) -> "VoucherQuerySet":
        """The one with the code, however it is typed."""
        return self.filter(key=codes.key(typed))

    def free_for(self, discount: Discount, now: datetime) -> "VoucherQuerySet":
        """Codes of the discount's pools that can be given at `now`, those that came first before the others."""
        free = self.filter(Voucher.lasts(now), discount=discount, state=Voucher.State.FREE, pool__isnull=False)
        return free.order_by("pk")

    def usable(self, now: datetime) -> "VoucherQuerySet":
        """Those that can be used at `now`, as far as the voucher itself goes."""
        is_left = Q(uses_allowed=None) | Q(uses__lt=F("uses_allowed"))
        return self.filter(is_left, Voucher.lasts(now), state=Voucher.State.ISSUED)

    def unused_at(self, now: datetime) -> "VoucherQuerySet":
        """Those that their customers had at `now` and could use, by what was known then: also of a past moment."""
        standing = Redemption.objects.made_by(now).filter(voucher=OuterRef("pk")).order_by().values("voucher")
        uses = Coalesce(Subquery(standing.values(count=Count("pk"))), 0)
        is_left = Q(uses_allowed=None) | Q(uses_allowed__gt=uses)
        is_there = Q(ended_at=None) | Q(ended_at__gt=now)
        return self.filter(Voucher.lasts(now), is_there, assigned_at__lte=now).filter(is_left)

    def usable_at(self, now: datetime) -> "VoucherQuerySet":
        """Those of them whose time had begun by then."""
        return self.unused_at(now).filter(Q(valid_from=None) | Q(valid_from__lte=now))


class Voucher(models.Model):
    """A code for a discount: one customer's own, one of a pool, or one that everybody may use."""

    class State(models.TextChoices):
        FREE = "free", "Not given to anybody yet"
        ISSUED = "issued", "Can be used"
        REDEEMED = "redeemed", "Used"
        SUPERSEDED = "superseded", "Replaced by a newer one"
        REVOKED = "revoked", "Revoked"
        EXPIRED = "expired", "Expired"

    code = models.CharField(
        max_length=40,
        validators=[RegexValidator(IS_A_CODE, "Capital letters and digits, with dashes between them if you like.")],
        help_text="Capital letters and digits, with dashes between them if you like.",
    )
    key = models.GeneratedField(  # what codes.key() makes of the code
        expression=models.Func(F("code"), *map(Value, codes.READ_AS), function="translate"),
        output_field=models.CharField(max_length=40),
        db_persist=True,
    )
    discount = models.ForeignKey(Discount, on_delete=models.PROTECT, related_name="vouchers", db_index=False)
    pool = models.ForeignKey(CodePool, on_delete=models.PROTECT, null=True, blank=True, related_name="vouchers")
    customer = models.ForeignKey(
        Customer,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="vouchers",
        db_index=False,
        help_text="Whose it is.",
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
        Order,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        help_text="The order that brought it.",
    )
    budget = models.ForeignKey(
        Budget,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        db_index=False,
        help_text="Which it was taken from when it was given.",
    )
    budget_period = models.DateField(
        null=True, blank=True, editable=False, help_text="The first day of the budget's period in which it counts."
    )
    superseded_by = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="supersedes", db_index=False
    )
    ended_at = models.DateTimeField(null=True, blank=True, help_text="When it was revoked or replaced.")
    note = models.CharField(max_length=200, blank=True, default="", db_default="", help_text="Why it was revoked.")
    told_days = models.PositiveSmallIntegerField(
        null=True, editable=False, help_text="Days before its end of which the customer was last told of it."
    )

    objects = VoucherQuerySet.as_manager()

    class Meta:
        permissions = [("revoke_voucher", "Can revoke voucher")]
        constraints = [
            models.UniqueConstraint(fields=["key"], name="one_voucher_per_code_however_it_is_typed"),
            models.CheckConstraint(
                condition=Q(code__regex=IS_A_CODE), name="a_voucher_code_is_of_capital_letters_and_digits"
            ),
            models.UniqueConstraint(fields=["origin"], condition=~Q(origin=""), name="one_voucher_per_origin"),
            models.CheckConstraint(
                condition=Q(uses_allowed__isnull=True) | Q(uses__lte=F("uses_allowed")),
                name="no_voucher_is_used_more_than_allowed",
            ),
        ]
        indexes = [
            models.Index(fields=["discount", "state", "id"], name="voucher_by_discount"),
            # Of a million codes of a pool that nobody has yet, these have nothing to find, and cost nothing.
            models.Index(fields=["customer"], name="voucher_by_customer", condition=Q(customer__isnull=False)),
            models.Index(fields=["order"], name="voucher_by_order", condition=Q(order__isnull=False)),
            models.Index(fields=["superseded_by"], name="voucher_by_newer", condition=Q(superseded_by__isnull=False)),
            models.Index(fields=["expires_at"], name="voucher_that_ends", condition=Q(state="issued")),
            # Nobody was told of their end, or only days before: a tick reads no more than what is due newly.
            models.Index(
                fields=["expires_at"],
                name="voucher_to_warn_of",
                condition=Q(state="issued", customer__isnull=False, told_days__isnull=True, expires_at__isnull=False),
            ),
            models.Index(
                fields=["expires_at"],
                name="voucher_to_warn_of_again",
                condition=Q(state="issued", customer__isnull=False, told_days__gt=1),
            ),
        ]

    def __str__(self) -> str:
        return self.code

    @staticmethod
    def lasts(now: datetime) -> Q:
        """Which have not come to their end at `now`."""
        return Q(expires_at=None) | Q(expires_at__gt=now)

    @classmethod
    def read(cls, typed: str) -> "Voucher":
        """The voucher with the code that was typed; raises Refused if there is none."""
        found = cls.objects.coded(typed).first() if codes.key(typed) else None
        if found is None:
            prefixes = set(Discount.objects.non_polymorphic().values_list("code_prefix", flat=True))
            misread = codes.is_misread(typed, prefixes)
            detail = "Check the code: a sign is wrong." if misread else "Nobody was given this code."
            raise Refused(Refusal(typed, Reason.NOT_FOUND, detail, {"is_misread": misread}))
        return found


class RedemptionQuerySet(models.QuerySet["Redemption"]):
    def standing(self) -> "RedemptionQuerySet":
        """Those that were not undone."""
        return self.filter(reversed_at=None)

    def made_by(self, now: datetime) -> "RedemptionQuerySet":
        """Those that stood at `now`, by what was known then."""
        return self.filter(Q(reversed_at=None) | Q(reversed_at__gt=now), redeemed_at__lte=now)


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
    budget = models.ForeignKey(
        Budget,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Which the amount was taken from.",
    )
    budget_period = models.DateField(
        null=True, blank=True, help_text="The first day of the budget's period in which it counts."
    )
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
