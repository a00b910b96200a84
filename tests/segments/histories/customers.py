"""What becomes known of customers: their attributes, birthdays and tags."""

from datetime import UTC, datetime, timedelta
from random import Random

from loyaltyflow.store.models import Customer, Order, Tag, Tagging

from . import happening, numbers, tell

# Attribute → what it may hold; each may hold what the others do, as other systems send what they like.
ATTRIBUTES = {
    "roast": ["dark", "Dark", "medium", "light", "", "5"],
    "children": [0, 1, 2, 2.0, 2.5, 3, 4, -1, 1e300],
    "has_dog": [True, False],
    "interests": [[], ["tea"], ["Coffee", "Tea"], ["books", 7, None], [["tea"]], ["coffee"]],
    "document_expires": [
        "2026-11-23",
        "2026-11-01T18:00",
        "2026-11-30 23:59:59.999",
        "2026-11-23T04:59:59Z",
        "2026-11-24T05:00:00+01:00",
        "2026-11-01T01:30",
        "2026-02-29",
        "2026-11-31",
        "2024-02-29",
        "soon",
        "1899-01-01",
        "2026-11-23T24:00",
    ],
}
STRANGE = [None, {}, {"tea": 1}, True, 5, "yes", ["dark"]]


@happening
def tell_more(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    """An attribute is sent anew, or taken away."""
    name = chance.choice([*ATTRIBUTES])
    kept = Customer.objects.values_list("attributes", flat=True).get(pk=customer.pk)
    near = [f"{at:%Y-%m-%d}", at.isoformat(), f"{now + timedelta(days=chance.choice([0, 1, 7, 30])):%F}"]
    fitting = ATTRIBUTES[name] + (near * 4 if name == "document_expires" else [])
    value = chance.choice(STRANGE if chance.random() < 0.15 else fitting)
    changed = {**kept, name: value} if chance.random() < 0.95 else {key: kept[key] for key in kept if key != name}
    Customer.objects.filter(pk=customer.pk).update(attributes=changed)
    tell("customer_updated", customer, now)


@happening
def tell_the_birthday(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    """The day of birth, with or without the year, becomes known, is corrected or forgotten."""
    near = now.date() + timedelta(days=chance.choice([0, 0, 1, -1, 6, 7, 8, -6, -7, -8, 30, 200]))
    month, day = chance.choice([(at.month, at.day), (near.month, near.day), (2, 29), (2, 28), (9, 1), (9, 30), (1, 15)])
    years = chance.choice([None, 0, 1, 18, 21, 22, 25, 29, 30, 34, 35, 65, -1])
    known = {"birth_month": month, "birth_day": day, "birth_year": None if years is None else now.year - years}
    forgotten = dict.fromkeys(known)
    Customer.objects.filter(pk=customer.pk).update(**(known if chance.random() < 0.9 else forgotten))
    tell("customer_updated", customer, now)


@happening
def come_long_ago(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    """Registered, completed the profile, joined or bought some years ago."""
    name = chance.choice(["registered_at", "profile_completed_at", "loyalty_joined_at", "bought", "bought"])
    days = chance.choice([365, 366, 364, 730, 731, 372, 335, 1095])
    then = min(at, now).astimezone(UTC) - timedelta(days=days)
    if name == "bought":
        number = f"long ago {next(numbers)}"
        Order.objects.create(
            customer=customer, source="history", external_id=number, placed_at=then, completed_at=then, net=5
        )
        tell("order_completed", customer, now)
        return
    Customer.objects.filter(pk=customer.pk).update(**{name: then})
    tell("customer_updated", customer, now)


@happening
def pin_a_tag(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    """Staff add a tag, or try to: who has it already keeps the one that they have."""
    tag = Tag.objects.get_or_create(name=chance.choice(["vip", "regular"]))[0]
    last = customer.taggings.filter(tag=tag).order_by("-added_at", "-pk").first()
    added = max(min(at, now), last.removed_at or last.added_at) if last else min(at, now)
    if last is None or last.removed_at:
        Tagging.objects.create(customer=customer, tag=tag, added_at=added)
    tell("tag_added", customer, added, tag=tag.name)


@happening
def take_a_tag_off(chance: Random, customer: Customer, at: datetime, now: datetime) -> None:
    had = customer.taggings.filter(removed_at=None).order_by("pk").first()
    if had:
        had.removed_at = max(min(at, now), had.added_at)
        had.save(update_fields=["removed_at"])
        tell("tag_removed", customer, had.removed_at, tag=had.tag.name)
