from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyaltyflow.store.models import Event
from rewards.bill import Refused
from rewards.combining import judged
from rewards.models import CodePool, Discount, Redemption, Voucher
from rewards.redeeming import undone, used
from tests import factories

from .bills import bill, claimed, discount, voucher

pytestmark = pytest.mark.django_db


def take(now, who, *vouchers, order=None, **where):
    taken = judged(claimed(*vouchers), bill(now, "500.00"), who and who.pk, now).taken
    return used(taken, order or factories.order(who or factories.customer(), now), who and who.pk, now, **where)


def counts(made):
    made.refresh_from_db()
    return made.state, made.uses, Discount.objects.non_polymorphic().get(pk=made.discount_id).uses


def told(who):
    names = ("voucher_redeemed", "voucher_given_back")
    events = Event.objects.filter(customer=who, name__in=names).order_by("pk")
    return list(events.values_list("name", "properties", "occurred_at"))


def everything():
    models = (Voucher, Redemption, Discount.objects.non_polymorphic(), Event)
    return [list(getattr(each, "objects", each).order_by("pk").values()) for each in models]


def test_a_use_is_written_down_and_counted_once(now):
    who, made = factories.customer(), voucher()
    order = factories.order(who, now)
    [use] = take(now, who, made, order=order, store_location="Salem", till="Till 2")

    use.refresh_from_db()
    assert (use.discount_id, use.voucher, use.customer, use.order, use.redeemed_at) == (
        made.discount.pk,
        made,
        who,
        order,
        now,
    )
    assert (use.amount, use.store_location, use.till, use.is_single) == (10, "Salem", "Till 2", True)
    assert counts(made) == ("redeemed", 1, 1)
    assert told(who) == [("voucher_redeemed", {"voucher": made.pk, "discount": made.discount.pk}, now)]


def test_a_use_is_undone_exactly_and_once(now):
    who, made = factories.customer(), voucher()
    uses = take(now, who, made)
    later = now + timedelta(hours=1)

    assert [each.pk for each in undone(uses, later)] == [uses[0].pk]
    after = everything()
    assert undone(uses, later) == []
    assert everything() == after
    assert counts(made) == ("issued", 0, 0)
    assert Redemption.objects.get().reversed_at == later
    assert told(who)[1:] == [("voucher_given_back", {"voucher": made.pk, "discount": made.discount.pk}, later)]
    assert take(later, who, made)


def test_a_voucher_for_many_uses_ends_with_the_last(now):
    who, made = factories.customer(), voucher(uses_allowed=2)
    first = take(now, who, made)
    assert counts(made) == ("issued", 1, 1)
    take(now, who, made)
    assert counts(made) == ("redeemed", 2, 2)
    undone(first, now)
    assert counts(made) == ("issued", 1, 1)


def test_a_code_of_a_pool_is_free_again(now):
    of = discount()
    pool = CodePool.objects.create(name="Leaflets", discount=of)
    made = voucher(of, pool=pool, state="free")
    uses = take(now, None, made)
    assert counts(made) == ("redeemed", 1, 1)
    undone(uses, now)
    assert counts(made) == ("free", 0, 0)


@pytest.mark.parametrize("state", ["revoked", "superseded", "expired"])
def test_what_ended_meanwhile_stays_ended(now, state):
    who, made = factories.customer(), voucher(uses_allowed=5)
    uses = take(now, who, made)
    Voucher.objects.filter(pk=made.pk).update(state=state)
    undone(uses, now)
    assert counts(made) == (state, 0, 0)


def test_somebody_unknown_has_no_events(now):
    made = voucher()
    [use] = take(now, None, made)
    assert (use.customer_id, counts(made)) == (None, ("redeemed", 1, 1))
    assert not Event.objects.filter(name="voucher_redeemed").exists()


@pytest.mark.parametrize(
    ("_case", "of", "meanwhile", "reason"),
    [
        ("the voucher is used", {}, {"state": "redeemed"}, "already_redeemed"),
        ("the voucher ends", {}, {"expires_at": 0}, "already_redeemed"),
        ("the discount is used up", {"uses_allowed": 1}, {}, "limit_reached"),
        ("the customer has used it", {"uses_per_customer": 1}, {}, "customer_limit_reached"),
    ],
)
def test_who_is_too_late_changes_nothing(now, _case, of, meanwhile, reason):
    who, of = factories.customer(), discount(**of)
    made, order = voucher(of), factories.order(who, now)
    taken = judged(claimed(made), bill(now, "500.00"), who.pk, now).taken
    take(now, who, voucher(of))
    Voucher.objects.filter(pk=made.pk).update(**{key: each or now for key, each in meanwhile.items()})

    before = everything()
    with pytest.raises(Refused) as refused:
        used(taken, order, who.pk, now)
    assert (refused.value.refusal.code, refused.value.refusal.reason) == (made.code, reason)
    assert everything() == before


def test_the_statements_do_not_depend_on_the_number_of_uses(now):
    who, seen = factories.customer(), []
    for number in (1, 12):
        vouchers = [voucher(discount(combines=True, amount=1)) for _each in range(number)]
        order = factories.order(who, now)
        taken = judged(claimed(*vouchers), bill(now, "500.00"), who.pk, now).taken
        with CaptureQueriesContext(connection) as captured:
            uses = used(taken, order, who.pk, now)
            assert len(undone(uses, now)) == number
        seen.append(len([each for each in captured if "SAVEPOINT" not in each["sql"]]))
    # Taken: vouchers, discounts, uses with their events. Back: uses held, uses, vouchers, discounts, events.
    assert seen == [8, 8]
