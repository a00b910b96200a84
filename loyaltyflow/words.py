"""How sentences about rows are written: what staff chose stands out in them."""

from collections.abc import Iterable

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

BEGIN, END = "\x02", "\x03"  # "start of text" and "end of text": in nothing that a person types


def strong(value: object) -> str:
    """The value as a part of a phrase that stands out wherever the phrase is drawn."""
    return f"{BEGIN}{plain(str(value))}{END}"


def plain(phrase: str) -> str:
    """The phrase as mere text."""
    return phrase.replace(BEGIN, "").replace(END, "")


def drawn(phrase: str) -> SafeString:
    """The phrase as markup, with what stands out in bold and all else escaped."""
    return mark_safe(escape(phrase).replace(BEGIN, "<b>").replace(END, "</b>"))


def listed(values: Iterable[object], word: str = "or") -> str:
    """The values in one phrase: “MA, NH or VT”, each standing out."""
    known = [strong(value) for value in values]
    return f" {word} ".join([", ".join(known[:-1]), known[-1]] if len(known) > 1 else known)


def number(count: int, one: str, many: str = "") -> str:
    """The count with its noun: “1 purchase”, “2,400 purchases”."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


SINGULAR = {"have": "has", "are": "is", "were": "was", "live": "lives", "belong": "belongs", "do": "does"}


def of_one(phrase: str) -> str:
    """A phrase that completes “customers who …” as it is said of one customer, as a sentence: “Has the tag VIP”."""
    first, space, rest = phrase.partition(" ")
    said = SINGULAR.get(first, first) + space + rest
    begin = 1 if said.startswith(BEGIN) else 0
    return said[:begin] + said[begin : begin + 1].upper() + said[begin + 1 :]
