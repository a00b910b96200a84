"""What tills are answered: exactly these fields, always all of them."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from rewards.bill import Reason

from .fields import QUANTITY, Strict

OTHER_REASONS = [
    "invalid",
    "parse_error",
    "not_authenticated",
    "authentication_failed",
    "permission_denied",
    "not_found",
    "method_not_allowed",
    "not_acceptable",
    "unsupported_media_type",
    "too_many_guesses",
    "several_found",
    "in_progress",
    "key_reused",
    "too_large",
    "busy",
]
REASONS = [*dict.fromkeys([*Reason.values, *OTHER_REASONS])]
AMOUNT = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,2})?$", "example": "12.50"}


@extend_schema_field(AMOUNT)
class Amount(serializers.CharField):
    """Money, with as many decimals as the currency has."""


@extend_schema_field({"type": "string", "example": QUANTITY["example"]})
class Number(serializers.CharField):
    """A decimal number as text."""


@extend_schema_field({"type": "object", "additionalProperties": True})
class Anything(serializers.JSONField):
    """An object whose fields depend on the reason."""


class Refused(Strict):
    code = serializers.CharField(help_text="What is refused: a voucher's code, points, or the kind of error.")
    reason = serializers.ChoiceField(choices=REASONS, help_text="Why, in one word.")
    detail = serializers.CharField(help_text="Why, as a sentence that says what is missing or what to do.")
    current = Anything(help_text="How it stands now, such as who used a voucher where and when.")


class Error(Strict):
    error = Refused()


class Who(Strict):
    id = serializers.IntegerField()
    name = serializers.CharField()
    is_member = serializers.BooleanField()


class LineTold(Strict):
    number = serializers.IntegerField()
    sku = serializers.CharField()
    name = serializers.CharField()
    quantity = Number()
    amount = Amount(help_text="Before discounts.")
    discount = Amount(help_text="What codes take off.")
    paid_by_points = Amount()
    net = Amount(help_text="What is left to pay, without tax.")


class CodeTold(Strict):
    code = serializers.CharField()
    title = serializers.CharField(help_text="As customers read it.")
    amount = Amount(help_text="What it takes off.")
    gift = serializers.CharField(help_text="The SKU of what is handed over besides; empty: nothing.")
    points_factor = Number(help_text="What it multiplies the points by that the bill earns.")


class TotalsTold(Strict):
    goods = Amount(help_text="The lines, before discounts.")
    discount = Amount()
    paid_by_points = Amount()
    net = Amount(help_text="What is paid for the goods: after discounts and points.")
    shipping = Amount()
    tax = Amount()
    to_pay = Amount()
    currency = serializers.CharField()


class EarnTold(Strict):
    rule = serializers.IntegerField()
    points = serializers.IntegerField()
    explanation = serializers.CharField(help_text="How they are worked out.")


class BalanceTold(Strict):
    active = serializers.IntegerField(help_text="Can be spent now.")
    pending = serializers.IntegerField(help_text="Wait until the purchase cannot be returned any more.")


class QuoteTold(Strict):
    customer = Who(allow_null=True)
    lines = LineTold(many=True)
    codes = CodeTold(many=True, help_text="Those that are taken, in the order in which they count.")
    refusals = Refused(many=True, help_text="Codes and points that cannot be used.")
    totals = TotalsTold()
    points_to_use = serializers.IntegerField(help_text="As many as are used: never more than the bill needs.")
    points_factor = Number(help_text="What the codes multiply the points by that the bill earns.")
    points_to_earn = serializers.IntegerField()
    earning = EarnTold(many=True)
    balance_after = BalanceTold(allow_null=True)


class OrderTold(Strict):
    id = serializers.IntegerField()
    external_id = serializers.CharField()
    status = serializers.ChoiceField(choices=["placed", "completed", "cancelled", "refunded"])
    net = Amount()
    refunded = Amount(help_text="Of the net amount, so far.")


class CommitTold(QuoteTold):
    order = OrderTold()


class HoldTold(Strict):
    external_id = serializers.CharField()
    customer = serializers.IntegerField()
    points = serializers.IntegerField()
    voucher = serializers.CharField(help_text="Its code; empty: none.")
    expires_at = serializers.DateTimeField()
    status = serializers.ChoiceField(choices=["open", "ended"])


class UndoneTold(Strict):
    order = OrderTold()
    external_id = serializers.CharField(help_text="Of the refund; empty: the order was cancelled.")
    amount = Amount(help_text="Paid back by this refund, of the net amount.")
    points_taken_back = serializers.IntegerField(help_text="By this refund, of those that the order earned.")
    points_given_back = serializers.IntegerField(help_text="By this refund, of those that were spent on the order.")
    codes_given_back = serializers.ListField(child=serializers.CharField())
    balance_after = BalanceTold()


class VoucherUseTold(Strict):
    code = serializers.CharField()
    status = serializers.ChoiceField(choices=["redeemed", "released"])
    order = serializers.CharField(help_text="Its number.")
    amount = Amount(help_text="What it took off the order.")


class ExpiringTold(Strict):
    points = serializers.IntegerField()
    on = serializers.DateField(help_text="The last day on which they can be spent.")


class AccountTold(BalanceTold):
    held = serializers.IntegerField(help_text="Kept for a till.")
    owed = serializers.IntegerField(help_text="Were taken back after they had been spent; later ones pay for them.")
    worth = Amount(help_text="Of what can be spent now.")
    expiring = ExpiringTold(many=True)


class TierTold(Strict):
    name = serializers.CharField(help_text="Empty: none yet.")
    benefits = serializers.ListField(child=serializers.CharField())
    content_url = serializers.CharField(help_text="The page for members of the tier and of those above; empty: none.")
    next = serializers.CharField(help_text="The next one; empty: there is none.")
    missing = Number(help_text="To the next one: points or money, as the programme counts; empty: there is none.")
    in_words = serializers.CharField(help_text="The same as staff read it.")


class VoucherTold(Strict):
    code = serializers.CharField()
    title = serializers.CharField()
    expires_at = serializers.DateTimeField(allow_null=True)
    fits = serializers.BooleanField(help_text="Whether the customer can use it now, whatever is on the bill.")
    refusal = Refused(allow_null=True)


class OfferTold(Strict):
    reward = serializers.IntegerField(help_text="Its id, by which it can be taken.")
    title = serializers.CharField()
    points_price = serializers.IntegerField()
    is_within_reach = serializers.BooleanField(help_text="Whether the customer has as many points.")


class RewardTold(Strict):
    external_id = serializers.CharField()
    customer = serializers.IntegerField()
    reward = serializers.IntegerField()
    title = serializers.CharField(help_text="As customers read it.")
    points = serializers.IntegerField(help_text="What was paid for it.")
    code = serializers.CharField(help_text="The customer's own code.")
    expires_at = serializers.DateTimeField(allow_null=True)
    status = serializers.ChoiceField(choices=["taken", "cancelled"])
    balance_after = BalanceTold()


class ProfileTold(Who):
    email = serializers.CharField()
    phone = serializers.CharField()
    joined_at = serializers.DateTimeField(allow_null=True)


class PersonTold(Strict):
    customer = ProfileTold()
    balance = AccountTold()
    tier = TierTold()
    vouchers = VoucherTold(many=True)
    offers = OfferTold(many=True)
    insights = serializers.ListField(
        child=serializers.CharField(), help_text="Up to four segments, the smallest first."
    )


class AdjustmentTold(Strict):
    external_id = serializers.CharField()
    customer = serializers.IntegerField()
    points = serializers.IntegerField()
    status = serializers.ChoiceField(
        choices=["done", "pending", "refused"], help_text="Pending: somebody has to approve it first."
    )
    balance_after = BalanceTold()
