"""Live segments of random trees, and whether their members are those of a full evaluation."""

from datetime import UTC, datetime
from random import Random

from django.db import connection

from segments.conditions import Condition
from segments.conditions.customer_field import CustomerField
from segments.exchange.trees import dumped
from segments.models import Segment

from .population import Facts, found, judged
from .trees import Plain, name_of, planted


def wipe() -> None:
    """Take away all customers and segments, so that the next example starts afresh."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE store_customer, store_feedreader, segments_segment, segments_condition CASCADE")


def plant(forest: list[Plain]) -> list[Segment]:
    """A live segment of each tree, built with the next refresh; with its conditions at hand."""
    for number, tree in enumerate(forest):
        Segment.objects.create(name=name_of(number), root=planted(tree), is_active=True)
    return Segment.objects.live().with_trees()


def leaves_of(segments: list[Segment]) -> list[Condition]:
    """The questions of all their trees; some question, if they ask none."""
    found_ones = [leaf for each in segments for leaf in each.root.walk() if not leaf.takes_parts]
    return found_ones or [CustomerField(value="MA")]


def between(chance: Random, before: datetime, now: datetime) -> datetime:
    """When the shop learns of something: after the last tick, up to this one."""
    span = now.astimezone(UTC) - before.astimezone(UTC)
    return (now.astimezone(UTC) - span * chance.choice([0, chance.random()])).astimezone(now.tzinfo)


def astray(segments: list[Segment], facts: dict[int, Facts], now: datetime) -> list[tuple[object, ...]]:
    """Where the members are not those of a full evaluation, in SQL or in plain Python, or are counted wrong."""
    counted, wrong = dict(Segment.objects.values_list("pk", "members_now")), list[tuple[object, ...]]()
    for each in segments:
        members = {pk for pk, of_one in facts.items() if is_in(of_one, each)}
        whole, expected = found(each.root.q(now)), judged(each.root, facts, now)
        if not members == whole == expected or counted[each.pk] != len(members):
            wrong.append((each.name, str(now), dumped(each.root), members, whole, expected, counted[each.pk]))
    return wrong


def is_in(facts: Facts, segment: Segment) -> bool:
    return any(stay["segment_id"] == segment.pk and stay["left_at"] is None for stay in facts["stays"])
