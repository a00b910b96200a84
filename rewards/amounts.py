"""Amounts as people read them, written by the database for many rows at once."""

import re
from dataclasses import dataclass
from decimal import Decimal

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
        digits = get_currency_precision(store.currency)
        whole = "FM999,999,999,990"
        before, after = re.split(r"\d[\d\W]*\d|\d", format_currency(Decimal(0), store.currency, locale=store.locale))
        signs = get_group_symbol(store.locale)[:1] + get_decimal_symbol(store.locale)[:1]
        return cls(before, after, whole + ("." + "0" * digits if digits else ""), whole, signs)

    def columns(self) -> tuple[str, list[str]]:
        """The columns of `terms`, and their values."""
        known = {f"{name}_as": value for name, value in vars(self).items()}
        return ", ".join(f"%s::text AS {name}" for name in known), [*known.values()]

    def number(self, amount: str) -> str:
        """SQL: the number without the noughts that its column keeps, such as 2.5."""
        return f"translate(trim_scale({amount})::text, '.', right(t.signs_as, 1))"

    def money(self, amount: str, is_short: bool = False) -> str:
        """SQL: the amount in the store's currency, such as $1,030.95; if `is_short`, $10 for a whole amount."""
        pattern = "t.pattern_as"
        if is_short:
            pattern = f"CASE WHEN {amount} = trunc({amount}) THEN t.short_pattern_as ELSE t.pattern_as END"
        return f"(t.before_as || translate(to_char({amount}, {pattern}), ',.', t.signs_as) || t.after_as)"
