"""Finding customers by what staff know of them."""

from datetime import datetime
from functools import reduce
from operator import and_

from django.db.models import Q, TextField, Value
from django.db.models.functions import Concat, Lower

from .customers import Customer, CustomerQuerySet
from .intake import Context, cells
from .settings import StoreSettings

LONGEST = 200  # signs of what is searched for


def known_as(text: str, store: StoreSettings, now: datetime) -> CustomerQuerySet:
    """Those who have the e-mail address, phone number or number; else those whose name or address has all the words."""
    wanted = text.replace("\0", "").strip()[:LONGEST]
    if not wanted:
        return Customer.objects.none()
    exact = _exact(wanted, store, now)
    return exact if exact is not None and exact.exists() else _by_words(wanted)


def _exact(wanted: str, store: StoreSettings, now: datetime) -> CustomerQuerySet | None:
    if "@" in wanted:
        return Customer.objects.exclude(email="").alias(address=Lower("email")).filter(address=wanted.lower())
    ways = Q(pk=int(wanted)) if wanted.isascii() and wanted.isdigit() and len(wanted) < 19 else Q()
    try:
        ways |= Q(phone=cells.phone(wanted, Context.of(store, now, "search")))
    except ValueError:
        return Customer.objects.filter(ways) if ways else None
    return Customer.objects.filter(ways)


def _by_words(wanted: str) -> CustomerQuerySet:
    known = Concat("first_name", Value(" "), "last_name", Value(" "), "email", output_field=TextField())
    words = reduce(and_, (Q(known__icontains=word) for word in wanted.split()))
    return Customer.objects.alias(known=known).filter(words)
