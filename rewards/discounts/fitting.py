from collections.abc import Sequence

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models

from loyaltyflow.store.models import Product
from loyaltyflow.words import listed, plain

from ..bill import Bill, Line, Reason, Refusal, Refused


def nothing_fits(wanted: str) -> Refused:
    """That no such thing is on the bill, as a refusal."""
    return Refused(Refusal("", Reason.PRODUCT_NOT_IN_BILL, f"There is nothing of {wanted} on this bill."))


class OffSomeProducts(models.Model):
    """Takes something off some products only."""

    off_products = models.ManyToManyField(
        Product, blank=True, related_name="+", verbose_name="off these products", help_text="And off the categories."
    )
    off_categories = ArrayField(
        models.CharField(max_length=120),
        default=list,
        blank=True,
        verbose_name="off these categories",
        help_text="With commas between them. Neither products nor categories: off any product.",
    )

    class Meta:
        abstract = True

    def fitting(self, bill: Bill) -> list[Line]:
        """The lines that it can be taken off. Raises Refused if there are none."""
        products = {product.pk for product in self.off_products.all()}
        if not products and not self.off_categories:
            fitting = list(bill.lines)
        else:
            by_category = {line.number for line in bill.of_categories(self.off_categories)}
            fitting = [line for line in bill.lines if line.product in products or line.number in by_category]
        if not fitting:
            raise nothing_fits(self.goods_in_words())
        return fitting

    def goods_in_words(self) -> str:
        """What it is taken off, such as “Flower or Edibles”."""
        named = [*(product.name for product in self.off_products.all()), *self.off_categories]
        return plain(listed(named)) if named else "any product"


def must_name_categories(categories: Sequence[str]) -> None:
    """Raise ValidationError if there are none."""
    if not categories:
        raise ValidationError({"off_categories": "Name at least one category, such as Flower. None was given."})
