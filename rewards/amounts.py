"""Amounts as people read them, written by the database for many rows at once."""

import re
from dataclasses import dataclass, fields
from decimal import Decimal
from functools import cache

from babel.numbers import format_currency, get_currency_precision, get_decimal_symbol, get_group_symbol

from loyaltyflow.store.models import StoreSettings


@dataclass(frozen=True)
class Written:
    """How a statement of SQL writes numbers and money, by columns that it has in `terms`."""

    before: str
    after: str
    pattern: str
    short_pattern: str
    signs: str

    @classmethod
    def of(cls, store: StoreSettings) -> "Written":
        """As the store writes them."""
        return _written(store.currency, store.locale)

    @classmethod
    def columns(cls) -> str:
        """The columns of `terms`."""
        return ", ".join(f"%s::text AS {each.name}_as" for each in fields(cls))

    def values(self) -> list[str]:
        """The values of these columns."""
        return [*vars(self).values()]

    @staticmethod
    def number(amount: str) -> str:
        """SQL: the number without the noughts that its column keeps, such as 2.5."""
        return f"translate(trim_scale({amount})::text, '.', right(t.signs_as, 1))"

    @staticmethod
    def money(amount: str, is_short: bool = False) -> str:
        """SQL: the amount in the store's currency, such as $1,030.95; if `is_short`, $10 for a whole amount."""
        pattern = "t.pattern_as"
        if is_short:
            pattern = f"CASE WHEN {amount} = trunc({amount}) THEN t.short_pattern_as ELSE t.pattern_as END"
        return f"(t.before_as || translate(to_char({amount}, {pattern}), ',.', t.signs_as) || t.after_as)"


@cache
def _written(currency: str, locale: str) -> Written:
    digits = get_currency_precision(currency)
    whole = "FM999,999,999,990"
    before, after = re.split(r"\d[\d\W]*\d|\d", format_currency(Decimal(0), currency, locale=locale))
    signs = get_group_symbol(locale)[:1] + get_decimal_symbol(locale)[:1]
    return Written(before, after, whole + ("." + "0" * digits if digits else ""), whole, signs)
