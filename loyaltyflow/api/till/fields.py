"""Fields that take exactly what they say, and tell what they expected and found."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from loyaltyflow.store.clock import store
from loyaltyflow.store.intake.cells import shown
from rewards.bill import rounded, smallest_coin

MONEY = {"type": "string", "pattern": r"^[0-9]{1,7}(\.[0-9]{1,2})?$", "example": "12.50"}
QUANTITY = {
    "oneOf": [
        {"type": "integer", "minimum": 1, "maximum": 999_999},
        {"type": "string", "pattern": r"^(?=.*[1-9])[0-9]{1,6}(\.[0-9]{1,3})?$"},
    ],
    "example": 2,
}
LARGEST = 999_999
POINTS_ALLOWED = 1_000_000_000
ID_ALLOWED = 2**63 - 1


def found(value: Any) -> str:
    """The value as an error says it."""
    kinds = {dict: "an object", list: "a list", bool: "true or false", type(None): "null"}
    if type(value) in kinds:
        return kinds[type(value)]
    return shown(value) if isinstance(value, str) else f"the number {shown(str(value))}"


class Strict(serializers.Serializer[Any]):
    """An object that has the fields it should have, and no others."""

    default_error_messages = {"null": "Expected an object, found null."}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise serializers.ValidationError({"": [f"Expected an object, found {found(data)}."]})
        unknown = sorted(set(data) - set(self.fields))
        if unknown:
            names = ", ".join(self.fields)
            raise serializers.ValidationError(
                {each: [f"There is no such field; expected {names}."] for each in unknown}
            )
        return super().to_internal_value(data)


@extend_schema_field({"type": "string"})
class Text(serializers.CharField):
    """A text, and no number."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError(f"Expected a text, found {found(data)}.")
        return str(super().to_internal_value(data))


class Whole(serializers.IntegerField):
    """A whole number, and no text."""

    def to_internal_value(self, data: Any) -> int:
        is_whole = isinstance(data, int) or isinstance(data, float) and data.is_integer()
        if isinstance(data, bool) or not is_whole:
            raise serializers.ValidationError(f"Expected a whole number, found {found(data)}.")
        return int(data)


@extend_schema_field(MONEY)
class Money(serializers.Field[Decimal, Any, str, Any]):
    """An amount of money as text, never below 0, that can be paid in the store's currency."""

    def to_internal_value(self, data: Any) -> Decimal:
        if not isinstance(data, str) or not re.fullmatch(MONEY["pattern"], data):
            raise serializers.ValidationError(
                f"Expected an amount as text such as “12.50”, with up to 7 digits and 2 decimals, found {found(data)}."
            )
        amount, currency = Decimal(data), store().currency
        if amount != rounded(amount, smallest_coin(currency)):
            raise serializers.ValidationError(f"Expected whole coins of {currency}, found {found(data)}.")
        return amount

    def to_representation(self, value: Decimal) -> str:
        return str(value)


@extend_schema_field(QUANTITY)
class Quantity(serializers.Field[Decimal, Any, str, Any]):
    """How many, or how much: a whole number, or a text such as 0.750."""

    def to_internal_value(self, data: Any) -> Decimal:
        is_number = (
            isinstance(data, int) and not isinstance(data, bool) or isinstance(data, float) and data.is_integer()
        )
        text = str(int(data)) if is_number else data
        if not isinstance(text, str) or not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?", text) or not Decimal(text):
            raise serializers.ValidationError(
                f"Expected a whole number, or a text such as “0.750”, above 0 and below 1,000,000; found {found(data)}."
            )
        return Decimal(text)

    def to_representation(self, value: Decimal) -> str:
        return f"{value.normalize():f}"
