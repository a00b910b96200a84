from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from analytics.attribution import credit
from analytics.figures import refresh
from analytics.models import DailyFigure
from loyaltyflow.store.intake import ORDERS, Context, Intake
from loyaltyflow.store.models import StoreSettings
from tests import factories
from tests.analytics.facts import engaged, message

pytestmark = pytest.mark.django_db(transaction=True)
DAY = timedelta(days=1)
COLUMNS = ("sent", "delivered", "bounced", "opened", "clicked", "opens", "clicks", "blocked", "conversions", "revenue")


def assert_figure(day, **expected):
    found = DailyFigure.objects.get(day=day)
    assert {name: getattr(found, name) for name in expected} == expected


def test_each_fact_counts_on_its_own_day(now):
    who = factories.customer()
    sent = message(who, now - 3 * DAY)
    engaged(sent, "open", now - 2 * DAY)
    engaged(sent, "open", now - 2 * DAY)
    engaged(sent, "open", now - 2 * DAY, is_machine=True)
    engaged(sent, "click", now - 2 * DAY)
    engaged(sent, "unsubscribe", now - 2 * DAY)
    factories.order(who, now - DAY, "30.00", refunded="5.00")
    message(who, None, due_at=now, status="blocked", reason="opted_out")
    message(who, now, status="bounced")
    credit(now)

    assert refresh(now) == {"days": 4}

    assert_figure(date(2026, 11, 20), sent=1, delivered=1, bounced=0, opened=1, clicked=1, opens=0, clicks=0)
    assert_figure(date(2026, 11, 21), sent=0, opens=2, clicks=1, machine_opens=1, machine_clicks=0, unsubscribes=1)
    assert_figure(date(2026, 11, 22), conversions=1, revenue=Decimal("25.00"), blocked=0)
    assert_figure(date(2026, 11, 23), sent=1, delivered=0, bounced=1, blocked=1, conversions=0)


def test_a_day_begins_at_the_stores_midnight(now):
    who = factories.customer()
    midnight = datetime(2026, 11, 22, tzinfo=now.tzinfo)
    message(who, midnight - timedelta(minutes=1))
    message(who, midnight)

    refresh(now)

    assert list(DailyFigure.objects.order_by("day").values_list("day", "sent")) == [
        (date(2026, 11, 21), 1),
        (date(2026, 11, 22), 1),
    ]


def test_half_a_refund_halves_the_revenue(now):
    who = factories.customer()
    engaged(message(who, now - 3 * DAY), "click", now - 3 * DAY)
    order = factories.order(who, now - 2 * DAY, "80.00")
    credit(now)
    refresh(now)
    assert_figure(date(2026, 11, 21), revenue=Decimal("80.00"))
    order.refunded = Decimal("40.00")
    order.save(update_fields=["refunded"])
    factories.happened("order_refunded", who.pk, now, f"order_refunded:{order.pk}", order=order.pk)

    credit(now)
    refresh(now)

    assert_figure(date(2026, 11, 21), revenue=Decimal("40.00"), conversions=1)


def test_a_day_that_loses_its_last_conversion_shows_none(now):
    who = factories.customer()
    engaged(message(who, now - 3 * DAY), "click", now - 3 * DAY)
    order = factories.order(who, now - 2 * DAY, "80.00")
    credit(now)
    refresh(now)
    order.cancelled_at = now
    order.save(update_fields=["cancelled_at"])
    factories.happened("order_cancelled", who.pk, now, f"order_cancelled:{order.pk}", order=order.pk)

    credit(now)
    refresh(now)

    assert_figure(date(2026, 11, 21), revenue=Decimal("0.00"), conversions=0)


def test_an_open_weeks_later_counts_for_the_message_too(now):
    who = factories.customer()
    sent = message(who, now - 20 * DAY)
    refresh(now)

    engaged(sent, "open", now)

    assert refresh(now) == {"days": 2}
    assert_figure(date(2026, 11, 3), sent=1, opened=1, opens=0)
    assert_figure(date(2026, 11, 23), opened=0, opens=1)


def test_refreshing_twice_changes_no_row(now):
    who = factories.customer()
    engaged(message(who, now - 3 * DAY), "click", now - 3 * DAY)
    message(who, None, due_at=now, status="blocked")
    factories.order(who, now - 2 * DAY)
    credit(now)
    refresh(now)
    before = list(DailyFigure.objects.order_by("pk").values())

    assert refresh(now) == {"days": 0}
    assert list(DailyFigure.objects.order_by("pk").values()) == before


def test_only_days_on_which_something_changed_are_counted_again(now):
    who = factories.customer()
    message(who, now - 3 * DAY)
    message(who, now - 30 * DAY)
    refresh(now)
    DailyFigure.objects.filter(day=date(2026, 10, 24)).update(sent=99)

    message(who, now - 3 * DAY)
    refresh(now)

    assert_figure(date(2026, 11, 20), sent=2)
    assert_figure(date(2026, 10, 24), sent=99)


def test_verify_figures_finds_what_a_full_count_denies(now, capsys):
    who = factories.customer()
    engaged(message(who, now - 3 * DAY), "click", now - 3 * DAY)
    factories.order(who, now - 2 * DAY)
    credit(now)
    refresh(now)
    call_command("verify_figures")
    assert capsys.readouterr().out == "All figures equal a full count.\n"
    DailyFigure.objects.filter(day=date(2026, 11, 20)).update(sent=7)

    with pytest.raises(CommandError, match="1 figures differ"):
        call_command("verify_figures")

    assert "on 2026-11-20: 7 is kept, 1 is right." in capsys.readouterr().err


def statements(now, messages):
    who = factories.customer()
    for number in range(messages):
        engaged(message(who, now - (number % 3) * DAY), "open", now - (number % 3) * DAY)
    with CaptureQueriesContext(connection) as queries:
        assert refresh(now) == {"days": 3}
    return len(queries)


def test_the_number_of_statements_does_not_depend_on_the_number_of_messages(now):
    StoreSettings.load()
    statements(now, 3)
    assert statements(now, 3) == statements(now, 60)


def correct(order, now, **cells):
    """Send the order again, as the shop's system does when it has changed."""
    with transaction.atomic():
        intake = Intake(ORDERS, Context(now=now, zone=now.tzinfo, country="US", source=order.source))
        row = {"source": order.source, "order_number": order.external_id, **cells}
        intake.add([1], {column.name: [row.get(column.name, "")] for column in ORDERS.columns})
        assert intake.merge(with_statuses=True).statuses == {1: "updated"}


@pytest.mark.parametrize(
    ("_case", "cells", "expected"),
    [
        ("more is refunded", {"refunded": "12.00"}, {date(2026, 11, 21): (1, "18.00")}),
        ("another amount", {"net": "31.50"}, {date(2026, 11, 21): (1, "26.50")}),
        (
            "completed on another day",
            {"completed_at": "2026-11-22T10:00:00-05:00"},
            {date(2026, 11, 21): (0, "0.00"), date(2026, 11, 22): (1, "25.00")},
        ),
    ],
)
def test_a_corrected_order_is_counted_as_it_is_now(_case, cells, expected, now):
    who = factories.customer()
    engaged(message(who, now - 3 * DAY), "click", now - 3 * DAY)
    order = factories.order(who, now - 2 * DAY, "30.00")
    correct(order, now - 2 * DAY, refunded="5.00")
    credit(now)
    refresh(now)

    correct(order, now, **cells)
    credit(now + DAY)
    refresh(now + DAY)

    days = DailyFigure.objects.filter(day__in=expected).order_by("day")
    assert {each.day: (each.conversions, str(each.revenue)) for each in days} == expected
    call_command("verify_figures")


def test_recredit_mends_every_figure_that_differs(now, capsys):
    message(factories.customer(), now - 40 * DAY)
    old = message(factories.customer(), None, due_at=now - 30 * DAY)
    refresh(now)
    type(old).objects.filter(pk=old.pk).stop()
    refresh(now + DAY)
    DailyFigure.objects.update(sent=7)
    with pytest.raises(CommandError, match="2 figures differ"):
        call_command("verify_figures")

    call_command("recredit")

    assert "0 orders are credited; the figures of 2 days were counted anew." in capsys.readouterr().out
    call_command("verify_figures")
