"""A thousand random rows through each way in: no crash, no good row lost, each bad row named with its reason."""

import csv
import json
from io import StringIO

import pytest
from django.core.management import call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyaltyflow.store.intake import CUSTOMERS, EVENTS, ORDERS, PRODUCTS
from loyaltyflow.store.models import Customer, Event, Order, Product

ROWS = 250
EXAMPLES = 4  # of so many rows each: a thousand bad rows and a thousand good ones through each way in
SLOW = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[phase for phase in settings.default.phases if phase.name != "shrink"],
)
# What spreadsheets and people put into cells, besides any text at all.
NASTY = st.sampled_from(
    [
        "NaN",
        "Infinity",
        "-0",
        "1e400",
        "9" * 400,
        "\0",
        "a\0b",
        "\ud800",
        "x" * 5_000,
        "=1+1",
        "'; DROP TABLE",
        "null",
    ]
    + [
        "9999-12-31T23:59:59-14:00",
        "2999-01-01",
        "02-30",
        "\\N",
        "\\.",
        '"',
        "a\tb\nc",
        "\u202e",
        "1,5",
        "+1",
        "{",
        "[]",
    ]
)
CELL = NASTY | st.text(max_size=30)
VALUE = (
    CELL
    | st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.lists(CELL, max_size=2)
)
# For each kind: a column whose good row has a number of its own, and what makes any row bad for sure.
GOOD = {
    "customers": lambda n: {"external_id": f"good{n}", "email": f"good{n}@example.com"},
    "products": lambda n: {"sku": f"good{n}", "name": f"Good {n}"},
    "orders": lambda n: {
        "order_number": f"good{n}",
        "email": f"good{n}@example.com",
        "placed_at": "2026-01-01",
        "net": "1.00",
    },
    "events": lambda n: {
        "name": "app_installed",
        "event_id": f"good{n}",
        "email": f"good{n}@example.com",
        "occurred_at": "2026-01-01",
    },
}
SPOILT = {
    "customers": {"registered_at": "never"},
    "products": {"price": "NaN"},
    "orders": {"placed_at": "never"},
    "events": {"occurred_at": "never"},
}
KINDS = {kind.name: kind for kind in (CUSTOMERS, PRODUCTS, ORDERS, EVENTS)}


def kept(kind):
    found = {
        "customers": Customer.objects.filter(email__startswith="good").values_list("email", flat=True),
        "products": Product.objects.filter(sku__startswith="good").values_list("sku", flat=True),
        "orders": Order.objects.filter(external_id__startswith="good").values_list("external_id", flat=True),
        "events": Event.objects.filter(key__contains=":good").values_list("key", flat=True),
    }[kind]
    return {text.split("@")[0].split(":")[-1] for text in found}


def random_rows(kind, value):
    names = [column.name for column in KINDS[kind].columns]
    return st.lists(st.dictionaries(st.sampled_from(names), value, max_size=4), min_size=ROWS, max_size=ROWS)


def spoil(kind, number, row):
    """The random row made bad for sure, with an identity that no good row has."""
    own = {name: f"bad{number}" for name in ("external_id", "sku", "order_number", "event_id") if name in GOOD[kind](0)}
    return {**row, **own, **SPOILT[kind]}


@pytest.mark.parametrize("kind", ["customers", "products", "orders"])
def test_random_bad_rows_through_the_importers(kind, db, tmp_path):
    @SLOW
    @given(rows=random_rows(kind, CELL))
    def run(rows):
        mixed = [row for n, bad in enumerate(rows) for row in (GOOD[kind](n), spoil(kind, n, bad))]
        file = tmp_path / f"{kind}.csv"
        names = [column.name for column in KINDS[kind].columns]
        with file.open("w", encoding="utf-8", errors="surrogatepass", newline="") as target:
            writer = csv.DictWriter(target, names)
            writer.writeheader()
            writer.writerows(mixed)
        call_command(f"import_{kind}", str(file), stdout=StringIO(), stderr=StringIO())

        with (tmp_path / f"{kind}.rejected.csv").open(errors="surrogateescape", newline="") as source:
            rejected = list(csv.DictReader(source))
        key = next(name for name in ("external_id", "sku", "order_number") if name in GOOD[kind](0))
        assert sorted(row[key] for row in rejected) == sorted(f"bad{n}" for n in range(ROWS))
        assert all(row["reason"] and int(row["line"]) > 1 for row in rejected)
        assert kept(kind) == {f"good{n}" for n in range(ROWS)}

    run()


@pytest.mark.parametrize("kind", ["customers", "products", "orders", "events"])
def test_random_bad_rows_through_the_api(kind, send):
    @SLOW
    @given(rows=random_rows(kind, VALUE), strangers=st.lists(st.none() | st.integers() | st.text(), max_size=5))
    def run(rows, strangers):
        mixed = [row for n, bad in enumerate(rows) for row in (GOOD[kind](n), spoil(kind, n, bad))]
        response = send(kind, json.dumps([*mixed, *strangers]).encode())
        assert response.status_code == 200, response.content[:500]
        results = response.json()["results"]
        assert [row["row"] for row in results] == list(range(len(mixed) + len(strangers)))
        for row, result in zip([*mixed, *strangers], results, strict=True):
            is_good = isinstance(row, dict) and row in mixed[::2]
            assert (result["status"] == "rejected") is not is_good, (row, result)
            assert bool(result["errors"]) is not is_good
        assert kept(kind) == {f"good{n}" for n in range(ROWS)}

    run()


@pytest.mark.parametrize("kind", ["customers", "products", "orders"])
def test_random_rows_that_may_be_good_never_crash(kind, db, tmp_path):
    @SLOW
    @given(rows=random_rows(kind, CELL))
    def run(rows):
        file = tmp_path / f"{kind}.csv"
        with file.open("w", encoding="utf-8", errors="surrogatepass", newline="") as target:
            writer = csv.DictWriter(target, [column.name for column in KINDS[kind].columns])
            writer.writeheader()
            writer.writerows(rows)
        summary = StringIO()
        call_command(f"import_{kind}", str(file), stdout=summary, stderr=StringIO())
        assert summary.getvalue().strip(), "the import says what it did"

    run()
