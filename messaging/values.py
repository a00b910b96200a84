"""What templates may say about a customer: providers of variables, one class for each prefix."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar

from loyaltyflow.store.models import Customer, StoreSettings

Known = dict[int, dict[str, Any]]


class Values:
    """The variables of one prefix, such as `customer.first_name`, read for many customers at once.

    A subclass in a module named `values` of any app is a new prefix. It leaves out what is not known of a customer:
    a variable without a value blocks the message unless the template gives a fallback.
    """

    prefix: ClassVar[str]
    names: ClassVar[dict[str, str]] = {}
    takes_any_name: ClassVar[bool] = False
    # Whether a message may name, under the prefix, the row that it speaks of; else they are the customer's.
    is_of_rows: ClassVar[bool] = False
    registry: ClassVar[dict[str, type["Values"]]] = {}

    def __init_subclass__(cls) -> None:
        Values.registry[cls.prefix] = cls

    def for_customers(self, ids: Sequence[int], now: datetime) -> Known:
        """Customer id → name → plain value, in one statement however many ids there are."""
        raise NotImplementedError(f"{type(self).__name__} must define for_customers(ids, now).")

    def for_rows(self, ids: Sequence[int], now: datetime) -> Known:
        """Row → name → plain value, in one statement, where messages name the rows that they speak of."""
        raise NotImplementedError(f"{type(self).__name__} must define for_rows(ids, now).")


class CustomerValues(Values):
    """Who the customer is."""

    prefix = "customer"
    names = {
        "first_name": "First name",
        "last_name": "Last name",
        "name": "First and last name",
        "email": "E-mail address",
        "phone": "Phone number",
        "state": "State, such as MA",
        "country": "Country, such as US",
        "attributes": "What else the store told us, such as customer.attributes.shoe_size",
    }

    def for_customers(self, ids: Sequence[int], now: datetime) -> Known:
        fields = ("first_name", "last_name", "email", "phone", "state", "country", "attributes")
        known: Known = {}
        for pk, *row in Customer.objects.filter(pk__any=ids).values_list("pk", *fields):
            values = {name: value for name, value in zip(fields, row, strict=True) if value}
            if name := f"{row[0]} {row[1]}".strip():
                values["name"] = name
            known[pk] = values
        return known


class StoreValues(Values):
    """What the store is called and where it is."""

    prefix = "store"
    names = {
        "name": "The store's name",
        "postal_address": "The store's postal address",
        "email": "The address that e-mail comes from",
        "currency": "The store's currency, such as USD",
    }

    def for_customers(self, ids: Sequence[int], now: datetime) -> Known:
        store = StoreSettings.load()
        said = {
            "name": store.name,
            "postal_address": store.postal_address,
            "email": store.sender_email,
            "currency": store.currency,
        }
        values = {name: value for name, value in said.items() if value}
        return dict.fromkeys(ids, values)


class MessageValues(Values):
    """What the workflow or rule that asks for the message adds, such as `message.points`; read from the message."""

    prefix = "message"
    takes_any_name = True

    def for_customers(self, ids: Sequence[int], now: datetime) -> Known:
        return {}


class LinkValues(Values):
    """Addresses of the message itself; filled in for each message."""

    prefix = "links"
    names = {"unsubscribe": "Where the customer unsubscribes"}

    def for_customers(self, ids: Sequence[int], now: datetime) -> Known:
        return {}


def known_names() -> dict[str, str]:
    """Every variable that a template may use, with what it says, such as `customer.first_name` → First name."""
    return {
        f"{prefix}.{name}": meaning
        for prefix, provider in sorted(Values.registry.items())
        for name, meaning in provider.names.items()
    }


def values_for(prefixes: Iterable[str], ids: Sequence[int], now: datetime) -> dict[str, Known]:
    """Prefix → customer id → values, with one statement for each prefix that reads the database."""
    return {prefix: Values.registry[prefix]().for_customers(ids, now) for prefix in sorted(prefixes)}


def values_of_rows(prefixes: Iterable[str], named: Iterable[dict[str, Any]], now: datetime) -> dict[str, Known]:
    """Prefix → row → values, for the rows that the values of messages name."""
    kinds = {prefix: Values.registry[prefix] for prefix in prefixes}
    asked = {prefix: set[int]() for prefix, kind in kinds.items() if kind.is_of_rows}
    for values in named:
        for prefix, ids in asked.items():
            ids.update({values[prefix]} if values.get(prefix) else ())
    return {prefix: kinds[prefix]().for_rows(sorted(ids), now) if ids else {} for prefix, ids in asked.items()}
