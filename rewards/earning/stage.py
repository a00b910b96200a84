from datetime import datetime

from django.db import models
from django.db.models import BigIntegerField, F, Func, TextField, Value
from django.db.models.functions import Cast

from loyaltyflow.store.events import EventQuerySet, FeedReader
from loyaltyflow.store.models import Order

from .happenings import reward, welcome
from .purchases import earn
from .reversals import reverse

ABOUT_ORDERS = ("order_completed", "order_refunded", "order_cancelled", "order_updated")


def settle(now: datetime) -> dict[str, int]:
    """How many movements of points follow from the events that nobody has looked at yet.

    Purchases earn when they are completed, and so do those of customers of whom we learn only now that they are, or
    were, members. What was refunded or cancelled takes points back.
    """
    with FeedReader.read("ledger", now) as events:
        joined = Order.objects.filter(
            customer__in=events.named("loyalty_joined").values("customer"), completed_at__lte=now
        )
        # Found by their numbers: one OR of both would read all orders there ever were, at each tick.
        numbers = _told(events.named("order_completed").order_by()).union(joined.order_by().values_list("pk"))
        earned = earn(Order.objects.filter(pk__in=numbers), now)
        return {
            "earned": earned + reward(events, now),
            "welcomed": welcome(events, now),
            "taken back": reverse(Order.objects.filter(pk__in=_told(events.named(*ABOUT_ORDERS))), now),
        }


def _told(events: EventQuerySet) -> models.QuerySet[models.Model]:
    """The numbers of the orders that the events tell of: the second part of their keys."""
    known = events.filter(key__regex=r"^order_[a-z]+:[0-9]{1,18}(:|$)")
    number = Func(F("key"), Value(":"), Value(2), function="split_part", output_field=TextField())
    return known.values_list(Cast(number, BigIntegerField()))
