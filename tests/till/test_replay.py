"""An hour of till traffic that is sent again whole changes nothing."""

from random import Random

import pytest

from rewards import ledger
from tests.till import shop

pytestmark = pytest.mark.django_db
REQUESTS = 120


def hour(till, chance):
    """Quotes, holds, purchases, refunds and cancelled orders, refused ones and mistakes among them."""
    shop.rule("1")
    people = [shop.member(chance.randrange(500)).pk for _ in range(5)]
    for number in range(20):
        shop.code(f"SAVE{number}", shop.off("5.00"))
    for number in range(REQUESTS):
        act = chance.choice([quote, hold, release, sell, sell, sell, refund, cancel, mistake])
        act(till, chance, chance.choice(people), number)


def wanted(chance, who):
    bill = shop.bill(*[f"{chance.randrange(1, 90)}.{chance.randrange(100):02}" for _ in range(chance.randrange(1, 4))])
    codes = [f"SAVE{chance.randrange(22)}" for _ in range(chance.randrange(2))]
    return {"customer": who, "bill": bill, "codes": codes, "points_to_use": chance.choice([0, 0, 40, 300])}


def quote(till, chance, who, number):
    till("till/quote", wanted(chance, who))


def hold(till, chance, who, number):
    till("till/holds", {"external_id": f"H-{number}", "customer": who, "points": chance.randrange(1, 200)})


def release(till, chance, who, number):
    till(f"till/holds/H-{chance.randrange(number + 1)}", method="DELETE")


def sell(till, chance, who, number):
    status = chance.choice(["placed", "completed", "completed"])
    till("till/orders", {**wanted(chance, who), "external_id": f"R-{chance.randrange(number + 1)}", "status": status})


def refund(till, chance, who, number):
    body = {"external_id": f"B-{number}", "amount": f"{chance.randrange(1, 40)}.00"}
    till(f"till/orders/R-{chance.randrange(number + 1)}/refunds", body)


def cancel(till, chance, who, number):
    till(f"till/orders/R-{chance.randrange(number + 1)}/cancel", {})


def mistake(till, chance, who, number):
    till("till/orders", {"external_id": f"R-{number}", "customer": "who?", "bill": shop.bill("-1.00")})


def test_an_hour_sent_again_whole_changes_nothing_and_is_answered_alike():
    till, chance = shop.till(), Random(7)
    hour(till, chance)
    answered = {response.status_code for _, response in till.sent}
    assert answered >= {200, 400, 404, 409}
    before = shop.dump()

    for sent, first in till.sent:
        again = till.send(*sent)
        assert (again.status_code, again.content) == (first.status_code, first.content), sent
        assert again.headers["Idempotent-Replayed"] == "true"
        assert "Idempotent-Replayed" not in first.headers

    assert shop.dump() == before
    assert ledger.verify() == []


def test_another_request_under_the_same_key_is_refused():
    till, who = shop.till(), shop.member()
    sale = {"customer": who.pk, "bill": shop.bill()}
    assert till("till/quote", sale, key="one").status_code == 200
    before = shop.dump()
    assert shop.refused(till("till/quote", {**sale, "points_to_use": 0}, key="one"), 422)[1] == "key_reused"
    assert shop.refused(till("till/orders", {**sale, "external_id": "R-1"}, key="one"), 422)[1] == "key_reused"
    assert shop.dump() == before
