"""The retailer's year, taken in through the same door as every other order."""

import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date, datetime
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import pyarrow
import pyarrow.csv
from django.db import transaction

from loyaltyflow.store.intake import CUSTOMERS, ORDERS, PRODUCTS, Context, Intake, Kind, Outcome
from loyaltyflow.store.intake.statistics import analyze
from loyaltyflow.store.models import Customer, Order, Product, StoreSettings

from . import people, products
from .data import SOURCE, Sales, read, weeks_to

PARTS = 24
WRITTEN = pyarrow.csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
Item = TypeVar("Item")
Made = TypeVar("Made")
Show = Callable[[str, float], None]


def load(
    now: datetime,
    since: date | None = None,
    until: date | None = None,
    households: int | None = None,
    show: Show = lambda what, share: None,
) -> dict[str, int]:
    """How many customers, products and orders were new, once the year is in.

    `since` and `until` are days of the moved year, both included; `households` takes only so many of them, and what
    they bought. `show` is told what is at work and which share of all is done. A second call with the same arguments
    changes nothing.
    """
    show("Reading the files", 0)
    store = StoreSettings.load()
    context = Context.of(store, now, SOURCE)
    sales = Sales.load()
    weeks = weeks_to(now, sales)
    if households is not None:
        chosen = np.unique(sales.of_baskets("household_id"))[:households]
        sales = sales.only(np.isin(sales.of_baskets("household_id"), chosen))
    times = sales.local_times(weeks, store.zone)
    show("Customers", 0.04)
    made = {"customers": _customers(context, sales, times)}
    show("Products", 0.06)
    made["products"] = _products(context, sales, is_whole=households is None)
    keep = np.array(
        [(not since or since <= at.date()) and (not until or at.date() <= until) for at in times], dtype=bool
    )
    kept = [at for at, is_kept in zip(times, keep, strict=True) if is_kept]
    made["orders"] = _orders(context, sales.only(keep) if not keep.all() else sales, kept, show)
    if any(made.values()):
        show("Statistics", 0.98)
        analyze()
    show("Done", 1)
    return made


def _customers(context: Context, sales: Sales, times: list[datetime]) -> int:
    visits: dict[int, list[datetime]] = defaultdict(list)
    for household, at in zip(sales.of_baskets("household_id").tolist(), times, strict=True):
        visits[household].append(at)
    if Customer.objects.filter(external_ids__source=SOURCE).count() >= len(visits):
        return 0
    ages = {row["household_id"]: row["age"] for row in read("demographics", ["household_id", "age"]).to_pylist()}
    return _take(CUSTOMERS, context, people.households(visits, ages, max(times)))


def _products(context: Context, sales: Sales, is_whole: bool) -> int:
    prices = _prices(sales)
    listed = [row for row in read("products").to_pylist() if is_whole or row["product_id"] in prices]
    rows = products.rows(listed, prices)
    if set(Product.objects.values_list("sku", flat=True)) >= {row["sku"] for row in rows}:
        return 0
    return _take(PRODUCTS, context, rows)


def _prices(sales: Sales) -> dict[int, str]:
    """What one unit of each product cost on average; "" where nothing was paid for it."""
    skus, places = np.unique(sales.lines["product_id"], return_inverse=True)
    paid = np.bincount(places, sales.lines["sales_value"])
    units = np.bincount(places, _quantities(sales))
    with np.errstate(divide="ignore", invalid="ignore"):
        prices = np.where((units > 0) & (paid > 0), paid / units, 0)
    return {sku: f"{price:.2f}" if price else "" for sku, price in zip(skus.tolist(), prices.tolist(), strict=True)}


def _quantities(sales: Sales) -> Any:
    """Units of each line. Petrol is counted in thousandths of a gallon; nothing else is bought by the hundred."""
    units = sales.lines["quantity"]
    return np.where(units > 100, units / 1000, units)


def _take(kind: Kind, context: Context, rows: Iterable[dict[str, str]]) -> int:
    rows = list(rows)
    with transaction.atomic():
        intake = Intake(kind, context)
        table = {column.name: [row.get(column.name, "") for row in rows] for column in kind.columns}
        intake.add(range(1, len(rows) + 1), table)
        return _created(intake.merge())


def _created(outcome: Outcome) -> int:
    if outcome.refused:
        raise ValueError(f"The files are not as expected: {next(iter(outcome.refused.values()))}")
    return outcome.counts["created"]


def _orders(context: Context, sales: Sales, times: list[datetime], show: Show) -> int:
    """The number of new orders; each part is a transaction, and parts that are in already are left out."""
    made, total = 0, len(sales.starts)
    bounds = np.linspace(0, total, PARTS + 1).astype(int).tolist()
    missing = [(first, last) for first, last in pairwise(bounds) if _is_missing(sales, first, last)]
    show("Orders", 0.1)
    for (_, last), table in zip(missing, _one_ahead(lambda part: _rows(sales, times, *part), missing), strict=True):
        with transaction.atomic():
            intake = Intake(ORDERS, context)
            intake.copy(*table)
            made += _created(intake.merge())
        show("Orders", 0.1 + 0.88 * last / total)
    return made


def _is_missing(sales: Sales, first: int, last: int) -> bool:
    numbers = [str(number) for number in sales.of_baskets("basket_id")[first:last].tolist()]
    return Order.objects.filter(source=SOURCE, external_id__any=numbers).count() < len(numbers)


def _one_ahead(make: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Made]:
    """What `make` makes of each item; while the caller is busy with one, a thread makes the next."""
    with ThreadPoolExecutor(1) as thread:
        coming: Future[Made] | None = None
        for item in items:
            ready, coming = coming, thread.submit(make, item)
            if ready:
                yield ready.result()
        if coming:
            yield coming.result()


def _rows(sales: Sales, times: list[datetime], first: int, last: int) -> tuple[bytes, list[str]]:
    """The lines of these baskets as `Intake.copy` takes them, and the names of their columns."""
    places = np.arange(len(sales.starts))
    table = _staged(sales.only((places >= first) & (places < last)), times[first:last])
    file = io.BytesIO()
    pyarrow.csv.write_csv(table, file, WRITTEN)
    return file.getvalue(), table.column_names


def _staged(part: Sales, times: list[datetime]) -> Any:
    """The lines as the staging table of orders takes them: clean already, for the files hold numbers and times only.

    The columns of the order stand on its first line. The net amount is what the retailer was paid; the discount is
    what the retailer itself took off.
    """
    count, starts = len(part.lines["basket_id"]), part.starts
    sizes: Any = np.diff(np.append(starts, count))
    later: Any = np.ones(count, dtype=bool)
    later[starts] = False

    def once(values: Any) -> Any:
        return pyarrow.array(np.repeat(np.asarray(values, dtype=object), sizes), mask=later)

    at = once([time.isoformat() for time in times])
    discount = part.lines["retail_disc"] + part.lines["coupon_match_disc"]
    return pyarrow.table(
        {
            "line": np.arange(1, count + 1),
            "source": pyarrow.array([SOURCE] * count),
            "order_number": part.lines["basket_id"],
            "customer_id": once(part.of_baskets("household_id").astype(str)),
            "placed_at": at,
            "completed_at": at,
            "channel": once(["till"] * len(starts)),
            "store_location": once(part.of_baskets("store_id").astype(str)),
            "line_number": np.arange(count) - np.repeat(starts, sizes) + 1,
            "sku": part.lines["product_id"],
            "quantity": np.round(_quantities(part), 3),
            "line_net": np.round(part.lines["sales_value"], 2),
            "line_discount": np.round(discount, 2),
        }
    )
