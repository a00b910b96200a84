"""What an event of the feed is about."""

from django.db.models import BigIntegerField, Case, F, Func, Q, TextField, Value, When
from django.db.models.functions import Cast


def subject() -> Case:
    """The number of the row that an event's key names, such as 17 of `order_updated:17:…`; null if it names none."""
    number = Func(F("key"), Value(":"), Value(2), function="split_part", output_field=TextField())
    return Case(When(Q(key__regex=r"^[a-z_]+:\d{1,18}(:|$)"), then=Cast(number, BigIntegerField())))
