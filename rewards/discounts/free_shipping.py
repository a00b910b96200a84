from decimal import Decimal
from typing import Any, ClassVar

from django.core.validators import MinValueValidator
from django.db import models

from ..bill import Bill, Off, Reason, Refusal, Refused
from .base import Discount
from .fitting import at_most


class FreeShipping(Discount):
    """Shipping costs nothing, or so much less."""

    icon = "local_shipping"
    examples: ClassVar[list[dict[str, Any]]] = [{}, {"most": "7.50"}]

    most = models.DecimalField(
        "at most",
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.01"))],
        help_text="What shipping costs beyond that is paid. Empty: all of it is free.",
    )

    class Meta:
        verbose_name = "free shipping"
        verbose_name_plural = "free shipping"

    def summary(self) -> str:
        return f"Free shipping{at_most(self.most)}"

    def off(self, bill: Bill) -> Off:
        if not bill.shipping:
            raise Refused(Refusal("", Reason.PRODUCT_NOT_IN_BILL, "There is no shipping on this bill."))
        return Off(shipping=min(bill.shipping, self.most or bill.shipping))
