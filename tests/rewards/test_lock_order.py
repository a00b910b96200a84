"""Who gives vouchers takes codes before budgets, as tills do, so that the two never wait in a circle."""

from threading import Event, Thread

import pytest
from django.db import OperationalError, connection, transaction

from rewards import budgets
from rewards.models import Budget, Voucher
from tests import factories

from .vouching import discount, give, pool

pytestmark = pytest.mark.django_db(transaction=True)


def is_waiting():
    """Whether somebody waits for a row of somebody else."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0] > 0


def test_a_till_that_holds_a_code_and_wants_the_budget_does_not_wait_for_a_giver_who_wants_the_code(now):
    budget = Budget.objects.create(name="Ten", unit="vouchers", amount=10)
    of = discount(makes_codes=False, budget=budget)
    pool(of, "ONLY-ONE")
    who = factories.customer()
    given, failed = [], []

    def giver():
        try:
            given.append(give(of, now).new)
        except OperationalError as error:  # a deadlock
            failed.append(error)
        finally:
            connection.close()

    with transaction.atomic():
        held = Voucher.objects.select_for_update().get(code="ONLY-ONE")
        thread = Thread(target=giver)
        thread.start()
        pause = Event()
        assert any(is_waiting() or pause.wait(0.05) for _ in range(200))
        assert budgets.draw(budget, 1, who.pk, now) == 1
        assert held.state == "free"
    thread.join(30)

    assert (given, failed) == ([1], [])
    assert Voucher.objects.get().customer == who
    assert budgets.used_now([budget], now) == {budget.pk: 2}
