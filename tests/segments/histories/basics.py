"""What happens in every shop: people come, buy, send things back, move, say yes or no, join and leave."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

from loyaltyflow.store.models import Channel, Consent, Customer, Order, OrderLine, Product
from segments.conditions.customer_date import CustomerDate

from . import aimed_at, happening, numbers, some_moment, tell

STATES = ("MA", "MA", "NH", "VT", "ma", "NY", "")
COUNTRIES = ("US", "US", "CA", "")
POSTAL_CODES = ("02138", "01970", "03801", "10001", "K1A 0B1", "")
LANGUAGES = ("en", "es", "fr", "pt-BR", "")
GENDERS = ("female", "male", "other", "")
PHONES = ("+16175550", "+44207946", "")
FIRST_NAMES = ("Anna", "Ben", "Cleo", "Dan", "Łucja", "")
LAST_NAMES = ("Lee", "O'Neil", "Smith", "van Dyk", "")
DOMAINS = ("example.com", "gmail.com", "example.org", "")
TIME_ZONES = ("America/New_York", "America/Chicago", "")


def people(chance: Random, count: int, now: datetime) -> list[Customer]:
    """New customers of every sort."""
    return Customer.objects.bulk_create(_person(chance, now) for _ in range(count))


def _person(chance: Random, now: datetime) -> Customer:
    number, domain, phone = next(numbers), chance.choice(DOMAINS), chance.choice(PHONES)
    birthday = chance.choice([None, (chance.randrange(1, 13), chance.randrange(1, 29)), (2, 29)])
    return Customer(
        email=f"{chance.choice('aN')}{number}@{domain}" if domain else "",
        phone=f"{phone}{number:05}" if phone else "",
        first_name=chance.choice(FIRST_NAMES),
        last_name=chance.choice(LAST_NAMES),
        gender=chance.choice(GENDERS),
        state=chance.choice(STATES),
        country=chance.choice(COUNTRIES),
        postal_code=chance.choice(POSTAL_CODES),
        language=chance.choice(LANGUAGES),
        time_zone=chance.choice(TIME_ZONES),
        birth_month=birthday and birthday[0],
        birth_day=birthday and birthday[1],
        birth_year=chance.choice([None, chance.randrange(1930, 2015)]) if birthday else None,
        created_at=_earlier(some_moment(chance, now), now),
    )


@happening
def order(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    """Ordered at some time and completed at `at`, which the shop may know ahead, or not completed yet."""
    placed = _earlier(at, now) - timedelta(minutes=chance.choice([0, 0, 5, 60 * 30]))
    completed = chance.choice([at, at, at, at, None])
    made = Order.objects.create(
        customer=customer,
        source="history",
        external_id=str(next(numbers)),
        placed_at=placed,
        completed_at=completed,
        net=Decimal(0),
        discount_code=chance.choice(["", "", "WELCOME", "SPRING10"]),
        channel=chance.choice(["till", "web", "app", ""]),
        store_location=chance.choice(["Salem", "Boston", ""]),
    )
    _fill(chance, made)
    tell("order_placed", customer, placed, order=made.pk, net=str(made.net))
    if completed:
        tell("order_completed", customer, completed, order=made.pk, net=str(made.net))


@happening
def complete(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    """An order that was placed is completed; the till may tell it late."""
    made = _one(chance, Order.objects.filter(customer=customer, completed_at=None, cancelled_at=None))
    if made:
        made.completed_at = max(at, made.placed_at)
        made.save(update_fields=["completed_at"])
        tell("order_completed", customer, made.completed_at, order=made.pk, net=str(made.net))


@happening
def refund(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    """The whole of an order is paid back."""
    made = _one(chance, Order.objects.filter(customer=customer, refunded_at=None).exclude(completed_at=None))
    if made:
        made.refunded_at, made.refunded = max(at, made.completed_at), made.net
        made.save(update_fields=["refunded_at", "refunded"])
        tell("order_refunded", customer, made.refunded_at, order=made.pk, net=str(made.net))


@happening
def cancel(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    made = _one(chance, Order.objects.filter(customer=customer, cancelled_at=None))
    if made:
        made.cancelled_at = max(at, made.placed_at)
        made.save(update_fields=["cancelled_at"])
        tell("order_cancelled", customer, made.cancelled_at, order=made.pk, net=str(made.net))


@happening
def correct(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    """What an order was made of turns out to be different."""
    made = _one(chance, Order.objects.filter(customer=customer, refunded=0))
    if made:
        made.lines.all().delete()
        _fill(chance, made)
        tell("order_updated", customer, now, order=made.pk, net=str(made.net))


@happening
def change(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    """Something else is known of the customer from now on."""
    name, values = chance.choice(
        [
            ("state", STATES),
            ("country", COUNTRIES),
            ("postal_code", POSTAL_CODES),
            ("language", LANGUAGES),
            ("gender", GENDERS),
            ("time_zone", TIME_ZONES),
        ]
    )
    Customer.objects.filter(pk=customer.pk).update(**{name: chance.choice(values)})
    tell("customer_updated", customer, now)


@happening
def consent(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    given, channel = _earlier(at, now), chance.choice([Channel.EMAIL, Channel.EMAIL, *Channel.values])
    status = chance.choice(Consent.Status.values)
    Consent.objects.create(customer=customer, channel=channel, status=status, source="history", given_at=given)
    tell("consent_changed", customer, given, channel=channel, status=status)


@happening
def register(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    name = chance.choice(["registered_at", "profile_completed_at"])
    done = _earlier(at, now)
    Customer.objects.filter(pk=customer.pk).update(**{name: done})
    tell("customer_updated", customer, now)
    if name == "registered_at":
        tell("account_registered", customer, done)


@happening
def join(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    """Joins the programme, perhaps on a day that is known ahead; who had left it belongs to it again."""
    Customer.objects.filter(pk=customer.pk).update(loyalty_joined_at=at, loyalty_left_at=None)
    tell("customer_updated", customer, now)
    tell("loyalty_joined", customer, at)


@happening
def leave(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    joined = Customer.objects.values_list("loyalty_joined_at", flat=True).get(pk=customer.pk)
    if joined:
        left = max(at, joined)
        Customer.objects.filter(pk=customer.pk).update(loyalty_left_at=left)
        tell("customer_updated", customer, now)
        tell("loyalty_left", customer, left)


def _one(chance: Random, orders):
    found = list(orders.order_by("pk"))
    return chance.choice(found) if found else None


def _fill(chance: Random, made: Order) -> None:
    """Give the order lines, and the sum of these as its net amount."""
    shelf = list(Product.objects.order_by("pk"))
    lines = [
        OrderLine(
            order=made,
            number=number,
            product=chance.choice(shelf),
            quantity=chance.choice([1, 1, 2, 5, Decimal("0.750")]),
            net=Decimal(chance.choice(["0.00", "5.00", "9.99", "20.00", "40.00", "120.50"])),
        )
        for number in range(1, chance.choice([2, 2, 3]))
    ]
    OrderLine.objects.bulk_create(lines)
    made.net = sum(line.net for line in lines)
    made.save(update_fields=["net"])


def _earlier(at: datetime, now: datetime) -> datetime:
    """The moment, or `now` if it is still to come: a fact that nobody can know ahead."""
    return min(at, now).astimezone(UTC)


@aimed_at(CustomerDate)
def leave_soon(chance: Random, customer: Customer, condition: CustomerDate, now: datetime) -> None:
    """Few who left the programme have a day of leaving that is still ahead."""
    if condition.field == "loyalty_left_at" and condition.operator != "is_not_set":
        join(chance, customer, now - timedelta(days=chance.choice([0, 1, 40])), now)
        leave(chance, customer, now + timedelta(days=chance.choice([0, 1, 2, 3, 30])), now)
