from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from loyaltyflow.store.models import StoreSettings
from loyaltyflow.store.templatetags import figures

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (lambda: figures.count(18462), "18,462"),
        (lambda: figures.count(0), "0"),
        (lambda: figures.count(-12), "−12"),
        (lambda: figures.count(None), "–"),
        (lambda: figures.money(Decimal("23184.6")), "$23,184.60"),
        (lambda: figures.money(0), "$0.00"),
        (lambda: figures.money(Decimal("-7560")), "−$7,560.00"),
        (lambda: figures.money(None), "–"),
        (lambda: figures.points(1240), "1,240 pts"),
        (lambda: figures.signed(214380), "+214,380"),
        (lambda: figures.signed(-2110), "−2,110"),
        (lambda: figures.signed(0), "0"),
        (lambda: figures.percent(0.2833), "28.3%"),
        (lambda: figures.percent(0.0012), "0.12%"),
        (lambda: figures.percent(0), "0.0%"),
        (lambda: figures.percent(None), "–"),
        (lambda: figures.width(0.2833), "28.3%"),
        (lambda: figures.width(1.7), "100.0%"),
        (lambda: figures.change(18462, 16905), "+9.2%"),
        (lambda: figures.change(Decimal("4866.15"), Decimal("4915.30")), "−1.0%"),
        (lambda: figures.change(5, 0), "–"),
        (lambda: figures.change(5, None), "–"),
        (lambda: figures.duration(38.4), "38 s"),
        (lambda: figures.duration(2100), "35 min"),
        (lambda: figures.duration(2 * 86400), "2 days"),
        (lambda: figures.period(date(2026, 10, 25), date(2026, 11, 23)), "Oct 25 – Nov 23, 2026"),
        (lambda: figures.period(date(2025, 12, 1), date(2026, 1, 3)), "Dec 1, 2025 – Jan 3, 2026"),
    ],
)
def test_figures_are_written_as_the_store_writes_them(written, expected):
    assert written() == expected


def test_times_are_on_the_stores_clock_and_name_the_year_only_if_it_is_another(monkeypatch):
    monkeypatch.setattr(figures, "present", lambda: datetime(2026, 11, 24, tzinfo=UTC))
    at = datetime(2026, 11, 23, 19, 14, tzinfo=UTC)

    assert figures.moment(at) == "Nov 23, 2:14 pm"
    assert figures.moment(at - timedelta(days=365)) == "Nov 23, 2025, 2:14 pm"
    assert figures.day(date(2026, 11, 23)) == "Nov 23"
    assert figures.day(datetime(2026, 11, 23, 3, tzinfo=UTC)) == "Nov 22"
    assert figures.clock(at) == "2:14 pm"


def test_another_locale_and_currency_are_followed(now):
    StoreSettings.objects.update_or_create(
        pk=1, defaults={"locale": "de_DE", "currency": "EUR", "time_zone": "Europe/Berlin"}
    )

    assert figures.count(18462) == "18.462"
    assert figures.money(Decimal("23184.6")) == "23.184,60\xa0€"
    assert figures.percent(0.2833) == "28,3%" or figures.percent(0.2833) == "28,3\xa0%"
    assert figures.width(0.2833) == "28.3%"
    assert figures.clock(now) == "20:14"
