"""Amounts as people read them, written by the database for many rows at once."""

import re
from decimal import Decimal
from typing import Any

from babel import Locale
from babel.numbers import format_currency, format_decimal, get_currency_precision, get_decimal_symbol, get_group_symbol
from django.db.models import CharField, F, Func, TextField, Value
from django.db.models.functions import Cast, Concat

from loyaltyflow.store.models import StoreSettings


def money(field: str, store: StoreSettings) -> Concat:
    """An expression: the amount in `field` in the store's currency and manner of writing, such as $1,030.95."""
    digits = get_currency_precision(store.currency)
    pattern = "FM999,999,999,990" + ("." + "0" * digits if digits else "")
    plain = Func(F(field), Value(pattern), function="to_char", output_field=CharField())
    signs = get_group_symbol(store.locale)[:1] + get_decimal_symbol(store.locale)[:1]
    amount = Func(plain, Value(",."), Value(signs), function="translate", output_field=CharField())
    before, after = re.split(r"\d[\d\W]*\d|\d", format_currency(Decimal(0), store.currency, locale=store.locale))
    return Concat(Value(before), amount, Value(after), output_field=TextField())


def unit(store: StoreSettings) -> str:
    """One unit of the store's currency, such as $1."""
    pattern = re.sub(r"\.0+", "", str(Locale.parse(store.locale).currency_formats["standard"].pattern))
    return format_currency(1, store.currency, format=pattern, locale=store.locale, currency_digits=False)


def earned(rate: Decimal, store: StoreSettings, net: str, points: str) -> Any:
    """An expression: how points were worked out, such as “1 point per $1 on $30.95 net = 30”."""
    said = f"{format_decimal(rate, locale=store.locale)} {'point' if rate == 1 else 'points'} per {unit(store)} on "
    return Concat(Value(said), money(net, store), Value(" net = "), Cast(points, TextField()), output_field=TextField())
