"""Discounts and vouchers, as short as a case needs them."""

from datetime import datetime
from itertools import count
from typing import Any

from django.db.models import TextField, Value
from django.db.models.functions import Cast, Concat

from loyaltyflow.store.models import Customer
from rewards import assigning
from rewards.assigning import Assigned
from rewards.discounts import Discount
from rewards.vouchers import CodePool, Voucher

_numbers = count(1)


def discount(**fields: Any) -> Discount:
    name = f"Discount {next(_numbers)}"
    return Discount.objects.create(**{"name": name, "title": "$10.00 off", "is_active": True, **fields})


def pool(of: Discount, *codes: str, **fields: Any) -> CodePool:
    """A pool with free codes."""
    made = CodePool.objects.create(discount=of, name=f"Pool {next(_numbers)}", wanted=len(codes), made=len(codes))
    free = Voucher.State.FREE
    Voucher.objects.bulk_create(Voucher(code=each, discount=of, pool=made, state=free, **fields) for each in codes)
    return made


def give(of: Discount, now: datetime, cause: str = "test", **more: Any) -> Assigned:
    """A voucher for every customer, for a cause."""
    origin = Concat(Value(f"{cause}:"), Cast("pk", TextField()), output_field=TextField())
    return assigning.assign(Customer.objects.all(), of, origin=origin, customer="pk", now=now, **more)
