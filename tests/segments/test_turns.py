"""When a customer comes to meet conditions, or ceases to, with no more than time going by."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyaltyflow.store.models import Customer
from segments.exchange.trees import grown
from segments.turns import Turn, turn
from tests import factories

pytestmark = pytest.mark.django_db


def midnight(now, days: int):
    return (now + timedelta(days=days)).replace(hour=0, minute=0)


def purchase(**fields) -> dict:
    return {"made_purchase": fields}


DORMANT = purchase(operator="none", window_days=21)
CASES = [
    ("joins when the last purchase is long ago", DORMANT, [14], (8, True)),
    ("leaves when the last purchase is long ago", purchase(window_days=21), [14], (8, False)),
    ("no purchase: time changes nothing", DORMANT, [], None),
    ("time changes nothing of what is ever", purchase(count=2), [14], None),
    ("both parts must hold", {"all_of": [purchase(count=1), DORMANT]}, [14, 30], (8, True)),
    ("a first flip of a part that changes nothing", {"any_of": [DORMANT, purchase(window_days=10)]}, [14], (8, True)),
    ("hops over a flip", {"any_of": [purchase(window_days=10), purchase(window_days=20)]}, [5], (16, False)),
    ("in for a while, not yet", {"all_of": [DORMANT, purchase(window_days=30)]}, [14], (8, True)),
    ("and then out again", {"all_of": [DORMANT, purchase(window_days=30)]}, [25], (6, False)),
]


@pytest.mark.parametrize(("_case", "plain", "bought", "expected"), CASES, ids=[each[0] for each in CASES])
def test_the_turn_is_the_first_moment_at_which_the_answer_changes(_case, plain, bought, expected, now):
    who = factories.customer()
    for days in bought:
        factories.order(who, now - timedelta(days=days))
    tree = grown(plain)

    found = turn(tree, who, now)

    assert found == (expected and Turn(midnight(now, expected[0]), expected[1]))
    if found:
        met = [Customer.objects.filter(tree.q(at)).exists() for at in (found.at - timedelta(microseconds=1), found.at)]
        assert met == [not found.joins, found.joins]
        assert found.at.tzinfo == now.tzinfo


def test_it_gives_up_after_so_many_hops(now):
    who = factories.customer()
    factories.order(who, now)
    tree = grown({"any_of": [purchase(window_days=days) for days in range(1, 60)]})

    with CaptureQueriesContext(connection) as queries:
        assert turn(tree, who, now) is None

    assert len(queries) <= 41
