"""What tills send."""

import re
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from rewards.adjustments import MOST

from .fields import ID_ALLOWED, POINTS_ALLOWED, Money, Quantity, Strict, Text, Whole, found

LINES_ALLOWED = 500
CODES_ALLOWED = 10


NUMBER = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,119}$"


@extend_schema_field({"type": "string", "pattern": NUMBER})
class Number(Text):
    """What another system calls something; it may stand in an address."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not re.fullmatch(NUMBER, text):
            raise serializers.ValidationError(
                "Expected up to 120 letters, digits and . _ : - with a letter or digit at the beginning, "
                f"found {found(data)}."
            )
        return text


def customer() -> Whole:
    return Whole(
        min_value=1, max_value=ID_ALLOWED, required=False, allow_null=True, help_text="The id that the look-up told."
    )


class LineAsked(Strict):
    sku = Text(max_length=64, help_text="The product; one that is not known is made.")
    name = Text(max_length=200, required=False, allow_blank=True, help_text="What a product not known yet is called.")
    quantity = Quantity(required=False, help_text="Left out: 1.")
    amount = Money(help_text="For the whole line, without tax, before discounts.")


class BillAsked(Strict):
    lines = LineAsked(many=True, min_length=1, max_length=LINES_ALLOWED)  # type: ignore[call-arg]
    shipping = Money(required=False)
    tax = Money(required=False, help_text="As the till works it out; it is not discounted and earns nothing.")


class PlaceAsked(Strict):
    store = Text(max_length=60, required=False, allow_blank=True, help_text="The branch.")
    till = Text(max_length=60, required=False, allow_blank=True, help_text="Which till, such as Till 1.")


class QuoteAsked(PlaceAsked):
    customer = customer()
    bill = BillAsked()
    codes = serializers.ListField(child=Text(max_length=60), required=False, max_length=CODES_ALLOWED)
    points_to_use = Whole(min_value=0, max_value=POINTS_ALLOWED, required=False)
    hold = Number(required=False, help_text="The external_id of a hold of these points or codes.")


class OrderAsked(QuoteAsked):
    customer = Whole(min_value=1, max_value=ID_ALLOWED, help_text="The id that the look-up told.")
    external_id = Number(help_text="The number of the order (the receipt) at the till.")
    status = serializers.ChoiceField(
        choices=["placed", "completed"],
        required=False,
        help_text="Completed (if left out): paid and done, it earns. Placed: not yet; send it again when it is.",
    )


class HoldAsked(PlaceAsked):
    external_id = Number(help_text="The till's own number for it.")
    customer = Whole(min_value=1, max_value=ID_ALLOWED, help_text="The id that the look-up told.")
    points = Whole(min_value=1, max_value=POINTS_ALLOWED, required=False)
    voucher = Text(max_length=60, required=False, help_text="Its code.")
    expires_in = Whole(min_value=1, max_value=900, required=False, help_text="Seconds; left out: as long as allowed.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "points" not in attrs and "voucher" not in attrs:
            raise serializers.ValidationError("Expected points, a voucher or both, found neither.")
        return attrs


class PartAsked(Strict):
    number = Whole(min_value=1, max_value=LINES_ALLOWED, help_text="Of the line on the order, from 1.")
    quantity = Quantity(required=False, help_text="So many of the line.")
    amount = Money(required=False, help_text="Or so much of what was paid for it. Neither: all that is left of it.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "quantity" in attrs and "amount" in attrs:
            raise serializers.ValidationError("Expected a quantity or an amount, found both.")
        return attrs


class RefundAsked(PlaceAsked):
    external_id = Number(help_text="The number of the refund at the till.")
    lines = PartAsked(many=True, required=False, min_length=1, max_length=LINES_ALLOWED)  # type: ignore[call-arg]
    amount = Money(required=False, help_text="Of what was paid for the goods, if no lines are named.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "lines" in attrs and "amount" in attrs:
            raise serializers.ValidationError("Expected lines or an amount, found both.")
        return attrs


class CancelAsked(PlaceAsked):
    pass


class VoucherUseAsked(PlaceAsked):
    order = Number(help_text="The number of the order that it was used on; one of this key's source.")


class LookupAsked(Strict):
    phone = Text(max_length=60, required=False, help_text="Written in any way; without a country code, the store's.")
    email = Text(max_length=254, required=False, help_text="In capitals or not.")
    card = Text(max_length=120, required=False, help_text="The number on the customer's card.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError("Expected exactly one of phone, email and card.")
        return attrs


class RewardAsked(PlaceAsked):
    external_id = Number(help_text="The till's own number for it, so that it is paid for once.")
    customer = Whole(min_value=1, max_value=ID_ALLOWED, help_text="The id that the look-up told.")
    reward = Whole(min_value=1, max_value=ID_ALLOWED, help_text="The id of one of the offers that the look-up told.")


class AdjustmentAsked(Strict):
    external_id = Number(help_text="The sender's own number for it, so that it counts once.")
    customer = Whole(min_value=1, max_value=ID_ALLOWED, help_text="The id that the look-up told.")
    points = Whole(min_value=-MOST, max_value=MOST, help_text="To take points away, begin with a minus: -50.")
    reason = Text(max_length=40, help_text="The code of a reason for adjustments, such as goodwill.")
    note = Text(max_length=200, required=False, allow_blank=True, help_text="For staff; the customer does not see it.")
