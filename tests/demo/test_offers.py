from decimal import Decimal

import pytest

from loyaltyflow.demo import offers
from loyaltyflow.store.models import Product
from rewards.bill import Refused
from rewards.checks import checked
from rewards.claims import claims
from rewards.models import Discount, Voucher
from tests import factories
from tests.rewards.bills import amounts, bill, line

pytestmark = pytest.mark.django_db


def test_the_three_visits_the_reward_and_the_code_for_a_first_order(now):
    roses = factories.product(name="Roses", category="Floral-Fresh Cut")
    offers.make(now)
    who = factories.customer(first_name="Maria")
    on = bill(now, line("7.00"), line("18.00", product=roses), line("3.50", product=Product.objects.get(sku="CUP12")))
    taken = {}
    for claim in claims([], Discount.objects.values_list("pk", flat=True)):
        try:
            taken[claim.discount.name] = amounts(checked(claim, on, who.pk, now))
        except Refused as refused:
            taken[claim.discount.name] = refused.refusal.detail
    assert taken == {
        "1st visit": {3: "3.50"},
        "2nd visit": {2: "10.00"},
        "3rd visit": {2: "5.00"},
        "Coffee for points": {3: "3.50"},
        "WELCOME10": "It needs $11.50 more on this bill.",
    }

    [welcome] = claims([Voucher.objects.get(code="WELCOME10")])
    factories.order(who, now)
    with pytest.raises(Refused) as refused:
        checked(welcome, bill(now, line(Decimal(60))), who.pk, now)
    assert refused.value.refusal.detail == "It is for a first order only. Maria has 1 order."
