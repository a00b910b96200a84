"""Processes that give vouchers at the same time: each is given a discount and a customer, and says how many are new."""

import django

from tests.side_by_side import serve


def given(asked: tuple[int, int]) -> int:
    """How many vouchers of the discount the customer got now."""
    discount, customer = asked
    of = Discount.objects.non_polymorphic().get(pk=discount)
    origin = Concat(Value("parallel:"), Cast("pk", TextField()), output_field=TextField())
    people = Customer.objects.filter(pk=customer)
    return assigning.assign(people, of, origin=origin, customer="pk", now=timezone.now()).new


if __name__ == "__main__":
    django.setup()
    from django.db.models import TextField, Value
    from django.db.models.functions import Cast, Concat
    from django.utils import timezone

    from loyaltyflow.store.models import Customer
    from rewards import assigning
    from rewards.discounts import Discount

    serve(given)
