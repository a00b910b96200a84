"""When points expire: worked out by the database as they are earned, on the store's clock."""

from typing import Any

from loyaltyflow.store.models import StoreSettings

from .programme import Programme

LAST_PURCHASE = """(
    SELECT max(orders.completed_at) FROM store_order AS orders
    WHERE orders.customer_id = {customer} AND orders.completed_at <= %(now)s
)"""


def some_months_after(instant: str, months: str, programme: Programme) -> str:
    """SQL of the first moment at which points, so many months after the instant, cannot be spent any more.

    It is a midnight: that after the day itself, or that after the month of this day.
    """
    local = f"(({instant}) AT TIME ZONE %(zone)s::text)"
    if programme.expires_at_month_end:
        end = f"date_trunc('month', {local}) + make_interval(months => 1 + {months})"
    else:
        end = f"date_trunc('day', {local} + make_interval(months => {months})) + interval '1 day'"
    return f"(({end}) AT TIME ZONE %(zone)s::text)"


def date_of_next_year(instant: str) -> str:
    """SQL of the midnight after the programme's date in the year after the instant's; in a short month its last day."""
    january = f"date_trunc('year', ({instant}) AT TIME ZONE %(zone)s::text) + interval '1 year'"
    month = f"({january} + make_interval(months => %(month)s::int - 1))"
    last_day = f"{month} + interval '1 month'"
    return f"(least({month} + make_interval(days => %(day)s::int), {last_day}) AT TIME ZONE %(zone)s::text)"


class Policy:
    """The programme's way to let points expire, as SQL over a row with the moment they were earned."""

    def __init__(self, programme: Programme, store: StoreSettings) -> None:
        self.programme = programme
        self.parameters: dict[str, Any] = {
            "zone": store.time_zone,
            "months": programme.expiry_months,
            "month": programme.expiry_month,
            "day": programme.expiry_day,
        }

    @classmethod
    def load(cls) -> "Policy":
        return cls(Programme.load(), StoreSettings.load())

    @property
    def is_idleness(self) -> bool:
        """Whether purchases keep the points alive."""
        return self.programme.expiry == Programme.Expiry.INACTIVITY

    @property
    def idle_months(self) -> str:
        return "%(months)s::smallint" if self.is_idleness else "NULL::smallint"

    def expires(self, earned: str, customer: str) -> str:
        """SQL of the moment from which points earned at the moment `earned` cannot be spent; NULL: never."""
        return {
            Programme.Expiry.NEVER: "NULL::timestamptz",
            Programme.Expiry.MONTHS: some_months_after(earned, "%(months)s::int", self.programme),
            Programme.Expiry.DATE: date_of_next_year(earned),
            Programme.Expiry.INACTIVITY: some_months_after(
                f"greatest({earned}, {LAST_PURCHASE.format(customer=customer)})", "%(months)s::int", self.programme
            ),
        }[Programme.Expiry(self.programme.expiry)]
