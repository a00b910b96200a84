from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from analytics.attribution import credit, recredit
from analytics.models import Conversion
from loyaltyflow.store.models import StoreSettings
from messaging.models import Campaign
from tests import factories
from tests.analytics.facts import engaged, message

pytestmark = pytest.mark.django_db(transaction=True)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("_case", "kind", "days", "expected"),
    [
        ("just inside the click window", "click", 7, ["click"]),
        ("a click eight days before", "click", 8, []),
        ("just inside the open window", "open", 3, ["open"]),
        ("an open four days before", "open", 4, []),
        ("an unsubscription is no touch", "unsubscribe", 1, []),
        ("a click after the order", "click", -1, []),
    ],
)
def test_an_order_is_credited_within_the_window_of_its_touch(_case, kind, days, expected, now):
    who = factories.customer()
    ordered_at = now - 2 * DAY
    engaged(message(who, now - 20 * DAY), kind, ordered_at - days * DAY)
    factories.order(who, ordered_at)

    credit(now)

    assert [each.touch for each in Conversion.objects.all()] == expected


def test_two_workflows_touch_one_order_and_the_later_gets_it(now):
    who = factories.customer()
    first, second = Campaign.objects.create(name="Birthday"), Campaign.objects.create(name="Winback")
    engaged(message(who, now - 5 * DAY, first), "click", now - 4 * DAY)
    later = engaged(message(who, now - 5 * DAY, second), "click", now - 3 * DAY)
    order = factories.order(who, now - DAY)

    assert credit(now) == {"credited": 1}

    found = Conversion.objects.get()
    assert (found.order, found.message, found.campaign) == (order, later.message, second)
    assert (found.touched_at, found.ordered_at) == (now - 3 * DAY, now - DAY)


def test_a_click_counts_before_a_later_open(now):
    who = factories.customer()
    clicked = engaged(message(who, now - 5 * DAY), "click", now - 4 * DAY)
    engaged(message(who, now - 3 * DAY, Campaign.objects.create(name="Birthday")), "open", now - 2 * DAY)
    factories.order(who, now - DAY)

    credit(now)

    assert Conversion.objects.get().message == clicked.message


def test_mail_scanners_earn_no_credit(now):
    who = factories.customer()
    engaged(message(who, now - 2 * DAY), "click", now - 2 * DAY, is_machine=True)
    factories.order(who, now - DAY)

    assert credit(now) == {"credited": 0}
    assert not Conversion.objects.exists()


def test_somebody_elses_order_is_not_credited(now):
    engaged(message(factories.customer(), now - 2 * DAY), "click", now - 2 * DAY)
    factories.order(factories.customer(), now - DAY)

    assert credit(now) == {"credited": 0}


def test_a_click_learned_of_after_the_order_earns_its_credit(now):
    who = factories.customer()
    sent = message(who, now - 3 * DAY)
    factories.order(who, now - DAY)
    assert credit(now) == {"credited": 0}

    engaged(sent, "click", now - 2 * DAY)

    assert credit(now) == {"credited": 1}
    assert Conversion.objects.get().message == sent


def test_what_happens_after_now_is_not_known_yet(now):
    who = factories.customer()
    engaged(message(who, now - 2 * DAY), "click", now - 2 * DAY)
    factories.order(who, now + DAY)

    assert credit(now) == {"credited": 0}
    assert credit(now + DAY) == {"credited": 1}


def test_a_cancelled_order_loses_its_credit(now):
    who = factories.customer()
    engaged(message(who, now - 3 * DAY), "click", now - 3 * DAY)
    order = factories.order(who, now - 2 * DAY)
    credit(now)
    order.cancelled_at = now - DAY
    order.save(update_fields=["cancelled_at"])
    factories.happened("order_cancelled", who.pk, now - DAY, f"order_cancelled:{order.pk}", order=order.pk)

    credit(now)

    assert not Conversion.objects.exists()


def test_crediting_twice_changes_no_row(now):
    who = factories.customer()
    engaged(message(who, now - 2 * DAY), "open", now - 2 * DAY)
    factories.order(who, now - DAY)
    credit(now)
    before = list(Conversion.objects.values())

    assert credit(now) == {"credited": 0}
    assert list(Conversion.objects.values()) == before


def test_an_event_key_from_elsewhere_does_no_harm(now):
    who = factories.customer()
    factories.happened("order_completed", who.pk, now, "shop:order_completed:not a number")

    assert credit(now) == {"credited": 0}


def test_recredit_follows_a_changed_window(now, capsys):
    who = factories.customer()
    now = timezone.now()
    engaged(message(who, now - 9 * DAY), "click", now - 9 * DAY)
    factories.order(who, now - DAY)
    credit(StoreSettings.load().local(now))
    assert not Conversion.objects.exists()
    StoreSettings.objects.update(click_window_days=10)

    call_command("recredit")

    assert Conversion.objects.get().touch == "click"
    assert capsys.readouterr().out.startswith("1 orders are credited")
    StoreSettings.objects.update(click_window_days=5)
    assert recredit(StoreSettings.load().local(now)) == {"credited": 0}
    assert not Conversion.objects.exists()


def statements(now, customers):
    for _ in range(customers):
        who = factories.customer()
        engaged(message(who, now - 2 * DAY), "click", now - 2 * DAY)
        factories.order(who, now - DAY)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert credit(now) == {"credited": customers}
    return len(queries)


def test_the_number_of_statements_does_not_depend_on_the_number_of_orders(now):
    StoreSettings.load()
    statements(now, 1)
    assert statements(now, 2) == statements(now, 40)
